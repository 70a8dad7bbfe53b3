"""NumPy's reductions, for handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import interpret
from ..ops import reduction
from ..ops.array import implements
from ..ops.comparison import where as select
from ..ops.families import normal_axes
from .shapes import as_array
from .ufuncs import into

MISSING = np._NoValue


def _prepared(a: Any, axis: Any, dtype: Any, initial: Any, where: Any, neutral: Any) -> Any:
    a = as_array(a)
    if dtype is not None and a.dtype != dtype:
        a = a.astype(dtype)
    if where is not True and where is not MISSING:
        a = np.where(where, a, neutral)
    return a


@implements(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = MISSING,
        where: Any = True) -> Any:
    a = _prepared(a, axis, dtype, initial, where, 0)
    axis = None if axis is None else normal_axes(axis, a.ndim)
    result = reduction.sum(a, axis=axis, keepdims=keepdims is True)
    if initial is not MISSING:
        result = result + initial
    return result if out is None else into("sum", out, result)


@implements(np.where)
def where(condition: Any, x: Any = MISSING, y: Any = MISSING) -> Any:
    if x is MISSING:
        return np.nonzero(condition)
    return select(as_array(condition), x if np.isscalar(x) else as_array(x), y if np.isscalar(y) else as_array(y))




@implements(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None) -> Any:
    return interpret.current.get().owned(np.zeros(a.shape if shape is None else shape, a.dtype if dtype is None else dtype))
