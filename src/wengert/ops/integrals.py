"""SciPy's functions that are integrals: error functions, the normal distribution, Ei, Si, Fresnel.

Layer: ``ops``; loads SciPy, see ``scipy_ufunc``. Their derivatives are elementary; where the
elementary form cancels, an asymptotic series or a function that does not cancel stands for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from ..core.primitive import Doc, Interval
from .families import elementwise
from .fitting import is_complex
from .scipy_ufunc import NO_COMPLEX_STEP, of_ufunc, orders, parameter

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
HALF_ROOT_PI = math.sqrt(math.pi) / 2
ROOT_TWO_PI = math.sqrt(2 * math.pi)
FAR = 30.0  # from here on the asymptotic series has the smaller error
ANY, POSITIVE, UNIT = Interval(), Interval(0.3, 3.0), Interval(-0.9, 0.9)


# --- error functions ------------------------------------------------------------------------------

erf = of_ufunc(
    sp.erf,
    lambda x: TWO_OVER_ROOT_PI * np.exp(-x * x),
    summary="Error function.",
    source="DLMF 7.2.1",
    lower=lambda e, x: e.function("erf", e.cast(x, e.dtype)),
)
erfc = of_ufunc(
    sp.erfc,
    lambda x: -TWO_OVER_ROOT_PI * np.exp(-x * x),
    summary="Complementary error function.",
    source="DLMF 7.2.2",
)
erfi = of_ufunc(
    sp.erfi,
    lambda x: TWO_OVER_ROOT_PI * np.exp(x * x),
    summary="Imaginary error function, -i erf(ix).",
    domain=(Interval(-1.5, 1.5),),
    source="DLMF 7.2.1",
)


def _tail(t: Any) -> Any:
    """1 + 3 t + 15 t² + …, of t = ±1 / (2 x²): DLMF 7.12.1, differentiated."""
    return 1 + 3 * t * (1 + 5 * t * (1 + 7 * t * (1 + 9 * t * (1 + 11 * t))))


def _erfcx_partial(y: Any, x: Any) -> Any:
    """2 x y - 2/√π, which cancels for a large x."""
    near = 2 * x * y - TWO_OVER_ROOT_PI
    if is_complex(x):
        return near
    far = np.greater(x, FAR)
    inverse = 1 / np.where(far, x, FAR)
    square = inverse * inverse
    return np.where(far, -0.5 * TWO_OVER_ROOT_PI * square * _tail(-0.5 * square), near)


def _dawsn_partial(y: Any, x: Any) -> Any:
    """1 - 2 x y, which cancels for a large |x|."""
    near = 1 - 2 * x * y
    if is_complex(x):
        return near
    far = np.greater(np.abs(x), FAR)
    inverse = 1 / np.where(far, x, FAR)
    square = inverse * inverse
    return np.where(far, -0.5 * square * _tail(0.5 * square), near)


erfcx = of_ufunc(
    sp.erfcx,
    _erfcx_partial,
    summary="exp(x²) erfc(x).",
    domain=(Interval(-1.5, 3.0),),
    source="DLMF 7.10.2, 7.12.1",
)
dawsn = of_ufunc(
    sp.dawsn, _dawsn_partial, summary="Dawson's integral.", source="DLMF 7.10.4, 7.12.1"
)
wofz = of_ufunc(
    sp.wofz,
    lambda y, x: 1j * TWO_OVER_ROOT_PI - 2 * x * y,
    summary="Faddeeva function exp(-x²) erfc(-ix).",
    extra=NO_COMPLEX_STEP,
    source="DLMF 7.10.2",
)
erfinv = of_ufunc(
    sp.erfinv,
    lambda y: HALF_ROOT_PI * np.exp(y * y),
    summary="Inverse of the error function.",
    domain=(UNIT,),
    source="DLMF 7.17.1",
)
erfcinv = of_ufunc(
    sp.erfcinv,
    lambda y: -HALF_ROOT_PI * np.exp(y * y),
    summary="Inverse of the complementary error function.",
    domain=(Interval(0.1, 1.9),),
    source="DLMF 7.17.1",
)

# --- the normal distribution ----------------------------------------------------------------------

hazard = elementwise(
    name="normal_hazard",
    value=lambda x: (math.sqrt(2) * TWO_OVER_ROOT_PI / 2) / sp.erfcx(x * -math.sqrt(0.5)),
    partials=(lambda y, x: -y * (x + y),),
    complex=False,
    doc=Doc("φ(x) / Φ(x) of the normal distribution, without underflow.", source="DLMF 7.2.2"),
)
ndtr = of_ufunc(
    sp.ndtr,
    lambda x: np.exp(-0.5 * x * x) / ROOT_TWO_PI,
    summary="Distribution function Φ of the normal distribution.",
    source="DLMF 7.2.2",
)
log_ndtr = of_ufunc(
    sp.log_ndtr,
    lambda x: hazard(x),
    summary="ln Φ of the normal distribution.",
    source="DLMF 7.2.2",
    complex=False,
)
ndtri = of_ufunc(
    sp.ndtri,
    lambda y: ROOT_TWO_PI * np.exp(0.5 * y * y),
    summary="Inverse of Φ, the quantile of the normal distribution.",
    domain=(Interval(0.1, 0.9),),
    source="DLMF 7.17.1",
)
ndtri_exp = of_ufunc(
    sp.ndtri_exp,
    lambda y: 1 / hazard(y),
    summary="Inverse of ln Φ.",
    domain=(Interval(-3.0, -0.2),),
    source="DLMF 7.17.1",
)
owens_t = of_ufunc(
    sp.owens_t,
    lambda a, b: sp.erf(math.sqrt(0.5) * a * b) * np.exp(-0.5 * a * a) / (-2 * ROOT_TWO_PI),
    lambda a, b: np.exp(-0.5 * a * a * (1 + b * b)) / (2 * math.pi * (1 + b * b)),
    summary="Owen's T function.",
    domain=(ANY, ANY),
    source="D. B. Owen, Ann. Math. Stat. 27 (1956) 1075, doi:10.1214/aoms/1177728074",
)

# --- exponential, sine and cosine integrals -------------------------------------------------------

expi = of_ufunc(
    sp.expi,
    lambda x: np.exp(x) / x,
    summary="Exponential integral Ei.",
    domain=(POSITIVE,),
    extra=NO_COMPLEX_STEP,
    source="DLMF 6.2.5",
)
exp1 = of_ufunc(
    sp.exp1,
    lambda x: -np.exp(-x) / x,
    summary="Exponential integral E₁.",
    domain=(POSITIVE,),
    source="DLMF 6.2.1",
)


def _expn_partial(y: Any, a: Any, b: Any) -> Any:
    """-E of order a - 1, which for order 0 is -exp(-b) (1 + b) / b²."""
    first = np.less(a, 1)
    below = sp.expn(np.where(first, 1, a) - 1, b)
    return np.where(first, -(y + np.exp(-b)) / b, -below)


expn = of_ufunc(
    sp.expn,
    parameter("expn", "the order"),
    _expn_partial,
    summary="Generalised exponential integral of order a at b.",
    domain=(Interval(0, 3), POSITIVE),
    source="DLMF 8.19.13",
    samples=orders(0, 3, POSITIVE),
)


def _spence_partial(x: Any) -> Any:
    """ln(x) / (1 - x), in a form that is smooth at 1."""
    return -sp.hyp2f1(1, 1, 2, 1 - x)


spence = of_ufunc(
    sp.spence,
    _spence_partial,
    summary="Dilogarithm, the integral of ln(t) / (1 - t) from 1 to x.",
    domain=(POSITIVE,),
    source="DLMF 25.12.2, 15.4.1",
)
exprel = of_ufunc(
    sp.exprel,
    lambda x: 0.5 * sp.hyp1f1(2, 3, x),
    summary="(exp(x) - 1) / x, 1 at 0.",
    source="DLMF 13.6.2, 13.3.15",
)


def _part(ufunc: Any, name: str, position: int, partial: Callable[..., Any], summary: str) -> Any:
    """One output of a ufunc that has two."""
    return elementwise(
        name=name,
        value=lambda x: ufunc(x)[position],
        partials=(partial,),
        doc=Doc(summary, (POSITIVE,), source="DLMF 6.2(ii), 7.2(iii)"),
        extra=NO_COMPLEX_STEP,
    )


def _over(f: Any, x: Any, at_zero: float) -> Any:
    """f / x, and ``at_zero`` where x is 0."""
    zero = np.equal(x, 0)
    return np.where(zero, at_zero, f / np.where(zero, 1, x))


SQUARE = math.pi / 2
sine_integral = _part(
    sp.sici, "sine_integral", 0, lambda x: np.sinc(x / math.pi), "Sine integral Si."
)
cosine_integral = _part(
    sp.sici, "cosine_integral", 1, lambda x: np.cos(x) / x, "Cosine integral Ci."
)
sinh_integral = _part(
    sp.shichi,
    "sinh_integral",
    0,
    lambda x: _over(np.sinh(x), x, 1.0),
    "Hyperbolic sine integral Shi.",
)
cosh_integral = _part(
    sp.shichi, "cosh_integral", 1, lambda x: np.cosh(x) / x, "Hyperbolic cosine integral Chi."
)
fresnel_sine = _part(
    sp.fresnel, "fresnel_sine", 0, lambda x: np.sin(SQUARE * x * x), "Fresnel integral S."
)
fresnel_cosine = _part(
    sp.fresnel, "fresnel_cosine", 1, lambda x: np.cos(SQUARE * x * x), "Fresnel integral C."
)


def sici(x: Any) -> tuple[Any, Any]:
    """``scipy.special.sici``."""
    return sine_integral(x), cosine_integral(x)


def shichi(x: Any) -> tuple[Any, Any]:
    """``scipy.special.shichi``."""
    return sinh_integral(x), cosh_integral(x)


def fresnel(x: Any) -> tuple[Any, Any]:
    """``scipy.special.fresnel``."""
    return fresnel_sine(x), fresnel_cosine(x)


# --- Lambert's W ----------------------------------------------------------------------------------

lambertw = elementwise(
    name="lambertw",
    value=lambda z, k, tol=1e-8: sp.lambertw(z, k, tol),
    partials=(lambda y: np.exp(-y) / (1 + y), None),
    doc=Doc("Lambert's W, w exp(w) = a, on branch b.", (POSITIVE, ANY), source="DLMF 4.13.4"),
    samples=lambda rng: [
        ((rng.uniform(0.3, 3.0, (3,)), k), {}) for k in (0, 1, np.array([0, 2, 3]))
    ],
    extra=NO_COMPLEX_STEP,
)
wrightomega = of_ufunc(
    sp.wrightomega,
    lambda y: y / (1 + y),
    summary="Wright's ω, ω + ln ω = x.",
    source="DLMF 4.13.4",
)
