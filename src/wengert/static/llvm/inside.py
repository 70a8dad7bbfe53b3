"""Programs inside an equation, planned into steps of the same frame and memory.

What such a program reads lies somewhere already: where the equation's operands lie, or behind slots
that a loop moves. What it gives must come to lie at places that are given too. Memory for what is
in between is taken from the arena of the program around it, whose values keep theirs meanwhile.
Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...core.aval import Aval
from ...core.program import Atom, Equation, Program, Var
from ...ops.arithmetic import copy
from ..observe import Known
from ..views import is_view
from .native_program import Draft
from .preparing import as_array
from .scalars import NotLowered
from .steps import Array, Operand, Place, Seen

Given = Sequence[tuple[Operand, Array]]


class Inside(Draft):
    """Plans the steps of a program inside an equation of ``outer``.

    ``given``: for each input where it lies, and how; ``targets``: the same for each output, None
    for one that nobody needs; ``over``: for outputs, by number, the input in whose place they may
    lie instead, where that is read no more.
    """

    def __init__(
        self,
        outer: Draft,
        program: Program,
        known: Mapping[Atom, Any],
        given: Given,
        targets: Sequence[tuple[Operand, Array] | None],
        over: Mapping[int, int],
    ) -> None:
        self.strict, self.arena, self.layout = outer.strict, outer.arena, outer.layout
        self.constants, self.targets, self.over = outer.constants, targets, over
        self.into = {}
        self.given = dict(zip(program.inputs, given, strict=True))
        stand_ins = Known()
        stand_ins.update(known)
        stand_ins.inside = known.inside if isinstance(known, Known) else {}
        stand_ins.update({var: view for var, (_, view) in self.given.items()})
        self._plan(program, stand_ins)

    def lies(self, number: int) -> Operand:
        """Where an output that is needed lies after the steps."""
        return Operand(self.places[self.result[number]])

    def _with_results(self, program: Program) -> Program:
        """The program with a value of its own for each output, in the order of its target."""
        made = {var for eqn in program.equations if not is_view(eqn) for var in eqn.outputs}
        equations = list(program.equations)
        self.result: dict[int, Var] = {}
        self.results: dict[Var, int] = {}
        for number, (atom, target) in enumerate(zip(program.outputs, self.targets, strict=True)):
            if target is None:
                continue
            known = target[1]
            if (known.shape, known.dtype) != (atom.aval.shape, atom.aval.dtype):
                raise NotLowered(f"{atom.aval} where {known.dtype}{list(known.shape)} is expected")
            own = atom in made and atom not in self.results and lies_as(self.known[atom], known)
            if own and isinstance(atom, Var):
                var = atom
            else:
                var = Var(Aval(atom.aval.shape, atom.aval.dtype))
                self.known[var] = as_array(known)
                equations.append(Equation(copy, (atom,), (var,), {}))
            self.result[number], self.results[var] = var, number
        outputs = tuple(self.result.values())
        return replace(program, equations=tuple(equations), outputs=outputs)

    def _arguments(self, known: Mapping[Atom, Any]) -> None:
        for var, (operand, view) in self.given.items():
            assert isinstance(operand.base, Place)
            self.places[var] = operand.base
            self.seen[var] = Seen(var, operand.offset, view)
        self._enter_constants()

    def take(self, var: Var) -> Place:
        """Memory for a value: its target, or a piece of the arena."""
        target = self.targets[self.results[var]] if var in self.results else None
        if target is None:
            return super().take(var)
        assert isinstance(target[0].base, Place)
        assert not target[0].offset
        return target[0].base

    def _may_lie(self, number: int, made: Var, base: Atom) -> bool:
        if base not in self.given or made not in self.results:
            return super()._may_lie(number, made, base)
        place = self.over.get(self.results[made])
        own = place is not None and self.program.inputs[place] is base
        return own and self.last.get(base, -1) <= number

    def _write_over(self, number: int, nest: list[Equation], stored: list[Var]) -> None:
        super()._write_over(number, nest, stored)
        # numbers are all read before the first is written, so a vector that they make up may lie
        # where the old one lies
        for whole in {self.parts[var].whole for var in stored if var in self.parts}:
            place = self.over.get(self.results.get(whole, -1))
            if place is not None and whole not in self.places:
                base = self.program.inputs[place]
                if self._by_numbers(nest, stored, base) and self._may_lie(number, whole, base):
                    self.places[whole] = self.places[base]

    def _by_numbers(self, nest: list[Equation], stored: list[Var], base: Var) -> bool:
        """Whether a nest writes numbers only, and reads only such of ``base``, which lies in C
        order.
        """
        looked = {eqn.outputs[0] for eqn in nest if is_view(eqn) and eqn.outputs[0] in self.seen}
        read = (
            atom
            for eqn in nest
            if eqn.outputs[0] not in looked
            for atom in eqn.inputs
            if atom in self.seen and self.seen[atom].base is base
        )
        own = self.seen[base]
        in_order = own.view.flags.c_contiguous and not own.offset
        return in_order and not any(atom.aval.shape for atom in (*stored, *read))


def lies_as(one: Array, other: Array) -> bool:
    """Whether the elements of two arrays of one type stand at the same places of their memory."""
    pairs = zip(one.strides, other.strides, one.shape, strict=True)
    return not one.size or all(a == b or length == 1 for a, b, length in pairs)
