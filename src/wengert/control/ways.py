"""The way there and the way back of a loop: its reverse mode.

The way there also writes what the way back reads. Of a loop whose number of steps is known both
are loops, and the stacks pass from one to the other; else the way back starts with the way there.
Layer: ``control``.
"""

from __future__ import annotations

from itertools import islice

from ..core.program import Program
from .derived import Flags, split
from .legs import Back, Leg, Loop, back_body, closure, there_body


class There:
    """The way there for the adjoints of the ``active`` operands.

    ``plan``: the loop, which exports the ``saved`` stacks of each leg too; ``active``: for each leg
    the inputs of its body that depend on the active operands.
    """

    def __init__(self, plan: Loop, active: Flags) -> None:
        _, operands, imported = plan.unpack(active)
        fresh = plan.fresh()
        stacks = {s for s, flag in zip(plan.imports, imported, strict=True) if flag}
        bodies: list[Program] = []
        legs: list[Leg] = []
        self.saved: list[tuple[int, ...]] = []
        self.active: list[Flags] = []
        for body, leg in plan.pairs():
            own = [operands[k] for k in (*leg.consts, *leg.init)]
            inputs, outputs = closure(body, leg, (*own, *(s in stacks for s in leg.reads)))
            writes = zip(leg.writes, outputs[len(leg.init) :], strict=True)
            stacks.update(s for s, flag in writes if flag)
            _, program, saved = there_body(body, leg, inputs)
            numbers = tuple(islice(fresh, len(saved)))
            bodies.append(program)
            legs.append(Leg(leg.consts, leg.init, leg.reads, (*leg.writes, *numbers), leg.reverse))
            self.saved.append(numbers)
            self.active.append(inputs)
        self.every = [s for numbers in self.saved for s in numbers]
        exports = () if plan.length is None else (*plan.exports, *self.every)
        self.plan = Loop(tuple(bodies), tuple(legs), plan.length, plan.imports, exports)


def way_there(plan: Loop, active: Flags) -> There:
    """The way there, made once."""
    key = ("there", active)
    if key not in plan.memo:
        plan.memo[key] = There(plan, active)
    return plan.memo[key]  # type: ignore[no-any-return]


