"""(f) An LSTM layer over 50 steps, 128 inputs and hidden values, batch 16, float32.

Forward and backward: the loss and its gradient in the weights. PyTorch has the layer ready-made
(`nn.LSTM`); wengert does it by `scan`, and eagerly by a loop of Python.

Source: S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997), doi:10.1162/neco.1997.9.8.1735,
with the forget gates of F. Gers, J. Schmidhuber, F. Cummins (2000).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, Task, with_jax

STEPS, BATCH, INPUT, HIDDEN = 50, 16, 128, 128
INPUTS = 4


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark."""
    task = Task(
        piece="f",
        name="lstm layer",
        title=f"(f) LSTM layer, {STEPS} steps, hidden {HIDDEN}, batch {BATCH}, float32",
        inputs=inputs,
        wengert=by_scan,
        eager=by_loop,
        torch=torch_layer,
        compiled_torch=compiled_torch_layer,
        jax=jax_layer,
        requires_grad=(0, 1, 2),
        tolerance=2e-3,
        parallel=True,
    )
    return [task.benchmark()]


@cache
def inputs() -> list[tuple[Any, ...]]:
    """Return weights (4 hidden, inputs), (4 hidden, hidden), biases (4 hidden,), which stay, and
    sequences (steps, batch, inputs), which change.
    """
    rng = np.random.default_rng(17)

    def draw(*shape: int) -> Any:
        return rng.uniform(-1.0, 1.0, shape).astype(np.float32) / np.float32(HIDDEN**0.5)

    weights = draw(4 * HIDDEN, INPUT), draw(4 * HIDDEN, HIDDEN), draw(4 * HIDDEN)
    return [
        (*weights, rng.standard_normal((STEPS, BATCH, INPUT)).astype(np.float32))
        for _ in range(INPUTS)
    ]


def sigmoid(x: Any) -> Any:
    """Return the logistic function of x in NumPy."""
    return 1.0 / (1.0 + np.exp(-x))


def cells(gates: Any, cell: Any, squash: Call, tanh: Call) -> tuple[Any, Any]:
    """Return hidden values and cells after a step; gates are input, forget, change, output."""
    ingate, forget = squash(gates[:, :HIDDEN]), squash(gates[:, HIDDEN : 2 * HIDDEN])
    change, outgate = tanh(gates[:, 2 * HIDDEN : 3 * HIDDEN]), squash(gates[:, 3 * HIDDEN :])
    cell = forget * cell + ingate * change
    return outgate * tanh(cell), cell


def scan_loss(W: Any, U: Any, b: Any, x: Any) -> Any:
    """Return the mean square of all hidden values by `wengert.scan`."""
    import wengert as wg

    def step(state: Any, xt: Any) -> Any:
        hidden, cell = state
        hidden, cell = cells(xt @ W.T + hidden @ U.T + b, cell, sigmoid, np.tanh)
        return (hidden, cell), hidden

    zeros = np.zeros((BATCH, HIDDEN), np.float32)
    _, hiddens = wg.scan(step, (zeros, zeros), x)
    return np.mean(hiddens**2)


def loop_loss(W: Any, U: Any, b: Any, x: Any) -> Any:
    """Return the same by a loop of Python."""
    hidden = cell = np.zeros((BATCH, HIDDEN), np.float32)
    hiddens = []
    for xt in x:
        hidden, cell = cells(xt @ W.T + hidden @ U.T + b, cell, sigmoid, np.tanh)
        hiddens.append(hidden)
    return np.mean(np.stack(hiddens) ** 2)


def by_scan() -> Call:
    """Return loss and gradients by `wengert.scan`."""
    import wengert as wg

    both: Call = wg.value_and_grad(scan_loss, argnums=(0, 1, 2))
    return both


def by_loop() -> Call:
    """Return loss and gradients by a loop of Python."""
    import wengert as wg

    both: Call = wg.value_and_grad(loop_loss, argnums=(0, 1, 2))
    return both


def torch_layer() -> Call:
    """Return loss and gradients by `nn.LSTM`, called with the weights given."""
    import torch

    zeros = torch.zeros(1, BATCH, HIDDEN)
    none = torch.zeros(4 * HIDDEN)  # PyTorch has two biases

    def both(W: Any, U: Any, b: Any, x: Any) -> Any:
        hiddens, _, _ = torch.lstm(
            x, (zeros, zeros), [W, U, b, none], True, 1, 0.0, True, False, False
        )
        loss = torch.mean(hiddens**2)
        return loss, torch.autograd.grad(loss, (W, U, b))

    return both


def compiled_torch_layer() -> Call:
    """Return loss and gradients of a loop of Python, compiled to one graph."""
    import torch
    from torch import func

    def loss(W: Any, U: Any, b: Any, x: Any) -> Any:
        hidden = cell = torch.zeros(BATCH, HIDDEN)
        hiddens = []
        for inputs in x @ W.T + b:
            hidden, cell = cells(inputs + hidden @ U.T, cell, torch.sigmoid, torch.tanh)
            hiddens.append(hidden)
        return torch.mean(torch.stack(hiddens) ** 2)

    both = torch.compile(func.grad_and_value(loss, argnums=(0, 1, 2)))

    def ordered(W: Any, U: Any, b: Any, x: Any) -> Any:
        gradients, value = both(W, U, b, x)
        return value, gradients

    return ordered


def jax_layer() -> Call:
    """Return loss and gradients by `lax.scan`, the products with the inputs in front of it."""
    jax = with_jax()
    import jax.numpy as jnp

    def loss(W: Any, U: Any, b: Any, x: Any) -> Any:
        def step(state: Any, inputs: Any) -> Any:
            hidden, cell = state
            hidden, cell = cells(inputs + hidden @ U.T, cell, jax.nn.sigmoid, jnp.tanh)
            return (hidden, cell), hidden

        zeros = jnp.zeros((BATCH, HIDDEN), jnp.float32)
        _, hiddens = jax.lax.scan(step, (zeros, zeros), x @ W.T + b)
        return jnp.mean(hiddens**2)

    both: Call = jax.value_and_grad(loss, argnums=(0, 1, 2))
    return both
