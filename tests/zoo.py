"""Functions that a checker of gradients must pass at any point: plain NumPy, right and awkward.

Ill-conditioned ones, cancellation, large and small magnitudes, overflow within reach, kinks near
by, changes in place, indexing. Each draws its arguments from a seed, in float64 or float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator, bool], tuple[Any, ...]]
ZOO: dict[str, Animal] = {}


@dataclass(frozen=True)
class Animal:
    """A function and what draws its arguments: ``draw(rng, single)``, cast afterwards.

    ``doubtful``: at some of them rounding hides the derivative, and a check can't decide.
    """

    f: Callable[..., Any]
    draw: Draw
    doubtful: bool = False

    def args(self, seed: int, dtype: Any) -> tuple[Any, ...]:
        """Its arguments for a seed, in ``dtype``; integers and Python numbers stay."""
        rng = np.random.default_rng([97, seed])
        return tuple(cast(arg, dtype) for arg in self.draw(rng, dtype == np.float32))


def cast(arg: Any, dtype: Any) -> Any:
    if isinstance(arg, dict):
        return {key: cast(value, dtype) for key, value in arg.items()}
    if not isinstance(arg, np.ndarray) or arg.dtype.kind not in "fc":
        return arg
    if arg.dtype.kind == "c":
        return arg.astype(np.complex64 if dtype == np.float32 else np.complex128)
    return arg.astype(dtype)


def animal(
    draw: Draw, doubtful: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: enter a function in the zoo."""

    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        ZOO[f.__name__] = Animal(f, draw, doubtful)
        return f

    return enter


def normal(*shapes: Any, scale: float = 1.0, offset: float = 0.0) -> Draw:
    """Normal numbers, one array a shape."""
    return lambda rng, single: tuple(
        np.asarray(offset + scale * rng.standard_normal(shape)) for shape in shapes
    )


def signs(rng: np.random.Generator, shape: Any) -> Any:
    return rng.choice([-1.0, 1.0], shape)


def powers(low: float, high: float, *shapes: Any, signed: bool = False) -> Draw:
    """Numbers 10**u for u between ``low`` and ``high``."""

    def draw(rng: np.random.Generator, single: bool) -> tuple[Any, ...]:
        found = [10.0 ** rng.uniform(low, high, shape) for shape in shapes]
        return tuple(x * signs(rng, x.shape) if signed else x for x in found)

    return draw


# --- plain ones ---------------------------------------------------------------------------------


@animal(lambda rng, single: (float(rng.uniform(0.5, 4)), float(rng.uniform(-4, 4))))
def worked_example(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)


@animal(normal((4, 3), (3,)))
def broadcasting(x, b):
    return np.tanh(x * b + b) / (1 + x * x)


@animal(normal((3, 4), (4, 5), (5, 2), (2,)))
def matmul_chain(a, b, c, x):
    return np.tanh(a @ b) @ c @ x


@animal(lambda rng, single: ({"w": rng.standard_normal((3, 2)), "b": rng.standard_normal(2)},))
def container(p):
    h = np.tanh(np.ones(3) @ p["w"] + p["b"])
    return {"loss": np.sum(h * h), "parts": (h, p["b"] * h[0])}


@animal(lambda rng, single: (rng.standard_normal(4), np.array([2, 0, 1, 3]), 2))
def with_integers(x, order, power):
    return x[order] * x**power


@animal(lambda rng, single: (rng.standard_normal(3) + 1j * rng.standard_normal(3),))
def complex_numbers(z):
    return np.exp(1j * z) * np.conj(z) + np.abs(z) ** 2


@animal(normal((2, 3, 4), (4, 3)))
def shapes(x, y):
    swapped = np.transpose(x, (2, 0, 1)).reshape(4, 6)
    return np.sum(swapped[:, ::2] * y, axis=0) - np.squeeze(np.expand_dims(y, 0))[1]


# --- reductions ---------------------------------------------------------------------------------


@animal(normal((3, 5), scale=10))
def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


@animal(lambda rng, single: (30 * rng.standard_normal((4, 3)), rng.integers(0, 3, 4)))
def cross_entropy(x, label):
    m = np.max(x, axis=1, keepdims=True)
    logs = x - m - np.log(np.sum(np.exp(x - m), axis=1, keepdims=True))
    return -np.sum(logs[np.arange(4), label]) / 4


@animal(lambda rng, single: (rng.standard_normal((2, 6)) + (30 if single else 1e4),))
def layer_norm(x):
    centered = x - np.sum(x, axis=1, keepdims=True) / 6
    return centered / np.sqrt(np.sum(centered**2, axis=1, keepdims=True) / 6 + 1e-5)


@animal(normal((1000,)))
def long_sum(x):
    return np.sum(x * np.sin(x)) + np.sum(x)


