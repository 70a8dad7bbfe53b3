"""The functions and constants that a typed formula may use, by the name that a person types.

Each calls NumPy's function, or SciPy's ufunc, of the same mathematics, which the engine
differentiates. Layer: none of wengert; SciPy is imported when a function of it is first called.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """One function: what it computes, the number of its arguments, its meaning in words."""

    apply: Callable[..., Any]
    count: int
    meaning: str


def _special(name: str) -> Callable[..., Any]:
    """The ufunc ``name`` of ``scipy.special``, imported on first call."""

    def apply(*arguments: Any) -> Any:
        from scipy import special

        return getattr(special, name)(*arguments)

    return apply


def _relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, 0.0)


CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS = {
    "ln": Function(np.log, 1, "natural logarithm"),
    "log": Function(np.log, 1, "natural logarithm"),
    "log2": Function(np.log2, 1, "logarithm to base 2"),
    "log10": Function(np.log10, 1, "logarithm to base 10"),
    "log1p": Function(np.log1p, 1, "ln(1 + x)"),
    "exp": Function(np.exp, 1, "exponential"),
    "exp2": Function(np.exp2, 1, "2**x"),
    "expm1": Function(np.expm1, 1, "exp(x) - 1"),
    "sqrt": Function(np.sqrt, 1, "square root"),
    "cbrt": Function(np.cbrt, 1, "cube root"),
    "square": Function(np.square, 1, "x**2"),
    "pow": Function(np.power, 2, "x**y"),
    "abs": Function(np.abs, 1, "absolute value; derivative 0 at 0"),
    "sin": Function(np.sin, 1, "sine"),
    "cos": Function(np.cos, 1, "cosine"),
    "tan": Function(np.tan, 1, "tangent"),
    "asin": Function(np.arcsin, 1, "inverse sine"),
    "acos": Function(np.arccos, 1, "inverse cosine"),
    "atan": Function(np.arctan, 1, "inverse tangent"),
    "atan2": Function(np.arctan2, 2, "angle of the point (y, x)"),
    "arcsin": Function(np.arcsin, 1, "inverse sine"),
    "arccos": Function(np.arccos, 1, "inverse cosine"),
    "arctan": Function(np.arctan, 1, "inverse tangent"),
    "sinh": Function(np.sinh, 1, "hyperbolic sine"),
    "cosh": Function(np.cosh, 1, "hyperbolic cosine"),
    "tanh": Function(np.tanh, 1, "hyperbolic tangent"),
    "asinh": Function(np.arcsinh, 1, "inverse hyperbolic sine"),
    "acosh": Function(np.arccosh, 1, "inverse hyperbolic cosine"),
    "atanh": Function(np.arctanh, 1, "inverse hyperbolic tangent"),
    "sigmoid": Function(_special("expit"), 1, "1 / (1 + exp(-x))"),
    "relu": Function(_relu, 1, "max(x, 0); derivative 0 at 0"),
    "softplus": Function(_softplus, 1, "ln(1 + exp(x))"),
    "erf": Function(_special("erf"), 1, "error function"),
    "erfc": Function(_special("erfc"), 1, "1 - erf(x)"),
    "gammaln": Function(_special("gammaln"), 1, "logarithm of the gamma function"),
    "max": Function(np.maximum, 2, "the larger of two"),
    "min": Function(np.minimum, 2, "the smaller of two"),
    "sum": Function(np.sum, 1, "sum of an array"),
    "mean": Function(np.mean, 1, "mean of an array"),
    "prod": Function(np.prod, 1, "product of an array"),
    "dot": Function(np.dot, 2, "inner product of two arrays"),
}
