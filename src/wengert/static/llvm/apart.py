"""Small vectors taken apart: what writes into single elements becomes arithmetic of numbers.

``np.stack([a, b])`` makes a vector of numbers, ``y[0]`` reads one of them, and the adjoint of such
a read adds into one element of a vector. Element by element these are numbers that one nest
computes in registers; as vectors each would go through memory in a step of its own. So vectors of
few elements are followed as the numbers that they consist of, through elementwise operations too,
and put together (``stack``) only where something needs the whole. Every bit stays what it was.
Layer: ``static``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops.arithmetic import add
from ...ops.indexing import getitem, scatter_add, setitem
from ...ops.shape import broadcast_to, concatenate, reshape, stack
from . import lowering
from .steps import Array

MOST = 64  # bytes of a vector
MAKERS = (stack, scatter_add, setitem)  # what vectors that are taken apart come from
SPREAD = (reshape, broadcast_to)  # what makes vectors of one number
Parts = tuple[Atom, ...]


def as_numbers(program: Program, known: dict[Atom, Array], strict: bool) -> Program:
    """``program`` without small vectors where numbers do; ``known`` gets stand-ins for these."""
    if not any(_makes_parts(eqn) for eqn in program.equations):
        return program
    return _Apart(program, known, strict).program


def gathers(eqn: Equation) -> bool:
    """Whether an equation makes a small vector of numbers."""
    made = eqn.outputs[0].aval
    return (
        eqn.primitive is stack
        and len(made.shape) == 1
        and made.shape[0] * made.dtype.itemsize <= MOST
        and all(atom.aval.dtype == made.dtype for atom in eqn.inputs)
    )


def _makes_parts(eqn: Equation) -> bool:
    """Whether an equation makes a vector of numbers, or writes one into a vector."""
    if eqn.primitive in SPREAD:
        return not eqn.inputs[0].aval.shape and len(eqn.outputs[0].aval.shape) == 1
    return eqn.primitive in MAKERS


class _Apart:
    """Walks over a program once; ``program`` is what comes of it."""

    def __init__(self, program: Program, known: dict[Atom, Array], strict: bool) -> None:
        self.source, self.known, self.strict = program, known, strict
        self.names: dict[Atom, Atom] = {}  # what reads of elements are
        self.parts: dict[Atom, Parts] = {}
        self.whole: set[Atom] = set()  # of those with parts, what is put together by now
        self.views: dict[Atom, Equation] = {}  # of those with parts, what needs no memory
        self.read: dict[tuple[Atom, int], Var] = {}
        self.equations: list[Equation] = []
        for eqn in program.equations:
            self._equation(eqn)
        outputs = tuple([self._whole(self.names.get(atom, atom)) for atom in program.outputs])
        self.program = replace(program, equations=tuple(self.equations), outputs=outputs)

    def _equation(self, eqn: Equation) -> None:
        inputs = tuple([self.names.get(atom, atom) for atom in eqn.inputs])
        eqn = Equation(eqn.primitive, inputs, eqn.outputs, eqn.params, eqn.source)
        made = eqn.outputs[0]
        number = self._index(eqn)
        if eqn.primitive is getitem and type(number) is int and inputs[0] in self.parts:
            self.names[made] = self.parts[inputs[0]][number]
            return
        parts = self._made(eqn, number)
        if parts is not None:
            self.parts[made] = parts
            return
        for atom in inputs:
            self._whole(atom)
        self.equations.append(eqn)

    def _index(self, eqn: Equation) -> int | slice | None:
        """The element of a vector that is read or written, or several."""
        index = eqn.params.get("index", ())
        if len(index) != 1 or len(eqn.inputs[0].aval.shape) != 1:
            return None
        entry = index[0]
        return entry if type(entry) in (int, slice) else None

    def _made(self, eqn: Equation, number: int | slice | None) -> Parts | None:
        """The elements of a vector that is taken apart; None if it isn't."""
        made, (source, *_) = eqn.outputs[0].aval, (*eqn.inputs, None)
        if len(eqn.outputs) != 1 or len(made.shape) != 1 or source is None:
            return None
        if made.shape[0] * made.dtype.itemsize > MOST:
            return None
        if eqn.primitive in SPREAD:
            return self._spread(eqn, source)
        if gathers(eqn):
            return tuple([self._strong(atom, made.dtype) for atom in eqn.inputs])
        if eqn.primitive in (scatter_add, setitem):
            return self._written(eqn, number) if type(number) is int else None
        if self.parts.keys().isdisjoint(eqn.inputs):
            return None
        if eqn.primitive is getitem and type(number) is slice:
            return self.parts[source][number]
        if eqn.primitive is concatenate:
            return self._joined(eqn)
        return self._elementwise(eqn)

    def _spread(self, eqn: Equation, source: Atom) -> Parts | None:
        """Of one number; the whole is a view of it."""
        made = eqn.outputs[0].aval
        if source.aval.shape or not isinstance(source, Var):
            return None
        self.views[eqn.outputs[0]] = eqn
        return (source,) * made.shape[0]

    def _joined(self, eqn: Equation) -> Parts | None:
        made = eqn.outputs[0].aval
        if any(atom.aval.dtype != made.dtype or isinstance(atom, Literal) for atom in eqn.inputs):
            return None
        return tuple(
            [self._element(atom, k) for atom in eqn.inputs for k in range(atom.aval.shape[0])]
        )

    def _written(self, eqn: Equation, number: int) -> Parts | None:
        base, value = eqn.inputs[:2]
        dtype = base.aval.dtype
        if value.aval.shape or value.aval.dtype != dtype or isinstance(base, Literal):
            return None
        parts = [self._element(base, k) for k in range(base.aval.shape[0])]
        number %= len(parts)
        value = self._strong(value, dtype)
        if eqn.primitive is scatter_add:
            value = self._apply(add, (parts[number], value), {}, dtype, eqn.source)
        parts[number] = value
        return tuple(parts)

    def _elementwise(self, eqn: Equation) -> Parts | None:
        """Element by element, where an operand is apart already."""
        made = eqn.outputs[0].aval
        if eqn.primitive.family != "elementwise":
            return None
        if any(atom.aval.shape not in ((), made.shape) for atom in eqn.inputs):
            return None
        if lowering.why_not(eqn, self.strict):
            return None
        return tuple(
            [
                self._apply(
                    eqn.primitive,
                    tuple([self._element(a, k) if a.aval.shape else a for a in eqn.inputs]),
                    eqn.params,
                    made.dtype,
                    eqn.source,
                )
                for k in range(made.shape[0])
            ]
        )

    # --- numbers and vectors ---------------------------------------------------------------------

    def _apply(
        self, primitive: Any, inputs: Parts, params: dict[str, Any], dtype: Any, source: str
    ) -> Var:
        made = self._number(dtype)
        self.equations.append(Equation(primitive, inputs, (made,), params, source))
        return made

    def _number(self, dtype: Any) -> Var:
        made = Var(Aval((), dtype))
        self.known[made] = np.empty((), dtype)
        return made

    def _strong(self, atom: Atom, dtype: Any) -> Atom:
        """A number in NumPy's type."""
        return Literal(dtype.type(atom.value)) if isinstance(atom, Literal) else atom

    def _element(self, atom: Atom, number: int) -> Atom:
        """An element of a vector."""
        if atom in self.parts:
            return self.parts[atom][number]
        if atom in self.source.constants:
            return Literal(self.source.constants[atom][number])  # type: ignore[index]
        if (atom, number) not in self.read:
            made = self.read[atom, number] = self._number(atom.aval.dtype)
            self.equations.append(Equation(getitem, (atom,), (made,), {"index": (number,)}))
        return self.read[atom, number]

    def _whole(self, atom: Atom) -> Atom:
        """A vector that something needs as a whole."""
        if isinstance(atom, Var) and atom in self.parts and atom not in self.whole:
            self.whole.add(atom)
            together = Equation(stack, self.parts[atom], (atom,), {"axis": 0})
            self.equations.append(self.views.get(atom, together))
        return atom
