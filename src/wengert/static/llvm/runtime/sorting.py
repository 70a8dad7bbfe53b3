"""Orders and positions: NumPy's own sort by pointer, a search by halving, where a mask is true.

Layer: ``static``.
"""

from __future__ import annotations

from typing import TypeAlias

from ..lowlevel import call, copy, i32, i64, load, low, ptr, stack, store, typed
from .execute import DONE, OPERANDS, RAISED, operand
from .products import word
from .walk import begin, onward

key: TypeAlias = float


@low
def argsort(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """The positions that sort each row. Operands: the positions, the values, room for a row of
    each, NumPy's function. Parameters: the length of a row, the bytes of a value, the strides of
    positions and values along it, then the walk over the rows.
    """
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(16)
    store(ptr, operand(frame, step, 0), pointers)
    store(ptr, operand(frame, step, 1), pointers, 8)
    row_to = operand(frame, step, 2)
    row_from = operand(frame, step, 3)
    function = operand(frame, step, 4)
    length = word(step, 5, 0)
    size = word(step, 5, 1)
    to_step = word(step, 5, 2)
    from_step = word(step, 5, 3)
    rank = word(step, 5, 4)
    walk = step + (OPERANDS + 80 + 32)
    strides = begin(walk, low, high, lengths, counts, pointers, 2)
    nothing: ptr = 0
    more: i32 = 1
    while more != 0:
        last = load(i64, lengths, 8 * (rank - 1))
        for i in range(last):
            to = load(ptr, pointers) + i * load(i64, strides, 8 * (rank - 1))
            source = load(ptr, pointers, 8) + i * load(i64, strides, 8 * (2 * rank - 1))
            if from_step != size:
                for j in range(length):
                    copy(row_from + j * size, source + j * from_step, size)
                source = row_from
            for j in range(length):
                store(i64, j, row_to, 8 * j)
            if call(i32, function, source, row_to, length, nothing) != 0:
                return RAISED
            for j in range(length):
                store(i64, load(i64, row_to, 8 * j), to, j * to_step)
        more = onward(rank, lengths, counts, pointers, strides, 2)
    return DONE


def _searchsorted(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Where numbers would stand in a sorted row, NaN being the largest; where the row is not
    sorted, what NumPy's search finds, which starts from the bounds of the one before.

    Operands: the positions, the numbers, the rows. Parameters: the length of a row, its stride,
    whether equal ones come before, then the walk.
    """
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(24)
    for i in range(3):
        store(ptr, operand(frame, step, i), pointers, 8 * i)
    length = word(step, 3, 0)
    stride = word(step, 3, 1)
    after = word(step, 3, 2)
    rank = word(step, 3, 3)
    walk = step + (OPERANDS + 48 + 24)
    strides = begin(walk, low, high, lengths, counts, pointers, 3)
    to_step = load(i64, strides, 8 * (rank - 1))
    from_step = load(i64, strides, 8 * (2 * rank - 1))
    row_step = load(i64, strides, 8 * (3 * rank - 1))
    count = load(i64, lengths, 8 * (rank - 1))
    first = 0
    last = length
    before: ptr = 0  # the row that the bounds are of
    known = load(key, load(ptr, pointers, 8))
    more: i32 = 1
    while more != 0:
        for i in range(count):
            row = load(ptr, pointers, 16) + i * row_step
            wanted = load(key, load(ptr, pointers, 8), i * from_step)
            larger = known < wanted or (wanted != wanted and known == known)
            if after != 0:
                larger = not (wanted < known or (known != known and wanted == wanted))
            if row != before:
                first = 0
                last = length
            elif larger:
                last = length
            else:
                first = 0
                last = last + 1 if last < length else length
            before = row
            known = wanted
            while first < last:
                middle = first + ((last - first) >> 1)
                there = load(key, row, middle * stride)
                below = there < wanted or (wanted != wanted and there == there)
                if after != 0:
                    below = not (wanted < there or (there != there and wanted == wanted))
                if below:
                    first = middle + 1
                else:
                    last = middle
            store(i64, first, load(ptr, pointers), i * to_step)
        more = onward(rank, lengths, counts, pointers, strides, 3)
    return DONE


searchsorted_f32, searchsorted_f64 = (
    typed(_searchsorted, key="f32"),
    typed(_searchsorted, key="f64"),
)
searchsorted_i64 = typed(_searchsorted, key="i64")
