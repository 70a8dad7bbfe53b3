"""The loss of a perceptron in NumPy's expressions, for every library that speaks them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.training.case import Case

Loss = Callable[[Sequence[Any], Any, Any], Any]


def loss_function(case: Case, xp: Any = np) -> Loss:
    """Return loss(parameters, examples, labels); `xp` is the namespace with NumPy's names."""

    def sigmoid(z: Any) -> Any:
        return 1.0 / (1.0 + xp.exp(-z))

    def relu(z: Any) -> Any:
        return xp.maximum(z, 0.0)

    activation = relu if case.classify else sigmoid
    rows = np.arange(case.batch)

    def cross_entropy(logits: Any, labels: Any) -> Any:
        shifted = logits - xp.max(logits, axis=1, keepdims=True)
        sums = xp.sum(xp.exp(shifted), axis=1)
        return xp.mean(xp.log(sums) - shifted[rows, labels])

    def loss(parameters: Sequence[Any], x: Any, labels: Any) -> Any:
        *hidden, (w, b) = zip(parameters[::2], parameters[1::2], strict=True)
        for weight, bias in hidden:
            x = activation(x @ weight.T + bias)
        x = x @ w.T + b
        if case.classify:
            return cross_entropy(x, labels)
        return xp.mean((sigmoid(x) - labels) ** 2)

    return loss
