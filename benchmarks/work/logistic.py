"""(i) The Hessian of logistic regression: 100 features, 1,000 rows, labels ±1, float64."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, Task, with_jax

ROWS, FEATURES = 1000, 100
INPUTS = 4


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark."""
    task = Task(
        piece="i",
        name="logistic hessian",
        title=f"(i) Hessian of logistic regression, {FEATURES} features, {ROWS} rows, float64",
        inputs=inputs,
        wengert=wengert_hessian,
        torch=torch_hessian,
        compiled_torch=compiled_torch_hessian,
        jax=jax_hessian,
        numpy=lambda: hessian_by_hand,
        parallel=True,
    )
    return [task.benchmark()]


@cache
def inputs() -> list[tuple[Any, ...]]:
    """Return weights (features,), which change, and X (rows, features), labels (rows,)."""
    rng = np.random.default_rng(15)
    X = rng.standard_normal((ROWS, FEATURES))
    labels = np.sign(rng.standard_normal(ROWS))
    return [(0.1 * rng.standard_normal(FEATURES), X, labels) for _ in range(INPUTS)]


def loss(w: Any, X: Any, labels: Any) -> Any:
    """Return the mean of log(1 + exp(-label X w)) in NumPy."""
    return np.mean(np.logaddexp(0.0, -labels * (X @ w)))


def wengert_hessian() -> Call:
    """Return `wengert.hessian` of the loss."""
    import wengert as wg

    hessian: Call = wg.hessian(loss)
    return hessian


def torch_hessian() -> Call:
    """Return `torch.func.hessian` of the loss."""
    import torch
    from torch import func
    from torch.nn import functional

    def loss(w: Any, X: Any, labels: Any) -> Any:
        return torch.mean(functional.softplus(-labels * (X @ w)))

    hessian: Call = func.hessian(loss)
    return hessian


def compiled_torch_hessian() -> Call:
    """Return the same, compiled."""
    import torch

    hessian: Call = torch.compile(torch_hessian())
    return hessian


def jax_hessian() -> Call:
    """Return `jax.hessian` of the loss."""
    jax = with_jax()
    import jax.numpy as jnp

    def loss(w: Any, X: Any, labels: Any) -> Any:
        return jnp.mean(jnp.logaddexp(0.0, -labels * (X @ w)))

    hessian: Call = jax.hessian(loss)
    return hessian


def hessian_by_hand(w: Any, X: Any, labels: Any) -> Any:
    """Return Xᵀ diag(s (1 - s)) X / rows."""
    s = 1.0 / (1.0 + np.exp(-labels * (X @ w)))
    return (X.T * (s * (1.0 - s) / ROWS)) @ X
