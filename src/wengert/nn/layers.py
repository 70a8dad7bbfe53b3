"""The layers: ``Linear``, activations, ``Sequential``, ``Flatten``; and ``mlp``, of them all.

Layer: ``nn``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..core.box import shape_of
from ..core.errors import DataError, DtypeError, ShapeError, describe
from ..differentiate.dynamic import array
from .functional import linear, relu, sigmoid, softmax
from .module import Module

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def glorot(rng: np.random.Generator, inputs: int, outputs: int) -> np.ndarray:
    """Uniform in ±√(6 / (in + out)): keeps the size of signals both ways through tanh, sigmoid.

    Source: X. Glorot, Y. Bengio, AISTATS 2010, equation 16.
    """
    bound = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-bound, bound, (outputs, inputs))


def he(rng: np.random.Generator, inputs: int, outputs: int) -> np.ndarray:
    """Normal with variance 2 / in: keeps the size of signals through ReLU, which halves it.

    Source: K. He, X. Zhang, S. Ren, J. Sun, ICCV 2015, equation 10, doi:10.1109/ICCV.2015.123.
    """
    return rng.normal(0.0, np.sqrt(2 / inputs), (outputs, inputs))


INITS: dict[str, Draw] = {"glorot": glorot, "he": he}


class Linear(Module):
    """x Wᵀ + b: ``weight`` (out, in) and ``bias`` (out,) are the parameters.

    Args:
        in_features, out_features: the lengths of the last axis of what goes in and comes out.
        bias: False leaves b out; else it starts as zeros.
        rng: draws the weights; one generator for all layers of a network. None: a fresh one, whose
            numbers differ from run to run.
        dtype: float32, or another floating dtype.
        init: ``"glorot"``, for sigmoid and tanh behind it, or ``"he"``, for ReLU.

    Raises:
        DataError: sizes below 1, an unknown ``init``. DtypeError: a seed in place of a generator;
        integers for ``dtype``.

    >>> import numpy as np
    >>> layer = Linear(3, 2, rng=np.random.default_rng(0))
    >>> layer(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
        dtype: Any = np.float32,
        init: str = "glorot",
    ) -> None:
        self.in_features = _size("in_features", in_features)
        self.out_features = _size("out_features", out_features)
        if init not in INITS:
            raise DataError(f"Linear: unknown init {init!r}; choose from {sorted(INITS)}")
        draw = INITS[init](_generator("Linear", rng), in_features, out_features)
        self.weight = array(draw, dtype=_floating(dtype), requires_grad=True)
        self.bias = array(np.zeros(out_features, dtype), requires_grad=True) if bias else None

    def forward(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


def _size(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise DataError(f"Linear: {name} is {value!r}, expected a whole number, 1 or more")
    return int(value)


def _generator(name: str, rng: Any) -> np.random.Generator:
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        raise DtypeError(
            f"{name}: rng is {describe(rng)}, expected a generator, one for the whole network: "
            "rng = np.random.default_rng(seed)"
        )
    return rng


def _floating(dtype: Any) -> np.dtype[Any]:
    result: np.dtype[Any] = np.dtype(dtype)
    if result.kind not in "fc":
        raise DtypeError(f"Linear: dtype is {result}, expected a floating one, as np.float32")
    return result


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise."""

    def forward(self, x: Any) -> Any:
        return sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent, elementwise."""

    def forward(self, x: Any) -> Any:
        return np.tanh(x)


class ReLU(Module):
    """max(x, 0), elementwise; its derivative at 0 is 0."""

    def forward(self, x: Any) -> Any:
        return relu(x)


class Softmax(Module):
    """exp(x) / Σ exp(x) along ``axis``. Before ``cross_entropy`` leave it out: that contains it."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return softmax(x, self.axis)


class Flatten(Module):
    """(batch, a, b, …) to (batch, a·b·…)."""

    def forward(self, x: Any) -> Any:
        shape = shape_of(x)
        if len(shape) < 2:
            raise ShapeError(f"Flatten: got {describe(x)}, expected (batch, …)")
        return np.reshape(x, (shape[0], int(np.prod(shape[1:]))))


class Function(Module):
    """A function without parameters as a module: what ``Sequential`` makes of ``np.tanh``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)

    def extra_repr(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))


class Sequential(Module):
    """Modules, or functions, one after the other.

    >>> import numpy as np
    >>> model = Sequential(Linear(2, 3), np.tanh, Linear(3, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Function(tanh)
      (2): Linear(in_features=3, out_features=1, bias=True)
    )  # 13 parameters
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    _unnamed = frozenset({"layers"})

    def __init__(self, *layers: Module | Callable[..., Any]) -> None:
        for number, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                given = (
                    f"the class {layer.__name__}" if isinstance(layer, type) else describe(layer)
                )
                raise DtypeError(
                    f"Sequential: layer {number} is {given}, expected a module or a function; "
                    "give the modules one by one: Sequential(*layers)"
                )
        self.layers = [layer if isinstance(layer, Module) else Function(layer) for layer in layers]

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]


ACTIVATIONS: dict[str, tuple[type[Module], str]] = {
    "sigmoid": (Sigmoid, "glorot"),
    "tanh": (Tanh, "glorot"),
    "relu": (ReLU, "he"),
}


def mlp(
    sizes: Sequence[int],
    activation: str = "relu",
    *,
    rng: np.random.Generator | None = None,
    dtype: Any = np.float32,
) -> Sequential:
    """A multi-layer perceptron: linear layers with an activation between them, none at the end.

    Args:
        sizes: inputs, hidden layers, outputs: (784, 128, 10).
        activation: ``"sigmoid"``, ``"tanh"`` or ``"relu"``; the weights start as suits it.
        rng, dtype: as for ``Linear``.

    Raises:
        DataError: fewer than two sizes, or an unknown activation.

    >>> mlp((64, 32, 10), "tanh")
    Sequential(
      (0): Linear(in_features=64, out_features=32, bias=True)
      (1): Tanh()
      (2): Linear(in_features=32, out_features=10, bias=True)
    )  # 2,410 parameters
    """
    if activation not in ACTIVATIONS:
        raise DataError(f"unknown activation {activation!r}; choose from {sorted(ACTIVATIONS)}")
    if len(sizes) < 2:
        raise DataError(f"mlp: sizes are {tuple(sizes)}, expected at least inputs and outputs")
    kind, init = ACTIVATIONS[activation]
    rng = _generator("mlp", rng)
    layers: list[Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = number == len(sizes) - 2
        start = "glorot" if last else init
        layers.append(Linear(inputs, outputs, rng=rng, dtype=dtype, init=start))
        if not last:
            layers.append(kind())
    return Sequential(*layers)
