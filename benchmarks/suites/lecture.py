"""The gradient of the worked example, y = ln x1 + x1 x2 - sin x2, in both inputs.

Seven numbers and six operations: nothing but overhead. Libraries with tensors are measured with
leaves that exist already ("kept") and with leaves made of the two floats in the call ("made"),
since `grad(f)(x1, x2)` makes its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Contender, Runner, runner

INPUTS = 64

Pairs = list[tuple[Any, Any]]


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark of this suite."""
    contenders = (
        Contender("numpy", "by hand, floats", _build_hand),
        Contender("wengert", "wengert grad, floats", _build_wengert_grad),
        Contender("wengert", "wengert compile(grad), floats", _build_wengert_compiled),
        Contender("wengert", "wengert backward, leaves kept", _build_wengert_kept),
        Contender("wengert", "wengert backward, leaves made", _build_wengert_made),
        Contender("torch", "PyTorch autograd.grad, leaves kept", _build_torch_grad),
        Contender("torch", "PyTorch backward, leaves kept", _build_torch_kept),
        Contender("torch", "PyTorch backward, leaves made", _build_torch_made),
        Contender("autograd", "autograd grad, floats", _build_autograd),
        Contender("mygrad", "MyGrad backward, leaves kept", _build_mygrad_kept),
        Contender("mygrad", "MyGrad backward, leaves made", _build_mygrad_made),
    )
    title = "gradient of ln(x1) + x1*x2 - sin(x2)"
    return [Benchmark("lecture", "gradient", title, contenders)]


def _floats() -> Pairs:
    rng = np.random.default_rng(1)
    return [(float(a), float(b)) for a, b in rng.uniform(0.5, 5.0, (INPUTS, 2))]


def _function(log: Callable[[Any], Any], sin: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the example with the functions of one library."""

    def example(x1: Any, x2: Any) -> Any:
        return log(x1) + x1 * x2 - sin(x2)

    return example


def _build_hand() -> Runner:
    def gradient(x1: float, x2: float) -> tuple[float, float]:
        return 1.0 / x1 + x2, x1 - math.cos(x2)

    return runner(gradient, _floats())


def _build_wengert_grad() -> Runner:
    import wengert as wg

    example = _function(np.log, np.sin)

    def gradient(x1: float, x2: float) -> Any:
        return wg.grad(example, argnums=(0, 1))(x1, x2)

    return runner(gradient, _floats())


def _build_wengert_compiled() -> Runner:
    import wengert as wg

    return runner(wg.compile(wg.grad(_function(np.log, np.sin), argnums=(0, 1))), _floats())


def _backward(example: Callable[[Any, Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return a gradient by `backward` in leaves that had one before; PyTorch's way and ours."""

    def gradient(x1: Any, x2: Any) -> tuple[Any, Any]:
        x1.grad = None
        x2.grad = None
        example(x1, x2).backward()
        return x1.grad, x2.grad

    return gradient


def _made(
    example: Callable[[Any, Any], Any], leaf: Callable[[float], Any]
) -> Callable[[float, float], tuple[Any, Any]]:
    """Return a gradient by `backward` in leaves made in the call."""

    def gradient(x1: float, x2: float) -> tuple[Any, Any]:
        a, b = leaf(x1), leaf(x2)
        example(a, b).backward()
        return a.grad, b.grad

    return gradient


def _leaves(leaf: Callable[[float], Any]) -> Pairs:
    return [(leaf(a), leaf(b)) for a, b in _floats()]


def _build_wengert_kept() -> Runner:
    import wengert as wg

    leaf = partial(wg.array, requires_grad=True)
    return runner(_backward(_function(np.log, np.sin)), _leaves(leaf))


def _build_wengert_made() -> Runner:
    import wengert as wg

    leaf = partial(wg.array, requires_grad=True)
    return runner(_made(_function(np.log, np.sin), leaf), _floats())


def _torch_leaf() -> Callable[[float], Any]:
    import torch

    return partial(torch.tensor, dtype=torch.float64, requires_grad=True)


def _build_torch_grad() -> Runner:
    import torch

    example = _function(torch.log, torch.sin)

    def gradient(x1: Any, x2: Any) -> Any:
        return torch.autograd.grad(example(x1, x2), (x1, x2))

    return runner(gradient, _leaves(_torch_leaf()))


def _build_torch_kept() -> Runner:
    import torch

    return runner(_backward(_function(torch.log, torch.sin)), _leaves(_torch_leaf()))


def _build_torch_made() -> Runner:
    import torch

    return runner(_made(_function(torch.log, torch.sin), _torch_leaf()), _floats())


def _build_autograd() -> Runner:
    import autograd
    import autograd.numpy as anp

    gradient = autograd.grad(_function(anp.log, anp.sin), argnum=(0, 1))
    return runner(gradient, _floats())


def _build_mygrad_kept() -> Runner:
    import mygrad

    example = _function(mygrad.log, mygrad.sin)

    def gradient(x1: Any, x2: Any) -> tuple[Any, Any]:
        example(x1, x2).backward()  # a new forward pass clears the gradients
        return x1.grad, x2.grad

    return runner(gradient, _leaves(mygrad.tensor))


def _build_mygrad_made() -> Runner:
    import mygrad

    return runner(_made(_function(mygrad.log, mygrad.sin), mygrad.tensor), _floats())
