"""NumPy's functions of diagonals and triangles, for handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConversionError, ShapeError
from ..ops import inplace, shape
from ..ops.array import Array, implements, view
from .arguments import as_array, one_axis, only_read
from .ufuncs import into


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    moved = _last(a, axis1, axis2)
    return only_read(
        "diagonal",
        moved,
        shape.diagonal,
        {"offset": int(offset)},
        lambda x: np.diagonal(x, offset, -2, -1),
    )


def _last(a: Any, axis1: int, axis2: int) -> Any:
    """``a`` with the two axes at the end."""
    if a.ndim < 2:
        raise ShapeError(f"diagonal: got an array of shape {a.shape}, expected 2 axes or more")
    first, second = (one_axis("diagonal", axis, a.ndim) for axis in (axis1, axis2))
    if first == second:
        raise ShapeError("diagonal: axis1 and axis2 must differ")
    return np.moveaxis(a, (first, second), (-2, -1))


def writable_diagonal(a: Any, axis1: int, axis2: int) -> Any:
    """The diagonal as a view to write through, which ``np.einsum("ii->i", a)`` gives."""
    moved = _last(a, axis1, axis2)
    result = shape.diagonal(moved, offset=0)
    places = np.arange(result.shape[-1])

    def undo(base: Any, new: Any) -> None:
        base[..., places, places] = new

    return view(
        moved,
        result,
        shape.diagonal,
        {"offset": 0},
        lambda x: np.diagonal(x, 0, -2, -1),
        undo,
    )


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ShapeError(f"diag: got an array of shape {v.shape}, expected 1 or 2 axes")
    side = v.size + abs(k)
    return shape.embed_diagonal(v, offset=int(k), shape=(side, side))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return diag(np.ravel(as_array(v)), k)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    result = np.sum(shape.diagonal(_last(a, axis1, axis2), offset=int(offset)), -1, dtype)
    return result if out is None else into("trace", out, result)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*_matrix("tril", m), k=k, dtype=bool), m, _zero(m))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*_matrix("triu", m), k=k - 1, dtype=bool), _zero(m), m)


def _matrix(name: str, m: Any) -> tuple[int, int]:
    if not m.ndim:
        raise ShapeError(f"{name}: got an array of shape {m.shape}, expected at least 1 axis")
    return (m.shape * 2)[-2:]  # type: ignore[no-any-return]


def _zero(m: Any) -> Any:
    return np.zeros(1, m.dtype)


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    if x.ndim != 1:
        raise ShapeError(f"vander: got an array of shape {x.shape}, expected a vector")
    powers = np.arange(len(x) if N is None else N)
    return np.expand_dims(x, 1) ** (powers if increasing else powers[::-1])


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if not isinstance(a, Array):
        raise ConversionError(
            "fill_diagonal: the destination is a plain NumPy array, which can't hold a derivative: "
            "make it with np.zeros_like(x, shape=...) of a differentiated x"
        )
    if a.ndim < 2 or (a.ndim > 2 and len(set(a.shape)) != 1):
        raise ShapeError(f"fill_diagonal: got {a.shape}, expected a matrix or equal lengths")
    end = None if wrap or a.ndim > 2 else a.shape[1] ** 2
    step = 1 + int(np.cumprod(a.shape[:0:-1]).sum())
    places = np.arange(a.size)[:end:step]
    value = as_array(val)
    if value.ndim:
        value = np.resize(value, (len(places),))
    inplace.write(a, np.unravel_index(places, a.shape), value)
