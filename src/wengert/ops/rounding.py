"""Rounding to decimals; binary exponents, mantissas, bits. Layer: ``ops``, NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.primitive import Doc, Interval
from .families import elementwise

round = elementwise(
    name="round",
    value=lambda x, decimals=0: np.round(x, decimals),
    lower=lambda e, x, decimals=0: e.round_to(x, decimals),
    fresh=False,  # of integers NumPy gives the array itself
    partials=(None,),
    doc=Doc("x to a number of decimals, ties to even.", kinks="0 at the steps"),
    samples=lambda rng: [
        ((100 * k + rng.uniform(0.1, 0.4, (2, 3)),), {"decimals": decimals})
        for k, decimals in ((1, 0), (1, -2), (0, 0))
    ],
)
ldexp = elementwise(
    name="ldexp",
    value=np.ldexp,
    ufunc=np.ldexp,
    partials=(lambda b: np.ldexp(1.0, b), None),
    complex=False,
    doc=Doc("a times 2 to the integer power b.", (Interval(), Interval())),
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)), rng.integers(-3, 4, (3,))), {}),
        ((rng.standard_normal(()), 2), {}),
    ],
)
exponent = elementwise(
    name="exponent",
    value=lambda x: np.frexp(x)[1],
    partials=(None,),
    complex=False,
    doc=Doc("The integer e of x = m 2**e, 1/2 <= |m| < 1.", kinks="0 at the steps"),
)

bitwise_count = elementwise(
    name="bitwise_count",
    value=np.bitwise_count,
    ufunc=np.bitwise_count,
    partials=(None,),
    doc=Doc("The number of bits that are 1 in an integer's absolute value."),
    extra={"integers": True},
)


def frexp(x: Any) -> tuple[Any, Any]:
    """``np.frexp``: mantissa and exponent."""
    e = exponent(x)
    return np.ldexp(x, -e), e


def modf(x: Any) -> tuple[Any, Any]:
    """``np.modf``: fraction and integer part, both with the sign of ``x``."""
    whole = np.trunc(x)
    infinite = np.isinf(whole)
    fraction = np.subtract(x, np.where(infinite, 0, whole))
    return np.copysign(np.where(infinite, 0, fraction), x), whole
