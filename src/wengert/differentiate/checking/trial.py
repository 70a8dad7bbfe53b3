"""One trial of ``check_grads``: a subject along one random direction, modes against differences.

Forward mode gives <w, J v>, reverse mode <Jᵀw, v>, differences the slope of <w, f(x + t v)>, for a
random direction v and random weights w. How much rounding may part them is computed: from the
terms of the sums at first; where that is not enough, by Monte Carlo arithmetic (``jitter``).

float32 is checked in two steps: the rules on float64 copies of the arguments, against differences,
sharply; then what float32 gives against what float64 gave, within what float32 arithmetic, played
in float64, may change.

Layer: the modes and ``vmap``, over the files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...vectorize import vmap
from ..forward import jvp
from ..reverse import vjp
from .jitter import plain, samples
from .ladder import GLANCE, WINDOW, Ladder, Vector
from .subject import (
    FORWARD,
    Subject,
    as_leaves,
    as_vector,
    cast_like,
    direction,
    lengths,
    room,
    same_field,
    short,
    shortened,
    units,
)
from .verdict import MULTIPLE, Finding, classify, judge

SPARE = 8  # digits of x, in base 2, that the smallest step leaves alone
VALUE, DOT, VMAP = "value", "dot", "vmap"


@dataclass(frozen=True)
class Outcome:
    """What came of one comparison.

    what: a mode against differences; ``"dot"``: forward against reverse; ``"value"``: the value
    under differentiation against plain NumPy's; ``"vmap"``: three examples at once against one at
    a time. precision: ``"float32"`` where it is about that.
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


