"""Control flow as steps that run other steps: ``call``, ``cond``, ``while``, ``loop``.

A body is planned once. What changes from trip to trip it reads and writes through slots of the
frame that move (``runtime/control.py``): elements of stacks, where a result's stack is written
directly; and the carry, which has two homes that take turns, unless the body can write the new one
over the old one. The first home of a carry is filled before the loop, and the last new one lies in
the result's place. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ....control.legs import Leg, Loop
from ....core.aval import Aval
from ....core.program import Equation, Program, Var, programs_in
from ...views import is_reduction, is_view
from .. import preparing
from ..repeating import repeated
from ..scalars import DTYPES, NotLowered
from ..steps import Array, Operand, Step
from . import CALLS, WHY_NOT, Given
from .carries import WORD, Carry, Homes, carries_of, copied, runtime, unchanged


def why_not(eqn: Equation, strict: bool) -> str:
    """Why control flow can't be machine code: for what is inside."""
    for _, program in programs_in(eqn.params):
        for inner in program.equations:
            if not is_view(inner) and (why := preparing.why_not(inner, strict)):
                return f"{inner.primitive.name} inside: {why}"
    return ""


def insides(eqn: Equation, draft: Any) -> Any:
    """Stand-ins for the programs that an equation holds."""
    known = draft.inside.get(eqn.outputs[0])
    if not known:
        raise NotLowered("what is inside can't be run by itself for these values")
    return known


# --- calls and branches ---------------------------------------------------------------------------


