"""``scipy.special`` for handles: SciPy's functions that no protocol reaches, and its ufuncs.

A ufunc here is SciPy's own: it takes handles as it stands, and plain arrays as ever. The functions
that SciPy writes in Python convert their arguments, which would lose a derivative; here they stand
with SciPy's signatures. Plain arrays in, plain arrays out. Layer: ``scipy``, above ``numpy``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as _sp

from ..core.box import PYTHON_SCALARS, Box
from ..core.errors import DataError, DtypeError, ShapeError
from ..numpy.arguments import as_array, some_axes
from ..ops import activation, bessel, exponential, gamma, special
from ..ops.arithmetic import stop_gradient
from ..ops.array import UFUNCS
from ..ops.families import absorb

UFUNCS.update(special.TABLE)
UFUNC_NAMES = frozenset(
    name
    for name in _sp.__all__
    if isinstance(getattr(_sp, name), np.ufunc) and getattr(_sp, name) in special.TABLE
)
FUNCTION_NAMES = (
    "comb diric expit factorial lambertw log_softmax logsumexp multigammaln perm polygamma sinc "
    "softmax softplus spherical_in spherical_jn spherical_kn spherical_yn zeta"
).split()
__all__ = sorted({*UFUNC_NAMES, *FUNCTION_NAMES})


def __getattr__(name: str) -> Any:
    if name in UFUNC_NAMES:
        return getattr(_sp, name)
    if name in _sp.__all__:
        raise AttributeError(
            f"wengert.scipy.special has no {name!r}: wengert has no derivative of it yet; for plain "
            f"arrays use scipy.special.{name}"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)


def _floating(x: Any) -> Any:
    """``x`` as an array of floats."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _scalar(x: Any) -> Any:
    """``x``, as a NumPy scalar if it is a plain array without axes."""
    return x[()] if type(x) is np.ndarray and not x.ndim else x


# --- sums of exponentials -------------------------------------------------------------------------


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
        y = exponential.logsumexp(a, axis=axes, keepdims=keepdims)
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
    return (_scalar(y), _scalar(np.sign(total))) if return_sign else _scalar(y)


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


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / Σ exp(x) along axes (None: all), without overflow.

    >>> wg = __import__("wengert")
    >>> wg.scipy.special.softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return _scalar(_last(_floating(x), axis, activation.softmax, "softmax"))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """x - ln Σ exp(x) along axes (None: all), without overflow."""
    return _scalar(_last(_floating(x), axis, activation.log_softmax, "log_softmax"))


def softplus(x: Any) -> Any:
    """ln(1 + exp(x)), elementwise, without overflow."""
    return exponential.softplus(_floating(x))


