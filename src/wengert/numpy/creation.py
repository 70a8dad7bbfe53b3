"""NumPy's functions that make arrays like others, or between traced ends; for handles."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core import interpret
from ..ops.array import implements
from .arguments import as_array, as_shape

# --- like another array ---------------------------------------------------------------------------


def _like(a: Any, dtype: Any, order: str, shape: Any) -> tuple[tuple[int, ...], Any, Any]:
    """Shape, dtype and memory order of an array like ``a``."""
    lengths = a.shape if shape is None else as_shape(shape)
    return lengths, a.dtype if dtype is None else np.dtype(dtype), "F" if order == "F" else "C"


def _owned(array: Any, like: Any) -> Any:
    """A handle, so that traced values can be written into it, of who owns ``like``, or above."""
    return interpret.current.get().home((like,)).owned(array)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    return _owned(np.zeros(*_like(a, dtype, order, shape)), a)


@implements(np.ones_like)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    return _owned(np.ones(*_like(a, dtype, order, shape)), a)


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    result = _owned(np.zeros(*_like(a, dtype, order, shape)), a)
    value = as_array(fill_value)
    result[...] = value if value.dtype == result.dtype else value.astype(result.dtype)
    return result


# --- between two ends -----------------------------------------------------------------------------


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    count = operator.index(num)
    start, stop = as_array(start), as_array(stop)
    pieces = count - 1 if endpoint else count
    width = stop - start
    kind = np.result_type(start.dtype, stop.dtype, 1.0)
    places = np.arange(count).astype(kind).reshape((-1,) + (1,) * len(width.shape))
    step = width / pieces if pieces > 0 else width * np.nan
    result = places * step + start if pieces > 0 else places * width + start
    if endpoint and count > 1:
        last = np.broadcast_to(stop, width.shape)
        result = np.concatenate([result[:-1], np.expand_dims(last, 0).astype(result.dtype)])
    if axis:
        result = np.moveaxis(result, 0, axis)
    if dtype is not None:
        result = (np.floor(result) if np.dtype(dtype).kind in "iu" else result).astype(dtype)
    return (result, step) if retstep else result


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    result = base ** np.linspace(start, stop, num, endpoint, axis=axis)
    return result if dtype is None else result.astype(dtype)


@implements(np.geomspace)
def geomspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    start, stop = as_array(start) * 1.0, as_array(stop) * 1.0
    ratio = stop / start
    places = np.linspace(0.0, np.ones(ratio.shape, ratio.dtype), num, endpoint, axis=axis)
    result = np.expand_dims(start, axis) * np.expand_dims(ratio, axis) ** places
    return result if dtype is None else result.astype(dtype)
