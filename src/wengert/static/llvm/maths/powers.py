"""pow: 2^(y log2 x), where the logarithm and its product with y have twice the usual digits.

An error of log2 x is multiplied by up to 1,100 in the result, so about 12 bits more than the format
has are needed. ``Pair`` is an unevaluated sum that holds them; its products cut numbers into
halves, whose products are exact (T. J. Dekker, Numerische Mathematik 18, 1971, 224-242), because
not every processor has a fused multiply-add. Layer: ``static``.
"""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple

from .exact import LN2, split
from .exponential import expm1_near_zero, powers_of_two, whole
from .lanes import Mask, Real, fma, polynomial, select
from .logarithm import mantissa, special


class Pair(NamedTuple):
    """The unevaluated sum of two numbers.

    Attributes:
        high: with half of the format's digits, so that the product of two is exact.
        low: the rest.
    """

    high: Real
    low: Real


def half(x: Real) -> Real:
    """x without the lower half of its digits."""
    cut = x.format.fraction // 2 + 1
    return (x.bits() & -(1 << cut)).real()


def pair(high: Real, low: Real | float = 0.0) -> Pair:
    """high + low."""
    first = half(high + low)
    return Pair(first, high - first + low)


def times(a: Pair, b: Pair) -> tuple[Real, Real]:
    """The product of both, as that of the high parts, which is exact, and the rest."""
    return a.high * b.high, fma(a.high, b.low, a.low * (b.high + b.low))


def log2(x: Real) -> Pair:
    """The logarithm of a finite x > 0: k + (2/3 s) (3 + s² + 3 s⁴ (1/5 + s²/7 + …)) / log 2.

    Of the second factor only the last term is rounded to the format.
    """
    m, k = mantissa(x)
    f, d = m - 1, m + 1
    inverse = 1 / d
    s_high, d_high = half(f * inverse), half(d)
    d_low = m - (d_high - 1)
    s_low = (f - s_high * d_high - s_high * d_low) * inverse
    square, rest = s_high * s_high, s_low * (s_high + s_high + s_low)
    z = square + rest
    rest = fma(z * z, polynomial(z, x.format.polynomials.atanh), rest)
    factor = half(square + rest + 3)
    product = times(Pair(s_high, s_low), Pair(factor, square - (factor - 3) + rest))
    scale = split(2 / (3 * LN2), x.format.fraction // 2)
    high, low = times(pair(*product), Pair(*map(x.constant, scale)))
    first = half(k + (high + low))
    return Pair(first, k - first + high + low)


def exp2(high: Real, low: Real) -> Real:
    """2^(high + low), from below the smallest subnormal to beyond the largest number."""
    exponent, n = whole(high + low, 1.0)
    first, second = powers_of_two(exponent)
    r = (high - n + low) * float(LN2)
    return (r + expm1_near_zero(r, r.constant(0.0)) + 1) * first * second


def integral(x: Real) -> Mask:
    """Where x >= 0 has no fraction, infinity included."""
    limit = 2.0**x.format.fraction
    return (x >= limit) | (x + limit - limit).equals(x)


def pow(x: Real, y: Real) -> Real:
    """x^y with the special values of C (ISO/IEC 9899:2018, F.10.4.4).

    The error is at most 1.25 ulp in float32, 1.35 in float64.
    """
    base, exponent = abs(x), abs(y)
    logarithm = log2(base)
    estimate = y * special(base, logarithm.high + logarithm.low)
    power = exp2(*times(pair(y), logarithm))
    power = select(estimate < x.format.lowest - 1, x.constant(0.0), power)
    power = select(estimate > x.format.bias + 2, x.constant(inf), power)
    power = select(base.equals(1.0), x.constant(1.0), power)
    whole_number = integral(exponent)
    odd = whole_number & ~integral(exponent * 0.5)
    power = select(odd, power.copysign(x), power)
    no_root = (x < 0.0) & (x > -inf) & ~whole_number
    power = select(no_root, x.constant(nan), power)
    power = select(x.equals(x) & y.equals(y), power, x + y)
    return select(x.equals(1.0) | y.equals(0.0), x.constant(1.0), power)
