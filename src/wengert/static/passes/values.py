"""Constants and parameters by value: keys that are equal where two values can't be told apart.

``==`` will not do: ``0.0 == -0.0``, ``1 == 1.0 == True``, ``nan != nan``, and arrays compare
element by element. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from ...core.program import Atom, Var

SMALL = 4096  # bytes up to which arrays are compared by what they hold


def key(value: Any) -> Hashable:
    """A key for a parameter or a number; objects without a value of their own stand for
    themselves.
    """
    kind = type(value)
    if kind is float or kind is complex:
        return kind, repr(value)
    if kind is tuple or kind is list:
        return kind, tuple(map(key, value))
    if kind is slice:
        return kind, key((value.start, value.stop, value.step))
    if kind is dict:
        return kind, tuple((name, key(entry)) for name, entry in value.items())
    if isinstance(value, np.ndarray):
        return array_key(value)
    if isinstance(value, np.generic):
        return kind, value.tobytes()
    if kind in (int, bool, str, type(None)) or isinstance(value, np.dtype | type):
        return kind, value
    try:
        hash(value)
    except TypeError:
        return "object", id(value)
    return kind, value


def array_key(array: np.ndarray[Any, Any]) -> Hashable:
    """Equal for arrays of equal type, layout and bytes; large ones equal themselves only."""
    if array.nbytes > SMALL:
        return "array", id(array)
    return "array", array.dtype, array.shape, array.strides, array.tobytes()


def atom_key(atom: Atom) -> Hashable:
    """A key for an input of an equation: a variable, or a number by value."""
    return atom if isinstance(atom, Var) else ("literal", key(atom.value))


def uniform(array: np.ndarray[Any, Any]) -> Any:
    """The number that every element of ``array`` is, sign of zero included, as NumPy's scalar of
    its dtype; None where they differ, or are no numbers, or NaN.
    """
    if not array.size or array.dtype.kind not in "biufc":
        return None
    ends = (0,) * array.ndim, (-1,) * array.ndim
    first = array[ends[0]]
    if array[ends[1]] != first:
        return None
    kinds = array[tuple(slice(1) if step == 0 else slice(None) for step in array.strides)]
    if not np.all(kinds == first):
        return None
    if first == 0 and array.dtype.kind in "fc":
        parts = [kinds] if array.dtype.kind == "f" else [kinds.real, kinds.imag]
        if any(np.any(np.signbit(part) != np.signbit(part[ends[0]])) for part in parts):
            return None
    return first
