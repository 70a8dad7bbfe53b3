"""exp, tanh and sigmoid: e^x is 2^n (1 + p), where p = e^r - 1 and |r| is at most log(2)/2.

The three differ in how they put n and p together; p keeps its own leading bits, so that tanh loses
none near 0. The reduction is Cody & Waite's (Software Manual for the Elementary Functions, 1980,
chapter 6). Layer: ``static``.
"""

from __future__ import annotations

from .exact import LN2
from .lanes import Bits, Real, fma, polynomial


def expm1_near_zero(r: Real) -> Real:
    """e^r - 1 for |r| up to log(2)/2."""
    return fma(r * r, polynomial(r, r.format.polynomials.expm1), r)


def whole(x: Real, factor: float) -> tuple[Bits, Real]:
    """The whole number nearest to ``factor`` x, plus twice the bias in the last bits, and itself.

    Adding 1.5 times 2 to the width of the fraction leaves no room for a fraction.
    """
    shift = 1.5 * 2.0**x.format.fraction + 2 * x.format.bias
    shifted = fma(x, factor, shift)
    return shifted.bits(), shifted - shift


def powers_of_two(exponent: Bits) -> tuple[Real, Real]:
    """Two numbers whose product is 2 to the exponent, which is given with twice the bias added.

    One number holds neither the exponents of subnormals nor 1024; the last of two products rounds
    once, or overflows, as it must.
    """
    fraction = exponent.lanes.format.fraction
    half = exponent >> 1
    return (half << fraction).real(), ((exponent - half) << fraction).real()


def reduce(x: Real) -> tuple[Bits, Real]:
    """n, with twice the bias added, and p, such that e^x = 2^n (1 + p)."""
    first, second = x.format.ln2
    exponent, n = whole(x, float(1 / LN2))
    r = fma(n, -second, fma(n, -first, x))
    return exponent, expm1_near_zero(r)


def bounds(x: Real) -> tuple[float, float]:
    """Below the first e^x rounds to 0, above the second it overflows."""
    return (x.format.lowest - 1) * float(LN2), (x.format.bias + 1.5) * float(LN2)


def exp(x: Real) -> Real:
    """e^x."""
    exponent, p = reduce(x.clamp(*bounds(x)))
    first, second = powers_of_two(exponent)
    return (p + 1) * first * second


def tanh(x: Real) -> Real:
    """(e^z - 1) / (e^z + 1) at z = 2 |x|, both divided by 2^n, and the sign of x."""
    bias, fraction = x.format.bias, x.format.fraction
    exponent, p = reduce((abs(x) * 2).at_most(x.format.ones))
    scale = ((3 * bias - exponent) << fraction).real()  # 2^-n
    ratio = (p + (1 - scale)) / (p + (1 + scale))
    return ratio.copysign(x)


def sigmoid(x: Real) -> Real:
    """1 / (1 + e^-x), both divided by 2^n: it reaches the subnormals where e^-x overflows."""
    exponent, p = reduce((-x).clamp(-x.format.ones, -bounds(x)[0]))
    first, second = powers_of_two(4 * x.format.bias - exponent)
    return first / (p + (first * second + 1)) * second
