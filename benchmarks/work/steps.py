"""A training step in each library: forward, backward, gradient descent in float32.

wengert and PyTorch change the parameters in place, JAX donates the old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.harness import Contender
from benchmarks.training.case import RATE, Array, Problem, Trainer, training_runner
from benchmarks.work.settle import settle
from benchmarks.work.task import (
    COMPILED,
    EAGER,
    JAX,
    TORCH,
    TORCH_COMPILED,
    Call,
    Make,
    with_jax,
)

Begin = Callable[[Problem], Trainer]
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Training:
    """A problem to train: parameters at the start, and batches."""

    initial: list[Array]
    batches: list[tuple[Array, Array]]


def contenders(
    problem: Callable[[], Problem], loss: Call, torch_loss: Make, jax_loss: Make
) -> tuple[Contender, ...]:
    """Return a row for each way; each loss takes (parameters, examples, labels)."""
    rows: tuple[Any, ...] = (
        ("wengert", COMPILED, partial(wengert, loss, True), {"prepare": settled}),
        ("wengert", EAGER, partial(wengert, loss, False), {}),
        ("torch", TORCH, lambda: pytorch(torch_loss()), {}),
        ("torch", TORCH_COMPILED, lambda: compiled_pytorch(torch_loss()), {}),
        ("jax", JAX, lambda: jitted_step(jax_loss()), {}),
    )
    return tuple(contender(problem, *row) for row in rows)


def contender(
    problem: Callable[[], Problem],
    library: str,
    label: str,
    make: Callable[[], tuple[Begin, Convert]],
    options: dict[str, Any],
) -> Contender:
    """Return the row of the trainer that `make` gives with its way to convert a batch."""

    def start() -> tuple[Call, Sequence[tuple[Any, ...]]]:
        begin, convert = make()
        return begin(problem()).step, [convert(batch) for batch in problem().batches]

    return Contender(library, label, lambda: training_runner(problem(), *make(), **options), start)


def settled(step: Any, batches: list[tuple[Any, Any]]) -> str:
    """Call a compiled step until machine code runs; return what is not machine code."""
    return settle(step, step, batches)


def wengert(loss: Call, compiled: bool) -> tuple[Begin, Convert]:
    """Return `backward` and updates in place, compiled or not."""
    import wengert as wg

    class Leaves:
        def __init__(self, problem: Problem) -> None:
            self.parameters = [wg.array(value, requires_grad=True) for value in problem.initial]
            self.step: Call = wg.compile(self.taken) if compiled else self.taken

        def taken(self, x: Any, labels: Any) -> Any:
            value = loss(self.parameters, x, labels)
            value.backward()
            with wg.no_grad():
                for parameter in self.parameters:
                    parameter -= RATE * parameter.grad
                    parameter.grad = None
            return value

    return Leaves, lambda batch: batch


def pytorch(loss: Call) -> tuple[Begin, Convert]:
    """Return `backward` and the fused optimiser."""
    import torch

    class Eager:
        def __init__(self, problem: Problem) -> None:
            self.parameters = [torch.tensor(v, requires_grad=True) for v in problem.initial]
            self.optimiser = torch.optim.SGD(self.parameters, lr=RATE, fused=True)

        def step(self, x: Any, labels: Any) -> Any:
            self.optimiser.zero_grad()
            value = loss(self.parameters, x, labels)
            value.backward()
            self.optimiser.step()
            return value

    return Eager, as_tensors


def as_tensors(batch: Any) -> Any:
    """Return a batch as PyTorch's."""
    import torch

    return tuple(torch.from_numpy(array) for array in batch)


def compiled_pytorch(loss: Call) -> tuple[Begin, Convert]:
    """Return one graph of all of the step, the update in place included."""
    import torch
    from torch import func

    both = func.grad_and_value(loss)

    def update(parameters: list[Any], x: Any, labels: Any) -> Any:
        gradients, value = both(parameters, x, labels)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient, alpha=RATE)
        return value

    class Compiled:
        def __init__(self, problem: Problem) -> None:
            self.parameters = [torch.tensor(value) for value in problem.initial]
            self.update = torch.compile(update)

        def step(self, x: Any, labels: Any) -> Any:
            return self.update(self.parameters, x, labels)

    return Compiled, as_tensors


def jitted_step(loss: Call) -> tuple[Begin, Convert]:
    """Return a jitted step that takes the parameters over."""
    jax = with_jax()

    def update(parameters: list[Any], x: Any, labels: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters, x, labels)
        return [p - RATE * g for p, g in zip(parameters, gradients, strict=True)], value

    class Jitted:
        def __init__(self, problem: Problem) -> None:
            self.parameters = jax.device_put(list(problem.initial))
            self.update = jax.jit(update, donate_argnums=0)

        def step(self, x: Any, labels: Any) -> Any:
            self.parameters, value = self.update(self.parameters, x, labels)
            return value

    return Jitted, jax.device_put
