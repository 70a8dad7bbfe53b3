"""A loop taken apart, and put together again: what ``loops.py`` works on. Layer: ``static``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...control.legs import Leg, Loop
from ...control.loops import loop_p
from ...core.program import Atom, Equation, Program, Var

Inner = Callable[[Program], Program]


@dataclass(eq=False)
class TakenApart:
    """A loop taken apart: pairs of what the body calls a value and what it is outside.

    ``carry``: the body's old and new value, the one to start from and the last one. ``writes``: the
    body's value and the stack; ``origin`` is where the stacks come from that it reads.
    """

    body: Program
    length: int
    reverse: bool
    source: str
    consts: list[tuple[Var, Atom]]
    carry: list[tuple[Var, Atom, Atom, Var]]
    reads: list[tuple[Var, Atom]]
    writes: list[tuple[Atom, Var]]
    equations: list[Equation] = field(default_factory=list)

    @classmethod
    def of(cls, eqn: Equation) -> TakenApart:
        plan: Loop = eqn.params["plan"]
        (body,), (leg,) = plan.bodies, plan.legs
        _, operands, imported = plan.unpack(eqn.inputs)
        stacks = dict(zip(plan.imports, imported, strict=True))
        consts, carry, elements = leg.parts(body.inputs)
        width = len(leg.init)
        exported = dict(zip(plan.exports, eqn.outputs[width:], strict=True))
        written = zip(body.outputs[width:], leg.writes, strict=True)
        starts = [operands[k] for k in leg.init]
        return cls(
            body,
            plan.length or 0,
            leg.reverse,
            eqn.source,
            list(zip(consts, (operands[k] for k in leg.consts), strict=True)),
            list(zip(carry, body.outputs, starts, eqn.outputs, strict=False)),
            list(zip(elements, (stacks[s] for s in leg.reads), strict=True)),
            [(atom, exported[s]) for atom, s in written if s in exported],
            [
                Equation(one.primitive, one.inputs, one.outputs, one.params, one.source)
                for one in body.equations
            ],
        )

    def equation(self, inner: Inner) -> Equation:
        """The loop put together again, with an optimised body."""
        inputs = [
            *(var for var, _ in self.consts),
            *(one[0] for one in self.carry),
            *(var for var, _ in self.reads),
        ]
        outputs = [*(one[1] for one in self.carry), *(atom for atom, _ in self.writes)]
        used = {atom for eqn in self.equations for atom in eqn.inputs} | set(outputs)
        constants = {var: value for var, value in self.body.constants.items() if var in used}
        body = Program(
            tuple(inputs), tuple(self.equations), tuple(outputs), constants, self.body.name
        )
        n, width, reads = len(self.consts), len(self.carry), len(self.reads)
        stacks = tuple(range(reads, reads + len(self.writes)))
        init, imports = tuple(range(n, n + width)), tuple(range(reads))
        leg = Leg(tuple(range(n)), init, imports, stacks, self.reverse)
        plan = Loop((inner(body),), (leg,), self.length, imports, stacks)
        given = (
            *(atom for _, atom in self.consts),
            *(one[2] for one in self.carry),
            *(atom for _, atom in self.reads),
        )
        results = (*(one[3] for one in self.carry), *(var for _, var in self.writes))
        return Equation(loop_p, given, results, {"plan": plan}, self.source)

    def without_unread(self, read: set[Atom]) -> None:
        """Leave out stacks that are not in ``read``, and what nothing in the body needs then."""
        self.writes = [pair for pair in self.writes if pair[1] in read]
        needed = {one[1] for one in self.carry} | {atom for atom, _ in self.writes}
        kept = []
        for eqn in reversed(self.equations):
            if not needed.isdisjoint(eqn.outputs):
                kept.append(eqn)
                needed.update(eqn.inputs)
        self.equations = kept[::-1]
        self.consts = [pair for pair in self.consts if pair[0] in needed]
        self.reads = [pair for pair in self.reads if pair[0] in needed]


def share_constants(loop: TakenApart) -> None:
    """Give each value of outside to the body once."""
    first: dict[Atom, Var] = {}
    for var, atom in loop.consts:
        first.setdefault(atom, var)
    instead: dict[Atom, Atom] = {v: first[a] for v, a in loop.consts if first[a] is not v}
    loop.consts = [pair for pair in loop.consts if pair[0] not in instead]
    substitute(loop, instead)


def substitute(loop: TakenApart, instead: dict[Atom, Atom]) -> None:
    """Let atoms stand for others in a body."""
    if not instead:
        return
    loop.equations = [
        Equation(
            eqn.primitive,
            tuple([instead.get(atom, atom) for atom in eqn.inputs]),
            eqn.outputs,
            eqn.params,
            eqn.source,
        )
        for eqn in loop.equations
    ]
    loop.carry = [(a, instead.get(b, b), c, d) for a, b, c, d in loop.carry]
    loop.writes = [(instead.get(atom, atom), stack) for atom, stack in loop.writes]
