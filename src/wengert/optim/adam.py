"""Adam: steps scaled by running means of the gradient and of its square. Layer: ``optim``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.errors import DataError
from .optimizer import Optimizer, at_least


class Adam(Optimizer):
    """Adam: with the gradient g at step t of a parameter w

        m = β1 m + (1 - β1) g      v = β2 v + (1 - β2) g²
        w -= lr · m / (1 - β1ᵗ) / (√(v / (1 - β2ᵗ)) + ε)

    Args:
        params: arrays with ``requires_grad=True``, as ``model.parameters()`` gives them.
        lr: learning rate, from 0.
        betas: β1 and β2, each from 0 to below 1.
        eps: ε, above 0.
        weight_decay: λ; g is taken of loss + λ/2 ‖w‖².

    Raises:
        DataError: no parameters, or settings out of range. UnsupportedError: a parameter that is
        not a leaf.

    Source:
        D. P. Kingma, J. Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, Algorithm 1,
        arXiv:1412.6980.

    >>> import numpy as np, wengert as wg
    >>> from wengert import optim
    >>> w = wg.array([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.Adam([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()  # the first step has length lr in every component
    >>> w
    Array([ 0.9, -1.9], requires_grad=True)
    """

    SETTINGS = ("betas", "eps", "weight_decay")
    SLOTS = ("m", "v")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise DataError(f"Adam: betas is {betas!r}, expected two numbers, as (0.9, 0.999)")
        self.betas = tuple(at_least("Adam", "betas", beta, high=1.0) for beta in betas)
        self.eps = at_least("Adam", "eps", eps, math.ulp(0.0))
        self.weight_decay = at_least("Adam", "weight_decay", weight_decay)

    def update(self, k: int, value: Any, gradient: Any, room: Any) -> None:
        beta1, beta2 = self.betas
        state = self.state(k, value)
        m, v = state["m"], state["v"]
        if self.weight_decay:
            gradient = gradient + self.weight_decay * value
        m *= beta1
        np.multiply(gradient, 1 - beta1, out=room)
        m += room
        v *= beta2
        np.multiply(gradient, gradient.conj(), out=room)
        room *= 1 - beta2
        v += room
        np.sqrt(v, out=room)
        rate, eps = self._corrected(self.steps[k], value.dtype)
        room += eps
        np.divide(m, room, out=room)
        room *= rate
        value -= room

    def _corrected(self, t: Any, dtype: Any) -> tuple[Any, Any]:
        """``lr`` and ε at step ``t``, so that m and √v need no scaling of their own: with
        r = √(1 - β2ᵗ), lr r / (1 - β1ᵗ) and ε r; in ``dtype``, so that float32 stays it.
        """
        missing = np.subtract(1, np.power(self.betas, t))
        root = np.sqrt(missing[1])
        return (self.lr * root / missing[0]).astype(dtype), (self.eps * root).astype(dtype)