# --- the gamma function's family ------------------------------------------------------------------


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function, elementwise; ``n`` integers, not differentiated.

    Source: DLMF 25.11.12.
    """
    n = _constant("polygamma", "n", n)
    x = _floating(x)
    zero = n == 0
    m = np.where(zero, 1, n)
    higher = (-1.0) ** (m + 1) * _sp.gamma(m + 1.0) * gamma.zeta(m + 1.0, x)
    if not np.any(zero):
        return _scalar(higher)
    return _scalar(np.where(zero, _sp.psi(x), higher))


def _constant(name: str, argument: str, value: Any) -> Any:
    """A plain array; a handle that carries a derivative raises."""
    if isinstance(value, Box) and value.dtype.kind == "f":
        raise DtypeError(
            f"{name}: wengert has no derivative with respect to {argument}; give a constant there"
        )
    return np.asarray(value)


def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """Riemann's zeta function of ``x``, or Hurwitz's of ``x`` and ``q``, differentiated in ``q``."""
    return _sp.zeta(x, q, out)


def multigammaln(a: Any, d: int) -> Any:
    """ln of the multivariate gamma function of dimension ``d``, elementwise; a > (d - 1) / 2.

    Source: R. J. Muirhead, Aspects of Multivariate Statistical Theory, Wiley 1982, section 2.1.2.
    """
    a = _floating(a)
    if isinstance(d, Box) or np.ndim(d) or np.floor(d) != d or d < 1:
        raise DtypeError(f"multigammaln: d must be a positive integer, got {d!r}")
    if np.any(a <= 0.5 * (d - 1)):
        raise DataError(f"multigammaln: expected a > (d - 1) / 2 = {0.5 * (d - 1)}, got {a}")
    terms = [_sp.gammaln(a - 0.5 * j) for j in range(int(d))]
    return sum(terms[1:], start=terms[0]) + d * (d - 1) * 0.25 * np.log(np.pi)


def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """The number of combinations of ``k`` things out of ``N``, smooth in both; 0 out of range."""
    if exact:
        return _sp.comb(N, k, exact=True, repetition=repetition)
    N, k = _number(N), _number(k)
    if repetition:
        inside = np.greater_equal(N, 0) & np.greater_equal(k, 0)
        empty = inside & np.equal(k, 0)
        return _scalar(np.where(empty, 1.0, comb(N + k - 1, k)))
    inside = np.less_equal(k, N) & np.greater_equal(N, 0) & np.greater_equal(k, 0)
    return _scalar(np.where(inside, _sp.binom(N, k), 0.0))


def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """The number of ordered choices of ``k`` things out of ``N``, smooth in both; 0 out of range."""
    if exact:
        return _sp.perm(N, k, exact=True)
    N, k = _number(N), _number(k)
    inside = np.less_equal(k, N) & np.greater_equal(N, 0) & np.greater_equal(k, 0)
    return _scalar(np.where(inside, _sp.poch(N - k + 1, k), 0.0))


def _number(x: Any) -> Any:
    """Python's numbers as they are, anything else as an array."""
    return x if type(x) in PYTHON_SCALARS else as_array(x)


def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Γ(n + 1), smooth in ``n``; 0 for a negative ``n``. Integers and plain arrays: SciPy's own."""
    if not isinstance(n, Box) or exact:
        return _sp.factorial(n, exact=exact, extend=extend)
    if extend != "zero":
        raise DtypeError(f"factorial: extend={extend!r}; use scipy.special.gamma(n + 1)")
    return np.where(np.less(n, 0), 0.0, _sp.gamma(n + 1.0))


# --- Lambert, Bessel, Dirichlet -------------------------------------------------------------------


def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Lambert's W, w exp(w) = z, on branch ``k``: complex."""
    return _sp.lambertw(z, k, tol)


def _spherical(primitive: Any, n: Any, z: Any, derivative: bool) -> Any:
    n, z = _constant(primitive.name, "n", n), _number(z)
    if derivative and isinstance(z, Box):
        order = np.maximum(n - 1, 0)
        lower, upper = primitive(order, z), primitive(n + 1, z)
        down, up = {"j": (1, -1), "y": (1, -1), "i": (1, 1), "k": (-1, -1)}[primitive.name[10]]
        return (down * n * lower + up * (n + 1) * upper) / (2 * n + 1)
    return getattr(_sp, primitive.name)(n, z, True) if derivative else primitive(n, z)


def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Spherical Bessel function of the first kind; ``n`` integers, not differentiated."""
    return _spherical(bessel.spherical_jn, n, z, derivative)


def spherical_yn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Spherical Bessel function of the second kind; ``n`` integers, not differentiated."""
    return _spherical(bessel.spherical_yn, n, z, derivative)


def spherical_in(n: Any, z: Any, derivative: bool = False) -> Any:
    """Modified spherical Bessel function of the first kind; ``n`` integers, not differentiated."""
    return _spherical(bessel.spherical_in, n, z, derivative)


def spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Modified spherical Bessel function of the second kind; ``n`` integers, not differentiated."""
    return _spherical(bessel.spherical_kn, n, z, derivative)


def diric(x: Any, n: Any) -> Any:
    """The periodic sinc sin(n x / 2) / (n sin(x / 2)); ``n`` positive integers.

    It is the mean of cosines, which has no quotient to cancel: n terms are summed.
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
