"""NumPy's functions that look at an array in another shape: views, where NumPy makes views."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.box import shape_of
from ..core.errors import ShapeError, UnsupportedError
from ..ops import arithmetic as ar
from ..ops import inplace
from ..ops import shape as moving
from ..ops.array import Array, implements, view
from .arguments import (
    as_array,
    as_shape,
    boxed,
    fresh,
    laid_out,
    looked_at,
    one_axis,
    only_read,
    some_axes,
)

# --- reshape --------------------------------------------------------------------------------------


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    lengths = _lengths(a, as_shape(shape))
    if order == "A":
        order = "F" if laid_out(a).flags.fnc else "C"
    if order == "F":
        result = np.transpose(_reshaped(np.transpose(a), lengths[::-1]))
    else:
        result = _reshaped(a, lengths)
    if copy is False and getattr(result, "_base", None) is None:
        raise ShapeError(f"reshape: {a.shape} can't become {lengths} without a copy")
    return result.copy() if copy else result


def _lengths(a: Any, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """``lengths`` with -1 replaced by what is left. Raises ``ShapeError`` where they do not fit."""
    size = a.size
    if -1 in lengths:
        known = math.prod(n for n in lengths if n != -1)
        if lengths.count(-1) > 1 or not known or size % known:
            raise ShapeError(f"reshape: can't reshape {a.shape} into {lengths}")
        lengths = tuple(size // known if n == -1 else n for n in lengths)
    if math.prod(lengths) != size or min(lengths, default=0) < 0:
        raise ShapeError(f"reshape: can't reshape {a.shape}, {size} elements, into {lengths}")
    return lengths


def _reshaped(a: Any, lengths: tuple[int, ...]) -> Any:
    before = shape_of(a)
    return looked_at(
        a,
        moving.reshape,
        {"shape": lengths},
        lambda x: x.reshape(lengths, copy=False),
        lambda new: np.reshape(new, before),
        certain=False,
    )


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """A view where the elements lie one behind the other, else a copy, be it reshape's view."""
    if order == "A":
        order = "F" if laid_out(a).flags.fnc else "C"
    if order == "F":
        a = np.transpose(a)
    elif order == "K":
        a = np.transpose(a, _memory_order(a.shape, inplace.strides_of(a)))
    elif order != "C":
        raise ShapeError(f"ravel: order={order!r}, expected one of 'C', 'F', 'A', 'K'")
    result = _reshaped(a, (a.size,))
    return result if laid_out(a).flags.c_contiguous else fresh(result)


