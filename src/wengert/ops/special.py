"""SciPy-special's elementwise functions: all of those that wengert differentiates.

Layer: ``ops``; loads SciPy, see ``scipy_ufunc``. ``TABLE`` is what is entered in the
table behind ``__array_ufunc__``. Here stand the logistic functions, ``x ln y`` and what is made
of it, Box-Cox, Huber; its neighbours hold the rest. ``1.0 * a`` stands where a constant of small
integers or booleans may come, whose logarithm NumPy takes in half precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sp

from ..core.primitive import REGISTRY, Interval
from . import bessel, gamma, hypergeometric, integrals  # noqa: F401
from .exponential import inverse
from .fitting import is_complex
from .scipy_ufunc import of_ufunc, ufunc_within
from .trigonometric import DEGREE

ANY, POSITIVE, PROBABILITY = Interval(), Interval(0.3, 3.0), Interval(0.1, 0.9)
LN2, LN10 = math.log(2.0), math.log(10.0)

# --- SciPy's own loops of functions that NumPy has too --------------------------------------------

exp2 = of_ufunc(
    sp.exp2,
    lambda y: y * LN2,
    name="special.exp2",
    summary="2 to the power x.",
    source="DLMF 4.7.6",
)
exp10 = of_ufunc(sp.exp10, lambda y: y * LN10, summary="10 to the power x.", source="DLMF 4.7.6")
expm1 = of_ufunc(
    sp.expm1,
    lambda y: y + 1,
    name="special.expm1",
    summary="exp(x) - 1, exact near 0.",
    source="DLMF 4.7.5",
)
log1p = of_ufunc(
    sp.log1p,
    lambda x: inverse(1 + x),
    name="special.log1p",
    summary="ln(1 + x), exact near 0.",
    domain=(Interval(-0.8, 3.0),),
    source="DLMF 4.7.1",
)
cbrt = of_ufunc(
    sp.cbrt,
    lambda y: 1 / (3 * (y * y)),
    name="special.cbrt",
    summary="Real cube root.",
    domain=(POSITIVE,),
    source="DLMF 4.7.11",
)
cosm1 = of_ufunc(
    sp.cosm1, lambda x: -np.sin(x), summary="cos(x) - 1, exact near 0.", source="DLMF 4.20.2"
)
powm1 = of_ufunc(
    sp.powm1,
    lambda a, b: b * np.power(a, b - 1),
    lambda y, a: (y + 1) * np.log(1.0 * a),
    summary="a ** b - 1, exact near 0.",
    domain=(POSITIVE, ANY),
    source="DLMF 4.7.11, 4.7.6",
)
round = of_ufunc(
    sp.round,
    None,
    name="special.round",
    summary="Nearest integer, ties to even.",
    domain=(Interval(0.1, 0.4),),
    kinks="0 at the steps",
)

# --- degrees --------------------------------------------------------------------------------------

sindg = of_ufunc(
    sp.sindg, lambda x: DEGREE * sp.cosdg(x), summary="Sine of degrees.", source="DLMF 4.20.1"
)
cosdg = of_ufunc(
    sp.cosdg, lambda x: -DEGREE * sp.sindg(x), summary="Cosine of degrees.", source="DLMF 4.20.2"
)
tandg = of_ufunc(
    sp.tandg,
    lambda y: DEGREE * (1 + y * y),
    summary="Tangent of degrees.",
    source="DLMF 4.20.3",
)
cotdg = of_ufunc(
    sp.cotdg,
    lambda y: -DEGREE * (1 + y * y),
    summary="Cotangent of degrees.",
    domain=(POSITIVE,),
    source="DLMF 4.20.6",
)
radian = of_ufunc(
    sp.radian,
    lambda: DEGREE,
    lambda: DEGREE / 60,
    lambda: DEGREE / 3600,
    summary="Degrees, minutes and seconds in radians.",
    domain=(ANY, ANY, ANY),
)

# --- logistic -------------------------------------------------------------------------------------

expit = of_ufunc(
    sp.expit,
    lambda y: y * (1 - y),
    summary="Logistic sigmoid 1 / (1 + exp(-x)).",
    source="DLMF 4.7.5",
)
logit = of_ufunc(
    sp.logit,
    lambda x: inverse(x * (1 - x)),
    summary="ln(x / (1 - x)), the inverse of expit.",
    domain=(PROBABILITY,),
    source="DLMF 4.7.1",
)
log_expit = of_ufunc(
    sp.log_expit, lambda x: sp.expit(-x), summary="ln of expit.", source="DLMF 4.7.1"
)

# --- x ln y, entropies ----------------------------------------------------------------------------


def _nothing(a: Any, b: Any) -> Any:
    """Where a is 0 and b has no logarithm: the value is 0 there, and so are its derivatives."""
    return np.equal(a, 0) & (np.equal(b, 0) if is_complex(b) else np.less_equal(b, 0))


def _ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where both are 0."""
    return np.where(np.equal(a, 0) & np.equal(b, 0), 0.0, np.divide(a, b))


def _log_ratio(a: Any, b: Any) -> Any:
    """ln(a / b), and 0 where both are 0."""
    return np.where(np.equal(a, 0) & np.equal(b, 0), 0.0, np.log(np.divide(a, b)))


