"""Philox4x64-10, the counter-based generator: random words as a function of a key and a counter.

A block of four 64-bit words is a bijection of a 256-bit counter under a 128-bit key, so any part of
any stream is computed without what comes before it. One stream is left to the machine code of
``np.random.Philox``; many short ones, of the examples of a ``vmap``, are computed side by side.
Layer: ``ops``; NumPy only.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as
1, 2, 3, SC11 (2011), doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint64]]

ROUNDS = 10
BLOCK = 4  # words
MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
KEY_STEPS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
HALF, LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
LOOP_FROM = 32  # words a stream from which a loop over the streams is faster than side by side


def product(a: Any, b: Any) -> tuple[Any, Any]:
    """The high and the low 64 bits of the product of unsigned words."""
    a_high, a_low, b_high, b_low = a >> HALF, a & LOW_HALF, b >> HALF, b & LOW_HALF
    middle = a_high * b_low + (a_low * b_low >> HALF)
    other = a_low * b_high + (middle & LOW_HALF)
    return a_high * b_high + (middle >> HALF) + (other >> HALF), a * b


def blocks(counter: Words, key: Words) -> Words:
    """The blocks ``(..., 4)`` of counters ``(..., 4)`` under keys ``(..., 2)``."""
    c0, c1, c2, c3 = (counter[..., i] for i in range(BLOCK))
    k0, k1 = key[..., 0], key[..., 1]
    with np.errstate(over="ignore"):  # scalars warn where arrays wrap
        for _ in range(ROUNDS):
            high0, low0 = product(MULTIPLIERS[0], c0)
            high1, low1 = product(MULTIPLIERS[1], c2)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0, k1 = k0 + KEY_STEPS[0], k1 + KEY_STEPS[1]
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1)


class _Machine(threading.local):
    """NumPy's generator of each thread, put at the start of a stream before each use."""

    def __init__(self) -> None:
        self.bits = np.random.Philox(0)
        self.state = self.bits.state
        self.state["buffer_pos"] = BLOCK  # nothing is buffered


_machine = _Machine()


def stream(key: Words, counter: Words, count: int) -> Words:
    """``count`` words of the blocks that follow ``counter``, ``(4,)``, under ``key``, ``(2,)``."""
    _machine.state["state"] = {"counter": counter, "key": key}
    _machine.bits.state = _machine.state
    return _machine.bits.random_raw(count)


def streams(key: Words, counter: Words, count: int) -> Words:
    """``stream`` of many: keys ``(*n, 2)`` and counters ``(*n, 4)`` give ``(*n, count)``."""
    many = counter.shape[:-1]
    if count < LOOP_FROM:
        ahead = np.arange(1, -(-count // BLOCK) + 1, dtype=np.uint64)
        following = np.repeat(counter[..., None, :], ahead.size, axis=-2)
        following[..., 0] += ahead
        words = blocks(following, key[..., None, :])
        return words.reshape(*many, ahead.size * BLOCK)[..., :count]
    result = np.empty((*many, count), np.uint64)
    for index in np.ndindex(many):
        result[index] = stream(key[index], counter[index], count)
    return result
