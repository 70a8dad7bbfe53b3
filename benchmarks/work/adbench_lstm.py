"""(e) The gradient of ADBench's LSTM: how well it predicts the next character of a text.

Two layers of 14 cells whose gates are elementwise, 1,024 characters of 14 bits. The loss of a step
is Σ gold (y - log(2 + Σ exp y)). float64.

Source: F. Šrajer, Z. Kukelova, A. Fitzgibbon, Optimization Methods and Software 33 (2018),
doi:10.1080/10556788.2018.1435651, and the program that goes with it, which added the LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, gradient_task, with_jax

LAYERS, BITS, CHARACTERS = 2, 14, 1024
ROUNDS = 11  # eager loops take long
INPUTS = 4


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark."""
    task = gradient_task(
        with_scan,
        torch_loop,
        jax_scan,
        active=(0, 1),
        piece="e",
        name="adbench lstm",
        title=f"(e) gradient of ADBench's LSTM, {LAYERS} layers, {CHARACTERS} characters, float64",
        inputs=inputs,
        eager=eager,
        compiled_torch=compiled_torch,
        tolerance=1e-8,
        rounds=ROUNDS,
    )
    return [task.benchmark()]


@cache
def inputs() -> list[tuple[Any, ...]]:
    """Return main parameters (2 layers, 4 bits) and extra ones (3, bits), which change; the state
    at the start (2 layers, bits) and the text (characters, bits), which don't.
    """
    rng = np.random.default_rng(14)
    state = 0.1 * rng.standard_normal((2 * LAYERS, BITS))
    text = (rng.random((CHARACTERS, BITS)) < 0.5).astype(np.float64)
    return [
        (
            0.5 * rng.standard_normal((2 * LAYERS, 4 * BITS)),
            0.5 * rng.standard_normal((3, BITS)),
            state,
            text,
        )
        for _ in range(INPUTS)
    ]


def sigmoid(x: Any) -> Any:
    """Return the logistic function of x in NumPy."""
    return 1.0 / (1.0 + np.exp(-x))


def cell_step(
    weight: Any, bias: Any, hidden: Any, cell: Any, x: Any, squash: Call, tanh: Call
) -> tuple[Any, Any]:
    """Return a layer's hidden values and cells after a character."""
    forget = squash(x * weight[:BITS] + bias[:BITS])
    ingate = squash(hidden * weight[BITS : 2 * BITS] + bias[BITS : 2 * BITS])
    outgate = squash(x * weight[2 * BITS : 3 * BITS] + bias[2 * BITS : 3 * BITS])
    change = tanh(hidden * weight[3 * BITS :] + bias[3 * BITS :])
    cell = cell * forget + ingate * change
    return outgate * tanh(cell), cell


def character(main: Any, extra: Any, state: Any, x: Any, squash: Call, tanh: Call) -> Any:
    """Return what is predicted after character x, and the new state; `state` is a tuple of rows."""
    x = x * extra[0]
    new: list[Any] = []
    for i in range(0, 2 * LAYERS, 2):
        new += cell_step(main[i], main[i + 1], state[i], state[i + 1], x, squash, tanh)
        x = new[-2]
    return x * extra[1] + extra[2], tuple(new)


def numpy_step(main: Any, extra: Any, state: Any, x: Any, gold: Any) -> Any:
    """Return the new state and the log-likelihood of the next character."""
    y, state = character(main, extra, state, x, sigmoid, np.tanh)
    return state, np.sum(gold * (y - np.log(np.sum(np.exp(y)) + 2.0)))


def with_scan(main: Any, extra: Any, state: Any, text: Any) -> Any:
    """Return the objective by `wengert.scan`."""
    import wengert as wg

    def step(state: Any, pair: Any) -> Any:
        return numpy_step(main, extra, state, *pair)

    _, likelihoods = wg.scan(step, tuple(state), (text[:-1], text[1:]))
    return -np.sum(likelihoods) / (BITS * (CHARACTERS - 1))


def with_loop(main: Any, extra: Any, state: Any, text: Any) -> Any:
    """Return the objective by a loop of Python."""
    state, total = tuple(state), 0.0
    for x, gold in pairwise(text):
        state, likelihood = numpy_step(main, extra, state, x, gold)
        total = total + likelihood
    return -total / (BITS * (CHARACTERS - 1))


def eager() -> Call:
    """Return the gradient of the loop of Python, for eager execution."""
    import wengert as wg

    gradient: Call = wg.grad(with_loop, argnums=(0, 1))
    return gradient


def _torch_objective(wrap: Callable[[Call], Call]) -> Call:
    """Return the objective in PyTorch, a loop over steps that `wrap` may compile."""
    import torch

    @wrap
    def step(main: Any, extra: Any, state: Any, x: Any, gold: Any) -> Any:
        y, state = character(main, extra, state, x, torch.sigmoid, torch.tanh)
        return state, torch.sum(gold * (y - torch.log(torch.sum(torch.exp(y)) + 2.0)))

    def objective(main: Any, extra: Any, state: Any, text: Any) -> Any:
        state, total = tuple(state), 0.0
        for x, gold in pairwise(text):
            state, likelihood = step(main, extra, state, x, gold)
            total = total + likelihood
        return -total / (BITS * (CHARACTERS - 1))

    return objective


def torch_loop() -> Call:
    """Return the objective in PyTorch."""
    return _torch_objective(lambda step: step)


def compiled_torch() -> Call:
    """Return the gradient with a compiled step: a graph of all of them takes hours to compile."""
    import torch

    objective = _torch_objective(torch.compile)

    def gradient(main: Any, extra: Any, state: Any, text: Any) -> Any:
        leaves = main.requires_grad_(), extra.requires_grad_()
        return torch.autograd.grad(objective(main, extra, state, text), leaves)

    return gradient


def jax_scan() -> Call:
    """Return the objective in JAX."""
    jax = with_jax()
    import jax.numpy as jnp

    def objective(main: Any, extra: Any, state: Any, text: Any) -> Any:
        def step(state: Any, pair: Any) -> Any:
            x, gold = pair
            y, state = character(main, extra, state, x, jax.nn.sigmoid, jnp.tanh)
            return state, jnp.sum(gold * (y - jnp.log(jnp.sum(jnp.exp(y)) + 2.0)))

        _, likelihoods = jax.lax.scan(step, tuple(state), (text[:-1], text[1:]))
        return -jnp.sum(likelihoods) / (BITS * (CHARACTERS - 1))

    return objective
