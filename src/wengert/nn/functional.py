"""Layers, activations and losses as functions. Names are PyTorch's; any array goes in and out.

Layer: ``nn``; each is one primitive of ``ops``, so every derivative of it composes. They go to the
interpreter directly, which gives a plain result for plain arguments: a step of a small network is
as fast as this.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import Box, shape_of
from ..core.errors import ShapeError, describe
from ..core.interpret import bind
from ..ops import activation, arithmetic, loss, network
from ..ops.array import normal

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b.

    Args:
        x: (…, in), floating. weight: (out, in). bias: (out,), or None for none.

    Returns:
        (…, out), in NumPy's promoted dtype.

    Raises:
        ShapeError: the number of inputs differs. DtypeError: integers or booleans for ``x``.

    >>> import numpy as np
    >>> linear(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([3.5, 6. ])
    """
    if bias is None:
        return bind(network.project, x, weight)
    return interpret.running().ternary(network.affine, x, weight, bias)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), elementwise; it does not overflow.

    Numerics: at most 2 ulp from the true value in float64 and float32, where that is normal.

    >>> import numpy as np
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return interpret.running().unary(activation.sigmoid, x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent, elementwise; ``np.tanh``."""
    return np.tanh(x)


def relu(x: Any) -> Any:
    """max(x, 0), elementwise; its derivative at 0 is 0."""
    return interpret.running().unary(arithmetic.relu, x)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / Σ exp(x) along ``axis``; it does not overflow. Integers become float64.

    >>> import numpy as np
    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return bind(activation.softmax, x, axis=_axis("softmax", x, axis))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of ``softmax``, exact where that is tiny: x - log Σ exp(x) along ``axis``."""
    return bind(activation.log_softmax, x, axis=_axis("log_softmax", x, axis))


def _axis(name: str, x: Any, axis: int) -> int:
    """``axis``, counted from the end."""
    ndim = len(shape_of(x if isinstance(x, Box) else normal(activation.softmax, x)))
    if isinstance(axis, bool) or not isinstance(axis, int) or not -ndim <= axis < ndim:
        raise ShapeError(f"{name}: no axis {axis!r} in an array of {ndim} axes")
    return axis if axis < 0 else axis - ndim


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Softmax cross-entropy: the mean over all rows of -log softmax(logits)[label].

    Args:
        logits: (…, classes), floating, before the softmax. labels: (…,), integers from 0.

    Returns:
        A scalar of the dtype of ``logits``.

    Raises:
        ShapeError: not one label for each row. DtypeError: labels that are not integers.
        BoundsError: a label that is negative, or not less than the number of classes.

    Source:
        I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, section 6.2.2.3.

    >>> import numpy as np
    >>> float(cross_entropy(np.zeros((2, 4)), np.array([0, 3])))  # log 4
    1.3862943611198906
    """
    return interpret.running().process(loss.cross_entropy, (logits, labels), {})


def mse_loss(prediction: Any, target: Any) -> Any:
    """Mean squared error: the mean over all elements of (prediction - target)².

    Args:
        prediction, target: of the same shape, real; integers in ``target`` become floats.

    Returns:
        A scalar. Raises ``ShapeError`` where the shapes differ, even if they broadcast.

    >>> import numpy as np
    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    if type(target) is not np.ndarray or target.dtype.kind != "f":
        target = _like(target, prediction)
    return interpret.running().process(loss.squared_error, (prediction, target), {})


def binary_cross_entropy_with_logits(logits: Any, target: Any) -> Any:
    """Mean over all elements of -t log σ(z) - (1 - t) log(1 - σ(z)); it does not overflow.

    Args:
        logits: z, any shape, floating. target: t, of the same shape, from 0 to 1.

    Returns:
        A scalar. Raises ``ShapeError`` where the shapes differ.

    >>> import numpy as np
    >>> float(binary_cross_entropy_with_logits(np.array([0.0]), np.array([1.0])))  # log 2
    0.6931471805599453
    """
    target = _like(target, logits)
    if np.shape(logits) != np.shape(target):
        raise ShapeError(
            f"binary_cross_entropy_with_logits: logits {describe(logits)} and target "
            f"{describe(target)}; expected the same shape, use np.reshape"
        )
    return np.mean(bind(loss.binary_cross_entropy, logits, target))


def _like(target: Any, prediction: Any) -> Any:
    """Integers and booleans as floats of the dtype of ``prediction``, so that it keeps its own."""
    if isinstance(target, list | tuple):
        target = np.asarray(target)
    dtype = getattr(prediction, "dtype", None)
    if dtype is not None and getattr(target, "dtype", dtype).kind in "iub" and dtype.kind == "f":
        return target.astype(dtype)
    return target
