"""What planning a native program asks of programs and values: which equations can be machine code,
which results have memory of their own, how arrays lie. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ...core.aval import Aval, aval_of
from ...core.program import Atom, Equation, Literal, Program, Var, programs_in
from ...ops.arithmetic import copy
from ...ops.shape import reshape
from ..views import is_cumulative, is_reduction, is_view, view_of
from . import lowering
from .calls import CALLS, WHY_NOT, Call, ufuncs
from .scalars import DTYPES, NotLowered
from .steps import Address, Array, Place, Seen, Step

LONG_WORK = 50_000  # element operations; beyond, other threads may run meanwhile


def why_not(eqn: Equation, strict: bool) -> str:
    """Why ``eqn`` can't be machine code; empty if it can."""
    name = eqn.primitive.name
    if name in CALLS:
        return WHY_NOT[name](eqn, strict)
    reason = lowering.why_not(eqn, strict)
    by_pointer = bool(reason) and eqn.primitive.ufunc is not None
    return ufuncs.why_not(eqn, strict) if by_pointer else reason


def call_of(eqn: Equation, strict: bool) -> Call | None:
    """What makes the steps of an equation that is no loop over elements and no view."""
    if is_view(eqn) or is_reduction(eqn) or is_cumulative(eqn):
        return None
    call = CALLS.get(eqn.primitive.name)
    if call is None and eqn.primitive.ufunc is not None and lowering.why_not(eqn, strict):
        return ufuncs.ufunc
    return call


def work_of(program: Program) -> float:
    """How many elements are computed, about; a loop may go on for any time."""
    work = 0.0
    for eqn in program.equations:
        inner = sum(work_of(one) for _, one in programs_in(eqn.params))
        if eqn.primitive.name in ("loop", "while"):
            length = getattr(eqn.params.get("plan"), "length", None)
            inner *= LONG_WORK if length is None else length
        work += max((prod(var.aval.shape) for var in eqn.outputs), default=0) + inner
    return work


def may_fail(step: Step) -> bool:
    """Whether NumPy may have to run the call after this step."""
    return step.fails or any(may_fail(one) for inner in step.inner for one in inner)


def bases_of(steps: Sequence[Step]) -> Iterator[Place | Address]:
    for step in steps:
        yield from (operand.base for operand in step.operands)
        for inner in step.inner:
            yield from bases_of(inner)


def with_copies(program: Program, known: dict[Atom, Array]) -> Program:
    """The program with a copy before each reshape that can't be a view, and numbers that are
    looked at as arrays in memory; ``known`` gets their stand-ins.
    """
    equations: list[Equation] = []
    constants = dict(program.constants)
    for eqn in program.equations:
        source = eqn.inputs[0] if is_view(eqn) else None
        if isinstance(source, Literal):
            made = Var(Aval((), source.aval.dtype))
            known[made] = constants[made] = np.asarray(source.value, source.aval.dtype)
            eqn = Equation(eqn.primitive, (made,), eqn.outputs, eqn.params, eqn.source)
        elif (
            eqn.primitive is reshape and source is not None and view_of(eqn, known[source]) is None
        ):
            made = Var(source.aval)
            known[made] = np.empty(source.aval.shape, source.aval.dtype)
            equations.append(Equation(copy, (source,), (made,), {}, eqn.source))
            eqn = Equation(reshape, (made,), eqn.outputs, eqn.params, eqn.source)
        equations.append(eqn)
    return replace(program, equations=tuple(equations), constants=constants)


def own_memory(program: Program, known: Mapping[Atom, Any]) -> list[Var | None]:
    """For each result the value in whose memory it lies, from the first byte to the last, if the
    program makes that and no other result lies there; else None.
    """
    roots: dict[Atom, Atom] = {}
    for eqn in program.equations:
        if is_view(eqn):
            roots[eqn.outputs[0]] = roots.get(eqn.inputs[0], eqn.inputs[0])
    made = {var for eqn in program.equations if not is_view(eqn) for var in eqn.outputs}
    counted = Counter(roots.get(atom, atom) for atom in program.outputs)
    found: list[Var | None] = []
    for atom in program.outputs:
        root = roots.get(atom, atom)
        own = root in made and counted[root] == 1
        own = own and (atom is root or covers(as_array(known[atom]), as_array(known[root])))
        found.append(root if own and isinstance(root, Var) else None)
    return found


def covers(view: Array, base: Array) -> bool:
    """Whether a view is all of an array without gaps, from its first byte on."""
    if not view.ndim or view.nbytes != base.nbytes or view.itemsize != base.itemsize:
        return False
    return compact(view) and compact(base)


def compact(array: Array) -> bool:
    """Whether an array lies without gaps, its first element first."""
    expected = array.itemsize
    for axis in sorted(range(array.ndim), key=lambda k: array.strides[k]):
        if array.shape[axis] != 1:
            if array.strides[axis] != expected:
                return False
            expected *= array.shape[axis]
    return True


def alike(one: Seen, want: Array) -> bool:
    view = one.view
    return (
        one.offset == 0
        and view.shape == want.shape
        and view.nbytes == want.nbytes
        and view.strides == want.strides
        and view.itemsize == want.itemsize
    )


def as_array(value: Any) -> Array:
    """A number as an array without axes, of the dtype that it has in memory."""
    return value if isinstance(value, np.ndarray) else np.empty((), aval_of(value).dtype)


def check_type(expected: Aval, value: Any) -> None:
    """Lengths that follow from values may be others than those recorded."""
    got = aval_of(value)
    if (expected.shape, expected.dtype) != (got.shape, got.dtype):
        raise NotLowered(f"{got} where {expected} was recorded")
    if got.dtype not in DTYPES or not got.dtype.isnative:
        raise NotLowered(f"machine code knows no {got.dtype}")
    if isinstance(value, np.ndarray) and (type(value) is not np.ndarray or not value.flags.aligned):
        raise NotLowered("an array of another type, or not aligned")
