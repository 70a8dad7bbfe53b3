"""The gamma distribution and those made of it, and vectors of numbers. Layer: ``random``.

A gamma number of shape a is one of shape a + 1, by inversion, times a uniform number to the power
1 / a: its logarithm is finite for every shape, and so are ratios. It differentiates in the shape,
see ``ops/quantiles.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DataError, DtypeError, ShapeError, UnsupportedError, describe
from ..numpy.arguments import as_shape
from .arguments import FINITE, NOT_NEGATIVE, POSITIVE, check, float_dtype, number, sample_shape
from .continuous import F8, Continuous


class Gammas(Continuous):
    """Gamma, beta, chi-square, F, Student's t, Dirichlet; normal vectors."""

    def _factors(self, a: Any, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
        """A gamma number of shape a + 1, and the uniform number whose power 1 / a makes it one of
        shape a.
        """
        from ..ops.quantiles import gamma_quantile

        base, u = self.inside(shape, dtype), self.inside(shape, dtype)
        return gamma_quantile(a + 1, base), u

    def _gamma(self, a: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        gamma, u = self._factors(a, shape, dtype)
        return gamma * u ** (1.0 / a)

    def _log_gamma(self, a: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        gamma, u = self._factors(a, shape, dtype)
        return np.log(gamma) + np.log(u) / a

    def _shape_parameter(self, name: str, what: str, x: Any, dtype: Any) -> Any:
        x = number(name, what, x, dtype)
        check(name, what, x, POSITIVE)
        check(name, what, x, FINITE)
        return x if hasattr(x, "dtype") else float_dtype(dtype).type(x)

    def standard_gamma(self, shape: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Gamma numbers of ``shape`` and scale 1.

        >>> import wengert as wg
        >>> rng = wg.random.Generator(3)
        >>> wg.grad(lambda a: rng.standard_gamma(a))(2.0) > 0
        True
        """
        a = self._shape_parameter("standard_gamma", "shape", shape, dtype)
        return self._gamma(a, sample_shape("standard_gamma", size, a), dtype)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Gamma numbers of ``shape`` and ``scale``: their mean is the product."""
        a = self._shape_parameter("gamma", "shape", shape, dtype)
        scale = number("gamma", "scale", scale, dtype)
        check("gamma", "scale", scale, NOT_NEGATIVE)
        return scale * self._gamma(a, sample_shape("gamma", size, a, scale), dtype)

    def chisquare(self, df: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Sums of the squares of ``df`` normal numbers; ``df`` may be any positive number."""
        df = self._shape_parameter("chisquare", "df", df, dtype)
        return 2.0 * self._gamma(df / 2.0, sample_shape("chisquare", size, df), dtype)

    def f(self, dfnum: Any, dfden: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Ratios of two chi-square numbers, each over its degrees of freedom."""
        dfnum = self._shape_parameter("f", "dfnum", dfnum, dtype)
        dfden = self._shape_parameter("f", "dfden", dfden, dtype)
        shape = sample_shape("f", size, dfnum, dfden)
        above = self._log_gamma(dfnum / 2.0, shape, dtype)
        below = self._log_gamma(dfden / 2.0, shape, dtype)
        return np.exp(above - below) * (dfden / dfnum)

    def beta(self, a: Any, b: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Numbers between 0 and 1 of the density x ** (a - 1) (1 - x) ** (b - 1) / B(a, b)."""
        from scipy.special import expit

        a = self._shape_parameter("beta", "a", a, dtype)
        b = self._shape_parameter("beta", "b", b, dtype)
        shape = sample_shape("beta", size, a, b)
        first = self._log_gamma(a, shape, dtype)
        return expit(first - self._log_gamma(b, shape, dtype))

    def standard_t(self, df: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Student's t with ``df`` degrees of freedom, any positive number of them."""
        df = self._shape_parameter("standard_t", "df", df, dtype)
        shape = sample_shape("standard_t", size, df)
        z = self._normal(shape, dtype)
        log_mean_square = self._log_gamma(df / 2.0, shape, dtype) - np.log(df / 2.0)
        return z * np.exp(-0.5 * log_mean_square)

    def dirichlet(self, alpha: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Vectors of probabilities, ``(*size, k)``, of the parameters ``alpha``, ``(k,)``."""
        alpha = self._shape_parameter("dirichlet", "alpha", alpha, dtype)
        if len(alpha.shape) != 1:
            raise ShapeError(f"dirichlet: alpha is {describe(alpha)}, expected a vector (k,)")
        lengths = () if size is None else as_shape(size)
        logs = self._log_gamma(alpha, (*lengths, *alpha.shape), dtype)
        parts = np.exp(logs - np.max(logs, axis=-1, keepdims=True))
        return parts / np.sum(parts, axis=-1, keepdims=True)

    def multivariate_normal(self, mean: Any, cov: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Normal vectors, ``(*size, n)``, of ``mean`` ``(n,)`` and covariance ``cov`` ``(n, n)``,
        which is a constant.

        Raises:
            DataError: ``cov`` is not symmetric, or has an eigenvalue below 0.
            UnsupportedError: a ``cov`` that carries a derivative.
        """
        if isinstance(cov, Box):
            raise UnsupportedError(
                "multivariate_normal: wengert has no derivative of the factorisation of cov. Draw "
                "z = rng.standard_normal((n,)) and take mean + L @ z, with a factor of the "
                "covariance, cov = L @ L.T, as the parameter"
            )
        mean = number("multivariate_normal", "mean", mean, dtype)
        root = factor(cov).astype(dtype)
        n = len(root)
        if getattr(mean, "shape", ()) != (n,):
            raise ShapeError(
                f"multivariate_normal: mean is {describe(mean)} and cov {describe(root)}; expected "
                "mean (n,) and cov (n, n)"
            )
        lengths = () if size is None else as_shape(size)
        return mean + self._normal((*lengths, n), dtype) @ root.T


def factor(cov: Any) -> np.ndarray[Any, Any]:
    """L with L Lᵀ = ``cov``, a symmetric matrix without negative eigenvalues, of which some may be
    zero.
    """
    cov = np.asarray(cov)
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1]:
        raise ShapeError(f"multivariate_normal: cov is {describe(cov)}, expected (n, n)")
    if cov.dtype.kind not in "biuf":
        raise DtypeError(f"multivariate_normal: cov is {describe(cov)}, expected real numbers")
    cov = cov.astype(np.float64)
    if not np.allclose(cov, cov.T, rtol=1e-6, atol=1e-12 * np.max(np.abs(cov), initial=0.0)):
        raise DataError("multivariate_normal: cov is not symmetric")
    values, vectors = np.linalg.eigh(cov)
    if np.any(values < -1e-8 * np.max(np.abs(values), initial=0.0)):
        raise DataError(
            f"multivariate_normal: cov has the eigenvalue {values.min():g}; a covariance has none "
            "below 0"
        )
    root: np.ndarray[Any, Any] = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
