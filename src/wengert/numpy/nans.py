"""NumPy's reductions that pass over NaN, for handles: a NaN has no part in the value or the
derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ShapeError, UnsupportedError
from ..ops.array import implements
from .arguments import MISSING, as_array, flag, given, unboxed
from .reductions import finished
from .statistics import checked, sample_quantile


def _numbers(a: Any, where: Any = MISSING) -> Any:
    """Where ``a`` is no NaN, and ``where`` holds."""
    numbers = np.logical_not(np.isnan(a))
    return numbers & where if given(where) else numbers


def _without(a: Any, neutral: Any) -> Any:
    return np.where(np.isnan(a), neutral, a) if a.dtype.kind in "fc" else a


# --- sums and products ----------------------------------------------------------------------------


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    a = _without(as_array(a), 0)
    return np.sum(a, axis, dtype, out, keepdims=flag(keepdims), **_options(initial, where))


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    a = _without(as_array(a), 1)
    return np.prod(a, axis, dtype, out, keepdims=flag(keepdims), **_options(initial, where))


def _options(initial: Any, where: Any) -> dict[str, Any]:
    return {k: v for k, v in (("initial", initial), ("where", where)) if given(v)}


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return np.cumsum(_without(as_array(a), 0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return np.cumprod(_without(as_array(a), 1), axis, dtype, out)


# --- means and variances --------------------------------------------------------------------------


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
) -> Any:
    a = as_array(a)
    return np.mean(a, axis, dtype, out, keepdims=flag(keepdims), where=_numbers(a, where))


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
    **options: Any,
) -> Any:
    a = as_array(a)
    numbers = _numbers(a, where)
    result = np.var(a, axis, dtype, None, ddof, keepdims=flag(keepdims), where=numbers, **options)
    return finished("nanvar", out, _enough(result, numbers, axis, ddof, keepdims, options))


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
    **options: Any,
) -> Any:
    a = as_array(a)
    numbers = _numbers(a, where)
    result = np.std(a, axis, dtype, None, ddof, keepdims=flag(keepdims), where=numbers, **options)
    return finished("nanstd", out, _enough(result, numbers, axis, ddof, keepdims, options))


def _enough(
    result: Any, numbers: Any, axis: Any, ddof: Any, keepdims: Any, options: dict[str, Any]
) -> Any:
    """``result``, and NaN where fewer numbers are left than the degrees of freedom taken away."""
    count = np.sum(numbers, axis, keepdims=flag(keepdims))
    few = np.less_equal(count, options.get("correction", ddof))
    return unboxed(np.where(few, np.nan, result))


# --- extrema, medians, quantiles ------------------------------------------------------------------


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    return _extremum("nanmax", np.max, -np.inf, a, axis, out, flag(keepdims), initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    return _extremum("nanmin", np.min, np.inf, a, axis, out, flag(keepdims), initial, where)


def _extremum(
    name: str,
    function: Any,
    neutral: float,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> Any:
    a = as_array(a)
    result = function(_without(a, neutral), axis, keepdims=keepdims, **_options(initial, where))
    if a.dtype.kind == "f" and not given(initial):
        empty = np.all(np.isnan(a), axis, keepdims=keepdims)
        result = unboxed(np.where(empty, np.nan, result))
    return finished(name, out, result)


def _position(name: str, function: Any, neutral: float, a: Any, axis: Any, keepdims: bool) -> Any:
    a = as_array(a)
    try:
        empty = bool(np.any(np.all(np.isnan(a), axis)))
    except UnsupportedError:  # under vmap, where no one value is known
        empty = False
    if empty:
        raise ShapeError(f"{name}: All-NaN slice encountered")
    return function(_without(a, neutral), axis, keepdims=keepdims)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = MISSING) -> Any:
    result = _position("nanargmax", np.argmax, -np.inf, a, axis, flag(keepdims))
    return finished("nanargmax", out, result)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = MISSING) -> Any:
    result = _position("nanargmin", np.argmin, np.inf, a, axis, flag(keepdims))
    return finished("nanargmin", out, result)


@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = MISSING,
    *,
    weights: Any = None,
) -> Any:
    share = checked("nanquantile", q, weights)
    result = sample_quantile("nanquantile", a, share, axis, flag(keepdims), method, True)
    return finished("nanquantile", out, result)


@implements(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = MISSING,
    *,
    weights: Any = None,
) -> Any:
    share = checked("nanpercentile", q, weights) / 100
    result = sample_quantile("nanpercentile", a, share, axis, flag(keepdims), method, True)
    return finished("nanpercentile", out, result)


@implements(np.nanmedian)
def nanmedian(
    a: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = MISSING,
) -> Any:
    result = sample_quantile("nanmedian", a, 0.5, axis, flag(keepdims), "linear", True)
    return finished("nanmedian", out, result)
