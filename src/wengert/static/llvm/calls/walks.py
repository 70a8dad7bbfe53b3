"""What several kinds of calls are made of: copies of blocks, casts, elementwise nests of their own.

Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ....core.aval import aval_of
from ....core.program import Atom, Equation, Literal, Var
from ....ops.arithmetic import astype
from ..nest import Nest, copying, nest_of
from ..scalars import NotLowered
from ..steps import GRAIN, Array, Operand, Place, Seen, Step

Pair = tuple[Operand, Array]
ROW, MANY = 256, 1 << 10  # bytes of a row that is long, and how many others are many
AXES = 6  # that offsets may lie along
RANKS = 60  # axes that a walk of the runtime has room for, with some to spare


def walking(
    code: str,
    operands: Sequence[Operand],
    before: Sequence[int],
    lengths: Sequence[int],
    strides: Sequence[Sequence[int]],
    after: Sequence[int] = (),
    grain: int = 0,
    fails: bool = False,
) -> Step:
    """A step of a function of the runtime that walks: see ``runtime/walk.py``.

    ``before``, ``after``: its parameters around those of the walk. ``grain``: how many places a
    thread should have at least, 0 if the outermost axis must not be split.
    """
    if len(lengths) > RANKS:
        raise NotLowered("an array with too many axes")
    if not lengths:
        lengths, strides = [1], [[0] for _ in strides]
    flat = (stride for own in strides for stride in own)
    params = (*before, len(lengths), *lengths, *flat, *after)
    total, extent = prod(lengths), lengths[0]
    part = max(1, grain * extent // total) if 0 < 2 * grain <= total else 0
    return Step(code, tuple(operands), params, extent, part, fails=fails, runtime=True)


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


def blocks(
    size: int, lengths: list[int], strides: list[list[int]]
) -> tuple[int, list[int], list[list[int]]]:
    """The innermost axis as one block, where the first two operands lie in one piece along it and
    the others do not move.
    """
    last = [own[-1] for own in strides] if lengths else []
    if last[:2] == [size, size] and not any(last[2:]):
        return size * lengths[-1], lengths[:-1], [own[:-1] for own in strides]
    return size, lengths, strides


def copied(source: Pair, target: Pair) -> Iterator[Step]:
    """The step that copies an array, broadcast, to where another lies, without a cast.

    Where there is much to copy and it does not lie in long rows, that is a nest, which is made for
    these lengths; else a function of the runtime, which costs nothing to compile.
    """
    (operand, view), (to, known) = source, target
    assert view.dtype == known.dtype
    if not known.size:
        return
    rows = [known.strides, broadcast(view, known.shape)]
    lengths, strides = nest_of(known.shape, rows)
    size, lengths, strides = blocks(known.itemsize, lengths, strides)
    if size < ROW and prod(lengths) > MANY:
        yield copying(operand, seen(view, known.shape, rows[1]), to, known, True)
        return
    grain = max(1, GRAIN * known.itemsize // size)
    yield walking("copy_blocks", (to, operand), (size,), lengths, strides, grain=grain)


def seen(view: Array, shape: Sequence[int], strides: Sequence[int]) -> Array:
    """A stand-in that lies as said."""
    return np.lib.stride_tricks.as_strided(view, shape, strides, writeable=False)


def regular(offsets: Sequence[int]) -> list[tuple[int, int]] | None:
    """Axes (length, stride) along which offsets lie, counted from the first, the last axis
    innermost; None if they do not lie so.
    """
    axes: list[tuple[int, int]] = []
    left = np.asarray(offsets)
    while len(left) > 1:
        stride = left[1] - left[0]
        breaks = np.flatnonzero(np.diff(left) != stride)
        length = int(breaks[0]) + 1 if len(breaks) else len(left)
        if len(left) % length:
            return None
        rows = left.reshape(-1, length)
        if len(axes) == AXES or np.any(rows - rows[:, :1] != stride * np.arange(length)):
            return None
        axes.insert(0, (length, int(stride)))
        left = rows[:, 0]
    return axes


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
    where: dict[Atom, Operand] = {var: pair[0] for var, pair in (*reads.items(), *writes.items())}
    seen: dict[Atom, Seen] = {var: Seen(var, 0, view) for var, (_, view) in reads.items()}
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
    view = given[1]
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
