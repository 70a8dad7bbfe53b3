"""Writes into slices of a constant as pieces side by side: equal to the program, at any value."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static.passes import merge_windows, optimise

from .drawn import SPECIAL, alike

RNG = np.random.default_rng(5)
X = RNG.standard_normal(12)
ODD = np.array([*SPECIAL, 2.0, -3.0])
M = RNG.standard_normal((3, 8))


def names(program):
    return [eqn.primitive.name for eqn in program.equations]


def merged(f, *args):
    """The optimised program of ``f``, checked against ``f``'s own to the bit, at NaN as well."""
    with np.errstate(all="ignore"):
        program = program_of(f)(*args)
        optimised, _ = optimise(program, check=True)
        for got, want in zip(executable(optimised)(*args), program.run(*args), strict=True):
            assert alike(got, want), f"{got!r} instead of {want!r}\n{program}\n{optimised}"
    return optimised


def gradient(f):
    return wg.grad(lambda x: np.sum(f(x)))


def windows(*parts):
    """A gradient that is a sum of windows of zeros: of ``x[part] * number``."""
    return gradient(lambda x: sum(np.sum(x[part] * x[part] * k) for k, part in enumerate(parts, 2)))


CHAINS = {
    "neighbours": lambda x: (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2,
    "three": lambda x: x[2:] * x[1:-1] * x[:-2],
    "halves": lambda x: x[: len(x) // 2] * x[len(x) // 2 :],
    "ends": lambda x: x[0] * x[-1] * x[3],
    "below zero": lambda x: x[-3:-1] ** 2,
    "in the middle": lambda x: np.tanh(x[2:5]) * x[2:5],
    "broadcast": lambda x: x[1:] * x[0],
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("x", [X, ODD, X.astype(np.float32)], ids=["drawn", "special", "single"])
def test_adjoints_of_slices_are_one_array_put_together(name, x):
    optimised = merged(gradient(CHAINS[name]), x)
    assert "scatter_add" not in names(optimised)
    assert names(optimised).count("concatenate") == 1


@pytest.mark.parametrize("x", [M, M.T, np.asfortranarray(M), M[:, ::-1]])
def test_along_one_of_several_axes(x):
    for f in (
        lambda x: x[:, 1:] * x[:, :-1],
        lambda x: x[1:] * x[:-1],
        lambda x: x[:, 0] * x[:, -1],
        lambda x: x[..., 2:] * x[..., :1],
        lambda x: x[:, None, 1:3] * x[:, 2:, None][:, :2],
    ):
        assert "scatter_add" not in names(merged(gradient(f), x))


def test_two_axes_at_once_stay():
    optimised = merged(gradient(lambda x: x[1:, 1:] * x[:-1, :-1]), M)
    assert names(optimised).count("scatter_add") == 2


def test_a_window_over_all_is_a_sum():
    optimised = merged(gradient(lambda x: x[:, None] * x[None, :]), X)
    assert "scatter_add" not in names(optimised)
    assert "concatenate" not in names(optimised)


def test_writes_over_one_another():
    def f(x):
        y = np.zeros_like(x)
        y[1:7] = x[:6] * 2
        y[5:9] = x[5:9] - 1
        y[8:] = x[8:] * 3
        return y * 3

    for x in (X, ODD):
        optimised = merged(f, x)
        assert "setitem" not in names(optimised)


def test_a_base_that_is_no_constant_stays():
    def f(x):
        y = x * 2
        y[1:3] = x[:2]
        return y * 1.5

    assert "setitem" in names(merged(f, X))


def test_a_chain_that_is_read_in_between_is_cut():
    def f(x):
        y = np.zeros_like(x)
        y[1:7] = x[:6]
        z = y * 2
        y[5:9] = x[5:9]
        return y + z

    merged(f, X)
    merged(f, ODD)


def test_steps_backwards_and_duplicates_stay():
    merged(gradient(lambda x: x[::2] * x[::-2]), X)
    merged(gradient(lambda x: x[np.array([0, 0, 3])] * x[:3]), X)


def test_many_overlapping_windows_stay_and_disjoint_ones_do_not():
    def sliding(x):
        return sum((np.sum(x[k : k + 3] * x[k : k + 3] * (k + 1.5)) for k in range(10)), start=0.0)

    assert "concatenate" not in names(merged(wg.grad(sliding), X))
    apart = [slice(k, k + 1) for k in range(12)]
    optimised = merged(windows(*apart), X)
    assert names(optimised).count("concatenate") == 1


def test_what_is_read_elsewhere_is_computed_once():
    """The tangent of tanh is read by an output too, so that pieces are sliced of it."""

    def f(x):
        y = np.tanh(x)
        z = np.zeros_like(np.concatenate([x, x[:1]]))
        z[1:] += y * 2
        z[:-1] += y
        return z, y

    optimised = merged(f, X)
    assert names(optimised).count("tanh") == 1


def test_dtypes_that_change_stay():
    def f(x):
        y = np.zeros_like(x, dtype=np.float32)
        y[2:] = x[2:]
        return y * np.float32(2)

    assert "setitem" in names(merged(f, X))


def test_strict_leaves_them():
    program = program_of(gradient(CHAINS["neighbours"]))(X)
    assert merge_windows(program, strict=True) is program
    optimised, _ = optimise(program, strict=True)
    assert "scatter_add" in names(optimised)


def test_results_are_new_memory():
    optimised = merged(gradient(CHAINS["neighbours"]), X)
    run = executable(optimised)
    first, second = run(X)[0], run(X)[0]
    assert not np.may_share_memory(first, second)
    assert first.flags.writeable


@pytest.mark.fuzz
def test_random_windows(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        parts = []
        for _ in range(int(rng.integers(1, 6))):
            start, stop = sorted(rng.integers(0, 13, 2))
            parts.append(slice(int(start), int(stop)) if rng.random() < 0.8 else int(start) % 12)
        x = ODD if rng.random() < 0.5 else X
        merged(windows(*parts), x)
