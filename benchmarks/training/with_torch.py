"""Training steps in PyTorch eager, with its own optimiser and with the update by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from benchmarks.harness import Runner
from benchmarks.training.case import RATE, Array, Case, training_runner


def build_optimiser(case: Case) -> Runner:
    """Return the runner that updates by `torch.optim.SGD`."""
    return training_runner(case, WithOptimiser, _convert)


def build_fused(case: Case) -> Runner:
    """Return the runner that updates by `torch.optim.SGD(fused=True)`."""
    return training_runner(case, WithFusedOptimiser, _convert)


def build_manual(case: Case) -> Runner:
    """Return the runner that updates in place under `no_grad`."""
    return training_runner(case, WithManualUpdate, _convert)


def _convert(batch: tuple[Array, Array]) -> tuple[Any, Any]:
    examples, labels = batch
    return torch.from_numpy(examples), torch.from_numpy(labels)


class _Network:
    """The forward pass and the loss."""

    def __init__(self, case: Case) -> None:
        self.classify = case.classify
        self.parameters = [torch.tensor(value, requires_grad=True) for value in case.initial]

    def loss(self, x: Any, labels: Any) -> Any:
        """Return the loss on one batch."""
        *hidden, last = zip(self.parameters[::2], self.parameters[1::2], strict=True)
        activation = torch.relu if self.classify else torch.sigmoid
        for w, b in hidden:
            x = activation(functional.linear(x, w, b))
        x = functional.linear(x, *last)
        if self.classify:
            return functional.cross_entropy(x, labels)
        return functional.mse_loss(torch.sigmoid(x), labels)


class WithOptimiser(_Network):
    """The update by the library's optimiser."""

    fused = False

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.optimiser = torch.optim.SGD(self.parameters, lr=RATE, fused=self.fused)

    def step(self, x: Any, labels: Any) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        self.optimiser.zero_grad()
        loss = self.loss(x, labels)
        loss.backward()
        self.optimiser.step()
        return loss


class WithFusedOptimiser(WithOptimiser):
    """The update by the library's optimiser, all parameters in one kernel."""

    fused = True


class WithManualUpdate(_Network):
    """The update written out."""

    def step(self, x: Any, labels: Any) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        loss = self.loss(x, labels)
        loss.backward()
        with torch.no_grad():
            for value in self.parameters:
                value.sub_(value.grad, alpha=RATE)
                value.grad = None
        return loss
