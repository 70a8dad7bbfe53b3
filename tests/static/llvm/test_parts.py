"""What is put together is computed in its place."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from wengert.differentiate.record import program_of
from wengert.static.passes import optimise
from wengert.static.plan import in_own_memory

from .build import draft_of, make_kernels, same

X = np.random.default_rng(3).standard_normal((4, 6))


def native(f, *args, strict=True, passes=False):
    """The steps of ``f``, whose results are compared with NumPy's."""
    program = program_of(f)(*args)
    if passes:
        program = in_own_memory(optimise(program)[0])
    draft, want = draft_of(program, args, strict)
    (call,) = make_kernels([draft], [None])
    got = call(*args)
    got = got if isinstance(got, tuple) else (got,)
    for a, b in zip(got, want, strict=True):
        assert same(a, b), f"{a!r} instead of {b!r}"
    return draft.steps


@pytest.mark.parametrize("x", [X, X.T, np.asfortranarray(X), X[:, ::-1]])
@pytest.mark.parametrize("axis", [0, 1])
def test_parts_are_not_copied(x, axis):
    assert len(native(lambda x: np.concatenate([x * 2, x + 1], axis=axis), x)) == 1
    assert len(native(lambda x: np.stack([x * 2, x + 1, x - 3], axis=axis), x)) == 1
    assert len(native(lambda x: np.concatenate([x * 2, x + 1], axis=axis) * 3, x)) == 2


def test_numbers_become_elements():
    def f(x):
        a, b = np.sum(x), x[0, 0]
        return np.stack([a * 2, b + 1, a - b])

    steps = native(f, X)
    assert len(steps) == 2  # the sum, and all numbers


def test_what_can_not_be_computed_in_place_is_copied():
    for f in (
        lambda x: np.concatenate([x, x * 2]),  # an argument
        lambda x: (np.concatenate([y := x * 2, x + 1]), y),  # a result
        lambda x: np.concatenate([y := x * 2, y]),  # twice
        lambda x: np.concatenate([np.cumsum(x, 0), x + 1]),  # no loop over elements
        lambda x: np.concatenate([(x * 2)[:2], (x * 3)[::2]]),  # only seen in part
        lambda x: np.concatenate([(y := x * 2), x], axis=1) @ (y.T @ y)[:, :1].repeat(12, 0)[:12],
        lambda x: np.concatenate([np.broadcast_to(x[0] * 2, (3, 6)), x]),
        lambda x: np.concatenate([x * 2, (x[:0] + 1)]),
    ):
        native(f, X, strict=False)


def test_what_is_read_elsewhere_too():
    def f(x):
        y = x * 2
        whole = np.concatenate([y, x + 1], axis=1)
        return whole * 2, np.sum(y.reshape(-1)), y.T + 1

    native(f, X, strict=False)


def test_seen_in_another_shape():
    def f(x):
        return np.concatenate([(x * 2).reshape(4, 1, 6), (x + 1).reshape(4, 1, 6)], axis=1)

    assert len(native(f, X)) == 1
    assert len(native(lambda x: np.concatenate([(x * 2).T, (x + 1).T], axis=1), X)) == 1


def test_the_adjoint_of_slices_is_written_once():
    def valley(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    steps = native(wg.grad(valley), np.linspace(-1, 1, 50), strict=False, passes=True)
    assert len(steps) == 2  # the two ends, and what is between
