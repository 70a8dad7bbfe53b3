"""``loop``: the primitive behind ``scan`` and ``fori_loop``, and the way back of ``while_loop``.

``loop(steps?, *operands, *stacks read; plan)`` gives the carries of all legs, then the stacks that
are exported; ``legs.py`` says what the plan is. Layer: ``control``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.box import shape_of
from ..core.errors import ShapeError
from ..core.execute import executable
from ..core.primitive import Primitive
from ..core.program import Program
from .call import Kept, flags_of, structured, types
from .derived import Flags
from .legs import Leg, Loop, batched_body, closure, guarded_body, pushed_body
from .ways import way_back, way_there

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
        self.fresh, self.active = plan.fresh(), active
        chosen = [s for s, flag in zip(plan.imports, imported, strict=True) if flag]
        self.stacks = {s: next(self.fresh) for s in chosen}  # and the stack of its tangents
        self.place: dict[int, int] = {}  # of an operand: that of its tangent
        self.places: list[int] = []
        self.tangents: list[int | None] = []
        self.position = 0
        legs = [self._leg(body, leg) for body, leg in plan.pairs()]
        self.operands = tuple(self.place)
        own = [s for s in plan.exports if s in self.stacks]
        self.plan = Loop(
            tuple([body for body, _ in legs]),
            tuple([leg for _, leg in legs]),
            plan.length,
            (*plan.imports, *(self.stacks[s] for s in chosen)),
            (*plan.exports, *(self.stacks[s] for s in own)),
        )
        end = self.position + len(plan.exports)
        self.places += range(self.position, end)
        self.tangents += [end + own.index(s) if s in own else None for s in plan.exports]

    def _leg(self, body: Program, leg: Leg) -> tuple[Program, Leg]:
        """One leg with tangents; enters where its carry and its tangents go."""
        own = [self.active[k] for k in (*leg.consts, *leg.init)]
        inputs, _ = closure(body, leg, (*own, *(s in self.stacks for s in leg.reads)))
        program, live = pushed_body(body, leg, inputs)
        consts, carry, reads = leg.parts(inputs)
        width = len(carry)
        written = {s: next(self.fresh) for s in _chosen(leg.writes, live[width:])}
        turned = Leg(
            (*leg.consts, *self._operands(leg.consts, consts)),
            (*leg.init, *self._operands(leg.init, carry)),
            (*leg.reads, *(self.stacks[s] for s in _chosen(leg.reads, reads))),
            (*leg.writes, *written.values()),
            leg.reverse,
        )
        self.stacks.update(written)
        self.places += range(self.position, self.position + width)
        self.position += width
        rest = iter(range(self.position, self.position + sum(carry)))
        self.tangents += [next(rest) if flag else None for flag in carry]
        self.position += sum(carry)
        return program, turned

    def _operands(self, operands: Sequence[int], flags: Flags) -> list[int]:
        """The operands that are the tangents of those with a flag."""
        total = len(self.active)
        return [self.place.setdefault(k, total + len(self.place)) for k in _chosen(operands, flags)]


def _chosen(items: Sequence[int], flags: Sequence[bool]) -> list[int]:
    """Those with a flag."""
    return [item for item, flag in zip(items, flags, strict=True) if flag]


# --- reverse mode ---------------------------------------------------------------------------------


def _forward(
    xs: Sequence[Any], params: dict[str, Any], active: Flags
) -> tuple[Sequence[Any], Sequence[Any]]:
    plan: Loop = params["plan"]
    if plan.length is None:  # the way back goes the way there again
        return loop_p(*xs, plan=plan), ()
    there = way_there(plan, active)
    both = loop_p(*xs, plan=there.plan)
    count = len(both) - len(there.every)
    return both[:count], both[count:]


def _backward(
    kept: Kept, gys: dict[int, Any], params: dict[str, Any], masked: bool
) -> Sequence[Any]:
    return loop_back(params["plan"], kept, gys, masked)


def loop_back(plan: Loop, kept: Kept, gys: dict[int, Any], masked: bool) -> list[Any]:
    """The adjoints of the operands of a loop, None for zero."""
    back = way_back(plan, kept.active, tuple(sorted(gys)), masked)
    first, operands, imported = plan.unpack(kept.xs)
    added = [
        gys[number] if source == "gy" else zero_of(operands[number])
        for source, number in back.operands
    ]
    values: dict[str, Any] = {"gy": gys, "import": imported, "saved": kept.residuals}
    stacks = [values[source][number] for source, number in back.stacks]
    results = loop_p(*first, *operands, *added, *stacks, plan=back.plan)
    gxs: list[Any] = [None] * len(kept.xs)
    for place, sources in back.adjoints.items():
        terms = [results[k] for k in sources]
        gxs[place] = sum(terms[1:], start=terms[0])
    return gxs


# --- many examples --------------------------------------------------------------------------------


def _batch(
    xs: Sequence[Any], flags: Sequence[bool], size: int, params: dict[str, Any]
) -> tuple[Any, ...]:
    plan: Loop = params["plan"]
    if plan.length is None and flags[0]:
        return _guarded(plan, xs, flags, size)
    first, operands, imported = plan.unpack(xs)
    _, active, active_stacks = plan.unpack(flags)
    key = ("batched", tuple(flags), size)
    if key not in plan.memo:
        plan.memo[key] = _Examples(plan, tuple(active), tuple(active_stacks), size)
    examples: _Examples = plan.memo[key]
    added = [np.broadcast_to(operands[k], (size, *shape_of(operands[k]))) for k in examples.added]
    stacks = [
        np.moveaxis(stack, 0, 1) if flag else stack
        for stack, flag in zip(imported, active_stacks, strict=True)
    ]
    results = loop_p(*first, *operands, *added, *stacks, plan=examples.plan)
    carries = len(results) - len(plan.exports)
    return tuple(
        [
            _in_front(y, flag, k >= carries, size)
            for k, (y, flag) in enumerate(zip(results, examples.flags, strict=True))
        ]
    )


def _in_front(y: Any, flag: bool, stack: bool, size: int) -> Any:
    """A result with the example axis in front."""
    if not flag:
        return np.broadcast_to(y, (size, *shape_of(y)))
    return np.moveaxis(y, 1, 0) if stack else y


class _Examples:
    """The loop of many examples.

    ``added``: operands that the carry starts from and that must be repeated for all examples, as
    further operands; ``flags``: which results have an example axis.
    """

    def __init__(self, plan: Loop, active: Flags, imported: Flags, size: int) -> None:
        axes = dict(zip(plan.imports, imported, strict=True))
        place: dict[int, int] = {}
        bodies, legs, flags = [], [], []
        for body, leg in plan.pairs():
            given = (*(active[k] for k in (*leg.consts, *leg.init)), *(axes[s] for s in leg.reads))
            examples, inputs = batched_body(body, leg, given, size)
            carry = leg.parts(inputs)[1]
            init = [
                place.setdefault(k, len(active) + len(place)) if flag and not active[k] else k
                for k, flag in zip(leg.init, carry, strict=True)
            ]
            axes.update(zip(leg.writes, examples.flags[len(carry) :], strict=True))
            bodies.append(examples.program)
            legs.append(replace(leg, init=tuple(init)))
            flags += carry
        self.added = tuple(place)
        self.flags = (*flags, *(axes[s] for s in plan.exports))
        self.plan = replace(plan, bodies=tuple(bodies), legs=tuple(legs))


def _guarded(plan: Loop, xs: Sequence[Any], flags: Sequence[bool], size: int) -> tuple[Any, ...]:
    """Examples with different numbers of steps: all take as many as the longest, and keep their
    carry from their own last one on.
    """
    steps, *operands = xs
    longest = np.max(np.maximum(steps, 0))
    key = ("guarded", aval_of(steps).dtype)
    if key not in plan.memo:
        plan.memo[key] = _with_guards(plan, Aval((), aval_of(steps).dtype), len(operands))
    ends = (np.intp(0), longest - 1)
    given = (longest, *operands, steps, *ends)
    results = _batch(given, (False, *flags[1:], True, False, False), size, {"plan": plan.memo[key]})
    kept: list[Any] = []
    position = 0
    for leg in plan.legs:
        kept += results[position : position + len(leg.init)]
        position += len(leg.init) + 1  # the number of the step
    return tuple(kept)


def _with_guards(plan: Loop, steps: Aval, total: int) -> Loop:
    """The loop whose operands go on with the examples' numbers of steps, and the first and the last
    step.
    """
    bodies, legs = [], []
    for body, leg in plan.pairs():
        bodies.append(guarded_body(body, leg, steps))
        start = total + 2 if leg.reverse else total + 1
        legs.append(replace(leg, consts=(*leg.consts, total), init=(*leg.init, start)))
    return Loop(tuple(bodies), tuple(legs), None)


loop_p: Primitive = structured(
    name="loop",
    value=_value,
    infer=_infer,
    push=_push,
    forward=_forward,
    backward=_backward,
    batch=_batch,
    summary="A program applied again and again, forwards or backwards over the steps.",
)
