"""pow: 2^(y log2 x), where the logarithm and its product with y have twice the usual digits.

An error of log2 x is multiplied by up to 1,100 in the result, so about 12 bits more than the format
has are needed. ``Pair`` is an unevaluated sum that holds them; its products cut numbers into
halves, whose products are exact (T. J. Dekker, Numerische Mathematik 18, 1971, 224-242), because
not every processor has a fused multiply-add. Layer: ``static``.
"""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple

from .exact import LN2
from .exponential import expm1_near_zero, powers_of_two, whole
from .lanes import Mask, Real, fma, polynomial, select
from .logarithm import mantissa


class Pair(NamedTuple):
    """high + low; ``high`` has half of the format's digits, so that products of two are exact."""

    high: Real
    low: Real


def half(x: Real) -> Real:
    """x without the lower half of its digits."""
    cut = x.format.fraction // 2 + 1
    return (x.bits() & (2**x.format.width - 2**cut)).real()


def pair(x: Real, error: Real | float = 0.0) -> Pair:
    """x + error."""
    high = half(x + error)
    return Pair(high, x - high + error)


def times(a: Pair, b: Pair) -> tuple[Real, Real]:
    """The exact product of the first halves, and what is missing."""
    return a.high * b.high, fma(a.high, b.low, a.low * (b.high + b.low))


def log2(x: Real) -> Pair:
    """The logarithm of a finite x > 0: k + 2/log(2) artanh(s), s = (m - 1) / (m + 1).

    artanh(s) is s/3 times 3 + s² + 3 s⁴ (1/5 + s²/7 + …); only the last term has a rounding error.
    """
    m, k = mantissa(x)
    f, d = m - 1, m + 1
    d_high = half(d)
    d_low = m - (d_high - 1)
    inverse = 1 / d
    s_high = half(f * inverse)
    s_low = (f - s_high * d_high - s_high * d_low) * inverse
    s = Pair(s_high, s_low)
    square, rest = s_high * s_high, s_low * (s_high + s_high + s_low)
    z = square + rest
    rest = fma(z * z, polynomial(z, x.format.polynomials.atanh), rest)
    three = half(3 + (square + rest))
    sum_ = Pair(three, square - (three - 3) + rest)
    scaled = times(pair(*times(s, sum_)), constant(x, 2 / (3 * LN2)))
    high = half(k + scaled[0])
    return Pair(high, k - high + scaled[0] + scaled[1])


