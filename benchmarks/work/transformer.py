"""(h) A training step of a transformer block: width 128, 64 tokens, batch 8, 4 heads, float32.

Norms in front of attention and of the two layers with GELU (exact, by erf) between them.

Source: A. Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762, with the norms placed
as in R. Xiong et al. (2020), arXiv:2002.04745.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import special

from benchmarks.harness import Benchmark
from benchmarks.training.case import BATCHES
from benchmarks.work.steps import Training, contenders
from benchmarks.work.task import SUITE, Call, with_jax

BATCH, TOKENS, WIDTH, HEADS = 8, 64, 128, 4
DEPTH = WIDTH // HEADS
EPSILON = 1e-5


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark."""
    return [
        Benchmark(
            SUITE,
            "h transformer block",
            f"(h) training step of a transformer block, width {WIDTH}, {TOKENS} tokens, "
            f"batch {BATCH}, float32",
            contenders(problem, loss, torch_loss, jax_loss),
            tolerance=5e-3,
            parallel=True,
        )
    ]


@cache
def problem() -> Training:
    """Return the parameters in the order in which `loss` unpacks them, and inputs with targets."""
    rng = np.random.default_rng(19)

    def linear(out: int, into: int) -> list[Any]:
        weight = rng.standard_normal((out, into), np.float32) / np.float32(into**0.5)
        return [weight, 0.1 * rng.standard_normal(out, np.float32)]

    def norm() -> list[Any]:
        return [np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)]

    initial = [*norm(), *linear(3 * WIDTH, WIDTH), *linear(WIDTH, WIDTH)]
    initial += [*norm(), *linear(4 * WIDTH, WIDTH), *linear(WIDTH, 4 * WIDTH)]

    def draw() -> Any:
        return rng.standard_normal((BATCH, TOKENS, WIDTH), np.float32)

    return Training(initial, [(draw(), draw()) for _ in range(BATCHES)])


def normed(x: Any, scale: Any, shift: Any) -> Any:
    """Return the layer norm in NumPy."""
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + EPSILON) * scale + shift


def softmax(x: Any) -> Any:
    """Return the softmax along the last axis in NumPy."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def gelu(x: Any) -> Any:
    """Return x Φ(x) in NumPy and SciPy."""
    return 0.5 * x * (1.0 + special.erf(x / 2.0**0.5))


def heads(x: Any, number: int) -> Any:
    """Return queries (0), keys (1) or values (2) as (batch, heads, tokens, depth)."""
    part = x[..., number * WIDTH : (number + 1) * WIDTH]
    return part.reshape(BATCH, TOKENS, HEADS, DEPTH).swapaxes(1, 2)


def loss(parameters: list[Any], x: Any, target: Any) -> Any:
    """Return the mean squared error in NumPy."""
    g1, h1, w_in, b_in, w_out, b_out, g2, h2, w1, b1, w2, b2 = parameters
    joined = normed(x, g1, h1) @ w_in.T + b_in
    queries, keys, values = (heads(joined, number) for number in range(3))
    weights = softmax(queries @ keys.swapaxes(-1, -2) * DEPTH**-0.5)
    attended = (weights @ values).swapaxes(1, 2).reshape(BATCH, TOKENS, WIDTH)
    x = x + attended @ w_out.T + b_out
    x = x + gelu(normed(x, g2, h2) @ w1.T + b1) @ w2.T + b2
    return np.mean((x - target) ** 2)


def torch_loss() -> Call:
    """Return the loss in PyTorch."""
    from torch.nn import functional

    def loss(parameters: list[Any], x: Any, target: Any) -> Any:
        g1, h1, w_in, b_in, w_out, b_out, g2, h2, w1, b1, w2, b2 = parameters
        joined = functional.linear(functional.layer_norm(x, (WIDTH,), g1, h1, EPSILON), w_in, b_in)
        queries, keys, values = (heads(joined, number) for number in range(3))
        attended = functional.scaled_dot_product_attention(queries, keys, values)
        x = x + functional.linear(attended.swapaxes(1, 2).reshape(x.shape), w_out, b_out)
        hidden = functional.gelu(
            functional.linear(functional.layer_norm(x, (WIDTH,), g2, h2, EPSILON), w1, b1)
        )
        return functional.mse_loss(x + functional.linear(hidden, w2, b2), target)

    return loss


def jax_loss() -> Call:
    """Return the loss in JAX."""
    jax = with_jax()
    import jax.numpy as jnp

    def normed(x: Any, scale: Any, shift: Any) -> Any:
        mean, variance = jnp.mean(x, axis=-1, keepdims=True), jnp.var(x, axis=-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * scale + shift

    def loss(parameters: list[Any], x: Any, target: Any) -> Any:
        g1, h1, w_in, b_in, w_out, b_out, g2, h2, w1, b1, w2, b2 = parameters
        joined = normed(x, g1, h1) @ w_in.T + b_in
        queries, keys, values = (heads(joined, number) for number in range(3))
        weights = jax.nn.softmax(queries @ keys.swapaxes(-1, -2) * DEPTH**-0.5)
        attended = (weights @ values).swapaxes(1, 2).reshape(x.shape)
        x = x + attended @ w_out.T + b_out
        hidden = jax.nn.gelu(normed(x, g2, h2) @ w1.T + b1, approximate=False)
        return jnp.mean((x + hidden @ w2.T + b2 - target) ** 2)

    return loss
