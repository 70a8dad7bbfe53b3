"""What in a nest is not computed element by element: views, reductions, cumulative operations.

A kernel reads such a view with other strides, at no cost, where NumPy makes an object. Layer:
``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.program import Equation

Array = np.ndarray[Any, Any]


def _getitem(x: Array, index: Any) -> Array:
    entries = index if isinstance(index, tuple) else (index,)
    if not any(entry is Ellipsis for entry in entries):
        entries = (*entries, Ellipsis)  # of a single element the array, not the number
    view: Array = x[entries]
    return view


VIEWS: dict[str, Callable[..., Array]] = {
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
    "getitem": _getitem,
    "imag": np.imag,
    "real": np.real,
    "reshape": lambda x, shape: np.reshape(x, shape),
    "transpose": lambda x, axes: np.transpose(x, axes),
}


def is_view(eqn: Equation) -> bool:
    """Whether ``eqn`` is another look at its one input; a reshape may still have to copy."""
    name = eqn.primitive.name
    if name == "imag" and eqn.inputs[0].aval.dtype.kind != "c":
        return False  # zeros
    return name in VIEWS and len(eqn.inputs) == 1


REDUCTIONS = frozenset({"all", "any", "argmax", "argmin", "max", "min", "prod", "sum"})
CUMULATIVE = frozenset({"cumprod", "cumsum", "recurrence"})


def is_reduction(eqn: Equation) -> bool:
    """Whether ``eqn`` is a reduction that kernels may have."""
    return eqn.primitive.name in REDUCTIONS


def is_cumulative(eqn: Equation) -> bool:
    """Whether ``eqn`` goes along an axis, each element needing the one before."""
    return eqn.primitive.name in CUMULATIVE


def keeps_order(eqn: Equation) -> bool:
    """Whether a view of the same shape has the same elements at the same places."""
    return eqn.primitive.name in ("broadcast_to", "imag", "real", "reshape")


def view_of(eqn: Equation, x: Array) -> Array | None:
    """What the equation sees of ``x``, in the memory of ``x``; None where that would be a copy."""
    seen = VIEWS[eqn.primitive.name](x, **eqn.params)
    return seen if not seen.size or np.may_share_memory(seen, x) else None
