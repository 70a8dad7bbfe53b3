"""Recomputation: large values that are cheap to make are made again instead of being kept.

The way back through a network reads what the way forward made, so each layer's values live until
the sweep is there. Where the sum of all that lives at once is beyond a ``budget`` of bytes, the
elementwise results across the peak are computed again just before they are read next: the largest
first, of those that at most ``DEEP`` equations make from values that are alive there anyway, until
the peak fits or nothing is left to do. What is computed twice has the same bits. Not for functions
of the user's. Source: Griewank and Walther, Evaluating Derivatives, 2nd ed., chapter 12. Layer:
``static``.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate as running
from math import prod

from ...core.program import Atom, Equation, Program, Var
from ...core.storage import Storage
from .rewrite import Notes

ROUNDS = 16
WORTH = 4096  # bytes
DEEP = 4


def recompute(program: Program, budget: int | None = None, notes: Notes | None = None) -> Program:
    """``program`` with a peak of memory of at most ``budget`` bytes, as far as that can be had.

    ``budget``: for what the equations make, inputs and constants not counted; None: as it is.
    """
    if budget is None:
        return program
    for _ in range(ROUNDS):
        chosen = _Lives(program).candidates(budget)
        if not chosen:
            return program
        if notes is not None:
            notes["computed again"] += len(chosen)
        program = _again(program, chosen)
    return program


def peak(program: Program) -> int:
    """The largest number of bytes that arrays made by the program take at one time."""
    return max(_Lives(program).profile, default=0)


@dataclass(frozen=True)
class Again:
    """``var`` is made once more before equation ``reader``, by ``steps``."""

    var: Var
    reader: int
    steps: list[Equation]


class _Lives:
    """Where each variable is made and read, and what is alive when."""

    def __init__(self, program: Program) -> None:
        self.program, self.storage = program, Storage(program)
        end = len(program.equations)
        self.maker: dict[Var, int] = {}
        self.reads: dict[Var, list[int]] = {v: [] for v in (*program.inputs, *program.constants)}
        for number, eqn in enumerate(program.equations):
            for atom in dict.fromkeys(eqn.inputs):
                if isinstance(atom, Var):
                    self.reads[atom].append(number)
            for var in eqn.outputs:
                self.maker[var], self.reads[var] = number, []
        for atom in program.outputs:
            if isinstance(atom, Var) and self.reads[atom][-1:] != [end]:
                self.reads[atom].append(end)
        self.members: dict[Var, list[Var]] = {}
        for var in self.reads:
            self.members.setdefault(self.storage.group(var), []).append(var)
        self.profile = self._profile()

    def last(self, var: Var) -> int:
        """The last equation that reads the memory of ``var``."""
        if var not in self.maker:
            return len(self.program.equations)
        reads = self.reads[var]
        return reads[-1] if reads else self.maker[var]

    def _profile(self) -> list[int]:
        """Bytes alive at each equation: a group from where it is made to its last reader."""
        change = [0] * (len(self.program.equations) + 2)
        for members in self.members.values():
            if any(var not in self.maker for var in members):
                continue  # memory of an input or a constant
            size = max(_bytes(var) for var in members)
            change[min(self.maker[var] for var in members)] += size
            change[max(self.last(var) for var in members) + 1] -= size
        return list(running(change))[: len(self.program.equations)]

    def candidates(self, budget: int) -> list[Again]:
        """What to compute again, so that the highest point gets lower."""
        if not self.profile or (height := max(self.profile)) <= budget:
            return []
        top = self.profile.index(height)
        found = []
        for var, number in self.maker.items():
            reader = self._next(var, top)
            if number < top and reader is not None and self._alone(var):
                steps = self._steps(var, reader)
                if 0 < len(steps) <= DEEP:
                    found.append(Again(var, reader, steps))
        found.sort(key=lambda again: -_bytes(again.var))
        chosen: list[Again] = []
        gone: set[Atom] = set()
        needed: set[Atom] = set()  # as arguments of what is chosen: they stay
        for again in found:
            if height <= budget:
                break
            inputs = {atom for eqn in again.steps for atom in eqn.inputs}
            if again.var in needed or gone & inputs:
                continue
            needed |= inputs
            gone.add(again.var)
            chosen.append(again)
            height -= _bytes(again.var)
        return chosen

    def _next(self, var: Var, top: int) -> int | None:
        """The first reader after ``top``, if ``top`` itself is none and an equation reads there."""
        reads = self.reads[var]
        place = bisect_right(reads, top)
        if place == len(reads) or (place and reads[place - 1] == top):
            return None
        return reads[place] if reads[-1] < len(self.program.equations) else None

    def _alone(self, var: Var) -> bool:
        """Whether ``var`` is large, and nothing else lies in its memory."""
        return _bytes(var) >= WORTH and len(self.members[self.storage.group(var)]) == 1

    def _steps(self, var: Var, reader: int, room: int = DEEP) -> list[Equation]:
        """The elementwise equations that make ``var`` of what is alive at ``reader`` in any case;
        empty, or more than ``room``, where there is no such way.
        """
        eqn = self.program.equations[self.maker[var]]
        if room < 1 or eqn.primitive.family != "elementwise" or not eqn.primitive.fresh:
            return []
        steps: list[Equation] = []
        for atom in dict.fromkeys(eqn.inputs):
            if isinstance(atom, Var) and atom.aval.shape and self.last(atom) < reader:
                before = self._steps(atom, reader, room - 1 - len(steps))
                if not before:
                    return []
                steps += [step for step in before if step not in steps]
        return [*steps, eqn]


def _bytes(var: Var) -> int:
    return prod(var.aval.shape) * var.aval.dtype.itemsize


def _again(program: Program, chosen: list[Again]) -> Program:
    """``program`` in which each chosen variable is made again before a reader, for it and all that
    come after.
    """
    before: dict[int, list[Again]] = {}
    for again in chosen:
        before.setdefault(again.reader, []).append(again)
    instead: dict[Atom, Atom] = {}
    equations: list[Equation] = []
    for number, eqn in enumerate(program.equations):
        for again in before.get(number, ()):
            local = dict(instead)
            for made in again.steps:
                inputs = tuple(local.get(atom, atom) for atom in made.inputs)
                (old,) = made.outputs
                local[old] = new = Var(old.aval, old.name)
                equations.append(Equation(made.primitive, inputs, (new,), made.params, made.source))
            instead[again.var] = local[again.var]
        inputs = tuple(instead.get(atom, atom) for atom in eqn.inputs)
        equations.append(Equation(eqn.primitive, inputs, eqn.outputs, eqn.params, eqn.source))
    return Program(
        program.inputs, tuple(equations), program.outputs, program.constants, program.name
    )
