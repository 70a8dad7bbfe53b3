"""One recorded elementwise operation on eight numbers: what an eager tape adds to a call.

Both operands ask for a gradient, so every library records the operation. The loops are written
out, one an operation, because a Python call around `a + b` costs a third of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.agreement import plain
from benchmarks.harness import Benchmark, Contender, Runner

SIZE = 8
INPUTS = 64

Pair = tuple[Any, Any]
Track = Callable[[Any], Any]


def benchmarks() -> list[Benchmark]:
    """Return the sum, the product and the sine."""
    return [
        Benchmark("elementwise", name, f"{text} on {SIZE} float64", _contenders(name))
        for name, text in (("add", "a + b"), ("multiply", "a * b"), ("sin", "sin(a)"))
    ]


def _contenders(operation: str) -> tuple[Contender, ...]:
    return (
        Contender("numpy", "NumPy, nothing recorded", partial(_build_numpy, operation)),
        Contender("wengert", "wengert", partial(_build_wengert, operation)),
        Contender("torch", "PyTorch", partial(_build_torch, operation)),
        Contender("autograd", "autograd", partial(_build_autograd, operation)),
        Contender("mygrad", "MyGrad", partial(_build_mygrad, operation)),
    )


def _build_numpy(operation: str) -> Runner:
    return _runner(operation, np.copy, np.sin)


def _build_wengert(operation: str) -> Runner:
    import wengert as wg

    return _runner(operation, partial(wg.array, requires_grad=True), np.sin)


def _build_torch(operation: str) -> Runner:
    import torch

    return _runner(operation, lambda x: torch.from_numpy(x).requires_grad_(), torch.sin)


def _build_autograd(operation: str) -> Runner:
    """Boxes of a trace of autograd: what its operations meet inside `autograd.grad`."""
    import autograd.numpy as anp
    from autograd.core import VJPNode
    from autograd.tracer import new_box, trace_stack

    with trace_stack.new_trace() as trace:
        return _runner(operation, lambda x: new_box(x, trace, VJPNode.new_root()), anp.sin)


def _build_mygrad(operation: str) -> Runner:
    import mygrad

    return _runner(operation, mygrad.tensor, mygrad.sin)


def _runner(operation: str, track: Track, sin: Callable[[Any], Any]) -> Runner:
    """Return the runner of `operation` on values that `track` has made of plain arrays."""
    rng = np.random.default_rng(0)
    draw = rng.standard_normal
    pairs = [(track(draw(SIZE)), track(draw(SIZE))) for _ in range(INPUTS)]
    if operation == "sin":
        values = [a for a, _ in pairs]
        return Runner(partial(_sin_loop, sin), values, [plain(sin(a)) for a in values])
    if operation == "add":
        return Runner(_add_loop, pairs, [plain(a + b) for a, b in pairs])
    return Runner(_multiply_loop, pairs, [plain(a * b) for a, b in pairs])


def _add_loop(pairs: Iterable[Pair]) -> None:
    for a, b in pairs:
        _ = a + b


def _multiply_loop(pairs: Iterable[Pair]) -> None:
    for a, b in pairs:
        _ = a * b


def _sin_loop(sin: Callable[[Any], Any], values: Iterable[Any]) -> None:
    for a in values:
        sin(a)
