"""Common subexpressions: an equation that computes what an earlier one did is left out.

Two equations compute the same where primitive, inputs, parameters (by value) and the type of the
result are the same. Derivatives compute much twice: the partial of a product is its factor, the
adjoint of a broadcast a reshape that the value had too. Constants of up to 4 KiB with the same
bytes become one. Two outputs of the program never become one object, for eager NumPy gives two.
Functions of the user's stay, each of them. Exact. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ...core.program import Atom, Equation, Program, Var
from .rewrite import Notes, Rewrite
from .values import array_key, atom_key, key


def common_subexpressions(program: Program, notes: Notes | None = None) -> Program:
    """``program`` with one equation for each value."""
    rewrite = Rewrite(program)
    notes = Notes() if notes is None else notes
    _constants(rewrite, notes)
    seen: dict[Hashable, Equation] = {}
    for old in program.equations:
        eqn = rewrite.read(old)
        if eqn.primitive.calls_user:
            rewrite.keep(eqn)
            continue
        first = seen.setdefault(key_of(eqn), eqn)
        if first is eqn or not all(
            _may_merge(rewrite, a, b) for a, b in zip(eqn.outputs, first.outputs, strict=True)
        ):
            rewrite.keep(eqn)
            continue
        notes["computed twice"] += 1
        for var, other in zip(eqn.outputs, first.outputs, strict=True):
            rewrite.replace(var, other)
    return rewrite.finish()


def key_of(eqn: Equation) -> Hashable:
    """Equal for equations that compute the same."""
    return (
        eqn.primitive,
        tuple(map(atom_key, eqn.inputs)),
        frozenset((name, key(value)) for name, value in eqn.params.items()) if eqn.params else (),
        tuple(var.aval for var in eqn.outputs),
    )


def _may_merge(rewrite: Rewrite, var: Var, other: Atom) -> bool:
    """Whether at most one of two equal values lies where an output does."""
    if not isinstance(other, Var):
        return True
    return not (rewrite.storage.escapes(var) and rewrite.storage.escapes(other))


def _constants(rewrite: Rewrite, notes: Notes) -> None:
    """Let the first of equal constants stand for all."""
    seen: dict[Hashable, Var] = {}
    for var, value in rewrite.program.constants.items():
        if not isinstance(value, np.ndarray) or rewrite.storage.escapes(var):
            continue
        first = seen.setdefault((array_key(value), var.aval), var)
        if first is not var:
            notes["constant held twice"] += 1
            rewrite.replace(var, first)