@animal(powers(-8, 8, (6,), signed=True))
def mixed_magnitudes(x):
    return np.sum(x * x) + np.sum(np.sqrt(np.abs(x)))


@animal(normal((5,)))
def products(x):
    return np.prod(x) + np.cumsum(x) * np.cumprod(x)


@animal(normal((4,)))
def constant_in_disguise(x):
    e = np.exp(x)
    return np.sum(e / np.sum(e)) * 3.0


# --- magnitudes ---------------------------------------------------------------------------------


@animal(lambda rng, single: (rng.uniform(0.97, 0.999, 3) * (88.0 if single else 709.0),))
def exp_near_overflow(x):
    return np.exp(x)


@animal(lambda rng, single: (rng.uniform(-1, 1, 4) * (40.0 if single else 300.0),), doubtful=True)
def sigmoid_of_large(x):
    return 1 / (1 + np.exp(-x))


@animal(powers(-25, 0, (4,)))
def log_of_tiny(x):
    return np.log(x)


@animal(powers(-12, 12, (4,), signed=True))
def reciprocal(x):
    return 1 / x


@animal(normal((3,), scale=20), doubtful=True)
def saturated(x):
    return np.tanh(x) + 1


@animal(powers(2, 6, (3,), signed=True))
def sine_of_large(x):
    return np.sin(x)


@animal(powers(-12, -6, (3,), signed=True), doubtful=True)
def tiny_arguments(x):
    return np.cos(x) + np.sin(x) / x


@animal(normal((3,), scale=1e-3))
def rapid(x):
    return np.sin(2000 * x) + x


@animal(lambda rng, single: (rng.uniform(0.1, 3, 4), 4 * rng.standard_normal(4)))
def powers_of_both(x, y):
    return x**y


# --- ill-conditioned ----------------------------------------------------------------------------


@animal(lambda rng, single: (1 + (0.1 if single else 1e-3) * rng.standard_normal(3),))
def triple_root(x):
    return x**3 - 3 * x**2 + 3 * x - 1


@animal(lambda rng, single: (rng.standard_normal(3), 10**3 if single else 10**8))
def lost_digits(x, big):
    return (big + np.sin(x)) - big


@animal(lambda rng, single: (rng.uniform(0.1, 0.9, ()),))
def logistic_map(x):
    for _ in range(8):
        x = 3.9 * x * (1 - x)
    return x


@animal(
    lambda rng, single: (np.eye(4) + 0.9 * np.ones((4, 4)) + 1e-2 * rng.standard_normal((4, 4)),)
)
def elimination(a):
    a = a * 1
    for k in range(3):
        for i in range(k + 1, 4):
            a[i] = a[i] - a[i, k] / a[k, k] * a[k]
    return np.log(a[0, 0] * a[1, 1] * a[2, 2] * a[3, 3])


@animal(lambda rng, single: (rng.uniform(0.5, 40, ()),))
def newton_root(a):
    x = a
    while abs(x * x - a) > 1e-4 * a:
        x = (x + a / x) / 2
    return x


@animal(normal((6,)))
def variance_the_wrong_way(x):
    y = x + 20
    return np.sum(y * y) / 6 - (np.sum(y) / 6) ** 2


# --- changes in place, indexing -------------------------------------------------------------------


@animal(normal((5,)))
def in_place(x):
    y = np.zeros_like(x)
    y[0] = x[0] ** 2
    for k in range(1, 5):
        y[k] = np.sin(y[k - 1]) + x[k]
    view = y[1:4]
    view *= x[0]
    y[::2] += x[1]
    return y


@animal(normal((3, 4)))
def writes_into_its_argument(x):
    x[1] = x[0] * x[2]
    x[:, 1:] += x[:, :-1]
    return x * x


@animal(normal((5,)))
def gathers_twice(x):
    return x[np.array([0, 0, 3, 4, 4, 4])] * x[[1, 2, 3, 4, 0, 1]]


@animal(normal((6,)))
def by_mask(x):
    return x[np.array([True, False, True, True, False, True])] ** 3


# --- kinks near by ------------------------------------------------------------------------------


@animal(lambda rng, single: (signs(rng, 4) * 10.0 ** rng.uniform(-6 if single else -9, 0, 4),))
def kinks_near_by(x):
    return np.abs(x) + 0.5 * np.maximum(x, 0) * x + np.minimum(x, 2 * x)


@animal(lambda rng, single: (1 + signs(rng, 3) * 10.0 ** rng.uniform(-5, -1, 3),))
def steps_near_by(x):
    return np.floor(x) * x + np.sign(x - 1)


@animal(lambda rng, single: (rng.permutation(5) * 1e-3 + 1.0,))
def nearly_tied(x):
    return np.max(x) * np.min(x)


@animal(normal((4,)))
def branches(x):
    total = np.sum(x)
    return np.exp(total) if total > 0 else total * x[0]
