"""Quarter turns: x = n π/2 + r, and the series of sin r and cos r.

π/2 comes in parts whose products with n are exact (Cody & Waite, Software Manual for the Elementary
Functions, 1980, chapter 8); beyond some thousand turns ``huge`` takes over. Layer: ``static``.
"""

from __future__ import annotations

from .exact import PI
from .lanes import Bits, Real, fma, polynomial, select


def kernel(r: Real, quarters: Bits) -> Real:
    """sin(r + quarters π/2), |r| up to π/4."""
    fits, z = r.format.polynomials, r * r
    sine = fma(z * r, polynomial(z, fits.sin), r)
    cosine = fma(z * z, polynomial(z, fits.cos), 1 - z * 0.5)
    chosen = select((quarters & 1).equals(0), sine, cosine)
    sign = (quarters & 2) << (r.format.width - 2)
    return (chosen.bits() ^ sign).real()


def reduce(x: Real) -> tuple[Real, Bits]:
    """r and n, such that x = r + n π/2; of n the last two bits are right.

    The first products leave no rounding error. Where a later difference is small it is exact, and
    where it is not its error is kept.
    """
    *exact, third, second, last = x.format.half_pi
    shift = 1.5 * 2.0**x.format.fraction
    shifted = fma(x, float(2 / PI), shift)
    n = shifted - shift
    high = x
    for part in exact:
        high = fma(n, -part, high)
    r = fma(n, -third, high)
    error = fma(n, -third, high - r)
    high, r = r, fma(n, -second, r)
    error = error + fma(n, -second, high - r)
    return r + fma(n, -last, error), shifted.bits()


def moderate(x: Real, shift: int) -> Real:
    """sin(x + shift π/2) for x >= 0 up to ``turns`` quarter turns."""
    r, quarters = reduce(x)
    return kernel(r, quarters + shift if shift else quarters)
