"""exp, tanh and sigmoid: e^x is 2^n (1 + p), where p = e^r - 1 and |r| is at most log(2)/2.

The three differ in how they put n and p together; p keeps its own leading bits, so that tanh loses
none near 0. The reduction is Cody & Waite's (Software Manual for the Elementary Functions, 1980,
chapter 6). Layer: ``static``.
"""

from __future__ import annotations

from .exact import LN2
from .lanes import Bits, Real, fma, ordered, polynomial


def expm1_near_zero(high: Real, low: Real) -> Real:
    """e^r - 1 - high, where r = high + low with |r| up to log(2)/2, and |low| is small."""
    r = high + low
    return fma(r * r, polynomial(r, r.format.polynomials.expm1), low)


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


def reduce(x: Real) -> tuple[Bits, Real, Real]:
    """n, with twice the bias added, and two numbers with the sum p, such that e^x = 2^n (1 + p).

    The first of the two has no rounding error, the second is less than a fifth of it.
    """
    first, second = x.format.ln2
    exponent, n = whole(x, float(1 / LN2))
    high = fma(n, -first, x)
    return exponent, high, expm1_near_zero(high, n * -second)


def bounds(x: Real) -> tuple[float, float]:
    """Below the first e^x rounds to 0, above the second it overflows."""
    return (x.format.lowest - 1) * float(LN2), (x.format.bias + 1.5) * float(LN2)


def exp(x: Real) -> Real:
    """e^x, to at most 0.95 ulp in float32, 1.0 in float64."""
    exponent, high, low = reduce(x.clamp(*bounds(x)))
    first, second = powers_of_two(exponent)
    return (high + low + 1) * first * second


def tanh(x: Real) -> Real:
    """N / (N + 1) with N = (e^z - 1) / 2 at z = 2 |x|, and the sign of x.

    With a and b, the rounding errors of N and of N + 1, the ratio t is off by
    (1 - t) ((1 - t) a - t b), which is added. The error is at most 1.35 ulp in float32, 1.5 in
    float64.
    """
    exponent, high, low = reduce((abs(x) * 2).at_most(x.format.ones))
    scale = ((exponent - x.format.bias - 1) << x.format.fraction).real()  # 2^(n - 1)
    first = fma(scale, high, scale - 0.5)
    N = fma(scale, low, first)
    a = fma(scale, low, first - N)
    smaller, larger = ordered(N, x.constant(1.0))
    sum_ = smaller + larger
    b = smaller - (sum_ - larger)
    t = N / sum_
    rest = 1 - t
    return fma(rest, fma(rest, a, t * -b), t).copysign(x)


def sigmoid(x: Real) -> Real:
    """1 / (1 + e^-x), divided by 2^n: it reaches the subnormals, where e^-x overflows.

    The rounding errors of the denominator are taken off the reciprocal. What is left is at most
    1.25 ulp in float32, 1.3 in float64.
    """
    exponent, high, low = reduce((-x).clamp(-x.format.ones, -bounds(x)[0]))
    first, second = powers_of_two(4 * x.format.bias - exponent)
    scale = first * second  # 2^-n
    part = scale + 1
    sum_ = part + (high + low)
    error = high - (sum_ - part) + (low + (scale - (part - 1)))
    inverse = 1 / sum_
    return fma(inverse * error, -inverse, inverse) * first * second
