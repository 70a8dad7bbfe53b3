"""Transformations inside transformations, to fifth order, against closed forms."""

from itertools import product

import numpy as np
import pytest

import wengert as wg

X0 = 0.7
# f, and its derivatives of order 1 to 5 at any x
CLOSED_FORMS = {
    "power": (
        lambda x: x**6,
        [lambda x, k=k: np.prod(range(7 - k, 7)) * x ** (6 - k) for k in range(1, 6)],
    ),
    "sine": (np.sin, [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin, np.cos]),
    "exponential": (
        lambda x: np.exp(2 * x) * 0.5,
        [lambda x, k=k: 2.0**k * np.exp(2 * x) * 0.5 for k in range(1, 6)],
    ),
    "reciprocal": (
        lambda x: 1 / x,
        [lambda x, k=k: (-1) ** k * np.prod(range(1, k + 1)) / x ** (k + 1) for k in range(1, 6)],
    ),
    "tangent": (
        np.tanh,
        [
            lambda x: 1 - np.tanh(x) ** 2,
            lambda x: -2 * np.tanh(x) + 2 * np.tanh(x) ** 3,
            lambda x: -2 + 8 * np.tanh(x) ** 2 - 6 * np.tanh(x) ** 4,
            lambda x: 16 * np.tanh(x) - 40 * np.tanh(x) ** 3 + 24 * np.tanh(x) ** 5,
            lambda x: 16 - 136 * np.tanh(x) ** 2 + 240 * np.tanh(x) ** 4 - 120 * np.tanh(x) ** 6,
        ],
    ),
}


def forward(f):
    return lambda x: wg.jvp(f, (x,), (1.0,))[1]


def reverse(f):
    return lambda x: wg.vjp(f, x)[1](1.0)[0]


MODES = {"f": forward, "r": reverse, "g": wg.grad}


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize(
    "modes", ["".join(m) for k in range(1, 6) for m in product("fr", repeat=k)]
)
def test_every_composition_to_fifth_order(name, modes):
    f, derivatives = CLOSED_FORMS[name]
    for mode in modes:
        f = MODES[mode](f)
    np.testing.assert_allclose(f(X0), derivatives[len(modes) - 1](X0), rtol=1e-12)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("modes", ["ggggg", "gfgfg", "fgfgf"])
def test_fifth_order_of_arrays_under_vmap(name, modes):
    f, derivatives = CLOSED_FORMS[name]
    for mode in modes:
        f = MODES[mode](f)
    xs = np.array([0.4, 0.7, 1.3])
    np.testing.assert_allclose(wg.vmap(f)(xs), derivatives[4](xs), rtol=1e-11)


def test_the_dynamic_graph_to_fifth_order():
    f, derivatives = CLOSED_FORMS["tangent"]
    x = wg.array(X0, requires_grad=True)
    y = f(x)
    for k in range(5):
        x.grad = None
        y.backward(create_graph=True)
        y = x.grad
        np.testing.assert_allclose(y.item(), derivatives[k](X0), rtol=1e-12)


def test_transformations_inside_the_dynamic_graph():
    x = wg.array(X0, requires_grad=True)
    (wg.grad(np.sin)(x) * wg.jvp(np.exp, (x,), (1.0,))[1]).backward()
    np.testing.assert_allclose(x.grad.item(), np.exp(X0) * (np.cos(X0) - np.sin(X0)), rtol=1e-14)


def test_gradients_of_batched_gradients():
    """grad ∘ sum ∘ vmap ∘ grad, and vmap ∘ grad ∘ grad: the same second derivatives."""
    xs = np.array([[0.2, 0.5], [1.0, -0.3], [0.1, 0.9]])

    def f(x):
        return np.sum(np.sin(x) * x[0])

    def square(x):
        return np.sum(wg.grad(f)(x) ** 2)

    outside = wg.grad(lambda a: np.sum(wg.vmap(square)(a)))(xs)
    inside = wg.vmap(wg.grad(square))(xs)
    np.testing.assert_allclose(outside, inside, rtol=1e-13)
    np.testing.assert_allclose(inside, [wg.grad(square)(x) for x in xs], rtol=1e-13)


def test_vmap_of_vmap():
    a, b = np.arange(3.0), np.arange(4.0) + 1
    table = wg.vmap(lambda x: wg.vmap(lambda y: np.sin(x) * y**x)(b))(a)
    np.testing.assert_allclose(table, np.sin(a)[:, None] * b ** a[:, None])
    slopes = wg.vmap(lambda x: wg.vmap(wg.grad(lambda y: x * y**3))(b))(a)
    np.testing.assert_allclose(slopes, 3 * a[:, None] * b**2)


# --- perturbations are not confused ---------------------------------------------------------------


@pytest.mark.parametrize("inner", MODES)
@pytest.mark.parametrize("outer", MODES)
def test_a_closed_over_variable_of_the_outer_derivative(inner, outer):
    """D_x [x · D_y (x·y²)(2)] = D_x [4x²] = 8x."""
    f = MODES[outer](lambda x: x * MODES[inner](lambda y: x * y * y)(2.0))
    np.testing.assert_allclose(f(3.0), 24.0)


@pytest.mark.parametrize("inner", MODES)
@pytest.mark.parametrize("outer", MODES)
def test_the_inner_derivative_at_the_outer_variable(inner, outer):
    """D_x [D_y (x·y³)(x)] = D_x [3x³] = 9x²; without confusion 3x² + 6x²."""
    f = MODES[outer](lambda x: MODES[inner](lambda y: x * y**3)(x))
    np.testing.assert_allclose(f(2.0), 36.0)


@pytest.mark.parametrize("inner", MODES)
@pytest.mark.parametrize("outer", MODES)
def test_the_same_function_twice(inner, outer):
    """D (x · D sin) = cos x − x sin x, with the one function object at both levels."""
    f = MODES[outer](lambda x: x * MODES[inner](np.sin)(x))
    np.testing.assert_allclose(f(0.9), np.cos(0.9) - 0.9 * np.sin(0.9))


@pytest.mark.parametrize("inner", MODES)
@pytest.mark.parametrize("outer", MODES)
def test_an_inner_function_that_ignores_its_argument(inner, outer):
    assert MODES[outer](lambda x: x * MODES[inner](lambda y: x + 0.0)(1.0))(5.0) == 0.0
    assert MODES[outer](lambda x: MODES[inner](lambda y: x * y)(7.0))(5.0) == 1.0


def test_nested_loops_of_gradients():
    """A gradient-descent loop inside a function that is differentiated itself."""

    def solve(a):
        y = 1.0
        for _ in range(5):
            y = y - 0.1 * wg.grad(lambda z: (z * z - a) ** 2)(y)
        return y

    def by_hand(a):
        y = 1.0
        for _ in range(5):
            y = y - 0.1 * 4 * y * (y * y - a)
        return y

    h = 1e-20
    want = np.imag(by_hand(2.0 + 1j * h)) / h
    for mode in MODES.values():
        np.testing.assert_allclose(mode(solve)(2.0), want, rtol=1e-12)


def test_three_levels_that_share_all_variables():
    """D_x D_y D_z [x·y²·z³ + x·z·y] at (2, 3, 5), each inner one closed over the outer ones."""
    for a, b, c in product("fr", repeat=3):
        f = MODES[a](
            lambda x, b=b, c=c: MODES[b](
                lambda y, c=c: MODES[c](lambda z: x * y**2 * z**3 + x * z * y)(5.0)
            )(3.0)
        )
        np.testing.assert_allclose(f(2.0), 6 * 3.0 * 25.0 + 1)
