"""NumPy's functions that read and write elements, for handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import PYTHON_SCALARS
from ..core.errors import BoundsError, ConversionError, DtypeError, ShapeError, UnsupportedError
from ..ops import inplace
from ..ops.array import Array, implements
from ..ops.comparison import where as select
from .arguments import MISSING, as_array, at, in_order, one_axis, plain
from .reductions import finished

MODES = ("raise", "wrap", "clip")


def _destination(name: str, x: Any) -> None:
    if not isinstance(x, Array):
        raise ConversionError(
            f"{name}: the destination is a plain NumPy array, which can't hold a derivative: make "
            "it with np.zeros_like(x, shape=...) of a differentiated x"
        )


# --- selecting ------------------------------------------------------------------------------------


@implements(np.where)
def where(condition: Any, x: Any = MISSING, y: Any = MISSING, /) -> Any:
    if x is MISSING and y is MISSING:
        return np.nonzero(as_array(condition))
    if x is MISSING or y is MISSING:
        raise ShapeError("where: give both x and y, or neither")
    x, y = (value if type(value) in PYTHON_SCALARS else as_array(value) for value in (x, y))
    return select(as_array(condition), x, y)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    mask = as_array(condition)
    if mask.ndim != 1:
        raise ShapeError(f"compress: the condition has shape {mask.shape}, expected a vector")
    return finished("compress", out, np.take(a, np.nonzero(mask)[0], axis=axis))


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    return np.take(np.ravel(as_array(arr)), np.nonzero(np.ravel(as_array(condition)))[0])


# --- positions along an axis ----------------------------------------------------------------------


def _within(name: str, index: Any, length: int, mode: str) -> Any:
    """Positions as indices that an array of ``length`` takes."""
    if mode not in MODES:
        raise ShapeError(f"{name}: mode={mode!r}, expected one of {', '.join(MODES)}")
    if index.dtype.kind not in "iub":
        raise DtypeError(f"{name}: positions must be integers, got {index.dtype}")
    if index.dtype.kind == "b":
        index = index.astype(np.intp)
    if mode == "raise":
        return index
    if not length and index.size:
        raise BoundsError(f"{name}: no elements to take from")
    return np.mod(index, length) if mode == "wrap" else np.clip(index, 0, length - 1)


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    number = one_axis("take", axis, a.ndim)
    index = as_array(indices)
    if not index.size and index.dtype.kind == "f":
        index = index.astype(np.intp)
    index = _within("take", index, a.shape[number], mode)
    if isinstance(index, Array) and not isinstance(a, Array):
        a = index._owner.owned(a)
    return finished("take", out, in_order(a[at(number, index)]))


def _along(name: str, shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """The index of an array of ``shape`` whose entry along ``axis`` is ``indices``."""
    if indices.dtype.kind not in "iu":
        raise BoundsError(f"{name}: positions must be integers, got {indices.dtype}")
    if indices.ndim != len(shape):
        raise ShapeError(f"{name}: positions of shape {indices.shape} for an array of {shape}")
    ndim = len(shape)
    return tuple(
        indices
        if k == axis
        else np.arange(shape[k]).reshape((1,) * k + (-1,) + (1,) * (ndim - k - 1))
        for k in range(ndim)
    )


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    arr, indices = as_array(arr), as_array(indices)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    number = one_axis("take_along_axis", axis, arr.ndim)
    if isinstance(indices, Array) and not isinstance(arr, Array):
        arr = indices._owner.owned(arr)
    return arr[_along("take_along_axis", arr.shape, indices, number)]


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    _destination("put_along_axis", arr)
    indices = as_array(indices)
    if axis is None:
        put(arr, indices, values)
        return
    number = one_axis("put_along_axis", axis, arr.ndim)
    inplace.write(arr, _along("put_along_axis", arr.shape, indices, number), as_array(values))


# --- writing --------------------------------------------------------------------------------------


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    _destination("put", a)
    places = plain(ind, "np.put's positions").ravel()
    places = _within("put", places if places.size else places.astype(np.intp), a.size, mode)
    if places.size and not -a.size <= places.min() <= places.max() < a.size:
        raise BoundsError(f"put: a position is out of bounds for {a.size} elements")
    values = np.ravel(as_array(v))
    if not places.size or not values.size:
        a[...] = a  # nothing, but where writing is refused
        return
    values = values[np.arange(places.size) % values.size]
    if not a.ndim:
        a[...] = values[-1]
        return
    inplace.write(a, np.unravel_index(places % a.size, a.shape), values)


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    _destination("putmask", a)
    mask, values = as_array(mask), np.ravel(as_array(values))
    if mask.shape != a.shape:
        raise ShapeError(f"putmask: mask has shape {mask.shape}, the array {a.shape}")
    a[...] = np.where(mask, np.resize(values, a.shape), a) if values.size else a


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    _destination("place", arr)
    places = np.flatnonzero(plain(mask, "np.place's mask"))
    values = np.ravel(as_array(vals))
    if places.size:
        if not values.size:
            raise ShapeError("place: no values to put in")
        put(arr, places, values)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    _destination("copyto", dst)
    dst[...] = src if where is True else np.where(where, src, dst)


# --- functions of slices --------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    arr = as_array(arr)
    moved = np.moveaxis(arr, one_axis("apply_along_axis", axis, arr.ndim), -1)
    before = moved.shape[:-1]
    if 0 in before:
        raise ShapeError(f"apply_along_axis: no slices along axis {axis} of {arr.shape}")
    rows = [as_array(func1d(moved[index], *args, **kwargs)) for index in np.ndindex(before)]
    stacked = np.stack(rows)
    result = np.reshape(stacked, (*before, *rows[0].shape))
    number = one_axis("apply_along_axis", axis, arr.ndim)
    for k in range(len(rows[0].shape)):
        result = np.moveaxis(result, len(before) + k, number + k)
    return result


@implements(np.save, np.savez, np.savez_compressed, np.savetxt)
def save(*args: Any, **kwargs: Any) -> None:
    raise UnsupportedError("save: write plain values to files: np.save(file, x.numpy())")
