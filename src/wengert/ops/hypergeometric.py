"""SciPy's hypergeometric functions and orthogonal polynomials, in their argument.

Layer: ``ops``; loads SciPy, see ``scipy_ufunc``. Each derivative is a function of the same kind
with shifted parameters, so none loses digits, whatever the order of the derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from ..core.primitive import Interval, NotDifferentiable
from .scipy_ufunc import NO_COMPLEX_STEP, of_ufunc, parameter

POSITIVE, UNIT = Interval(0.3, 3.0), Interval(-0.9, 0.9)
HALF = Interval(-0.6, 0.6)


def _fixed(ufunc: Any, count: int) -> list[NotDifferentiable]:
    return [parameter(ufunc.__name__, "its parameters")] * count


def _samples(whole: int, high: int, domain: Interval) -> Callable[..., list[Any]]:
    """``whole`` integer parameters from 1 to ``high``, then the argument."""

    def draw(rng: np.random.Generator) -> list[Any]:
        cases: list[Any] = []
        for shape in ((3,), (), (2, 3)):
            fixed = [np.asarray(rng.integers(1, high, shape, endpoint=True)) for _ in range(whole)]
            x = np.asarray(rng.uniform(domain.low, domain.high, shape))
            cases.append(((*fixed, x), {}))
        return cases

    return draw


def _hypergeometric(
    ufunc: Any, partial: Callable[..., Any], domain: Interval, summary: str, source: str
) -> Any:
    count = ufunc.nin - 1
    return of_ufunc(
        ufunc,
        *_fixed(ufunc, count),
        partial,
        summary=summary,
        domain=(*(POSITIVE,) * count, domain),
        source=source,
        samples=_samples(count, 3, domain),
        extra=NO_COMPLEX_STEP,
    )


hyp0f1 = _hypergeometric(
    sp.hyp0f1,
    lambda a, b: sp.hyp0f1(a + 1, b) / a,
    UNIT,
    "Confluent hypergeometric limit function ₀F₁(; a; b).",
    "DLMF 16.3.1",
)
hyp1f1 = _hypergeometric(
    sp.hyp1f1,
    lambda a, b, c: (a / b) * sp.hyp1f1(a + 1, b + 1, c),
    UNIT,
    "Confluent hypergeometric function ₁F₁(a; b; c).",
    "DLMF 13.3.15",
)
hyperu = _hypergeometric(
    sp.hyperu,
    lambda a, b, c: -a * sp.hyperu(a + 1, b + 1, c),
    POSITIVE,
    "Confluent hypergeometric function U(a, b, c).",
    "DLMF 13.3.22",
)
hyp2f1 = _hypergeometric(
    sp.hyp2f1,
    lambda a, b, c, d: (a * b / c) * sp.hyp2f1(a + 1, b + 1, c + 1, d),
    HALF,
    "Gauss's hypergeometric function ₂F₁(a, b; c; d).",
    "DLMF 15.5.1",
)


# --- orthogonal polynomials: the degree comes first, the argument last ----------------------------


def _polynomial(
    ufunc: Any, partial: Callable[..., Any], name: str, source: str = "DLMF 18.9(iii)"
) -> Any:
    count = ufunc.nin - 1
    return of_ufunc(
        ufunc,
        *_fixed(ufunc, count),
        partial,
        summary=f"{name} polynomial of degree a at its last argument.",
        domain=(*(POSITIVE,) * count, UNIT),
        source=source,
        samples=_samples(count, 4, UNIT),
    )


def _below(degree: Any, value: Callable[[Any], Any]) -> Any:
    """``value(degree - 1)``, and 0 for degree 0."""
    constant = np.equal(degree, 0)
    return np.where(constant, 0, value(np.where(constant, 1, degree) - 1))


eval_legendre = _polynomial(
    sp.eval_legendre,
    lambda a, b: _below(a, lambda n: sp.eval_gegenbauer(n, 1.5, b)),
    "Legendre",
)
eval_chebyt = _polynomial(
    sp.eval_chebyt,
    lambda a, b: a * _below(a, lambda n: sp.eval_chebyu(n, b)),
    "Chebyshev (first kind)",
)
eval_chebyu = _polynomial(
    sp.eval_chebyu,
    lambda a, b: 2 * _below(a, lambda n: sp.eval_gegenbauer(n, 2.0, b)),
    "Chebyshev (second kind)",
)
eval_gegenbauer = _polynomial(
    sp.eval_gegenbauer,
    lambda a, b, c: 2 * b * _below(a, lambda n: sp.eval_gegenbauer(n, b + 1.0, c)),
    "Gegenbauer",
)
eval_jacobi = _polynomial(
    sp.eval_jacobi,
    lambda a, b, c, d: (
        0.5 * (a + b + c + 1) * _below(a, lambda n: sp.eval_jacobi(n, b + 1.0, c + 1.0, d))
    ),
    "Jacobi",
)
eval_laguerre = _polynomial(
    sp.eval_laguerre,
    lambda a, b: -_below(a, lambda n: sp.eval_genlaguerre(n, 1.0, b)),
    "Laguerre",
)
eval_genlaguerre = _polynomial(
    sp.eval_genlaguerre,
    lambda a, b, c: -_below(a, lambda n: sp.eval_genlaguerre(n, b + 1.0, c)),
    "Generalised Laguerre",
)
eval_hermite = _polynomial(
    sp.eval_hermite,
    lambda a, b: 2 * a * _below(a, lambda n: sp.eval_hermite(n, b)),
    "Hermite (physicists')",
)
eval_hermitenorm = _polynomial(
    sp.eval_hermitenorm,
    lambda a, b: a * _below(a, lambda n: sp.eval_hermitenorm(n, b)),
    "Hermite (probabilists')",
)
