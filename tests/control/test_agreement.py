"""Structured control flow has the values and derivatives of the same function in Python."""

import numpy as np
import pytest

import wengert as wg

from .programs import PAIRS, START

pairs = pytest.mark.parametrize("pair", PAIRS, ids=str)
V = np.array([0.3, -1.1, 0.7])
U = np.array([-0.2, 0.5, 1.4])


def close(got, expected, rtol=1e-10):
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


def scalar(f):
    return lambda x: np.sum(f(x) * U)


@pairs
def test_value(pair):
    got = pair.structured(START)
    assert type(got) is np.ndarray
    close(got, pair.plain(START), 1e-14)


@pairs
def test_first_order(pair):
    f, g = pair.structured, pair.plain
    close(wg.jvp(f, (START,), (V,))[1], wg.jvp(g, (START,), (V,))[1])
    close(wg.vjp(f, START)[1](U)[0], wg.vjp(g, START)[1](U)[0])
    close(wg.linearize(f, START)[1](V), wg.jvp(g, (START,), (V,))[1])


@pairs
@pytest.mark.parametrize("outer", ["forward", "reverse"])
@pytest.mark.parametrize("inner", ["forward", "reverse"])
def test_second_order(pair, outer, inner):
    def derivative(f, mode):
        if mode == "forward":
            return lambda x: wg.jvp(f, (x,), (V,))[1]
        return lambda x: wg.vjp(f, x)[1](U)[0]

    f, g = (derivative(derivative(f, inner), outer) for f in (pair.structured, pair.plain))
    close(f(START), g(START), 1e-8)


@pairs
def test_third_order(pair):
    def third(f):
        return wg.jvp(
            lambda x: wg.grad(lambda y: np.sum(wg.grad(scalar(f))(y) * V))(x), (START,), (U,)
        )

    close(third(pair.structured)[1], third(pair.plain)[1], 1e-7)


@pairs
def test_hessian(pair):
    close(wg.hessian(scalar(pair.structured))(START), wg.hessian(scalar(pair.plain))(START), 1e-8)


@pairs
def test_dynamic_graph(pair):
    gradients = []
    for f in (pair.structured, pair.plain):
        x = wg.array(START, requires_grad=True)
        (scalar(f)(x) + np.sum(x**3)).backward(create_graph=True)
        first = x.grad
        x.grad = None
        np.sum(first * V).backward()
        gradients.append((first.numpy(), x.grad.numpy()))
    close(gradients[0][0], gradients[1][0])
    close(gradients[0][1], gradients[1][1], 1e-8)


EXAMPLES = np.stack([START, START[::-1] * 1.7, -START, START * 0.2])


@pairs
def test_vmap_equals_a_loop(pair):
    f = pair.structured
    close(wg.vmap(f)(EXAMPLES), np.stack([pair.plain(x) for x in EXAMPLES]), 1e-12)
    each = np.stack([wg.grad(scalar(pair.plain))(x) for x in EXAMPLES])
    close(wg.vmap(wg.grad(scalar(f)))(EXAMPLES), each)
    close(wg.grad(lambda xs: np.sum(wg.vmap(scalar(f))(xs)))(EXAMPLES), each)
    hessians = np.stack([wg.hessian(scalar(pair.plain))(x) for x in EXAMPLES])
    close(wg.vmap(wg.hessian(scalar(f)))(EXAMPLES), hessians, 1e-8)


@pairs
def test_as_a_program(pair):
    """Recorded at one point, with its derivatives, and run at another."""
    from wengert.differentiate.abstract import abstract_program

    aval = wg.Aval(START.shape)
    for make in (lambda f: f, lambda f: wg.grad(scalar(f)), lambda f: wg.hessian(scalar(f))):
        program = abstract_program(make(pair.structured), (aval,)).program.check()
        for x in EXAMPLES:
            (got,) = program.run(x)
            close(got, make(pair.plain)(x), 1e-8)


COMPLEX = {"rnn", "backwards", "writes", "empty"}  # the others compare
OTHERS = [(pair, np.float32) for pair in PAIRS] + [
    (pair, np.complex128) for pair in PAIRS if pair.name in COMPLEX
]


@pytest.mark.parametrize(("pair", "dtype"), OTHERS, ids=lambda p: getattr(p, "__name__", str(p)))
def test_other_dtypes(pair, dtype):
    x = (START + 0.3j * V).astype(dtype) if dtype == np.complex128 else START.astype(dtype)
    f, g = pair.structured, pair.plain
    got, expected = f(x), g(x)
    assert got.dtype == expected.dtype
    rtol = 1e-4 if dtype == np.float32 else 1e-10
    close(got, expected, rtol)

    def loss(f):
        return lambda x: np.sum(np.real(f(x)) * U + np.imag(f(x)) * V)

    gradient = wg.grad(loss(f))(x)
    assert gradient.dtype == x.dtype
    close(gradient, wg.grad(loss(g))(x), rtol)
    tangent = V.astype(dtype)
    dy = wg.jvp(f, (x,), (tangent,))[1]
    assert dy.dtype == got.dtype
    close(dy, wg.jvp(g, (x,), (tangent,))[1], rtol)
