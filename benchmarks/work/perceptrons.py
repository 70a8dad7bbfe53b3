"""(b) Training steps of four perceptrons, from nothing but overhead to nothing but products.

The problems are those of the suite `training`. `nn` and `optim` are a second row of wengert. The
matrix products of a step alone, into buffers that exist, say how much of it is not BLAS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Contender, Runner
from benchmarks.suites.training import CASES
from benchmarks.training.case import Case, training_runner
from benchmarks.training.expressions import loss_function
from benchmarks.work import steps
from benchmarks.work.task import BY_HAND, SUITE, Call, with_jax

PRODUCTS = "the bare products"


def benchmarks() -> list[Benchmark]:
    """Return one benchmark a network."""
    return [_benchmark(case) for case in CASES]


def _benchmark(case: Case) -> Benchmark:
    ways = steps.contenders(
        lambda: case,
        loss_function(case),
        partial(torch_loss, case),
        partial(jax_loss, case),
    )
    more = (
        Contender("wengert", "wengert nn + optim, compiled", partial(_layers, case)),
        Contender("numpy", BY_HAND, partial(_by_hand, case)),
        Contender("numpy", PRODUCTS, partial(products, case)),
    )
    return Benchmark(
        SUITE,
        f"b mlp {case.name}",
        f"(b) training step of {case.name}, batch {case.batch}, float32",
        (*ways, *more),
        tolerance=2e-3,
        parallel=case.parallel,
    )


def _by_hand(case: Case) -> Runner:
    from benchmarks.training.by_hand import build

    return build(case)


def _layers(case: Case) -> Runner:
    from benchmarks.training.with_wengert import Compiled

    return training_runner(case, Compiled, prepare=steps.settled)


def torch_loss(case: Case) -> Call:
    """Return the loss in PyTorch."""
    import torch
    from torch.nn import functional

    activation = torch.relu if case.classify else torch.sigmoid

    def loss(parameters: list[Any], x: Any, labels: Any) -> Any:
        *hidden, last = zip(parameters[::2], parameters[1::2], strict=True)
        for w, b in hidden:
            x = activation(functional.linear(x, w, b))
        x = functional.linear(x, *last)
        if case.classify:
            return functional.cross_entropy(x, labels)
        return functional.mse_loss(torch.sigmoid(x), labels)

    return loss


def jax_loss(case: Case) -> Call:
    """Return the loss in JAX."""
    jax = with_jax()
    import jax.numpy as jnp

    def loss(parameters: list[Any], x: Any, labels: Any) -> Any:
        *hidden, (w, b) = zip(parameters[::2], parameters[1::2], strict=True)
        for weight, bias in hidden:
            x = x @ weight.T + bias
            x = jax.nn.relu(x) if case.classify else jax.nn.sigmoid(x)
        x = x @ w.T + b
        if not case.classify:
            return jnp.mean((jax.nn.sigmoid(x) - labels) ** 2)
        logs = jax.nn.log_softmax(x)
        return -jnp.mean(jnp.take_along_axis(logs, labels[:, None], axis=1))

    return loss


def products(case: Case) -> Runner:
    """Return what does the products of a step, and nothing else."""
    pairs = list(_pairs(case, case.initial[::2]))
    jobs = [(a, b, np.empty((a.shape[0], b.shape[1]), np.float32)) for a, b in pairs]

    def loop(drawn: Iterable[Any]) -> None:
        for _ in drawn:
            for a, b, out in jobs:
                np.matmul(a, b, out=out)

    return Runner(loop, ((),), None)


@cache
def _normal(rows: int, columns: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((rows, columns), np.float32)


def _pairs(case: Case, weights: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the factors: forward, then of each layer's gradient and of its input's."""
    for number, w in enumerate(weights):
        x = _normal(case.batch, w.shape[1], number)
        gz = _normal(case.batch, w.shape[0], number + 1)
        yield x, w.T
        yield gz.T, x
        if number:
            yield gz, w
