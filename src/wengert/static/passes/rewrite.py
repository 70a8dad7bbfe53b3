"""What the passes share: a program that is written anew, equation by equation.

A ``Rewrite`` walks a program once. What a pass replaces is replaced in all that follows; what it
keeps is the same ``Equation``, or a copy with other inputs. Replacing one value by another must not
change what the outputs share memory with: eager NumPy gives ``x * 1`` in new memory, and a caller
who writes into it must not write into ``x``. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.primitive import Primitive
from ...core.program import Atom, Equation, Literal, Program, Var
from ...core.storage import Storage
from .values import uniform

Notes = Counter[str]  # what a pass did: how often which rule


class Rewrite:
    """A program under reconstruction; see the module."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.storage = Storage(program)
        self.results = {atom for atom in program.outputs if isinstance(atom, Var)}
        self.constants: dict[Var, Any] = dict(program.constants)
        self.equations: list[Equation] = []
        self.maker: dict[Var, Equation] = {}
        self._instead: dict[Atom, Atom] = {}
        self._numbers: dict[Atom, Any] = {}

    def now(self, atom: Atom) -> Atom:
        """What stands for ``atom`` by now."""
        return self._instead.get(atom, atom)

    def read(self, eqn: Equation) -> Equation:
        """The equation with its inputs as they are by now."""
        instead = self._instead
        for atom in eqn.inputs:
            if atom in instead:
                break
        else:
            return eqn
        inputs = tuple([instead.get(atom, atom) for atom in eqn.inputs])
        return Equation(eqn.primitive, inputs, eqn.outputs, eqn.params, eqn.source)

    def keep(self, eqn: Equation) -> None:
        """Append an equation."""
        self.equations.append(eqn)
        for var in eqn.outputs:
            self.maker[var] = eqn

    def add(
        self,
        primitive: Primitive,
        inputs: Sequence[Atom],
        params: dict[str, Any],
        like: Aval,
        source: str = "",
    ) -> Var:
        """Append a new equation; its output, of the type ``like``."""
        var = Var(like)
        self.keep(Equation(primitive, tuple(inputs), (var,), params, source))
        return var

    def replace(self, var: Var, atom: Atom) -> None:
        """Let ``atom`` stand for ``var`` in all that follows."""
        self._instead[var] = atom
        if isinstance(atom, Var):
            self.storage.join(var, atom)

    def may_replace(self, var: Var, atom: Atom) -> bool:
        """Whether ``atom``, of equal value, may stand for ``var``: no output of the program lies in
        the memory of ``var``, unless it is a number, which lies in none.
        """
        if atom.aval != var.aval:
            return False
        if isinstance(atom, Literal):
            return not var.aval.shape
        return not self.storage.escapes(var)

    def number(self, atom: Atom) -> Any:
        """The number that ``atom`` is, or is full of; else None."""
        if isinstance(atom, Literal):
            return atom.value
        value = self.constants.get(atom)
        if not isinstance(value, np.ndarray):
            return None
        if atom not in self._numbers:
            self._numbers[atom] = uniform(value)
        return self._numbers[atom]

    def is_all(self, atom: Atom, number: float) -> bool:
        """Whether ``atom`` is ``number``, sign of zero included, or full of it."""
        value = self.number(atom)
        if value is None or value != number:
            return False
        return bool(number or np.signbit(np.real(value)) == np.signbit(number))

    def finish(self) -> Program:
        """The new program, without constants that nothing reads."""
        outputs = tuple(map(self.now, self.program.outputs))
        used = {atom for eqn in self.equations for atom in eqn.inputs} | set(outputs)
        constants = {var: value for var, value in self.constants.items() if var in used}
        return Program(
            self.program.inputs, tuple(self.equations), outputs, constants, self.program.name
        )


def uses(program: Program) -> Counter[Var]:
    """How often each variable is read, by equations and as an output."""
    counted: Counter[Var] = Counter()
    for eqn in program.equations:
        counted.update(atom for atom in eqn.inputs if isinstance(atom, Var))
    counted.update(atom for atom in program.outputs if isinstance(atom, Var))
    return counted