class WayBack:
    """The way back for adjoints of the ``given`` results.

    ``plan``: the loop. Its operands are those of the way there, then ``operands``: ``("gy",
    result)`` is the adjoint of a result, ``("zero", operand)`` zeros like an operand; then
    ``stacks``: ``("import", k)`` is what the way there read, ``("saved", k)`` what it saved,
    ``("gy", result)`` the adjoint of what it exported. ``adjoints``: for an operand of the way
    there, where the terms of its adjoint stand among the results.
    """

    def __init__(self, plan: Loop, active: Flags, given: tuple[int, ...], masked: bool) -> None:
        self.source, self.there = plan, way_there(plan, active)
        self.given, self.masked, self.marks = given, masked, masked
        self.first, self.total = int(plan.length is None), len(plan.unpack(active)[1])
        self.fresh = self.there.plan.fresh()
        self.operands: list[tuple[str, int]] = []
        self.bodies: list[Program] = []
        self.legs: list[Leg] = []
        self.targets: list[int] = []  # the operands whose adjoints the carries are
        self.terms: dict[int, list[int]] = {}  # of a stack: the stacks of its adjoints
        self.sources = {s: ("import", k) for k, s in enumerate(plan.imports)}
        self.sources.update({s: ("saved", k) for k, s in enumerate(self.there.every)})
        self.starts = [sum(len(leg.init) for leg in plan.legs[:j]) for j in range(len(plan.legs))]
        carries = sum(len(leg.init) for leg in plan.legs)
        for k, exported in enumerate(plan.exports, carries):
            if k in given:
                self._term(exported, ("gy", k))
        for number in reversed(range(len(plan.legs))):
            self._leg(number)
        self._close()

    def _term(self, stack: int, source: tuple[str, int] | None = None) -> int:
        """The number of a stack with adjoints of the elements of ``stack``."""
        number = next(self.fresh)
        self.terms.setdefault(stack, []).append(number)
        if source is not None:
            self.sources[number] = source
        return number

    def _operand(self, source: str, number: int) -> int:
        self.operands.append((source, number))
        return self.total + len(self.operands) - 1

    def _leg(self, number: int) -> None:
        """Append the way back of one leg."""
        body, leg, active = (
            self.source.bodies[number],
            self.source.legs[number],
            self.there.active[number],
        )
        consts, carry, _ = leg.parts(active)
        results = range(self.starts[number], self.starts[number] + len(carry))
        init = [
            self._operand("gy", k) if k in self.given else self._operand("zero", operand)
            for k, operand, flag in zip(results, leg.init, carry, strict=True)
            if flag
        ]
        # zeros in place of adjoints that nobody gave absorb what they are multiplied with
        filled = any(self.operands[k - self.total][0] == "zero" for k in init)
        summed = [operand for operand, flag in zip(leg.consts, consts, strict=True) if flag]
        init += [self._operand("zero", operand) for operand in summed]
        self.targets += [k for k, flag in zip(leg.init, carry, strict=True) if flag] + summed
        contributions = tuple([len(self.terms.get(s, ())) for s in leg.writes])
        back = back_body(body, leg, active, contributions, self.masked or filled)
        self.marks = self.marks or back.marks
        self.bodies.append(back.program)
        self.legs.append(self._turned(number, back, tuple(init)))

    def _turned(self, number: int, back: Back, init: tuple[int, ...]) -> Leg:
        """What the way back of a leg reads and writes."""
        leg = self.source.legs[number]
        first, second = len(leg.consts), len(leg.consts) + len(leg.init)
        kept = split(self.source.bodies[number], self.there.active[number]).kept
        reads = [
            *(leg.reads[k - second] for k in kept if k >= second),
            *self.there.saved[number],
            *(term for stack in leg.writes for term in self.terms.get(stack, ())),
        ]
        writes = [self._term(s) for s, live in zip(leg.reads, back.live, strict=True) if live]
        consts = tuple([leg.consts[k] for k in kept if k < first])
        return Leg(consts, init, tuple(reads), tuple(writes), not leg.reverse)

    def _close(self) -> None:
        """The loop, and where its results go."""
        ahead = self.there.plan if self.source.length is None else None
        bodies = (*(ahead.bodies if ahead else ()), *self.bodies)
        legs = (*(ahead.legs if ahead else ()), *self.legs)
        written = {s for leg in legs for s in leg.writes}
        imports = tuple(dict.fromkeys(s for leg in legs for s in leg.reads if s not in written))
        self.stacks = [self.sources[s] for s in imports]
        self.adjoints: dict[int, list[int]] = {}
        position = sum(len(leg.init) for leg in (ahead.legs if ahead else ()))
        for operand in self.targets:
            self.adjoints.setdefault(self.first + operand, []).append(position)
            position += 1
        exports: list[int] = []
        for k, stack in enumerate(self.source.imports, self.first + self.total):
            for term in self.terms.get(stack, ()):
                self.adjoints.setdefault(k, []).append(position + len(exports))
                exports.append(term)
        self.plan = Loop(bodies, legs, self.source.length, imports, tuple(exports))


def way_back(plan: Loop, active: Flags, given: tuple[int, ...], masked: bool) -> WayBack:
    """The way back, made once. If zeros of its adjoints may come from a selection in one step, they
    do in all others.
    """
    key = ("back", active, given, masked)
    if key not in plan.memo:
        back = WayBack(plan, active, given, masked)
        again = back.marks and not masked
        plan.memo[key] = WayBack(plan, active, given, True) if again else back
    return plan.memo[key]  # type: ignore[no-any-return]
