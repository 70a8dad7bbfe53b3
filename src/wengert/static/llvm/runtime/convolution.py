"""The discrete convolution of two rows. Layer: ``static``."""

from __future__ import annotations

from typing import TypeAlias

from ..lowlevel import cast, i32, i64, load, ptr, sizeof, store, typed
from .execute import DONE, operand
from .products import word

number: TypeAlias = float


def _convolve(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Operands: the result, the longer row, the shorter one, each in one piece. Parameters: their
    lengths n and m. The result is the sum of the longer one times each element of the other.
    """
    to = operand(frame, step, 0)
    a = operand(frame, step, 1)
    v = operand(frame, step, 2)
    n = word(step, 3, 0)
    m = word(step, 3, 1)
    zero = cast(number, 0)
    for i in range(n + m - 1):
        store(number, zero, to, sizeof(number) * i)
    for j in range(m):
        factor = load(number, v, sizeof(number) * j)
        row = to + sizeof(number) * j
        for i in range(n):
            more = factor * load(number, a, sizeof(number) * i)
            store(number, load(number, row, sizeof(number) * i) + more, row, sizeof(number) * i)
    return DONE


convolve_f32, convolve_f64 = typed(_convolve, number="f32"), typed(_convolve, number="f64")
convolve_i32, convolve_i64 = typed(_convolve, number="i32"), typed(_convolve, number="i64")
