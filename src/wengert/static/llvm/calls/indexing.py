"""Reads and writes with an index: gathers, scatters, copies of parts. Layer: ``static``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ....core.aval import Aval, aval_of
from ....core.program import Equation, Literal, Var
from ....ops.arithmetic import add, astype
from ....ops.comparison import where
from ....ops.index import Slot
from ..nest import nest_of
from ..scalars import NotLowered
from ..steps import GRAIN, Array, Operand, Step
from . import CALLS, OVER, WHY_NOT, Given
from .access import Access, Index, index_of
from .walks import Pair, blocks, broadcast, cast, copied, mapped, merged, seen, walking

NUMBERS = {"f": "f32", "d": "f64", "F": "f32", "D": "f64"}  # what a sum is of, by its dtype
INNER = 1 << 12  # bytes: axes that are as short are gone along for each place of the index arrays
WORDS = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}


def why_not(eqn: Equation, strict: bool) -> str:
    """Why a read or a write can't be machine code."""
    indexed = {entry.number for entry in eqn.params["index"] if type(entry) is Slot}
    arrays = eqn.inputs[len(eqn.inputs) - len(indexed) :]
    if any(atom.aval.dtype.kind == "b" and not atom.aval.shape for atom in arrays):
        return "a single boolean as an index"
    if isinstance(eqn.inputs[0], Literal):
        return "an indexed number"
    return ""


def why_not_added(eqn: Equation, strict: bool) -> str:
    """Why an accumulating write can't be machine code."""
    x = eqn.inputs[0].aval.dtype
    if x.kind == "b":
        return "sums of booleans are NumPy's"
    if _sum_dtype(eqn) != x and len(eqn.inputs) > 2:
        return "a sum of another dtype"
    return why_not(eqn, strict)


def _sum_dtype(eqn: Equation) -> Any:
    """The dtype that NumPy adds in, or another that gives the same: a Python number is an array to
    ``np.add.at``, but a sum of two float32 is the same rounded once or twice.
    """
    x, v = eqn.inputs[0].aval.dtype, eqn.inputs[1]
    if isinstance(v, Literal) and x.kind in "fc" and v.aval.dtype.kind in "if":
        with np.errstate(all="ignore"):
            if x.type(v.value) == v.value:
                return x
    return np.result_type(x, v.aval.dtype)


# --- reading --------------------------------------------------------------------------------------


