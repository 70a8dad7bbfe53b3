"""(k) Predators and prey by Runge and Kutta's method: the gradient in four rates, float64.

500 steps; the loss is the squared distance to a known end. wengert does it by `scan` and as a plain
loop of Python, each a benchmark; JAX by `lax.scan` in both, as a loop of Python takes it minutes to
compile. torch.compile makes one graph of a step, for the same reason.

Source: E. Hairer, S. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, Springer 1993,
sections I.1 (the equations) and II.1 (the method).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark
from benchmarks.work.task import Call, gradient_task, with_jax

STEPS, H = 500, 0.02
START, END = (1.0, 1.0), (1.2, 0.8)
ROUNDS = 11  # eager loops take long
INPUTS = 8

State = tuple[Any, Any]


def benchmarks() -> list[Benchmark]:
    """Return one benchmark for `scan` and one for the loop of Python."""
    ways = (("scan", "wengert.scan", with_scan), ("loop", "a loop of Python", with_loop))
    return [
        gradient_task(
            objective,
            torch_loop,
            jax_scan,
            piece="k",
            name=f"lotka-volterra {name}",
            title=f"(k) gradient of a Runge-Kutta solution, {STEPS} steps, {told}, float64",
            inputs=inputs,
            compiled_torch=compiled_torch,
            tolerance=1e-8,
            rounds=ROUNDS,
        ).benchmark()
        for name, told, objective in ways
    ]


@cache
def inputs() -> list[tuple[Any, ...]]:
    """Return rates (4,)."""
    rng = np.random.default_rng(16)
    return [(np.array([1.5, 1.0, 3.0, 1.0]) + 0.1 * rng.random(4),) for _ in range(INPUTS)]


def slope(state: State, rates: Any) -> State:
    """Return the derivatives of prey and predators in time."""
    prey, predators = state
    eaten = prey * predators
    return rates[0] * prey - rates[1] * eaten, rates[3] * eaten - rates[2] * predators


def moved(state: State, by: State, h: float) -> State:
    """Return state + h by."""
    return state[0] + h * by[0], state[1] + h * by[1]


def step(state: State, rates: Any) -> State:
    """Return the state after one step of the classical method of order 4."""
    k1 = slope(state, rates)
    k2 = slope(moved(state, k1, H / 2), rates)
    k3 = slope(moved(state, k2, H / 2), rates)
    k4 = slope(moved(state, k3, H), rates)
    return (
        state[0] + H / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0]),
        state[1] + H / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1]),
    )


def distance(state: State) -> Any:
    """Return the squared distance from the known end."""
    return (state[0] - END[0]) ** 2 + (state[1] - END[1]) ** 2


def with_scan(rates: Any) -> Any:
    """Return the loss by `wengert.scan`."""
    import wengert as wg

    state, _ = wg.scan(lambda state, _: (step(state, rates), None), START, length=STEPS)
    return distance(state)


def with_loop(rates: Any) -> Any:
    """Return the loss by a loop of Python."""
    state = START
    for _ in range(STEPS):
        state = step(state, rates)
    return distance(state)


def _torch_objective(wrap: Callable[[Call], Call]) -> Call:
    import torch

    one = wrap(step)

    def objective(rates: Any) -> Any:
        state: Any = [torch.tensor(value, dtype=torch.float64) for value in START]
        for _ in range(STEPS):
            state = one(state, rates)
        return distance(state)

    return objective


def torch_loop() -> Call:
    """Return the loss in PyTorch."""
    return _torch_objective(lambda step: step)


def compiled_torch() -> Call:
    """Return the gradient in PyTorch with a compiled step."""
    import torch

    objective = _torch_objective(torch.compile)

    def gradient(rates: Any) -> Any:
        leaf = rates.requires_grad_()
        return torch.autograd.grad(objective(leaf), leaf)

    return gradient


def jax_scan() -> Call:
    """Return the loss in JAX."""
    jax = with_jax()

    def objective(rates: Any) -> Any:
        state, _ = jax.lax.scan(lambda state, _: (step(state, rates), None), START, length=STEPS)
        return distance(state)

    return objective
