"""What several kinds of calls are made of: copies of blocks, casts, elementwise nests of their own.

Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ....core.aval import aval_of
from ....core.program import Equation, Literal, Var
from ....ops.arithmetic import astype
from ..nest import Nest, nest_of
from ..scalars import NotLowered
from ..steps import GRAIN, Array, Operand, Place, Seen, Step

Pair = tuple[Operand, Array]
RANKS = 60  # axes that a walk of the runtime has room for, with some to spare


def walk(lengths: Sequence[int], strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The parameters of a walk of the runtime; there is an axis at least."""
    if len(lengths) > RANKS:
        raise NotLowered("an array with too many axes")
    if not lengths:
        lengths, strides = [1], [[0] for _ in strides]
    return (len(lengths), *lengths, *(stride for own in strides for stride in own))


def merged(
    shape: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]]]:
    """Axes in their order, as few as can be: what lies without gaps in all operands is one."""
    lengths: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        here = [own[axis] for own in strides]
        if lengths and all(own[-1] == s * length for own, s in zip(steps, here, strict=True)):
            lengths[-1] *= length
            for own, stride in zip(steps, here, strict=True):
                own[-1] = stride
        else:
            lengths.append(length)
            for own, stride in zip(steps, here, strict=True):
                own.append(stride)
    return lengths, steps


def split(lengths: Sequence[int], grain: int = GRAIN) -> dict[str, int]:
    """How far the outermost loop of a walk is to be split, as fields of a step."""
    total = int(np.prod(lengths, dtype=np.int64)) if lengths else 1
    if total < 2 * grain:
        return {"extent": lengths[0] if lengths else 1}
    return {"extent": lengths[0], "grain": max(1, grain * lengths[0] // total)}


def blocks(
    size: int, lengths: list[int], strides: list[list[int]]
) -> tuple[int, list[int], list[list[int]]]:
    """The innermost axis as one block, where the first two operands lie in one piece along it and
    the others do not move.
    """
    if lengths and all(own[-1] == size for own in strides[:2]):
        if not any(own[-1] for own in strides[2:]):
            return size * lengths[-1], lengths[:-1], [own[:-1] for own in strides]
    return size, lengths, strides


def copied(source: Pair, target: Pair) -> Iterator[Step]:
    """The step that copies an array, broadcast, to where another lies, without a cast."""
    (operand, view), (to, known) = source, target
    assert view.dtype == known.dtype
    if not known.size:
        return
    lengths, strides = nest_of(known.shape, [known.strides, broadcast(view, known.shape)])
    size, lengths, strides = blocks(known.itemsize, lengths, strides)
    grain = max(1, GRAIN * known.itemsize // size)
    params = (size, *walk(lengths, strides))
    yield Step("copy_blocks", (to, operand), params, runtime=True, **split(lengths, grain))


def broadcast(view: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array that is broadcast, leading axes of length 1 in excess dropped."""
    while view.ndim > len(shape) and view.shape[0] == 1:
        view = view[0]
    return tuple(np.broadcast_to(view, shape).strides)


def mapped(
    equations: Sequence[Equation],
    reads: Mapping[Var, Pair],
    writes: Mapping[Var, Pair],
    strict: bool,
) -> Step:
    """The step of a nest of elementwise equations of our own."""
    where = {var: pair[0] for var, pair in (*reads.items(), *writes.items())}
    seen = {var: Seen(var, 0, view) for var, (_, view) in reads.items()}
    stored = {var: view for var, (_, view) in writes.items()}
    return Nest(equations, seen, stored, where.__getitem__, strict).step()


def constant(draft: Any, value: Array) -> Pair:
    """An array that the program holds."""
    draft.constants.append(value)
    return Operand(Place("constant", len(draft.constants) - 1)), value


def cast(given: Pair, atom: Any, dtype: Any, draft: Any, steps: list[Step]) -> Pair:
    """An operand as ``dtype``; ``steps`` gets what computes it. ``atom``: what it is in the
    equation, for Python's numbers have a dtype of their own.
    """
    operand, view = given
    if isinstance(atom, Literal):
        try:
            with np.errstate(all="ignore"):
                return constant(draft, np.asarray(atom.value, dtype))
        except (OverflowError, TypeError, ValueError) as error:
            raise NotLowered(str(error)) from None
    if view.dtype == dtype:
        return given
    known = np.empty_like(view, dtype)
    target = draft.scratch(max(known.nbytes, 16))
    x, y = Var(atom.aval), Var(aval_of(known))
    eqn = Equation(astype, (x,), (y,), {"dtype": np.dtype(dtype)})
    steps.append(mapped([eqn], {x: given}, {y: (target, known)}, draft.strict))
    return target, known
