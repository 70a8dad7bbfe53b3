"""Functions written twice: with structured control flow, and with Python's own."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import wengert as wg


@dataclass(frozen=True)
class Pair:
    """``structured`` and ``plain`` compute the same of ``x``."""

    name: str
    structured: Any
    plain: Any
    x: np.ndarray

    def __str__(self) -> str:
        return self.name


class State(NamedTuple):
    position: Any
    speed: Any


def decay_structured(x):
    return wg.while_loop(lambda c: np.sum(c * c) > 1.0, lambda c: np.sin(c) * c / 2, x)


def decay_plain(x):
    while np.sum(x * x) > 1.0:
        x = np.sin(x) * x / 2
    return x


def newton_structured(x):
    """A square root, by a loop that closes over what it is of; the carry counts as well."""
    a = x[0] ** 2 + 1

    def step(carry):
        y, count = carry
        return (y + a / y) / 2, count + 1

    y, count = wg.while_loop(
        lambda carry: (np.abs(carry[0] ** 2 - a) > 1e-9) & (carry[1] < 50), step, (a, 0)
    )
    return y * x + count


def newton_plain(x):
    a = x[0] ** 2 + 1
    y, count = a, 0
    while abs(y**2 - a) > 1e-9 and count < 50:
        y, count = (y + a / y) / 2, count + 1
    return y * x + count


def rnn_structured(x):
    w = np.outer(x, x) / 4

    def step(h, u):
        h = np.tanh(w @ h + u)
        return h, h * u

    inputs = np.stack([np.sin(x * k) for k in range(4)])
    h, ys = wg.scan(step, x * 0.1, inputs)
    return h + np.sum(ys, axis=0)


def rnn_plain(x):
    w, h, total = np.outer(x, x) / 4, x * 0.1, 0.0
    for k in range(4):
        u = np.sin(x * k)
        h = np.tanh(w @ h + u)
        total = total + h * u
    return h + total


def backwards_structured(x):
    """Horner's scheme from the last coefficient on; every partial result is used."""
    value, partial = wg.scan(lambda y, c: (y * x[0] + c, y), 0.5, x, reverse=True)
    return value * np.array([1.0, 2.0, 3.0]) + partial


def backwards_plain(x):
    y, partial = 0.5, []
    for k in reversed(range(len(x))):
        partial.insert(0, y)
        y = y * x[0] + x[k]
    return y * np.array([1.0, 2.0, 3.0]) + np.stack([p + 0 * y for p in partial])


def branch_structured(x):
    return wg.cond(
        np.sum(x) > 1.0, lambda a, b: np.sin(a) * b, lambda a, b: a / (1 + b * b), x, x[0]
    )


def branch_plain(x):
    a, b = x, x[0]
    return np.sin(a) * b if np.sum(x) > 1.0 else a / (1 + b * b)


def other_branch_structured(x):
    return branch_structured(-x)


def other_branch_plain(x):
    return branch_plain(-x)


def collatz_structured(x):
    """A branch in a loop in a loop: three times until below 1, growing or shrinking."""

    def inner(c):
        return wg.cond(c[0] > 2.0, lambda c: c / 3, lambda c: c * np.sin(x) * 0.9, c)

    def outer(i, c):
        return wg.while_loop(lambda c: c[0] > 0.5, inner, c + x * (i + 1))

    return wg.fori_loop(0, 3, outer, x)


def collatz_plain(x):
    c = x
    for i in range(3):
        c = c + x * (i + 1)
        while c[0] > 0.5:
            c = c / 3 if c[0] > 2.0 else c * np.sin(x) * 0.9
    return c


def euler_structured(x):
    """Containers in the carry, and an integer that indexes."""

    def step(i, both):
        state, log, factors = both["state"], both["log"], both["factors"]
        force = -np.sin(state.position) * factors[i % 3]
        state = State(state.position + 0.1 * state.speed, state.speed + 0.1 * force)
        log = (log[0] + i, log[1] + state.speed)
        return {"state": state, "log": log, "factors": factors}

    start = {"state": State(x, x * 2), "log": (0, x * 0), "factors": x}
    end = wg.fori_loop(0, 5, step, start)
    return end["state"].position * end["log"][0] + end["log"][1]


def euler_plain(x):
    position, speed, count, total = x, x * 2, 0, x * 0
    for i in range(5):
        force = -np.sin(position) * x[i % 3]
        position, speed = position + 0.1 * speed, speed + 0.1 * force
        count, total = count + i, total + speed
    return position * count + total


def inside_structured(x):
    """Derivatives inside the body."""

    def energy(q):
        return np.sum(np.cos(q) * x) + np.sum(q**4) / 4

    def step(q, _):
        return q - 0.1 * wg.grad(energy)(q), wg.jvp(energy, (q,), (x,))[1]

    q, slopes = wg.scan(step, x, None, length=3)
    return q * np.sum(slopes)


def inside_plain(x):
    def energy(q):
        return np.sum(np.cos(q) * x) + np.sum(q**4) / 4

    q, slopes = x, 0.0
    for _ in range(3):
        slopes = slopes + wg.jvp(energy, (q,), (x,))[1]
        q = q - 0.1 * wg.grad(energy)(q)
    return q * slopes


def writes_structured(x):
    """Writes into the carry at an index that the step computes."""

    def step(i, both):
        y, factors = both
        y[i] = y[i - 1] * factors[i] + 1
        y[0] += y[i]
        return y, factors

    return wg.fori_loop(1, 3, step, (x * 1.0, x))[0]


def writes_plain(x):
    y = x * 1.0
    for i in range(1, 3):
        y[i] = y[i - 1] * x[i] + 1
        y[0] += y[i]
    return y


def empty_structured(x):
    none, ys = wg.scan(lambda c, u: (c * u, c), x, x[:0])
    return none * 2 + np.sum(ys)


def empty_plain(x):
    return x * 2


def dynamic_structured(x):
    """A number of steps that only the run knows."""
    steps = np.sum(x > 0.3)
    return wg.fori_loop(0, steps + 2, lambda i, c: np.sin(c * x) + 0.1 * i, x)


def dynamic_plain(x):
    c = x
    for i in range((np.sum(x > 0.3) + 2).item()):
        c = np.sin(c * x) + 0.1 * i
    return c


START = np.array([0.9, 0.4, 1.3])
PAIRS = [
    Pair(name.removesuffix("_structured"), f, globals()[name.replace("structured", "plain")], START)
    for name, f in list(globals().items())
    if name.endswith("_structured")
]
