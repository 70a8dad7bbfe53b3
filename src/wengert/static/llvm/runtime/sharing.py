"""Operations of an entry that ask which arrays share memory, and may be written into.

They are written as those of ``checks.py`` are. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import cast, i32, i64, load, low, ptr, stack, store
from ..objects import (
    BASE,
    DATA,
    DTYPE,
    FLAGS,
    ITEM_SIZE,
    LENGTHS,
    OWNS_DATA,
    RANK,
    STRIDES,
    WRITEABLE,
)
from .checks import at, word
from .entry import DONE, FIRST, MISS, inc_ref
from .results import kept


@low
def check_distinct(memory: ptr, here: ptr) -> i32:
    """No two of some registers hold one object. Operands: how many, the registers, and as many
    words in which what they held last is noted: most often that is the same.
    """
    count = word(here, 0)
    last = here + (FIRST + 8 + 8 * count)
    new = 0
    for i in range(count):
        if load(i64, at(memory, here, 1 + i)) != load(i64, last, 8 * i):
            new = 1
    if new == 0:
        return DONE
    for i in range(count):
        one = load(i64, at(memory, here, 1 + i))
        for k in range(i):
            if load(i64, at(memory, here, 1 + k)) == one:
                return MISS
    for i in range(count):
        store(i64, load(i64, at(memory, here, 1 + i)), last, 8 * i)
    return DONE


@low
def check_unbased(memory: ptr, here: ptr) -> i32:
    """Arrays that are no views. Operands: how many, the registers."""
    for i in range(word(here, 0)):
        if load(i64, load(ptr, at(memory, here, 1 + i)), BASE) != 0:
            return MISS
    return DONE


@low
def check_apart(memory: ptr, here: ptr) -> i32:
    """Arrays of which no two share memory. Operands: how many, the registers."""
    for i in range(word(here, 0)):
        one = load(ptr, at(memory, here, 1 + i))
        for k in range(i):
            if apart(one, load(ptr, at(memory, here, 1 + k))) == 0:
                return MISS
    return DONE


@low
def check_writeable(memory: ptr, here: ptr) -> i32:
    """An array that may be written into. Operand: the register."""
    if load(i32, load(ptr, at(memory, here, 0)), FLAGS) & WRITEABLE:
        return DONE
    return MISS


@low
def apart(a: ptr, b: ptr) -> i32:
    """Whether two arrays are sure to share no memory: each has its own, or they lie apart."""
    if a == b:
        return 0
    if load(i64, a, BASE) == 0 and load(i64, b, BASE) == 0:
        return 1
    ends = stack(32)
    extent(a, ends)
    extent(b, ends + 16)
    if load(i64, ends, 8) <= load(i64, ends, 16) or load(i64, ends, 24) <= load(i64, ends):
        return 1
    return 0


@low
def extent(x: ptr, ends: ptr) -> None:
    """The address of the first byte of an array, and the one after the last."""
    start = load(i64, x, DATA)
    stop = start + load(i64, load(ptr, x, DTYPE), ITEM_SIZE)
    lengths = load(ptr, x, LENGTHS)
    strides = load(ptr, x, STRIDES)
    for i in range(cast(i64, load(i32, x, RANK))):
        length = load(i64, lengths, 8 * i)
        reach = (length - 1) * load(i64, strides, 8 * i)
        if length == 0:
            reach = 0
        if reach < 0:
            start = start + reach
        else:
            stop = stop + reach
    store(i64, start, ends)
    store(i64, stop, ends, 8)


@low
def take_over(memory: ptr, here: ptr) -> i32:
    """Let a result be written into the memory of an array, if nobody else sees it there; else the
    register stays empty, and a new array is made. Operands: register, slot, the array, how many
    references to it there are if it is held once (0: it may be held by others, who expect the
    write), how many other arrays the program reads, their registers.
    """
    x = load(ptr, at(memory, here, 2))
    flags = load(i32, x, FLAGS)
    if flags & WRITEABLE == 0:
        return DONE
    once = word(here, 3)
    if once != 0 and (load(i64, x) != once or flags & OWNS_DATA == 0):
        return DONE
    for i in range(word(here, 4)):
        if apart(x, load(ptr, at(memory, here, 5 + i))) == 0:
            return DONE
    store(ptr, load(ptr, x, DATA), at(memory, here, 1))
    inc_ref(x)
    return kept(x, at(memory, here, 0))
