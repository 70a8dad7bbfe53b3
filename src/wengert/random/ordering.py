"""Orders and choices: permutations by sorting random words. Layer: ``random``."""

from __future__ import annotations

import math
import operator
from collections.abc import MutableSequence
from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DataError, DtypeError, ShapeError, describe
from ..numpy.arguments import as_array, as_shape, one_axis
from ..ops.array import Array
from .arguments import FINITE, NOT_NEGATIVE, check, number
from .continuous import F8, Continuous
from .discrete import Discrete

SUM_TOLERANCE = math.sqrt(np.finfo(np.float64).eps)


class Ordering(Discrete, Continuous):
    """Permutations, shuffles and choices; values pass their derivatives on."""

    def _order(self, n: int) -> Any:
        """The numbers from 0 to n - 1 in random order."""
        return np.argsort(self.bits((n,)), kind="stable")

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """``x`` with its parts along ``axis`` in random order; of an int the numbers below it.

        >>> import wengert as wg
        >>> wg.random.Generator(0).permutation(5)
        array([0, 3, 1, 2, 4])
        """
        if isinstance(x, int | np.integer):
            return self._order(count("permutation", x))
        x = as_array(x)
        axis = one_axis("permutation", axis, x.ndim)
        return np.take(x, self._order(x.shape[axis]), axis=axis)

    def permuted(self, x: Any, axis: int | None = None) -> Any:
        """``x`` with every vector along ``axis`` in a random order of its own; without an axis all
        elements.
        """
        x = as_array(x)
        if axis is None:
            return np.reshape(np.take(np.reshape(x, (-1,)), self._order(x.size)), x.shape)
        axis = one_axis("permuted", axis, x.ndim)
        order = np.argsort(self.bits(x.shape), axis=axis, kind="stable")
        return np.take_along_axis(x, order, axis=axis)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Put the parts of ``x`` along ``axis`` in random order, in place: of an array, or of a
        list.
        """
        if isinstance(x, Array | np.ndarray):
            x[...] = self.permutation(x, axis)
        elif isinstance(x, MutableSequence):
            one_axis("shuffle", axis, 1)
            x[:] = [x[i] for i in self._order(len(x)).tolist()]
        else:
            raise DtypeError(f"shuffle: got {describe(x)}, expected an array or a list")

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0
    ) -> Any:
        """Parts of ``a`` along ``axis`` at random; of an int, numbers below it.

        Args:
            a: an array, or an int.
            size: how many, in which shape; None is one.
            replace: whether a part can be chosen again. If not, they come in random order.
            p: the probability of each part, ``(n,)``; a constant. Without ``replace``, parts are
                drawn one after the other, each by ``p`` among those that are left.

        Raises:
            DataError: probabilities that are negative or do not add up to 1; more parts than there
                are (with probability above 0).

        >>> import wengert as wg
        >>> wg.random.Generator(0).choice(5, size=3, replace=False)
        array([0, 3, 1])
        """
        shape = () if size is None else as_shape(size)
        if min(shape, default=0) < 0:
            raise ShapeError(f"choice: size must not be negative, got {size!r}")
        if isinstance(a, int | np.integer):
            return self._positions(count("choice", a), shape, replace, p)
        a = as_array(a)
        axis = one_axis("choice", axis, a.ndim)
        return np.take(a, self._positions(a.shape[axis], shape, replace, p), axis=axis)

    def _positions(self, n: int, shape: tuple[int, ...], replace: bool, p: Any) -> Any:
        """The positions that ``choice`` takes, of n."""
        wanted = math.prod(shape)
        if not n and wanted:
            raise DataError(f"choice: {wanted} of nothing; give an `a` that is not empty")
        if p is not None:
            p = probabilities(p, n)
        if replace:
            return self._with_replacement(n, shape, p)
        possible = n if p is None or isinstance(p, Box) else int(np.count_nonzero(p))
        if wanted > possible:
            raise DataError(
                f"choice: {wanted} parts without replacement, but there are {possible}"
                + (" of probability above 0" if p is not None else "")
            )
        if p is None:
            order = self._order(n)
        else:  # of exponential clocks with these rates, the ones that ring first
            rates = np.where(p > 0, p, 1.0)
            clocks = np.where(p > 0, self._exponential((n,), F8) / rates, np.inf)
            order = np.argsort(clocks, kind="stable")
        return np.reshape(order[:wanted], shape)[()]

    def _with_replacement(self, n: int, shape: tuple[int, ...], p: Any) -> Any:
        if p is None:
            return self.integers(0, max(n, 1), shape)
        total = np.cumsum(p)
        return np.searchsorted(total / total[-1], self.unit(shape, F8), side="right")


def count(name: str, n: Any) -> int:
    """How many numbers there are to put in order."""
    number = operator.index(n)
    if number < 0:
        raise DataError(f"{name}: got {number}, expected an array, or an int from 0")
    return number


def probabilities(p: Any, n: int) -> Any:
    """``p`` of ``choice``: n numbers from 0 that add up to 1."""
    p = number("choice", "p", as_array(p), F8)
    if p.shape != (n,):
        raise ShapeError(f"choice: p is {describe(p)}, expected one probability for each of {n}")
    check("choice", "p", p, FINITE)
    check("choice", "p", p, NOT_NEGATIVE)
    if not isinstance(p, Box) and abs(np.sum(p) - 1.0) > SUM_TOLERANCE:
        raise DataError(f"choice: the probabilities p add up to {np.sum(p)}, expected 1")
    return p
