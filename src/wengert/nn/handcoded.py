"""A network whose derivatives are written out by hand: the first of the four ways to differentiate.

What a student works out on paper before there is an engine, and what the engine is compared with.
NumPy only; nothing of wengert is used. Each layer is two methods and one derivation:

    forward(x)    keeps what its derivative will read
    backward(gy)  takes gy = ∂L/∂y of the loss L, stores ∂L/∂parameter, returns gx = ∂L/∂x

Shapes: a batch is ``(rows, features)``. A derivative has the shape of what it is taken in. float32
stays float32. ``backward`` belongs to the ``forward`` before it.

Layer: ``nn``; imports NumPy only.

Source: I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, section 6.5; batch
normalisation: S. Ioffe, C. Szegedy, 2015, arXiv:1502.03167.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> net = Network([Linear.drawn(2, 3, rng), Sigmoid(), Linear.drawn(3, 2, rng)], CrossEntropy())
>>> x, labels = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
>>> before = net.loss(x, labels)
>>> gx = net.backward()
>>> net.step(0.1)
>>> bool(net.loss(x, labels) < before)
True
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Parameters = list[tuple[Array, Array]]  # each parameter with its gradient


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + exp(−z)), without overflow: exp of −|z| only.

    For z < 0 the fraction is expanded by exp(z): σ(z) = exp(z) / (1 + exp(z)).
    """
    e = np.exp(-np.abs(z))
    result: Array = np.where(z >= 0, 1, e) / (1 + e)
    return result


def sigmoid_slope(s: Array) -> Array:
    """σ′(z) in terms of s = σ(z): σ′ = exp(−z) / (1 + exp(−z))² = s · (1 − s)."""
    result: Array = s * (1 - s)
    return result


class Layer(Protocol):
    """What a ``Network`` is made of."""

    def forward(self, x: Array) -> Array: ...

    def backward(self, gy: Array) -> Array: ...

    def parameters(self) -> Parameters: ...


class Loss(Protocol):
    """What a ``Network`` ends in."""

    def forward(self, prediction: Array, target: Array) -> float: ...

    def backward(self) -> Array: ...


class Linear:
    """y = x Wᵀ + b, that is yₙᵢ = Σⱼ Wᵢⱼ xₙⱼ + bᵢ.

    ``weight``: (outputs, inputs), ``bias``: (outputs,). With gy = ∂L/∂y, by the chain rule

        ∂L/∂Wᵢⱼ = Σₙ gyₙᵢ ∂yₙᵢ/∂Wᵢⱼ = Σₙ gyₙᵢ xₙⱼ      gW = gyᵀ x
        ∂L/∂bᵢ  = Σₙ gyₙᵢ                            gb = Σₙ gy
        ∂L/∂xₙⱼ = Σᵢ gyₙᵢ Wᵢⱼ                        gx = gy W
    """

    def __init__(self, weight: Array, bias: Array) -> None:
        self.weight, self.bias = weight, bias
        self.weight_grad, self.bias_grad = np.zeros_like(weight), np.zeros_like(bias)
        self.x: Array

    @classmethod
    def drawn(
        cls, inputs: int, outputs: int, rng: np.random.Generator, dtype: Any = np.float64
    ) -> "Linear":
        """Weights and biases uniform in ±1/√inputs, so that y is of the size of x."""
        bound = 1 / np.sqrt(inputs)
        weight = rng.uniform(-bound, bound, (outputs, inputs)).astype(dtype)
        return cls(weight, rng.uniform(-bound, bound, outputs).astype(dtype))

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, gy: Array) -> Array:
        np.matmul(gy.T, self.x, out=self.weight_grad)
        np.sum(gy, axis=0, out=self.bias_grad)
        return gy @ self.weight

    def parameters(self) -> Parameters:
        return [(self.weight, self.weight_grad), (self.bias, self.bias_grad)]


