"""Stacks of products as one product, and products with the identity."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static.passes import merge_stacks, optimise

RNG = np.random.default_rng(6)
A = RNG.standard_normal((5, 4, 3))
B = RNG.standard_normal((3, 6))
SIX = RNG.standard_normal((6, 4))


def shapes(program):
    """Of the products in it."""
    found = ("matmul", "project", "accumulate")
    return [e.outputs[0].aval.shape for e in program.equations if e.primitive.name in found]


def merged(f, *args, tolerance=1e-13):
    program = program_of(f)(*args)
    optimised, _ = optimise(program, check=True)
    for got, want in zip(executable(optimised)(*args), program.run(*args), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, tolerance, tolerance)
    return optimised


@pytest.mark.parametrize("a", [A, A.transpose(1, 0, 2), np.asfortranarray(A), A[::-1, ::2]])
def test_a_stack_times_one_matrix(a):
    rows = a.shape[0] * a.shape[1]
    assert shapes(merged(lambda a, b: (a @ b) * 2, a, B)) == [(rows, 6)]
    assert shapes(merged(lambda a, b: (a @ b.T.T) * 2, a, B)) == [(rows, 6)]
    deep = np.stack([a, a + 1])
    assert shapes(merged(lambda a, b: np.tanh(a @ b), deep, B)) == [(2 * rows, 6)]


def test_one_matrix_times_a_stack_of_columns():
    columns = RNG.standard_normal((7, 4, 1))
    assert shapes(merged(lambda a, b: (a @ b) * 2, SIX, columns)) == [(7, 6)]
    assert shapes(merged(lambda a, b: a.T @ b, SIX.T.copy(), columns)) == [(7, 6)]


def test_a_sum_over_a_stack():
    other = RNG.standard_normal((5, 4, 2))

    def f(a, b):
        return np.sum(np.swapaxes(a, -1, -2) @ b, axis=0) * 2

    assert shapes(merged(f, A, other)) == [(3, 2)]
    assert len(shapes(merged(lambda a, b: np.sum(np.swapaxes(a, -1, -2) @ b), A, other))) == 1


def test_the_step_of_a_layer_on_sequences_accumulates():
    w = RNG.standard_normal((6, 3))

    def step(w, x):
        g = wg.grad(lambda w: np.sum(np.tanh(x @ w.T)))(w)
        return w - 0.1 * g

    optimised = merged(step, w, A)
    assert "accumulate" in [eqn.primitive.name for eqn in optimised.equations]


def test_products_with_unit_vectors_are_none():
    def loss(w, x):
        return np.sum(np.log(1 + np.exp(x @ w)))

    w, x = RNG.standard_normal(3), RNG.standard_normal((8, 3))
    optimised = merged(lambda w, x: wg.hessian(loss)(w, x), w, x, tolerance=1e-12)
    assert len([shape for shape in shapes(optimised) if len(shape) == 2]) == 1


@pytest.mark.parametrize("place", [None, (0, 0), (2, 1)])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -0.0])
def test_the_identity_at_special_values(place, value):
    """An element that is not finite makes NaN of the others of its column, as 0 * inf does."""
    x = RNG.standard_normal((4, 3))
    if place is not None:
        x[place] = value
    x[3, 2], x[1, 2] = np.inf, value
    unit = np.eye(4)
    for f, a in ((lambda x: unit @ x, x), (lambda x: unit @ x.T, x.T.copy())):
        with np.errstate(all="ignore"):
            program = program_of(f)(a)
            optimised = merge_stacks(program).check()
            assert shapes(optimised) == []
            (got,), (want,) = executable(optimised)(a), program.run(a)
        assert np.array_equal(got, want, equal_nan=True)
        assert np.array_equal(np.signbit(got)[got == got], np.signbit(want)[want == want])


def test_what_is_not_the_identity_stays():
    for matrix in (np.eye(4)[::-1], np.eye(4) * 2, np.eye(4, dtype=np.float32), np.ones((4, 4))):
        program = program_of(lambda x, m=matrix: m @ x)(RNG.standard_normal((4, 3)))
        assert len(shapes(merge_stacks(program))) == 1


def test_integers_strict_and_outputs_stay():
    whole = np.arange(24).reshape(2, 4, 3)
    assert shapes(merged(lambda a, b: a @ b, whole, np.ones((3, 2), int))) == [(2, 4, 2)]
    program = program_of(lambda a, b: (a @ b) * 2)(A, B)
    assert merge_stacks(program, strict=True) is program
    deep = np.stack([A, A]).transpose(1, 0, 2, 3)
    seen = program_of(lambda a, b: np.swapaxes(a @ b, 0, 1))(deep, B)
    (result,) = executable(optimise(seen)[0])(deep, B)
    assert result.strides == seen.run(deep, B)[0].strides
