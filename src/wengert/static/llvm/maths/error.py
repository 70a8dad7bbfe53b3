"""erf: its series up to 1, from there 1 - e^-g(x) with a polynomial g = -log erfc.

erfc is small there, so g needs a fraction of erf's accuracy, and less the larger x is.
Layer: ``static``.
"""

from __future__ import annotations

from .exponential import reduce
from .lanes import Real, fma, polynomial, select


def erf(x: Real) -> Real:
    """2/√π times the integral of e^-t² from 0 to x.

    The error is at most 1.7 ulp in float32, 1.6 in float64.
    """
    fits, magnitude = x.format.polynomials, abs(x)
    z = x * x
    near = fma(magnitude, polynomial(z, fits.erf), magnitude)
    # Beyond its interval the polynomial has no meaning; there e^-g has been below half an ulp of 1
    t = magnitude.at_most(x.format.erf_ones) - 1
    exponent, high, low = reduce(-polynomial(t, fits.erfc))
    power = ((exponent - x.format.bias) << x.format.fraction).real()
    far = 1 - fma(power, high + low, power)
    return select(magnitude < 1.0, near, far).copysign(x)
