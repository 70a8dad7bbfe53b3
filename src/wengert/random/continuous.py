"""Continuous distributions by inversion: an ordinary function of uniform numbers, and so of the
parameters, in which it differentiates. Layer: ``random``.

Source: L. Devroye, Non-uniform random variate generation, Springer 1986, chapters II.2 and IX,
doi:10.1007/978-1-4613-8643-8.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arguments import FINITE, NOT_NEGATIVE, POSITIVE, check, number, sample_shape
from .source import Source

F8 = np.dtype(np.float64)


class Continuous(Source):
    """Uniform, normal, exponential and what is made of them.

    ``size``: an int, a tuple, or None for the shape of the parameters; ``dtype``: float64 or
    float32. The uniform numbers behind a quantile are odd multiples of 2⁻⁵³ (float32: 2⁻²⁴): no
    normal number is beyond 8.3 (5.5) standard deviations.
    """

    def random(self, size: Any = None, dtype: Any = F8) -> Any:
        """Uniform numbers from 0 up to 1, which is not among them."""
        return self.unit(sample_shape("random", size), dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Uniform numbers from ``low`` to ``high``."""
        low, high = number("uniform", "low", low, dtype), number("uniform", "high", high, dtype)
        width = high - low
        check("uniform", "high - low", width, FINITE)
        check("uniform", "high - low", width, NOT_NEGATIVE)
        return low + width * self.unit(sample_shape("uniform", size, low, high), dtype)

    def standard_normal(self, size: Any = None, dtype: Any = F8) -> Any:
        """Normal numbers of mean 0 and standard deviation 1."""
        return self._normal(sample_shape("standard_normal", size), dtype)

    def _normal(self, shape: tuple[int, ...], dtype: Any) -> Any:
        from scipy.special import ndtri

        return ndtri(self.inside(shape, dtype))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Normal numbers of mean ``loc`` and standard deviation ``scale``.

        >>> import numpy as np, wengert as wg
        >>> rng = wg.random.Generator(1)
        >>> wg.grad(lambda loc: np.sum(rng.normal(loc, 2.0, size=3)))(0.5)
        3.0
        """
        loc, scale, shape = self._placed("normal", loc, scale, size, dtype)
        return loc + scale * self._normal(shape, dtype)

    def _placed(
        self, name: str, loc: Any, scale: Any, size: Any, dtype: Any
    ) -> tuple[Any, Any, tuple[int, ...]]:
        """Location and scale, checked, and the shape of the sample."""
        loc, scale = number(name, "loc", loc, dtype), number(name, "scale", scale, dtype)
        check(name, "scale", scale, NOT_NEGATIVE)
        return loc, scale, sample_shape(name, size, loc, scale)

    def lognormal(
        self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None, dtype: Any = F8
    ) -> Any:
        """Numbers whose logarithm is normal, of ``mean`` and standard deviation ``sigma``."""
        mean, sigma, shape = self._placed("lognormal", mean, sigma, size, dtype)
        return np.exp(mean + sigma * self._normal(shape, dtype))

    def standard_exponential(self, size: Any = None, dtype: Any = F8) -> Any:
        """Exponential numbers of mean 1."""
        return self._exponential(sample_shape("standard_exponential", size), dtype)

    def _exponential(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return -np.log(self.inside(shape, dtype))

    def exponential(self, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Exponential numbers of mean ``scale``."""
        _, scale, shape = self._placed("exponential", 0.0, scale, size, dtype)
        return scale * self._exponential(shape, dtype)

    def rayleigh(self, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Lengths of vectors of two normal numbers of standard deviation ``scale``."""
        _, scale, shape = self._placed("rayleigh", 0.0, scale, size, dtype)
        return scale * np.sqrt(2.0 * self._exponential(shape, dtype))

    def weibull(self, a: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Weibull numbers of shape ``a`` and scale 1."""
        a = number("weibull", "a", a, dtype)
        check("weibull", "a", a, POSITIVE)
        return self._exponential(sample_shape("weibull", size, a), dtype) ** (1.0 / a)

    def pareto(self, a: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Lomax numbers (Pareto's, less 1) of shape ``a``."""
        a = number("pareto", "a", a, dtype)
        check("pareto", "a", a, POSITIVE)
        return np.expm1(self._exponential(sample_shape("pareto", size, a), dtype) / a)

    def power(self, a: Any, size: Any = None, dtype: Any = F8) -> Any:
        """Numbers between 0 and 1 of the density a x ** (a - 1)."""
        a = number("power", "a", a, dtype)
        check("power", "a", a, POSITIVE)
        return self.inside(sample_shape("power", size, a), dtype) ** (1.0 / a)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Numbers of the density exp(-|x - loc| / scale) / (2 scale)."""
        loc, scale, shape = self._placed("laplace", loc, scale, size, dtype)
        u = self.inside(shape, dtype)
        lower = np.log(2.0 * np.minimum(u, 1.0 - u))  # 1 - u is exact
        return loc + scale * np.where(u < 0.5, lower, -lower)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Numbers of the distribution function 1 / (1 + exp(-(x - loc) / scale))."""
        loc, scale, shape = self._placed("logistic", loc, scale, size, dtype)
        u = self.inside(shape, dtype)
        return loc + scale * (np.log(u) - np.log1p(-u))

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = F8) -> Any:
        """Numbers of the distribution function exp(-exp(-(x - loc) / scale))."""
        loc, scale, shape = self._placed("gumbel", loc, scale, size, dtype)
        return loc - scale * np.log(self._exponential(shape, dtype))

    def standard_cauchy(self, size: Any = None, dtype: Any = F8) -> Any:
        """Numbers of the density 1 / (π (1 + x²))."""
        u = self.inside(sample_shape("standard_cauchy", size), dtype)
        return np.tan(math.pi * (u - 0.5))

    def triangular(
        self, left: Any, mode: Any, right: Any, size: Any = None, dtype: Any = F8
    ) -> Any:
        """Numbers whose density rises linearly from ``left`` to ``mode`` and falls to ``right``."""
        left, mode, right = (
            number("triangular", what, x, dtype)
            for what, x in (("left", left), ("mode", mode), ("right", right))
        )
        check("triangular", "mode - left", mode - left, NOT_NEGATIVE)
        check("triangular", "right - mode", right - mode, NOT_NEGATIVE)
        check("triangular", "right - left", right - left, POSITIVE)
        u = self.inside(sample_shape("triangular", size, left, mode, right), dtype)
        width = right - left
        rising = left + np.sqrt(u * width * (mode - left))
        falling = right - np.sqrt((1.0 - u) * width * (right - mode))
        return np.where(u * width < mode - left, rising, falling)[()]
