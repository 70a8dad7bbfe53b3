"""log: x = 2^k m with m between √½ and √2, and the series of log m in s = (m - 1) / (m + 1).

Cody & Waite, Software Manual for the Elementary Functions (1980), chapter 5; the series is DLMF
4.6.4. Layer: ``static``.
"""

from __future__ import annotations

from math import inf, nan, sqrt

from .lanes import Real, fma, polynomial, select


def mantissa(x: Real) -> tuple[Real, Real]:
    """m and k, such that x = 2^k m and m is between √½ and √2, of a finite x > 0."""
    form = x.format
    subnormal = x < form.smallest
    scale = form.fraction + 1
    bits = select(subnormal, x * 2.0**scale, x).bits()
    centre = form.bits(sqrt(0.5))
    moved = bits - centre + (form.bias << form.fraction)
    m = ((moved & ((1 << form.fraction) - 1)) + centre).real()
    ones = form.bits(2.0**form.fraction)  # these bits and a small whole number's are that sum
    k = ((moved >> form.fraction) | ones).real()
    bias = 2.0**form.fraction + form.bias
    return m, k - select(subnormal, x.constant(bias + scale), x.constant(bias))


def special(x: Real, finite: Real) -> Real:
    """``finite`` where 0 < x < inf, else what the logarithm is there."""
    at_least = select(x < inf, finite, x)  # inf and NaN are their own
    return select(x > 0.0, at_least, select(x.equals(0.0), x.constant(-inf), x.constant(nan)))


def log(x: Real) -> Real:
    """log m = f - s (f - R), where f = m - 1 and s R is what the series has beyond 2 s.

    The error is at most 0.95 ulp in float32, 1.0 in float64.
    """
    m, k = mantissa(x)
    f = m - 1
    s = f / (m + 1)
    z = s * s
    rest = z * polynomial(z, x.format.polynomials.log)
    first, second = x.format.ln2
    correction = fma(s, f - rest, k * -second)
    return special(x, fma(k, first, f - correction))
