"""(j) The gradient of Rosenbrock's function of n variables.

Source: H. H. Rosenbrock, The Computer Journal 3 (1960), doi:10.1093/comjnl/3.3.175; float64.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, gradient_task, with_jax

SIZES = (10, 1000, 1_000_000)
INPUTS = 4


def benchmarks() -> list[Benchmark]:
    """Return one benchmark a number of variables."""
    return [
        gradient_task(
            partial(valley, np),
            torch_valley,
            jax_valley,
            piece="j",
            name=f"rosenbrock {n}",
            title=f"(j) gradient of Rosenbrock's function, n = {n:,}, float64",
            inputs=partial(inputs, n),
            numpy=lambda: gradient_by_hand,
            function=partial(valley, np),
            parallel=n > 100_000,
        ).benchmark()
        for n in SIZES
    ]


@cache
def inputs(n: int) -> list[tuple[Any, ...]]:
    """Return points (n,)."""
    rng = np.random.default_rng(12)
    return [(rng.uniform(-2.0, 2.0, n),) for _ in range(INPUTS)]


def valley(xp: Any, x: Any) -> Any:
    """Return the function's value; `xp` is a namespace with NumPy's names."""
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def torch_valley() -> Call:
    """Return the function in PyTorch."""
    import torch

    return partial(valley, torch)


def jax_valley() -> Call:
    """Return the function in JAX."""
    with_jax()
    import jax.numpy as jnp

    return partial(valley, jnp)


def gradient_by_hand(x: Any) -> Any:
    """Return the gradient."""
    front, back = x[:-1], x[1:]
    inner = back - front**2
    gx = np.zeros_like(x)
    gx[1:] = 200.0 * inner
    gx[:-1] -= 400.0 * front * inner + 2.0 * (1.0 - front)
    return gx
