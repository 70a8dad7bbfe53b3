"""(a) The gradient of the worked example, ln x1 + x1 x2 - sin x2, in two numbers.

wengert takes Python's floats, as a user of scalars has them; PyTorch and JAX their own scalars,
which exist already, the quicker way for both.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, gradient_task, with_jax

INPUTS = 64


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark."""
    task = gradient_task(
        partial(example, np),
        torch_example,
        jax_example,
        active=(0, 1),
        piece="a",
        name="worked example",
        title="(a) gradient of ln x1 + x1 x2 - sin x2, float64",
        inputs=inputs,
        tolerance=1e-12,
    )
    return [task.benchmark()]


@cache
def inputs() -> list[tuple[Any, ...]]:
    """Return pairs of floats."""
    rng = np.random.default_rng(1)
    return [(float(a), float(b)) for a, b in rng.uniform(0.5, 5.0, (INPUTS, 2))]


def example(xp: Any, x1: Any, x2: Any) -> Any:
    """Return the value; `xp` is a namespace with NumPy's names."""
    return xp.log(x1) + x1 * x2 - xp.sin(x2)


def torch_example() -> Call:
    """Return the function in PyTorch."""
    import torch

    return partial(example, torch)


def jax_example() -> Call:
    """Return the function in JAX."""
    with_jax()
    import jax.numpy as jnp

    return partial(example, jnp)
