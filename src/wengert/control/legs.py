"""``Loop``: what a loop does, in legs; and the bodies that derivatives and batching make of one.

A *leg* applies a program again and again, forwards or backwards over the steps: ``body(*constants,
*carry, *elements read) -> (*carry, *elements written)``; what it writes at each step is a *stack*,
which later legs read. ``scan`` is a loop of one leg; its way back is another loop, which reads the
stacks that the way there wrote. Where only the run knows the number of steps, stacks have no type
and stay inside: the way back is then one loop of two legs, the way there and the way back. Both
kinds are closed under derivatives of any order. Layer: ``control``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np

from ..core import interpret
from ..core.aval import Aval
from ..core.program import Program
from ..differentiate.abstract import abstract_program, strong
from ..ops.comparison import where
from .bodies import reordered
from .call import types
from .derived import (
    Batched,
    Flags,
    Split,
    batched,
    finished,
    memoised,
    pushed,
    reached,
    split,
)


@dataclass(frozen=True, eq=False)
class Leg:
    """One pass over the steps.

    ``consts``: the operands that every step reads; ``init``: those that the carry starts from;
    ``reads``, ``writes``: stacks, by number; ``reverse``: from the last step to the first.
    """

    consts: tuple[int, ...]
    init: tuple[int, ...]
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    reverse: bool = False

    def parts(self, items: Sequence[Any]) -> tuple[Any, Any, Any]:
        """Items, one for each input of the body, as those of constants, carry and elements."""
        first, second = len(self.consts), len(self.consts) + len(self.init)
        return items[:first], items[first:second], items[second:]


@dataclass(frozen=True, eq=False)
class Loop:
    """The parameter of the primitive.

    ``bodies``: a program for each of ``legs``. ``length``: the number of steps; None: the first
    operand says it. ``imports``: the stacks that the last operands are; ``exports``: those that are
    results, after the carries of all legs.
    """

    bodies: tuple[Program, ...]
    legs: tuple[Leg, ...]
    length: int | None
    imports: tuple[int, ...] = ()
    exports: tuple[int, ...] = ()

    @property
    def programs(self) -> dict[str, Program]:
        """For who looks inside."""
        if len(self.bodies) == 1:
            return {"body": self.bodies[0]}
        return {f"leg {number}": body for number, body in enumerate(self.bodies, 1)}

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What has been derived from it."""
        return {}

    @cached_property
    def written(self) -> dict[int, Aval]:
        """The type of an element of each stack that a leg writes."""
        return {
            stack: aval
            for body, leg in self.pairs()
            for stack, aval in zip(leg.writes, types(body)[len(leg.init) :], strict=True)
        }

    def pairs(self) -> Iterator[tuple[Program, Leg]]:
        """Each body with its leg."""
        return zip(self.bodies, self.legs, strict=True)

    def fresh(self) -> Iterator[int]:
        """Numbers for further stacks."""
        used = {s for leg in self.legs for s in (*leg.reads, *leg.writes)}
        return count(max(used | set(self.imports), default=-1) + 1)

    def unpack(self, xs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """The operands as ``([number of steps] or [], operands, stacks)``."""
        first, last = int(self.length is None), len(xs) - len(self.imports)
        return list(xs[:first]), list(xs[first:last]), list(xs[last:])

    def __repr__(self) -> str:
        directions = ", ".join("backwards" if leg.reverse else "forwards" for leg in self.legs)
        return directions if self.length is None else f"{directions}, {self.length} steps"


# --- bodies of derivatives ------------------------------------------------------------------------


def closure(body: Program, leg: Leg, active: Sequence[bool]) -> tuple[Flags, Flags]:
    """``(inputs, outputs)`` of the body that depend on the active inputs, in any number of
    steps.
    """
    consts, carry, reads = leg.parts(tuple(active))
    while True:
        outputs = reached(body, (*consts, *carry, *reads))
        grown = tuple([a or b for a, b in zip(carry, outputs[: len(carry)], strict=True)])
        if grown == carry:
            return (*consts, *carry, *reads), (*carry, *outputs[len(carry) :])
        carry = grown


def pushed_body(body: Program, leg: Leg, active: Flags) -> tuple[Program, Flags]:
    """The body with tangents behind what they belong to: ``(*consts, *dconsts, *carry, …)``; and
    which outputs have one. ``active`` is closed.
    """
    consts, carry, _ = leg.parts(active)
    tangent = pushed(body, active, (*carry, *(False,) * len(leg.writes)))

    def derive() -> Program:
        rest = iter(range(len(active), len(tangent.program.inputs)))
        places = leg.parts([(k, next(rest) if flag else None) for k, flag in enumerate(active)])
        inputs = [k for part in places for k in _then_tangents(part)]
        rest = iter(range(len(tangent.live), len(tangent.program.outputs)))
        ends = [(k, next(rest) if flag else None) for k, flag in enumerate(tangent.live)]
        middle = len(leg.init)
        outputs = [*_then_tangents(ends[:middle]), *_then_tangents(ends[middle:])]
        return reordered(tangent.program, inputs, outputs)

    key = ("tangent body", len(consts), len(carry), active)
    return memoised(body, key, derive), tangent.live


def _then_tangents(places: Sequence[tuple[int, int | None]]) -> list[int]:
    return [k for k, _ in places] + [t for _, t in places if t is not None]


def there_body(body: Program, leg: Leg, active: Flags) -> tuple[Split, Program, tuple[Aval, ...]]:
    """``(split, the body that also writes what the way back reads, types of that)``: the elements
    of the carry which it reads, and the residuals.
    """
    parts = split(body, active)
    first, second = len(leg.consts), len(leg.consts) + len(leg.init)
    carried = [k for k in parts.kept if first <= k < second]

    def derive() -> Program:
        count_ = len(body.outputs)
        forward = parts.forward
        outputs = (
            *forward.outputs[:count_],
            *(forward.inputs[k] for k in carried),
            *forward.outputs[count_:],
        )
        return Program(forward.inputs, forward.equations, outputs, forward.constants, forward.name)

    program = memoised(body, ("there", first, second, active), derive)
    return parts, program, types(program)[len(body.outputs) :]


@dataclass(frozen=True, eq=False)
class Back:
    """The body of a way back: ``(*constants kept, *adjoints of the carry, *adjoints of constants so
    far, *elements kept, *saved, *adjoints of what was written) -> (*adjoints of the carry, *of
    constants so far, *of the elements read that are ``live``)``.

    ``marks``: its zeros may come from a selection.
    """

    program: Program
    live: Flags
    marks: bool


def back_body(
    body: Program, leg: Leg, active: Flags, contributions: tuple[int, ...], masked: bool
) -> Back:
    """``contributions``: how many adjoints each stack that the body writes has."""
    key = ("back", len(leg.consts), len(leg.init), active, contributions, masked)
    return memoised(  # type: ignore[no-any-return]
        body, key, lambda: _derive_back(body, leg, active, contributions, masked)
    )


def _derive_back(
    body: Program, leg: Leg, active: Flags, contributions: tuple[int, ...], masked: bool
) -> Back:
    parts, _, saved = there_body(body, leg, active)
    avals = [var.aval for var in body.inputs]
    consts, carry, reads = leg.parts([(k, strong(aval)) for k, aval in enumerate(avals)])
    of_carry = [(k, aval) for k, aval in carry if active[k]]
    of_consts = [(k, aval) for k, aval in consts if active[k]]
    middle = len(leg.init)
    written = types(body)[middle:]
    given = tuple(
        [place for place, (k, _) in enumerate(carry) if active[k]]
        + [middle + place for place, number in enumerate(contributions) if number]
    )
    back = parts.backward(given, masked)
    order = [*_kept(consts, parts), *_kept(reads, parts), *_kept(carry, parts)]
    rank = [[k for k, _ in order].index(k) for k in parts.kept]

    def step(fixed: Any, g_carry: Any, sums: Any, elements: Any, rest: Any, g_written: Any) -> Any:
        known = [*fixed, *elements, *rest]
        residuals = known[len(order) :]
        totals = [sum(several[1:], start=several[0]) for several in g_written]
        gxs = iter(back.program.run(*(known[k] for k in rank), *residuals, *g_carry, *totals))
        found = {k: next(gxs) for k, live in enumerate(back.live) if live}
        recorder: Any = interpret.current.get()
        carried = [found[k] if k in found else recorder.zeros(aval) for k, aval in of_carry]
        pairs = zip(of_consts, sums, strict=True)
        added = [total + found[k] if k in found else total for (k, _), total in pairs]
        return carried, added, [found[k] for k, _ in reads if k in found]

    args = (
        [avals[k] for k, _ in _kept(consts, parts)],
        [aval for _, aval in of_carry],
        [aval for _, aval in of_consts],
        [avals[k] for k, _ in _kept(reads, parts)],
        list(saved),
        [[strong(a)] * n for a, n in zip(written, contributions, strict=True) if n],
    )
    step.__name__ = back.program.name
    constants = back.program.constants.values()
    program = abstract_program(step, args, what="vjp", shared=constants).program
    return Back(optimised(program), tuple([back.live[k] for k, _ in reads]), back.marks)


def _kept(items: Sequence[tuple[int, Any]], parts: Split) -> list[tuple[int, Any]]:
    return [item for item in items if item[0] in parts.kept]


def optimised(program: Program) -> Program:
    """A program made here, as those in ``derived`` are."""
    return finished(
        program.inputs, program.equations, program.outputs, dict(program.constants), program.name
    )


# --- bodies of many examples ----------------------------------------------------------------------


def batched_body(body: Program, leg: Leg, active: Flags, size: int) -> tuple[Batched, Flags]:
    """The body of ``size`` examples, and which of its inputs have an example axis: a carry that
    once differs between examples does so from the start.
    """
    consts, carry, reads = leg.parts(active)
    while True:
        flags = (*consts, *carry, *reads)
        forced = (*carry, *(False,) * len(leg.writes))
        examples = batched(body, flags, size, forced)
        if (grown := examples.flags[: len(carry)]) == tuple(carry):
            return examples, flags
        carry = grown


def guarded_body(body: Program, leg: Leg, steps: Aval) -> Program:
    """The body for examples with different numbers of steps: ``(*consts, steps, *carry, step,
    *elements)``; the carry stays as it is from step ``steps`` on.
    """

    def guarded(consts: Any, number: Any, carry: Any, i: Any, elements: Any) -> Any:
        results = body.run(*consts, *carry, *elements)
        goes_on = np.less(i, number)
        kept = [where(goes_on, new, old) for new, old in zip(results, carry, strict=False)]
        return kept, i - 1 if leg.reverse else i + 1, results[len(kept) :]

    def derive() -> Program:
        consts, carry, reads = leg.parts([var.aval for var in body.inputs])
        args = (list(consts), steps, list(carry), Aval((), np.dtype(np.intp)), list(reads))
        guarded.__name__ = body.name
        return optimised(
            abstract_program(guarded, args, what="vmap", shared=body.constants.values()).program
        )

    key = ("guarded", len(leg.consts), len(leg.init), leg.reverse, steps)
    return memoised(body, key, derive)  # type: ignore[no-any-return]
