"""(d) The gradient of the log-likelihood of a Gaussian mixture with a Wishart prior.

The objective of ADBench: mixture weights as logits, means, and the factors of the inverse
covariances, of which the diagonal is kept as logarithms and the rest column by column. float64.

Source: F. Šrajer, Z. Kukelova, A. Fitzgibbon, Optimization Methods and Software 33 (2018),
doi:10.1080/10556788.2018.1435651, section 4.1.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import numpy as np
from scipy import special

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, gradient_task, with_jax

SIZES = ((10, 25), (10, 50), (32, 25), (32, 50))  # dimensions, components
POINTS = 1000
INPUTS = 4
GAMMA, M = 1.0, 0  # of the prior


def benchmarks() -> list[Benchmark]:
    """Return one benchmark a size."""
    return [
        gradient_task(
            log_likelihood(d, k),
            partial(torch_log_likelihood, d, k),
            partial(jax_log_likelihood, d, k),
            active=(0, 1, 2),
            piece="d",
            name=f"mixture d={d} k={k}",
            title=f"(d) gradient of a Gaussian mixture, d = {d}, k = {k}, {POINTS} points, float64",
            inputs=partial(inputs, d, k),
            function=log_likelihood(d, k),
            parallel=True,
        ).benchmark()
        for d, k in SIZES
    ]


@cache
def inputs(d: int, k: int) -> list[tuple[Any, ...]]:
    """Return alphas (k,), means (k, d), factors (k, d (d + 1) / 2), which change, and x (n, d)."""
    rng = np.random.default_rng(13)
    x = rng.standard_normal((POINTS, d))
    lower = d * (d - 1) // 2
    return [
        (
            rng.standard_normal(k),
            rng.standard_normal((k, d)),
            0.3 * rng.standard_normal((k, d + lower)),
            x,
        )
        for _ in range(INPUTS)
    ]


@cache
def places(d: int) -> tuple[Any, Any]:
    """Return where each element of a factor L (d, d) stands in its row, and a mask of those below
    the diagonal.
    """
    place = np.zeros((d, d), dtype=np.int64)
    columns, rows = np.triu_indices(d, 1)  # column by column below the diagonal
    place[rows, columns] = d + np.arange(len(rows))
    return place, place > 0


def constants(d: int, k: int) -> float:
    """Return the terms without parameters."""
    n = d + M + 1
    wishart = n * d * math.log(GAMMA / math.sqrt(2.0)) - special.multigammaln(0.5 * n, d)
    return float(-0.5 * POINTS * d * math.log(2.0 * math.pi) - k * wishart)


def log_sum_exp(values: Any, axis: int) -> Any:
    """Return log Σ exp along an axis."""
    largest = np.max(values, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(values - largest), axis=axis)) + np.squeeze(largest, axis)


def log_likelihood(d: int, k: int) -> Call:
    """Return the objective in NumPy."""
    place, below = places(d)
    constant = constants(d, k)

    def function(alphas: Any, means: Any, factors: Any, x: Any) -> Any:
        logs = factors[:, :d]
        diagonals = np.exp(logs)
        sums = np.sum(logs, axis=1)
        L = factors[:, place] * below
        centred = x - means[:, None, :]
        scaled = diagonals[:, None, :] * centred + centred @ np.swapaxes(L, 1, 2)
        inner = (alphas + sums)[:, None] - 0.5 * np.sum(scaled**2, axis=2)
        frobenius = np.sum(diagonals**2, axis=1) + np.sum(factors[:, d:] ** 2, axis=1)
        prior = np.sum(0.5 * GAMMA**2 * frobenius - M * sums)
        fit = np.sum(log_sum_exp(inner, 0)) - POINTS * log_sum_exp(alphas, 0)
        return fit + prior + constant

    return function


def torch_log_likelihood(d: int, k: int) -> Call:
    """Return the objective in PyTorch."""
    import torch

    place, below = (torch.from_numpy(array) for array in places(d))
    constant = constants(d, k)

    def function(alphas: Any, means: Any, factors: Any, x: Any) -> Any:
        logs = factors[:, :d]
        diagonals = torch.exp(logs)
        sums = torch.sum(logs, dim=1)
        L = factors[:, place] * below
        centred = x - means[:, None, :]
        scaled = diagonals[:, None, :] * centred + centred @ L.mT
        inner = (alphas + sums)[:, None] - 0.5 * torch.sum(scaled**2, dim=2)
        frobenius = torch.sum(diagonals**2, dim=1) + torch.sum(factors[:, d:] ** 2, dim=1)
        prior = torch.sum(0.5 * GAMMA**2 * frobenius - M * sums)
        fit = torch.sum(torch.logsumexp(inner, 0)) - POINTS * torch.logsumexp(alphas, 0)
        return fit + prior + constant

    return function


def jax_log_likelihood(d: int, k: int) -> Call:
    """Return the objective in JAX."""
    with_jax()
    import jax.numpy as jnp
    from jax.scipy.special import logsumexp

    columns, rows = np.triu_indices(d, 1)
    constant = constants(d, k)

    def function(alphas: Any, means: Any, factors: Any, x: Any) -> Any:
        logs = factors[:, :d]
        diagonals = jnp.exp(logs)
        sums = jnp.sum(logs, axis=1)
        L = jnp.zeros((k, d, d)).at[:, rows, columns].set(factors[:, d:])
        centred = x - means[:, None, :]
        scaled = diagonals[:, None, :] * centred + centred @ jnp.swapaxes(L, 1, 2)
        inner = (alphas + sums)[:, None] - 0.5 * jnp.sum(scaled**2, axis=2)
        frobenius = jnp.sum(diagonals**2, axis=1) + jnp.sum(factors[:, d:] ** 2, axis=1)
        prior = jnp.sum(0.5 * GAMMA**2 * frobenius - M * sums)
        fit = jnp.sum(logsumexp(inner, 0)) - POINTS * logsumexp(alphas, 0)
        return fit + prior + constant

    return function
