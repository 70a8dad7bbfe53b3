"""NumPy's products, for handles: each is a matrix product, or one of labelled axes."""

from __future__ import annotations

import warnings
from string import ascii_letters
from typing import Any

import numpy as np

from ..core.errors import ShapeError
from ..ops import products
from ..ops.array import enter_ufuncs, implements
from .arguments import as_array, one_axis, some_axes
from .reductions import finished


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    a, b = as_array(a), as_array(b)
    if not a.ndim or not b.ndim:
        result = np.multiply(a, b)
    elif b.ndim == 1 or a.ndim == b.ndim == 2 or (a.ndim == 1 and b.ndim == 2):
        result = _matmul("dot", a, b)
    else:
        result = np.tensordot(a, b, ((-1,), (-2,)))
    return finished("dot", out, result)


def _conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def _matmul(name: str, a: Any, b: Any) -> Any:
    if a.shape[-1] != b.shape[0]:
        raise ShapeError(
            f"{name}: shapes {a.shape} and {b.shape} do not fit: {a.shape[-1]} and "
            f"{b.shape[0]} differ"
        )
    return np.matmul(a, b)


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    a, b = as_array(a), as_array(b)
    if not a.ndim or not b.ndim:
        return np.multiply(a, b)
    return np.tensordot(a, b, ((-1,), (-1,)))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    a, b = as_array(a), as_array(b)
    result = np.reshape(a, (a.size, 1)) * np.reshape(b, (1, b.size))
    return finished("outer", out, result)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    a, b = as_array(a), as_array(b)
    if a.size != b.size:
        raise ShapeError(f"vdot: {a.size} and {b.size} elements")
    return np.matmul(_conj(np.ravel(a)), np.ravel(b))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = as_array(a), as_array(b)
    try:
        of_a, of_b = axes
    except TypeError:
        if axes > min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: {axes} axes of shapes {a.shape}, {b.shape}") from None
        of_a, of_b = range(a.ndim - axes, a.ndim), range(axes)
    first = _several("tensordot", of_a, a.ndim)
    second = _several("tensordot", of_b, b.ndim)
    if [a.shape[k] for k in first] != [b.shape[k] for k in second]:
        raise ShapeError(
            f"tensordot: axes {first} of {a.shape} and {second} of {b.shape} differ in length"
        )
    labels = list(ascii_letters[: a.ndim + b.ndim])
    left, right = labels[: a.ndim], labels[a.ndim :]
    for i, k in zip(first, second, strict=True):
        right[k] = left[i]
    kept = [k for k in left if k not in right] + [k for k in right if k not in left]
    return products.einsum(a, b, a="".join(left), b="".join(right), out="".join(kept))


def _several(name: str, axes: Any, ndim: int) -> tuple[int, ...]:
    return some_axes(name, tuple(axes) if np.iterable(axes) else (axes,), ndim)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    a, b = as_array(a), as_array(b)
    rank = max(a.ndim, b.ndim)
    first, second = ((1,) * (rank - x.ndim) + x.shape for x in (a, b))
    wide = np.reshape(a, tuple(k for n in first for k in (n, 1)))
    product = wide * np.reshape(b, tuple(k for n in second for k in (1, n)))
    return np.reshape(product, tuple(n * m for n, m in zip(first, second, strict=True)))


# --- products of vectors --------------------------------------------------------------------------


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, keepdims: bool = False) -> Any:
    x1, x2 = as_array(x1), as_array(x2)
    if not x1.ndim or not x2.ndim:
        raise ShapeError(f"vecdot: got shapes {x1.shape} and {x2.shape}, expected vectors")
    first = np.moveaxis(x1, one_axis("vecdot", axis, x1.ndim), -1)
    second = np.moveaxis(x2, one_axis("vecdot", axis, x2.ndim), -1)
    if first.shape[-1] != second.shape[-1]:
        raise ShapeError(f"vecdot: shapes {x1.shape} and {x2.shape} differ along axis {axis}")
    result = np.sum(_conj(first) * second, axis=-1)
    return np.expand_dims(result, axis) if keepdims else result


def matvec(x1: Any, x2: Any, /) -> Any:
    result = np.matmul(x1, np.expand_dims(as_array(x2), -1))
    return np.sum(result, axis=-1)


def vecmat(x1: Any, x2: Any, /) -> Any:
    result = np.matmul(np.expand_dims(_conj(as_array(x1)), -2), x2)
    return np.sum(result, axis=-2)


enter_ufuncs({np.vecdot: vecdot, np.matvec: matvec, np.vecmat: vecmat})


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = as_array(a), as_array(b)
    a = np.moveaxis(a, one_axis("cross", axisa, a.ndim), -1)
    b = np.moveaxis(b, one_axis("cross", axisb, b.ndim), -1)
    lengths = a.shape[-1], b.shape[-1]
    if not set(lengths) <= {2, 3}:
        raise ShapeError(f"cross: vectors of {lengths[0]} and {lengths[1]} numbers, expected 3")
    if 2 in lengths:
        warnings.warn(
            "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors "
            "instead. (deprecated in NumPy 2.0)",
            DeprecationWarning,
            stacklevel=4,
        )
    a1, a2, a3 = _components(a)
    b1, b2, b3 = _components(b)
    third = a1 * b2 - a2 * b1
    if lengths == (2, 2):
        return third
    parts = np.broadcast_arrays(a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, third)
    return np.stack(parts, axis=one_axis("cross", axisc, third.ndim + 1))


def _components(x: Any) -> tuple[Any, Any, Any]:
    """The three components; a vector in the plane has none upwards."""
    parts = [x[(slice(None),) * (x.ndim - 1) + (k,)] for k in range(x.shape[-1])]
    return (*parts, 0) if len(parts) == 2 else tuple(parts)
