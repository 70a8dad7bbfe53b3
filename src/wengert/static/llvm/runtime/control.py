"""Control flow: steps that run other steps, which use the same frame.

What a loop hands from trip to trip is read through slots of the frame that move: an element of a
stack lies behind its slot's pointer, which advances; the two sides of a carry change their slots'
pointers. The numbers of such things stand at the end of a step, for the operands before them are
as many as a loop needs. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import (
    cast,
    copy,
    extern,
    f32,
    f64,
    i8,
    i32,
    i64,
    load,
    low,
    ptr,
    store,
    unsigned,
)
from .execute import DONE, FALL_BACK, OPERANDS, RAISED, SIZE, execute, operand

CHECKED = 1 << 14  # trips of an unbounded loop after which a signal may be waiting
SWAP, KEEP, MOVE = 4, 2, 2  # operands for a carry that swaps, that stays, and for a stack
MOST = 1 << 62  # bytes

allocated = extern("malloc", "ptr", "i64")
released = extern("free", "void", "ptr")
ensure = extern("PyGILState_Ensure", "i32")
release = extern("PyGILState_Release", "void", "i32")
signals = extern("PyErr_CheckSignals", "i32")


@low
def tail(step: ptr, number: i64) -> i64:
    """The word so many words before the end of a step."""
    return load(i64, step, load(i64, step, SIZE) - 8 * number)


@low
def slot(frame: ptr, step: ptr, number: i64) -> ptr:
    """Where the frame has the pointer of an operand."""
    return frame + 8 * load(i64, step, OPERANDS + 16 * number)


@low
def moved(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Copy bytes: (from, to), their number."""
    source = operand(frame, step, 0)
    target = operand(frame, step, 1)
    if source != target:
        copy(target, source, tail(step, 1))
    return DONE


# --- what is handed from trip to trip -------------------------------------------------------------


@low
def start_carries(frame: ptr, step: ptr, first: i64, swaps: i64, keeps: i64) -> None:
    """Point the slots of the carries to where they start: (old, new, home of each) for those that
    swap, (slot, home) for those that stay.
    """
    for k in range(swaps):
        number = first + SWAP * k
        store(ptr, operand(frame, step, number + 2), slot(frame, step, number))
        store(ptr, operand(frame, step, number + 3), slot(frame, step, number + 1))
    for k in range(keeps):
        number = first + SWAP * swaps + KEEP * k
        store(ptr, operand(frame, step, number + 1), slot(frame, step, number))


@low
def turn_carries(frame: ptr, step: ptr, first: i64, swaps: i64) -> None:
    """What was new is old."""
    for k in range(swaps):
        old = slot(frame, step, first + SWAP * k)
        new = slot(frame, step, first + SWAP * k + 1)
        value = load(ptr, old)
        store(ptr, load(ptr, new), old)
        store(ptr, value, new)


# --- loops ----------------------------------------------------------------------------------------


