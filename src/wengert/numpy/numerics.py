"""NumPy's numerical functions on sampled data, for handles: differences, interpolation, filters.

Layer: ``numpy``. Written with primitives; only the convolution has a record of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DtypeError, ShapeError
from ..core.interpret import bind
from ..core.quiet import quiet
from ..ops import convolution
from ..ops.arithmetic import stop_gradient
from ..ops.array import implements
from ..ops.indexing import getitem, split_index
from .arguments import MISSING, as_array, at, one_axis


def _part(a: Any, axis: int, *bounds: int | None) -> Any:
    """``a`` from start to stop along ``axis``."""
    return a[at(axis, slice(*bounds))]


# --- differences and sums -------------------------------------------------------------------------


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = MISSING, append: Any = MISSING) -> Any:
    if n == 0:
        return a
    if n < 0:
        raise ShapeError(f"diff: the order must not be negative, got {n}")
    a = as_array(a)
    if not a.ndim:
        raise ShapeError("diff: expected an array with at least one axis")
    axis = one_axis("diff", axis, a.ndim)
    parts = [a]
    for extra, place in ((prepend, 0), (append, 2)):
        if extra is MISSING:
            continue
        extra = as_array(extra)
        if not extra.ndim:
            extra = np.broadcast_to(extra, (*a.shape[:axis], 1, *a.shape[axis + 1 :]))
        parts.insert(place, extra)
    if len(parts) > 1:
        a = np.concatenate(parts, axis=axis)
    difference = np.not_equal if a.dtype == np.bool_ else np.subtract
    for _ in range(n):
        a = difference(_part(a, axis, 1, None), _part(a, axis, 0, -1))
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = np.ravel(as_array(ary))
    parts = [_part(flat, 0, 1, None) - _part(flat, 0, 0, -1)]
    for extra, place in ((to_begin, 0), (to_end, 2)):
        if extra is None:
            continue
        extra = np.ravel(as_array(extra))
        if not np.can_cast(extra.dtype, flat.dtype, "same_kind"):
            raise DtypeError(f"ediff1d: {extra.dtype} beside an array of {flat.dtype}")
        parts.insert(place, extra.astype(flat.dtype))
    return np.concatenate(parts)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = as_array(y)
    k = one_axis("trapezoid", axis, y.ndim)
    if x is None:
        width = dx
    elif np.ndim(x := as_array(x)) == 1:
        width = np.reshape(np.diff(x), (-1, *(1,) * (y.ndim - 1 - k)))
    else:
        width = np.diff(x, axis=axis)
    both = _part(y, k, 1, None) + _part(y, k, None, -1)
    return np.sum(width * both / 2.0, axis=axis)


# --- gradient -------------------------------------------------------------------------------------


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_array(f)
    if f.dtype.kind not in "fc":
        f = f.astype(np.float64)
    axes = (
        tuple(range(f.ndim))
        if axis is None
        else np.lib.array_utils.normalize_axis_tuple(axis, f.ndim)
    )
    if edge_order not in (1, 2):
        raise ShapeError(f"gradient: edge_order={edge_order}, expected 1 or 2")
    spacings = _spacings(f, axes, varargs)
    results = [_slope(f, k, dx, edge_order) for k, dx in zip(axes, spacings, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _spacings(f: Any, axes: tuple[int, ...], given: tuple[Any, ...]) -> list[Any]:
    """For each axis a number, or the distances between its points."""
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return list(given) * len(axes)
    if len(given) != len(axes):
        raise DtypeError(f"gradient: {len(given)} spacings for {len(axes)} axes")
    spacings = []
    for k, x in zip(axes, given, strict=True):
        if np.ndim(x) == 0:
            spacings.append(x)
            continue
        x = as_array(x)
        if x.shape != (f.shape[k],):
            raise ShapeError(
                f"gradient: coordinates of shape {x.shape} for axis {k}, expected ({f.shape[k]},)"
            )
        steps = np.diff(x if x.dtype.kind in "fc" else x.astype(np.float64))
        even = not isinstance(steps, Box) and (steps == steps[0]).all()
        spacings.append(steps[0] if even else steps)
    return spacings


def _slope(f: Any, axis: int, dx: Any, edge_order: int) -> Any:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ShapeError(
            f"gradient: {n} points along axis {axis}, expected at least {edge_order + 1}"
        )
    if np.ndim(dx) == 0:
        inner = (_part(f, axis, 2, None) - _part(f, axis, None, -2)) / (2.0 * dx)
        first = last = dx
        begin = end = (dx, dx)
    else:
        h, k = dx[:-1], dx[1:]
        weights = (-k / (h * (h + k)), (k - h) / (h * k), h / (k * (h + k)))
        shape = (-1, *(1,) * (f.ndim - 1 - axis))
        shifted = (_part(f, axis, i, i - 2 or None) for i in range(3))
        inner = sum(np.reshape(w, shape) * g for w, g in zip(weights, shifted, strict=True))
        first, last = dx[0], dx[-1]
        begin, end = (dx[0], dx[min(1, n - 2)]), (dx[-1], dx[max(-2, 1 - n)])
    if edge_order == 1:
        left = (_part(f, axis, 1, 2) - _part(f, axis, 0, 1)) / first
        right = (_part(f, axis, n - 1, n) - _part(f, axis, n - 2, n - 1)) / last
    else:
        left, right = _edge(f, axis, (0, 1, 2), *begin), -_edge(f, axis, (-1, -2, -3), *end)
    return np.concatenate([left, inner, right], axis=axis)


def _edge(f: Any, axis: int, points: tuple[int, ...], h: Any, k: Any) -> Any:
    """The slope at the first of three points that are ``h`` and ``k`` apart, to second order."""
    weights = (-(2.0 * h + k) / (h * (h + k)), (h + k) / (h * k), -h / (k * (h + k)))
    n = f.shape[axis]
    return sum(w * _part(f, axis, p % n, p % n + 1) for w, p in zip(weights, points, strict=True))


# --- interpolation --------------------------------------------------------------------------------


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Differentiable in the points, the knots and the values; at a knot it has the slope to the
    right of it.
    """
    x, xp, fp = (as_array(v) for v in (x, xp, fp))
    kind = np.complex128 if fp.dtype.kind == "c" else np.float64
    x, xp = (v.astype(np.float64, copy=False) for v in (x, xp))
    fp = fp.astype(kind, copy=False)
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.size:
        raise ShapeError(
            f"interp: knots of shape {xp.shape} and values of shape {fp.shape}, expected two "
            "sequences of the same length, at least 1"
        )
    if period is not None:
        x, xp, fp = _one_period(x, xp, fp, period)
        left = right = None
    n = xp.shape[0]
    above = np.where(np.greater(x, xp[-1]), fp[-1] if right is None else right, fp[-1])
    below = np.less(x, xp[0])
    if n == 1:
        inside = above
    else:
        i = np.searchsorted(stop_gradient(xp), stop_gradient(x), side="right") - 1
        i = np.clip(i, 0, n - 2)
        start, base = _taken(xp, i), _taken(fp, i)
        with quiet():  # where knots are equal, or x is infinite, none of this is chosen
            slope = (_taken(fp, i + 1) - base) / (_taken(xp, i + 1) - start)
            inside = np.where(np.greater_equal(x, xp[-1]), above, slope * (x - start) + base)
    result = np.where(below, fp[0] if left is None else left, inside)
    return np.where(np.isnan(x), x, result)


