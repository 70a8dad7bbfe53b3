"""Difference quotients with an error estimate, and the complex step: the checks' own oracle.

Independent of ``wengert.numerical``, which is itself under test.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

LEVELS = 6
FIRST_STEP = 0.02
EPS = np.finfo(float).eps


def richardson(function: Callable[[float], Any], step: float = FIRST_STEP) -> tuple[Any, Any]:
    """``(slope, error)`` of ``function`` at 0, a function of a number that gives a real vector.

    Central differences at step, step/2, … are extrapolated to 0. ``error`` bounds, elementwise,
    truncation (how far the last two columns of the table differ) and rounding (that of the values
    over the smallest step); it is computed, nothing in it is tuned to a primitive.
    """
    table, largest = [], 0.0
    for level in range(LEVELS):
        h = step / 2**level
        plus, minus = function(h), function(-h)
        largest = max(
            largest, np.max(np.abs(plus), initial=0.0), np.max(np.abs(minus), initial=0.0)
        )
        table.append((plus - minus) / (2 * h))
    for order in range(1, LEVELS):
        last = table[-2:]
        table = [(4**order * b - a) / (4**order - 1) for a, b in pairwise(table)]
    (slope,) = table
    truncation = np.maximum(np.abs(slope - last[0]), np.abs(slope - last[1]))
    return slope, 4 * truncation + 64 * EPS * largest / h


def is_analytic(along: Callable[[complex], Any]) -> bool:
    """Whether a function of a complex number near 0 obeys the Cauchy–Riemann equations there."""
    try:
        real, error = richardson(lambda t: np.asarray(along(t), complex).view(float))
        imaginary, more = richardson(lambda t: np.asarray(along(1j * t), complex).view(float))
    except TypeError:
        return False
    turned = (1j * real.view(complex)).view(float)
    return bool(np.all(np.abs(turned - imaginary) <= error.max(initial=0) + more + 1e-9))


def complex_step(along: Callable[[complex], Any]) -> Any:
    """The slope at 0 of a real analytic function, to rounding: Im f(ih) / h."""
    h = 1e-30
    return np.imag(along(1j * h)) / h
