"""Reading a value: what Python's ``if``, ``int``, ``print`` and ``item`` do with a handle.

Reading is explicit and loses no derivative silently: ``bool`` and ``int`` as an index read,
``float`` and ``np.asarray`` raise where a derivative would be lost, ``item``, ``tolist`` and
``numpy`` are for who wants the plain value. An owner that observes is told, so that a static graph
holds only where the value is the same. Layer: ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.box import BATCHED, PYTHON_SCALARS, Box
from ..core.errors import ConversionError, UnsupportedError


def lost(x: Box, what: str) -> ConversionError:
    """The error of a conversion that would lose the derivative of ``x``."""
    return ConversionError(
        f"{what} of a value that carries a derivative (float64 and alike outside of wengert can't "
        "hold it, so it would be lost). To read the number use x.item(), x.tolist() or x.numpy(). "
        "To go on differentiating, write: np.sin(x) for math.sin(x); np.stack([x, y]) for "
        "np.array([x, y]); x itself for np.asarray(x); y = np.zeros_like(x, shape=...) before "
        "y[i] = ... for a plain np.zeros"
    )


class Reading(Box):
    """The part of ``Array`` that reads; see the module."""

    __slots__ = ()

    def _holds_derivative(self) -> bool:
        """Whether a conversion to plain NumPy would lose something: not of a value that is a
        constant on every level, as integers are.
        """
        self.refresh()
        box: Any = self
        while isinstance(box, Box):
            if box._node is not None and not box._owner.observes:
                return True
            box = box._value
        return False

    def _read(self, what: str, convert: Callable[[Any], Any] = np.asarray) -> Any:
        """``convert`` of the plain value below all levels; raises under ``vmap``, where there is no
        one value. An owner that observes is told.
        """
        self.refresh()
        box: Any = self
        watched = None
        while isinstance(box, Box):
            if box._node is BATCHED:
                raise UnsupportedError(
                    f"{what} under vmap: every example has its own value. Write "
                    "np.where(condition, a, b) or wengert.cond for a branch, and "
                    "wengert.while_loop or a fixed number of steps for a loop"
                )
            if box._owner.observes:
                watched = box
            box = box._value
        result = convert(box)
        if watched is not None:
            watched._owner.observe(watched, convert, result)
        return result

    def __bool__(self) -> bool:
        return self._read("bool(x), which `if`, `while`, `and`, `or` ask for,", truth)  # type: ignore[no-any-return]

    def __index__(self) -> int:
        return self._read("an array as an index or count", whole_number)  # type: ignore[no-any-return]

    def __int__(self) -> int:
        return self._read("int(x)", truncated)  # type: ignore[no-any-return]

    def __float__(self) -> float:
        if self._holds_derivative():
            raise lost(self, "float(x), or an assignment into a plain array,")
        return float(self.item())

    def __complex__(self) -> complex:
        if self._holds_derivative():
            raise lost(self, "complex(x)")
        return complex(self.item())

    def item(self, *index: int) -> Any:
        """The one element (or the one at ``index``) as a Python scalar, without its derivative."""
        return self._read("x.item()", lambda value: np.asarray(value).item(*index))

    def tolist(self) -> Any:
        """The elements as nested lists of Python scalars, without their derivatives."""
        return self._read("x.tolist()", lambda value: np.asarray(value).tolist())

    def numpy(self) -> np.ndarray:
        """The value as a read-only copy, without its derivative."""
        return self._read("x.numpy()", read_only)  # type: ignore[no-any-return]

    def _shown(self) -> Any:
        """The plain value, for text; an owner that observes is told."""
        self.refresh()
        box: Any = self
        while isinstance(box, Box):
            if box._owner.observes:
                box._owner.observe(box, None, None)
            box = box._value
        return box

    def __format__(self, spec: str) -> str:
        value = self._shown()
        if np.ndim(value) == 0 and self._node is not BATCHED:
            return format(np.asarray(value).item(), spec)
        return format(str(self), spec) if spec else str(self)

    def __str__(self) -> str:
        return str(self._shown())

    def __repr__(self) -> str:
        inner = self._shown()
        body = (
            repr(inner)
            if type(inner) in PYTHON_SCALARS
            else np.array2string(np.asarray(inner), separator=", ", prefix="Array(")
        )
        notes = (
            []
            if type(inner) in PYTHON_SCALARS or self.dtype == np.float64
            else [f"dtype={self.dtype}"]
        )
        notes += self._owner.notes(self)
        return f"Array({', '.join([body, *notes])})"


def truth(value: Any) -> bool:
    """``bool`` of an array with one element."""
    if np.size(value) != 1:
        raise ConversionError(
            f"the truth value of an array with {np.size(value)} elements is ambiguous: use "
            "x.any() or x.all()"
        )
    return bool(value)


def whole_number(value: Any) -> int:
    """An integer as Python's indices and ranges take it."""
    if np.asarray(value).dtype.kind not in "iu" or np.ndim(value):
        raise ConversionError(
            f"an index must be an integer, got {np.asarray(value).dtype}{list(np.shape(value))}; "
            "use int(x.item())"
        )
    return int(value)


def truncated(value: Any) -> int:
    """``int`` of an array with one element."""
    if np.size(value) != 1:
        raise ConversionError(f"int(x) of an array with {np.size(value)} elements")
    return int(np.asarray(value).item())


def read_only(value: Any) -> np.ndarray[Any, Any]:
    """A copy that can't be written into."""
    copy = np.array(value)
    copy.flags.writeable = False
    return copy
