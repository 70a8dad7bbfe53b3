"""Which operation is wrong: a function run again, each application of a primitive tried on its own.

``Examiner`` is an interpreter: it computes what the program computes, and holds the rules of every
application that depends on the arguments against differences of the primitive's value, element by
element; the reverse rule against the forward rule, by the dot test. Layer: ``trial``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core import interpret
from ...core.box import Box, is_inexact
from ...core.errors import WengertError
from ...core.interpret import Interpreter, evaluate
from ...core.primitive import Primitive
from ...core.source import user_line
from ...ops.array import Array, make, normal
from .ladder import GLANCE, Vector
from .subject import FORWARD, REVERSE, Subject, copies, lengths, promoted
from .trial import VMAP, Trial, spread
from .verdict import MULTIPLE, Finding, classify, judge

LOOKED_AT = 32  # elements of a result that are classified one by one
BOTH = "both"


@dataclass(frozen=True)
class Culprit:
    """What an operation does that the differences do not.

    Attributes:
        operation: the name of the primitive, or of the user's function with rules.
        where: the line of the program, ``file:line``.
        side: ``"forward"``, ``"reverse"`` or ``"both"``: the rules that are wrong; "" for a place
            where the function itself is rough.
        finding: the numbers; its kind is ``"differs"``, ``"kink"``, ``"step"``, ``"infinite"``, …
        input: which argument of the operation, None for all.
        position: the element of its result, () for a scalar; None where it is not known.
        unit: what the numbers are: ``"derivative"`` or ``"directional derivative"``.
        precision: ``"float32"`` where only that is wrong.
        inside: the operation in its rules that is to blame, at higher orders.
    """

    operation: str
    where: str
    side: str
    finding: Finding
    input: int | None = None
    position: tuple[int, ...] | None = None
    unit: str = "directional derivative"
    precision: str = ""
    inside: Culprit | None = None


class Active:
    """The ``_node`` of a value that depends on the arguments."""


ACTIVE = Active()


class Examiner(Interpreter):
    """Tries each application; ``found`` is what is wrong or rough, the first wrong one last.

    ``path``: the modes that have been applied already, as at higher orders.
    """

    __slots__ = ("found", "modes", "not_finite", "path", "seed", "wrong")

    def __init__(
        self,
        parent: Interpreter,
        f: Callable[..., Any],
        modes: Sequence[str],
        path: Sequence[str],
        seed: int,
    ) -> None:
        super().__init__(parent, "check_grads", f)
        self.modes, self.path, self.seed = modes, path, seed
        self.found: list[Culprit] = []
        self.wrong = False
        self.not_finite: tuple[str, str] | None = None  # the first operation to give such, its line

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, active, mine = [], [], False
        for i, arg in enumerate(args):
            if isinstance(arg, Box):
                arg.refresh()
                if arg._owner is self:
                    mine = True
                    if arg._node is ACTIVE and is_inexact(arg._value):
                        active.append(i)
                    arg = arg._value
            elif type(arg) is not np.ndarray:
                arg = normal(primitive, arg)
            values.append(arg)
        params = {key: value for key, value in params.items() if key != "donate"}
        if active and self.modes and not self.wrong:
            assert self.parent is not None
            with interpret.under(self.parent):
                self._try(primitive, values, active, params, user_line())
        y = evaluate(self.parent, primitive, values, params)
        if self.not_finite is None and not all(map(finite, y if type(y) is tuple else (y,))):
            self.not_finite = primitive.name, user_line()
        if not mine:
            return y
        node = ACTIVE if active else None
        return tuple(make(self, p, node) for p in y) if type(y) is tuple else make(self, y, node)

    def _try(
        self, primitive: Primitive, values: Any, active: Any, params: dict[str, Any], where: str
    ) -> None:
        """Try one application: each input on its own, at higher orders all of them together."""
        groups = [[i] for i in active] if not self.path else [list(active)]
        for group in groups:
            rng = np.random.default_rng([self.seed, len(self.found), *group])
            try:
                tried = Application(primitive, values, group, params, where)
                found = tried.examine(self.modes, self.path, rng)
            except (WengertError, ValueError, TypeError, ArithmeticError):
                continue  # a rule that can't run on its own says nothing
            self.found += [c for c in found if c.finding.kind != "differs"][:1]
            wrong = [c for c in found if c.finding.kind == "differs"]
            if wrong:
                self.found, self.wrong = [*self.found, wrong[0]], True
                return


class Application:
    """One application of a primitive as a subject: of the inputs ``group``, others fixed."""

    def __init__(
        self,
        primitive: Primitive,
        values: Sequence[Any],
        group: list[int],
        params: dict[str, Any],
        where: str,
    ) -> None:
        self.primitive, self.group, self.where = primitive, group, where
        rules = params.get("rules")
        self.name = getattr(rules, "name", primitive.name)

        def applied(*leaves: Any) -> list[Any]:
            full = list(values)
            for i, leaf in zip(group, leaves, strict=True):
                full[i] = leaf
            y = interpret.bind(primitive, *full, **params)
            return [part for part in (y if type(y) is tuple else (y,)) if is_inexact(part)]

        applied.__name__ = self.name
        leaves = [values[i] for i in group]
        wide = promoted(leaves)
        self.subject = Subject(applied, wide or leaves, leaves if wide else None)

    def examine(
        self, modes: Sequence[str], path: Sequence[str], rng: np.random.Generator
    ) -> list[Culprit]:
        """What is wrong or rough about it."""
        subject = self.subject
        if not subject.value(subject.leaves):
            return []
        for mode in path:
            subject = subject.seeded(mode, rng)
        trial = Trial(subject, rng)
        found = self._rules(trial, modes)
        if path and found and found[-1].finding.kind == "differs":
            inside = examine(subject, modes, (), 0)
            if inside.wrong:
                found[-1] = replace(found[-1], inside=inside.found[-1])
        return found

    def _rules(self, trial: Trial, modes: Sequence[str]) -> list[Culprit]:
        """The forward rule, element by element; then the reverse rule."""
        try:
            vector = trial.derivative(FORWARD)
        except WengertError:
            vector = np.full(trial.y.shape, np.nan)
        rough, bad = elements(trial, vector)
        found = [self._rough(trial, k, finding) for k, finding in rough.items()]
        wrong: dict[str, Culprit] = {}
        if bad and FORWARD in modes:
            k = max(bad, key=lambda k: bad[k].disagreement)
            wrong[FORWARD] = self._wrong(trial, FORWARD, bad[k], k)
        if REVERSE in modes:
            finding = self._reverse(trial, None if bad else vector, {**rough, **bad})
            if finding is not None:
                wrong[REVERSE] = self._wrong(trial, REVERSE, finding, None)
        if not wrong:
            wrong = self._others(trial, modes)
        if FORWARD in wrong and REVERSE in wrong:
            return [*found, replace(wrong[FORWARD], side=BOTH)]
        return [*found, *list(wrong.values())[:1]]

    def _others(self, trial: Trial, modes: Sequence[str]) -> dict[str, Culprit]:
        """What is wrong in the precision of the arguments only, or under ``vmap``."""
        if trial.subject.low is None and VMAP not in modes:
            return {}
        bad = [o for o in trial.outcomes(modes) if o.is_wrong and (o.precision or o.what == VMAP)]
        return {
            o.what: replace(self._wrong(trial, o.what, o.finding, None), precision=o.precision)
            for o in bad
        }

    def _reverse(
        self, trial: Trial, vector: Vector | None, rough: dict[int, Finding]
    ) -> Finding | None:
        """The reverse rule against the forward rule, which is right, or against differences."""
        known = trial.keep.copy()
        if vector is not None:
            known &= np.isfinite(vector)
        else:
            known[[k for k, finding in rough.items() if finding.is_rough]] = False
        trial.w = np.where(known, trial.w, 0.0)
        number = trial.number(REVERSE, trial.derivative(REVERSE))
        if vector is not None:
            finding = trial.dot(trial.number(FORWARD, vector), number)
            finding = replace(finding, claim=finding.slope, slope=finding.claim)
        else:
            finding = trial.against(trial.ladder.projected(trial.w, known), number)
        return finding if finding.kind == "differs" else None

    def _rough(self, trial: Trial, k: int, finding: Finding) -> Culprit:
        return Culprit(self.name, self.where, "", finding, self._input, place(trial, k))

    def _wrong(self, trial: Trial, side: str, finding: Finding, k: int | None) -> Culprit:
        position = None if k is None else place(trial, k)
        culprit = Culprit(self.name, self.where, side, finding, self._input, position)
        scale = self._scale(trial, k)
        if scale is None or finding.kind != "differs":
            return culprit
        number = replace(
            finding,
            claim=finding.claim / scale,
            slope=finding.slope / scale,
            error=finding.error / abs(scale),
        )
        return replace(culprit, finding=number, unit="derivative")

    def _scale(self, trial: Trial, k: int | None) -> float | None:
        """What makes a directional derivative a partial one, where it is one number's."""
        if len(self.group) != len(trial.subject.leaves):
            return None
        if trial.x.size == 1 and k is not None:
            return float(trial.v[0])
        if trial.x.size == trial.y.size == 1:
            return float(trial.v[0] * trial.w[0])
        alike = self.primitive.family == "elementwise" and trial.x.size == trial.y.size
        return float(trial.v[k]) if alike and k is not None else None

    @property
    def _input(self) -> int | None:
        return self.group[0] if len(self.group) == 1 else None


