"""What ``wengert.numpy`` adds to NumPy's own functions: arrays made from nothing, as handles.

``np.zeros(3)`` is a plain array, which can't hold a derivative; ``wengert.numpy.zeros(3)`` belongs
to the transformation that is running, so differentiated values can be written into it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import Box
from ..differentiate.dynamic import array
from ..ops.array import FUNCTIONS, UFUNCS

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "complex64", "complex128"),
)
CONSTANTS = ("e", "pi", "inf", "nan", "newaxis", "euler_gamma")
AS_THEY_ARE = ("dtype", "finfo", "iinfo", "errstate", "broadcast_shapes", "ndindex")


def _owned(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's ``function``, its result a handle."""

    def make(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return result if isinstance(result, Box) else interpret.current.get().fresh(result)

    update_wrapper(make, function)
    make.__doc__ = f"``np.{function.__name__}``, as a handle that can be written into."
    return make


def asarray(a: Any, dtype: Any = None, *, copy: bool | None = None) -> Any:
    """``a`` as an ``Array``: a handle as it is (unless ``dtype`` differs or ``copy`` is true),
    lists of handles stacked, anything else copied.
    """
    if isinstance(a, Box) and not copy and (dtype is None or a.dtype == np.dtype(dtype)):
        return a
    return array(a, dtype)


_FROM_NOTHING: list[Any] = [
    *(np.zeros, np.ones, np.empty, np.full, np.eye, np.identity),
    *(np.arange, np.linspace, np.logspace, np.geomspace, np.tri),
]
MADE: dict[str, Callable[..., Any]] = {
    "array": array,
    "asarray": asarray,
    **{function.__name__: _owned(function) for function in _FROM_NOTHING},
}


def supported(module: Any) -> dict[str, Any]:
    """The functions of a NumPy module that handles have."""
    found = {}
    for name in dir(module):
        value = getattr(module, name, None)
        if not name.startswith("_") and callable(value) and _known(value):
            found[name] = value
    return found


def _known(value: Any) -> bool:
    try:
        return value in FUNCTIONS or value in UFUNCS
    except TypeError:  # not hashable
        return False


def look_up(name: str, module: Any, ours: str) -> Any:
    """The function ``name`` of a NumPy module, if handles have it; else ``AttributeError``."""
    value = getattr(module, name, None)
    if value is not None and _known(value):
        return value
    what = "has no derivative here yet" if value is not None else "is no function of NumPy"
    raise AttributeError(f"{ours}.{name}: {name!r} {what}; dir({ours}) lists what is")


def attribute(name: str) -> Any:
    """The attribute ``name`` of ``wengert.numpy``."""
    if name in MADE:
        return MADE[name]
    if name in DTYPES or name in CONSTANTS or name in AS_THEY_ARE:
        return getattr(np, name)
    return look_up(name, np, "wengert.numpy")


def names() -> list[str]:
    """Everything that ``wengert.numpy`` has."""
    return sorted({*MADE, *DTYPES, *CONSTANTS, *AS_THEY_ARE, *supported(np), "linalg"})
