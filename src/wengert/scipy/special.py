"""``scipy.special`` for handles: SciPy's functions that no protocol reaches, and its ufuncs.

A ufunc here is SciPy's own: it takes handles as it stands, and plain arrays as ever. The functions
that SciPy writes in Python convert their arguments, which would lose a derivative; here they stand
with SciPy's signatures. Plain arrays in, plain arrays out. Layer: ``scipy``, above ``numpy``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import scipy.special as _sp

from ..core.box import PYTHON_SCALARS, Box, innermost
from ..core.errors import DataError, DtypeError, ShapeError
from ..numpy.arguments import as_array, plain, some_axes
from ..ops import activation as _activation
from ..ops import bessel as _bessel
from ..ops import exponential as _exponential
from ..ops import gamma as _gamma
from ..ops import special as _special
from ..ops.arithmetic import stop_gradient
from ..ops.array import enter_ufuncs
from ..ops.families import absorb

enter_ufuncs(_special.TABLE)
UFUNC_NAMES = frozenset(
    name
    for name in _sp.__all__
    if isinstance(getattr(_sp, name), np.ufunc) and getattr(_sp, name) in _special.TABLE
)
FUNCTION_NAMES = {
    "comb",
    "diric",
    "factorial",
    "lambertw",
    "log_softmax",
    "logsumexp",
    "multigammaln",
    "perm",
    "polygamma",
    "sinc",
    "softmax",
    "softplus",
    "spherical_in",
    "spherical_jn",
    "spherical_kn",
    "spherical_yn",
    "zeta",
}
__all__ = sorted(UFUNC_NAMES | FUNCTION_NAMES)


def __getattr__(name: str) -> Any:
    if name in UFUNC_NAMES:
        return getattr(_sp, name)
    if name in _sp.__all__:
        raise AttributeError(
            f"wengert.scipy.special has no {name!r}: wengert has no derivative of it yet; for "
            f"plain arrays use scipy.special.{name}"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)


def _holds_handle(x: Any) -> bool:
    return isinstance(x, Box) or (isinstance(x, list | tuple) and any(map(_holds_handle, x)))


def _for_handles(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: without a handle among the arguments SciPy's own function is called."""
    own = getattr(_sp, function.__name__)

    @wraps(function)
    def either(*args: Any, **kwargs: Any) -> Any:
        handles = any(map(_holds_handle, (*args, *kwargs.values())))
        return function(*args, **kwargs) if handles else own(*args, **kwargs)

    return either