@low
def repeat(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Run steps a number of times. Operands: that number; carries; (slot, stack) for each stack.

    At the end: strides of the stacks, numbers of swaps, of carries that stay, of stacks, whether it
    goes backwards, the steps.
    """
    count = load(i64, operand(frame, step, 0))
    swaps = tail(step, 5)
    keeps = tail(step, 4)
    stacks = tail(step, 3)
    inner = cast(ptr, tail(step, 1))
    start_carries(frame, step, 1, swaps, keeps)
    first = 1 + SWAP * swaps + KEEP * keeps
    start_stacks(frame, step, first, stacks, count - 1 if tail(step, 2) else 0)
    direction = -1 if tail(step, 2) else 1
    for _i in range(count):
        code = execute(frame, inner)
        if code != DONE:
            return code
        turn_carries(frame, step, 1, swaps)
        for k in range(stacks):
            place = slot(frame, step, first + MOVE * k)
            stride = direction * tail(step, 5 + stacks - k)
            store(ptr, load(ptr, place) + stride, place)
    return DONE


@low
def start_stacks(frame: ptr, step: ptr, first: i64, stacks: i64, element: i64) -> None:
    """Point the slots of the stacks to an element of each."""
    for k in range(stacks):
        start = operand(frame, step, first + MOVE * k + 1)
        stride = tail(step, 5 + stacks - k)
        store(ptr, start + element * stride, slot(frame, step, first + MOVE * k))


@low
def repeat_while(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Run steps for as long as others make a byte true. Operands: the byte, carries.

    At the end: numbers of swaps, of carries that stay, the steps of the condition, of the body.
    """
    swaps = tail(step, 4)
    test = cast(ptr, tail(step, 2))
    body = cast(ptr, tail(step, 1))
    start_carries(frame, step, 1, swaps, tail(step, 3))
    trips = 0
    code = execute(frame, test)
    while code == DONE and load(i8, operand(frame, step, 0)) != 0:
        code = execute(frame, body)
        if code == DONE:
            turn_carries(frame, step, 1, swaps)
            trips += 1
            if trips % CHECKED == 0 and interrupted():
                return RAISED
            code = execute(frame, test)
    return code


@low
def interrupted() -> i32:
    """Whether a signal's handler has raised an exception, as after Ctrl-C."""
    state = ensure()
    raised = signals()
    release(state)
    return raised


# --- branches, numbers, memory --------------------------------------------------------------------


@low
def choose(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Run one list of steps or another. Operand: a number; at the end: its size in bytes, whether
    it is a float, the steps if it is true, if it is 0.
    """
    place = operand(frame, step, 0)
    true = truth(place, tail(step, 4), tail(step, 3))
    return execute(frame, cast(ptr, tail(step, 2) if true else tail(step, 1)))


@low
def truth(place: ptr, size: i64, floating: i64) -> i32:
    """Whether a number is not 0."""
    if floating:
        if size == 4:
            return cast(f64, load(f32, place)) != 0.0
        return load(f64, place) != 0.0
    for k in range(size):
        if load(i8, place, k) != 0:
            return 1
    return 0


@low
def whole_number(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """An integer as one of 64 bits, at least 0: (from, to); its size in bytes, whether it has a
    sign.
    """
    place = operand(frame, step, 0)
    size = tail(step, 2)
    if size == 8:
        value = load(i64, place)
    else:
        value = cast_narrow(place, size, tail(step, 1))
    if value < 0:
        if not tail(step, 1):
            return FALL_BACK
        value = 0
    store(i64, value, operand(frame, step, 1))
    return DONE


@low
def cast_narrow(place: ptr, size: i64, signed: i64) -> i64:
    """An integer of less than 64 bits."""
    value = unsigned(i64, load(i8, place))
    for k in range(1, size):
        value = value | (unsigned(i64, load(i8, place, k)) << (8 * k))
    above = 64 - 8 * size
    if signed:
        value = (value << above) >> above
    return value


@low
def with_memory(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Run steps with memory for stacks. Operands: how many elements, a slot for each stack.

    At the end: sizes of the elements, number of stacks, the steps.
    """
    count = load(i64, operand(frame, step, 0))
    stacks = tail(step, 2)
    code = cast(i32, DONE)
    for k in range(stacks):
        store(ptr, 0, slot(frame, step, 1 + k))
    for k in range(stacks):
        size = tail(step, 2 + stacks - k)
        if code == DONE and count < MOST // (size + 1):
            store(ptr, allocated(count * size + 1), slot(frame, step, 1 + k))
        if load(ptr, slot(frame, step, 1 + k)) == 0:
            code = FALL_BACK  # NumPy says what is wrong
    if code == DONE:
        code = execute(frame, cast(ptr, tail(step, 1)))
    for k in range(stacks):
        released(load(ptr, slot(frame, step, 1 + k)))
    return code
