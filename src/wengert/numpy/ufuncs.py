"""What NumPy's ufuncs do with handles beyond a plain call: ``out=``, ``where=``, ``dtype=``,
``reduce``, ``at``, …
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import ConversionError, ShapeError, UnsupportedError
from ..ops import inplace
from ..ops.array import UFUNC_METHODS, UFUNCS, Array, enter_ufuncs
from ..ops.exponential import logsumexp
from ..ops.indexing import scatter_add, split_index

REDUCTIONS: dict[Any, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
    np.logaddexp: logsumexp,
}
OPTIONS = {np.vecdot: ("axis", "keepdims")}
ACCUMULATIONS: dict[Any, Callable[..., Any]] = {np.add: np.cumsum, np.multiply: np.cumprod}


def _unknown(ufunc: Any, what: str = "") -> UnsupportedError:
    return UnsupportedError(
        f"{ufunc.__name__}{what}: wengert has no derivative of it yet. Write it with the "
        "functions that wengert.numpy lists, or, if it needs no derivative, call it on x.numpy()"
    )


def _known(ufunc: Any) -> Any:
    """What stands for ``ufunc``. Those of SciPy are entered when the first of them comes."""
    if ufunc not in UFUNCS and "scipy.special" in sys.modules:
        from ..ops import special

        enter_ufuncs(special.TABLE)
    if ufunc not in UFUNCS:
        raise _unknown(ufunc)
    return UFUNCS[ufunc]


def into(name: str, out: Any, result: Any, where: Any = True) -> Any:
    """``result`` written into ``out`` where ``where`` holds; a plain ``out`` can't hold a
    derivative.
    """
    if isinstance(result, tuple):
        return tuple(
            part if target is None else into(name, target, part, where)
            for target, part in zip(out, result, strict=True)
        )
    (target,) = out if isinstance(out, tuple) else (out,)
    if not isinstance(target, Array):
        raise ConversionError(
            f"{name}: out= is a plain NumPy array, which can't hold the derivative of the result: "
            "leave out= away, or make the array with np.zeros_like(x, shape=...) of a "
            "differentiated x"
        )
    if (
        isinstance(result, Box | np.ndarray)
        and np.broadcast_shapes(result.shape, target.shape) != target.shape
    ):
        raise ShapeError(f"{name}: the result has shape {result.shape}, out= has {target.shape}")
    inplace.check_kind(target, result, f"{name}(out=...)")
    if where is True:
        target[...] = result
    else:
        target[...] = np.where(where, result, target)
    return target


def call(ufunc: Any, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc(*inputs, **kwargs)``."""
    target = _known(ufunc)
    kwargs = dict(kwargs)
    out, where, dtype = (
        kwargs.pop("out", None),
        kwargs.pop("where", True),
        kwargs.pop("dtype", None),
    )
    kwargs.pop("casting", None), kwargs.pop("order", None), kwargs.pop("subok", None)
    options = {key: kwargs.pop(key) for key in OPTIONS.get(ufunc, ()) if key in kwargs}
    if kwargs:
        raise UnsupportedError(
            f"{ufunc.__name__}: arguments {sorted(kwargs)} are not supported with differentiated "
            "values"
        )
    if out is not None and all(part is None for part in out):
        out = None
    if not any(isinstance(x, Box) for x in inputs):  # only out= is a handle
        if where is True:
            return into(
                ufunc.__name__, out, ufunc(*inputs, dtype=dtype) if dtype else ufunc(*inputs)
            )
        return into(ufunc.__name__, out, ufunc(*inputs), where)
    if dtype is not None:
        inputs = [x.astype(dtype) if isinstance(x, Box) else np.asarray(x, dtype) for x in inputs]
    result = target(*inputs, **options)
    if out is not None:
        return into(ufunc.__name__, out, result, where)
    if where is not True:
        raise UnsupportedError(
            f"{ufunc.__name__}(where=...) without out= leaves elements undefined: give out=, or "
            f"write np.where(mask, np.{ufunc.__name__}(...), 0)"
        )
    return result


def reduce(ufunc: Any, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.reduce``: by NumPy's function of that name."""
    function = REDUCTIONS.get(ufunc)
    if function is None:
        raise _unknown(ufunc, ".reduce")
    kwargs = {
        key: value
        for key, value in kwargs.items()
        if not (key in ("dtype", "out") and value is None)
    }
    x, *rest = inputs
    axis = kwargs.pop("axis", rest[0] if rest else 0)
    return function(x, axis=axis, **kwargs)


def accumulate(ufunc: Any, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.accumulate``."""
    function = ACCUMULATIONS.get(ufunc)
    if function is None:
        raise _unknown(ufunc, ".accumulate")
    x, *rest = inputs
    return function(x, axis=kwargs.get("axis", rest[0] if rest else 0), dtype=kwargs.get("dtype"))


def outer(ufunc: Any, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.outer``."""
    a: Any
    b: Any
    a, b = (x if isinstance(x, Box) else np.asarray(x) for x in inputs)
    return ufunc(np.reshape(a, (*a.shape, *(1,) * b.ndim)), b, **kwargs)


def at(ufunc: Any, inputs: Any, kwargs: dict[str, Any]) -> None:
    """``ufunc.at(x, index, v)``: additions and subtractions accumulate."""
    x, index, *rest = inputs
    if ufunc not in (np.add, np.subtract) or not rest:
        raise _unknown(ufunc, ".at")
    value = rest[0] if ufunc is np.add else -rest[0]
    if not isinstance(x, Array):
        raise ConversionError(
            f"{ufunc.__name__}.at: the destination is a plain NumPy array, which can't hold the "
            "derivative of what is added: make it with np.zeros_like(x, shape=...) of a "
            "differentiated x"
        )
    inplace.check_kind(x, value, f"{ufunc.__name__}.at")
    template, arrays = split_index(index)
    inplace.store(x, value, template, arrays, scatter_add)


def reduceat(ufunc: Any, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """Not differentiated."""
    raise _unknown(ufunc, ".reduceat")


for method, implementation in {
    "__call__": call,
    "reduce": reduce,
    "accumulate": accumulate,
    "outer": outer,
    "at": at,
    "reduceat": reduceat,
}.items():
    UFUNC_METHODS[method] = implementation
