"""A program that takes turns between eager and compiled products, beside each of them alone.

If the two used thread pools of their own, idle workers of one would hold up the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Contender, Runner
from benchmarks.work.settle import settle
from benchmarks.work.task import SUITE

SIZE = 384
INPUTS = 4
NAME = "alternating products"


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark: the program, then what it is made of."""
    contenders = (
        Contender("wengert", "eager and compiled in turn", lambda: _build(True, True)),
        Contender("wengert", "eager alone", lambda: _build(True, False)),
        Contender("wengert", "compiled alone", lambda: _build(False, True)),
    )
    title = f"products of {SIZE}×{SIZE} float32, eager and compiled in turn"
    return [Benchmark(SUITE, NAME, title, contenders, parallel=True)]


@cache
def inputs() -> list[tuple[Any, ...]]:
    """Return pairs of matrices."""
    rng = np.random.default_rng(21)
    return [tuple(rng.standard_normal((2, SIZE, SIZE), np.float32)) for _ in range(INPUTS)]


def product(a: Any, b: Any) -> Any:
    """Return a b."""
    return a @ b


def _build(eagerly: bool, compiled: bool) -> Runner:
    import wengert as wg

    call = wg.compile(product)
    note = settle(call, call, inputs()) if compiled else ""
    calls: list[Callable[..., Any]] = [product] * eagerly + [call] * compiled

    def loop(drawn: Iterable[Any]) -> None:
        for a, b in drawn:
            for each in calls:
                each(a, b)

    return Runner(loop, inputs(), None, note)
