"""Training steps in autograd: its gradient of the NumPy expressions, the update in place."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp

from benchmarks.harness import Runner
from benchmarks.training.case import RATE, Array, Case, training_runner
from benchmarks.training.expressions import loss_function


def build(case: Case) -> Runner:
    """Return the runner of autograd for `case`."""
    return training_runner(case, WithGrad)


class WithGrad:
    """`value_and_grad` of a function of plain arrays, which are changed in place."""

    def __init__(self, case: Case) -> None:
        self.parameters = [value.copy() for value in case.initial]
        self.loss_and_gradients = autograd.value_and_grad(loss_function(case, anp))

    def step(self, x: Array, labels: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        loss, gradients = self.loss_and_gradients(self.parameters, x, labels)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter -= RATE * gradient
        return loss