def _taken(a: Any, positions: Any) -> Any:
    """``a[positions]``, also of a plain array."""
    template, arrays = split_index(positions)
    return bind(getitem, a, *arrays, index=template)


def _one_period(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """Points and knots moved into one period, with a knot on each side."""
    if period == 0:
        raise ShapeError("interp: period must not be 0")
    period = np.abs(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = _taken(xp, order), _taken(fp, order)
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[-1:], fp, fp[:1]])


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Horner's scheme, the highest power first."""
    p, x = as_array(p), as_array(x)
    y = np.zeros_like(x)
    for k in range(p.shape[0]):
        y = y * x + p[k]
    return y


# --- filters --------------------------------------------------------------------------------------


def _sequence(name: str, x: Any) -> Any:
    x = as_array(x)
    x = np.reshape(x, (1,)) if not x.ndim else x
    if x.ndim != 1 or not x.size:
        raise ShapeError(f"{name}: got an array of shape {x.shape}, expected a sequence")
    return x


def _trimmed(full: Any, n: int, m: int, mode: str, name: str) -> Any:
    """The part of the full convolution that ``mode`` names; ``correlate`` swaps sequences so that
    the longer comes first, and reverses the result.
    """
    short, long = min(n, m), max(n, m)
    if mode == "full":
        return full
    if mode == "same":
        start = short // 2 if name == "correlate" and n < m else (short - 1) // 2
        return full[start : start + long]
    if mode == "valid":
        return full[short - 1 : long]
    raise ShapeError(f"{name}: mode={mode!r}, expected 'full', 'same' or 'valid'")


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    a, v = _sequence("convolve", a), _sequence("convolve", v)
    return _trimmed(convolution.convolve(a, v), a.shape[0], v.shape[0], mode, "convolve")


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = _sequence("correlate", a), _sequence("correlate", v)
    full = convolution.convolve(a, np.conj(v)[::-1])
    return _trimmed(full, a.shape[0], v.shape[0], mode, "correlate")
