"""``loop``: the primitive behind ``scan`` and ``fori_loop``, and the way back of ``while_loop``.

``loop(steps?, *operands, *stacks read; plan)`` gives the carries of all legs, then the stacks that
are exported; ``legs.py`` says what the plan is. Layer: ``control``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.box import shape_of
from ..core.errors import ShapeError
from ..core.execute import executable
from ..core.primitive import Primitive
from ..core.program import Program
from ..differentiate.abstract import strong
from .call import Kept, flags_of, structured, types
from .derived import Flags
from .legs import (
    Back,
    Leg,
    Loop,
    back_body,
    batched_body,
    closure,
    guarded_body,
    pushed_body,
    there_body,
)

# --- value ----------------------------------------------------------------------------------------


def _value(*xs: Any, plan: Loop) -> tuple[Any, ...]:
    first, operands, imported = plan.unpack(xs)
    steps = max(int(first[0]), 0) if plan.length is None else plan.length
    stacks = dict(zip(plan.imports, imported, strict=True))
    results: list[Any] = []
    for body, leg in plan.pairs():
        results += run_leg(body, leg, steps, operands, stacks)
    return (*results, *(stacks[number] for number in plan.exports))


def run_leg(
    body: Program, leg: Leg, steps: int, operands: Sequence[Any], stacks: dict[int, Any]
) -> Iterator[Any]:
    """The carry after the last step; what is written is entered in ``stacks``."""
    step, width = executable(body), len(leg.init)
    consts = [operands[k] for k in leg.consts]
    carry: Any = tuple([operands[k] for k in leg.init])
    reads = [stacks[number] for number in leg.reads]
    written = [np.empty((steps, *aval.shape), aval.dtype) for aval in types(body)[width:]]
    for i in range(steps - 1, -1, -1) if leg.reverse else range(steps):
        results = step(*consts, *carry, *[stack[i] for stack in reads])
        carry = results[:width]
        for stack, y in zip(written, results[width:], strict=True):
            stack[i] = y
    stacks.update(zip(leg.writes, written, strict=True))
    return map(own, carry)


def own(value: Any) -> Any:
    """A result that is no view of an operand."""
    return np.array(value) if type(value) is np.ndarray and value.base is not None else value


def _infer(*avals: Aval, plan: Loop) -> tuple[Aval, ...]:
    _, operands, imported = plan.unpack(avals)
    elements = dict(zip(plan.imports, imported, strict=True))
    results: list[Aval] = []
    for body, leg in plan.pairs():
        expected = [var.aval.shape for var in body.inputs]
        got = [
            *(operands[k].shape for k in (*leg.consts, *leg.init)),
            *(elements[s].shape[1:] if s in elements else plan.written[s].shape for s in leg.reads),
        ]
        if got != expected:
            raise ShapeError(f"loop over {body!r}: got shapes {got}, expected {expected}")
        results += types(body)[: len(leg.init)]
    exported = [plan.written[number] for number in plan.exports]
    return (*results, *(Aval((plan.length or 0, *a.shape), a.dtype) for a in exported))


# --- forward mode ---------------------------------------------------------------------------------


def zero_of(x: Any) -> Any:
    """Zeros of the type of ``x``, NumPy's."""
    aval = aval_of(x)
    return np.zeros(aval.shape, aval.dtype)[()]


