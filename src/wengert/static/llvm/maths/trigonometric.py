"""sin and cos: the fast reduction in the loop, the slow one out of its way. Layer: ``static``."""

from __future__ import annotations

from . import huge, quarters
from .lanes import Real


def sin(x: Real) -> Real:
    """sin x, as that of |x| with the sign of x, to at most 1.6 ulp in float32, 1.6 in float64."""
    magnitude = abs(x)
    result = huge.fixed(magnitude, quarters.moderate(magnitude, 0), 0)
    sign = x.bits() & (1 << (x.format.width - 1))
    return (result.bits() ^ sign).real()


def cos(x: Real) -> Real:
    """cos x = sin(|x| + π/2), to at most 1.6 ulp in float32, 1.6 in float64."""
    magnitude = abs(x)
    return huge.fixed(magnitude, quarters.moderate(magnitude, 1), 1)
