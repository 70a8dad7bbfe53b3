"""Orders and positions: NumPy's for every dtype, axis and layout."""

import numpy as np
import pytest

from wengert.ops.sorting import argsort, searchsorted
from wengert.static.llvm.preparing import why_not

from .called import program, runs

DTYPES = ["f4", "f8", "i4", "i8", "u2", "?", "F", "D"]


def drawn(rng, shape, dtype):
    """Values of which many are equal, and some not numbers."""
    if np.dtype(dtype).kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    x = rng.integers(0, 9, shape).astype(dtype)
    if x.dtype.kind in "fc":
        x += rng.standard_normal(shape).astype(dtype).round(1)
        x[rng.random(shape) < 0.05] = np.nan
    return x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [None, "stable"])
def test_argsort_orders_as_numpy_does(dtype, kind):
    rng = np.random.default_rng(3)
    for shape in [(1,), (7,), (300,), (4, 6), (3, 0), (2, 3, 17)]:
        x = drawn(rng, shape, dtype)
        for axis in range(x.ndim):
            runs(argsort, [x], {"axis": axis, "kind": kind})
    x = drawn(rng, (6, 40), dtype)
    runs(argsort, [x[::-1, ::2]], {"axis": 1, "kind": kind})
    runs(argsort, [x[::-1, ::2]], {"axis": -2, "stable": True})


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i8", "?", "u4"])
def test_searchsorted_finds_what_numpy_finds(side, dtype):
    rng = np.random.default_rng(3)
    for n, shape in [(1, (5,)), (9, (3, 4)), (40, ()), (9, (0,)), (0, (3,)), (100, (500,))]:
        a, v = np.sort(drawn(rng, (n,), dtype)), drawn(rng, shape, dtype) if shape else None
        v = np.array(drawn(rng, (1,), dtype)[0]) if v is None else v
        runs(searchsorted, [a, v], {"side": side})
        runs(searchsorted, [a[::-1][::-1], v], {"side": side})
    rows, v = np.sort(drawn(rng, (4, 9), dtype)), drawn(rng, (4, 2, 3), dtype)
    runs(searchsorted, [rows, v], {"side": side, "stacked": 1})
    runs(searchsorted, [np.sort(drawn(rng, (30,), dtype))[::3], v[:, :, 1]], {"side": side})


def test_rows_that_are_not_sorted_give_what_numpys_search_gives():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, v = rng.integers(0, 9, 20), rng.integers(0, 9, 50)
        runs(searchsorted, [a, v], {"side": "left"})
        runs(searchsorted, [a * 1.0, v], {"side": "right"})


def test_numbers_of_different_dtypes_are_compared_in_the_dtype_of_both():
    a, v = np.array([1, 2, 3]), np.array([0.5, 2.0, 9.5])
    runs(searchsorted, [a, v], {"side": "left"})
    runs(searchsorted, [a.astype("f4"), v], {"side": "left"})
    runs(searchsorted, [v, a.astype("u1")], {"side": "right"})


def test_what_is_refused_says_why():
    a = np.arange(3, dtype="u8")
    eqn = program(searchsorted, [a, a], {"side": "left"}).equations[0]
    assert "uint64" in why_not(eqn, True)
    eqn = program(argsort, [a], {"axis": 0, "kind": "heapsort"}).equations[0]
    assert "not found" in why_not(eqn, True)
