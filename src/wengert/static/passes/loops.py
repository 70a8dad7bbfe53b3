"""Loops: what need not be done in every step is done once, outside.

A scan of a network's layer is many small products; outside of the loop they are few large ones, of
all steps together. And the way back reads stacks of what the way there has kept: some of it is the
same in each step, some follows from the rest by an operation or two, which costs less than memory.

- What depends on no step is computed before the loop, and stacks of it are not made.
- Products of what a loop reads in each step, but for the carry, are one product before it.
- A carry that only sums up ``aᵀ b``, or sums of what is stacked for that, is one product, or one
  sum, of stacks after it.
- The way back computes again what takes one cheap operation on what it reads anyway.
- Stacks that nothing reads are not written.

Only of loops of one leg whose number of steps is known. Sums are in another order: ``strict``
leaves the program as it is. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from ...control.legs import Loop
from ...control.loops import loop_p
from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from .cse import key_of
from .loop_body import Body
from .rewrite import Notes, Rewrite
from .taken_apart import Inner, TakenApart, share_constants, substitute

CHEAP = (ar.add, ar.subtract, ar.multiply, ar.divide, ar.negative, ar.square)


def improve_loops(
    program: Program, inner: Inner, strict: bool = False, notes: Notes | None = None
) -> Program:
    """``program`` with less to do in the steps of its loops; ``inner`` optimises their bodies."""
    if strict or not any(map(_known, program.equations)):
        return program
    return _Loops(program, inner, Notes() if notes is None else notes).finish()


def _known(eqn: Equation) -> bool:
    """Whether an equation is a loop of one leg and a known number of steps."""
    if eqn.primitive is not loop_p:
        return False
    plan: Loop = eqn.params["plan"]
    return len(plan.legs) == 1 and bool(plan.length)


class _Loops:
    """The program under reconstruction."""

    def __init__(self, program: Program, inner: Inner, notes: Notes) -> None:
        self.rewrite, self.inner, self.notes = Rewrite(program), inner, notes
        self.places: list[Equation | TakenApart] = []
        self.invariant: dict[Atom, Atom] = {}  # stacks of one value
        self.origin: dict[Atom, tuple[TakenApart, Atom]] = {}  # of stacks
        self.made: dict[Hashable, Equation] = {}
        self.looked_at = set(program.outputs)  # results, and what may be seen in another way
        for eqn in program.equations:
            if not eqn.primitive.fresh and eqn.primitive is not loop_p:
                self.looked_at.update(eqn.inputs)
        for old in program.equations:
            eqn = self.rewrite.read(old)
            if _known(eqn):
                self._improve(TakenApart.of(eqn))
            else:
                self._place(eqn)

    def _place(self, eqn: Equation) -> None:
        self.rewrite.keep(eqn)
        self.places.append(eqn)

    def finish(self) -> Program:
        """The new program, without stacks that nothing reads."""
        read: set[Atom] = set(self.rewrite.program.outputs)
        equations: list[Equation] = []
        for one in reversed(self.places):
            if isinstance(one, TakenApart):
                before = len(one.writes)
                one.without_unread(read)
                if before > len(one.writes):
                    self.notes["stack not written"] += before - len(one.writes)
                one = one.equation(self.inner)
            elif read.isdisjoint(one.outputs):
                continue
            read.update(one.inputs)
            equations.append(one)
        self.rewrite.equations = equations[::-1]
        return self.rewrite.finish()

    def _improve(self, loop: TakenApart) -> None:
        self._share(loop)
        self._compute_again(loop)
        share_constants(loop)
        walk = Body(self, loop)
        walk.hoist_stacks()
        walk.hoist_values()
        walk.batch_products()
        after = walk.sum_behind()
        self._write_once(loop)
        for atom, stack in loop.writes:
            self.origin[stack] = loop, atom
        self.places.append(loop)
        for eqn in after:
            self._place(self.rewrite.read(eqn))

    def add(self, primitive: Any, inputs: Any, params: Any, like: Aval, source: str) -> Var:
        """The output of an equation: of a new one, or of one that was added before."""
        eqn = Equation(primitive, tuple(inputs), (Var(like),), params, source)
        first = self.made.setdefault(key_of(eqn), eqn)
        if first is eqn:
            self._place(eqn)
        return first.outputs[0]

    def _write_once(self, loop: TakenApart) -> None:
        """Let one stack of a value stand for others, where those are no results."""
        known: dict[Atom, Var] = {}
        writes = []
        for atom, stack in loop.writes:
            first = known.setdefault(atom, stack)
            if first is stack or stack in self.looked_at:
                writes.append((atom, stack))
            else:
                self.rewrite.replace(stack, first)
        loop.writes = writes

    # --- what is read ----------------------------------------------------------------------------

    def _share(self, loop: TakenApart) -> None:
        """Read stacks of one value as constants, and each stack once."""
        known: dict[Atom, Var] = {}
        instead: dict[Atom, Atom] = {}
        reads = []
        for var, stack in loop.reads:
            loop_of, atom = self.origin.get(stack, (None, stack))
            same = atom if loop_of is None else (loop_of, atom)
            if stack in self.invariant:
                loop.consts.append((var, self.invariant[stack]))
            elif (first := known.setdefault(_key(same), var)) is var:
                reads.append((var, stack))
            else:
                instead[var] = first
        loop.reads = reads
        substitute(loop, instead)

    def _compute_again(self, loop: TakenApart) -> None:
        """Leave out stacks that follow from others by one operation."""
        ways: list[TakenApart] = []
        for _, stack in loop.reads:
            way = self.origin[stack][0] if stack in self.origin else loop
            if way is not loop and way.length == loop.length and way not in ways:
                ways.append(way)
        for way in ways:
            again = list(self._again(way, loop))
            made = {eqn.outputs[0] for eqn in again}
            loop.reads = [pair for pair in loop.reads if pair[0] not in made]
            loop.equations = again + loop.equations
            if again:
                self.notes["computed again on the way back"] += len(again)

    def _again(self, way: TakenApart, loop: TakenApart) -> Iterator[Equation]:
        """The equations of ``way`` that ``loop`` can compute again, in its own variables."""
        read = {stack: var for var, stack in loop.reads}
        pairs = [(atom, read[stack]) for atom, stack in (*way.writes, *way.reads) if stack in read]
        here: dict[Atom, Var] = {atom: var for atom, var in pairs if atom.aval == var.aval}
        outside: dict[Atom, Atom] = dict(way.consts)
        for eqn in way.equations:
            var = here.get(eqn.outputs[0])
            if var is None or eqn.primitive not in CHEAP:
                continue
            if not all(isinstance(x, Literal) or x in here or x in outside for x in eqn.inputs):
                continue
            for atom in eqn.inputs:
                if atom in outside and atom not in here:
                    here[atom] = Var(atom.aval)
                    loop.consts.append((here[atom], outside[atom]))
            inputs = tuple([here.get(atom, atom) for atom in eqn.inputs])
            yield Equation(eqn.primitive, inputs, (var,), eqn.params, eqn.source)


def _key(same: Any) -> Any:
    return (id(same[0]), same[1]) if isinstance(same, tuple) else same


def _at_hand(atom: Atom, here: dict[Atom, Var], outside: dict[Var, Atom]) -> bool:
    return isinstance(atom, Literal) or atom in here or atom in outside
