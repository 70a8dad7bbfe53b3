"""Differences at many scales: the slope of a vector function along a line, with its error.

A ``Ladder`` has the values of a function y(t) at t = ±1/4, ±1/8, …; five neighbouring rungs give a
central difference extrapolated to t -> 0, free of the error terms t², t⁴, t⁶, and an estimate of
its error: how far neighbouring extrapolations differ, plus what rounding of y makes. ``verdict``
says what that proves of a claimed derivative.

Layer: NumPy only; nothing here knows how the engine differentiates.

Sources: C. J. F. Ridders, Adv. Eng. Software 4 (1982) 75, doi:10.1016/S0141-1195(82)80057-0;
W. H. Press et al., Numerical Recipes, 3rd ed., section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]
FIRST = 0.25  # the largest step, in units of the direction
WINDOW = 4  # the last of the rungs that the first extrapolation takes
GLANCE = 14  # rungs to look at before anything dearer
KEPT = 2**16  # entries of y up to which a ladder keeps its rungs for the views of it
BAD = (ValueError, ArithmeticError, IndexError)  # of f at x + tv: math.log(-1.0), 1 / 0, a shape


class Ladder:
    """The values of ``along(t)``, a real vector, on both sides of 0.

    Args:
        along: the function; ``ValueError`` and ``ArithmeticError`` of it count as NaN.
        base: its value at 0.
        noise: a bound of the rounding error of each element of it.
        depth: the number of rungs.
        length: what to take for a unit of t; the steps are ±1/4, ±1/8, … of it.
        trust: the largest step at which a disagreement counts: beyond it numbers change by more
            than their own size, and f may have done anything in between.
    """

    def __init__(
        self,
        along: Callable[[float], Vector],
        base: Vector,
        noise: Vector,
        depth: int = 44,
        length: float = 1.0,
        trust: float = np.inf,
    ) -> None:
        self.along, self.base, self.noise, self.depth = along, base, noise, depth
        self.length, self.trust = length, trust
        self.source: tuple[Ladder, Callable[[Vector], Vector]] | None = None
        self.ahead: list[Vector] = []
        self.behind: list[Vector] = []
        self._slopes: dict[int, tuple[Vector, Vector]] = {}
        self._jumps: dict[int, tuple[Vector, Vector]] = {}

    def step(self, k: int) -> float:
        """The step of rung ``k``."""
        return FIRST * self.length / 2.0**k

    def rungs(self, k: int) -> None:
        """Evaluate up to rung ``k``."""
        while len(self.ahead) <= k:
            n = len(self.ahead)
            if self.source is None:
                ahead, behind = self._at(self.step(n)), self._at(-self.step(n))
            else:
                ladder, view = self.source
                if ladder.base.size <= KEPT:
                    ladder.rungs(n)
                if n < len(ladder.ahead):
                    ahead, behind = view(ladder.ahead[n]), view(ladder.behind[n])
                else:
                    ahead, behind = self._at(self.step(n)), self._at(-self.step(n))
            self.ahead.append(ahead)
            self.behind.append(behind)

    def _at(self, t: float) -> Vector:
        try:
            with np.errstate(all="ignore"):
                y = self.along(t)
        except BAD:
            return np.full(self.base.shape, np.nan)
        return y if y.shape == self.base.shape else np.full(self.base.shape, np.nan)

    def slope(self, k: int) -> tuple[Vector, Vector]:
        """The central slope from the rungs up to ``k``, and its error."""
        if k not in self._slopes:
            self.rungs(k)
            row = [
                (self.ahead[j] - self.behind[j]) / (2 * self.step(j))
                for j in range(k - WINDOW, k + 1)
            ]
            value, error = extrapolated(row, (4.0, 16.0, 64.0))
            self._slopes[k] = value, error + 2 * self.noise / self.step(k)
        return self._slopes[k]

    def jump(self, k: int) -> tuple[Vector, Vector]:
        """Right slope minus left slope from the rungs up to ``k``, and its error."""
        if k not in self._jumps:
            self.rungs(k)
            row = [
                ((self.ahead[j] - self.base) + (self.behind[j] - self.base)) / self.step(j)
                for j in range(k - WINDOW, k + 1)
            ]
            value, error = extrapolated(row, (2.0, 8.0, 32.0))
            self._jumps[k] = value, error + 12 * self.noise / self.step(k)
        return self._jumps[k]

    def one_sided(self, k: int, side: int) -> tuple[Vector, Vector]:
        """The slope on the right (``side`` 1) or left (-1), and its error."""
        self.rungs(k)
        values = self.ahead if side > 0 else self.behind
        row = [side * (values[j] - self.base) / self.step(j) for j in range(k - WINDOW, k + 1)]
        value, error = extrapolated(row, (2.0, 4.0, 8.0))
        return value, error + 8 * self.noise / self.step(k)

    def seen(self, view: Callable[[Vector], Vector], noise: Vector) -> Ladder:
        """The ladder of ``view(y)``; it evaluates nothing anew."""

        def along(t: float) -> Vector:
            return view(self.along(t))

        result = Ladder(along, view(self.base), noise, self.depth, self.length, self.trust)
        result.source = self, view
        return result

    def projected(self, w: Vector, keep: Flags) -> Ladder:
        """The ladder of Σ w·y over the elements ``keep``."""

        def onto(y: Vector) -> Vector:
            with np.errstate(all="ignore"):
                return np.array([np.sum(w[keep] * y[keep])])

        return self.seen(onto, np.array([np.sum(np.abs(w[keep]) * self.noise[keep])]))

    def element(self, i: int) -> Ladder:
        """The ladder of element ``i`` alone."""
        return self.seen(lambda y: y[i : i + 1], self.noise[i : i + 1])

    def noisier(self, noise: Vector) -> None:
        """Count with more rounding error than was known at first."""
        self.noise = np.maximum(self.noise, noise)
        self._slopes.clear()
        self._jumps.clear()

    def reach(self) -> Vector:
        """How large y is at 0 and near by, beside which a change of it may be called zero."""
        k = min(GLANCE, self.depth) - 1
        self.rungs(k)
        near = np.abs([self.base, self.ahead[k], self.behind[k]])
        largest: Vector = np.max(np.where(np.isfinite(near), near, 0.0), axis=0)
        return largest


def extrapolated(row: list[Any], factors: tuple[float, ...]) -> tuple[Vector, Vector]:
    """The limit of ``row``, five quotients at halved steps, whose error terms fall by ``factors``.

    The estimate is that of the last but one order: the last step of its three entries, and what the
    step before it promises, so that two entries that are close by chance deceive nobody.
    """
    with np.errstate(all="ignore"):
        for factor in factors[:-1]:
            row = [b + (b - a) / (factor - 1) for a, b in pairwise(row)]
        first, before, last = row
        final = last + (last - before) / (factors[-1] - 1)
        return final, np.maximum(np.abs(last - before), np.abs(before - first) / factors[-1])
