"""Loops over arrays whose number of axes only the step knows.

The parameters of such a step are, from some word on: the number of axes, their lengths, and the
strides of each operand along them, in bytes. The function of the step does the innermost axis
itself, and ``onward`` takes its pointers to the next place along the others. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import i32, i64, load, low, ptr, store

RANKS = 64  # axes at most


@low
def begin(
    walk: ptr, low: i64, high: i64, lengths: ptr, counts: ptr, pointers: ptr, number: i64
) -> ptr:
    """Start a walk from ``low`` to ``high`` of the outermost axis; gives where the strides stand.

    ``walk``: the parameters. ``lengths``, ``counts``: room for as many words as there may be axes.
    ``pointers``: those of the operands, ``number`` in all.
    """
    rank = load(i64, walk)
    strides = walk + 8 * (1 + rank)
    for axis in range(rank):
        store(i64, load(i64, walk, 8 * (1 + axis)), lengths, 8 * axis)
        store(i64, 0, counts, 8 * axis)
    store(i64, high - low, lengths)
    for i in range(number):
        start = load(ptr, pointers, 8 * i) + low * load(i64, strides, 8 * i * rank)
        store(ptr, start, pointers, 8 * i)
    return strides


@low
def onward(rank: i64, lengths: ptr, counts: ptr, pointers: ptr, strides: ptr, number: i64) -> i32:
    """Go on by one place along all axes but the last; 0 if that was the end."""
    axis = rank - 2
    while axis >= 0:
        count = load(i64, counts, 8 * axis) + 1
        length = load(i64, lengths, 8 * axis)
        back = 0
        if count == length:
            count = 0
            back = length
        store(i64, count, counts, 8 * axis)
        for i in range(number):
            stride = load(i64, strides, 8 * (i * rank + axis))
            moved = load(ptr, pointers, 8 * i) + (1 - back) * stride
            store(ptr, moved, pointers, 8 * i)
        if back == 0:
            return 1
        axis -= 1
    return 0
