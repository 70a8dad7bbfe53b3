"""Arrays put together, and diagonals: copies into parts of a result. Layer: ``static``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....core.aval import aval_of
from ....core.program import Equation, Literal, Var
from ....ops.arithmetic import astype
from ..steps import Array, Operand, Step
from . import CALLS, WHY_NOT, Given
from .walks import Pair, cast, constant, copied, mapped, regular, seen


def part_of(whole: Pair, view: Array) -> Pair:
    """A part of an array in memory, which ``view`` shows of the stand-in."""
    operand, known = whole
    offset = view.ctypes.data - known.ctypes.data if view.size else 0
    return Operand(operand.base, operand.offset + offset), view


def put(given: Pair, atom: Any, target: Pair, draft: Any) -> Iterator[Step]:
    """An operand of an equation copied to ``target``, in whose dtype."""
    dtype = target[1].dtype
    if isinstance(atom, Literal) or given[1].dtype == dtype:
        yield from copied(cast(given, atom, dtype, draft, []), target)
    elif target[1].size:
        x, y = Var(atom.aval), Var(aval_of(target[1]))
        eqn = Equation(astype, (x,), (y,), {"dtype": dtype})
        yield mapped([eqn], {x: given}, {y: target}, draft.strict)


def concatenate(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """Each array after the one before."""
    axis, whole = eqn.params["axis"], results[0]
    for one, atom, start in zip(operands, eqn.inputs, eqn.params["starts"], strict=True):
        place = slice(start, start + one[1].shape[axis])
        view = whole[1][(slice(None),) * axis + (place,)]
        if one[0] != (target := part_of(whole, view))[0]:  # else it was computed there
            yield from put(one, atom, target, draft)


def stack(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """Each array beside the one before."""
    axis, whole = eqn.params["axis"], results[0]
    if (together := windows(operands, axis, whole)) is not None:
        if together[0][0] != whole[0]:  # else all of it was computed there
            yield from copied(*together)
        return
    for number, (one, atom) in enumerate(zip(operands, eqn.inputs, strict=True)):
        view = whole[1][(slice(None),) * axis + (number, ...)]
        if one[0] != (target := part_of(whole, view))[0]:
            yield from put(one, atom, target, draft)


def windows(operands: Given, axis: int, whole: Pair) -> tuple[Pair, Pair] | None:
    """The operands of a stack as one array, where they are parts of one that lie regularly, as the
    windows of a convolution do: that, and the stack with as many axes.
    """
    (first, view), known = operands[0], whole[1]
    if first.base == whole[0].base:  # one of them was computed where it comes to lie
        return None
    alike = ((first.base, view.dtype, view.strides), known.dtype)
    if any(((o.base, v.dtype, v.strides), v.dtype) != alike for o, v in operands[1:]):
        return None
    inner = regular([operand.offset for operand, _ in operands])
    if inner is None or len(operands) == 1:
        return None
    lengths, strides = ([pair[i] for pair in inner] for i in (0, 1))
    shape = (*view.shape[:axis], *lengths, *view.shape[axis:])
    to = known.reshape(shape)
    if not np.may_share_memory(to, known):
        return None
    around = (*view.strides[:axis], *strides, *view.strides[axis:])
    return (first, seen(view, shape, around)), (whole[0], to)


def diagonal(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The diagonals of matrices."""
    (x,) = operands
    yield from copied(part_of(x, np.diagonal(x[1], eqn.params["offset"], -2, -1)), results[0])


def embed_diagonal(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """Matrices that are zero but for a diagonal."""
    (x,), whole = operands, results[0]
    yield from copied(constant(draft, np.zeros((), whole[1].dtype)), whole)
    view = np.diagonal(whole[1], eqn.params["offset"], -2, -1)
    yield from copied(x, part_of(whole, view))


def why_not(eqn: Equation, strict: bool) -> str:
    """Why arrays can't be joined in machine code: they always can."""
    return ""


def why_not_diagonal(eqn: Equation, strict: bool) -> str:
    """Why a diagonal can't be machine code."""
    return "of a number" if isinstance(eqn.inputs[0], Literal) else ""


CALLS.update(concatenate=concatenate, stack=stack)
CALLS.update(diagonal=diagonal, embed_diagonal=embed_diagonal)
WHY_NOT.update(concatenate=why_not, stack=why_not)
WHY_NOT.update(diagonal=why_not_diagonal, embed_diagonal=why_not_diagonal)
