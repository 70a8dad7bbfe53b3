"""Optimisers: rules that change parameters by their gradients, in place. Names are PyTorch's.

>>> import numpy as np, wengert as wg
>>> from wengert import optim
>>> w = wg.array(3.0, requires_grad=True)
>>> optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
>>> (w * w).backward()
>>> optimizer.step()
>>> w
Array(2.4, requires_grad=True)
"""

from .adam import Adam
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
