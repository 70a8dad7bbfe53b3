"""A program of equations as a native program: steps over one frame.

``Draft`` plans: which nest or library call computes what, where each value lies, what is written
over what is dead. Its ``blueprint`` is what can be run, or kept. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops.arithmetic import copy
from ..observe import Known
from ..plan import inputs_of, nests
from ..views import is_cumulative, is_reduction, is_view, view_of
from ..walks import Walk, walk_of
from .apart import as_numbers
from .blueprint import Blueprint, Slot
from .calls import OVER, Call
from .calls.twins import with_twins
from .nest import Nest, copying
from .parts import parts_of
from .preparing import (
    LONG_WORK,
    alike,
    as_array,
    bases_of,
    call_of,
    check_type,
    may_fail,
    own_memory,
    with_copies,
    work_of,
)
from .reductions import kind_of
from .scalars import NotLowered
from .steps import Arena, Array, Layout, Operand, Place, Seen, Step
from .windows import sums_of_windows

CELL = 16  # bytes for a number without axes


class Draft:
    """Plans the steps of ``program``.

    ``known``: of each of its variables a value, or what lies in memory as it does: the native
    program is made for arguments of the same types and order in memory, and gives results of
    theirs. ``into``: results, by number, that may be written into the memory of an argument.
    Raises ``NotLowered`` where it can't be machine code.
    """

    def __init__(
        self,
        program: Program,
        known: Mapping[Atom, Any],
        strict: bool = False,
        into: Mapping[int, int] | None = None,
    ) -> None:
        self.strict = strict
        self.into = dict(into or {})
        self.arena, self.layout = Arena(), Layout()
        self.constants: list[Array] = []
        self._plan(program, known)
        if self.first_into is not None and any(map(may_fail, self.steps[self.first_into :])):
            self.into.clear()  # NumPy could not run the call any more
            self.arena, self.layout, self.constants = Arena(), Layout(), []
            self._plan(program, known)
        self._results(known, program.outputs)
        self.long = work_of(self.program) >= LONG_WORK

    def _plan(self, program: Program, known: Mapping[Atom, Any]) -> None:
        """Plan the steps."""
        for atom in (*program.inputs, *(var for eqn in program.equations for var in eqn.outputs)):
            check_type(atom.aval, known[atom])
        self.inside = known.inside if isinstance(known, Known) else {}
        self.shapes: list[Array] = []
        self.known = {atom: as_array(value) for atom, value in known.items()}
        program = as_numbers(program, self.known, self.strict)
        program = program if self.strict else with_twins(program)
        program = with_copies(sums_of_windows(program, self.known), self.known)
        self.program = self._with_results(program)
        made = ((eqn, call_of(eqn, self.strict)) for eqn in self.program.equations)
        self.calls = {eqn: call for eqn, call in made if call is not None}
        self.parts = parts_of(self.program, self.known, self._looped(), self.results)
        self.known.update((var, part.view) for var, part in self.parts.items())
        self.nests = nests(self.program, self._stands_alone, self._kind_of_walk)
        self.steps: list[Step] = []
        self.places: dict[Atom, Place] = {}
        self.seen: dict[Atom, Seen] = {}
        self.scratched: list[tuple[int, int]] = []
        self.first_into: int | None = None  # the first step that writes into an argument
        self._find_uses()
        self._arguments(known)
        refused: dict[Equation, str] = {}
        for number, nest in enumerate(self.nests):
            try:
                self._nest(number, nest)
            except NotLowered as reason:
                refused[reason.equation or nest[-1]] = str(reason)
                self._give_up(nest)
            self._release(number)
        if refused:  # all of them, so that who groups equations anew need not come back for each
            eqn, why = next(iter(refused.items()))
            raise NotLowered(why, eqn, refused)

    def _stands_alone(self, eqn: Equation) -> bool:
        return is_cumulative(eqn) or eqn in self.calls

    def _kind_of_walk(self, eqn: Equation) -> Hashable:
        return self._walk(eqn), kind_of(eqn)

    def _with_results(self, program: Program) -> Program:
        """The program with a value of its own for each result: what is a view of all of a value
        lies where that lies, anything else that is not made by it is copied.

        ``results``: the number of each; ``shapes``: a stand-in for each.
        """
        equations, outputs = list(program.equations), []
        for atom, root in zip(program.outputs, own_memory(program, self.known), strict=True):
            if root is None:
                value = atom.value if isinstance(atom, Literal) else self.known[atom]
                root = Var(Aval(atom.aval.shape, atom.aval.dtype, atom.aval.weak))
                self.known[root] = as_array(value).copy("K")
                equations.append(Equation(copy, (atom,), (root,), {}))
                atom = root
            outputs.append(root)
            self.shapes.append(self.known[atom])
        self.results = {var: number for number, var in enumerate(outputs)}
        return replace(program, equations=tuple(equations), outputs=tuple(outputs))

    def blueprint(self) -> Blueprint:
        """The whole as data."""
        slot = self.layout.slot
        inputs = tuple(Slot(slot(place), known) for place, known in self.inputs)
        outputs = tuple(Slot(slot(place), known, into) for place, known, into in self.outputs)
        for one in bases_of(self.steps):
            slot(one)
        return Blueprint(
            tuple(self.steps),
            tuple(self.layout.slots),
            tuple(self.constants),
            self.arena.size,
            inputs,
            outputs,
            self.long,
        )

    # --- where values lie ------------------------------------------------------------------------

    def _find_uses(self) -> None:
        """``roots``: what each variable is a view of; ``last``: the nest that reads it last."""
        self.roots: dict[Atom, Atom] = {var: part.whole for var, part in self.parts.items()}
        self.last: dict[Atom, float] = {}
        self.home: dict[Atom, int] = {}
        for number, nest in enumerate(self.nests):
            for eqn in nest:
                if is_view(eqn):
                    self.roots[eqn.outputs[0]] = self.root(eqn.inputs[0])
                else:
                    self.home.update(dict.fromkeys(eqn.outputs, number))
            for atom in (*inputs_of(nest), *(a for e in nest for a in e.inputs)):
                if not isinstance(atom, Literal):
                    root = self.root(atom)
                    if self.home.get(root, -1) != number:
                        self.last[root] = number
        self.last.update((self.root(atom), inf) for atom in self.program.outputs)

    def _looped(self) -> set[Var]:
        """What is computed by loops over elements."""
        return {
            eqn.outputs[0]
            for eqn in self.program.equations
            if not (eqn in self.calls or is_view(eqn) or is_reduction(eqn))
        }

    def root(self, atom: Atom) -> Atom:
        """What ``atom`` is a view of, or a part, at last."""
        return self.roots.get(atom, atom)

    def _arguments(self, known: Mapping[Atom, Any]) -> None:
        for number, var in enumerate(self.program.inputs):
            number_in = not isinstance(known[var], np.ndarray)
            place = self._cell() if number_in else Place("input", number)
            self._enter(var, place)
        self._enter_constants()

    def _enter_constants(self) -> None:
        for var, value in self.program.constants.items():
            array = np.asarray(value)
            if not (array.flags.c_contiguous or array.flags.f_contiguous):
                array = array.copy()  # as it comes back from the disk
            self.known[var] = array
            place = self.constant(array).base
            assert isinstance(place, Place)
            self._enter(var, place)

    def constant(self, value: Array) -> Operand:
        """Memory that holds a value of the program."""
        self.constants.append(value)
        return Operand(Place("constant", len(self.constants) - 1))

    def _cell(self) -> Place:
        return Place("arena", self.arena.take(CELL))

    def _enter(self, var: Atom, place: Place) -> None:
        """Note that a value lies in memory."""
        self.places[var] = place
        self.seen[var] = Seen(var, 0, self.known[var])

    def _settle(self, var: Var) -> None:
        """Give a value that is about to be computed a place, or what it is a part of."""
        root = self.parts[var].whole if var in self.parts else var
        if root not in self.places:
            self.places[root] = self.take(root)

    def take(self, var: Var) -> Place:
        """Memory for a value: a result's own, or a piece of the arena."""
        known = self.known[var]
        if var in self.results and known.ndim:
            return Place("output", self.results[var])
        return Place("arena", self.arena.take(max(known.nbytes, CELL)))

    def _release(self, number: int) -> None:
        """Take back the memory of what nothing reads after a nest."""
        live = {self.places[var] for var in self.places if self.last.get(var, -1) > number}
        for var, place in list(self.places.items()):
            if self.last.get(var, -1) <= number and place.kind == "arena" and var in self.home:
                del self.places[var]
                if place not in live:
                    live.add(place)  # two values in one place are given back once
                    self.arena.give(place.number, max(self.known[var].nbytes, CELL))
        for start, size in self.scratched:
            self.arena.give(start, size)
        self.scratched.clear()

    def scratch(self, size: int) -> Operand:
        """Memory for the nest that is being planned."""
        self.scratched.append((self.arena.take(size), size))
        return Operand(Place("arena", self.scratched[-1][0]))

    def copied(self, source: Operand, view: Array, target: Operand, known: Array) -> Step:
        """A step that copies what lies as ``view`` to what lies as ``known``."""
        return copying(source, view, target, known, self.strict)

    def compact(self, operand: Operand, view: Array) -> tuple[list[Step], Operand, Array]:
        """A copy in C order for the nest that is being planned, and the steps that make it."""
        known = np.empty(view.shape, view.dtype)
        target = self.scratch(known.nbytes)
        return [self.copied(operand, view, target, known)], target, known

    def within(
        self,
        program: Program,
        known: Mapping[Atom, Any],
        given: Sequence[tuple[Operand, Array]],
        targets: Sequence[tuple[Operand, Array] | None],
        over: Mapping[int, int] | None = None,
    ) -> Any:
        """The plan of a program inside an equation: see ``inside.py``."""
        from .inside import Inside

        return Inside(self, program, known, given, targets, over or {})

    # --- steps -----------------------------------------------------------------------------------

    def _nest(self, number: int, nest: list[Equation]) -> None:
        for eqn in nest:
            if is_view(eqn):
                self._look(eqn)
        call = self.calls.get(nest[-1])
        if call is not None and not is_view(nest[-1]):
            self.steps += self._call(number, call, nest[-1])
        else:
            self._map(number, nest)

    def _give_up(self, nest: list[Equation]) -> None:
        """Go on as if a nest had been planned."""
        for eqn in nest:
            for var in eqn.outputs:
                if var not in self.seen:
                    self.places.setdefault(var, Place("arena", self.arena.take(CELL)))
                    self.seen[var] = Seen(var, 0, self.known[var])

    def _look(self, eqn: Equation) -> None:
        """A view of what lies in memory."""
        source, (var,) = eqn.inputs[0], eqn.outputs
        known = self.seen.get(source)
        if known is None or var in self.seen:
            return
        view = view_of(eqn, known.view)
        if view is None:
            raise NotLowered("it copies", eqn)
        offset = view.ctypes.data - known.view.ctypes.data if view.size else 0
        self.seen[var] = Seen(known.base, known.offset + offset, view)

    def _call(self, number: int, call: Call, eqn: Equation) -> Iterator[Step]:
        if all(self.last.get(self.root(var), -1) <= number for var in eqn.outputs):
            return  # dead code: what it reads may not be there either
        operands = [self._operand_of(atom) for atom in eqn.inputs]
        over = OVER.get(eqn.primitive.name)
        if over is not None:
            self._write_over_input(number, eqn, over)
        for var in eqn.outputs:
            if var not in self.places:
                self.places[var] = self.take(var)
            self._enter(var, self.places[var])
        results = [(Operand(self.places[var]), self.known[var]) for var in eqn.outputs]
        yield from call(eqn, operands, results, self)

    def _operand_of(self, atom: Atom) -> tuple[Operand, Array]:
        if isinstance(atom, Literal):
            value = np.asarray(atom.value, atom.aval.dtype)
            return self.constant(value), value
        one = self.seen[atom]
        return Operand(self.places[one.base], one.offset), one.view

    def _map(self, number: int, nest: list[Equation]) -> None:
        made = [eqn.outputs[0] for eqn in nest if not is_view(eqn)]
        stored = [var for var in made if self.last.get(self.root(var), -1) > number]
        if not stored:
            return  # dead code
        if not is_cumulative(nest[-1]) and all(self._walk(e).once for e in nest if is_reduction(e)):
            self._write_over(number, nest, stored)
        for var in stored:
            self._settle(var)
        homes = {var: self.known[var] for var in stored}
        made_of = Nest(nest, self.seen, homes, self._where, self.strict, self._walk)
        self.steps.append(made_of.step())
        for var in stored:
            if var in self.parts:
                self.seen[var] = Seen(*self.parts[var])
            else:
                self._enter(var, self.places[var])

    def _walk(self, eqn: Equation) -> Walk:
        """The order in which NumPy takes the elements of a reduction."""
        if isinstance(eqn.inputs[0], Literal):
            raise NotLowered("of a number", eqn)
        return walk_of(eqn, self.known[eqn.inputs[0]])

    def _where(self, var: Atom) -> Operand:
        if isinstance(var, Var) and var in self.parts:
            return Operand(self.places[self.parts[var].whole], self.parts[var].offset)
        return Operand(self.places[var])

    def _write_over_input(self, number: int, eqn: Equation, over: int) -> None:
        """Let the result of a call lie where input ``over`` lies, if that dies here."""
        atom, (made,) = eqn.inputs[over], eqn.outputs
        if atom not in self.seen:
            return
        one = self.seen[atom]
        others = [a for i, a in enumerate(eqn.inputs) if i != over and a in self.seen]
        if (
            self._may_lie(number, made, one.base)
            and alike(one, self.known[made])
            and all(self.places[self.seen[a].base] != self.places[one.base] for a in others)
        ):
            self._lay(made, self.places[one.base])

    def _lay(self, made: Atom, place: Place) -> None:
        """Let a value lie where another one lies."""
        self.places[made] = place
        if place.kind == "input" and self.first_into is None:
            self.first_into = len(self.steps)

    def _may_lie(self, number: int, made: Var, base: Atom) -> bool:
        """Whether ``made`` may lie where ``base`` lies, which is read for the last time: a value
        that was made here, or for a result the argument that it may be written into.
        """
        if self.last.get(base, -1) > number:
            return False
        result = self.results.get(made)
        if result is None:
            return self.places[base].kind == "arena" and base in self.home
        argument = self.into.get(result)
        return argument is not None and base is self.program.inputs[argument]

    def _write_over(self, number: int, nest: list[Equation], stored: list[Var]) -> None:
        """Let results lie where something lies that dies here, element by element."""
        made = {var for eqn in nest for var in eqn.outputs}
        read: dict[Atom, list[Seen]] = {}
        for eqn in nest:
            for atom in eqn.inputs:
                if atom in self.seen and not (is_view(eqn) and eqn.outputs[0] in self.seen):
                    one = self.seen[atom]
                    read.setdefault(one.base, []).append(one)
        for var in stored:
            want = self.known[var]
            if var in self.parts or (not want.ndim and var not in self.results):
                continue
            for base, ways in read.items():
                place = self.places[base]
                if (
                    self._may_lie(number, var, base)
                    and base not in made
                    and all(alike(one, want) for one in ways)
                    and self.known[base].nbytes == want.nbytes
                    and place not in [self.places.get(other) for other in stored]
                ):
                    self._lay(var, place)
                    break

    def _results(self, known: Mapping[Atom, Any], outputs: Sequence[Atom]) -> None:
        self.outputs = []
        for var, atom, shape in zip(self.program.outputs, outputs, self.shapes, strict=True):
            place = self.places[var]
            seen = known[atom] if atom in known and not shape.ndim else shape
            self.outputs.append((place, seen, place.number if place.kind == "input" else None))
        self.inputs = [(self.places[var], known[var]) for var in self.program.inputs]
