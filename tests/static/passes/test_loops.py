"""Loops with less to do in each step."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
import wengert.static.variant
from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static.passes import improve_loops, optimise

RNG = np.random.default_rng(7)
W = 0.5 * RNG.standard_normal((6, 4))
U = 0.5 * RNG.standard_normal((6, 6))
B = RNG.standard_normal(6)
X = RNG.standard_normal((9, 5, 4))


def loops(program):
    return [eqn for eqn in program.equations if eqn.primitive.name == "loop"]


def body(eqn):
    return eqn.params["plan"].bodies[0]


def products(program):
    found = ("matmul", "project", "accumulate")
    return [eqn for eqn in program.equations if eqn.primitive.name in found]


def improved(f, *args, tolerance=1e-12):
    """The optimised program of ``f``, checked against eager calls."""
    program = program_of(f)(*args)
    optimised, _ = optimise(program, check=True)
    want = f(*args)
    want = want if isinstance(want, tuple) else (want,)
    for run in (executable(optimised), optimised.run):
        for got, expected in zip(run(*args), want, strict=True):
            np.testing.assert_allclose(got, expected, tolerance, tolerance)
    return optimised


def layer(w, u, b, x, reverse=False):
    """A recurrent layer; gives all its states."""

    def step(h, x):
        h = np.tanh(x @ w.T + h @ u.T + b)
        return h, h

    return wg.scan(step, np.zeros((x.shape[1], len(b))), x, reverse=reverse)[1]


@pytest.mark.parametrize("reverse", [False, True])
def test_products_of_what_is_read_come_before_the_loop(reverse):
    optimised = improved(lambda *args: layer(*args, reverse=reverse), W, U, B, X)
    (loop,) = loops(optimised)
    assert len(products(body(loop))) == 1
    assert [eqn.outputs[0].aval.shape for eqn in products(optimised)] == [(45, 6)]


@pytest.mark.parametrize("reverse", [False, True])
def test_sums_of_products_come_behind_the_way_back(reverse):
    def gradient(*args):
        def loss(*args):
            return np.sum(layer(*args, reverse=reverse) ** 2)

        return wg.grad(loss, (0, 1, 2, 3))(*args)

    optimised = improved(gradient, W, U, B, X)
    there, back = loops(optimised)
    assert len(products(body(back))) <= 2  # the adjoints of the state, and of what was read
    shapes = [eqn.outputs[0].aval.shape for eqn in products(optimised)]
    assert (6, 4) in shapes
    assert (6, 6) in shapes
    assert len(back.params["plan"].legs[0].init) < 4
    assert len(there.params["plan"].exports) <= 3


def test_vectors_too():
    def f(w, x):
        return wg.scan(lambda h, x: (np.tanh(h + w @ x), h), np.zeros(6), x)

    def by_rows(w, x):
        return wg.scan(lambda h, x: (np.tanh(h + x @ w), h), np.zeros(6), x)

    improved(f, W, X[:, 0])
    optimised = improved(by_rows, W.T.copy(), X[:, 0])
    assert not products(body(loops(optimised)[0]))


def test_what_depends_on_no_step_is_computed_once():
    def f(b, x):
        return wg.scan(lambda h, x: (h + np.exp(b) * x, np.exp(b)), np.zeros(6), x)

    optimised = improved(f, B, RNG.standard_normal((4, 6)))
    assert "exp" not in [eqn.primitive.name for eqn in body(loops(optimised)[0]).equations]


def test_stacks_of_one_value_are_not_made():
    def gradient(u, h):
        def loss(u, h):
            return np.sum(wg.scan(lambda h, _: (np.sin(h @ u), None), h, None, length=7)[0])

        return wg.grad(loss, (0, 1))(u, h)

    optimised = improved(gradient, U, RNG.standard_normal((5, 6)))
    there, _ = loops(optimised)
    assert all(var.aval.shape != (7, 6, 6) for var in there.outputs)


def test_the_way_back_computes_again_what_is_cheap():
    def gradient(b, x):
        def loss(b):
            def step(h, x):
                e = np.exp(-h * x)
                return 1.0 / (1.0 + e), None

            return np.sum(wg.scan(step, b, x)[0])

        return wg.grad(loss)(b)

    x = RNG.standard_normal((8, 6))
    optimised = improved(gradient, B, x)
    plain = program_of(gradient)(B, x)
    kept = [len(loops(p)[0].params["plan"].exports) for p in (optimised, plain)]
    assert kept[0] < kept[1]


def test_special_values_stay():
    def gradient(b, x):
        def loss(b):
            def step(h, x):
                e = np.exp(-h * x)
                return 1.0 / (1.0 + e), e

            return np.sum(wg.scan(step, b, x)[0])

        return wg.grad(loss)(b)

    x = np.array([[np.inf, 0.0, -np.inf, np.nan, 800.0, -800.0], np.ones(6)])
    program = program_of(gradient)(B, x)
    optimised, _ = optimise(program, check=True)
    with np.errstate(all="ignore"):
        want, got = gradient(B, x), executable(optimised)(B, x)[0]
    np.testing.assert_array_equal(got, want)


def test_loops_in_loops_and_stacks_that_are_results():
    def f(w, x):
        def outer(h, x):
            inner, ys = wg.scan(lambda k, r: (np.tanh(k + r @ w), r * 2), h, x)
            return inner, (ys, w)

        return wg.scan(outer, np.zeros(6), x)[1]

    program = program_of(lambda w, x: wg.tree.flatten(f(w, x))[0])(W.T.copy(), X)
    optimised, _ = optimise(program, check=True)
    for got, want in zip(
        executable(optimised)(W.T.copy(), X), program.run(W.T.copy(), X), strict=True
    ):
        np.testing.assert_allclose(got, want, 1e-12)


def test_derivatives_of_what_is_improved():
    def loss(*args):
        return np.sum(layer(*args) ** 2)

    program = program_of(wg.grad(loss))(W, U, B, X)
    optimised, _ = optimise(program)

    def directional(p):
        return wg.jvp(lambda w: p.run(w, U, B, X)[0], (W,), (np.ones_like(W),))[1]

    np.testing.assert_allclose(directional(optimised), directional(program), 1e-10)


def test_unknown_lengths_and_strict_stay():
    program = program_of(lambda w, u, b, x: layer(w, u, b, x))(W, U, B, X)
    assert improve_loops(program, lambda p: p, strict=True) is program
    counted = program_of(lambda b, n: wg.fori_loop(0, n, lambda i, h: h * 0.5, b))(B, 3)
    assert improve_loops(counted, lambda p: p) is counted
    improved(lambda w, x: wg.scan(lambda h, x: (h + x @ w, h), np.zeros(6), x), W.T, X[:0, 0])


def test_compiled_training_of_a_recurrent_layer():
    def loss(w, u, b, x):
        return np.mean(layer(w, u, b, x) ** 2)

    compiled = wg.compile(wg.grad(loss, (0, 1, 2)))
    want = wg.grad(loss, (0, 1, 2))(W, U, B, X)
    for _ in range(4):
        for got, expected in zip(compiled(W, U, B, X), want, strict=True):
            np.testing.assert_allclose(got, expected, 1e-12, 1e-14)
