"""``Aval``: the type of an array: shape, dtype, and whether it is weak, as Python's scalars are
under NEP 50.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .box import WEAK_DTYPES, dtype_of, shape_of

ONE_OF_KIND = {"b": True, "i": 1, "u": 1, "f": 1.0, "c": 1 + 0j}  # 0 can't be divided by


@dataclass(frozen=True)
class Aval:
    """The abstract value of an array.

    Args:
        shape: lengths of the axes.
        dtype: NumPy dtype, or what ``np.dtype`` takes.
        weak: True for a Python scalar, whose dtype gives way to that of an array (NEP 50).
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = np.dtype(float)
    weak: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))

    def empty(self) -> Any:
        """A value without elements that promotes as this one does: to ask NumPy for a result's
        dtype.
        """
        return ONE_OF_KIND[self.dtype.kind] if self.weak else np.empty((0,), self.dtype)

    def __repr__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]" + ("~" if self.weak else "")


def aval_of(value: Any) -> Aval:
    """The type of an array, a handle, or a scalar."""
    return interned(shape_of(value), dtype_of(value))


@lru_cache(maxsize=4096)
def interned(shape: tuple[int, ...], dtype: Any) -> Aval:
    """One object for each type: recording asks for many."""
    if isinstance(dtype, type):
        return Aval(shape, WEAK_DTYPES[dtype], weak=True)
    return Aval(shape, dtype)
