"""One trial of ``check_grads``: a subject along one random direction, each mode against differences.

Forward mode gives <w, J v>, reverse mode <Jᵀw, v>, differences the slope of <w, f(x + t v)>, for a
random direction v and random weights w. How much rounding may part them is computed: from the
terms of the sums at first; where that is not enough, by Monte Carlo arithmetic (``jitter``).

float32 is checked in two steps: the rules on float64 copies of the arguments, against differences,
sharply; then what float32 gives against what float64 gave, within what float32 arithmetic, played
in float64, may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .forward import jvp
from .jitter import plain, samples
from .ladder import GLANCE, MULTIPLE, Finding, Ladder, Vector, classify, judge
from .reverse import vjp
from .subject import (
    FORWARD,
    REVERSE,
    Subject,
    as_leaves,
    as_vector,
    cast_like,
    direction,
    lengths,
    room,
    short,
    shortened,
    units,
)

SPARE = 8  # digits of x, in base 2, that the smallest step leaves alone
VALUE, DOT = "value", "dot"


@dataclass(frozen=True)
class Outcome:
    """What came of one comparison.

    what: a mode against differences; ``"dot"``: forward against reverse; ``"value"``: the value
    under differentiation against plain NumPy's. precision: ``"float32"`` where it is about that.
    """

    what: str
    finding: Finding
    precision: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether they agree."""
        return self.finding.kind == "agrees"

    @property
    def is_wrong(self) -> bool:
        """Whether they contradict each other."""
        return self.finding.kind == "differs"


