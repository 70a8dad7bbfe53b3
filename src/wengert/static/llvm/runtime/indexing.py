"""Elements copied from place to place: strided copies, gathers, scatters, where an index points.

What is copied are blocks of so many bytes: elements, or rows that lie in one piece. A gather or a
scatter adds an offset in bytes to each place, read from an array that ``offsets`` or
``mask_offsets`` has filled. Layer: ``static``.
"""

from __future__ import annotations

from typing import TypeAlias

from ..lowlevel import copy, i8, i32, i64, load, low, ptr, sizeof, stack, store, typed
from .execute import DONE, FALL_BACK, OPERANDS, operand
from .products import word
from .walk import begin, onward

block: TypeAlias = int
number: TypeAlias = float


def _moved(to: ptr, source: ptr, count: i64, to_step: i64, source_step: i64) -> None:
    """Elements that are so many bytes apart."""
    for i in range(count):
        store(block, load(block, source, i * source_step), to, i * to_step)


def _gathered(
    to: ptr, source: ptr, at: ptr, count: i64, to_step: i64, source_step: i64, at_step: i64
) -> None:
    """Elements of ``source``, each from where ``at`` says."""
    for i in range(count):
        place = i * source_step + load(i64, at, i * at_step)
        store(block, load(block, source, place), to, i * to_step)


def _scattered(
    to: ptr, source: ptr, at: ptr, count: i64, to_step: i64, source_step: i64, at_step: i64
) -> None:
    """Elements of ``source``, each to where ``at`` says."""
    for i in range(count):
        place = i * to_step + load(i64, at, i * at_step)
        store(block, load(block, source, i * source_step), to, place)


moved_i8, moved_i16 = typed(_moved, block="i8"), typed(_moved, block="i16")
moved_i32, moved_i64 = typed(_moved, block="i32"), typed(_moved, block="i64")
gathered_i8, gathered_i16 = typed(_gathered, block="i8"), typed(_gathered, block="i16")
gathered_i32, gathered_i64 = typed(_gathered, block="i32"), typed(_gathered, block="i64")
scattered_i8, scattered_i16 = typed(_scattered, block="i8"), typed(_scattered, block="i16")
scattered_i32, scattered_i64 = typed(_scattered, block="i32"), typed(_scattered, block="i64")


@low
def move_row(size: i64, to: ptr, source: ptr, count: i64, to_step: i64, source_step: i64) -> None:
    """``count`` blocks of ``size`` bytes."""
    if size == 1:
        moved_i8(to, source, count, to_step, source_step)
    elif size == 2:
        moved_i16(to, source, count, to_step, source_step)
    elif size == 4:
        moved_i32(to, source, count, to_step, source_step)
    elif size == 8:
        moved_i64(to, source, count, to_step, source_step)
    else:
        for i in range(count):
            copy(to + i * to_step, source + i * source_step, size)


@low
def gather_row(
    size: i64,
    to: ptr,
    source: ptr,
    at: ptr,
    count: i64,
    to_step: i64,
    source_step: i64,
    at_step: i64,
) -> None:
    """``count`` blocks of ``size`` bytes, each from where ``at`` says."""
    if size == 1:
        gathered_i8(to, source, at, count, to_step, source_step, at_step)
    elif size == 2:
        gathered_i16(to, source, at, count, to_step, source_step, at_step)
    elif size == 4:
        gathered_i32(to, source, at, count, to_step, source_step, at_step)
    elif size == 8:
        gathered_i64(to, source, at, count, to_step, source_step, at_step)
    else:
        for i in range(count):
            place = i * source_step + load(i64, at, i * at_step)
            copy(to + i * to_step, source + place, size)


@low
def scatter_row(
    size: i64,
    to: ptr,
    source: ptr,
    at: ptr,
    count: i64,
    to_step: i64,
    source_step: i64,
    at_step: i64,
) -> None:
    """``count`` blocks of ``size`` bytes, each to where ``at`` says."""
    if size == 1:
        scattered_i8(to, source, at, count, to_step, source_step, at_step)
    elif size == 2:
        scattered_i16(to, source, at, count, to_step, source_step, at_step)
    elif size == 4:
        scattered_i32(to, source, at, count, to_step, source_step, at_step)
    elif size == 8:
        scattered_i64(to, source, at, count, to_step, source_step, at_step)
    else:
        for i in range(count):
            place = i * to_step + load(i64, at, i * at_step)
            copy(to + place, source + i * source_step, size)


# --- steps ----------------------------------------------------------------------------------------


