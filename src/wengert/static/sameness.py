"""Whether two recordings say the same: constants bit for bit, parameters by value, functions by
their code; and whether two results agree. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..core import tree
from ..core.box import innermost
from ..core.program import Atom, Program, Var
from ..differentiate.rules import Rules
from ..ops.fitting import Like


def bits_equal(a: Any, b: Any) -> bool:
    """Whether two constants are one, bit for bit."""
    if a is b:
        return True
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return False
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.strides == b.strides
        and a.tobytes() == b.tobytes()
    )


def equal(a: Any, b: Any) -> bool:
    """Whether two parameters of equations are one; functions are, if their code is."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bits_equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, Program):
        return _programs_equal(a, b)
    if callable(a) and hasattr(a, "__code__"):
        return a.__code__ is b.__code__ and equal(_cells(a), _cells(b))
    if isinstance(a, Rules | Like) or is_dataclass(a):
        return all(equal(getattr(a, name), getattr(b, name)) for name in _fields(a))
    if isinstance(a, float):
        return repr(a) == repr(b)
    try:
        return bool(a == b)
    except Exception:
        return False


def _fields(record: Any) -> Iterable[str]:
    if is_dataclass(record):
        return [one.name for one in fields(record)]
    names: Iterable[str] = getattr(type(record), "__slots__", None) or vars(record)
    return names


def _cells(function: Any) -> tuple[Any, ...]:
    return tuple(cell.cell_contents for cell in function.__closure__ or ())


def _programs_equal(a: Program, b: Program) -> bool:
    names = dict(zip(a.inputs, b.inputs, strict=False))
    if [v.aval for v in a.inputs] != [v.aval for v in b.inputs]:
        return False
    if len(a.equations) != len(b.equations) or len(a.outputs) != len(b.outputs):
        return False
    if len(a.constants) != len(b.constants):
        return False
    for (x, value), (y, other) in zip(a.constants.items(), b.constants.items(), strict=True):
        if not bits_equal(value, other):
            return False
        names[x] = y

    def alike(old: Iterable[Atom], new: Iterable[Atom]) -> bool:
        return all(
            names.get(x) is y if isinstance(x, Var) else equal(x.value, getattr(y, "value", None))
            for x, y in zip(old, new, strict=True)
        )

    for old, new in zip(a.equations, b.equations, strict=True):
        if old.primitive is not new.primitive or len(old.inputs) != len(new.inputs):
            return False
        if not alike(old.inputs, new.inputs) or not equal(old.params, new.params):
            return False
        names.update(zip(old.outputs, new.outputs, strict=True))
    return alike(a.outputs, b.outputs)


def agree(a: Any, b: Any) -> bool:
    """Whether two results are the same up to rounding."""
    mine, treedef = tree.flatten(a)
    others, other_def = tree.flatten(b)
    if treedef != other_def:
        return False
    for x, y in zip(mine, others, strict=True):
        x, y = innermost(x), innermost(y)
        if isinstance(x, np.ndarray | np.generic | int | float | complex):
            eps = np.finfo(np.asarray(x).dtype).eps if np.asarray(x).dtype.kind in "fc" else 0
            if not np.allclose(x, y, rtol=float(eps) ** 0.5, atol=float(eps), equal_nan=True):
                return False
        elif x is not y and x != y:
            return False
    return True
