"""(g) A training step of LeNet on images of 28×28, batch 64, float32, with ReLU and maxima.

NumPy has no convolution of images: wengert's program writes it as a product with the patches.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proceedings of the IEEE 86 (1998),
doi:10.1109/5.726791, figure 2.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.training.case import BATCHES
from benchmarks.work.steps import Training, contenders
from benchmarks.work.task import SUITE, Call, with_jax

BATCH = 64
SHAPES = ((6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84))


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark."""
    return [
        Benchmark(
            SUITE,
            "g lenet",
            f"(g) training step of LeNet, batch {BATCH}, float32",
            contenders(problem, loss, torch_loss, jax_loss),
            tolerance=5e-3,
            parallel=True,
        )
    ]


@cache
def problem() -> Training:
    """Return weights and biases, alternating, and images with labels."""
    rng = np.random.default_rng(18)
    initial: list[Any] = []
    for shape in SHAPES:
        bound = np.prod(shape[1:]) ** -0.5
        initial.append(rng.uniform(-bound, bound, shape).astype(np.float32))
        initial.append(rng.uniform(-bound, bound, shape[0]).astype(np.float32))
    batches: list[Any] = [
        (rng.random((BATCH, 1, 28, 28), np.float32), rng.integers(10, size=BATCH))
        for _ in range(BATCHES)
    ]
    return Training(initial, batches)


def convolve(x: Any, weight: Any, bias: Any, padding: int) -> Any:
    """Return the convolution of x (batch, channels, rows, columns) in NumPy."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    out, channels, size, _ = weight.shape
    count, rows, columns = x.shape[0], x.shape[2] - size + 1, x.shape[3] - size + 1
    shifted = [x[:, :, i : i + rows, j : j + columns] for i in range(size) for j in range(size)]
    patches = np.stack(shifted, axis=2).reshape(count, channels * size * size, rows * columns)
    y = weight.reshape(out, -1) @ patches + bias[:, None]
    return y.reshape(count, out, rows, columns)


def pool(x: Any) -> Any:
    """Return the largest of each 2×2 pixels."""
    count, channels, rows, columns = x.shape
    return x.reshape(count, channels, rows // 2, 2, columns // 2, 2).max(axis=(3, 5))


def loss(parameters: list[Any], x: Any, labels: Any) -> Any:
    """Return the cross-entropy in NumPy."""
    c1, a1, c2, a2, w3, b3, w4, b4, w5, b5 = parameters
    x = pool(np.maximum(convolve(x, c1, a1, 2), 0.0))
    x = pool(np.maximum(convolve(x, c2, a2, 0), 0.0)).reshape(len(x), -1)
    x = np.maximum(x @ w3.T + b3, 0.0)
    x = np.maximum(x @ w4.T + b4, 0.0)
    logits = x @ w5.T + b5
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    sums = np.sum(np.exp(shifted), axis=1)
    return np.mean(np.log(sums) - shifted[np.arange(len(labels)), labels])


def torch_loss() -> Call:
    """Return the loss in PyTorch."""
    import torch
    from torch.nn import functional

    def loss(parameters: list[Any], x: Any, labels: Any) -> Any:
        c1, a1, c2, a2, w3, b3, w4, b4, w5, b5 = parameters
        x = functional.max_pool2d(torch.relu(functional.conv2d(x, c1, a1, padding=2)), 2)
        x = functional.max_pool2d(torch.relu(functional.conv2d(x, c2, a2)), 2).flatten(1)
        x = torch.relu(functional.linear(x, w3, b3))
        x = torch.relu(functional.linear(x, w4, b4))
        return functional.cross_entropy(functional.linear(x, w5, b5), labels)

    return loss


def jax_loss() -> Call:
    """Return the loss in JAX."""
    jax = with_jax()
    import jax.numpy as jnp

    def convolve(x: Any, weight: Any, bias: Any, padding: str) -> Any:
        return jax.lax.conv(x, weight, (1, 1), padding) + bias[:, None, None]

    def pool(x: Any) -> Any:
        window = (1, 1, 2, 2)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    def loss(parameters: list[Any], x: Any, labels: Any) -> Any:
        c1, a1, c2, a2, w3, b3, w4, b4, w5, b5 = parameters
        x = pool(jax.nn.relu(convolve(x, c1, a1, "SAME")))
        x = pool(jax.nn.relu(convolve(x, c2, a2, "VALID"))).reshape(len(x), -1)
        x = jax.nn.relu(x @ w3.T + b3)
        x = jax.nn.relu(x @ w4.T + b4)
        logs = jax.nn.log_softmax(x @ w5.T + b5)
        return -jnp.mean(jnp.take_along_axis(logs, labels[:, None], axis=1))

    return loss