class Trial:
    """``subject`` along a direction of length about max(1, |x|), or about |x| if ``relative``."""

    def __init__(self, subject: Subject, rng: np.random.Generator, relative: bool = False) -> None:
        self.subject = subject
        with np.errstate(all="ignore"):
            self.base = subject.value(subject.leaves)
        self.x, self.y = as_vector(subject.leaves), as_vector(self.base)
        self.v, length = shortened(direction(rng, subject.leaves, relative))
        self.keep = np.isfinite(self.y)
        noise = np.where(self.keep, units(self.base) * np.abs(self.y), 0.0)
        digits = int(-np.log2(np.max(units(subject.leaves), initial=0.0) or 1.0))
        trust = room(subject.leaves, self.v)
        self.ladder = Ladder(self._along, self.y, noise, digits - SPARE, length, trust)
        self.w = self._weights(rng)
        self.values: dict[str, Vector] = {}
        self._moves: list[Vector] | None = None
        self._rounding: dict[tuple[str, bool, bytes], list[Vector]] = {}

    def _along(self, t: float) -> Vector:
        return as_vector(self.subject.value(as_leaves(self.x + t * self.v, self.subject.leaves)))

    def _weights(self, rng: np.random.Generator) -> Vector:
        """Random weights that give each leaf of the result the same say in the slope."""
        self.ladder.rungs(4)
        moves = np.abs(self.ladder.ahead[4] - self.y)
        moves = np.where(np.isfinite(moves), moves, 0.0)
        scale, start = np.ones(self.y.shape), 0
        for count in lengths(self.base):
            largest = float(np.max(moves[start : start + count], initial=0.0))
            scale[start : start + count] = 2.0**-6 / largest if largest > 0 else 1.0
            start += count
        return np.where(self.keep, short(rng, scale), 0.0)

    @property
    def infinite(self) -> Vector:
        """Positions in the result that are not finite, but for infinities that never move."""
        ahead, behind = self.ladder.ahead[4], self.ladder.behind[4]
        constant = np.isinf(self.y) & (ahead == self.y) & (behind == self.y)
        return np.flatnonzero(~self.keep & ~constant)

    # --- what the modes give ----------------------------------------------------------------

    def _run(self, mode: str, leaves: Sequence[Any], w: Vector) -> tuple[list[Any], list[Any]]:
        """The result of f in ``mode``, and J v or Jᵀ w, at ``leaves``, which may be handles."""
        f, given = self.subject.f, tuple(leaves)
        with np.errstate(all="ignore"):
            if mode == FORWARD:
                likes = [cast_like(part, plain(leaf)) for part, leaf in zip(self.vs, leaves, strict=True)]
                ys, ds = jvp(f, given, tuple(likes))
                return ys, ds
            ys, pullback = vjp(f, *given)
            seeds = [cast_like(part, plain(y)) for part, y in zip(as_leaves(w, self.base), ys, strict=True)]
            return ys, list(pullback(seeds))

    @property
    def vs(self) -> list[Any]:
        """The direction as leaves."""
        return as_leaves(self.v, self.subject.leaves)

    def derivative(self, mode: str, leaves: Sequence[Any], w: Vector) -> Vector:
        """J v or Jᵀ w as a real vector."""
        ys, ds = self._run(mode, leaves, w)
        if leaves is self.subject.leaves:
            self.values[mode] = as_vector([plain(y) for y in ys])
        return as_vector([plain(d) for d in ds])

    def terms(self, mode: str, vector: Vector, w: Vector) -> Vector:
        """What adds up to the number that is compared."""
        with np.errstate(all="ignore"):
            return np.where(self.keep, w * vector, 0.0) if mode == FORWARD else self.v * vector

    def unit(self, leaves: Sequence[Any]) -> float:
        """The coarsest rounding unit among ``leaves`` and the result."""
        both = [*units(leaves), *units(self.base)]
        return float(max(both, default=0.0))

    # --- how much rounding may do -----------------------------------------------------------

    def noise(self) -> Vector:
        """The rounding error of each element of the result, by Monte Carlo arithmetic."""
        return spread(self.moves())

    def moves(self) -> list[Vector]:
        """What Monte Carlo arithmetic does to the result, a row a sample."""
        if self._moves is None:
            self._moves = self._sampled(lambda leaves: self.subject.f(*leaves), self.y)
        return self._moves

    def rounding(self, mode: str, vector: Vector, single: bool = False) -> list[Vector]:
        """What it does to ``vector``, which is J v or Jᵀ w for the weights of the trial."""
        key = mode, single, self.w.tobytes()
        if key not in self._rounding:
            self._rounding[key] = self._sampled(
                lambda leaves: self._run(mode, leaves, self.w)[1], vector, single
            )
        return self._rounding[key]

    def _sampled(self, compute: Any, center: Vector, single: bool = False) -> list[Vector]:
        with np.errstate(all="ignore"):
            return samples(
                self.subject.f,
                self.subject.leaves,
                lambda leaves: as_vector([plain(part) for part in compute(leaves)]) - center,
                single,
            )

    # --- comparisons -------------------------------------------------------------------------

    def outcomes(self, modes: Sequence[str], patient: bool = True) -> list[Outcome]:
        """Each mode against differences, against the other, and in its own precision."""
        ladder = self.ladder.projected(self.w, self.keep)
        found: list[Outcome] = []
        before: tuple[Number, Finding] | None = None
        for mode in modes:
            number = self.number(mode, self.derivative(mode, self.subject.leaves, self.w))
            finding = None
            if before is not None:
                dot = self.dot(before[0], number)
                found.append(Outcome(DOT, dot))
                if dot.kind == before[1].kind == "agrees" and np.isfinite(number.value):
                    finding = replace(before[1], claim=number.value)  # what held the one holds both
            before = number, finding or self.against(ladder, number, patient)
            found.append(Outcome(mode, before[1]))
            found += self._same_value(mode)
            found += self._low(number)
        return found

    def number(self, mode: str, vector: Vector, leaves: Sequence[Any] | None = None) -> Number:
        terms = self.terms(mode, vector, self.w)
        unit = self.unit(self.subject.leaves if leaves is None else leaves)
        with np.errstate(all="ignore"):
            total, slack = float(np.sum(terms)), MULTIPLE * unit * float(np.sum(np.abs(terms)))
        return Number(mode, vector, total, slack)

    def _wider(self, number: Number, single: bool = False) -> Number:
        """``number`` with the slack that Monte Carlo arithmetic finds."""
        rows = self.rounding(number.mode, number.vector, single)
        with np.errstate(all="ignore"):
            moved = [float(np.sum(self.terms(number.mode, row, self.w))) for row in rows]
        return replace(number, slack=max(number.slack, MULTIPLE * float(np.max(np.abs(moved)))))

    def against(self, ladder: Ladder, number: Number, patient: bool = True) -> Finding:
        """``number`` against differences; without patience a glance must do, unless it doubts."""
        claim = np.array([number.value])
        for depth in (GLANCE, ladder.depth):
            slack = np.array([number.slack])
            verdict = judge(ladder, claim, slack, depth)
            if verdict.confirmed.all():
                slope, error = float(verdict.slope[0]), float(verdict.error[0])
                beside = float(ladder.reach()[0]) / ladder.length
                return Finding("agrees", number.value, slope, error, beside=beside)
            if not (patient or verdict.doubted.any()):
                return Finding("undecided", number.value)
            if depth == GLANCE:
                number = self._wider(number)
                with np.errstate(all="ignore"):
                    onto = [np.sum(self.w[self.keep] * row[self.keep]) for row in self.moves()]
                ladder.noisier(np.nan_to_num(np.max(np.abs(onto), keepdims=True)))
        return classify(ladder, 0, claim, slack)

    def dot(self, a: Number, b: Number) -> Finding:
        """Forward against reverse."""
        if not np.isfinite([a.value, b.value]).all():
            return Finding("agrees", a.value, b.value)  # each has been held against differences
        if abs(a.value - b.value) > a.slack + b.slack:
            a, b = self._wider(a), self._wider(b)
        fine = abs(a.value - b.value) <= a.slack + b.slack
        return Finding("agrees" if fine else "differs", a.value, b.value, a.slack + b.slack)

    def _same_value(self, mode: str) -> list[Outcome]:
        """An outcome where f gives something else under differentiation than it does on NumPy."""
        with np.errstate(all="ignore"):
            off = np.abs(self.values[mode] - self.y)
            allowed = MULTIPLE * units(self.base) * np.abs(self.y)
            off = np.where(self.keep, off, 0.0)
            if (off > allowed).any() or np.isnan(off).any():
                allowed = allowed + MULTIPLE * self.noise()
            wrong = ~(off <= allowed)
        if not wrong.any():
            return []
        k = int(np.argmax(wrong))
        finding = Finding("differs", float(self.values[mode][k]), float(self.y[k]), float(allowed[k]))
        return [Outcome(VALUE, finding, "")]

    def _low(self, number: Number) -> list[Outcome]:
        """The mode in the precision of the arguments against ``number``, from float64 copies."""
        low = self.subject.low
        if low is None or not np.isfinite(number.value):
            return []
        found = self.number(number.mode, self.derivative(number.mode, low, self.w), low)
        if not abs(found.value - number.value) <= found.slack:
            found = replace(found, slack=self._wider(replace(number, slack=found.slack), True).slack)
        fine = abs(found.value - number.value) <= found.slack
        if not np.isfinite(found.slack):  # overflow, in the played arithmetic as well
            fine = True
        if not fine:
            fine = self._natively(found)
        kind = "agrees" if fine else "differs"
        return [Outcome(number.mode, Finding(kind, found.value, number.value, found.slack), "float32")]

    def _natively(self, found: Number) -> bool:
        """Whether differences in the precision of the arguments confirm: f may depend on it."""
        native = Trial(Subject(self.subject.f, list(self.subject.low or [])), np.random.default_rng())
        native.v, native.w = self.v, self.w
        ladder = native.ladder
        native.ladder = Ladder(
            native._along, native.y, ladder.noise, ladder.depth, self.ladder.length
        )
        ladder = native.ladder.projected(self.w, self.keep & native.keep)
        return native.against(ladder, found).kind == "agrees"


@dataclass(frozen=True)
class Number:
    """What a mode gives: the vector, the number that is compared, and what rounding may change."""

    mode: str
    vector: Vector
    value: float
    slack: float


def spread(rows: Sequence[Vector]) -> Vector:
    """The largest of ``rows``, elementwise and in absolute value; NaN counts as nothing."""
    far: Vector = np.max(np.nan_to_num(np.abs(np.array(rows)), posinf=0.0), axis=0)
    return far