class Sigmoid:
    """y = σ(x), elementwise: gx = gy · σ′(x) = gy · y · (1 − y)."""

    y: Array

    def forward(self, x: Array) -> Array:
        self.y = sigmoid(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * sigmoid_slope(self.y)

    def parameters(self) -> Parameters:
        return []


class Tanh:
    """y = tanh(x), elementwise: tanh′ = 1 − tanh², so gx = gy · (1 − y²)."""

    y: Array

    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        slope: Array = 1 - self.y * self.y
        return gy * slope

    def parameters(self) -> Parameters:
        return []


class Relu:
    """y = max(x, 0), elementwise: gx = gy where x > 0, else 0. At the kink x = 0 it is 0."""

    positive: NDArray[np.bool_]

    def forward(self, x: Array) -> Array:
        self.positive = x > 0
        return np.maximum(x, 0)

    def backward(self, gy: Array) -> Array:
        return gy * self.positive

    def parameters(self) -> Parameters:
        return []


class BatchNorm:
    """Each feature brought to mean 0 and variance 1 over the batch, then scaled and shifted.

        μ = 1/N Σₙ xₙ      v = 1/N Σₙ (xₙ − μ)²      s = √(v + ε)
        x̂ₙ = (xₙ − μ) / s      yₙ = γ x̂ₙ + β

    ``gamma``, ``beta``: (features,). The parameters, since yₙ = γ x̂ₙ + β:

        gγ = Σₙ gyₙ x̂ₙ      gβ = Σₙ gyₙ      g̃ₙ = ∂L/∂x̂ₙ = γ gyₙ

    The input: xₖ moves its own x̂ₖ, and every x̂ₙ through μ and through s. From

        ∂μ/∂xₖ = 1/N      ∂v/∂xₖ = 2/N (xₖ − μ)      ∂s/∂xₖ = 1/(2s) ∂v/∂xₖ = x̂ₖ / N
        ∂x̂ₙ/∂xₖ = (δₙₖ − 1/N)/s − (xₙ − μ)/s² · x̂ₖ/N = (δₙₖ − 1/N − x̂ₙ x̂ₖ/N) / s

    the chain rule gives

        gxₖ = Σₙ g̃ₙ ∂x̂ₙ/∂xₖ = (g̃ₖ − mean(g̃) − x̂ₖ mean(g̃ x̂)) / s

    While ``training`` is off, μ and v are the running means over past batches: constants, so that
    gx = g̃ / s.
    """

    def __init__(
        self, features: int, dtype: Any = np.float64, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        self.gamma, self.beta = np.ones(features, dtype), np.zeros(features, dtype)
        self.gamma_grad, self.beta_grad = np.zeros_like(self.gamma), np.zeros_like(self.beta)
        self.running_mean, self.running_var = np.zeros(features, dtype), np.ones(features, dtype)
        self.eps, self.momentum, self.training = eps, momentum, True
        self.normalised: Array
        self.scale: Array

    def forward(self, x: Array) -> Array:
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.remember(mean, var, len(x))
        self.scale = np.sqrt(var + self.eps)
        self.normalised = (x - mean) / self.scale
        return self.gamma * self.normalised + self.beta

    def remember(self, mean: Array, var: Array, rows: int) -> None:
        """Move the running means towards a batch; its variance times N/(N−1) is unbiased."""
        unbiased = var * (rows / max(rows - 1, 1))
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (unbiased - self.running_var)

    def backward(self, gy: Array) -> Array:
        np.sum(gy * self.normalised, axis=0, out=self.gamma_grad)
        np.sum(gy, axis=0, out=self.beta_grad)
        g = gy * self.gamma
        if self.training:
            through_mean = g.mean(axis=0)
            through_scale = self.normalised * (g * self.normalised).mean(axis=0)
            g = g - through_mean - through_scale
        return g / self.scale

    def parameters(self) -> Parameters:
        return [(self.gamma, self.gamma_grad), (self.beta, self.beta_grad)]


def softmax(z: Array) -> Array:
    """pᵢ = exp(zᵢ) / Σⱼ exp(zⱼ) along the last axis; the largest zᵢ is taken off, which cancels."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    result: Array = e / e.sum(axis=-1, keepdims=True)
    return result


class CrossEntropy:
    """L = 1/N Σₙ −log pₙ[labelₙ] with p = softmax(z): what classification minimises.

    ``prediction`` z: (rows, classes), ``target``: (rows,) integer labels. Since
    −log pₗ = −zₗ + log Σⱼ exp(zⱼ),

        ∂(−log pₗ)/∂zᵢ = −δᵢₗ + exp(zᵢ) / Σⱼ exp(zⱼ) = pᵢ − δᵢₗ      gz = (p − onehot) / N

    The softmax and the logarithm belong together: the quotient p′/p never has to be formed.
    """

    p: Array
    rows: Array
    labels: Array

    def forward(self, prediction: Array, target: Array) -> float:
        shifted = prediction - prediction.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.p = np.exp(shifted - log_sum)
        self.rows, self.labels = np.arange(len(target)), target
        return float(np.mean(log_sum[:, 0] - shifted[self.rows, target]))

    def backward(self) -> Array:
        gz = self.p.copy()
        gz[self.rows, self.labels] -= 1
        gz /= len(gz)
        return gz


class MeanSquaredError:
    """L = 1/K Σ (prediction − target)² over all K entries: ∂L/∂prediction = 2/K · difference."""

    difference: Array

    def forward(self, prediction: Array, target: Array) -> float:
        self.difference = prediction - target
        return float(np.mean(self.difference * self.difference))

    def backward(self) -> Array:
        return self.difference * (2 / self.difference.size)


class Network:
    """Layers one after another, and a loss: the chain rule is a loop that runs backwards."""

    def __init__(self, layers: Sequence[Layer], loss: Loss) -> None:
        self.layers, self.criterion = list(layers), loss

    def forward(self, x: Array) -> Array:
        """The prediction for ``x``: (rows, features)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x: Array, target: Array) -> float:
        """The loss of the prediction for ``x`` beside ``target``."""
        return self.criterion.forward(self.forward(x), target)

    def backward(self) -> Array:
        """∂loss/∂x of the ``loss`` before it; every parameter's gradient is stored in its layer."""
        g = self.criterion.backward()
        for layer in reversed(self.layers):
            g = layer.backward(g)
        return g

    def parameters(self) -> Parameters:
        """Each parameter with its gradient, in the order of the layers."""
        return [pair for layer in self.layers for pair in layer.parameters()]

    def step(self, learning_rate: float) -> None:
        """Gradient descent, in place: parameter −= learning_rate · gradient."""
        for parameter, gradient in self.parameters():
            parameter -= learning_rate * gradient


@dataclass(frozen=True)
class TwoLayer:
    """The lecture's network at one x: its values, and the derivatives of y."""

    z1: Array  # (hidden,)
    h: Array  # (hidden,)
    z2: float
    y: float
    dy_dw2: Array  # (hidden,)
    dy_dW1: Array  # (hidden, inputs)
    dy_dx: Array  # (inputs,)


def two_layer_sigmoid(W1: Array, w2: Array, x: Array) -> TwoLayer:
    """y = σ(w2 · h), h = σ(W1 x): the lecture's network, and all its derivatives.

    ``W1``: (hidden, inputs), ``w2``: (hidden,), ``x``: (inputs,). From the outside inwards:

        z2 = w2 · h      ∂y/∂z2 = σ′(z2)
        ∂y/∂w2 = σ′(z2) · h
        ∂y/∂h  = σ′(z2) · w2
        z1 = W1 x        ∂y/∂z1 = ∂y/∂h · σ′(z1), elementwise
        ∂y/∂W1 = ∂y/∂z1 xᵀ, an outer product
        ∂y/∂x  = W1ᵀ ∂y/∂z1

    >>> import numpy as np
    >>> net = two_layer_sigmoid(np.eye(2), np.array([1.0, -1.0]), np.array([0.0, 0.0]))
    >>> net.y, net.dy_dw2.tolist()
    (0.5, [0.125, 0.125])
    """
    z1 = W1 @ x
    h = sigmoid(z1)
    z2 = w2 @ h
    y = sigmoid(z2)
    dy_dz2 = sigmoid_slope(y)
    dy_dw2 = dy_dz2 * h
    dy_dh = dy_dz2 * w2
    dy_dz1 = dy_dh * sigmoid_slope(h)
    dy_dW1 = np.outer(dy_dz1, x)
    dy_dx = W1.T @ dy_dz1
    return TwoLayer(z1, h, float(z2), float(y), dy_dw2, dy_dW1, dy_dx)
