"""Gradient descent, with momentum where asked for. Layer: ``optim``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.errors import DataError
from .optimizer import Optimizer, at_least

multiply, subtract = np.multiply, np.subtract


class SGD(Optimizer):
    """Gradient descent: w -= lr · d, with d the gradient g, or with momentum µ

        b = µ b + g        d = b, or g + µ b if ``nesterov``

    Args:
        params: arrays with ``requires_grad=True``, as ``model.parameters()`` gives them.
        lr: learning rate η, from 0.
        momentum: µ, from 0 to below 1.
        nesterov: look ahead along the momentum; needs ``momentum``.
        weight_decay: λ; g is taken of loss + λ/2 ‖w‖².

    Raises:
        DataError: no parameters, or settings out of range. UnsupportedError: a parameter that is
        not a leaf.

    Source:
        I. Sutskever et al., On the importance of initialization and momentum in deep learning,
        ICML 2013, in the form in which PyTorch states it (lr may change without changing b).

    >>> import numpy as np, wengert as wg
    >>> from wengert import optim
    >>> w = wg.array([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.25)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     np.sum(w**2).backward()
    ...     optimizer.step()
    >>> w
    Array([0.125, 0.25 ], requires_grad=True)
    """

    SETTINGS = ("momentum", "nesterov", "weight_decay")
    SLOTS = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        self.momentum = at_least("SGD", "momentum", momentum, high=1.0)
        self.weight_decay = at_least("SGD", "weight_decay", weight_decay)
        self.nesterov = bool(nesterov)
        if nesterov and not momentum:
            raise DataError("SGD: nesterov=True needs momentum, as momentum=0.9")

    def update(self, k: int, value: Any, gradient: Any, room: Any) -> None:
        momentum = self.momentum
        if self.weight_decay:
            np.multiply(value, self.weight_decay, out=room)
            room += gradient
            gradient = room
        if momentum:
            buffer = self.state(k, value)["momentum_buffer"]
            buffer *= momentum
            buffer += gradient
            if self.nesterov:
                np.multiply(gradient, self.lr, out=room)
                value -= room
                np.multiply(buffer, self.lr * momentum, out=room)
                value -= room
                return
            gradient = buffer
        multiply(gradient, self.rate(value.dtype), room)
        subtract(value, room, value)
