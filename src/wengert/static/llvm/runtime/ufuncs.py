"""The loops of NumPy's and SciPy's ufuncs, called by pointer. Layer: ``static``."""

from __future__ import annotations

from ..lowlevel import call, i32, i64, load, low, ptr, stack, store
from .execute import OPERANDS, RAISED, SIZE, operand
from .walk import begin, onward

LOOP, CONTEXT, EXTRA = 0, 8, 16  # where they stand in what NumPy tells about a loop


@low
def ufunc(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """One ufunc. Operands: what NumPy tells about its loop, then the arguments and the results.
    Parameters: the walk, then how many arrays there are.
    """
    lengths = stack(512)
    counts = stack(512)
    pointers = stack(256)
    given = stack(256)
    inner_strides = stack(256)
    number = load(i64, step + load(i64, step, SIZE), -8)
    told = operand(frame, step, 0)
    loop = load(ptr, told, LOOP)
    context = load(ptr, told, CONTEXT)
    extra = load(ptr, told, EXTRA)
    for i in range(number):
        store(ptr, operand(frame, step, i + 1), pointers, 8 * i)
    walk = step + (OPERANDS + 16 * (number + 1))
    rank = load(i64, walk)
    strides = begin(walk, low, high, lengths, counts, pointers, number)
    for i in range(number):
        store(i64, load(i64, strides, 8 * (i * rank + rank - 1)), inner_strides, 8 * i)
    count = lengths + 8 * (rank - 1)
    more: i32 = 1
    while more != 0:
        for i in range(number):  # a loop may change what it is given
            store(ptr, load(ptr, pointers, 8 * i), given, 8 * i)
        if call(i32, loop, context, given, count, inner_strides, extra) != 0:
            return RAISED
        more = onward(rank, lengths, counts, pointers, strides, number)
    return 0
