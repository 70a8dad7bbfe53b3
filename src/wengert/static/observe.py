"""A program run once to see how its values lie in memory.

NumPy decides the order of a result in memory by that of the arguments, views inherit strides, a
reshape may copy. Kernels must give the same; so one call is run equation by equation, and of every
value a stand-in is kept: an array of the same type, lengths and strides, whose memory is never
touched.

Programs inside an equation (branches, bodies of loops) are run once more by themselves, a body for
the first trip. What is handed from trip to trip lies in C order there. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..control.legs import Loop
from ..core.program import Atom, Equation, Program, Var, programs_in, read, strong
from ..core.quiet import quiet


class Known(dict[Atom, Any]):
    """A stand-in for each variable of a program. ``inside``: those of programs that equations hold,
    where they could be run, by the first output of the equation.
    """

    def __init__(self) -> None:
        self.inside: dict[Var, tuple[Known, ...]] = {}


def observe(program: Program, values: Sequence[Any]) -> tuple[tuple[Any, ...], Known]:
    """The results of ``program`` for ``values``, and a stand-in for each of its variables."""
    held: dict[Any, Any] = {**program.constants}
    held.update(zip(program.inputs, values, strict=True))
    known = Known()
    known.update({var: stand_in(value) for var, value in held.items()})
    with quiet():
        for eqn, finished in zip(program.equations, program._finished, strict=True):
            given = [read(atom, held) for atom in eqn.inputs]
            result = eqn.primitive.value(*given, **eqn.params)
            if eqn.primitive.name in INSIDE and eqn.outputs:
                known.inside[eqn.outputs[0]] = _inside(eqn, given)
            parts = result if type(result) is tuple else (result,)
            for var, part in zip(eqn.outputs, parts, strict=True):
                held[var] = part if var.aval.weak else strong(part)
                known[var] = stand_in(held[var])
            for var in finished:
                del held[var]
    return tuple([read(atom, held) for atom in program.outputs]), known


def stand_in(value: Any) -> Any:
    """An array that lies as ``value`` does, in memory of its own; a number is itself."""
    if not isinstance(value, np.ndarray) or type(value) is not np.ndarray:
        return value
    ends = [s * (n - 1) for s, n in zip(value.strides, value.shape, strict=True) if n]
    low, high = sum(min(end, 0) for end in ends), sum(max(end, 0) for end in ends)
    odd = 0 if value.flags.aligned else 1
    memory = np.empty(high - low + value.itemsize + odd, np.uint8)
    return np.ndarray(value.shape, value.dtype, memory, odd - low, value.strides)


# --- programs inside ------------------------------------------------------------------------------


def _inside(eqn: Equation, given: Sequence[Any]) -> tuple[Known, ...]:
    """Stand-ins for the programs that an equation holds; none if they can't be run."""
    if any(map(_calls_user, (inner for _, inner in programs_in(eqn.params)))):
        return ()
    try:
        return tuple(INSIDE[eqn.primitive.name](eqn.params, given))
    except Exception:  # a branch that is not taken may raise anything for these values
        return ()


def _calls_user(program: Program) -> bool:
    """Whether running it has effects."""
    return any(
        eqn.primitive.calls_user or any(_calls_user(one) for _, one in programs_in(eqn.params))
        for eqn in program.equations
    )


def _call(params: dict[str, Any], given: Sequence[Any]) -> Iterator[Known]:
    yield observe(params["program"], given)[1]


def _cond(params: dict[str, Any], given: Sequence[Any]) -> Iterator[Known]:
    for key in ("true", "false"):
        yield observe(params[key], given[1:])[1]


def _while(params: dict[str, Any], given: Sequence[Any]) -> Iterator[Known]:
    first, second = params["consts"][0], sum(params["consts"])
    carry = list(map(_in_order, given[second:]))
    yield observe(params["cond"], [*given[:first], *carry])[1]
    yield observe(params["body"], [*given[first:second], *carry])[1]


def _loop(params: dict[str, Any], given: Sequence[Any]) -> Iterator[Known]:
    plan: Loop = params["plan"]
    _, operands, imported = plan.unpack(given)
    stacks = dict(zip(plan.imports, imported, strict=True))
    for body, leg in plan.pairs():
        consts = [operands[k] for k in leg.consts]
        carry = [_in_order(operands[k]) for k in leg.init]
        elements = [_element(stacks[s], -1 if leg.reverse else 0) for s in leg.reads]
        results, known = observe(body, [*consts, *carry, *elements])
        yield known
        written = (np.array(y, order="C")[None] for y in results[len(carry) :])
        stacks.update(zip(leg.writes, written, strict=True))


def _in_order(value: Any) -> Any:
    return np.array(value, order="C") if isinstance(value, np.ndarray) else value


def _element(stack: Any, number: int) -> Any:
    """An element of a stack; zeros where there is none."""
    return stack[number] if len(stack) else np.zeros(stack.shape[1:], stack.dtype)[()]


INSIDE: dict[str, Callable[..., Iterator[Known]]] = {
    "call": _call,
    "cond": _cond,
    "loop": _loop,
    "while": _while,
}
