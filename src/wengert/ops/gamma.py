"""SciPy's gamma function and its family: logarithms, beta, binomials, incomplete, zeta.

Layer: ``ops``; loads SciPy, see ``scipy_ufunc``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from ..core.primitive import Doc, Interval
from .families import elementwise
from .scipy_ufunc import of_ufunc, orders, parameter, ufunc_within

POSITIVE, UNIT = Interval(0.3, 3.0), Interval(0.1, 0.9)

gamma = of_ufunc(
    sp.gamma,
    lambda y, x: y * sp.psi(x),
    summary="Gamma function.",
    domain=(POSITIVE,),
    source="DLMF 5.2.2",
    complex=False,
)
gammaln = of_ufunc(
    sp.gammaln,
    lambda x: sp.psi(x),
    summary="ln |Γ(x)|.",
    domain=(POSITIVE,),
    source="DLMF 5.2.2",
)
loggamma = of_ufunc(
    sp.loggamma,
    lambda x: sp.psi(x),
    summary="Principal branch of ln Γ(x).",
    domain=(POSITIVE,),
    source="DLMF 5.2.2",
    complex=False,
)


def _rgamma_partial(y: Any, x: Any) -> Any:
    """-ψ/Γ, to the left of 1/2 by reflection: the poles of ψ there are no poles of the quotient."""
    left = np.less(np.real(x), 0.5)
    z = 1 - np.where(left, x, 0.5)
    angle = math.pi * z
    reflected = -sp.gamma(z) * (np.cos(angle) + sp.psi(z) * np.sin(angle) / math.pi)
    return np.where(left, reflected, -y * sp.psi(np.where(left, 0.5, x)))


rgamma = of_ufunc(
    sp.rgamma,
    _rgamma_partial,
    summary="1 / Γ(x).",
    source="DLMF 5.2.2, 5.5.3",
    complex=False,
)
psi = of_ufunc(
    sp.psi,
    lambda x: zeta(2.0, x),
    summary="Digamma function Γ'/Γ.",
    domain=(POSITIVE,),
    source="DLMF 5.15.1",
    complex=False,
)
zeta: Any = elementwise(
    name="zeta",
    value=lambda a, b: sp.zeta(a, b),
    ufunc=ufunc_within(sp.zeta, 1.0),
    partials=(parameter("zeta", "the exponent"), lambda a, b: -a * zeta(a + 1, b)),
    complex=False,
    doc=Doc(
        "Hurwitz zeta function Σ (b + k)^-a.", (Interval(2, 5), POSITIVE), source="DLMF 25.11.17"
    ),
    samples=orders(2, 5, POSITIVE),
)
riemann_zeta = elementwise(
    name="riemann_zeta",
    value=lambda x: sp.zeta(x),
    ufunc=ufunc_within(sp.zeta),
    partials=(parameter("zeta", "the exponent"),),
    complex=False,
    doc=Doc("Riemann zeta function.", (Interval(2, 5),), source="DLMF 25.2.1"),
    samples=lambda rng: [((rng.integers(2, 6, (3,)),), {})],
)
gammasgn = of_ufunc(sp.gammasgn, None, summary="Sign of Γ(x).", kinks="0 at the steps")

# --- beta, binomial coefficients ------------------------------------------------------------------

beta = of_ufunc(
    sp.beta,
    lambda y, a, b: y * (sp.psi(a) - sp.psi(a + b)),
    lambda y, a, b: y * (sp.psi(b) - sp.psi(a + b)),
    summary="Beta function.",
    domain=(POSITIVE, POSITIVE),
    source="DLMF 5.12.1",
)
betaln = of_ufunc(
    sp.betaln,
    lambda a, b: sp.psi(a) - sp.psi(a + b),
    lambda a, b: sp.psi(b) - sp.psi(a + b),
    summary="ln |B(a, b)|.",
    domain=(POSITIVE, POSITIVE),
    source="DLMF 5.12.1",
)
binom = of_ufunc(
    sp.binom,
    lambda y, a, b: y * (sp.psi(a + 1) - sp.psi(a - b + 1)),
    lambda y, a, b: y * (sp.psi(a - b + 1) - sp.psi(b + 1)),
    summary="Binomial coefficient, a over b, of real numbers.",
    domain=(Interval(1.6, 3.0), Interval(0.2, 1.4)),
    source="DLMF 1.2.6, 5.2.2",
)
poch = of_ufunc(
    sp.poch,
    lambda y, a, b: y * (sp.psi(a + b) - sp.psi(a)),
    lambda y, a, b: y * sp.psi(a + b),
    summary="Γ(a + b) / Γ(a), Pochhammer's symbol.",
    domain=(POSITIVE, POSITIVE),
    source="DLMF 5.2.5",
)

# --- incomplete gamma and beta functions ----------------------------------------------------------


def _gamma_density(a: Any, b: Any) -> Any:
    return np.exp(sp.xlogy(a - 1, b) - b - sp.gammaln(a))


def _beta_density(a: Any, b: Any, c: Any) -> Any:
    return np.exp(sp.xlogy(a - 1, c) + sp.xlog1py(b - 1, -c) - sp.betaln(a, b))


def _incomplete(ufunc: Any, partial: Callable[..., Any], summary: str, *domain: Interval) -> Any:
    """The last argument has a derivative; those before it, shapes, have none here."""
    shapes = [parameter(ufunc.__name__, "the shape")] * (len(domain) - 1)

    def samples(rng: np.random.Generator) -> list[Any]:
        cases: list[Any] = []
        for size in ((3,), (2, 3), ()):
            whole = [np.asarray(rng.integers(1, 4, size)) for _ in shapes]
            x = np.asarray(rng.uniform(domain[-1].low, domain[-1].high, size))
            cases.append(((*whole, x), {}))
        return cases

    return of_ufunc(
        ufunc,
        *shapes,
        partial,
        summary=summary,
        domain=domain,
        source="DLMF 8.8.13, 8.17.1",
        samples=samples,
    )


gammainc = _incomplete(
    sp.gammainc,
    lambda a, b: _gamma_density(a, b),
    "Regularised lower incomplete gamma function.",
    POSITIVE,
    POSITIVE,
)
gammaincc = _incomplete(
    sp.gammaincc,
    lambda a, b: -_gamma_density(a, b),
    "Regularised upper incomplete gamma function.",
    POSITIVE,
    POSITIVE,
)
gammaincinv = _incomplete(
    sp.gammaincinv,
    lambda y, a: 1 / _gamma_density(a, y),
    "Inverse of gammainc in its last argument.",
    POSITIVE,
    UNIT,
)
gammainccinv = _incomplete(
    sp.gammainccinv,
    lambda y, a: -1 / _gamma_density(a, y),
    "Inverse of gammaincc in its last argument.",
    POSITIVE,
    UNIT,
)
betainc = _incomplete(
    sp.betainc,
    lambda a, b, c: _beta_density(a, b, c),
    "Regularised incomplete beta function.",
    POSITIVE,
    POSITIVE,
    UNIT,
)
betaincc = _incomplete(
    sp.betaincc,
    lambda a, b, c: -_beta_density(a, b, c),
    "1 - betainc(a, b, c).",
    POSITIVE,
    POSITIVE,
    UNIT,
)
betaincinv = _incomplete(
    sp.betaincinv,
    lambda y, a, b: 1 / _beta_density(a, b, y),
    "Inverse of betainc in its last argument.",
    POSITIVE,
    POSITIVE,
    UNIT,
)
betainccinv = _incomplete(
    sp.betainccinv,
    lambda y, a, b: -1 / _beta_density(a, b, y),
    "Inverse of betaincc in its last argument.",
    POSITIVE,
    POSITIVE,
    UNIT,
)
