"""``np.linalg``'s functions that need no decomposition, for handles.

Those that need one (``inv``, ``solve``, ``det``, ``svd``, …) are not here yet, and raise when
called.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.errors import ShapeError, UnsupportedError
from ..ops import reduction
from ..ops.array import implements
from .arguments import as_array, some_axes, unboxed
from .diagonals import diagonal, trace
from .reductions import as_float
from .ufuncs import into

# --- norms ----------------------------------------------------------------------------------------


def _square_of_modulus(x: Any) -> Any:
    return np.real(x * np.conj(x)) if x.dtype.kind == "c" else x * x


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or order == 2:
        squares = np.sum(_square_of_modulus(x), axis=axes, keepdims=keepdims)
        return reduction.root(squares)
    if order == np.inf:
        return np.max(np.abs(x), axis=axes, keepdims=keepdims)
    if order == -np.inf:
        return np.min(np.abs(x), axis=axes, keepdims=keepdims)
    if order == 0:
        kind = np.abs(x).dtype
        return np.sum(np.not_equal(x, 0).astype(kind), axis=axes, keepdims=keepdims)
    if order == 1:
        return np.sum(np.abs(x), axis=axes, keepdims=keepdims)
    if isinstance(order, str):
        raise ShapeError(f"norm: order {order!r} is of matrices, not of vectors")
    total = np.sum(np.abs(x) ** order, axis=axes, keepdims=keepdims)
    zero = np.equal(total, 0)  # there the derivative is 0, whatever the order
    return unboxed(np.where(zero, 0.0, np.where(zero, 1.0, total) ** (1 / order)))


def _matrix_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or order in ("fro", "f"):
        return _vector_norm(x, 2, axes, keepdims)
    if order in (1, -1, np.inf, -np.inf):
        rows, columns = axes if abs(order) == 1 else axes[::-1]
        sums = np.sum(np.abs(x), axis=rows, keepdims=keepdims)
        extremum = np.max if order > 0 else np.min
        return extremum(sums, axis=columns - (columns > rows and not keepdims), keepdims=keepdims)
    raise UnsupportedError(
        f"norm: order {order!r} of matrices needs singular values, which wengert does not have yet;"
        " it has None, 'fro', 1, -1, inf and -inf"
    )


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = as_float(x)
    if axis is None and ord is None:
        return _vector_norm(x, 2, tuple(range(x.ndim)), keepdims)
    axes = some_axes("norm", axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ShapeError(f"norm: order {ord!r} over {len(axes)} axes; name one or two of them")
    return _matrix_norm(x, ord, axes, keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    x = as_float(x)
    return _vector_norm(x, ord, some_axes("vector_norm", axis, x.ndim), keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    x = as_float(x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_norm: got an array of shape {x.shape}, expected a matrix")
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


# --- products -------------------------------------------------------------------------------------


@implements(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    return np.matmul(x1, x2)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.vecdot(x1, x2, axis=axis)  # type: ignore[call-overload]


@implements(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    x1, x2 = as_array(x1), as_array(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError(f"outer: got shapes {x1.shape} and {x2.shape}, expected two vectors")
    return np.outer(x1, x2)


@implements(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return np.tensordot(x1, x2, axes)


@implements(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = as_array(x1), as_array(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ShapeError(f"cross: got shapes {x1.shape} and {x2.shape}, expected 3 along {axis}")
    return np.cross(x1, x2, axis=axis)


@implements(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(x, offset, -2, -1, dtype)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    a, n = as_array(a), operator.index(n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"matrix_power: got an array of shape {a.shape}, expected square matrices")
    if n < 0:
        raise UnsupportedError(
            "matrix_power: a negative power needs the inverse, which wengert does not have yet"
        )
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    result, square = None, a
    while n:
        n, odd = divmod(n, 2)
        if odd:
            result = square if result is None else np.matmul(result, square)
        if n:
            square = np.matmul(square, square)
    return result.copy() if result is a else result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    parts = [as_array(x) for x in arrays]
    if len(parts) < 2:
        raise ShapeError(f"multi_dot: got {len(parts)} arrays, expected at least two")
    lengths = [parts[0].shape[0] if parts[0].ndim == 2 else 1]
    lengths += [x.shape[0] for x in parts[1:]]
    lengths.append(parts[-1].shape[1] if parts[-1].ndim == 2 else 1)
    result = _in_order(parts, _best_splits(lengths), 0, len(parts))
    return result if out is None else into("multi_dot", out, result)


def _best_splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product of factors i to j, so that the multiplications are fewest.

    Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, 3rd ed., section 15.2.
    """
    count = len(lengths) - 1
    costs = {(i, i + 1): 0 for i in range(count)}
    splits = {}
    for width in range(2, count + 1):
        for i in range(count - width + 1):
            j = i + width
            costs[i, j], splits[i, j] = min(
                (costs[i, k] + costs[k, j] + lengths[i] * lengths[k] * lengths[j], k)
                for k in range(i + 1, j)
            )
    return splits


def _in_order(parts: list[Any], splits: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if j - i == 1:
        return parts[i]
    k = splits[i, j]
    return np.dot(_in_order(parts, splits, i, k), _in_order(parts, splits, k, j))
