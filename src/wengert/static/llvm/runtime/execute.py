"""Runs the steps of a program, one after another.

A step is a record of words: the address of its function, its own size in bytes, the range of its
outer loop, and how much of that a thread should have at least; then its operands, two words each
(slot, offset), and what else the function wants to know. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import call, i32, i64, load, low, ptr
from .pool import split

SIZE, LOW, HIGH, GRAIN, OPERANDS = 8, 16, 24, 32, 40  # where they stand in a step, in bytes
DONE, FALL_BACK, RAISED = 0, 1, 2  # what a step gives: NumPy must run the call, an exception is set


@low
def execute(frame: ptr, steps: ptr) -> i32:
    """Call each step until one gives another code than ``DONE``, which is given. A step that two
    threads have enough to do with may be done by several.
    """
    step = steps
    while load(i64, step) != 0:
        high = load(i64, step, HIGH)
        grain = load(i64, step, GRAIN)
        if grain > 0 and high >= 2 * grain:
            code = split(frame, step)
        else:
            code = call(i32, load(ptr, step), frame, step, load(i64, step, LOW), high)
        if code != DONE:
            return code
        step = step + load(i64, step, SIZE)
    return DONE


@low
def operand(frame: ptr, step: ptr, number: i64) -> ptr:
    """The address of an operand."""
    words = step + (OPERANDS + 16 * number)
    return load(ptr, frame, 8 * load(i64, words)) + load(i64, words, 8)
