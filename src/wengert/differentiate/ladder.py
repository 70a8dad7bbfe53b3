"""Differences at many scales: the slope of a vector function along a line, with its error.

What ``check_grads`` believes. A ``Ladder`` has the values of a function y(t) at t = ±1/4, ±1/8, …;
five neighbouring rungs give a central difference extrapolated to t -> 0, free of the error terms
t², t⁴, t⁶, and an estimate of its error: how far neighbouring extrapolations differ, plus what
rounding of y makes. A claimed derivative is held against the scales that are *conclusive*, where
the error is small beside the slope; no tolerance is set by hand. Where none agrees, ``classify``
says what the function does there: a kink, a step, a vertical tangent, an edge of its domain, or
nothing of all that, and then the claim is wrong.

Layer: NumPy only; nothing here knows how the engine differentiates.

Sources: C. J. F. Ridders, Adv. Eng. Software 4 (1982) 75, doi:10.1016/S0141-1195(82)80057-0;
W. H. Press et al., Numerical Recipes, 3rd ed., section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]
FIRST = 0.25  # the largest step, in units of the direction
WINDOW = 4  # the last of the rungs that the first extrapolation takes
MULTIPLE = 8.0  # of an estimated error: what may lie between a claim and the differences
CONCLUSIVE = 2.0**-8  # the largest tolerance, beside the slope, at which a scale says anything
FAIR = 2.0**-12  # one that needs two more like it
GLANCE = 14  # rungs to look at before anything dearer
SHARP = 2.0**-26  # a tolerance that needs no second opinion
NEGLIGIBLE = 2.0**-40  # beside y: a slope that the digits of y do not show
BAD = (ValueError, ArithmeticError, IndexError)  # of f at x + tv: math.log(-1.0), 1 / 0, a shape


@dataclass(frozen=True)
class Finding:
    """What the differences say of one number that is claimed to be the slope.

    kind: ``"agrees"``; ``"differs"``; ``"kink"`` (left and right slopes differ, the claim lies
    between them), ``"step"``, ``"infinite"`` (a vertical tangent), ``"edge"`` (not finite on one
    side or both), ``"undecided"`` (no scale is conclusive). slope, error: the best estimate and its
    tolerance; NaN where there is none. left, right: the one-sided slopes of a kink. beside: what a
    slope must be held beside to be called zero.
    """

    kind: str
    claim: float
    slope: float = np.nan
    error: float = np.nan
    left: float = np.nan
    right: float = np.nan
    beside: float = 0.0

    @property
    def is_rough(self) -> bool:
        """Whether the function has no derivative there, whatever is claimed."""
        return self.kind in ("kink", "step", "infinite", "edge") or np.isfinite(self.left)

    @property
    def disagreement(self) -> float:
        """How far claim and slope differ, beside the larger of them; 0 for two zeros."""
        size = max(abs(self.claim), abs(self.slope))
        size = size if size > self.error else max(size, self.beside)
        return abs(self.claim - self.slope) / size if size > 0 else 0.0


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
            t = self.step(len(self.ahead))
            self.ahead.append(self._at(t))
            self.behind.append(self._at(-t))

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
                (self.ahead[j] - self.behind[j]) / (2 * self.step(j)) for j in range(k - WINDOW, k + 1)
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

    def like(self, along: Callable[[float], Vector], base: Vector, noise: Vector) -> Ladder:
        """A ladder of the same steps."""
        return Ladder(along, base, noise, self.depth, self.length, self.trust)

    def projected(self, w: Vector, keep: Flags) -> Ladder:
        """The ladder of Σ w·y over the elements ``keep``."""

        def onto(y: Vector) -> Vector:
            with np.errstate(all="ignore"):
                return np.array([np.sum(w[keep] * y[keep])])

        noise = np.array([np.sum(np.abs(w[keep]) * self.noise[keep])])
        result = self.like(lambda t: onto(self.along(t)), onto(self.base), noise)
        result.ahead, result.behind = [*map(onto, self.ahead)], [*map(onto, self.behind)]
        return result

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

    def element(self, i: int) -> Ladder:
        """The ladder of element ``i`` alone, with all its rungs."""
        self.rungs(self.depth - 1)
        own = slice(i, i + 1)
        part = self.like(lambda t: self.along(t)[own], self.base[own], self.noise[own])
        part.ahead = [y[i : i + 1] for y in self.ahead]
        part.behind = [y[i : i + 1] for y in self.behind]
        return part


def extrapolated(row: list[Any], factors: tuple[float, ...]) -> tuple[Vector, Vector]:
    """The limit of ``row``, five quotients at halved steps, whose error terms fall by ``factors``.

    The estimate is that of the last but one order: the last step of its three entries, and what the
    step before it promises, so that two entries that are close by chance deceive nobody.
    """
    with np.errstate(all="ignore"):
        for factor in factors[:-1]:
            row = [b + (b - a) / (factor - 1) for a, b in zip(row, row[1:], strict=False)]
        first, before, last = row
        final = last + (last - before) / (factors[-1] - 1)
        return final, np.maximum(np.abs(last - before), np.abs(before - first) / factors[-1])


# --- verdicts ----------------------------------------------------------------------------------


@dataclass
class Verdict:
    """What the scales looked at say of each element of a claim.

    confirmed: a sharp scale agrees, or three conclusive ones and none contradicts. doubted: a
    conclusive one contradicts. slope, error: those of the scale that confirms.
    """

    confirmed: Flags
    doubted: Flags
    slope: Vector
    error: Vector


def judge(ladder: Ladder, claim: Vector, slack: Vector, depth: int) -> Verdict:
    """Hold ``claim`` against the first ``depth`` rungs.

    ``slack``: how much rounding may have changed the claim; one that is no larger is a zero.
    """
    nothing = np.zeros(claim.shape, bool)
    verdict = Verdict(nothing.copy(), nothing, np.zeros(claim.shape), np.full(claim.shape, np.inf))
    agreeing = np.zeros(claim.shape, int)
    size = np.zeros(claim.shape)
    for k in range(WINDOW, min(depth, ladder.depth)):
        scale = Scale(ladder, k, claim, slack)
        usable = scale.conclusive & scale.smooth
        good, open_ = usable & scale.near, ~verdict.confirmed
        agreeing += good
        if scale.trusted:
            verdict.doubted = verdict.doubted | (open_ & usable & ~scale.near)
        better = open_ & good & (scale.error < verdict.error)
        verdict.slope = np.where(better, scale.slope, verdict.slope)
        verdict.error = np.where(better, scale.error, verdict.error)
        size = np.where(better, scale.size, size)
        verdict.confirmed |= good & scale.sharp
        if verdict.confirmed.all():
            break
    clear = ~verdict.doubted & (agreeing >= 3)
    verdict.confirmed |= clear & (verdict.error <= FAIR * size)
    return verdict


class Scale:
    """What one window of a ladder says of a claim, elementwise.

    A claim that is zero but for rounding, or that y does not show, is held against the error beside
    y instead; where y itself is nothing but rounding, there is no more to say.
    """

    def __init__(self, ladder: Ladder, k: int, claim: Vector, slack: Vector) -> None:
        with np.errstate(all="ignore"):
            self.trusted = ladder.step(k - WINDOW) <= ladder.trust
            self.slope, error = ladder.slope(k)
            self.jump, self.jump_error = ladder.jump(k)
            self.error = MULTIPLE * error + slack
            self.size = np.maximum(np.abs(self.slope), np.abs(claim))
            least = np.maximum(slack, NEGLIGIBLE * np.abs(ladder.base) / ladder.length)
            zero = np.abs(claim) <= least
            reach = ladder.reach() if zero.any() else np.zeros(claim.shape)
            beside = np.where(zero, np.maximum(self.size, reach / ladder.length), self.size)
            nothing = zero & (reach <= 64 * ladder.noise)
            self.near = np.isfinite(claim) & (np.abs(self.slope - claim) <= self.error)
            self.sharp = (self.error <= SHARP * beside) | nothing
            self.conclusive = self.sharp | (self.error <= CONCLUSIVE * self.size)
            self.smooth = np.abs(self.jump) <= MULTIPLE * self.jump_error + SHARP * self.size + slack


def classify(ladder: Ladder, i: int, claim: Vector, slack: Vector) -> Finding:
    """What the whole ladder says of element ``i`` of ``claim``, which ``judge`` did not confirm."""
    part = ladder.element(i)
    value = claim[i : i + 1]
    allowed = np.where(np.isfinite(value), slack[i : i + 1], 0.0)
    scales = [Scale(part, k, value, allowed) for k in range(WINDOW, part.depth)]
    number = float(value[0])
    settled = _settled(part, scales, number)
    if settled is not None and settled.kind == "agrees":
        return settled
    return (
        _rough(part, scales, number)
        or _one_sided(part, number, float(allowed[0]))
        or settled
        or Finding("undecided", number)
    )


def _usable(part: Ladder, scales: list[Scale]) -> list[bool]:
    """Which scales are conclusive: smooth, accurate, and not blind.

    Blind are steps so small that f does not move, though it does with larger ones: rounding.
    """
    moves = [bool(np.any(part.ahead[j] != part.behind[j])) for j in range(part.depth)]
    usable = []
    for k, scale in enumerate(scales, WINDOW):
        blind = any(moves[:k]) and not any(moves[k - WINDOW : k + 1])
        usable.append(bool(scale.conclusive[0] and scale.smooth[0]) and not blind)
    return usable


def _settled(part: Ladder, scales: list[Scale], claim: float) -> Finding | None:
    """The claim against the most accurate scale of the smallest steps that bear each other out.

    From the smallest steps upwards, scales that are consistent with each other make a chain. It
    ends where the slope changes with the scale; the first one of three or more counts.
    """
    usable = [s for s, use in zip(scales, _usable(part, scales), strict=True) if use]
    if not usable and claim != 0:  # f does not move at any scale, or at the small ones only
        usable = [s for s in scales if s.conclusive[0] and s.smooth[0]]
    chains: list[list[Scale]] = []
    for scale in reversed(usable):
        best = min(chains[-1], key=_error) if chains else scale
        if chains and abs(scale.slope[0] - best.slope[0]) <= _error(scale) + _error(best):
            chains[-1].append(scale)
        else:
            chains.append([scale])
    if not chains:
        return None
    long = [chain for chain in chains if len(chain) >= 3]
    chosen = long[0] if long else min(chains, key=lambda chain: min(map(_error, chain)))
    best = min(chosen, key=_error)
    kind = "agrees" if best.near[0] else "differs"
    if kind == "differs":
        chosen = [scale for scale in chosen if scale.trusted and not scale.near[0]]
        if len(chosen) < 2:
            return None
        best = min(chosen, key=_error)
    beside = float(part.reach()[0]) / part.length
    return Finding(kind, claim, float(best.slope[0]), _error(best), beside=beside)


def _error(scale: Scale) -> float:
    return float(scale.error[0])


def _rough(part: Ladder, scales: list[Scale], claim: float) -> Finding | None:
    """A kink, a step or a vertical tangent, as the smallest resolved steps show it."""
    noise = float(part.noise[0])
    moved = [
        float(np.fmax(abs(a[0] - part.base[0]), abs(b[0] - part.base[0])))
        for a, b in zip(part.ahead, part.behind, strict=True)
    ]
    above = [m for m in moved if np.isfinite(m) and m > 64 * noise]
    ratios = [b / a for a, b in zip(above[-5:], above[-4:], strict=False)]
    if len(above) > part.depth // 2 and len(ratios) == 4:
        if min(ratios) > 0.97:
            return Finding("step", claim)
        if min(ratios) > 0.55 and max(ratios) <= 0.97:
            return Finding("infinite", claim, np.inf)
    resolved = [
        s
        for s in scales
        if MULTIPLE * s.jump_error[0] <= max(abs(s.jump[0]), s.size[0]) / 16
    ]
    last = resolved[-3:]
    if len(last) < 3:
        return None
    jumps = [float(s.jump[0]) for s in last]
    if any(bool(s.smooth[0]) or abs(s.jump[0]) < CONCLUSIVE * s.size[0] / 4 for s in last):
        return None
    if max(jumps) - min(jumps) > 0.25 * max(map(abs, jumps)):
        return None
    best = min(last, key=lambda s: float(s.jump_error[0]))
    slope, jump, error = float(best.slope[0]), float(best.jump[0]), float(best.error[0])
    left, right = slope - jump / 2, slope + jump / 2
    inside = min(left, right) - error <= claim <= max(left, right) + error
    return Finding("kink" if inside else "differs", claim, slope, error, left, right)


def _one_sided(part: Ladder, claim: float, slack: float) -> Finding | None:
    """The edge of a domain: f is not finite on one side, or on both, however small the step."""
    last = range(part.depth - 2 * WINDOW, part.depth)
    right = all(np.isfinite(part.ahead[k][0]) for k in last)
    left = all(np.isfinite(part.behind[k][0]) for k in last)
    if right and left:
        return None
    if not right and not left:
        return Finding("edge", claim)
    in_a_row: list[tuple[float, float]] = []
    for k in range(WINDOW, part.depth):
        value, estimate = (float(x[0]) for x in part.one_sided(k, 1 if right else -1))
        error = MULTIPLE * estimate + slack
        if not error <= CONCLUSIVE * max(abs(value), slack):
            in_a_row = []
            continue
        if abs(value - claim) <= error:
            return Finding("agrees", claim, value, error)
        if part.step(k - WINDOW) <= part.trust:
            in_a_row.append((value, error))
    if len(in_a_row) >= 3 and max(in_a_row)[0] - min(in_a_row)[0] <= max(e for _, e in in_a_row):
        return Finding("differs", claim, *in_a_row[-1])
    return Finding("edge", claim)