xlogy = of_ufunc(
    sp.xlogy,
    lambda a, b: np.where(_nothing(a, b), 0.0, np.log(1.0 * b)),
    lambda a, b: _ratio(a, b),
    summary="a ln(b), 0 where a is 0.",
    domain=(ANY, POSITIVE),
    source="DLMF 4.7.1",
    kinks="0 where a = 0 and b <= 0",
)
xlog1py = of_ufunc(
    sp.xlog1py,
    lambda a, b: np.where(_nothing(a, 1 + b), 0.0, np.log1p(1.0 * b)),
    lambda a, b: _ratio(a, 1 + b),
    summary="a ln(1 + b), 0 where a is 0.",
    domain=(ANY, Interval(-0.7, 3.0)),
    source="DLMF 4.7.1",
    kinks="0 where a = 0 and b <= -1",
)
entr = of_ufunc(
    sp.entr,
    lambda x: -1 - np.log(x),
    summary="-x ln(x), 0 at 0.",
    domain=(POSITIVE,),
    source="T. M. Cover, J. A. Thomas, Elements of Information Theory, section 2.1",
)
rel_entr = of_ufunc(
    sp.rel_entr,
    lambda a, b: _log_ratio(a, b) + 1,
    lambda a, b: -_ratio(a, b),
    summary="a ln(a / b), 0 where a is 0.",
    domain=(POSITIVE, POSITIVE),
    source="T. M. Cover, J. A. Thomas, Elements of Information Theory, section 2.3",
    kinks="1 and 0 where both are 0",
)
kl_div = of_ufunc(
    sp.kl_div,
    lambda a, b: _log_ratio(a, b),
    lambda a, b: 1 - _ratio(a, b),
    summary="a ln(a / b) - a + b.",
    domain=(POSITIVE, POSITIVE),
    source="T. M. Cover, J. A. Thomas, Elements of Information Theory, section 2.3",
    kinks="0 and 1 where both are 0",
)


# --- Box-Cox --------------------------------------------------------------------------------------


def _by_exponent(log_x: Any, exponent: Any) -> Any:
    """∂/∂λ of (x^λ - 1) / λ: ln²x times the derivative of exprel at λ ln x; smooth at λ = 0."""
    return 0.5 * np.square(log_x) * sp.hyp1f1(2, 3, exponent * log_x)


BOX_COX = "G. E. P. Box, D. R. Cox, J. R. Stat. Soc. B 26 (1964) 211"

boxcox = of_ufunc(
    sp.boxcox,
    lambda a, b: np.power(a, b - 1),
    lambda a, b: _by_exponent(np.log(1.0 * a), b),
    summary="(a ** b - 1) / b, ln(a) for b = 0.",
    domain=(POSITIVE, Interval(-2.0, 2.0)),
    source=BOX_COX,
)
boxcox1p = of_ufunc(
    sp.boxcox1p,
    lambda a, b: np.exp((b - 1) * np.log1p(a)),
    lambda a, b: _by_exponent(np.log1p(1.0 * a), b),
    summary="((1 + a) ** b - 1) / b, ln(1 + a) for b = 0.",
    domain=(Interval(-0.7, 3.0), Interval(-2.0, 2.0)),
    source=BOX_COX,
)
inv_boxcox = of_ufunc(
    sp.inv_boxcox,
    lambda y, b: np.power(y, 1 - b),
    lambda y, b: -_by_exponent(np.log(y), b) * np.power(y, 1 - b),
    summary="Inverse of boxcox in its first argument.",
    domain=(Interval(-0.4, 0.4), Interval(-2.0, 2.0)),
    source=BOX_COX,
)
inv_boxcox1p = of_ufunc(
    sp.inv_boxcox1p,
    lambda y, b: np.exp((1 - b) * np.log1p(y)),
    lambda y, b: -_by_exponent(np.log1p(y), b) * np.exp((1 - b) * np.log1p(y)),
    summary="Inverse of boxcox1p in its first argument.",
    domain=(Interval(-0.4, 0.4), Interval(-2.0, 2.0)),
    source=BOX_COX,
)

# --- losses ---------------------------------------------------------------------------------------

huber = of_ufunc(
    sp.huber,
    lambda a, b: np.maximum(np.abs(b) - a, 0),
    lambda a, b: np.minimum(np.maximum(b, -a), a),
    summary="b² / 2 up to |b| = a, then a (|b| - a / 2).",
    domain=(Interval(0.3, 1.0), Interval(-0.25, 0.25)),
    source="P. J. Huber, Ann. Math. Stat. 35 (1964) 73, doi:10.1214/aoms/1177703732",
)


def _steepness(a: Any, b: Any) -> Any:
    return np.hypot(1.0, np.divide(b, a))


def _pseudo_huber_width(a: Any, b: Any) -> Any:
    """a (s - 1)² / s of s = √(1 + (b / a)²), without the cancellation in s - 1."""
    s = _steepness(a, b)
    u = np.divide(b, a)
    return a * np.square(u * u / (s + 1)) / s


pseudo_huber = of_ufunc(
    sp.pseudo_huber,
    _pseudo_huber_width,
    lambda a, b: b / _steepness(a, b),
    summary="a² (√(1 + (b / a)²) - 1).",
    domain=(POSITIVE, ANY),
    source="P. Charbonnier et al., IEEE Trans. Image Process. 6 (1997) 298",
)

TABLE: dict[Any, Any] = {
    **{p.ufunc: p for p in REGISTRY.values() if p.ufunc is not None},
    sp.airy: bessel.airy,
    sp.sici: integrals.sici,
    sp.shichi: integrals.shichi,
    sp.fresnel: integrals.fresnel,
    ufunc_within(sp.lambertw): lambda z, k, tol: integrals.lambertw(z, k, tol=float(tol)),
}