def elements(trial: Trial, vector: Vector) -> tuple[dict[int, Finding], dict[int, Finding]]:
    """The elements of the result where it is rough, and where ``vector``, J v, is wrong."""
    slack = MULTIPLE * trial.unit(trial.subject.leaves) * np.abs(np.nan_to_num(vector))
    confirmed = judge(trial.ladder, vector, slack, GLANCE).confirmed
    if not (confirmed | ~trial.keep).all():
        trial.ladder.noisier(trial.noise())
        if np.isfinite(vector).any():
            moved = spread(trial.rounding(FORWARD, np.nan_to_num(vector)))
            slack = np.maximum(slack, MULTIPLE * moved)
        confirmed = judge(trial.ladder, vector, slack, trial.ladder.depth).confirmed
    rough: dict[int, Finding] = {}
    bad: dict[int, Finding] = {}
    for k in np.flatnonzero(~confirmed & trial.keep)[:LOOKED_AT]:
        finding = classify(trial.ladder, int(k), vector, slack)
        if finding.kind == "differs":
            bad[int(k)] = finding
        elif finding.is_rough:
            rough[int(k)] = finding
    return rough, bad


def place(trial: Trial, k: int) -> tuple[int, ...]:
    """The index, in its leaf, of entry ``k`` of the result as a vector."""
    for leaf, count in zip(trial.base, lengths(trial.base), strict=True):
        if k < count:
            inner = k // (count // max(np.size(leaf), 1))
            return tuple(int(n) for n in np.unravel_index(inner, np.shape(leaf)))
        k -= count
    return ()


def finite(value: Any) -> bool:
    """Whether all elements of a plain value are."""
    return not is_inexact(value) or bool(np.isfinite(value).all())


def examine(
    subject: Subject, modes: Sequence[str], path: Sequence[str], seed: int, low: bool = False
) -> Examiner:
    """Run ``subject`` under an ``Examiner``, which knows what is rough or wrong afterwards."""
    examiner = Examiner(interpret.current.get(), subject.f, modes, path, seed)
    leaves = subject.low if low and subject.low is not None else subject.leaves
    given = [make(examiner, leaf, ACTIVE) for leaf in copies(leaves)]
    with interpret.under(examiner), np.errstate(all="ignore"):
        subject.f(*given)
    return examiner