@dataclass(frozen=True)
class Number:
    """What a mode gives: the vector, the number that is compared, and what rounding may change."""

    mode: str
    vector: Vector
    value: float
    slack: float


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
        digits = int(-np.log2(np.max(units(subject.leaves), initial=np.finfo(float).eps)))
        trust = room(subject.leaves, self.v)
        self.ladder = Ladder(self._along, self.y, noise, digits - SPARE, length, trust)
        self.w = self._weights(rng)
        self.values: dict[str, Vector] = {}
        self._moves: list[Vector] | None = None
        self._slack = 0.0
        self._rounding: dict[tuple[str, bool, bytes], list[Vector]] = {}

    def _along(self, t: float) -> Vector:
        return as_vector(self.subject.value(as_leaves(self.x + t * self.v, self.subject.leaves)))

    def _weights(self, rng: np.random.Generator) -> Vector:
        """Random weights that give each leaf of the result the same say in the slope."""
        self.ladder.rungs(WINDOW)
        with np.errstate(all="ignore"):
            moves = np.abs(self.ladder.ahead[WINDOW] - self.y)
        moves = np.where(np.isfinite(moves), moves, 0.0)
        scale, start = np.ones(self.y.shape), 0
        for count in lengths(self.base):
            largest = float(np.max(moves[start : start + count], initial=0.0))
            scale[start : start + count] = 2.0**-6 / largest if largest > 0 else 1.0
            start += count
        return np.where(self.keep, short(rng, scale), 0.0)

    @property
    def infinite(self) -> Any:
        """Positions in the result that are not finite, but for infinities that never move."""
        ahead, behind = self.ladder.ahead[WINDOW], self.ladder.behind[WINDOW]
        constant = np.isinf(self.y) & (ahead == self.y) & (behind == self.y)
        return np.flatnonzero(~self.keep & ~constant)

    # --- what the modes give --------------------------------------------------------------------

    def _run(self, mode: str, leaves: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The result of f in ``mode``, and J v or Jᵀ w, at ``leaves``, which may be handles."""
        f, given = self.subject.f, tuple(leaves)
        with np.errstate(all="ignore"):
            if mode == FORWARD:
                vs = as_leaves(self.v, self.subject.leaves)
                like = [cast_like(v, plain(leaf)) for v, leaf in zip(vs, leaves, strict=True)]
                ys, ds = jvp(f, given, tuple(like))
                return ys, ds
            ys, pullback = vjp(f, *given)
            ws = as_leaves(self.w, self.base)
            return ys, list(pullback([cast_like(w, plain(y)) for w, y in zip(ws, ys, strict=True)]))

    def derivative(self, mode: str, leaves: Sequence[Any] | None = None) -> Vector:
        """J v or Jᵀ w as a real vector; at the leaves of the subject, or in another precision."""
        ys, ds = self._run(mode, self.subject.leaves if leaves is None else leaves)
        if leaves is None:
            pairs = zip(ys, self.base, strict=True)
            self.values[mode] = as_vector([same_field(plain(y), like) for y, like in pairs])
        return self._as_vector(mode, ds)

    def _as_vector(self, mode: str, ds: Sequence[Any]) -> Vector:
        """Tangents or adjoints as a real vector; those of complex numbers are complex."""
        likes = self.base if mode == FORWARD else self.subject.leaves
        return as_vector([same_field(plain(d), x) for d, x in zip(ds, likes, strict=True)])

    def number(self, mode: str, vector: Vector, leaves: Sequence[Any] | None = None) -> Number:
        """The number that is compared, of what ``derivative`` gave."""
        with np.errstate(all="ignore"):
            terms = self._terms(mode, vector)
            unit = self.unit(self.subject.leaves if leaves is None else leaves)
            slack = MULTIPLE * unit * float(np.sum(np.abs(terms)))
            return Number(mode, vector, float(np.sum(terms)), slack)

    def _terms(self, mode: str, vector: Vector) -> Vector:
        return np.where(self.keep, self.w * vector, 0.0) if mode == FORWARD else self.v * vector

    def unit(self, leaves: Sequence[Any]) -> float:
        """The coarsest rounding unit among ``leaves`` and the result."""
        return float(max([*units(leaves), *units(self.base)], default=0.0))

    # --- how much rounding may do ---------------------------------------------------------------

    def noise(self) -> Vector:
        """The rounding error of each element of the result, by Monte Carlo arithmetic."""
        return spread(self.moves())

    def moves(self) -> list[Vector]:
        """What Monte Carlo arithmetic does to the result, a row a sample."""
        if self._moves is None:
            rows = self._sampled(self._value, self.y)
            with np.errstate(all="ignore"):
                self._moves = [row - np.median(rows, axis=0) for row in rows]
        return self._moves

    def rounding(self, mode: str, vector: Vector, single: bool = False) -> list[Vector]:
        """What it does to ``vector``, which is J v or Jᵀ w for the weights of the trial."""
        key = mode, single, self.w.tobytes()
        if key not in self._rounding:
            self._rounding[key] = self._sampled(
                lambda leaves: self._as_vector(mode, self._run(mode, leaves)[1]), vector, single
            )
        return self._rounding[key]

    def _value(self, leaves: Sequence[Any]) -> Vector:
        return as_vector([plain(y) for y in self.subject.f(*leaves)])

    def _sampled(
        self, compute: Callable[[Sequence[Any]], Vector], center: Vector, single: bool = False
    ) -> list[Vector]:
        f, leaves = self.subject.f, self.subject.leaves
        with np.errstate(all="ignore"):
            return [row - center for row in samples(f, leaves, compute, single)]

    def _moved(self, number: Number, single: bool = False) -> Vector:
        """What it does to the number that is compared, a sample each."""
        rows = self.rounding(number.mode, number.vector, single)
        with np.errstate(all="ignore"):
            return np.abs([np.sum(self._terms(number.mode, row)) for row in rows])

    def _wider(self, number: Number) -> Number:
        """``number`` with the slack that Monte Carlo arithmetic finds."""
        moved = self._moved(number)
        largest = float(np.max(moved[np.isfinite(moved)], initial=0.0))
        return replace(number, slack=max(number.slack, MULTIPLE * largest))

    # --- comparisons ----------------------------------------------------------------------------

    def outcomes(self, modes: Sequence[str], patient: bool = True) -> list[Outcome]:
        """Each mode against differences, against the other, and in its own precision."""
        ladder = self.ladder.projected(self.w, self.keep)
        found: list[Outcome] = []
        before: tuple[Number, Finding] | None = None
        self._slack = 0.0
        for mode in modes:
            if mode == VMAP:
                found += self.examples()
                continue
            number = self.number(mode, self.derivative(mode))
            finding = None
            if before is not None:
                dot = self.dot(before[0], number)
                found.append(Outcome(DOT, dot))
                if dot.kind == before[1].kind == "agrees" and np.isfinite(number.value):
                    finding = replace(before[1], claim=number.value)  # what held one holds both
            before = number, finding or self.against(ladder, number, patient)
            found.append(Outcome(mode, before[1]))
            found += self._same_value(mode)
            found += self._low(number)
        return found

    def against(self, ladder: Ladder, number: Number, patient: bool = True) -> Finding:
        """``number`` against differences; without patience a glance must do, unless it doubts."""
        claim = np.array([number.value])
        for depth in (GLANCE, ladder.depth):
            slack = np.array([number.slack])
            verdict = judge(ladder, claim, slack, depth)
            if verdict.confirmed.all():
                slope, error = float(verdict.slope[0]), float(verdict.error[0])
                return Finding("agrees", number.value, slope, error)
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
            return Finding("agrees", a.value, b.value)  # each is held against differences
        if abs(a.value - b.value) > a.slack + b.slack:
            a = self._wider(a)
        if abs(a.value - b.value) > a.slack + b.slack:
            b = self._wider(b)
        fine = abs(a.value - b.value) <= a.slack + b.slack
        return Finding("agrees" if fine else "differs", a.value, b.value, a.slack + b.slack)

    def _same_value(self, mode: str) -> list[Outcome]:
        """An outcome where f gives something else under differentiation than it does on NumPy."""
        finding = self._alike(self.values[mode], self.y)
        return [] if finding is None else [Outcome(VALUE, finding)]

    def _alike(self, got: Vector, expected: Vector) -> Finding | None:
        """Where two values of f differ by more than rounding."""
        if got.shape != expected.shape:
            return Finding("differs", float("nan"), float("nan"))
        keep = np.isfinite(expected)
        with np.errstate(all="ignore"):
            off = np.where(keep, np.abs(got - expected), 0.0)
            allowed = MULTIPLE * units(self.base) * np.abs(expected)
            if not (off <= allowed)[keep].all():
                allowed = allowed + MULTIPLE * self.noise()
            wrong = ~(off <= allowed) & keep
        if not wrong.any():
            return None
        k = int(np.argmax(wrong))
        return Finding("differs", float(got[k]), float(expected[k]), float(allowed[k]))

    def _low(self, number: Number) -> list[Outcome]:
        """The mode in the precision of the arguments against ``number``, from float64 copies."""
        low = self.subject.low
        if low is None or not np.isfinite(number.value):
            return []
        found = self.number(number.mode, self.derivative(number.mode, low), low)
        off = abs(found.value - number.value)
        fine = off <= max(found.slack, self._slack)  # what the other mode was found to need
        if not fine:
            moved = MULTIPLE * self._moved(number, single=True)
            self._slack = float(np.max(np.nan_to_num(moved)))
            found = replace(found, slack=max(found.slack, self._slack))
            # what is not finite overflows in the played arithmetic as well
            fine = off <= found.slack or not np.isfinite(moved).all() or self._natively(found)
        kind = "agrees" if fine else "differs"
        finding = Finding(kind, found.value, number.value, found.slack)
        return [Outcome(number.mode, finding, "float32")]

    def is_the_same_in_low(self) -> bool:
        """Whether f gives in the precision of the arguments what it gives in float64."""
        with np.errstate(all="ignore"):
            low = self.subject.value(self.subject.low or self.subject.leaves)
            off = np.where(self.keep, np.abs(as_vector(low) - self.y), 0.0)
            allowed = MULTIPLE * units(low) * np.abs(self.y)
            if not (off <= allowed).all():
                rows = self._sampled(self._value, self.y, single=True)
                allowed = np.maximum(allowed, MULTIPLE * np.max(np.abs(rows), axis=0))
            return bool(np.all((off <= allowed) | ~np.isfinite(allowed) | ~np.isfinite(off)))

    def _natively(self, found: Number) -> bool:
        """Whether differences in the precision of the arguments confirm: f may depend on it."""
        native = Trial(Subject(self.subject.f, self.subject.low or []), np.random.default_rng(0))
        native.v, native.w = self.v, self.w
        own, length = native.ladder, self.ladder.length
        native.ladder = Ladder(native._along, native.y, own.noise, own.depth, length)
        ladder = native.ladder.projected(self.w, self.keep & native.keep)
        return native.against(ladder, found).kind == "agrees"

    def examples(self) -> list[Outcome]:
        """Three examples under ``vmap`` against one at a time."""
        leaves, near = self.subject.leaves, self.ladder.step(2 * WINDOW)
        points = [as_leaves(self.x + t * self.v, leaves) for t in (0.0, near, -near)]
        with np.errstate(all="ignore"):
            expected = [as_vector(self.subject.value(point)) for point in points]
            together = [np.stack(column) for column in zip(*points, strict=True)]
            ys = [plain(y) for y in vmap(lambda *zs: self.subject.f(*zs))(*together)]
        for k, row in enumerate(expected):
            finding = self._alike(as_vector([y[k] for y in ys]), row)
            if finding is not None:
                return [Outcome(VMAP, finding)]
        return [Outcome(VMAP, Finding("agrees", 0.0, 0.0, 0.0))]


def spread(rows: Sequence[Vector]) -> Vector:
    """The largest of ``rows``, elementwise and in absolute value; NaN counts as nothing."""
    far: Vector = np.max(np.nan_to_num(np.abs(np.array(rows)), posinf=0.0), axis=0)
    return far
