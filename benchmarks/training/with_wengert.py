"""Training steps in wengert: layers and an optimiser, expressions on leaves, and `grad`."""

from __future__ import annotations

from typing import Any

import numpy as np

import wengert as wg
from benchmarks.harness import Runner
from benchmarks.training.case import RATE, Array, Case, training_runner
from benchmarks.training.expressions import loss_function
from wengert import nn, optim


def build_layers(case: Case) -> Runner:
    """Return the runner of `wengert.nn` and `wengert.optim`."""
    return training_runner(case, WithLayers)


def build_compiled(case: Case) -> Runner:
    """Return the runner of the same step as a static graph: recorded twice, then replayed."""
    return training_runner(case, Compiled)


def build_recorded(case: Case) -> Runner:
    """Return the runner of a step that is recorded anew in every call."""
    return training_runner(case, Recorded)


def build_leaves(case: Case) -> Runner:
    """Return the runner of NumPy expressions on arrays that ask for gradients."""
    return training_runner(case, WithLeaves)


def build_grad(case: Case) -> Runner:
    """Return the runner of `value_and_grad` on plain NumPy arrays."""
    return training_runner(case, WithGrad)


class WithLayers:
    """`nn.Sequential`, a loss of `nn`, `optim.SGD`."""

    def __init__(self, case: Case) -> None:
        activation = nn.ReLU if case.classify else nn.Sigmoid
        rng = np.random.default_rng(0)
        layers: list[Any] = []
        for fan_in, fan_out in zip(case.sizes, case.sizes[1:], strict=False):
            layers += [nn.Linear(fan_in, fan_out, rng=rng), activation()]
        if case.classify:
            layers.pop()
        self.model = nn.Sequential(*layers)
        self.loss = nn.cross_entropy if case.classify else nn.mse_loss
        self.parameters = list(self.model.parameters())
        with wg.no_grad():
            for parameter, value in zip(self.parameters, case.initial, strict=True):
                parameter[...] = value
        self.optimiser = optim.SGD(self.parameters, lr=RATE)

    def step(self, x: Array, labels: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        self.optimiser.zero_grad()
        loss = self.loss(self.model(x), labels)
        loss.backward()
        self.optimiser.step()
        return loss


class Compiled(WithLayers):
    """The step as a static graph."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.step = wg.compile(super().step)  # type: ignore[method-assign]


class Recorded(WithLayers):
    """What the first call of a static graph costs."""

    def step(self, x: Array, labels: Array) -> Any:
        """Record a step, which takes it."""
        return wg.compile(super().step)(x, labels)


class WithLeaves:
    """Plain expressions, `backward`, the update written out."""

    def __init__(self, case: Case) -> None:
        self.parameters = [wg.array(value, requires_grad=True) for value in case.initial]
        self.loss = loss_function(case)

    def step(self, x: Array, labels: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        loss = self.loss(self.parameters, x, labels)
        loss.backward()
        with wg.no_grad():
            for parameter in self.parameters:
                parameter -= RATE * parameter.grad
                parameter.grad = None
        return loss


class WithGrad:
    """`value_and_grad` of a function of plain arrays, which are changed in place."""

    def __init__(self, case: Case) -> None:
        self.parameters = [value.copy() for value in case.initial]
        self.loss_and_gradients = wg.value_and_grad(loss_function(case))

    def step(self, x: Array, labels: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        loss, gradients = self.loss_and_gradients(self.parameters, x, labels)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter -= RATE * gradient
        return loss
