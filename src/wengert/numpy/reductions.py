"""NumPy's reductions and cumulative functions, for handles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.errors import ShapeError, UnsupportedError
from ..ops import reduction
from ..ops.array import implements
from .arguments import MISSING, as_array, flag, given, one_axis, some_axes
from .ufuncs import into


def finished(name: str, out: Any, result: Any) -> Any:
    """``result``, or ``out`` with it written into it."""
    return result if out is None else into(name, out, result)


def masked(name: str, a: Any, where: Any, neutral: Any) -> Any:
    """``a`` with ``neutral`` where ``where`` is false."""
    if where is True or not given(where):
        return a
    where = as_array(where)
    fits = where.ndim <= a.ndim and all(
        n in (1, m) for n, m in zip(where.shape[::-1], a.shape[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(f"{name}: where has shape {where.shape}, the array {a.shape}")
    return np.where(where, a, neutral)


def count_of(a: Any, axes: tuple[int, ...] | None, where: Any, keepdims: bool) -> Any:
    """How many elements a reduction combines."""
    if where is True or not given(where):
        return a.size if axes is None else math.prod([a.shape[k] for k in axes])
    return np.sum(np.broadcast_to(where, a.shape), axis=axes, keepdims=keepdims, dtype=np.intp)


def as_float(a: Any, dtype: Any = None) -> Any:
    """``a`` in ``dtype``, by default integers in float64."""
    a = as_array(a)
    if dtype is None:
        dtype = a.dtype if a.dtype.kind in "fc" else np.float64
    return a if a.dtype == dtype else a.astype(dtype)


# --- sums and products ----------------------------------------------------------------------------


def _total(
    name: str,
    primitive: Any,
    neutral: int,
    a: Any,
    axis: Any,
    dtype: Any,
    keepdims: Any,
    where: Any,
) -> Any:
    a = as_array(a)
    if dtype is not None and a.dtype != dtype:
        a = a.astype(dtype)
    if axis is not None:
        axis = some_axes(name, axis, a.ndim)
    return primitive(masked(name, a, where, neutral), axis=axis, keepdims=flag(keepdims))


@implements(np.sum)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    result = _total("sum", reduction.sum, 0, a, axis, dtype, keepdims, where)
    return finished("sum", out, result + initial if given(initial) else result)


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    result = _total("prod", reduction.prod, 1, a, axis, dtype, keepdims, where)
    return finished("prod", out, result * initial if given(initial) else result)


# --- extrema --------------------------------------------------------------------------------------


def _lowest(dtype: np.dtype[Any]) -> Any:
    """What the maximum of nothing would be."""
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _highest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return True
    return np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


def _extremum(
    name: str, largest: bool, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any
) -> Any:
    a = as_array(a)
    if a.dtype.kind == "c":
        raise UnsupportedError(f"{name}: complex numbers have no order with a derivative")
    axes = some_axes(name, axis, a.ndim)
    empty = 0 in (a.shape[k] for k in axes)
    if not given(initial):
        if where is not True and given(where):
            raise ShapeError(f"{name}: with where= give initial=, the {name} of no elements")
        if empty:
            raise ShapeError(f"{name}: an array of shape {a.shape} has none; give initial=")
    neutral = _lowest(a.dtype) if largest else _highest(a.dtype)
    a = masked(name, a, where, neutral)
    if empty:
        a = np.full(tuple(1 if k in axes else n for k, n in enumerate(a.shape)), neutral, a.dtype)
    primitive = reduction.max if largest else reduction.min
    result = primitive(a, axis=axes, keepdims=flag(keepdims))
    if given(initial):
        result = (np.maximum if largest else np.minimum)(result, initial)
    return finished(name, out, result)


@implements(np.max, np.amax)
def max(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    return _extremum("max", True, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    return _extremum("min", False, a, axis, out, keepdims, initial, where)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = MISSING) -> Any:
    result = np.max(a, axis, keepdims=flag(keepdims)) - np.min(a, axis, keepdims=flag(keepdims))
    return finished("ptp", out, result)


# --- truths, positions, counts --------------------------------------------------------------------


def _truth(
    name: str, primitive: Any, neutral: bool, a: Any, axis: Any, keepdims: Any, where: Any
) -> Any:
    a = as_array(a)
    if where is not True and given(where):
        a = masked(name, np.not_equal(a, 0), where, neutral)
    return primitive(a, axis=some_axes(name, axis, a.ndim), keepdims=flag(keepdims))


@implements(np.any)
def any_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = MISSING, *, where: Any = MISSING
) -> Any:
    return finished("any", out, _truth("any", reduction.any, False, a, axis, keepdims, where))


@implements(np.all)
def all_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = MISSING, *, where: Any = MISSING
) -> Any:
    return finished("all", out, _truth("all", reduction.all, True, a, axis, keepdims, where))


def _position(name: str, primitive: Any, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    a = as_array(a)
    if axis is None:
        result = primitive(np.ravel(a), axis=0)
        if flag(keepdims):
            result = np.reshape(result, (1,) * a.ndim)
    else:
        result = primitive(a, axis=one_axis(name, axis, a.ndim), keepdims=flag(keepdims))
    return finished(name, out, result)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = MISSING) -> Any:
    return _position("argmax", reduction.argmax, a, axis, out, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = MISSING) -> Any:
    return _position("argmin", reduction.argmin, a, axis, out, keepdims)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(np.not_equal(a, 0), axis, keepdims=keepdims)


# --- cumulative -----------------------------------------------------------------------------------


def _running(name: str, primitive: Any, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    a = as_array(a)
    if dtype is not None and a.dtype != dtype:
        a = a.astype(dtype)
    if axis is None:
        a, axis = np.ravel(a), 0
    return finished(name, out, primitive(a, axis=one_axis(name, axis, a.ndim)))


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return _running("cumsum", reduction.cumsum, a, axis, dtype, out)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return _running("cumprod", reduction.cumprod, a, axis, dtype, out)


def _from_the_start(
    name: str, primitive: Any, first: int, x: Any, axis: Any, dtype: Any, out: Any, initial: bool
) -> Any:
    """The Array API's form, in which what stands before the first element may be included."""
    if axis is None and x.ndim != 1:
        raise ShapeError(f"{name}: an array of shape {x.shape} needs axis=")
    number = one_axis(name, 0 if axis is None else axis, x.ndim)
    result = _running(name, primitive, x, number, dtype, None)
    if initial:
        lengths = tuple(1 if k == number else n for k, n in enumerate(x.shape))
        result = np.concatenate([np.full(lengths, first, result.dtype), result], axis=number)
    return finished(name, out, result)


@implements(np.cumulative_sum)
def cumulative_sum(
    x: Any,
    /,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    return _from_the_start(
        "cumulative_sum", reduction.cumsum, 0, x, axis, dtype, out, include_initial
    )


@implements(np.cumulative_prod)
def cumulative_prod(
    x: Any,
    /,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    return _from_the_start(
        "cumulative_prod", reduction.cumprod, 1, x, axis, dtype, out, include_initial
    )
