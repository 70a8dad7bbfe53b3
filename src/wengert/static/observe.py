"""A program run once to see how its values lie in memory.

NumPy decides the order of a result in memory by that of the arguments, views inherit strides, a
reshape may copy. Kernels must give the same; so one call is run equation by equation, and of every
value a stand-in is kept: an array of the same type, lengths and strides, whose memory is never
touched. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.program import Atom, Program, read, strong
from ..core.quiet import quiet


def observe(program: Program, values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[Atom, Any]]:
    """The results of ``program`` for ``values``, and a stand-in for each of its variables."""
    held: dict[Any, Any] = {**program.constants}
    held.update(zip(program.inputs, values, strict=True))
    known: dict[Atom, Any] = {var: stand_in(value) for var, value in held.items()}
    with quiet():
        for eqn, finished in zip(program.equations, program._finished, strict=True):
            given = [read(atom, held) for atom in eqn.inputs]
            result = eqn.primitive.value(*given, **eqn.params)
            parts = result if type(result) is tuple else (result,)
            for var, part in zip(eqn.outputs, parts, strict=True):
                held[var] = part if var.aval.weak else strong(part)
                known[var] = stand_in(held[var])
            for var in finished:
                del held[var]
    return tuple([read(atom, held) for atom in program.outputs]), known


def stand_in(value: Any) -> Any:
    """An array that lies as ``value`` does, in memory of its own; a number is itself."""
    if not isinstance(value, np.ndarray) or type(value) is not np.ndarray:
        return value
    ends = [s * (n - 1) for s, n in zip(value.strides, value.shape, strict=True) if n]
    low, high = sum(min(end, 0) for end in ends), sum(max(end, 0) for end in ends)
    odd = 0 if value.flags.aligned else 1
    memory = np.empty(high - low + value.itemsize + odd, np.uint8)
    return np.ndarray(value.shape, value.dtype, memory, odd - low, value.strides)
