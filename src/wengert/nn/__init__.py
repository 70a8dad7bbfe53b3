"""Networks: modules, layers, losses. Names are PyTorch's, parameters are changed in place.

``handcoded`` has a network whose derivatives are written out by hand, in NumPy only.

>>> import numpy as np, wengert as wg
>>> from wengert import nn
>>> model = nn.Sequential(nn.Linear(2, 3, rng=np.random.default_rng(0)), nn.Tanh(), nn.Linear(3, 2))
>>> loss = nn.cross_entropy(model(np.ones((4, 2), np.float32)), np.array([0, 1, 1, 0]))
>>> loss.backward()
>>> model[0].weight.grad.shape
(3, 2)
"""

from . import functional
from .functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    linear,
    log_softmax,
    mse_loss,
    relu,
    sigmoid,
    softmax,
    tanh,
)
from .layers import Flatten, Function, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh, mlp
from .module import Module

__all__ = [
    "Flatten",
    "Function",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "functional",
    "linear",
    "log_softmax",
    "mlp",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
