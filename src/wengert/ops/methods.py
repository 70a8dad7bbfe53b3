"""``Array``'s methods that NumPy arrays have too: each is NumPy's function of the same name."""

from __future__ import annotations

from typing import Any

import numpy as np


class Methods:
    """``x.sum(axis=0)`` is ``np.sum(x, axis=0)``."""

    __slots__ = ()

    def sum(self, axis: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """``np.sum``."""
        return np.sum(self, axis, dtype, **kwargs)

    def prod(self, axis: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """``np.prod``."""
        return np.prod(self, axis, dtype, **kwargs)

    def mean(self, axis: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """``np.mean``."""
        return np.mean(self, axis, dtype, **kwargs)

    def var(self, axis: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """``np.var``."""
        return np.var(self, axis, dtype, **kwargs)

    def std(self, axis: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """``np.std``."""
        return np.std(self, axis, dtype, **kwargs)

    def max(self, axis: Any = None, **kwargs: Any) -> Any:
        """``np.max``."""
        return np.max(self, axis, **kwargs)

    def min(self, axis: Any = None, **kwargs: Any) -> Any:
        """``np.min``."""
        return np.min(self, axis, **kwargs)

    def any(self, axis: Any = None, **kwargs: Any) -> Any:
        """``np.any``."""
        return np.any(self, axis, **kwargs)

    def all(self, axis: Any = None, **kwargs: Any) -> Any:
        """``np.all``."""
        return np.all(self, axis, **kwargs)

    def argmax(self, axis: Any = None, **kwargs: Any) -> Any:
        """``np.argmax``."""
        return np.argmax(self, axis, **kwargs)

    def argmin(self, axis: Any = None, **kwargs: Any) -> Any:
        """``np.argmin``."""
        return np.argmin(self, axis, **kwargs)

    def argsort(self, axis: int = -1, **kwargs: Any) -> Any:
        """``np.argsort``."""
        return np.argsort(self, axis, **kwargs)

    def cumsum(self, axis: Any = None, dtype: Any = None) -> Any:
        """``np.cumsum``."""
        return np.cumsum(self, axis, dtype)

    def cumprod(self, axis: Any = None, dtype: Any = None) -> Any:
        """``np.cumprod``."""
        return np.cumprod(self, axis, dtype)

    def round(self, decimals: int = 0) -> Any:
        """``np.round``."""
        return np.round(self, decimals)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """``np.clip``."""
        return np.clip(self, min, max)

    def conj(self) -> Any:
        """``np.conj``."""
        return np.conjugate(self)

    conjugate = conj

    def dot(self, other: Any) -> Any:
        """``np.dot``."""
        return np.dot(self, other)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """``np.trace``."""
        return np.trace(self, offset, axis1, axis2)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """``np.diagonal``."""
        return np.diagonal(self, offset, axis1, axis2)

    def take(self, indices: Any, axis: Any = None) -> Any:
        """``np.take``."""
        return np.take(self, indices, axis)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """``np.repeat``."""
        return np.repeat(self, repeats, axis)

    def nonzero(self) -> Any:
        """``np.nonzero``."""
        return np.nonzero(self)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """``np.reshape``; the lengths may be given one by one."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        """``np.transpose``; the axes may be given one by one."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
            axes = axes[0]
        return np.transpose(self, axes or None)

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return np.matrix_transpose(self)

    def ravel(self, order: str = "C") -> Any:
        """``np.ravel``."""
        return np.ravel(self, order=order)

    def flatten(self, order: str = "C") -> Any:
        """A copy with one axis."""
        return np.ravel(self, order=order).copy()

    def squeeze(self, axis: Any = None) -> Any:
        """``np.squeeze``."""
        return np.squeeze(self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """``np.swapaxes``."""
        return np.swapaxes(self, axis1, axis2)

    @property
    def real(self) -> Any:
        """``np.real``."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """``np.imag``."""
        return np.imag(self)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize  # type: ignore[attr-defined]

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize  # type: ignore[attr-defined]
