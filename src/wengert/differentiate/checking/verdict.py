"""What differences prove of a claimed derivative.

A claim is held against the scales of a ``Ladder`` that are *conclusive*, where the error is small
beside the slope; no tolerance is set by hand. ``judge`` is quick and works on many numbers at once;
where it confirms nothing, ``classify`` says what the function does there: a kink, a step, a
vertical tangent, an edge of its domain, or nothing of all that, and then the claim is wrong.

Layer: ``ladder``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .ladder import WINDOW, Flags, Ladder, Vector

MULTIPLE = 8.0  # of an estimated error: what may lie between a claim and the differences
CONCLUSIVE = 2.0**-8  # the largest tolerance, beside the slope, at which a scale says anything
FAIR = 2.0**-12  # one that needs two more like it
SHARP = 2.0**-26  # one that needs no second opinion
STEADY = 10  # steps over which y must behave alike to be called discontinuous or vertical
NEGLIGIBLE = 2.0**-34  # beside y: a slope that the digits of y do not show


@dataclass(frozen=True)
class Finding:
    """What the differences say of one number that is claimed to be the slope.

    kind: ``"agrees"``; ``"differs"``; ``"kink"`` (left and right slopes differ, the claim lies
    between them), ``"step"``, ``"infinite"`` (a vertical tangent), ``"edge"`` (not finite on one
    side or both), ``"undecided"`` (no scale is conclusive). slope, error: the best estimate and its
    tolerance; NaN where there is none. left, right: the one-sided slopes of a kink.
    """

    kind: str
    claim: float
    slope: float = np.nan
    error: float = np.nan
    left: float = np.nan
    right: float = np.nan

    @property
    def is_rough(self) -> bool:
        """Whether the function has no derivative there, whatever is claimed."""
        return self.kind in ("kink", "step", "infinite", "edge") or np.isfinite(self.left)

    @property
    def disagreement(self) -> float:
        """How far claim and slope differ, beside the larger; 0 where both may be zero."""
        size = max(abs(self.claim), abs(self.slope))
        return abs(self.claim - self.slope) / size if size > self.error else 0.0


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
            self.size = np.fmax(
                np.abs(self.slope), np.where(np.isfinite(claim), np.abs(claim), 0.0)
            )
            least = np.maximum(slack, NEGLIGIBLE * np.abs(ladder.base) / ladder.length)
            zero = np.abs(claim) <= least
            reach = ladder.reach() if zero.any() else np.zeros(claim.shape)
            beside = np.where(zero, np.maximum(self.size, reach / ladder.length), self.size)
            nothing = zero & (reach <= 64 * ladder.noise)
            self.near = np.isfinite(claim) & (np.abs(self.slope - claim) <= self.error)
            self.sharp = (self.error <= SHARP * beside) | nothing
            self.conclusive = self.sharp | (self.error <= CONCLUSIVE * self.size)
            self.smooth = (
                np.abs(self.jump) <= MULTIPLE * self.jump_error + SHARP * self.size + slack
            )


def classify(ladder: Ladder, i: int, claim: Vector, slack: Vector) -> Finding:
    """What the whole ladder says of element ``i`` of ``claim``, which ``judge`` did not confirm."""
    part = ladder.element(i)
    part.rungs(part.depth - 1)
    value = claim[i : i + 1]
    allowed = np.where(np.isfinite(value), slack[i : i + 1], 0.0)
    number = float(value[0])
    with np.errstate(all="ignore"):
        scales = [Scale(part, k, value, allowed) for k in range(WINDOW, part.depth)]
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
    return Finding(kind, claim, float(best.slope[0]), _error(best))


def _error(scale: Scale) -> float:
    return float(scale.error[0])


def _rough(part: Ladder, scales: list[Scale], claim: float) -> Finding | None:
    """A kink, a step or a vertical tangent, as the smallest resolved steps show it."""
    sides = [_approach(part, values) for values in (part.ahead, part.behind)]
    if "step" in sides:
        return Finding("step", claim)
    if "infinite" in sides:
        return Finding("infinite", claim, np.inf)
    resolved = [
        s for s in scales if MULTIPLE * s.jump_error[0] <= max(abs(s.jump[0]), s.size[0]) / 16
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


def _approach(part: Ladder, values: list[Vector]) -> str:
    """How y comes to its value at 0 from one side: by a ``"step"``, ``"infinite"``ly steep, or "".

    Its distances at the smallest steps are all the same there, or fall by a power below 6/7.
    """
    far = [float(y[0] - part.base[0]) for y in values]
    last = [m for m in far if np.isfinite(m) and abs(m) > 64 * part.noise[0]][-STEADY:]
    if sum(np.isfinite(far)) < part.depth // 2 or len(last) < STEADY or 0 in last:
        return ""
    ratios = [b / a for a, b in pairwise(last)]
    if min(ratios) > 0.97 and max(ratios) < 1.03 and last == far[-STEADY:]:
        return "step"
    return "infinite" if min(ratios) > 0.55 and max(ratios) <= 0.97 else ""


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
