"""NumPy's functions that sort, search and count, for handles.

Orders and positions are constants; sorted values are gathered by them, so a derivative goes to the
element that a value came from. With equal elements it goes to them in their order (``sort``), or to
the first of them (``unique``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.box import Box
from ..core.errors import DtypeError, ShapeError, UnsupportedError
from ..ops import sorting
from ..ops.array import implements
from .arguments import as_array, one_axis, plain

# --- sorting --------------------------------------------------------------------------------------


def _flat_or(name: str, a: Any, axis: Any) -> tuple[Any, int]:
    """``a`` and the axis to sort along; the elements in a row where it is None."""
    a = as_array(a)
    if axis is None:
        return np.ravel(a), 0
    return a, one_axis(name, axis, a.ndim)


def _no_order(name: str, order: Any) -> None:
    if order is not None:
        raise UnsupportedError(f"{name}: order= is of arrays with fields, which have no derivative")


@implements(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None
) -> Any:
    _no_order("sort", order)
    a, number = _flat_or("sort", a, axis)
    return np.take_along_axis(a, sorting.argsort(a, axis=number, kind="stable"), axis=number)


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None
) -> Any:
    _no_order("argsort", order)
    a, number = _flat_or("argsort", a, axis)
    return sorting.argsort(a, axis=number, kind=kind, stable=stable)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    result = np.sort(a)
    return result if result.dtype.kind == "c" else result.astype(np.complex128)


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    _no_order("partition", order)
    a, number = _flat_or("partition", a, axis)
    return np.take_along_axis(a, np.argpartition(a, kth, axis=number), axis=number)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    _no_order("argpartition", order)
    a, number = _flat_or("argpartition", a, axis)
    places = plain(kth, "kth")
    if places.dtype.kind not in "iu":
        raise DtypeError(f"argpartition: kth must be an integer or several, got {kth!r}")
    return sorting.argpartition(a, axis=number, kth=tuple(places.ravel().tolist()))


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    rows = [as_array(key) for key in keys]
    if not rows:
        raise ShapeError("lexsort: need at least one key")
    number = one_axis("lexsort", axis, rows[0].ndim)
    order = sorting.argsort(rows[0], axis=number, kind="stable")
    for key in rows[1:]:
        moved = np.take_along_axis(key, order, axis=number)
        last = sorting.argsort(moved, axis=number, kind="stable")
        order = np.take_along_axis(order, last, axis=number)
    return order


# --- searching ------------------------------------------------------------------------------------


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    a, v = as_array(a), as_array(v)
    if a.ndim != 1:
        raise ShapeError(f"searchsorted: got an array of shape {a.shape}, expected a vector")
    if side not in ("left", "right"):
        raise ShapeError(f"searchsorted: side={side!r}, expected 'left' or 'right'")
    if sorter is not None:
        a = np.take(a, sorter)
    return sorting.searchsorted(a, v, side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    bins = as_array(bins)
    values = plain(bins, "np.digitize's bins")
    steps = np.diff(values)
    if np.all(steps >= 0):
        return np.searchsorted(bins, x, side="left" if right else "right")
    if not np.all(steps <= 0):
        raise ShapeError("digitize: bins must be in increasing or decreasing order")
    return len(values) - np.searchsorted(np.flip(bins), x, side="right" if right else "left")


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    if not a.ndim:
        raise ShapeError("nonzero: got a number; use np.atleast_1d(x).nonzero()")
    return sorting.nonzero(a)


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    if not a.ndim:
        return np.argwhere(plain(a, "np.argwhere"))
    return np.stack(nonzero(a), axis=1)


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    return nonzero(np.ravel(a))[0]


# --- distinct elements ----------------------------------------------------------------------------


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    ar = as_array(ar)
    if axis is not None:
        axis = one_axis("unique", axis, ar.ndim)
    first, inverse, counts = sorting.unique_positions(ar, axis=axis, equal_nan=equal_nan)
    values = np.take(np.ravel(ar) if axis is None else ar, first, axis=axis or 0)
    results = [values]
    for wanted, extra in (
        (return_index, first),
        (return_inverse, inverse),
        (return_counts, counts),
    ):
        if wanted:
            results.append(extra)
    return results[0] if len(results) == 1 else tuple(results)


class UniqueAll(NamedTuple):
    """What ``np.unique_all`` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What ``np.unique_counts`` gives."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What ``np.unique_inverse`` gives."""

    values: Any
    inverse_indices: Any


@implements(np.unique_all)
def unique_all(x: Any) -> UniqueAll:
    return UniqueAll(*np.unique(x, True, True, True, equal_nan=False))


@implements(np.unique_counts)
def unique_counts(x: Any) -> UniqueCounts:
    return UniqueCounts(*np.unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any) -> UniqueInverse:
    return UniqueInverse(*np.unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    return np.unique(x, equal_nan=False)


# --- counting -------------------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = plain(x, "np.bincount")
    if weights is None:
        return np.bincount(places, minlength=minlength)
    weights = as_array(weights)
    if places.ndim != 1 or weights.shape != places.shape:
        raise ShapeError(f"bincount: {places.shape} positions, {weights.shape} weights")
    if places.dtype.kind not in "iub" or (places.size and places.min() < 0):
        raise DtypeError("bincount: the positions must be integers from 0")
    total = max(int(places.max(initial=-1)) + 1, minlength)
    result = np.zeros_like(weights, dtype=np.float64, shape=(total,))
    np.add.at(result, places, weights)
    return result


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    """The counts are constants; weights, and edges that lie at the extrema, have a derivative."""
    a = np.ravel(as_array(a))
    values = plain(a, "np.histogram")
    plain_bins = plain(bins, "bins") if isinstance(bins, Box) else bins
    limits: Any = None if range is None else tuple(float(plain(end, "range")) for end in range)
    _, edges = np.histogram(values, plain_bins, limits)
    traced = _edges(a, bins, range, edges)
    if weights is None:
        counts: Any = np.histogram(values, edges)[0]
    else:
        weights = np.ravel(as_array(weights))
        inside = np.flatnonzero((values >= edges[0]) & (values <= edges[-1]))
        places = np.searchsorted(edges, values[inside], side="right") - 1
        places = np.minimum(places, len(edges) - 2)
        counts = np.zeros_like(weights, shape=(len(edges) - 1,))
        np.add.at(counts, places, weights[inside])
    if density:
        counts = counts / (np.diff(traced) * np.sum(counts))
    return counts, traced


def _edges(a: Any, bins: Any, limits: Any, edges: Any) -> Any:
    """The edges with what they depend on: given ones as they are, else from the extrema."""
    if np.ndim(bins):
        return as_array(bins)
    if limits is not None or isinstance(bins, str) or not a.size:
        return edges
    low, high = np.min(a), np.max(a)
    if edges[0] == plain(low, "min") and edges[-1] == plain(high, "max"):
        return np.linspace(low, high, len(edges))
    return edges
