"""Constants: what depends on no input is computed once, now.

Recording keeps what does not depend on the inputs out of the program; other passes, and derivatives
of programs, leave such equations behind. A number becomes a literal, an array a constant of the
program; the first of at most 64 KiB each and 16 MiB in all, for a large one is cheaper to compute
than to hold. An array that an output may lie in is computed anew each time: a caller may write into
it. What raises is left for the run to raise. Functions of the user's and equations that hold
programs (loops, calls) are not run. Exact. Layer: ``static``.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...core.aval import aval_of
from ...core.box import PLAIN, PYTHON_SCALARS, SCALARS
from ...core.errors import WengertError
from ...core.interpret import apply
from ...core.program import Atom, Equation, Literal, Program, Var, strong
from ...core.quiet import quiet
from ...ops.index import Slot
from .rewrite import Notes, Rewrite

LARGEST = 1 << 16
IN_ALL = 1 << 24
DATA = (bool, int, float, complex, str, slice, type, np.dtype, np.generic, np.ndarray, Slot)


def fold_constants(program: Program, notes: Notes | None = None) -> Program:
    """``program`` with the results of equations on constants in their place."""
    rewrite = Rewrite(program)
    spent = 0
    for old in program.equations:
        eqn = rewrite.read(old)
        values = _values(rewrite, eqn)
        size = 0 if values is None else sum(map(_size, eqn.outputs))
        if values is None or size > min(LARGEST, IN_ALL - spent) or not _fold(rewrite, eqn, values):
            rewrite.keep(eqn)
            continue
        spent += size
        if notes is not None:
            notes["constant"] += 1
    return rewrite.finish()


def _size(var: Var) -> int:
    """Bytes of the value of ``var``."""
    return prod(var.aval.shape) * var.aval.dtype.itemsize


def _values(rewrite: Rewrite, eqn: Equation) -> list[Any] | None:
    """The values of the inputs of an equation that may be run now; else None."""
    for atom in eqn.inputs:
        if atom not in rewrite.constants and type(atom) is Var:
            return None
    if eqn.primitive.calls_user or not all(map(_is_data, eqn.params.values())):
        return None
    values = [
        atom.value if isinstance(atom, Literal) else rewrite.constants[atom] for atom in eqn.inputs
    ]
    return None if any(type(value) not in PLAIN for value in values) else values


def _is_data(param: Any) -> bool:
    """Whether a parameter holds no program, function or other object that may take its time."""
    if isinstance(param, tuple | list):
        return all(map(_is_data, param))
    return param is None or param is Ellipsis or isinstance(param, DATA)


def _fold(rewrite: Rewrite, eqn: Equation, values: list[Any]) -> bool:
    """Run the equation, and put its results in the place of its outputs; False if that can't
    be.
    """
    try:
        with quiet():
            result = apply(eqn.primitive, values, eqn.params)
    except (WengertError, ArithmeticError):
        return False
    parts = result if type(result) is tuple else (result,)
    atoms = [_atom(var, part) for var, part in zip(eqn.outputs, parts, strict=True)]
    for var, atom in zip(eqn.outputs, atoms, strict=True):
        if atom is None or not rewrite.may_replace(var, atom):
            return False
    for var, atom, part in zip(eqn.outputs, atoms, parts, strict=True):
        assert atom is not None
        if isinstance(atom, Var):
            rewrite.constants[atom] = part
        rewrite.replace(var, atom)
    return True


def _atom(var: Var, value: Any) -> Atom | None:
    """What stands for the result of ``var``, which must have its type."""
    if type(value) in PYTHON_SCALARS and not var.aval.weak:
        value = strong(value)
    if type(value) in SCALARS:
        literal = Literal(value)
        return literal if literal.aval == var.aval else None
    if not isinstance(value, np.ndarray) or aval_of(value) != var.aval:
        return None
    return Var(var.aval)
