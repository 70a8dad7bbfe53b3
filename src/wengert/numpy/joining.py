"""NumPy's functions that join, split, repeat and pad arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DtypeError, ShapeError, UnsupportedError
from ..ops import indexing, shape
from ..ops.array import implements
from .arguments import as_array, as_shape, at, fresh, in_order, one_axis, plain, some_axes
from .ufuncs import into

# --- joining --------------------------------------------------------------------------------------


def _parts(name: str, arrays: Any, dtype: Any = None) -> list[Any]:
    parts = [as_array(x) for x in arrays]
    if not parts:
        raise ShapeError(f"{name}: need at least one array")
    return [x.astype(dtype) for x in parts] if dtype is not None else parts


@implements(np.concatenate)
def concatenate(
    arrays: Any,
    /,
    axis: Any = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    parts = _parts("concatenate", arrays, dtype)
    if axis is None:
        parts, axis = [np.ravel(x) for x in parts], 0
    ranks = {x.ndim for x in parts}
    if len(ranks) != 1 or 0 in ranks:
        raise ShapeError(
            "concatenate: the arrays must have the same number of axes, at least one, got shapes "
            f"{', '.join(str(x.shape) for x in parts)}"
        )
    number = one_axis("concatenate", axis, parts[0].ndim)
    starts = (0, *accumulate(x.shape[number] for x in parts[:-1]))
    result = shape.concatenate(*parts, axis=number, starts=starts)
    return result if out is None else into("concatenate", out, result)


@implements(np.stack)
def stack(
    arrays: Any,
    axis: int = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    parts = _parts("stack", arrays, dtype)
    if len({x.shape for x in parts}) != 1:
        raise ShapeError(
            f"stack: all arrays must have one shape, got {', '.join(str(x.shape) for x in parts)}"
        )
    result = shape.stack(*parts, axis=one_axis("stack", axis, parts[0].ndim + 1))
    return result if out is None else into("stack", out, result)


def _several(result: Any) -> Sequence[Any]:
    return result if isinstance(result, tuple) else (result,)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    return concatenate(_several(np.atleast_2d(*tup)), 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = _several(np.atleast_1d(*tup))
    return concatenate(parts, int(bool(parts) and parts[0].ndim > 1), dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    return concatenate(_several(np.atleast_3d(*tup)), 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    parts = [as_array(x) for x in tup]
    columns = [x if x.ndim >= 2 else np.reshape(x, (x.size, 1)) for x in parts]
    return concatenate(columns, 1)


@implements(np.block)
def block(arrays: Any) -> Any:
    depth = _depth(arrays)
    rank = max(depth, max(as_array(x).ndim for x in _walk(arrays)))
    return fresh(_assembled(arrays, rank, depth))


def _depth(nested: Any) -> int:
    if not isinstance(nested, list):
        return 0
    depths = {_depth(x) for x in nested}
    if len(depths) != 1:
        raise ShapeError("block: the lists must all be nested to the same depth, and not be empty")
    return depths.pop() + 1


def _walk(nested: Any) -> list[Any]:
    return [x for part in nested for x in _walk(part)] if isinstance(nested, list) else [nested]


def _assembled(nested: Any, rank: int, depth: int) -> Any:
    if depth == 0:
        x = as_array(nested)
        return np.reshape(x, (1,) * (rank - x.ndim) + x.shape)
    return np.concatenate([_assembled(part, rank, depth - 1) for part in nested], axis=rank - depth)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    return concatenate((as_array(arr), as_array(values)), axis)


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing={indexing!r}, expected 'xy' or 'ij'")
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = 1, 0
    grids = []
    for place, x in zip(places, xi, strict=True):
        array = as_array(x)
        lengths = [1] * len(xi)
        lengths[place] = array.size
        grids.append(np.reshape(array, tuple(lengths)))
    if not sparse:
        grids = list(np.broadcast_arrays(*grids))
    return tuple(x.copy() if copy else x for x in grids)


# --- splitting: views -----------------------------------------------------------------------------


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    number = one_axis("array_split", axis, ary.ndim)
    total = ary.shape[number]
    if np.ndim(indices_or_sections):
        ends = [operator.index(n) for n in indices_or_sections]
    else:
        count = operator.index(indices_or_sections)
        if count <= 0:
            raise ShapeError(f"array_split: number of sections must be larger than 0, got {count}")
        each, extra = divmod(total, count)
        ends = list(accumulate([each + 1] * extra + [each] * (count - extra)))[:-1]
    bounds = [(0, *ends)[k : k + 2] for k in range(len(ends))] + [((0, *ends)[-1], None)]
    return [ary[at(number, slice(*pair))] for pair in bounds]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if np.ndim(indices_or_sections) == 0:
        total = ary.shape[one_axis("split", axis, ary.ndim)]
        count = operator.index(indices_or_sections)
        if count <= 0 or total % count:
            raise ShapeError(
                f"split: {total} elements can't be split in {count} equal parts; np.array_split "
                "makes unequal ones"
            )
    return array_split(ary, indices_or_sections, axis)  # type: ignore[no-any-return]


def _split_along(name: str, ary: Any, sections: Any, axis: int) -> list[Any]:
    if ary.ndim <= axis:
        raise ShapeError(f"{name}: got an array of shape {ary.shape}, expected {axis + 1} axes")
    return split(ary, sections, axis)  # type: ignore[no-any-return]


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split_along("hsplit", ary, indices_or_sections, int(ary.ndim > 1))


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if ary.ndim < 2:
        raise ShapeError(f"vsplit: got an array of shape {ary.shape}, expected 2 axes or more")
    return _split_along("vsplit", ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split_along("dsplit", ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    number = one_axis("unstack", axis, x.ndim)
    return tuple(x[at(number, k)] for k in range(x.shape[number]))


# --- repeating ------------------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    number = one_axis("repeat", axis, a.ndim)
    counts = plain(repeats, "a number of repeats")
    if counts.dtype.kind not in "iub":
        raise DtypeError(f"repeat: repeats must be integers, got {counts.dtype}")
    if counts.size == 1:
        return _repeated(a, int(counts.reshape(())), number)
    if counts.ndim != 1 or len(counts) != a.shape[number] or counts.min() < 0:
        raise ShapeError(f"repeat: {counts.shape} counts for {a.shape[number]} elements")
    return in_order(a[at(number, np.repeat(np.arange(len(counts)), counts))])


def _repeated(a: Any, count: int, axis: int) -> Any:
    if count < 0:
        raise ShapeError(f"repeat: can't repeat {count} times")
    if count == 1 or not a.size:
        lengths = (*a.shape[:axis], a.shape[axis] * count, *a.shape[axis + 1 :])
        return a.copy() if a.size else np.reshape(a, lengths).copy()
    before, after = a.shape[: axis + 1], a.shape[axis + 1 :]
    wide = np.broadcast_to(np.reshape(a, (*before, 1, *after)), (*before, count, *after))
    return fresh(np.reshape(wide, (*before[:-1], before[-1] * count, *after)))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    a, counts = as_array(A), as_shape(reps)
    counts = (1,) * (a.ndim - len(counts)) + counts
    lengths = (1,) * (len(counts) - a.ndim) + a.shape
    total = tuple(n * c for n, c in zip(lengths, counts, strict=True))
    if 0 in total:
        return np.zeros_like(a, shape=total)
    pairs = [(c, n) for n, c in zip(lengths, counts, strict=True)]
    narrow = np.reshape(a, tuple(k for _, n in pairs for k in (1, n)))
    wide = np.broadcast_to(narrow, tuple(k for c, n in pairs for k in (c, n)))
    return fresh(np.reshape(wide, total))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    lengths = as_shape(new_shape)
    flat = np.ravel(as_array(a))
    total = int(np.prod(lengths))
    if not flat.size:
        return np.zeros_like(flat, shape=lengths)
    return np.reshape(flat[np.arange(total) % flat.size], lengths)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.reshape(roll(np.ravel(a), shift, 0), a.shape)
    shifts, axes = np.broadcast_arrays(plain(shift, "a shift"), plain(axis, "an axis"))
    result = a
    for by, along in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        number = one_axis("roll", along, a.ndim)
        total = a.shape[number]
        start = -by % total if total else 0
        if start:
            ends = result[at(number, slice(start, None))], result[at(number, slice(start))]
            result = np.concatenate(ends, axis=number)
    return result if result is not a else a.copy()


# --- padding --------------------------------------------------------------------------------------

GATHERED = ("edge", "reflect", "symmetric", "wrap")


def _widths(name: str, given: Any, ndim: int) -> list[tuple[Any, Any]]:
    """A pair for each axis, of a number, a pair, a pair for each axis, or a dict of axes."""
    if isinstance(given, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in given.items():
            pairs[one_axis(name, axis, ndim)] = width if isinstance(width, tuple) else (width,) * 2
        return pairs
    if isinstance(given, Box) and not given.shape:
        return [(given, given)] * ndim
    rows = np.broadcast_to(as_array(given), (ndim, 2))
    return [(row[0], row[1]) for row in rows]


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    widths = [
        (operator.index(before), operator.index(after))
        for before, after in _widths("pad", pad_width, array.ndim)
    ]
    if any(width < 0 for pair in widths for width in pair):
        raise ShapeError(f"pad: widths can't be negative, got {pad_width!r}")
    if mode == "constant" or mode == "empty":
        return _padded(array, widths, kwargs.pop("constant_values", 0))
    if mode not in GATHERED or kwargs.get("reflect_type", "even") != "even":
        raise UnsupportedError(
            f"pad: wengert pads with mode='constant' and {', '.join(map(repr, GATHERED))} of "
            f"reflect_type='even', got {mode!r}; put others together with np.concatenate"
        )
    result = array
    for axis, pair in enumerate(widths):
        if pair != (0, 0):
            index = np.pad(np.arange(array.shape[axis]), pair, mode=mode)
            result = result[at(axis, index)]
    return in_order(result, array) if result is not array else array.copy()


def _padded(array: Any, widths: list[tuple[int, int]], constants: Any) -> Any:
    sums = [n + before + after for n, (before, after) in zip(array.shape, widths, strict=True)]
    result = np.zeros(tuple(sums), array.dtype)
    if isinstance(constants, Box) or np.any(np.asarray(constants) != 0):
        result = np.zeros_like(array, shape=tuple(sums))
        pairs = _widths("pad", constants, array.ndim)
        for axis, ((before, after), (low, high)) in enumerate(zip(widths, pairs, strict=True)):
            result[at(axis, slice(0, before))] = low
            result[at(axis, slice(sums[axis] - after, None))] = high
    inner = tuple(slice(b, b + n) for n, (b, _) in zip(array.shape, widths, strict=True))
    return indexing.setitem(result, array, index=inner)


# --- putting in and taking out --------------------------------------------------------------------


def _places(obj: Any) -> Any:
    """Where to delete or insert: a slice, or positions, of which an empty list is one."""
    if isinstance(obj, slice):
        return obj
    places = plain(obj, "positions to delete, or to insert at,")
    return places if places.size else places.astype(np.intp)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    arr = as_array(arr)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    number = one_axis("delete", axis, arr.ndim)
    where = _places(obj)
    result = arr[at(number, np.delete(np.arange(arr.shape[number]), where))]
    return in_order(result, arr) if isinstance(where, slice) or not where.ndim else result


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    number = one_axis("insert", axis, arr.ndim)
    where = _places(obj)
    values = np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
    total = arr.shape[number]
    if not isinstance(where, slice) and where.ndim == 0:
        values = np.moveaxis(values, 0, number)
        count = values.shape[number]
    else:
        count = len(np.insert(np.arange(total), where, 0)) - total
    lengths = (*arr.shape[:number], count, *arr.shape[number + 1 :])
    values = np.broadcast_to(values.astype(arr.dtype), lengths)
    order = np.insert(np.arange(total), where, total + np.arange(count))
    return in_order(np.concatenate([arr, values], axis=number)[at(number, order)], arr)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    filt = as_array(filt)
    places = np.nonzero(plain(filt, "np.trim_zeros"))
    index = [slice(None)] * filt.ndim
    for k in some_axes("trim_zeros", axis, filt.ndim):
        found = places[k]
        low = int(found.min()) if len(found) and "f" in trim.lower() else 0
        high = int(found.max()) + 1 if len(found) and "b" in trim.lower() else None
        index[k] = slice(low, high) if len(found) else slice(0, 0)
    return filt[tuple(index)]
