"""``Array``'s methods that NumPy arrays have too: each is NumPy's function of the same name.

Those that give away memory, or show how it is laid out, have no meaning where a derivative is
carried; asking for them raises an ``AttributeError`` that says what to write instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import MissingAttribute

PLAIN_VALUE = "take the plain value, x.numpy()"


class Absent:
    """An attribute that raises ``MissingAttribute`` with a remedy when it is asked for."""

    def __init__(self: Any, remedy: str = PLAIN_VALUE) -> None:
        self.remedy = remedy

    def __set_name__(self: Any, owner: type, name: str) -> None:
        self.name = name

    def __get__(self: Any, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        raise MissingAttribute(
            f"a differentiated array has no attribute {self.name!r}: {self.remedy}"
        )


class Methods:
    """``x.sum(axis=0)`` is ``np.sum(x, axis=0)``."""

    __slots__ = ()

    # --- reductions -------------------------------------------------------------------------------

    def sum(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.sum``."""
        return np.sum(self, axis, dtype, out, **kwargs)

    def prod(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.prod``."""
        return np.prod(self, axis, dtype, out, **kwargs)

    def mean(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.mean``."""
        return np.mean(self, axis, dtype, out, **kwargs)

    def var(
        self: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = 0,
        **kwargs: Any,
    ) -> Any:
        """``np.var``."""
        return np.var(self, axis, dtype, out, ddof, **kwargs)

    def std(
        self: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = 0,
        **kwargs: Any,
    ) -> Any:
        """``np.std``."""
        return np.std(self, axis, dtype, out, ddof, **kwargs)

    def max(self: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.max``."""
        return np.max(self, axis, out, **kwargs)

    def min(self: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.min``."""
        return np.min(self, axis, out, **kwargs)

    def any(self: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.any``."""
        return np.any(self, axis, out, **kwargs)

    def all(self: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.all``."""
        return np.all(self, axis, out, **kwargs)

    def argmax(self: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.argmax``."""
        return np.argmax(self, axis, out, **kwargs)

    def argmin(self: Any, axis: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.argmin``."""
        return np.argmin(self, axis, out, **kwargs)

    def cumsum(self: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """``np.cumsum``."""
        return np.cumsum(self, axis, dtype, out)

    def cumprod(self: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """``np.cumprod``."""
        return np.cumprod(self, axis, dtype, out)

    # --- sorting and searching --------------------------------------------------------------------

    def argsort(
        self: Any, axis: Any = -1, kind: Any = None, order: Any = None, **kwargs: Any
    ) -> Any:
        """``np.argsort``."""
        return np.argsort(self, axis, kind, order, **kwargs)

    def partition(
        self: Any, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None
    ) -> None:
        """Partition in place along ``axis``."""
        self[...] = np.partition(self, kth, axis, kind, order)

    def argpartition(
        self: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
    ) -> Any:
        """``np.argpartition``."""
        return np.argpartition(self, kth, axis, kind, order)

    def searchsorted(self: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
        """``np.searchsorted``."""
        return np.searchsorted(self, v, side, sorter)

    def nonzero(self: Any) -> Any:
        """``np.nonzero``."""
        return np.nonzero(self)

    # --- elements ---------------------------------------------------------------------------------

    def take(
        self: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise"
    ) -> Any:
        """``np.take``."""
        return np.take(self, indices, axis, out, mode)

    def put(self: Any, indices: Any, values: Any, mode: Any = "raise") -> None:
        """``np.put``."""
        np.put(self, indices, values, mode)

    def compress(self: Any, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """``np.compress``."""
        return np.compress(condition, self, axis, out)

    def choose(self: Any, choices: Any, out: Any = None, mode: Any = "raise") -> Any:
        """``np.choose``."""
        return np.choose(self, choices, out, mode)

    def repeat(self: Any, repeats: Any, axis: Any = None) -> Any:
        """``np.repeat``."""
        return np.repeat(self, repeats, axis)

    def diagonal(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """``np.diagonal``."""
        return np.diagonal(self, offset, axis1, axis2)

    def trace(
        self: Any,
        offset: int = 0,
        axis1: int = 0,
        axis2: int = 1,
        dtype: Any = None,
        out: Any = None,
    ) -> Any:
        """``np.trace``."""
        return np.trace(self, offset, axis1, axis2, dtype, out)

    # --- elementwise, products --------------------------------------------------------------------

    def round(self: Any, decimals: int = 0, out: Any = None) -> Any:
        """``np.round``."""
        return np.round(self, decimals, out)

    def clip(self: Any, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """``np.clip``."""
        return np.clip(self, min, max, out, **kwargs)

    def conj(self: Any) -> Any:
        """``np.conj``."""
        return np.conjugate(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def dot(self: Any, other: Any, out: Any = None) -> Any:
        """``np.dot``."""
        return np.dot(self, other, out)

    # --- shapes -----------------------------------------------------------------------------------

    def reshape(self: Any, *shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
        """``np.reshape``; the lengths may be given one by one."""
        lengths = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, lengths, order=order, copy=copy)

    def transpose(self: Any, *axes: Any) -> Any:
        """``np.transpose``; the axes may be given one by one."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
            return np.transpose(self, axes[0])
        return np.transpose(self, axes or None)

    @property
    def T(self: Any) -> Any:
        """The array with its axes reversed."""
        return np.transpose(self)

    @property
    def mT(self: Any) -> Any:
        """The array with its last two axes exchanged."""
        return np.matrix_transpose(self)

    def ravel(self: Any, order: Any = "C") -> Any:
        """``np.ravel``."""
        return np.ravel(self, order=order)

    def flatten(self: Any, order: Any = "C") -> Any:
        """A copy with one axis."""
        return np.ravel(self, order=order).copy()

    def squeeze(self: Any, axis: Any = None) -> Any:
        """``np.squeeze``."""
        return np.squeeze(self, axis)

    def swapaxes(self: Any, axis1: int, axis2: int) -> Any:
        """``np.swapaxes``."""
        return np.swapaxes(self, axis1, axis2)

    @property
    def real(self: Any) -> Any:
        """The real part: a view, through which it can be written."""
        return np.real(self)

    @real.setter
    def real(self: Any, value: Any) -> None:
        np.real(self)[...] = value

    @property
    def imag(self: Any) -> Any:
        """The imaginary part: a view, through which it can be written."""
        return np.imag(self)

    @imag.setter
    def imag(self: Any, value: Any) -> None:
        np.imag(self)[...] = value

    @property
    def itemsize(self: Any) -> int:
        """Bytes of one element."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self: Any) -> int:
        """Bytes of all elements."""
        return int(self.size * self.itemsize)

    # --- memory: what there is not ----------------------------------------------------------------

    flat = Absent("write x.ravel(), which is a view where NumPy makes one, or np.ravel(x)[i] = ...")
    view = Absent("write x[...] for a view, x.astype(dtype) for the values in another dtype")
    resize = Absent("write y = np.resize(x, shape)")
    setflags = Absent("only views of np.broadcast_to and np.diagonal are read-only")
    base, strides, flags, data, ctypes = (Absent() for _ in range(5))
    tobytes, tofile, dump, dumps = (Absent() for _ in range(4))
    byteswap, getfield, setfield, to_device = (Absent() for _ in range(4))
