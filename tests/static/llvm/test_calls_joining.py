"""Arrays put together, and diagonals: NumPy's bits for every dtype and layout."""

import numpy as np
import pytest

from wengert.core.primitive import REGISTRY

from .called import runs

RNG = np.random.default_rng(5)
DTYPES = ["?", "i1", "i2", "f4", "f8", "F", "D"]


def drawn(shape, dtype="f8"):
    return (9 * RNG.standard_normal(shape)).astype(dtype)


def joined(axis, *arrays):
    starts = np.cumsum([0, *(x.shape[axis] for x in arrays)])[:-1]
    params = {"axis": axis, "starts": tuple(map(int, starts))}
    runs(REGISTRY["concatenate"], arrays, params)
    runs(REGISTRY["concatenate"], arrays, params, fixed=(1,))


@pytest.mark.parametrize("dtype", DTYPES)
def test_concatenate(dtype):
    joined(0, drawn(3, dtype), drawn(4, dtype), drawn(0, dtype))
    joined(0, drawn((3, 2), dtype), drawn((1, 2), dtype))
    joined(1, drawn((3, 2), dtype), drawn((3, 5), dtype), drawn((3, 1), dtype))
    joined(1, drawn((3, 2, 4), dtype), drawn((3, 5, 4), dtype)[:, ::-2])
    joined(2, drawn((3, 4, 2), dtype).T.reshape(4, 2, 3), drawn((4, 2, 1), dtype))
    joined(1, np.asfortranarray(drawn((3, 2), dtype)), np.asfortranarray(drawn((3, 5), dtype)))


def test_concatenate_casts_to_the_dtype_of_all():
    joined(0, drawn(3, "f4"), drawn(4, "f8"))
    joined(1, drawn((2, 3), "i2"), drawn((2, 4), "f4"))
    joined(1, drawn((2, 3), "i4"), drawn((2, 4), "f4"), drawn((2, 4), "?"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_stack(dtype):
    stack = REGISTRY["stack"]
    for axis in range(3):
        runs(stack, [drawn((3, 4), dtype), drawn((4, 3), dtype).T], {"axis": axis})
    runs(stack, [drawn((), dtype)[()], drawn((), dtype)[()]], {"axis": 0})
    runs(stack, [drawn(3, dtype)] * 3, {"axis": 1})


def test_stack_of_numbers():
    stack = REGISTRY["stack"]
    runs(stack, [1.5, np.float32(2.5), 3], {"axis": 0}, fixed=(0, 1, 2))
    runs(stack, [1.5, np.float64(2.5), 3.5], {"axis": 0})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 3])
def test_diagonals(dtype, offset):
    for shape in [(3, 3), (2, 4, 3), (0, 3), (1, 5)]:
        runs(REGISTRY["diagonal"], [drawn(shape, dtype)], {"offset": offset})
    runs(REGISTRY["diagonal"], [drawn((4, 6), dtype)[::-1, ::2]], {"offset": offset})
    n = 2 + abs(offset)
    for x in (drawn(2, dtype), drawn((3, 2), dtype), drawn((2, 3), dtype).T):
        rows = n if offset < 0 else 2
        params = {"offset": offset, "shape": (rows, n + 2 - rows if offset < 0 else n)}
        runs(REGISTRY["embed_diagonal"], [x], params)


def test_large_arrays_that_are_split():
    x = drawn((900, 301))
    joined(1, x, x[:, :200])
    joined(0, x.T, x.T[:, ::-1])
    runs(REGISTRY["stack"], [x, x + 1], {"axis": 2})
