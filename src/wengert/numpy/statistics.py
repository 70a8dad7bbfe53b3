"""NumPy's means, variances, medians and quantiles, and its reductions that pass over NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.errors import DtypeError, ShapeError, UnsupportedError
from ..ops import reduction
from ..ops.array import implements
from .arguments import MISSING, as_array, at, flag, fresh, given, some_axes
from .indexing import take, take_along_axis
from .reductions import as_float, count_of, finished, masked

# --- means and variances --------------------------------------------------------------------------


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
) -> Any:
    a = as_float(a, dtype)
    axes = None if axis is None else some_axes("mean", axis, a.ndim)
    total = reduction.sum(masked("mean", a, where, 0), axis=axes, keepdims=flag(keepdims))
    return finished("mean", out, _divided(total, count_of(a, axes, where, flag(keepdims))))


def _divided(total: Any, count: Any) -> Any:
    """``total / count`` in the dtype of ``total``; counts are integers, which are not weak."""
    if isinstance(count, int | float):
        return total / count if count else total * math.inf  # 0 / 0 is NaN
    return total / count.astype(np.finfo(total.dtype).dtype)


def _variance(
    name: str,
    a: Any,
    axis: Any,
    dtype: Any,
    ddof: Any,
    keepdims: Any,
    where: Any,
    center: Any,
    correction: Any,
) -> Any:
    if given(correction):
        if ddof != 0:
            raise DtypeError(f"{name}: ddof and correction are the same; give one of them")
        ddof = correction
    a = as_float(a, dtype)
    axes = some_axes(name, axis, a.ndim)
    if not given(center):
        center = mean(a, axes, keepdims=True, where=where)
    difference = a - center
    square = difference * difference
    if a.dtype.kind == "c":
        square = np.real(difference * np.conj(difference))
    total = reduction.sum(masked(name, square, where, 0), axis=axes, keepdims=flag(keepdims))
    count = count_of(a, axes, where, flag(keepdims)) - ddof
    return _divided(
        total, max(count, 0) if isinstance(count, int | float) else np.maximum(count, 0)
    )


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
    mean: Any = MISSING,
    correction: Any = MISSING,
) -> Any:
    result = _variance("var", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return finished("var", out, result)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
    mean: Any = MISSING,
    correction: Any = MISSING,
) -> Any:
    result = _variance("std", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return finished("std", out, reduction.root(result))


@implements(np.average)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = MISSING,
) -> Any:
    a = as_array(a)
    axes = some_axes("average", axis, a.ndim)
    if weights is None:
        result = mean(a, axes, keepdims=flag(keepdims))
        scale: Any = count_of(a, axes, True, False)
    else:
        w = _weights(a, axis, as_array(weights))
        scale = np.sum(w, axis=axes, keepdims=flag(keepdims))
        result = np.sum(a * w, axis=axes, keepdims=flag(keepdims)) / scale
    if not returned:
        return result
    return result, np.broadcast_to(scale, result.shape).astype(result.dtype)


def _weights(a: Any, axis: Any, weights: Any) -> Any:
    """Weights of all elements, or along the axes, in the shape of ``a``."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise DtypeError(
            f"average: weights of shape {weights.shape} for an array of shape {a.shape} need axis="
        )
    axes = some_axes("average", axis, a.ndim)
    if weights.shape != tuple(a.shape[k] for k in axes):
        raise ShapeError(
            f"average: weights of shape {weights.shape} do not fit {a.shape} along axis {axis}"
        )
    order = sorted(range(len(axes)), key=axes.__getitem__)
    lengths = tuple(n if k in axes else 1 for k, n in enumerate(a.shape))
    return np.broadcast_to(np.reshape(np.transpose(weights, order), lengths), a.shape)


# --- medians and quantiles ------------------------------------------------------------------------

ALPHA_BETA = {  # Hyndman and Fan, Sample quantiles, doi:10.1080/00031305.1996.10473566
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
ROUNDED: dict[str, Any] = {
    "lower": np.floor,
    "higher": np.ceil,
    "nearest": np.round,
    "midpoint": lambda position: (np.floor(position) + np.ceil(position)) / 2,
}


def _place(name: str, count: Any, q: Any, method: str) -> Any:
    """Where the quantile ``q`` stands among ``count`` sorted elements, as a number from 0."""
    if method in ROUNDED:
        return ROUNDED[method]((count - 1) * q)
    if method not in ALPHA_BETA:
        raise UnsupportedError(
            f"{name}: method {method!r}; wengert has {', '.join([*ALPHA_BETA, *ROUNDED])}"
        )
    alpha, beta = ALPHA_BETA[method]
    if method == "linear":
        return (count - 1) * q
    return count * q + (alpha + q * (1 - alpha - beta)) - 1


def _rows(a: Any, axes: tuple[int, ...]) -> Any:
    """``a`` with its ``axes`` as one at the end."""
    kept = [k for k in range(a.ndim) if k not in axes]
    moved = np.transpose(a, [*kept, *axes])
    return np.reshape(moved, (*moved.shape[: len(kept)], math.prod(a.shape[k] for k in axes)))


def sample_quantile(
    name: str, a: Any, q: Any, axis: Any, keepdims: bool, method: str, skip: bool
) -> Any:
    """The quantiles, ``q``'s shape in front; ``skip``: NaN does not count."""
    a, q = as_float(a), as_float(q)
    if a.dtype.kind == "c":
        raise DtypeError(f"{name}: complex numbers have no order")
    axes = some_axes(name, axis, a.ndim)
    lengths = tuple(
        1 if k in axes else n for k, n in enumerate(a.shape) if keepdims or k not in axes
    )
    rows = np.sort(_rows(a, axes), axis=-1)
    if not rows.shape[-1]:
        return np.full((*q.shape, *lengths), np.nan, a.dtype)
    count: Any = rows.shape[-1]
    if skip:
        count = np.maximum(np.sum(~np.isnan(rows), axis=-1, keepdims=True), 1)
    place = np.clip(_place(name, count, np.ravel(q), method), 0, count - 1)
    low = np.floor(place).astype(np.intp)
    below, above = _gathered(rows, low), _gathered(rows, np.minimum(low + 1, count - 1))
    weight = (place - low).astype(a.dtype)
    difference = above - below
    result = np.where(
        np.greater_equal(weight, 0.5),
        above - difference * (1 - weight),
        below + difference * weight,
    )
    if not skip:
        last = rows[..., -1:]
        result = np.where(np.isnan(last), last, result)
    if q.ndim:
        return np.reshape(np.moveaxis(result, -1, 0), (*q.shape, *lengths))
    result = fresh(result[at(result.ndim - 1, 0)])
    return np.reshape(result, lengths) if keepdims else result


def _gathered(rows: Any, index: Any) -> Any:
    """The elements of each row at ``index``, the same for all, or with an axis for each of
    theirs.
    """
    if index.ndim == 1:
        return take(rows, index, axis=-1)
    return take_along_axis(rows, index, axis=-1)


def checked(name: str, q: Any, weights: Any) -> Any:
    if weights is not None:
        raise UnsupportedError(f"{name}: weights= has no derivative yet")
    return as_float(q)


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    result = sample_quantile(
        "quantile", a, checked("quantile", q, weights), axis, keepdims, method, False
    )
    return finished("quantile", out, result)


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    share = checked("percentile", q, weights) / 100
    result = sample_quantile("percentile", a, share, axis, keepdims, method, False)
    return finished("percentile", out, result)


@implements(np.median)
def median(
    a: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = False,
) -> Any:
    return finished(
        "median", out, sample_quantile("median", a, 0.5, axis, keepdims, "linear", False)
    )
