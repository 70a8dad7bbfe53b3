"""exp, log, tanh, sigmoid, sin, cos, pow and erf as LLVM's instructions.

``FUNCTIONS[name](builder, x)``, for pow ``(builder, x, y)``, writes the function of a value of type
float or double, or of a vector of them of any width, with an llvmlite builder, and returns the
result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .error import erf
from .exponential import exp, sigmoid, tanh
from .lanes import function
from .logarithm import log
from .powers import pow
from .trigonometric import cos, sin

FUNCTIONS: dict[str, Callable[..., Any]] = {
    formula.__name__: function(formula) for formula in (exp, log, tanh, sigmoid, sin, cos, pow, erf)
}
