"""Training steps in MyGrad: its tensors, its network functions, the update by hand."""

from __future__ import annotations

from typing import Any

import mygrad
from mygrad.nnet import relu, sigmoid, softmax_crossentropy

from benchmarks.harness import Runner
from benchmarks.training.case import RATE, Array, Case, training_runner


def build(case: Case) -> Runner:
    """Return the runner of MyGrad for `case`."""
    return training_runner(case, WithTensors)


class WithTensors:
    """Tensors, `backward`, the update of their data."""

    def __init__(self, case: Case) -> None:
        self.classify = case.classify
        self.parameters = [mygrad.tensor(value) for value in case.initial]

    def loss(self, x: Any, labels: Any) -> Any:
        """Return the loss on one batch."""
        *hidden, (w, b) = zip(self.parameters[::2], self.parameters[1::2], strict=True)
        activation = relu if self.classify else sigmoid
        for weight, bias in hidden:
            x = activation(mygrad.matmul(x, weight.T) + bias)
        x = mygrad.matmul(x, w.T) + b
        if self.classify:
            return softmax_crossentropy(x, labels)
        return mygrad.mean((sigmoid(x) - labels) ** 2)

    def step(self, x: Array, labels: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        loss = self.loss(x, labels)
        loss.backward()
        for parameter in self.parameters:
            parameter.data -= RATE * parameter.grad
            parameter.null_grad()
        return loss