@low
def copy_blocks(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Operands: to, from. Parameters: the size of a block, then the walk."""
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(16)
    store(ptr, operand(frame, step, 0), pointers)
    store(ptr, operand(frame, step, 1), pointers, 8)
    size = word(step, 2, 0)
    rank = word(step, 2, 1)
    walk = step + (OPERANDS + 32 + 8)
    strides = begin(walk, low, high, lengths, counts, pointers, 2)
    to_step = load(i64, strides, 8 * (rank - 1))
    from_step = load(i64, strides, 8 * (2 * rank - 1))
    count = load(i64, lengths, 8 * (rank - 1))
    more: i32 = 1
    while more != 0:
        move_row(size, load(ptr, pointers), load(ptr, pointers, 8), count, to_step, from_step)
        more = onward(rank, lengths, counts, pointers, strides, 2)
    return DONE


@low
def offset_blocks(frame: ptr, step: ptr, low: i64, high: i64, gather: i64) -> i32:
    """Operands: to, from, offsets. Parameters: the size of a block, then the walk."""
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(24)
    for i in range(3):
        store(ptr, operand(frame, step, i), pointers, 8 * i)
    size = word(step, 3, 0)
    rank = word(step, 3, 1)
    walk = step + (OPERANDS + 48 + 8)
    strides = begin(walk, low, high, lengths, counts, pointers, 3)
    to_step = load(i64, strides, 8 * (rank - 1))
    from_step = load(i64, strides, 8 * (2 * rank - 1))
    at_step = load(i64, strides, 8 * (3 * rank - 1))
    count = load(i64, lengths, 8 * (rank - 1))
    more: i32 = 1
    while more != 0:
        to = load(ptr, pointers)
        source = load(ptr, pointers, 8)
        at = load(ptr, pointers, 16)
        if gather != 0:
            gather_row(size, to, source, at, count, to_step, from_step, at_step)
        else:
            scatter_row(size, to, source, at, count, to_step, from_step, at_step)
        more = onward(rank, lengths, counts, pointers, strides, 3)
    return DONE


@low
def gather_blocks(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """See ``offset_blocks``."""
    return offset_blocks(frame, step, low, high, 1)


@low
def scatter_blocks(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """See ``offset_blocks``."""
    return offset_blocks(frame, step, low, high, 0)


def _add_at(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Numbers added at offsets. Operands: to, what is added, offsets. Parameters: the walk."""
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(24)
    for i in range(3):
        store(ptr, operand(frame, step, i), pointers, 8 * i)
    rank = word(step, 3, 0)
    walk = step + (OPERANDS + 48)
    strides = begin(walk, low, high, lengths, counts, pointers, 3)
    to_step = load(i64, strides, 8 * (rank - 1))
    from_step = load(i64, strides, 8 * (2 * rank - 1))
    at_step = load(i64, strides, 8 * (3 * rank - 1))
    row = at_step == 0 and to_step == sizeof(number) and from_step == sizeof(number)
    count = load(i64, lengths, 8 * (rank - 1))
    more: i32 = 1
    while more != 0:
        to = load(ptr, pointers)
        source = load(ptr, pointers, 8)
        at = load(ptr, pointers, 16)
        if row:
            start = to + load(i64, at)
            for i in range(count):
                added = load(number, source, sizeof(number) * i)
                total = load(number, start, sizeof(number) * i) + added
                store(number, total, start, sizeof(number) * i)
        else:
            for i in range(count):
                place = i * to_step + load(i64, at, i * at_step)
                total = load(number, to, place) + load(number, source, i * from_step)
                store(number, total, to, place)
        more = onward(rank, lengths, counts, pointers, strides, 3)
    return DONE


add_at_f32, add_at_f64 = typed(_add_at, number="f32"), typed(_add_at, number="f64")
add_at_i8, add_at_i16 = typed(_add_at, number="i8"), typed(_add_at, number="i16")
add_at_i32, add_at_i64 = typed(_add_at, number="i32"), typed(_add_at, number="i64")


@low
def offsets(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Where the elements of an index array point, added to what stands there already; NumPy's
    error if one is out of range.

    Operands: the offsets, the index array of int64. Parameters: the length of the axis, its stride,
    whether what stands there counts, then the walk.
    """
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(16)
    store(ptr, operand(frame, step, 0), pointers)
    store(ptr, operand(frame, step, 1), pointers, 8)
    length = word(step, 2, 0)
    stride = word(step, 2, 1)
    added = word(step, 2, 2)
    rank = word(step, 2, 3)
    walk = step + (OPERANDS + 32 + 24)
    strides = begin(walk, low, high, lengths, counts, pointers, 2)
    to_step = load(i64, strides, 8 * (rank - 1))
    from_step = load(i64, strides, 8 * (2 * rank - 1))
    count = load(i64, lengths, 8 * (rank - 1))
    wrong = 0
    more: i32 = 1
    while more != 0:
        to = load(ptr, pointers)
        source = load(ptr, pointers, 8)
        for i in range(count):
            index = load(i64, source, i * from_step)
            index = index + length if index < 0 else index
            wrong = wrong | (0 if index >= 0 else 1) | (0 if index < length else 1)
            before = load(i64, to, i * to_step) if added != 0 else 0
            store(i64, before + index * stride, to, i * to_step)
        more = onward(rank, lengths, counts, pointers, strides, 2)
    if wrong != 0:
        return FALL_BACK
    return DONE


@low
def mask_offsets(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Where the true elements of a mask are; NumPy runs the call if they are not so many.

    Operands: the offsets, the mask. Parameters: how many, then the walk of the mask and of the
    array that the offsets are for.
    """
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(16)
    start: ptr = 0
    store(ptr, operand(frame, step, 1), pointers)
    store(ptr, start, pointers, 8)
    to = operand(frame, step, 0)
    expected = word(step, 2, 0)
    rank = word(step, 2, 1)
    walk = step + (OPERANDS + 32 + 8)
    strides = begin(walk, low, high, lengths, counts, pointers, 2)
    mask_step = load(i64, strides, 8 * (rank - 1))
    step_there = load(i64, strides, 8 * (2 * rank - 1))
    count = load(i64, lengths, 8 * (rank - 1))
    found = 0
    more: i32 = 1
    while more != 0:
        mask = load(ptr, pointers)
        place = load(i64, pointers, 8)
        for i in range(count):
            if load(i8, mask, i * mask_step) != 0:
                if found == expected:
                    return FALL_BACK
                store(i64, place + i * step_there, to, 8 * found)
                found += 1
        more = onward(rank, lengths, counts, pointers, strides, 2)
    if found != expected:
        return FALL_BACK
    return DONE