def call(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of the program, in line."""
    (known,) = insides(eqn, draft)
    yield from draft.within(eqn.params["program"], known, operands, results).steps


def cond(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """Two lists of steps that write to the same places, and what chooses one."""
    place, number = operands[0]
    if number.dtype.kind not in "biuf":
        raise NotLowered(f"a condition of {number.dtype}")
    blocks = [
        draft.within(eqn.params[key], known, operands[1:], results).steps
        for key, known in zip(("true", "false"), insides(eqn, draft), strict=True)
    ]
    params = (number.itemsize, int(number.dtype.kind == "f"))
    yield runtime("choose", [place], params, blocks)


# --- the bodies of loops --------------------------------------------------------------------------


class Stack(NamedTuple):
    """A stack in memory: where, from element to element, and how an element lies."""

    base: Operand
    stride: int
    view: Array


def check_order(program: Program, known: Any, leaves: Given, strict: bool) -> None:
    """Inside a loop the carry lies in C order. Where it does not in NumPy, operations that take
    elements in the order of their memory may round in another way.
    """
    if not strict or not _sums(program):
        return
    after = [known[atom] for atom in program.outputs[: len(leaves)] if isinstance(atom, Var)]
    ordered = (
        one.flags.c_contiguous
        for one in (*(view for _, view in leaves), *after)
        if isinstance(one, np.ndarray)
    )
    if not all(ordered):
        raise NotLowered("NumPy's own bits: what goes from trip to trip is not in C order")


def _sums(program: Program) -> bool:
    """Whether there is anything in it but elements and views."""
    for eqn in program.equations:
        inner = [one for _, one in programs_in(eqn.params)]
        alone = is_reduction(eqn) or eqn.primitive.name in CALLS
        if any(map(_sums, inner)) or (alone and not inner and not is_view(eqn)):
            return True
    return False


# --- while ----------------------------------------------------------------------------------------


def repeat_while(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The loop that goes on while its condition holds."""
    test, body = eqn.params["cond"], eqn.params["body"]
    first, second = eqn.params["consts"][0], sum(eqn.params["consts"])
    leaves, (of_test, of_body) = operands[second:], insides(eqn, draft)
    check_order(body, of_body, leaves, draft.strict)
    carries = carries_of(draft, leaves, results)
    old = [(carry.old, carry.view) for carry in carries]
    byte = (draft.scratch(WORD), np.empty((), bool))
    tested = draft.within(test, of_test, [*operands[:first], *old], [byte])
    count = second - first
    planned = draft.within(
        body,
        of_body,
        [*operands[first:second], *old],
        [
            None if unchanged(body, count, k) else (carry.new, carry.view)
            for k, carry in enumerate(carries)
        ],
        {k: count + k for k in range(len(carries))},
    )
    homes = Homes(draft, carries, planned, None)
    yield from homes.before(leaves)
    yield runtime(
        "repeat_while",
        [byte[0], *homes.operands],
        (homes.swaps, homes.keeps),
        [tested.steps, planned.steps],
    )
    yield from homes.after(results)


# --- loops of a number of trips -------------------------------------------------------------------


def loop(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The legs of a loop, with memory for what only the run knows the size of."""
    plan: Loop = eqn.params["plan"]
    made = _Legs(plan, operands, results, draft)
    yield from made.count
    steps = [
        step for number, known in enumerate(insides(eqn, draft)) for step in made.leg(number, known)
    ]
    if made.allocated:
        slots = [one.base for one in made.allocated]
        sizes = [one.stride for one in made.allocated]
        yield runtime("with_memory", [made.trips, *slots], [*sizes, len(slots)], [steps])
    else:
        yield from steps
    yield from made.exported()


class _Legs:
    """Plans the legs of a loop one after another.

    ``trips``: where their number stands; ``count``: the steps that find it; ``allocated``: stacks
    in memory that the run must ask for.
    """

    def __init__(self, plan: Loop, operands: Given, results: Given, draft: Any) -> None:
        self.plan, self.draft = plan, draft
        number, self.operands, imported = plan.unpack(operands)
        self.carried = sum(len(leg.init) for leg in plan.legs)
        self.results, self.exports = results[: self.carried], results[self.carried :]
        self.stacks = {s: _imported(*one) for s, one in zip(plan.imports, imported, strict=True)}
        self.whole = {s: view for s, (_, view) in zip(plan.imports, imported, strict=True)}
        self.allocated: list[Stack] = []
        self.position = 0
        self.count: list[Step] = []
        if plan.length is not None:
            self.trips = draft.constant(np.array(plan.length, np.int64))
        else:
            self._count(*number[0])
        for s, aval in plan.written.items():
            self.stacks[s] = self._written(s, aval)

    def _count(self, place: Operand, number: Array) -> None:
        self.trips = self.draft.scratch(WORD)
        params = (number.itemsize, int(number.dtype.kind == "i"))
        self.count.append(runtime("whole_number", (place, self.trips), params))

    def _written(self, number: int, aval: Aval) -> Stack:
        """A stack that a leg writes: a result, or memory of its own."""
        if aval.dtype not in DTYPES:
            raise NotLowered(f"machine code knows no {aval.dtype}")
        view: Array = np.empty(aval.shape, aval.dtype)
        if number in self.plan.exports:
            base, known = self.exports[self.plan.exports.index(number)]
            if not known.flags.c_contiguous:
                raise NotLowered("a stack that is not in C order")
        elif self.plan.length is not None:
            base = self.draft.scratch(max(self.plan.length * view.nbytes, WORD))
        else:
            base = Operand(self.draft.layout.moving())
            self.allocated.append(Stack(base, view.nbytes, view))
        return Stack(base, view.nbytes, view)

    def leg(self, number: int, known: Any) -> Iterator[Step]:
        """The steps of a leg."""
        body, leg = self.plan.bodies[number], self.plan.legs[number]
        leaves = [self.operands[k] for k in leg.init]
        check_order(body, known, leaves, self.draft.strict)
        results = self.results[self.position : self.position + len(leaves)]
        self.position += len(leaves)
        carries = carries_of(self.draft, leaves, results)
        moving = [
            (Operand(self.draft.layout.moving()), self.stacks[s]) for s in (*leg.reads, *leg.writes)
        ]
        planned = self._body(body, known, leg, carries, moving)
        even = None if self.plan.length is None else self.plan.length % 2 == 0
        homes = Homes(self.draft, carries, planned, even)
        yield from homes.before(leaves)
        yield self._repeat(planned.steps, homes, moving, leg.reverse)
        yield from homes.after(results)

    def _repeat(
        self,
        steps: Sequence[Step],
        homes: Homes,
        moving: Sequence[tuple[Operand, Stack]],
        backwards: bool,
    ) -> Step:
        """The step that does all trips."""
        if len(steps) == 1 and not (homes.swaps or steps[0].runtime or steps[0].grain):
            ways = {slot.base: (stack.base, stack.stride) for slot, stack in moving}
            ways.update((carry.old.base, (carry.home, 0)) for carry in homes.carries)
            return repeated(steps[0], self.trips, ways, backwards)
        return runtime(
            "repeat",
            [
                self.trips,
                *homes.operands,
                *(part for slot, stack in moving for part in (slot, stack.base)),
            ],
            [
                *(stack.stride for _, stack in moving),
                homes.swaps,
                homes.keeps,
                len(moving),
                int(backwards),
            ],
            [steps],
        )

    def _body(
        self,
        body: Program,
        known: Any,
        leg: Leg,
        carries: Sequence[Carry],
        moving: Sequence[tuple[Operand, Stack]],
    ) -> Any:
        """The plan of one trip."""
        elements = [(slot, stack.view) for slot, stack in moving]
        count, read = len(leg.consts), len(leg.reads)
        given = [
            *(self.operands[k] for k in leg.consts),
            *((carry.old, carry.view) for carry in carries),
            *elements[:read],
        ]
        targets = [
            None if unchanged(body, count, k) else (carry.new, carry.view)
            for k, carry in enumerate(carries)
        ]
        over = {k: count + k for k in range(len(carries))}
        return self.draft.within(body, known, given, [*targets, *elements[read:]], over)

    def exported(self) -> Iterator[Step]:
        """Copies of exported stacks that do not lie in the result's place yet."""
        for k, s in enumerate(self.plan.exports):
            stack, (target, view) = self.stacks[s], self.exports[k]
            if stack.base != target:
                source = self.whole.get(s, view)
                yield copied(self.draft, (stack.base, source), (target, view))


def _imported(base: Operand, view: Array) -> Stack:
    element = view[0, ...] if len(view) else np.empty(view.shape[1:], view.dtype)
    return Stack(base, view.strides[0], element)


CALLS.update(call=call, cond=cond, loop=loop)
CALLS["while"] = repeat_while
WHY_NOT.update(dict.fromkeys(("call", "cond", "loop", "while"), why_not))
