"""What an interpreter owns.

A ``Box`` is a handle: its content (``_value`` at the level below, ``_node`` as its owner needs it)
is replaced when the user writes into it. ``ops/array.py`` gives it operators and NumPy's protocols;
interpreters only move contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .interpret import Interpreter


class Batched:
    """The ``_node`` of a value with an example axis in front (``vmap``)."""

    def __repr__(self) -> str:
        return "BATCHED"


BATCHED = Batched()
PYTHON_SCALARS = frozenset({float, int, complex, bool})
NUMPY_SCALARS = [np.bool_, *np.sctypeDict.values()]
# of a Python scalar the type itself, which says that its dtype is weak
SCALAR_DTYPES: dict[type, Any] = {
    **{kind: np.dtype(kind) for kind in NUMPY_SCALARS if np.dtype(kind).kind in "biufc"},
    **{kind: kind for kind in PYTHON_SCALARS},
}
SCALARS = frozenset(SCALAR_DTYPES)
PLAIN = SCALARS | {np.ndarray}
WEAK_DTYPES = {
    bool: np.dtype(bool),
    int: np.dtype(int),
    float: np.dtype(float),
    complex: np.dtype(complex),
}


class Box:
    """A handle on a value that ``_owner`` owns.

    ``_value``: the array at the level below: an ndarray, a NumPy or Python scalar, or a Box of an
    outer interpreter. ``_node``: what the owner adds: a tape its node, forward mode the tangent,
    ``vmap`` ``BATCHED``; None for a constant. ``_version``: how often it was written into; unset
    until the first time.
    """

    __slots__ = ("__weakref__", "_node", "_owner", "_strides", "_value", "_version")
    _node: Any
    _owner: Interpreter
    _strides: tuple[int, ...]
    _value: Any
    _version: int

    def refresh(self) -> None:
        """Look whether what this handle is a view of has changed."""

    def copy(self, order: str = "C") -> Any:
        """A copy; ``Array`` has it."""
        raise NotImplementedError

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", copy: bool = True
    ) -> Any:
        """A copy in another dtype; ``Array`` has it."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        value = self._value
        shape = () if type(value) in PYTHON_SCALARS else value.shape
        return shape[1:] if self._node is BATCHED else shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        value = self._value
        kind = type(value)
        return WEAK_DTYPES[kind] if kind in PYTHON_SCALARS else value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        total = 1
        for length in self.shape:
            total *= length
        return total


def innermost(value: Any) -> Any:
    """The plain value below all owners (with the example axes of ``vmap`` in front)."""
    while isinstance(value, Box):
        value = value._value
    return value


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of an array, a Box or a scalar."""
    return () if type(value) in PYTHON_SCALARS else value.shape


def dtype_of(value: Any) -> Any:
    """The dtype of an array or Box; of a Python scalar its type, which says that it is weak."""
    kind = type(value)
    if kind in PYTHON_SCALARS:
        return kind
    if isinstance(value, Box):
        inner = type(innermost(value))
        return inner if inner in PYTHON_SCALARS else value.dtype
    return value.dtype


def is_inexact(value: Any) -> bool:
    """Whether ``value`` is real or complex floating: something that has derivatives."""
    kind = type(value)
    if kind in PYTHON_SCALARS:
        return kind is float or kind is complex
    dtype = getattr(value, "dtype", None)
    return dtype is float or dtype is complex or getattr(dtype, "kind", "O") in "fc"