def _memory_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    """The axes from the longest step in memory to the shortest, as NumPy's iterator sorts them:
    axes of one element, or repeated ones, have no step and stay where they are.
    """
    steps = [abs(s) if n != 1 else 0 for n, s in zip(shape, strides, strict=True)]
    order: list[int] = []
    for axis in reversed(range(len(shape))):
        place = len(order)
        for k in reversed(range(len(order))):
            if steps[axis] and steps[order[k]]:
                if steps[order[k]] <= steps[axis]:
                    break
                place = k
        order.insert(place, axis)
    return order[::-1]


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    count = len(axis) if isinstance(axis, tuple | list) else 1
    axes = some_axes("expand_dims", axis, a.ndim + count)
    lengths = iter(a.shape)
    return _reshaped(a, tuple(1 if k in axes else next(lengths) for k in range(a.ndim + count)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    lengths = a.shape
    if axis is None:
        return _reshaped(a, tuple(n for n in lengths if n != 1))
    axes = some_axes("squeeze", axis, a.ndim)
    if any(lengths[k] != 1 for k in axes):
        raise ShapeError(f"squeeze: the axes {axes} of {lengths} must have length 1")
    return _reshaped(a, tuple(n for k, n in enumerate(lengths) if k not in axes))


def _at_least(count: int, places: Any, arrays: tuple[Any, ...]) -> Any:
    """Arrays with fewer than ``count`` axes in the shape ``places(*shape)``."""
    results = []
    for array in arrays:
        x = as_array(array)
        results.append(x if x.ndim >= count else np.reshape(x, places(*x.shape)))
    return results[0] if len(results) == 1 else tuple(results)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    return _at_least(1, lambda: (1,), arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    return _at_least(2, lambda n=1: (1, n), arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    return _at_least(3, lambda *ns: (*ns, 1) if len(ns) == 2 else (1, *(ns or (1,)), 1), arys)


# --- the order of axes ----------------------------------------------------------------------------


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    ndim = a.ndim
    if axes is None:
        order = tuple(range(ndim))[::-1]
    else:
        order = some_axes("transpose", tuple(axes), ndim)
        if len(order) != ndim:
            raise ShapeError(
                f"transpose: axes {tuple(axes)} are not a permutation of the {ndim} axes of "
                f"{a.shape}"
            )
    return looked_at(
        a,
        moving.transpose,
        {"axes": order},
        lambda x: x.transpose(order),
        lambda new: np.transpose(new, moving.inverse(order)),
    )


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: got an array of shape {x.shape}, expected a matrix")
    return np.swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    first, second = (one_axis("swapaxes", axis, a.ndim) for axis in (axis1, axis2))
    axes = list(range(a.ndim))
    axes[first], axes[second] = second, first
    return transpose(a, axes)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    sources = some_axes("moveaxis", source, a.ndim)
    places = some_axes("moveaxis", destination, a.ndim)
    if len(sources) != len(places):
        raise ShapeError(f"moveaxis: {len(sources)} axes to {len(places)} places")
    order = [n for n in range(a.ndim) if n not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    number = one_axis("rollaxis", axis, a.ndim)
    place = one_axis("rollaxis", start, a.ndim + 1) if start >= 0 else start + a.ndim
    if place < 0:
        raise ShapeError(f"rollaxis: start {start} is out of bounds for {a.ndim} dimensions")
    order = [k for k in range(a.ndim) if k != number]
    order.insert(place - (number < place), number)
    return transpose(a, order)


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    axes = some_axes("flip", axis, m.ndim)
    return m[tuple(slice(None, None, -1 if k in axes else None) for k in range(m.ndim))]


@implements(np.flipud)
def flipud(m: Any) -> Any:
    _need_axes("flipud", m, 1)
    return m[::-1, ...]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    _need_axes("fliplr", m, 2)
    return m[:, ::-1]


def _need_axes(name: str, m: Any, count: int) -> None:
    if m.ndim < count:
        raise ShapeError(f"{name}: got an array of shape {m.shape}, expected {count} axes or more")


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    plane = some_axes("rot90", tuple(axes), m.ndim)
    if len(plane) != 2:
        raise ShapeError(f"rot90: axes={axes!r}, expected two axes")
    turns = k % 4
    if turns == 0:
        return m[:]
    if turns == 2:
        return flip(m, plane)
    if turns == 1:
        return swapaxes(flip(m, plane[1]), *plane)
    return flip(swapaxes(m, *plane), plane[1])


# --- broadcasting ---------------------------------------------------------------------------------


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    lengths = as_shape(shape)
    return only_read(
        "broadcast_to",
        array,
        moving.broadcast_to,
        {"shape": lengths},
        lambda x: np.broadcast_to(x, lengths),
    )


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    arrays = [as_array(x) for x in args]
    lengths = np.broadcast_shapes(*[x.shape for x in arrays])
    return tuple(
        np.broadcast_to(x, lengths) if x.shape != lengths else x if lengths else boxed(x)
        for x in arrays
    )


# --- real and imaginary parts ---------------------------------------------------------------------


@implements(np.real)
def real(val: Any) -> Any:
    if val.dtype.kind != "c":
        return val
    return _part(val, ar.real, lambda x: x.real, lambda base, new: (new, np.imag(base)))


@implements(np.imag)
def imag(val: Any) -> Any:
    if val.dtype.kind != "c":
        return only_read("imag", val, ar.imag, {}, lambda x: x.imag)
    return _part(val, ar.imag, lambda x: x.imag, lambda base, new: (np.real(base), new))


def _part(val: Any, primitive: Any, function: Any, parts: Any) -> Any:
    """A part of a complex array, through which the array can be written."""
    result = primitive(val)
    if not isinstance(result, Array) or inplace.is_scalar(val):
        return result

    def undo(base: Any, new: Any) -> None:
        inplace.replace(base, moving.from_parts(*parts(base, new)))

    return view(val, result, primitive, {}, function, undo)


# --- copies and questions -------------------------------------------------------------------------


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    return a.copy(order=order) if a.ndim else boxed(a)


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return x.astype(dtype, copy=copy)


@implements(np.shape)
def shape_(a: Any) -> tuple[int, ...]:
    return as_array(a).shape  # type: ignore[no-any-return]


@implements(np.ndim)
def ndim(a: Any) -> int:
    return as_array(a).ndim  # type: ignore[no-any-return]


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    a = as_array(a)
    return math.prod(a.shape[k] for k in some_axes("size", axis, a.ndim))


@implements(np.may_share_memory, np.shares_memory)
def share_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    raise UnsupportedError("shares_memory: the memory of a differentiated array is wengert's own")


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    return np.rad2deg(ar.angle(z)) if deg else ar.angle(z)