def getitem(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of ``x[index]`` with arrays in the index."""
    x, *arrays = operands
    to, known = results[0]
    access = Access(eqn, x, arrays, known.shape, draft)
    yield from access.steps
    if not known.size:
        return
    found = access.regular(known)
    if found is not None:
        yield from copied(found[0], (to, found[1]))
        return
    rows = [known.strides, access.strides, access.offset_strides]
    lengths, strides = nest_of(access.shape, rows)
    size, lengths, strides = blocks(known.itemsize, lengths, strides)
    given = (to, access.start, access.offsets[0])
    grain = max(1, GRAIN * known.itemsize // size)
    yield walking("gather_blocks", given, (size,), lengths, strides, grain=grain)


# --- writing --------------------------------------------------------------------------------------


def setitem(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of x with ``x[index] = v``."""
    dtype = results[0][1].dtype
    if operands[1][1].dtype.kind == "c" != dtype.kind:
        raise NotLowered("complex numbers lose their imaginary part")
    yield from _written(eqn, operands, results[0], dtype, draft)


def scatter_add(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of x with v added at ``x[index]``."""
    if why := why_not_added(eqn, draft.strict):
        raise NotLowered(why)
    yield from _written(eqn, operands, results[0], _sum_dtype(eqn), draft)


def _written(
    eqn: Equation, operands: Given, result: Pair, dtype: Any, draft: Any
) -> Iterator[Step]:
    """What is written into lies in the result's place, or is copied there; then v, as ``dtype``, is
    written or added.
    """
    x, v, *arrays = operands
    steps: list[Step] = []
    v = cast(v, eqn.inputs[1], dtype, draft, steps)
    if x[0] != result[0]:
        steps += copied(x, result)
    index = index_of(eqn, result[1], arrays)
    masked = len(arrays) == 1 and arrays[0][1].dtype.kind == "b"
    if not arrays or (masked and index.selected(v[1].shape) == 1):
        yield from steps
        yield from _write_part(eqn, index, v, result, arrays, draft.strict)
        return
    access = Access(eqn, result, arrays, v[1].shape, draft)
    if not (access.once or access.ordered):
        raise NotLowered("index arrays that are not in C order")
    yield from (*steps, *access.steps)
    if 0 in access.shape:
        return
    spread = v[0], seen(v[1], access.shape, broadcast(v[1], access.shape))
    if access.once or not draft.strict:
        found = access.regular(spread[1])
        if found is not None and (access.once or eqn.primitive.name == "scatter_add"):
            yield from _regular(eqn, (v[0], found[1]), found[0], draft.strict)
            return
    yield _scattered(eqn, access, spread, result[1])


def _regular(eqn: Equation, v: Pair, part: Pair, strict: bool) -> Iterator[Step]:
    """What is written or added where known offsets lie regularly. If they overlap, numbers are
    added one by one in an order of their own, and threads share what does not overlap.
    """
    if eqn.primitive.name == "setitem":
        yield from copied(v, part)
        return
    old, more = Var(aval_of(part[1])), Var(aval_of(v[1]))
    equations, made = _sum(old, more)
    step = mapped(equations, {old: part, more: v}, {made: part}, strict)
    lengths, (strides,) = nest_of(part[1].shape, [part[1].strides])
    inside = sum((n - 1) * abs(s) for n, s in zip(lengths[1:], strides[1:], strict=True))
    apart = bool(lengths) and abs(strides[0]) > inside
    yield step if apart else replace(step, grain=0)


def _write_part(
    eqn: Equation, index: Index, v: Pair, result: Pair, arrays: Sequence[Pair], strict: bool
) -> Iterator[Step]:
    """A part that slices select, or where a mask is true, which v has one number for."""
    operand, known = result
    taken = index.picked[0].axes if arrays else ()
    axes = index.around(taken, index.axes)
    shape = tuple(length for length, _ in axes)
    if 0 in shape:
        return
    ends = [length for length, _ in index.axes]
    strides = broadcast(v[1], index.around((1,) if arrays else (), ends))
    first, last = index.position, index.position + bool(arrays)
    strides = (*strides[:first], *(0 for _ in taken), *strides[last:])
    part = seen(known, shape, [stride for _, stride in axes])
    start = Operand(operand.base, operand.offset + index.offset)
    new = v[0], seen(v[1], shape, strides)
    if not arrays and eqn.primitive.name == "setitem":
        yield from copied(new, (start, part))
        return
    old, more, made = Var(aval_of(part)), Var(aval_of(new[1])), Var(aval_of(part))
    reads, equations, value = {old: (start, part), more: new}, list[Equation](), more
    if eqn.primitive.name == "scatter_add":
        equations, value = _sum(old, more)
    if arrays:
        mask = arrays[0][1]
        around = index.around(mask.strides, [0] * len(index.axes))
        spread = seen(mask, shape, around)
        chosen = Var(aval_of(spread))
        reads[chosen] = arrays[0][0], spread
        equations.append(Equation(where, (chosen, value, old), (made,), {}))
    else:
        made = value
    yield mapped(equations, reads, {made: (start, part)}, strict)


def _sum(old: Var, more: Var) -> tuple[list[Equation], Var]:
    """NumPy's sum, in the dtype of both, as the dtype of the first."""
    dtype = np.result_type(old.aval.dtype, more.aval.dtype)
    total, made = Var(Aval(old.aval.shape, dtype)), Var(old.aval)
    equations = [Equation(add, (old, more), (total,), {})]
    if dtype == old.aval.dtype:
        return equations, total
    return [*equations, Equation(astype, (total,), (made,), {"dtype": old.aval.dtype})], made


def _scattered(eqn: Equation, access: Access, v: Pair, known: Array) -> Step:
    """What is written or added at offsets, in the order of the index arrays."""
    rows = [access.strides, v[1].strides, access.offset_strides]
    axes = list(zip(access.shape, *rows, strict=True))
    first = access.index.position
    places = axes[first : first + len(access.places)]
    rest = [*axes[:first], *axes[first + len(access.places) :]]
    rest.sort(key=lambda axis: -abs(axis[1]))
    inner = [axis for axis in rest if axis[0] * abs(axis[1]) <= INNER]
    outer = [axis for axis in rest if axis[0] * abs(axis[1]) > INNER]
    given = (access.start, v[0], access.offsets[0])
    size = known.itemsize
    ordered = [*outer, *places, *inner]
    if eqn.primitive.name == "scatter_add":
        if known.dtype.kind == "c":
            ordered, size = [*ordered, (2, size // 2, size // 2, 0)], size // 2
        number = NUMBERS.get(known.dtype.char, WORDS.get(size, ""))
        return walking(f"add_at_{number}", given, (), *_columns(ordered))
    size, lengths, strides = blocks(size, *_columns(ordered))
    return walking("scatter_blocks", given, (size,), lengths, strides)


def _columns(axes: Sequence[tuple[int, ...]]) -> tuple[list[int], list[list[int]]]:
    """Lengths and strides of axes, as few as can be."""
    return merged([axis[0] for axis in axes], [[axis[i] for axis in axes] for i in (1, 2, 3)])


CALLS.update(getitem=getitem, setitem=setitem, scatter_add=scatter_add)
WHY_NOT.update(getitem=why_not, setitem=why_not, scatter_add=why_not_added)
OVER.update(setitem=0, scatter_add=0)
