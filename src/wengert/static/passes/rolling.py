"""Loops of Python, found again in the program that was recorded of them.

A program of a loop of Python is its body over and over, and so is the way back. Where the same
equations follow one another many times, each time with the values of the time before, they are
written as one ``loop``: the passes, the compiler and the reader see one step instead of hundreds.

A *run* is a stretch of the program in which a *block* of equations is repeated: the same
primitives, parameters, numbers and types. What an equation of a block reads must then be one of:
what the same block computes; what the block before computed (the carry); the same value in all
blocks; or what one equation of an earlier run computed, block by block in either direction (a
stack). Blocks at the ends that differ in this stay as they are. Exact. Layer: ``static``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any, NamedTuple

from ...control.legs import Leg, Loop
from ...control.loops import loop_p
from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var, shape_follows_value
from ...ops.arithmetic import copy
from ...ops.indexing import getitem
from .rewrite import Notes
from .values import atom_key, key

SHORTEST = 256  # equations of a program, and of a run together
TIMES = 6  # that a block must follow itself
GRAM = 8  # equations that are looked for again at once
TRIED = 64  # distances at which a block may follow itself
TRIMS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (2, 2))  # blocks left out at the ends


class Place(NamedTuple):
    """An output of an equation of a block: the number of the equation in it, and of the output."""

    equation: int
    output: int


class Read(NamedTuple):
    """What ``run`` computes at ``place``, from block ``first`` on in steps of 1 or -1."""

    run: Run
    place: Place
    first: int
    step: int


@dataclass(eq=False)
class Run:
    """``count`` blocks of ``period`` equations from equation ``start`` on.

    Attributes:
        consts, carry, reads: what the blocks read, each with its variable in the body; a carry by
            the place that gives the new value, with the value before the first block.
        inputs: what stands for each input of the equations of a block.
        asked: of the places that others read, in which blocks.
        stacks: the values of all blocks at a place.
    """

    start: int
    period: int
    count: int
    consts: dict[Atom, Var] = field(default_factory=dict)
    carry: dict[Place, tuple[Atom, Var]] = field(default_factory=dict)
    reads: dict[Read, Var] = field(default_factory=dict)
    inputs: list[list[Any]] = field(default_factory=list)
    asked: dict[Place, set[int]] = field(default_factory=dict)
    stacks: dict[Place, Var] = field(default_factory=dict)

    @property
    def stop(self) -> int:
        """The equation after it."""
        return self.start + self.count * self.period


class Misfit(Exception):
    """The blocks of a run don't read alike."""


def roll_loops(program: Program, strict: bool = False, notes: Notes | None = None) -> Program:
    """``program`` with a ``loop`` for each stretch of equations that is repeated."""
    if len(program.equations) < SHORTEST:
        return program
    rolling = _Rolling(program, strict)
    if not rolling.runs:
        return program
    if notes is not None:
        notes["equations repeated"] += sum(run.count * run.period for run in rolling.runs)
    return rolling.program()


# --- where something is repeated ------------------------------------------------------------------


def signature(eqn: Equation) -> Hashable:
    """Equal for equations that differ in nothing but the variables."""
    if eqn.primitive.calls_user or shape_follows_value(eqn) or any(v.name for v in eqn.outputs):
        return eqn
    return (
        eqn.primitive,
        tuple([atom_key(a) if isinstance(a, Literal) else a.aval for a in eqn.inputs]),
        frozenset((name, key(value)) for name, value in eqn.params.items()) if eqn.params else (),
        tuple([var.aval for var in eqn.outputs]),
    )


