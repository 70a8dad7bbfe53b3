"""NumPy's functions that print arrays, for handles: the value as NumPy shows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import innermost
from ..ops.array import implements


def _value(a: Any) -> Any:
    a.refresh()
    return np.asarray(innermost(a))


@implements(np.array2string)
def array2string(a: Any, *args: Any, **kwargs: Any) -> str:
    return np.array2string(_value(a), *args, **kwargs)


@implements(np.array_repr)
def array_repr(arr: Any, *args: Any, **kwargs: Any) -> str:
    return np.array_repr(_value(arr), *args, **kwargs)


@implements(np.array_str)
def array_str(a: Any, *args: Any, **kwargs: Any) -> str:
    return np.array_str(_value(a), *args, **kwargs)