def _floating(x: Any) -> Any:
    """``x`` as an array of floats."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


# --- sums of exponentials -------------------------------------------------------------------------


@_for_handles
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """ln Σ b exp(a) along axes, without overflow.

    Args:
        a: array.
        axis: None for all, an int or a tuple.
        b: weights, of a shape that broadcasts against ``a``; they may be negative or zero.
        keepdims: keep the reduced axes with length 1.
        return_sign: give ``(ln |Σ|, sign of Σ)``; without it the logarithm of a negative sum is
            NaN.

    Source:
        P. Blanchard, D. J. Higham, N. J. Higham, IMA J. Numer. Anal. 41 (2021) 2311,
        doi:10.1093/imanum/draa038.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(wg.scipy.special.logsumexp)(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    a = _floating(a)
    axes = some_axes("logsumexp", axis, a.ndim)
    if b is None and a.dtype.kind == "f":
        y = _exponential.logsumexp(a, axis=axes, keepdims=keepdims)
        return (y, np.ones_like(y)) if return_sign else y
    b = np.ones_like(a) if b is None else _floating(b)
    a = np.broadcast_to(a, np.broadcast_shapes(a.shape, b.shape))
    axes = some_axes("logsumexp", axis, a.ndim)
    real = np.real(a)
    top = np.where(np.equal(b, 0), -np.inf, real)
    top = stop_gradient(np.max(top, axis=axes, keepdims=True, initial=-np.inf))
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(absorb(b, np.exp(a - top)), axis=axes, keepdims=keepdims)
    top = top if keepdims else np.squeeze(top, axis=axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(np.abs(total) if return_sign else total) + top
    return (y, np.sign(total)) if return_sign else y


def _last(x: Any, axis: Any, primitive: Any, name: str) -> Any:
    """``primitive``, which takes one axis, along several."""
    axes = some_axes(name, axis, x.ndim)
    if len(axes) == 1:
        return primitive(x, axis=axes[0])
    if not axes:
        return np.reshape(primitive(np.reshape(x, (*x.shape, 1)), axis=-1), x.shape)
    rest = tuple(k for k in range(x.ndim) if k not in axes)
    order = (*rest, *axes)
    turned = np.transpose(x, order)
    flat = np.reshape(turned, (*turned.shape[: len(rest)], -1))
    y = np.reshape(primitive(flat, axis=-1), turned.shape)
    return np.transpose(y, tuple(int(k) for k in np.argsort(order)))


@_for_handles
def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / Σ exp(x) along axes (None: all), without overflow.

    >>> import numpy as np, wengert as wg
    >>> wg.scipy.special.softmax(np.zeros(2))
    array([0.5, 0.5])
    """
    return _last(_floating(x), axis, _activation.softmax, "softmax")


@_for_handles
def log_softmax(x: Any, axis: Any = None) -> Any:
    """x - ln Σ exp(x) along axes (None: all), without overflow."""
    return _last(_floating(x), axis, _activation.log_softmax, "log_softmax")


def softplus(x: Any) -> Any:
    """ln(1 + exp(x)), elementwise, without overflow."""
    return _exponential.softplus(_floating(x))


# --- the gamma function's family ------------------------------------------------------------------


@_for_handles
def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function, elementwise; ``n`` integers, not differentiated.

    Source: DLMF 25.11.12.
    """
    n = _constant("polygamma", "n", n)
    x = _floating(x)
    zero = n == 0
    m = np.where(zero, 1, n)
    higher = (-1.0) ** (m + 1) * _sp.gamma(m + 1.0) * _gamma.zeta(m + 1.0, x)
    if not np.any(zero):
        return higher
    return np.where(zero, _sp.psi(x), higher)


def _constant(name: str, argument: str, value: Any) -> Any:
    """A plain array; a handle that carries a derivative raises."""
    if isinstance(value, Box) and value.dtype.kind == "f":
        raise DtypeError(
            f"{name}: wengert has no derivative with respect to {argument}; give a constant there"
        )
    return plain(value, f"{argument} of {name}")


def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """Riemann's zeta function of ``x``; Hurwitz's of ``x`` and ``q``, differentiated in ``q``."""
    return _sp.zeta(x, q, out)


@_for_handles
def multigammaln(a: Any, d: int) -> Any:
    """ln of the multivariate gamma function of dimension ``d``, elementwise; a > (d - 1) / 2.

    Source: R. J. Muirhead, Aspects of Multivariate Statistical Theory, Wiley 1982, section 2.1.2.
    """
    a = _floating(a)
    if isinstance(d, Box) or np.ndim(d) or np.floor(d) != d or d < 1:
        raise DtypeError(f"multigammaln: d must be a positive integer, got {d!r}")
    if np.any(innermost(np.less_equal(a, 0.5 * (d - 1)))):
        raise DataError(f"multigammaln: expected a > (d - 1) / 2 = {0.5 * (d - 1)}, got {a}")
    terms = [_sp.gammaln(a - 0.5 * j) for j in range(int(d))]
    return sum(terms[1:], start=terms[0]) + d * (d - 1) * 0.25 * np.log(np.pi)


@_for_handles
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """The number of combinations of ``k`` things out of ``N``, smooth in both; 0 out of range."""
    if exact:
        raise DtypeError("comb: exact=True counts with integers, which have no derivative")
    N, k = _number(N), _number(k)
    if repetition:
        empty = np.equal(k, 0) & np.greater_equal(N, 0)
        return np.where(empty, 1.0, _sp.binom(N + k - 1, k))
    inside = np.less_equal(k, N) & np.greater_equal(N, 0) & np.greater_equal(k, 0)
    return np.where(inside, _sp.binom(N, k), 0.0)


@_for_handles
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """The number of sequences of ``k`` things out of ``N``, smooth in both; 0 out of range."""
    if exact:
        raise DtypeError("perm: exact=True counts with integers, which have no derivative")
    N, k = _number(N), _number(k)
    inside = np.less_equal(k, N) & np.greater_equal(N, 0) & np.greater_equal(k, 0)
    return np.where(inside, _sp.poch(N - k + 1, k), 0.0)


def _number(x: Any) -> Any:
    """Python's numbers as they are, anything else as an array."""
    return x if type(x) in PYTHON_SCALARS else as_array(x)


@_for_handles
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Γ(n + 1), smooth in ``n``; 0 for a negative ``n``."""
    if exact or extend != "zero":
        raise DtypeError(
            f"factorial: exact={exact}, extend={extend!r} have no derivative; use "
            "scipy.special.gamma(n + 1)"
        )
    return np.where(np.less(n, 0), 0.0, _sp.gamma(n + 1.0))


# --- Lambert, Bessel, Dirichlet -------------------------------------------------------------------


def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Lambert's W, w exp(w) = z, on branch ``k``: complex."""
    return _sp.lambertw(z, k, tol)


def _spherical(primitive: Any, n: Any, z: Any, derivative: bool) -> Any:
    n, z = _constant(primitive.name, "n", n), _floating(z)
    return _bessel.spherical_slope(primitive, n, z) if derivative else primitive(n, z)


@_for_handles
def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Spherical Bessel function of the first kind; ``n`` integers, not differentiated."""
    return _spherical(_bessel.spherical_jn, n, z, derivative)


@_for_handles
def spherical_yn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Spherical Bessel function of the second kind; ``n`` integers, not differentiated."""
    return _spherical(_bessel.spherical_yn, n, z, derivative)


@_for_handles
def spherical_in(n: Any, z: Any, derivative: bool = False) -> Any:
    """Modified spherical Bessel function of the first kind; ``n`` integers, not differentiated."""
    return _spherical(_bessel.spherical_in, n, z, derivative)


@_for_handles
def spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Modified spherical Bessel function of the second kind; ``n`` integers, not differentiated."""
    return _spherical(_bessel.spherical_kn, n, z, derivative)


@_for_handles
def diric(x: Any, n: Any) -> Any:
    """The periodic sinc sin(n x / 2) / (n sin(x / 2)) of one positive integer ``n``.

    It is a mean of n cosines, which has no quotient to cancel: they are summed.
    """
    n = _constant("diric", "n", n)
    if n.ndim or n != np.floor(n) or n < 1:
        raise ShapeError(f"diric: n must be one positive integer for handles, got {n!r}")
    x = _floating(x)
    angles = np.arange(int(n)) - 0.5 * (int(n) - 1)
    return np.mean(np.cos(x[..., None] * angles), axis=-1)


def sinc(x: Any) -> Any:
    """sin(πx) / (πx), elementwise; NumPy's."""
    return np.sinc(x)
