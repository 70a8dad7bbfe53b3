"""(c) The gradient of the Helmholtz free energy of a mixed fluid of n components.

Source: A. Griewank, A. Walther, Evaluating Derivatives, SIAM 2008, section 1 of the introduction
(equation of state of Peng and Robinson); float64.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, gradient_task, with_jax

SIZES = (10, 100, 1000, 3000)
INPUTS = 8
ROOT = 2.0**0.5
RT = 8.314 * 0.3


def benchmarks() -> list[Benchmark]:
    """Return one benchmark a number of components."""
    return [
        gradient_task(
            partial(energy, np),
            torch_energy,
            jax_energy,
            piece="c",
            name=f"helmholtz {n}",
            title=f"(c) gradient of the Helmholtz energy, n = {n}, float64",
            inputs=partial(inputs, n),
            numpy=lambda: gradient_by_hand,
            function=partial(energy, np),
            parallel=n >= 1000,
        ).benchmark()
        for n in SIZES
    ]


@cache
def inputs(n: int) -> list[tuple[Any, ...]]:
    """Return amounts x (n,), which change, and the constants b (n,) and A (n, n), symmetric."""
    rng = np.random.default_rng(11)
    b = rng.uniform(0.1, 0.4, n) / n
    A = rng.uniform(0.0, 1.0, (n, n))
    A = (A + A.T) / 2
    return [(rng.uniform(0.5, 1.5, n), b, A) for _ in range(INPUTS)]


def energy(xp: Any, x: Any, b: Any, A: Any) -> Any:
    """Return the energy; `xp` is a namespace with NumPy's names."""
    bx = b @ x
    ideal = RT * xp.sum(x * xp.log(x / (1.0 - bx)))
    ratio = (1.0 + (1.0 + ROOT) * bx) / (1.0 + (1.0 - ROOT) * bx)
    return ideal - (x @ (A @ x)) / (2.0 * ROOT * bx) * xp.log(ratio)


def torch_energy() -> Call:
    """Return the energy in PyTorch."""
    import torch

    return partial(energy, torch)


def jax_energy() -> Call:
    """Return the energy in JAX."""
    with_jax()
    import jax.numpy as jnp

    return partial(energy, jnp)


def gradient_by_hand(x: Any, b: Any, A: Any) -> Any:
    """Return the gradient in x, one product with A instead of two, as A is symmetric."""
    bx = b @ x
    Ax = A @ x
    xAx = x @ Ax
    above, below = 1.0 + (1.0 + ROOT) * bx, 1.0 + (1.0 - ROOT) * bx
    logarithm = np.log(above / below)
    slope = (1.0 + ROOT) / above - (1.0 - ROOT) / below
    ideal = np.log(x / (1.0 - bx)) + 1.0 + b * (np.sum(x) / (1.0 - bx))
    scale = 1.0 / (2.0 * ROOT * bx)
    return RT * ideal - scale * (2.0 * logarithm * Ax + xAx * (slope - logarithm / bx) * b)
