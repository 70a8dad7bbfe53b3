"""Random programs for the passes: on values that rules break at, in every layout and dtype.

``draw(seed)`` gives a recorded program and arguments. It holds what passes look for (``x * 1``,
copies, transposes of transposes, equal subexpressions, scaled products) and what they must not take
for it (``x + 0``, ``x * 0``, complex ``z * 1``), views, writes in place, and outputs that are views
of inputs and of each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.program import Program
from wengert.differentiate.record import transcribe

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e308, 5e-324, 0.5]

UNARY: list[Callable[[Any], Any]] = [
    lambda x: -x,
    lambda x: np.negative(-x),
    lambda x: +x,
    lambda x: x * 1,
    lambda x: 1.0 * x,
    lambda x: x / 1,
    lambda x: x**1,
    lambda x: x**2,
    lambda x: x * x,
    lambda x: x - 0,
    lambda x: x - 0.0,
    lambda x: x - (-0.0),
    lambda x: x + 0,
    lambda x: x + (-0.0),
    lambda x: x * 0,
    lambda x: x * 0.5,
    lambda x: x * np.float32(1),
    lambda x: x + np.ones(x.shape, x.dtype),
    lambda x: x * np.ones(x.shape, x.dtype),
    np.tanh,
    np.abs,
    np.exp,
    np.conj,
    np.real,
    np.positive,
    lambda x: x.T,
    lambda x: x.T.T,
    lambda x: np.reshape(x, (-1,)),
    lambda x: np.reshape(np.reshape(x, (-1,)), x.shape),
    lambda x: np.reshape(x, x.shape),
    lambda x: np.broadcast_to(x, (2, *x.shape))[0],
    lambda x: np.broadcast_to(x, x.shape),
    lambda x: x.copy(),
    lambda x: np.copy(x, order="K"),
    lambda x: x.astype(np.float32) if x.dtype.kind == "f" else x,
    lambda x: x.astype(np.float64).astype(x.dtype) if x.dtype == np.float32 else x,
    lambda x: x.astype(x.dtype),
    lambda x: x[::-1],
    lambda x: x[..., 0],
    lambda x: x[..., ::2],
    lambda x: np.sum(x, axis=0),
    lambda x: np.sum(x, axis=-1, keepdims=True),
    lambda x: np.cumsum(x, axis=0),
    lambda x: np.maximum(np.real(x), 0),
    lambda x: np.where(np.real(x) > 0, x, x),
    lambda x: np.where(np.real(x) > 0, 1, 1),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x + (-y),
    lambda x, y: x - (-y),
    lambda x, y: (x + y) * (x + y),
    lambda x, y: np.where(np.real(x) > 0, x, y),
    lambda x, y: x @ y,
    lambda x, y: x @ y.T,
    lambda x, y: (x.T @ y).T,
    lambda x, y: (0.5 * x) @ y,
    lambda x, y: 2.0 * (x @ y),
    lambda x, y: np.einsum("ij,kj->ki", x, y),
    lambda x, y: np.tensordot(x.T, y, 1),
    lambda x, y: y - 0.25 * (x.T @ x),
    lambda x, y: y + x.T @ x,
    lambda x, y: np.stack([np.real(x), np.real(y)]),
    lambda x, y: np.concatenate([x, y]),
]


def set_row(x: Any, y: Any) -> Any:
    made = x * 2
    made[0] = 3
    made[-1] = np.real(y[-1]) if made.dtype.kind != "c" else y[-1]
    return made


def add_in_place(x: Any, y: Any) -> Any:
    made = x.copy()
    tail = made[1:]
    made += x
    tail *= 2
    return made


def write_twice(x: Any, y: Any) -> Any:
    made = np.zeros_like(x)
    for i in range(len(x)):
        made[i] = x[i] * 2
    return made


WRITES = [set_row, add_in_place, write_twice]


def argument(rng: np.random.Generator, special: bool) -> np.ndarray[Any, Any]:
    shape = [(3,), (3, 3), (2, 3), (3, 4), (1, 3), (3, 3)][int(rng.integers(6))]
    x = rng.standard_normal(shape)
    if special:
        mask = rng.random(shape) < 0.4
        x[mask] = rng.choice(SPECIAL, mask.sum())
    dtype = ["f8", "f8", "f8", "f4", "c16", "i8", "u1"][int(rng.integers(7))]
    with np.errstate(all="ignore"):
        if dtype in ("i8", "u1"):
            x = np.nan_to_num(x, posinf=2, neginf=-3).clip(-100, 100) * 10
        x = x.astype(dtype)
    layout = int(rng.integers(4))
    if layout == 1:
        return np.asfortranarray(x)
    if layout == 2:
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return x[::-1] if layout == 3 else x


def body(rng: np.random.Generator, steps: int) -> Callable[..., Any]:
    """A function of some arrays: what it does is drawn while it runs."""

    def function(*xs: Any) -> Any:
        values = list(xs)
        for _ in range(steps):
            x, y = (values[int(rng.integers(len(values)))] for _ in range(2))
            kind = rng.random()
            ops: list[Any] = UNARY if kind < 0.5 else BINARY if kind < 0.9 else WRITES
            op = ops[int(rng.integers(len(ops)))]
            try:
                made = op(x) if ops is UNARY else op(x, y)
            except (ValueError, TypeError, IndexError, AttributeError):
                continue
            if made.size <= 200:
                values.append(made)
        chosen = rng.integers(0, len(values), int(rng.integers(1, 4)))
        return [values[k] for k in chosen] + [values[-1]]

    return function


def draw(seed: int, special: bool = True) -> tuple[Program, list[Any]]:
    """The program of ``seed``, and values for its inputs."""
    rng = np.random.default_rng([11, seed])
    xs = [argument(rng, special) for _ in range(int(rng.integers(1, 4)))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        recorded = transcribe(body(rng, int(rng.integers(2, 14))), xs)
    return recorded.program, xs


def alike(got: Any, want: Any) -> bool:
    """The same bits, all NaN being one."""
    if type(got) is not type(want):
        return False
    a, b = np.asarray(got), np.asarray(want)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    parts = [(a.real, b.real), (a.imag, b.imag)] if a.dtype.kind == "c" else [(a, b)]
    return all(
        np.array_equal(p, q, equal_nan=p.dtype.kind == "f")
        and np.array_equal(np.signbit(p)[p == p], np.signbit(q)[q == q])
        for p, q in parts
    )
