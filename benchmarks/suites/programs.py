"""Programs of many operations: what a derivative costs in evaluations of the function.

A loop of a thousand scalar operations, in reverse and in forward mode, and forward mode on arrays
of 100,000 numbers, where the arithmetic counts and not the overhead. The row "function alone" is
plain NumPy without any derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Contender, Runner, runner

PASSES = 500  # of two operations each
ARRAY_PASSES = 10
ARRAY_SIZE = 100_000

Function = Callable[[Any], Any]


def benchmarks() -> list[Benchmark]:
    """Return reverse mode, forward mode, and forward mode on arrays."""
    return [_reverse(), _forward(), _forward_arrays()]


def _loop_program(sin: Function, passes: int = PASSES) -> Function:
    """Return x -> y with y = sin(y) + x, again and again."""

    def program(x: Any) -> Any:
        y = x
        for _ in range(passes):
            y = sin(y) + x
        return y

    return program


def _scalars() -> list[tuple[Any, ...]]:
    return [(float(x),) for x in np.random.default_rng(2).uniform(0.5, 1.5, 16)]


def _arrays() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(3)
    return [tuple(rng.uniform(0.5, 1.5, (2, ARRAY_SIZE))) for _ in range(4)]


def _alone() -> Runner:
    return replace(runner(_loop_program(np.sin), _scalars()), results=None)


def _reverse() -> Benchmark:
    contenders = (
        Contender("numpy", "NumPy, function alone", _alone),
        Contender("numpy", "by hand, floats", _reverse_hand),
        Contender("wengert", "wengert grad", _reverse_wengert),
        Contender("wengert", "wengert backward", _reverse_wengert_backward),
        Contender("torch", "PyTorch backward", _reverse_torch),
        Contender("autograd", "autograd grad", _reverse_autograd),
        Contender("mygrad", "MyGrad backward", _reverse_mygrad),
    )
    return Benchmark("programs", "grad-loop", "gradient of 1000 scalar operations", contenders)


def _reverse_hand() -> Runner:
    def gradient(x: float) -> float:
        values = []
        y = x
        for _ in range(PASSES):
            values.append(y)
            y = math.sin(y) + x
        gx, gy = 0.0, 1.0
        for y in reversed(values):
            gx += gy
            gy *= math.cos(y)
        return gx + gy

    return runner(gradient, _scalars())


def _reverse_wengert() -> Runner:
    import wengert as wg

    return runner(wg.grad(_loop_program(np.sin)), _scalars())


def _backward(program: Function, leaf: Function) -> Function:
    def gradient(x: float) -> Any:
        tracked = leaf(x)
        program(tracked).backward()
        return tracked.grad

    return gradient


def _reverse_wengert_backward() -> Runner:
    import wengert as wg

    def leaf(x: float) -> Any:
        return wg.array(x, requires_grad=True)

    return runner(_backward(_loop_program(np.sin), leaf), _scalars())


def _reverse_torch() -> Runner:
    import torch

    def leaf(x: float) -> Any:
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    return runner(_backward(_loop_program(torch.sin), leaf), _scalars())


def _reverse_autograd() -> Runner:
    import autograd
    import autograd.numpy as anp

    return runner(autograd.grad(_loop_program(anp.sin)), _scalars())


def _reverse_mygrad() -> Runner:
    import mygrad

    return runner(_backward(_loop_program(mygrad.sin), mygrad.tensor), _scalars())


def _forward() -> Benchmark:
    contenders = (
        Contender("numpy", "NumPy, function alone", _alone),
        Contender("numpy", "by hand, floats", _forward_hand),
        Contender("wengert", "wengert jvp", _forward_wengert),
        Contender("torch", "PyTorch forward_ad", _forward_torch),
        Contender("autograd", "autograd make_jvp", _forward_autograd),
    )
    return Benchmark("programs", "jvp-loop", "jvp of 1000 scalar operations", contenders)


def _forward_hand() -> Runner:
    def derivative(x: float) -> tuple[float, float]:
        y, dy = x, 1.0
        for _ in range(PASSES):
            y, dy = math.sin(y) + x, math.cos(y) * dy + 1.0
        return y, dy

    return runner(derivative, _scalars())


def _forward_wengert() -> Runner:
    import wengert as wg

    program = _loop_program(np.sin)
    return runner(lambda x: wg.jvp(program, (x,), (1.0,)), _scalars())


def _dual(program: Function) -> Callable[[Any, Any], Any]:
    """Return PyTorch's forward mode of `program`, by its dual tensors."""
    from torch.autograd import forward_ad

    def derivative(x: Any, dx: Any) -> Any:
        with forward_ad.dual_level():
            return tuple(forward_ad.unpack_dual(program(forward_ad.make_dual(x, dx))))

    return derivative


def _forward_torch() -> Runner:
    import torch

    derivative = _dual(_loop_program(torch.sin))
    one = torch.tensor(1.0, dtype=torch.float64)
    return runner(lambda x: derivative(torch.tensor(x, dtype=torch.float64), one), _scalars())


def _forward_autograd() -> Runner:
    import autograd
    import autograd.numpy as anp

    at = autograd.make_jvp(_loop_program(anp.sin))
    return runner(lambda x: at(x)(1.0), _scalars())


def _forward_arrays() -> Benchmark:
    contenders = (
        Contender("numpy", "NumPy, function alone", _arrays_alone),
        Contender("numpy", "by hand, NumPy", _arrays_hand),
        Contender("wengert", "wengert jvp", _arrays_wengert),
        Contender("torch", "PyTorch forward_ad", _arrays_torch),
        Contender("autograd", "autograd make_jvp", _arrays_autograd),
    )
    title = "jvp of 20 operations on 100,000 numbers"
    return Benchmark("programs", "jvp-arrays", title, contenders, parallel=True)


def _arrays_alone() -> Runner:
    program = _loop_program(np.sin, ARRAY_PASSES)
    return replace(runner(lambda x, _: program(x), _arrays()), results=None)


def _arrays_hand() -> Runner:
    def derivative(x: Any, dx: Any) -> Any:
        y, dy = x, dx
        for _ in range(ARRAY_PASSES):
            slope = np.cos(y)
            slope *= dy
            slope += dx
            y, dy = np.sin(y), slope
            y += x
        return y, dy

    return runner(derivative, _arrays())


def _arrays_wengert() -> Runner:
    import wengert as wg

    program = _loop_program(np.sin, ARRAY_PASSES)
    return runner(lambda x, dx: wg.jvp(program, (x,), (dx,)), _arrays())


def _arrays_torch() -> Runner:
    import torch

    inputs = [(torch.from_numpy(x), torch.from_numpy(dx)) for x, dx in _arrays()]
    return runner(_dual(_loop_program(torch.sin, ARRAY_PASSES)), inputs)


def _arrays_autograd() -> Runner:
    import autograd
    import autograd.numpy as anp

    at = autograd.make_jvp(_loop_program(anp.sin, ARRAY_PASSES))
    return runner(lambda x, dx: at(x)(dx), _arrays())
