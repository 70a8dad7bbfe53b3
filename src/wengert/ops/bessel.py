"""SciPy's Bessel and Airy functions: derivatives with respect to the argument, not the order.

Layer: ``ops``; loads SciPy, see ``scipy_ufunc``. The recurrences are those without a quotient,
which stay exact at 0; for the same reason orders 0 and 1 go through ``jv(2, x)`` and its kin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from ..core.primitive import Doc, Interval
from .families import elementwise
from .scipy_ufunc import NO_COMPLEX_STEP, of_ufunc, orders, parameter

POSITIVE, ANY = Interval(0.3, 3.0), Interval()
J_SOURCE, I_SOURCE = "DLMF 10.6.1", "DLMF 10.29.1"

# --- orders 0 and 1 -------------------------------------------------------------------------------

j0 = of_ufunc(
    sp.j0, lambda x: -sp.j1(x), summary="Bessel function J of order 0.", source="DLMF 10.6.3"
)
j1 = of_ufunc(
    sp.j1,
    lambda x: 0.5 * (sp.j0(x) - sp.jv(2, x)),
    summary="Bessel function J of order 1.",
    source=J_SOURCE,
)
y0 = of_ufunc(
    sp.y0,
    lambda x: -sp.y1(x),
    summary="Bessel function Y of order 0.",
    domain=(POSITIVE,),
    source="DLMF 10.6.3",
)
y1 = of_ufunc(
    sp.y1,
    lambda x: 0.5 * (sp.y0(x) - sp.yn(2, x)),
    summary="Bessel function Y of order 1.",
    domain=(POSITIVE,),
    source=J_SOURCE,
)
i0 = of_ufunc(
    sp.i0,
    lambda x: sp.i1(x),
    summary="Modified Bessel function I of order 0.",
    source="DLMF 10.29.3",
)
i1 = of_ufunc(
    sp.i1,
    lambda x: 0.5 * (sp.i0(x) + sp.iv(2, x)),
    summary="Modified Bessel function I of order 1.",
    source=I_SOURCE,
)
i0e = of_ufunc(
    sp.i0e,
    lambda y, x: sp.i1e(x) - np.sign(x) * y,
    summary="exp(-|x|) I₀(x).",
    domain=(POSITIVE,),
    source="DLMF 10.29.3",
    kinks="0 at 0",
)
i1e = of_ufunc(
    sp.i1e,
    lambda y, x: 0.5 * (sp.i0e(x) + sp.ive(2, x)) - np.sign(x) * y,
    summary="exp(-|x|) I₁(x).",
    domain=(POSITIVE,),
    source=I_SOURCE,
    kinks="1/2 at 0",
)
k0 = of_ufunc(
    sp.k0,
    lambda x: -sp.k1(x),
    summary="Modified Bessel function K of order 0.",
    domain=(POSITIVE,),
    source="DLMF 10.29.3",
)
k1 = of_ufunc(
    sp.k1,
    lambda x: -0.5 * (sp.k0(x) + sp.kn(2, x)),
    summary="Modified Bessel function K of order 1.",
    domain=(POSITIVE,),
    source=I_SOURCE,
)
k0e = of_ufunc(
    sp.k0e,
    lambda y, x: y - sp.k1e(x),
    summary="exp(x) K₀(x).",
    domain=(POSITIVE,),
    source="DLMF 10.29.3",
)
k1e = of_ufunc(
    sp.k1e,
    lambda y, x: y - 0.5 * (sp.k0e(x) + sp.kve(2, x)),
    summary="exp(x) K₁(x).",
    domain=(POSITIVE,),
    source=I_SOURCE,
)


# --- any order ------------------------------------------------------------------------------------


def _of_order(ufunc: Any, partial: Callable[..., Any], summary: str, **more: Any) -> Any:
    return of_ufunc(
        ufunc,
        parameter(ufunc.__name__, "the order"),
        partial,
        summary=summary,
        domain=(Interval(0.5, 2.5), POSITIVE),
        samples=orders(0, 3, POSITIVE),
        extra=NO_COMPLEX_STEP,
        **more,
    )


jv = _of_order(
    sp.jv,
    lambda a, b: 0.5 * (sp.jv(a - 1, b) - sp.jv(a + 1, b)),
    "Bessel function J of order a at b.",
    source=J_SOURCE,
)
jve = _of_order(
    sp.jve,
    lambda a, b: 0.5 * (sp.jve(a - 1, b) - sp.jve(a + 1, b)),
    "exp(-|Im b|) times the Bessel function J of order a at a real b.",
    source=J_SOURCE,
    complex=False,
)
yv = _of_order(
    sp.yv,
    lambda a, b: 0.5 * (sp.yv(a - 1, b) - sp.yv(a + 1, b)),
    "Bessel function Y of order a at b.",
    source=J_SOURCE,
)
yve = _of_order(
    sp.yve,
    lambda a, b: 0.5 * (sp.yve(a - 1, b) - sp.yve(a + 1, b)),
    "exp(-|Im b|) times the Bessel function Y of order a at a real b.",
    source=J_SOURCE,
    complex=False,
)
yn = _of_order(
    sp.yn,
    lambda a, b: 0.5 * (sp.yv(a - 1, b) - sp.yv(a + 1, b)),
    "Bessel function Y of integer order a at b.",
    source=J_SOURCE,
)
iv = _of_order(
    sp.iv,
    lambda a, b: 0.5 * (sp.iv(a - 1, b) + sp.iv(a + 1, b)),
    "Modified Bessel function I of order a at b.",
    source=I_SOURCE,
)
ive = _of_order(
    sp.ive,
    lambda y, a, b: 0.5 * (sp.ive(a - 1, b) + sp.ive(a + 1, b)) - np.sign(b) * y,
    "exp(-|Re b|) times the modified Bessel function I of order a at a real b.",
    source=I_SOURCE,
    kinks="the average of both sides at 0",
    complex=False,
)
kv = _of_order(
    sp.kv,
    lambda a, b: -0.5 * (sp.kv(a - 1, b) + sp.kv(a + 1, b)),
    "Modified Bessel function K of order a at b.",
    source=I_SOURCE,
)
kve = _of_order(
    sp.kve,
    lambda y, a, b: y - 0.5 * (sp.kve(a - 1, b) + sp.kve(a + 1, b)),
    "exp(b) times the modified Bessel function K of order a at b.",
    source=I_SOURCE,
)
kn = _of_order(
    sp.kn,
    lambda a, b: -0.5 * (sp.kv(a - 1, b) + sp.kv(a + 1, b)),
    "Modified Bessel function K of integer order a at b.",
    source=I_SOURCE,
)
hankel1 = _of_order(
    sp.hankel1,
    lambda a, b: 0.5 * (sp.hankel1(a - 1, b) - sp.hankel1(a + 1, b)),
    "Hankel function of the first kind of order a at b.",
    source=J_SOURCE,
)
hankel2 = _of_order(
    sp.hankel2,
    lambda a, b: 0.5 * (sp.hankel2(a - 1, b) - sp.hankel2(a + 1, b)),
    "Hankel function of the second kind of order a at b.",
    source=J_SOURCE,
)
hankel1e = _of_order(
    sp.hankel1e,
    lambda y, a, b: 0.5 * (sp.hankel1e(a - 1, b) - sp.hankel1e(a + 1, b)) - 1j * y,
    "exp(-ib) times the Hankel function of the first kind of order a at b.",
    source=J_SOURCE,
)
hankel2e = _of_order(
    sp.hankel2e,
    lambda y, a, b: 0.5 * (sp.hankel2e(a - 1, b) - sp.hankel2e(a + 1, b)) + 1j * y,
    "exp(ib) times the Hankel function of the second kind of order a at b.",
    source=J_SOURCE,
)


# --- spherical ------------------------------------------------------------------------------------


# n f(n-1) ∓ (n+1) f(n+1) = ± (2n+1) f': the sign of the second term, and of both
SPHERICAL_SIGNS = {
    "spherical_jn": (-1, 1),
    "spherical_yn": (-1, 1),
    "spherical_in": (1, 1),
    "spherical_kn": (1, -1),
}


def spherical_slope(function: Any, n: Any, x: Any) -> Any:
    """The derivative of the spherical Bessel function ``function`` of order ``n``."""
    second, both = SPHERICAL_SIGNS[function.name]
    lower, upper = function(np.maximum(n - 1, 0), x), function(n + 1, x)
    return both * (n * lower + second * (n + 1) * upper) / (2 * n + 1)


def _spherical(function: Callable[..., Any], kind: str) -> Any:
    primitive: Any = elementwise(
        name=function.__name__,
        value=lambda n, x: function(n, x),
        partials=(
            parameter(function.__name__, "the order"),
            lambda a, b: spherical_slope(primitive, a, b),
        ),
        doc=Doc(
            f"Spherical Bessel function {kind} of integer order a at b.",
            (Interval(0.0, 3.0), POSITIVE),
            source="DLMF 10.51.2, 10.51.5",
        ),
        samples=orders(0, 3, POSITIVE),
        extra=NO_COMPLEX_STEP,
    )
    return primitive


spherical_jn = _spherical(sp.spherical_jn, "j")
spherical_yn = _spherical(sp.spherical_yn, "y")
spherical_in = _spherical(sp.spherical_in, "i")
spherical_kn = _spherical(sp.spherical_kn, "k")


# --- Airy -----------------------------------------------------------------------------------------


def _airy(name: str, position: int, partial: Callable[..., Any], summary: str) -> Any:
    return elementwise(
        name=name,
        value=lambda x: sp.airy(x)[position],
        partials=(partial,),
        doc=Doc(summary, (Interval(),), source="DLMF 9.2.1"),
        extra=NO_COMPLEX_STEP,
    )


airy_ai: Any = _airy("airy_ai", 0, lambda x: airy_aip(x), "Airy function Ai.")
airy_aip: Any = _airy(
    "airy_aip", 1, lambda x: x * airy_ai(x), "Derivative of the Airy function Ai."
)
airy_bi: Any = _airy("airy_bi", 2, lambda x: airy_bip(x), "Airy function Bi.")
airy_bip: Any = _airy(
    "airy_bip", 3, lambda x: x * airy_bi(x), "Derivative of the Airy function Bi."
)


def airy(x: Any) -> tuple[Any, ...]:
    """``scipy.special.airy``: Ai, Ai', Bi, Bi'."""
    return airy_ai(x), airy_aip(x), airy_bi(x), airy_bip(x)
