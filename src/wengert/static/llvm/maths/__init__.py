"""exp, log, tanh, sigmoid, sin, cos, pow and erf as LLVM's instructions.

``FUNCTIONS[name](builder, x)``, for pow ``(builder, x, y)``, writes the function of a value of type
float or double, or of a vector of them of any width, with an llvmlite builder, and returns the
result. Special values are NumPy's; the errors that the docstrings state are the largest that were
found among 10^7 to 10^8 arguments and a little more, in units of the last place of the exact value.
No instruction has fast-math flags, and none may get any. A module that has sin or cos gets some
functions named ``wengert.sine`` of its own (``huge``).
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
