"""Calls of machine code leave no memory behind, however many there are."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

import wengert as wg

STATUS = Path("/proc/self/statm")
PAGES_OF_A_MEBIBYTE = 256


def pages():
    """The pages of memory that the process has."""
    return int(STATUS.read_text().split()[1])


def loss(w, x):
    return np.sum(np.tanh(x @ w) ** 2)


def step(w, x):
    value, g = wg.value_and_grad(loss)(w, x)
    w -= 1e-6 * g
    return value, {"gradient": g}


@pytest.mark.skipif(not STATUS.exists(), reason="no /proc")
@pytest.mark.parametrize("size", [3, 300])
def test_a_hundred_thousand_calls(size):
    compiled = wg.compile(step, native="at once")
    w, x = np.ones(size), np.ones((2, size))
    for _ in range(1000):
        compiled(w, x)
    assert "machine code, from its arguments to its effects" in str(compiled.explain())
    gc.collect()
    blocks, before = sys.getallocatedblocks(), pages()
    for _ in range(100_000):
        compiled(w, x)
    assert abs(sys.getallocatedblocks() - blocks) < 100
    assert pages() - before < PAGES_OF_A_MEBIBYTE
