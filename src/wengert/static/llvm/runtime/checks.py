"""Operations of an entry that look at objects: whether each is what the program was made for.

All have the signature of ``operated`` in ``entry.py``. Their operands begin at ``FIRST``; a place
in the memory of the call is given by its offset in bytes. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import cast, extern, i32, i64, load, low, ptr, stack, store
from ..objects import (
    DATA,
    DTYPE,
    FLAGS,
    LENGTHS,
    NUMBER,
    RANK,
    STRIDES,
    TYPE,
    TYPE_NUMBER,
)
from .entry import DONE, FIRST, MISS

clipped = extern("PyLong_AsLongLongAndOverflow", "i64", "ptr", "ptr")


@low
def at(memory: ptr, here: ptr, number: i64) -> ptr:
    """The place in the memory of the call that operand ``number`` says."""
    return memory + load(i64, here, FIRST + 8 * number)


@low
def word(here: ptr, number: i64) -> i64:
    """Operand ``number``."""
    return load(i64, here, FIRST + 8 * number)


@low
def check_array(memory: ptr, here: ptr) -> i32:
    """An array of a dtype and shape. Operands: its register, the type, the word of the dtype that
    holds its number and byte order, rank, flags, the slot for its data, whether strides are to be
    compared; then lengths, then pairs of axes and strides, of which the seventh is the number.
    """
    x = load(ptr, at(memory, here, 0))
    if load(i64, x, TYPE) != word(here, 1):
        return MISS
    flags = cast(i64, load(i32, x, FLAGS))
    rank = word(here, 3)
    if load(i64, load(ptr, x, DTYPE), TYPE_NUMBER) != word(here, 2):
        return MISS
    if cast(i64, load(i32, x, RANK)) != rank or (flags & word(here, 4)) != word(here, 4):
        return MISS
    lengths = load(ptr, x, LENGTHS)
    for i in range(rank):
        if load(i64, lengths, 8 * i) != word(here, 7 + i):
            return MISS
    strides = load(ptr, x, STRIDES)
    for i in range(word(here, 6)):
        axis = word(here, 7 + rank + 2 * i)
        if load(i64, strides, 8 * axis) != word(here, 8 + rank + 2 * i):
            return MISS
    store(ptr, load(ptr, x, DATA), at(memory, here, 5))
    return DONE


@low
def check_number(memory: ptr, here: ptr) -> i32:
    """A number that stands in its object: a float, a complex or one of NumPy's scalars. Operands:
    register, type, the slot that holds the address of its cell, whether it has two words.
    """
    x = load(ptr, at(memory, here, 0))
    if load(i64, x, TYPE) != word(here, 1):
        return MISS
    cell = load(ptr, at(memory, here, 2))
    store(i64, load(i64, x, NUMBER), cell)
    if word(here, 3):
        store(i64, load(i64, x, NUMBER + 8), cell, 8)
    return DONE


@low
def check_int(memory: ptr, here: ptr) -> i32:
    """A Python int of 64 bits. Operands: as of ``check_number``."""
    x = load(ptr, at(memory, here, 0))
    if load(i64, x, TYPE) != word(here, 1):
        return MISS
    beyond = stack(8)
    value = clipped(x, beyond)
    if load(i32, beyond) != 0:
        return MISS
    store(i64, value, load(ptr, at(memory, here, 2)))
    return DONE


@low
def check_bool(memory: ptr, here: ptr) -> i32:
    """True or False. Operands: register, True, the slot of its cell, False."""
    x = load(i64, at(memory, here, 0))
    if x != word(here, 1) and x != word(here, 3):
        return MISS
    store(i64, x == word(here, 1), load(ptr, at(memory, here, 2)))
    return DONE
