"""Quantile functions of the distributions that random numbers are drawn from by inversion.

A quantile is a smooth function of the parameters, so a draw of the gamma distribution has a
derivative in its shape: dz/da = -(∂P/∂a) / p(z), the implicit reparameterisation. The discrete
ones are constants to derivatives. Layer: ``ops``; loads SciPy.

Source: M. Figurnov, S. Mohamed, A. Mnih, Implicit reparameterization gradients, NeurIPS 2018,
arXiv:1805.08498; L. Devroye, Non-uniform random variate generation, Springer 1986, chapter II.2,
doi:10.1007/978-1-4613-8643-8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special as sp

from ..core.aval import Aval
from ..core.interpret import bind
from ..core.primitive import Doc, Interval, Primitive
from .families import absorb, align, elementwise, general
from .fitting import Like, fit
from .scipy_ufunc import NO_COMPLEX_STEP

SHAPE, UNIT = Interval(1.1, 3.0), Interval(0.1, 0.9)
CHUNK = 2**13  # elements for which the quadrature is held at once

# --- the gamma distribution -----------------------------------------------------------------------

# the trapezoidal rule in t for w = exp(t - exp(-t)), double exponential at 0, exponential beyond
_STEP = 0.07
_T = np.arange(-3.5, 5.5, _STEP)
NODES = np.exp(_T - np.exp(-_T))
WEIGHTS = _STEP * NODES * (1 + np.exp(-_T))


def _tail_of(a: Any, z: Any, power: int) -> Any:
    """``gamma_tail`` of float64 vectors."""
    side = np.where(np.log(z) < sp.psi(a), -1.0, 1.0)[:, None]
    # how far the integrand reaches: a Gaussian or exponential fall, below the mode at least 1 / a
    scale = 1 / (np.abs(a - z) + np.sqrt(z))
    scale = np.where(side[:, 0] < 0, np.maximum(scale, 1 / a), scale)[:, None]
    a, z = a[:, None], z[:, None]
    w = side * scale * NODES
    integrand = np.exp(a * w - z * np.expm1(w)) * w**power
    return (side * scale * z)[:, 0] * (integrand @ WEIGHTS)


def _tail_value(a: Any, z: Any, power: int) -> Any:
    dtype = np.result_type(a, z)
    a, z = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(z, np.float64))
    shape, (a, z) = a.shape, (a.ravel(), z.ravel())
    result = np.empty(a.size)
    with np.errstate(all="ignore"):
        for start in range(0, a.size, CHUNK):
            part = slice(start, start + CHUNK)
            result[part] = _tail_of(a[part], z[part], power)
    return result.reshape(shape).astype(dtype)[()]


def _tail_slope(y: Any, a: Any, z: Any, power: int) -> Any:
    """∂/∂z of ``gamma_tail``, by the equation that it solves."""
    slope = -y * ((a - 1) / z - 1)
    if not power:
        return slope - 1
    return slope - (power / z) * gamma_tail(a, z, power=power - 1)


def _tail_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    (a, z), (da, dz), power = xs, dxs, params["power"]
    terms = [] if da is None else [da * gamma_tail(a, z, power=power + 1)]
    if dz is not None:
        terms.append(dz * _tail_slope(y, a, z, power))
    return fit(terms[0] if len(terms) == 1 else terms[0] + terms[1], Like(y))


def _tail_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    _, y, a, z = node.saved
    power = node.params["power"]
    slope = _tail_slope(y, a, z, power) if i else gamma_tail(a, z, power=power + 1)
    return fit(absorb(gy, slope) if masked else gy * slope, node.parents[i])


gamma_tail: Primitive = general(
    name="gamma_tail",
    value=_tail_value,
    jvp=_tail_jvp,
    pull=_tail_pull,
    reads=(frozenset({2, 3}), frozenset({1, 2, 3})),
    batch=lambda xs, batched, size, params: bind(gamma_tail, *align(xs, batched), **params),
    infer=lambda a, z, power: Aval(
        np.broadcast_shapes(a.shape, z.shape), np.result_type(a.empty(), z.empty())
    ),
    fresh=True,
    complex=False,
    doc=Doc(
        "∫ p(t) ln(t / z)^power dt / p(z) of the gamma density p of shape a >= 1: from z up where "
        "z is above exp(ψ(a)), else minus that from 0 to z. Relative error below 1e-11.",
        (SHAPE, SHAPE),
        source="arXiv:1805.08498; M. Mori, Publ. RIMS 41 (2005) 897, doi:10.2977/prims/1145474600",
    ),
    extra=NO_COMPLEX_STEP,
    samples=lambda rng: [
        ((rng.uniform(1.1, 3.0, shape), rng.uniform(*side, shape)), {"power": power})
        for shape in ((3,), (2, 1), ())
        for side in ((0.1, 0.5), (4.0, 6.0))
        for power in (0, 1, 2)
    ],
)


def _gamma_slope(y: Any, a: Any) -> Any:
    """∂z/∂a of the quantile z = y, -(∂P/∂a) / p: no digits cancel on the side of z that
    ``gamma_tail`` takes.
    """
    return gamma_tail(a, y, power=1) + (np.log(y) - sp.psi(a)) * gamma_tail(a, y, power=0)


gamma_quantile = elementwise(
    name="gamma_quantile",
    value=lambda a, b: sp.gammaincinv(a, b),
    partials=(
        lambda y, a: _gamma_slope(y, a),
        lambda y, a: np.exp(y + sp.gammaln(a) - sp.xlogy(a - 1, y)),
    ),
    complex=False,
    extra=NO_COMPLEX_STEP,
    doc=Doc(
        "Where the gamma distribution of shape a >= 1 reaches the probability b.",
        (SHAPE, UNIT),
        source="DLMF 8.2.4; arXiv:1805.08498",
    ),
    samples=lambda rng: [
        ((rng.uniform(1.1, 3.0, shape), rng.uniform(0.1, 0.9, other)), {})
        for shape, other in (((3,), (3,)), ((2, 1), (3,)), ((), ()), ((0,), (1,)))
    ],
)

# --- discrete distributions -----------------------------------------------------------------------

LARGEST = float(2**63 - 1024)  # the largest float64 that is an int64


def _smallest(cdf: Callable[..., Any], start: Any, u: Any, *parameters: Any) -> Any:
    """The smallest whole k >= 0 with cdf(k, …) >= u, as float64: brackets around ``start`` that
    double until k is inside, then are halved.
    """
    shape = np.broadcast_shapes(np.shape(start), np.shape(u))
    start, u, *rest = [
        np.broadcast_to(x, shape).astype(np.float64).ravel() for x in (start, u, *parameters)
    ]

    def reached(k: Any, at: Any) -> Any:
        return cdf(k[at], *[x[at] for x in rest]) >= u[at]

    low = np.clip(np.rint(start), 0, LARGEST) - 1  # below k, -1 where k may be 0
    high, step = low + 2, 1.0
    above, below = np.flatnonzero(low >= 0), np.arange(u.size)
    while above.size or below.size:
        above = above[reached(low, above)]
        high[above], low[above] = low[above], np.maximum(low[above] - step, -1)
        above = above[low[above] >= 0]
        below = below[~reached(high, below)]
        low[below], high[below] = high[below], np.minimum(high[below] + step, LARGEST)
        below = below[low[below] < LARGEST]
        step *= 2
    while True:
        middle = low + np.floor((high - low) / 2)
        wide = np.flatnonzero((low < middle) & (middle < high))
        if not wide.size:
            break
        there = reached(middle, wide)
        high[wide[there]] = middle[wide[there]]
        low[wide[~there]] = middle[wide[~there]]
    return high.reshape(shape)


def _near(u: Any, mean: Any, deviation: Any, skewness: Any) -> Any:
    """The quantile by the first terms of Cornish and Fisher."""
    z = sp.ndtri(u)
    return mean + deviation * (z + skewness * (z * z - 1) / 6) - 0.5


def _check(fits: Any, said: str) -> None:
    if not np.all(fits):
        raise ValueError(said)


def _as_counts(k: Any) -> Any:
    return np.minimum(k, LARGEST).astype(np.int64)[()]


def _poisson_value(a: Any, b: Any) -> Any:
    lam = np.asarray(a, np.float64)
    _check((lam >= 0) & (lam <= 2.0**62), f"lam must be between 0 and 2**62, got {a}")
    root = np.sqrt(lam)
    start = _near(b, lam, root, 1 / np.maximum(root, 1e-3))
    return _as_counts(_smallest(lambda k, lam: sp.gammaincc(k + 1, lam), start, b, lam))


def _binomial_cdf(k: Any, n: Any, p: Any) -> Any:
    inside = k < n
    return np.where(inside, sp.betaincc(k + 1, np.where(inside, n - k, 1), p), 1.0)


def _binomial_value(a: Any, b: Any, c: Any) -> Any:
    n, p = np.asarray(a, np.float64), np.asarray(b, np.float64)
    _check((n >= 0) & (n == np.rint(n)), f"n must be whole numbers from 0, got {a}")
    _check((p >= 0) & (p <= 1), f"p must be probabilities between 0 and 1, got {b}")
    deviation = np.sqrt(n * p * (1 - p))
    start = _near(c, n * p, deviation, (1 - 2 * p) / np.maximum(deviation, 1e-3))
    return _as_counts(_smallest(_binomial_cdf, np.clip(start, 0, n), c, n, p))


def _geometric_value(a: Any, b: Any) -> Any:
    p = np.asarray(a, np.float64)
    _check((p > 0) & (p <= 1), f"p must be probabilities above 0 and up to 1, got {a}")
    with np.errstate(divide="ignore"):  # p = 1
        trials = np.ceil(np.log(np.asarray(b, np.float64)) / np.log1p(-p))
    return _as_counts(np.maximum(trials, 1.0))


def _discrete(
    name: str, value: Callable[..., Any], summary: str, *domain: Interval, whole: Sequence[int] = ()
) -> Primitive:
    """The record of a quantile function of whole numbers; ``whole``: which arguments are."""

    def samples(rng: np.random.Generator) -> list[Any]:
        cases: list[Any] = []
        for shape in ((3,), (2, 1), (), (0,)):
            args = [np.asarray(rng.uniform(d.low, d.high, shape)) for d in domain]
            args = [x.astype(np.int64) if i in whole else x for i, x in enumerate(args)]
            cases.append((tuple(args), {}))
        return cases

    return elementwise(
        name=name,
        value=value,
        partials=(None,) * len(domain),
        complex=False,
        doc=Doc(summary, domain, source="L. Devroye (1986), chapter II.2"),
        samples=samples,
    )


poisson_quantile = _discrete(
    "poisson_quantile",
    _poisson_value,
    "The smallest k at which the Poisson distribution of mean a reaches the probability b.",
    Interval(0.0, 9.0),
    UNIT,
)
binomial_quantile = _discrete(
    "binomial_quantile",
    _binomial_value,
    "The smallest k at which the binomial distribution of a trials with chance b reaches the "
    "probability c.",
    Interval(0, 20),
    UNIT,
    UNIT,
    whole=(0,),
)
geometric_quantile = _discrete(
    "geometric_quantile",
    _geometric_value,
    "How many trials with chance a it takes to the first success, where the probability that it "
    "takes more is b.",
    UNIT,
    UNIT,
)
