"""Training steps in plain NumPy with the derivatives written out, as a careful person would.

In place wherever a value is not needed again, and gradients of weights written into buffers that
are kept from step to step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Runner
from benchmarks.training.case import RATE, Array, Case, training_runner


def build(case: Case) -> Runner:
    """Return the runner of the hand-written network for `case`."""
    return training_runner(case, Classifier if case.classify else Regression)


class Regression:
    """Two layers, sigmoid after both, mean squared error."""

    def __init__(self, case: Case) -> None:
        self.parameters = [value.copy() for value in case.initial]

    def step(self, x: Array, target: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        w1, b1, w2, b2 = self.parameters
        h = _sigmoid(x @ w1.T, b1)
        y = _sigmoid(h @ w2.T, b2)
        difference = y - target
        loss = np.vdot(difference, difference) / y.size
        difference *= 2.0 / y.size
        gz2 = _sigmoid_adjoint(difference, y)
        gz1 = _sigmoid_adjoint(gz2 @ w2, h)
        w2 -= RATE * (gz2.T @ h)
        b2 -= RATE * gz2.sum(axis=0)
        w1 -= RATE * (gz1.T @ x)
        b1 -= RATE * gz1.sum(axis=0)
        return loss


def _sigmoid(z: Array, bias: Array) -> Array:
    """Return sigmoid(z + bias), written into z."""
    z += bias
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1.0
    return np.reciprocal(z, out=z)


def _sigmoid_adjoint(gy: Array, y: Array) -> Array:
    """Return gy * y * (1 - y), written into gy."""
    gy *= y
    gy *= 1.0 - y
    return gy


class Classifier:
    """Linear layers, ReLU between them, softmax cross-entropy on integer labels."""

    def __init__(self, case: Case) -> None:
        self.parameters = [value.copy() for value in case.initial]
        self.gradients = [np.empty_like(value) for value in case.initial]
        self.rows = np.arange(case.batch)

    def step(self, x: Array, labels: Array) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""
        inputs = [x]
        weights, biases = self.parameters[::2], self.parameters[1::2]
        for w, b in zip(weights, biases, strict=True):
            z = inputs[-1] @ w.T
            z += b
            if w is not weights[-1]:
                np.maximum(z, 0.0, out=z)
                inputs.append(z)
        loss, gz = self._cross_entropy(z, labels)
        for layer in range(len(weights) - 1, -1, -1):
            h = inputs[layer]
            np.matmul(gz.T, h, out=self.gradients[2 * layer])
            np.add.reduce(gz, axis=0, out=self.gradients[2 * layer + 1])
            if layer:
                gz = gz @ weights[layer]
                gz *= h > 0.0
        for value, gradient in zip(self.parameters, self.gradients, strict=True):
            gradient *= RATE
            value -= gradient
        return loss

    def _cross_entropy(self, logits: Array, labels: Array) -> tuple[Any, Array]:
        """Return the loss and its derivative in the logits, which is written into them."""
        count = len(labels)
        logits -= np.maximum.reduce(logits, axis=1, keepdims=True)
        picked = np.add.reduce(logits[self.rows, labels])
        np.exp(logits, out=logits)
        sums = np.add.reduce(logits, axis=1, keepdims=True)
        logits /= sums
        logits[self.rows, labels] -= 1.0
        logits /= count
        return (np.add.reduce(np.log(sums), axis=None) - picked) / count, logits
