"""NumPy's functions on shapes, for handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import Box, shape_of
from ..core.errors import ConversionError, ShapeError, UnsupportedError
from ..ops import arithmetic as ar
from ..ops import inplace, shape
from ..ops.array import Array, implements, view


def as_array(x: Any) -> Any:
    """A handle as it is; lists of handles stacked; anything else as a NumPy array."""
    if isinstance(x, Box):
        return x
    if isinstance(x, list | tuple) and any(isinstance(item, Box | list | tuple) for item in x):
        return np.stack([as_array(item) for item in x])
    return np.asarray(x)


def looked_at(x: Any, primitive: Any, params: dict[str, Any], function: Any, back: Any) -> Any:
    """``primitive`` of ``x`` as a view; ``back(new)`` is the inverse, for writing through it."""
    if not isinstance(x, Array):
        return function(x)
    result = primitive(x, **params)
    return view(x, result, primitive, params, function, lambda base, new: inplace.replace(base, back(new)))


@implements(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: bool | None = None) -> Any:
    target = shape if shape is not None else newshape
    lengths = (target,) if not isinstance(target, tuple | list) else tuple(target)
    lengths = tuple(int(n) for n in lengths)
    if order == "F":
        return np.transpose(reshape(np.transpose(a), lengths[::-1]))
    if -1 in lengths:
        known = int(np.prod([n for n in lengths if n != -1]))
        if lengths.count(-1) > 1 or not known or a.size % known:
            raise ShapeError(f"reshape: can't reshape {a.shape} into {lengths}")
        lengths = tuple(a.size // known if n == -1 else n for n in lengths)
    if int(np.prod(lengths)) != a.size:
        raise ShapeError(f"reshape: can't reshape {a.shape}, {a.size} elements, into {lengths}")
    return _reshaped(a, lengths)


def _reshaped(a: Any, lengths: tuple[int, ...]) -> Any:
    before = shape_of(a)
    return looked_at(
        a,
        shape.reshape,
        {"shape": lengths},
        lambda x: np.reshape(x, lengths, copy=False),
        lambda new: np.reshape(new, before),
    )


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    ndim = a.ndim
    if axes is None:
        axes = range(ndim)[::-1]
    if sorted(range(ndim)[k] if -ndim <= k < ndim else ndim for k in axes) != list(range(ndim)):
        raise ShapeError(f"transpose: axes {tuple(axes)} are not a permutation of the {ndim} axes of {a.shape}")
    axes = tuple(range(ndim)[k] for k in axes)
    inverse = tuple(int(k) for k in np.argsort(axes))
    return looked_at(
        a, shape.transpose, {"axes": axes}, lambda x: np.transpose(x, axes), lambda new: np.transpose(new, inverse)
    )


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    from ..ops.shape import broadcast_to as primitive

    lengths = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    return primitive(array, shape=lengths)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    axes = list(range(a.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return np.transpose(a, axes)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    normal = np.lib.array_utils.normalize_axis_tuple
    source, destination = normal(source, a.ndim), normal(destination, a.ndim)
    order = [n for n in range(a.ndim) if n not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return np.transpose(a, order)


@implements(np.concatenate)
def concatenate(arrays: Any, axis: int | None = 0, out: Any = None, dtype: Any = None, casting: str = "same_kind") -> Any:
    if isinstance(arrays, Box):
        arrays = list(arrays)
    parts = [as_array(x) for x in arrays]
    if axis is None:
        parts, axis = [np.ravel(x) for x in parts], 0
    if dtype is not None:
        parts = [x.astype(dtype) for x in parts]
    axis = range(parts[0].ndim)[axis] if -parts[0].ndim <= axis < parts[0].ndim else _no_axis("concatenate", axis, parts[0])
    starts = tuple(int(n) for n in np.cumsum([0] + [x.shape[axis] if x.ndim > axis else 0 for x in parts[:-1]]))
    result = shape.concatenate(*parts, axis=axis, starts=starts)
    if out is not None:
        from .ufuncs import into

        return into("concatenate", out, result)
    return result


def _no_axis(name: str, axis: int, x: Any) -> int:
    raise ShapeError(f"{name}: no axis {axis} in an array of shape {x.shape}")


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, **kwargs: Any) -> Any:
    parts = [as_array(x) for x in arrays]
    if len({shape_of(x) for x in parts}) != 1:
        raise ShapeError(f"stack: all arrays must have one shape, got {[shape_of(x) for x in parts]}")
    return np.concatenate([np.expand_dims(x, axis) for x in parts], axis=axis, out=out, **kwargs)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = a.ndim + len(axes)
    axes = np.lib.array_utils.normalize_axis_tuple(axes, ndim)
    lengths = iter(a.shape)
    return np.reshape(a, tuple(1 if k in axes else next(lengths) for k in range(ndim)))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    return np.reshape(a, (-1,), order="C" if order in "AK" else order) if a.size else np.reshape(a, (0,))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    return a.copy(order=order)


@implements(np.shape)
def shape_(a: Any) -> tuple[int, ...]:
    return as_array(a).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    return as_array(a).ndim


@implements(np.size)
def size(a: Any, axis: int | None = None) -> int:
    a = as_array(a)
    return a.size if axis is None else a.shape[axis]


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not isinstance(dst, Array):
        raise ConversionError(
            "copyto: the destination is a plain NumPy array, which can't hold a derivative: make it with "
            "np.zeros_like(x, shape=...) of a differentiated x"
        )
    dst[...] = src if where is True else np.where(where, src, dst)


@implements(np.may_share_memory, np.shares_memory)
def share_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    raise UnsupportedError("shares_memory: the memory of a differentiated array is wengert's own")


@implements(np.real)
def real(val: Any) -> Any:
    return ar.real(val) if isinstance(val, Box) else np.real(val)


@implements(np.imag)
def imag(val: Any) -> Any:
    return ar.imag(val)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    return np.rad2deg(ar.angle(z)) if deg else ar.angle(z)