def repetitions(numbers: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """``(start, period, count)`` of stretches in which a block of numbers is repeated."""
    grams: dict[tuple[int, ...], list[int]] = {}
    for i in range(len(numbers) - GRAM):
        grams.setdefault(tuple(numbers[i : i + GRAM]), []).append(i)
    i = 0
    while i < len(numbers) - GRAM:
        where = grams[tuple(numbers[i : i + GRAM])]
        later = bisect_right(where, i)
        best = max(
            (_repeated(numbers, i, j - i) for j in where[later : later + TRIED]),
            default=(0, 0),
            key=lambda found: found[0] * found[1],
        )
        if best[1] >= TIMES and best[0] * best[1] >= SHORTEST:
            yield (i, *best)
            i += best[0] * best[1]
        else:
            i += 1


def _repeated(numbers: Sequence[int], start: int, period: int) -> tuple[int, int]:
    """The period, and how often the block follows itself."""
    block, count = numbers[start : start + period], 1
    while numbers[start + count * period : start + (count + 1) * period] == block:
        count += 1
    return period, count


# --- what the blocks read -------------------------------------------------------------------------


class _Rolling:
    """Finds the runs of a program; ``program()`` is it with loops in their place."""

    def __init__(self, program: Program, strict: bool) -> None:
        self.source, self.strict = program, strict
        self.equations = program.equations
        self.made: dict[Atom, tuple[int, int]] = {
            var: (i, o) for i, eqn in enumerate(self.equations) for o, var in enumerate(eqn.outputs)
        }
        known: dict[Hashable, int] = {}
        numbers = [known.setdefault(signature(eqn), len(known)) for eqn in self.equations]
        self.runs: list[Run] = []
        for start, period, count in repetitions(numbers):
            for front, end in TRIMS:
                first, left = start + front * period, count - front - end
                if left >= TIMES and self._fits(run := Run(first, period, left)):
                    self.runs.append(run)
                    break
        self.starts = [run.start for run in self.runs]
        self._ask()

    def _fits(self, run: Run) -> bool:
        """Whether the blocks read alike; enters what they read."""
        try:
            for k in range(run.period):
                equations = self.equations[run.start + k : run.stop : run.period]
                columns = zip(*(eqn.inputs for eqn in equations), strict=True)
                run.inputs.append([self._read(run, atoms) for atoms in columns])
        except Misfit:
            return False
        block = self.equations[run.start : run.start + run.period]
        if any(var.aval.weak for eqn in block for var in eqn.outputs):
            return False  # a stack has NumPy's numbers, not Python's
        kept = (*(var for _, var in run.carry.values()), *run.reads.values())
        return not self.strict or all(len(var.aval.shape) < 2 for var in kept)

    def _read(self, run: Run, atoms: tuple[Atom, ...]) -> Any:
        """What an input is, which is ``atoms`` in the blocks: a literal, the place of the block
        that computes it, or a variable of the body.
        """
        second = atoms[1]
        if isinstance(second, Literal):
            return second
        index, output = self.made.get(second, (-1, 0))
        if run.start + run.period <= index < run.stop:
            return self._own(run, atoms, Place(index - run.start - run.period, output))
        if run.start <= index < run.start + run.period:
            return self._carried(run, atoms, Place(index - run.start, output))
        if index >= run.stop:
            raise Misfit
        if all(atom is second for atom in atoms):
            return run.consts.setdefault(second, Var(second.aval))
        return self._stacked(run, atoms)

    def _own(self, run: Run, atoms: tuple[Atom, ...], place: Place) -> Place:
        self._follow(run, atoms, place, run.start)
        return place

    def _carried(self, run: Run, atoms: tuple[Atom, ...], place: Place) -> Var:
        first = atoms[0]
        if self.made.get(first, (-1, 0))[0] >= run.start or isinstance(first, Literal):
            raise Misfit
        self._follow(run, atoms[1:], place, run.start)
        known, var = run.carry.setdefault(place, (first, Var(atoms[1].aval)))
        if known is not first or first.aval != var.aval:
            raise Misfit
        return var

    def _follow(self, run: Run, atoms: tuple[Atom, ...], place: Place, start: int) -> None:
        """Raise ``Misfit`` unless the atoms are made at ``place`` of block after block."""
        at = start + place.equation
        for block, atom in enumerate(atoms):
            if self.made.get(atom) != (at + block * run.period, place.output):
                raise Misfit

    def _stacked(self, run: Run, atoms: tuple[Atom, ...]) -> Var:
        found = [self._in_run(atom) for atom in atoms]
        (source, place, first), (_, _, then) = found[0], found[1]
        step = then - first
        if step not in (1, -1):
            raise Misfit
        if any(one != (source, place, first + step * b) for b, one in enumerate(found)):
            raise Misfit
        read = Read(source, place, first, step)
        if read not in run.reads:
            run.reads[read] = Var(atoms[0].aval)
        return run.reads[read]

    def _in_run(self, atom: Atom) -> tuple[Run, Place, int]:
        """The run, place and block where a variable is computed."""
        if atom in self.made:
            index, output = self.made[atom]
            for run in self.runs:
                if run.start <= index < run.stop:
                    block, equation = divmod(index - run.start, run.period)
                    return run, Place(equation, output), block
        raise Misfit

    # --- what others read of the blocks ----------------------------------------------------------

    def _ask(self) -> None:
        """Enter what is read of the runs from outside."""
        inside = [False] * len(self.equations)
        for run in self.runs:
            inside[run.start : run.stop] = [True] * (run.stop - run.start)
            for read in run.reads:
                read.run.stacks.setdefault(read.place, self._stack(read.run, read.place))
        for number, eqn in enumerate(self.equations):
            if not inside[number]:
                self._asked(eqn.inputs)
        for run in self.runs:
            self._asked((*run.consts, *(first for first, _ in run.carry.values())))
        self._asked(self.source.outputs)

    def _asked(self, atoms: Sequence[Atom]) -> None:
        for atom in atoms:
            try:
                run, place, block = self._in_run(atom)
            except Misfit:
                continue
            if place in run.carry and block == run.count - 1:
                continue  # what the loop ends with
            run.asked.setdefault(place, set()).add(block)
            run.stacks.setdefault(place, self._stack(run, place))

    def _stack(self, run: Run, place: Place) -> Var:
        aval = self._var(run, place, 0).aval
        return Var(Aval((run.count, *aval.shape), aval.dtype))

    def _var(self, run: Run, place: Place, block: int) -> Var:
        """What is computed at a place in a block."""
        index = run.start + block * run.period + place.equation
        return self.equations[index].outputs[place.output]

    # --- the program -----------------------------------------------------------------------------

    def program(self) -> Program:
        """The program with the loops."""
        equations: list[Equation] = []
        position = 0
        for run in self.runs:
            equations += self.equations[position : run.start]
            equations += self._loop(run)
            position = run.stop
        equations += self.equations[position:]
        return replaced(self.source, equations=tuple(equations))

    def _loop(self, run: Run) -> Iterator[Equation]:
        """The equation of a run, those before it that cut its stacks, and those behind it that take
        single values out of stacks.
        """
        source = self.equations[run.start].source
        stacks = []
        for read in run.reads:
            stack = read.run.stacks[read.place]
            if (read.first, read.step, run.count) != (0, 1, read.run.count):
                end = read.first + read.step * run.count
                cut = slice(read.first, end if end >= 0 else None, read.step)
                made = Var(Aval((run.count, *stack.aval.shape[1:]), stack.aval.dtype))
                yield Equation(getitem, (stack,), (made,), {"index": (cut,)}, source)
                stack = made
            stacks.append(stack)
        inits = [first for first, _ in run.carry.values()]
        last = [self._var(run, place, run.count - 1) for place in run.carry]
        plan = self._plan(run, len(stacks))
        outputs = (*last, *run.stacks.values())
        inputs = (*run.consts, *inits, *stacks)
        yield Equation(loop_p, inputs, outputs, {"plan": plan}, source)
        for place, blocks in run.asked.items():
            for block in sorted(blocks):
                yield from self._taken_out(run, place, block)

    def _plan(self, run: Run, reads: int) -> Loop:
        consts, carry = len(run.consts), len(run.carry)
        imports, exports = range(reads), range(reads, reads + len(run.stacks))
        leg = Leg(
            tuple(range(consts)),
            tuple(range(consts, consts + carry)),
            tuple(imports),
            tuple(exports),
        )
        return Loop((self._body(run),), (leg,), run.count, tuple(imports), tuple(exports))

    def _body(self, run: Run) -> Program:
        """One block as a program."""
        block = self.equations[run.start : run.start + run.period]
        made = [tuple([Var(var.aval) for var in eqn.outputs]) for eqn in block]

        def now(atom: Any) -> Atom:
            return made[atom.equation][atom.output] if isinstance(atom, Place) else atom

        equations = tuple(
            [
                Equation(eqn.primitive, tuple(map(now, inputs)), outputs, eqn.params, eqn.source)
                for eqn, inputs, outputs in zip(block, run.inputs, made, strict=True)
            ]
        )
        inputs = (
            *run.consts.values(),
            *(var for _, var in run.carry.values()),
            *run.reads.values(),
        )
        outputs = tuple([now(place) for place in (*run.carry, *run.stacks)])
        return Program(inputs, equations, outputs, {}, self.source.name)

    def _taken_out(self, run: Run, place: Place, block: int) -> Iterator[Equation]:
        """One value out of a stack, in memory of its own."""
        var, stack = self._var(run, place, block), run.stacks[place]
        if not var.aval.shape:
            yield Equation(getitem, (stack,), (var,), {"index": (block,)})
            return
        view = Var(var.aval)
        yield Equation(getitem, (stack,), (view,), {"index": (block,)})
        yield Equation(copy, (view,), (var,), {})
