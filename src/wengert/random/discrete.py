"""Whole numbers: integers in a range, and discrete distributions by inversion. All are constants to
derivatives. Layer: ``random``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DataError, DtypeError, describe
from ..numpy.arguments import as_array
from ..ops.random import random_integers
from .arguments import NOT_NEGATIVE, POSITIVE, PROBABILITY, Rule, check, number, sample_shape
from .source import Source

F8 = np.dtype(np.float64)
WHOLE: Rule = (lambda x: np.not_equal(x, np.rint(x)), "must be a whole number")
COUNTABLE: Rule = (lambda x: np.logical_not(np.less_equal(x, 2.0**62)), "must be at most 2**62")


class Discrete(Source):
    """Integers, Poisson, binomial, geometric."""

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:
        """Integers from ``low`` to ``high``, which is among them with ``endpoint``; from 0 to
        ``low`` if no ``high`` is given. No value is more likely than another by more than a part in
        2⁶⁴.

        >>> import wengert as wg
        >>> wg.random.Generator(0).integers(1, 6, size=5, endpoint=True)
        array([1, 3, 6, 6, 1])
        """
        dtype = np.dtype(dtype)
        if dtype.kind not in "biu":
            raise DtypeError(f"integers: dtype is {dtype}, expected an integer type or bool")
        low, high = (0, low) if high is None else (low, high)
        first, last = whole("low", low), whole("high", high)
        last = last if endpoint else last - 1
        first, last = within(first, dtype), within(last, dtype)
        if not isinstance(first, Box) and not isinstance(last, Box) and np.any(first > last):
            raise DataError(f"integers: no integer lies from low={low} to high={high}")
        words = self.bits((*sample_shape("integers", size, first, last), 2))
        return random_integers(words[..., 0], words[..., 1], first, last, dtype=dtype)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Counts of events of which ``lam`` are expected."""
        from ..ops.quantiles import poisson_quantile

        lam = number("poisson", "lam", lam, F8)
        check("poisson", "lam", lam, NOT_NEGATIVE)
        check("poisson", "lam", lam, COUNTABLE)
        return poisson_quantile(lam, self._inside(sample_shape("poisson", size, lam)))

    def binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """Counts of successes in ``n`` trials, each with chance ``p``; with ``n`` = 1, 0 or 1."""
        from ..ops.quantiles import binomial_quantile

        n, p = number("binomial", "n", n, F8), number("binomial", "p", p, F8)
        check("binomial", "n", n, NOT_NEGATIVE)
        check("binomial", "n", n, WHOLE)
        check("binomial", "p", p, PROBABILITY)
        return binomial_quantile(n, p, self._inside(sample_shape("binomial", size, n, p)))

    def geometric(self, p: Any, size: Any = None) -> Any:
        """Counts of trials up to the first success, each with chance ``p``."""
        from ..ops.quantiles import geometric_quantile

        p = number("geometric", "p", p, F8)
        check("geometric", "p", p, PROBABILITY)
        check("geometric", "p", p, POSITIVE)
        return geometric_quantile(p, self._inside(sample_shape("geometric", size, p)))

    def _inside(self, shape: tuple[int, ...]) -> Any:
        """The probabilities at which the quantiles are taken."""
        return self.inside(shape, F8)


def whole(what: str, x: Any) -> Any:
    """A bound as a Python integer, an array of integers, or a handle of integers."""
    if type(x) is int:
        return x
    bound = as_array(x)
    if bound.dtype.kind not in "biu":
        raise DtypeError(f"integers: {what} is {describe(bound)}, expected integers")
    if isinstance(bound, Box):
        return bound
    return bound if bound.ndim else int(bound)


def within(bound: Any, dtype: np.dtype[Any]) -> Any:
    """An inclusive bound, as an array that holds it; a plain one must be a number of ``dtype``."""
    if isinstance(bound, Box):
        return bound
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if np.any(np.less(bound, least)) or np.any(np.greater(bound, most)):
        raise DataError(f"integers: {bound!r} is out of bounds for {dtype}: {least} to {most}")
    return np.asarray(bound, np.uint64 if dtype.kind == "u" else np.int64)