def _push(xs: Sequence[Any], dxs: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
    plan: Loop = params["plan"]
    first, operands, imported = plan.unpack(xs)
    _, d_operands, d_imported = plan.unpack(dxs)
    key = ("pushed", flags_of(d_operands), flags_of(d_imported))
    if key not in plan.memo:
        plan.memo[key] = _Tangent(plan, *key[1:])
    tangent = plan.memo[key]
    added = [
        zero_of(operands[k]) if d_operands[k] is None else d_operands[k] for k in tangent.operands
    ]
    stacks = [dx for dx in d_imported if dx is not None]
    results = loop_p(*first, *operands, *added, *imported, *stacks, plan=tangent.plan)
    ys = [results[k] for k in tangent.places]
    return ys, [None if k is None else results[k] for k in tangent.tangents]


class _Tangent:
    """The loop with tangents.

    ``operands``: those whose tangents are operands behind the others; ``places``, ``tangents``:
    where each result, and its tangent, stands among the results.
    """

    def __init__(self, plan: Loop, active: Flags, imported: Flags) -> None:
        fresh = plan.fresh()
        stacks = {s: next(fresh) for s, flag in zip(plan.imports, imported, strict=True) if flag}
        total = len(active)
        place: dict[int, int] = {}
        bodies, legs = [], []
        self.places: list[int] = []
        self.tangents: list[int | None] = []
        position = 0
        for body, leg in plan.pairs():
            given = (
                *(active[k] for k in (*leg.consts, *leg.init)),
                *(s in stacks for s in leg.reads),
            )
            inputs, _ = closure(body, leg, given)
            program, live = pushed_body(body, leg, inputs)
            consts, carry, reads = leg.parts(inputs)

            def tangents(operands: Sequence[int], flags: Flags) -> list[int]:
                chosen = [k for k, flag in zip(operands, flags, strict=True) if flag]
                return [place.setdefault(k, total + len(place)) for k in chosen]

            width = len(carry)
            d_writes = {s: next(fresh) for s, flag in zip(leg.writes, live[width:]) if flag}
            stacks.update(d_writes)
            bodies.append(program)
            legs.append(
                Leg(
                    (*leg.consts, *tangents(leg.consts, consts)),
                    (*leg.init, *tangents(leg.init, carry)),
                    (*leg.reads, *(stacks[s] for s, r in zip(leg.reads, reads) if r)),
                    (*leg.writes, *d_writes.values()),
                    leg.reverse,
                )
            )
            self.places += range(position, position + width)
            rest = iter(range(position + width, position + width + sum(carry)))
            self.tangents += [next(rest) if flag else None for flag in carry]
            position += width + sum(carry)
        self.operands = tuple(place)
        own = [s for s in plan.exports if s in stacks]
        self.plan = Loop(
            tuple(bodies),
            tuple(legs),
            plan.length,
            (*plan.imports, *(stacks[s] for s, f in zip(plan.imports, imported) if f)),
            (*plan.exports, *(stacks[s] for s in own)),
        )
        self.places += range(position, position + len(plan.exports))
        position += len(plan.exports)
        self.tangents += [position + own.index(s) if s in own else None for s in plan.exports]


# --- reverse mode ---------------------------------------------------------------------------------


@dataclass
class There:
    """The way there: its bodies and legs, which also write ``saved`` (the stacks of each leg), and
    for each leg its closed active inputs.
    """

    bodies: list[Program] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    saved: list[tuple[int, ...]] = field(default_factory=list)
    active: list[Flags] = field(default_factory=list)


def way_there(plan: Loop, active: Flags, imported: Flags) -> There:
    """For the adjoints of the active operands and imported stacks."""
    fresh, there = plan.fresh(), There()
    stacks = {s for s, flag in zip(plan.imports, imported, strict=True) if flag}
    for body, leg in plan.pairs():
        given = (*(active[k] for k in (*leg.consts, *leg.init)), *(s in stacks for s in leg.reads))
        inputs, outputs = closure(body, leg, given)
        _, program, saved = there_body(body, leg, inputs)
        stacks.update(
            s for s, flag in zip(leg.writes, outputs[len(leg.init) :], strict=True) if flag
        )
        numbers = tuple(islice(fresh, len(saved)))
        there.bodies.append(program)
        there.legs.append(replace(leg, writes=(*leg.writes, *numbers)))
        there.saved.append(numbers)
        there.active.append(inputs)
    return there


def _there(plan: Loop, active: Flags) -> There:
    _, operands, imported = plan.unpack(active)
    key = ("there", active)
    if key not in plan.memo:
        plan.memo[key] = way_there(plan, tuple(operands), tuple(imported))
    return plan.memo[key]  # type: ignore[no-any-return]


def _forward(
    xs: Sequence[Any], params: dict[str, Any], active: Flags
) -> tuple[Sequence[Any], Sequence[Any]]:
    plan: Loop = params["plan"]
    if plan.length is None:  # the way back goes the way there again
        return loop_p(*xs, plan=plan), ()
    there = _there(plan, active)
    exports = (*plan.exports, *(s for numbers in there.saved for s in numbers))
    key = ("way there", active)
    if key not in plan.memo:
        plan.memo[key] = Loop(
            tuple(there.bodies), tuple(there.legs), plan.length, plan.imports, exports
        )
    both = loop_p(*xs, plan=plan.memo[key])
    count = len(both) - len(exports) + len(plan.exports)
    return both[:count], both[count:]


def _backward(
    kept: Kept, gys: dict[int, Any], params: dict[str, Any], masked: bool
) -> Sequence[Any]:
    return loop_back(params["plan"], kept, gys, masked)


def loop_back(plan: Loop, kept: Kept, gys: dict[int, Any], masked: bool) -> list[Any]:
    """The adjoints of the operands of a loop, None for zero."""
    given = tuple(sorted(gys))
    key = ("back", kept.active, given, masked)
    if key not in plan.memo:
        plan.memo[key] = _WayBack(plan, _there(plan, kept.active), given, masked)
    back: _WayBack = plan.memo[key]
    first, operands, imported = plan.unpack(kept.xs)
    added = [
        zero_of(operands[entry]) if source == "zero" else gys[entry]
        for source, entry in back.operands
    ]
    values = dict(zip(back.there_imports, (*imported, *kept.residuals), strict=True))
    stacks = [gys[back.given_stacks[s]] if s in back.given_stacks else values[s] for s in back.plan.imports]
    results = loop_p(*first, *operands, *added, *stacks, plan=back.plan)
    gxs: list[Any] = [None] * len(kept.xs)
    for place, sources in back.adjoints.items():
        terms = [results[k] for k in sources]
        gxs[place] = sum(terms[1:], start=terms[0])
    return gxs


class _WayBack:
    """The loop that takes the adjoints of the results to those of the operands.

    ``operands``: what stands behind the operands of the way there: ``("gy", result)``, or zeros
    like ``("zero", operand)``. ``there_imports``: the numbers of the stacks that were read or
    saved; ``given_stacks``: for a stack that is an adjoint of a result, which. ``adjoints``: for
    each operand of the primitive where the terms of its adjoint stand among the results.
    """

    def __init__(self, plan: Loop, there: There, given: tuple[int, ...], masked: bool) -> None:
        self.source, self.there = plan, there
        self.offset = int(plan.length is None)
        self.total = len(plan.memo) and 0
        self.operands: list[tuple[str, int]] = []
        self.adjoints: dict[int, list[int]] = {}
        self.fresh = Loop(tuple(there.bodies), tuple(there.legs), None, plan.imports).fresh()
        self.bodies: list[Program] = []
        self.legs: list[Leg] = []
        self.terms: dict[int, list[int]] = {}  # of a stack: the stacks of its adjoints
        self.given_stacks: dict[int, int] = {}
        self.saved = [s for numbers in there.saved for s in numbers]
        dynamic = plan.length is None
        self.there_imports = plan.imports if dynamic else (*plan.imports, *self.saved)
        widths = [len(leg.init) for leg in plan.legs]
        for k, number in enumerate(plan.exports, sum(widths)):
            if k in given:
                self.given_stacks[stack := next(self.fresh)] = k
                self.terms.setdefault(number, []).append(stack)
        self._legs_back(given, widths, masked)
        ahead = (list(there.bodies), list(there.legs)) if dynamic else ([], [])
        self._number_results(sum(len(leg.init) for leg in ahead[1]))
        bodies, legs = [*ahead[0], *self.bodies], [*ahead[1], *self.legs]
        written = {s for leg in legs for s in leg.writes}
        read = dict.fromkeys(s for leg in legs for s in leg.reads if s not in written)
        self.plan = Loop(
            tuple(bodies), tuple(legs), plan.length, tuple(read), tuple(self.exported)
        )
