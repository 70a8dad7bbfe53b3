"""``check_grads``: forward mode, reverse mode and differences hold each other to account.

What a check consists of, from the bottom: ``ladder`` has the differences and says what they prove;
``jitter`` how much rounding may do; ``subject`` is the function as the checks see it; ``trial`` one
comparison along one direction; ``culprit`` finds the operation that is wrong. Here are the orders
and compositions, the report and the errors. Layer: the modes, and those files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..core.errors import DtypeError, GradientError, ShapeError, WengertError, describe
from .culprit import BOTH, Culprit, examine
from .ladder import Finding
from .subject import FORWARD, REVERSE, Subject, as_leaves, as_vector, cast_like, copies
from .subject import flat_function, is_uneven, promoted
from .trial import DOT, VALUE, Outcome, Trial

MODES = (FORWARD, REVERSE)
NEAR = (2.0**-8, -(2.0**-8), 2.0**-12, -(2.0**-12), 2.0**-16)  # how far to move from a kink
ROUGH = {
    "kink": "kink",
    "step": "step",
    "infinite": "infinite slope",
    "edge": "edge of the domain",
    "differs": "kink",
}


@dataclass(frozen=True)
class Line:
    """One composition of modes: its name, order, largest relative disagreement, directions."""

    name: str
    order: int
    disagreement: float
    directions: int


@dataclass(frozen=True)
class Kink:
    """A place where a derivative does not exist.

    Attributes:
        kind: ``"kink"``, ``"step"``, ``"infinite slope"`` or ``"edge of the domain"``.
        operation: the primitive, or ``"a branch of the program"``.
        where: its line, ``file:line``.
        position: the element of its result; None where it is not known.
        order: of the derivative that does not exist.
    """

    kind: str
    operation: str
    where: str
    position: tuple[int, ...] | None
    order: int

    def __str__(self) -> str:
        at = f" at element {list(self.position)}" if self.position else ""
        called = f", called at {self.where}" if self.where else ""
        return f"{self.kind} of {self.operation}{at}{called} (order {self.order})"


@dataclass(frozen=True, repr=False)
class Report:
    """What ``check_grads`` found; true if every composition was held against differences.

    Attributes:
        lines: the compositions of modes, each with its largest relative disagreement.
        kinks: where the function has no derivative; the engine's value lies between the one-sided
            slopes there, and the rest of the check ran at a point near by.
        undecided: what could not be checked, and why, in words.
    """

    lines: tuple[Line, ...]
    kinks: tuple[Kink, ...] = ()
    undecided: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.undecided

    def __str__(self) -> str:
        width = max((len(line.name) for line in self.lines), default=0)
        head = "check_grads: " + ("all agree" if self else "not all could be checked")
        rows = [
            f"  {line.name:{width}}  {line.disagreement:.1e} in {line.directions} direction"
            + ("s" if line.directions != 1 else "")
            for line in self.lines
            if line.directions
        ]
        rows += [f"  {kink}" for kink in self.kinks]
        rows += [f"  undecided: {reason}" for reason in self.undecided]
        return "\n".join([head, *rows])

    __repr__ = __str__


def check_grads(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    order: int = 2,
    modes: Sequence[str] = MODES,
    seed: int = 0,
) -> Report:
    """Check the derivatives of ``f`` at ``args``: every mode against the other and differences.

    At order 2 and above the derivatives themselves are checked in the same way, in all compositions
    of the modes. Arguments in float32 are checked on float64 copies against differences, and then
    in float32 against float64.

    Args:
        f: a function of arrays, numbers or containers of them, whose result has a float or complex
            array in it. It runs some dozens of times, and must give the same each time.
        args: the tuple of its arguments; integers in them are constants.
        order: 1 for first derivatives, 2 for second ones too, and so on.
        modes: ``"forward"`` and ``"reverse"``, or one of them.
        seed: of the random directions.

    Returns:
        A ``Report``, which is true unless something could not be decided. Kinks at the point are
        reported there, not as failures.

    Raises:
        GradientError: derivatives that disagree, with the operation and the rule that is wrong; a
            function that is not finite, or not the same in two calls.
        DtypeError: nothing to differentiate; ``args`` that is not a tuple.
        ShapeError: an unknown mode, or an order below 1.

    Numerics:
        No tolerance is set by hand. Differences are extrapolated at up to 44 scales, each with an
        estimate of its error, and must agree within 8 times that where it is below 1/2000 of the
        slope; rounding in the derivatives is estimated by Monte Carlo arithmetic. A rule wrong by
        1 % is found in float64 and float32.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., chapter 3,
        doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> from wengert.differentiate.check import check_grads
    >>> bool(check_grads(lambda x: np.sum(np.tanh(x) ** 2), (np.array([0.5, -1.0]),)))
    True
    """
    modes = _checked(f, args, order, modes)
    flat, leaves = flat_function(f, args)
    subject = _subject(flat, leaves)
    _same_twice(subject)
    return Check(subject, order, modes, seed).run()


def _checked(f: Any, args: Any, order: Any, modes: Any) -> tuple[str, ...]:
    """The modes, once each; raises for what can't be checked."""
    if not callable(f):
        raise DtypeError(f"check_grads: f is {describe(f)}, expected a function")
    if not isinstance(args, tuple):
        raise DtypeError(
            f"check_grads: args is {describe(args)}, expected the tuple of f's arguments; "
            "for one argument write check_grads(f, (x,))"
        )
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ShapeError(f"check_grads: order is {order!r}, expected 1, 2, …")
    given = (modes,) if isinstance(modes, str) else tuple(modes)
    unknown = [mode for mode in given if mode not in MODES]
    if unknown or not given:
        raise ShapeError(
            f"check_grads: modes is {modes!r}, expected 'forward', 'reverse' or both, as a tuple"
        )
    return tuple(mode for mode in MODES if mode in given)


def _subject(flat: Callable[..., Any], leaves: list[Any]) -> Subject:
    """The function at its leaves; in float64, where it takes that."""
    own = Subject(flat, leaves)
    with np.errstate(all="ignore"):
        shapes = [np.shape(y) for y in own.value(leaves)]
        wide = promoted(leaves)
        if wide is None:
            return own
        try:
            if [np.shape(y) for y in own.value(wide)] != shapes:
                return own
        except (TypeError, ValueError, WengertError):
            return own
    return Subject(flat, wide, leaves)


def _same_twice(subject: Subject) -> None:
    with np.errstate(all="ignore"):
        first, second = (as_vector(subject.value(subject.leaves)) for _ in range(2))
    if first.shape != second.shape or not np.array_equal(first, second, equal_nan=True):
        raise GradientError(
            "check_grads: f gives different values for the same arguments in two calls: random "
            "numbers, a counter, or an argument or buffer that it changes; seed it inside f"
        )


class Check:
    """The orders and compositions of one call, and what they have found."""

    def __init__(self, subject: Subject, order: int, modes: tuple[str, ...], seed: int) -> None:
        self.subject, self.order, self.modes, self.seed = subject, order, modes, seed
        self.moved = False
        self.lines: list[Line] = []
        self.kinks: list[Kink] = []
        self.undecided: list[str] = []

    def run(self) -> Report:
        """Every order, every composition."""
        for order in range(1, self.order + 1):
            for path in product(self.modes, repeat=order - 1):
                self.compose(path)
        undecided = tuple(dict.fromkeys(self.undecided))
        return Report(tuple(self.lines), tuple(dict.fromkeys(self.kinks)), undecided)

    def compose(self, path: tuple[str, ...]) -> None:
        """The modes on top of those in ``path``; at a kink once more, at a point near by."""
        if self.trials(path) or self.moved or not self.move():
            return
        self.trials(path)

    def trials(self, path: tuple[str, ...]) -> bool:
        """Trials along a few directions; False where the function was rough.

        One direction that says nothing does no harm if another confirms everything.
        """
        subject = self.derived(path)
        directions = [False, True] if not path or is_uneven(subject.leaves) else [False]
        trials = []
        for number, relative in enumerate(directions):
            rng = np.random.default_rng([self.seed, 1, len(path), number])
            trials.append(Trial(subject, rng, relative))
        self.require_finite(trials[0], path)
        found = [trial.outcomes(self.modes, patient=False) for trial in trials]
        if not any(map(_fine, found)):
            found = [trial.outcomes(self.modes) for trial in trials]
        fine = [outcomes for outcomes in found if _fine(outcomes)]
        doubtful = [o for outcomes in found for o in outcomes if not o.is_fine]
        if doubtful and (not fine or any(o.is_wrong for o in doubtful)):
            if not self.explained(doubtful, path):
                return False
        for mode in self.modes:
            own = [o.finding for outcomes in fine for o in outcomes if o.what == mode]
            worst = max((f.disagreement for f in own if np.isfinite(f.error)), default=0.0)
            self.lines.append(Line(title(path, mode), len(path) + 1, worst, len(fine)))
        return True

    def derived(self, path: tuple[str, ...]) -> Subject:
        """The derivative that ``path`` says, as a subject."""
        subject = self.subject
        for depth, mode in enumerate(path):
            subject = subject.seeded(mode, np.random.default_rng([self.seed, 2, depth]))
        return subject

    def explained(self, bad: list[Outcome], path: tuple[str, ...]) -> bool:
        """Note why outcomes are not fine, or raise; False where a point near by may do better."""
        low = all(outcome.precision for outcome in bad)
        examiner = examine(self.subject, self.modes, path, self.seed, low)
        if examiner.wrong:
            raise GradientError("check_grads: " + sentence(examiner.found[-1], path))
        kinks = [kink(culprit, len(path) + 1) for culprit in examiner.found]
        findings = [outcome.finding for outcome in bad]
        if not kinks and any(f.kind == "differs" and not f.is_rough for f in findings):
            raise GradientError("check_grads: " + unnamed(bad, path))
        if not kinks and any(f.is_rough for f in findings):
            kind = next(ROUGH[f.kind] for f in findings if f.is_rough)
            kinks = [Kink(kind, "a branch of the program", "", None, len(path) + 1)]
        for outcome in bad:
            claim = outcome.finding.claim
            if np.isnan(claim) or (np.isinf(claim) and outcome.finding.kind != "infinite"):
                self.undecided.append(f"{title(path, outcome.what)} gives {claim} at the arguments")
        known = {(k.operation, k.where) for k in self.kinks}
        self.kinks += [k for k in kinks if (k.operation, k.where) not in known or k.order == 1]
        if kinks and not self.moved:
            return False
        why = "not smooth at the point, nor near by" if kinks else _why(findings[0])
        self.undecided.append(f"{title(path)}: {why}")
        return True

    def require_finite(self, trial: Trial, path: tuple[str, ...]) -> None:
        """Raise where the result is not finite, with the operation that made it so."""
        if not len(trial.infinite):
            return
        what = "f" if not path else f"the derivative of f ({' over '.join(path[::-1])} mode)"
        found = examine(self.subject, (), (), 0).not_finite
        at = f", first at operation {found[0]}, called at {found[1]}" if found else ""
        raise GradientError(
            f"check_grads: {what} is not finite at these arguments: entry {trial.infinite[0]} of "
            f"the result is {trial.y[trial.infinite[0]]}{at}; give others"
        )

    def move(self) -> bool:
        """Go to a point near by where the function is finite."""
        self.moved = True
        subject = self.subject
        trial = Trial(subject, np.random.default_rng([self.seed, 3]))
        for t in NEAR:
            leaves = as_leaves(trial.x + t * trial.ladder.length * trial.v, subject.leaves)
            low = None
            if subject.low is not None:
                low = [cast_like(x, like) for x, like in zip(leaves, subject.low, strict=True)]
                leaves = [cast_like(x, like) for x, like in zip(low, subject.leaves, strict=True)]
            try:
                with np.errstate(all="ignore"):
                    y = as_vector(subject.value(copies(leaves)))
            except (ValueError, ArithmeticError):
                continue
            if y.shape == trial.y.shape and np.isfinite(y[trial.keep]).all():
                self.subject = subject.at(leaves, low)
                return True
        return False


def _fine(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.is_fine for outcome in outcomes)


# --- words -------------------------------------------------------------------------------------


def title(path: Sequence[str], mode: str = "") -> str:
    """``"reverse over forward"`` for ``mode`` on top of ``path``."""
    return " over ".join(filter(None, [mode, *path[::-1]])) or "first derivatives"


def kink(culprit: Culprit, order: int) -> Kink:
    """A rough place for the report."""
    kind = ROUGH[culprit.finding.kind]
    return Kink(kind, culprit.operation, culprit.where, culprit.position, order)


def sentence(culprit: Culprit, path: Sequence[str]) -> str:
    """What is wrong, with the operation, its line, the rule and the numbers."""
    f, at = culprit.finding, f", called at {culprit.where}" if culprit.where else ""
    if culprit.operation == "stop_gradient":
        return (
            f"stop_gradient{at}, cuts a derivative that differences see ({f.slope:.6g}): f can be "
            "checked only where what is cut is a constant; pass it to f as an argument"
        )
    sides = [FORWARD, REVERSE] if culprit.side == BOTH else [culprit.side]
    modes = " and ".join(title(path, side) for side in sides) + (" mode" if not path else "")
    rule = "both rules give" if culprit.side == BOTH else f"the {culprit.side} rule gives"
    which = "" if culprit.input is None else f", input {culprit.input}"
    element = f" of element {list(culprit.position)}" if culprit.position else ""
    unit = f"{'second' if len(path) == 1 else 'higher'} {culprit.unit}" if path else culprit.unit
    other = f"in float64 it is {f.slope:.6g}" if culprit.precision else _differences(f)
    single = f" in {culprit.precision}" if culprit.precision else ""
    text = (
        f"{modes} {'is' if len(sides) == 1 else 'are'} wrong{single} at operation "
        f"{culprit.operation}{which}{at}: for the {unit}{element} {rule} {f.claim:.6g}, {other}"
    )
    if f.slope and np.isfinite(f.claim):
        text += f" (ratio {f.claim / f.slope:.4g})"
    if culprit.inside is not None:
        inner = culprit.inside
        text += f"; in its rules the fault is at operation {inner.operation}"
        text += f", called at {inner.where}" if inner.where else ""
    return text


def _differences(f: Finding) -> str:
    error = f" ± {f.error:.1g}" if np.isfinite(f.error) else ""
    if np.isfinite(f.left):
        return f"differences give {f.left:.6g} on the left and {f.right:.6g} on the right"
    return f"differences give {f.slope:.6g}{error}"


def unnamed(bad: Sequence[Outcome], path: Sequence[str]) -> str:
    """A disagreement that no single operation explains."""
    outcome = next(o for o in bad if o.finding.kind == "differs")
    f = outcome.finding
    if outcome.what == VALUE:
        numbers = f"the value under differentiation is {f.claim:.9g}, on plain NumPy {f.slope:.9g}"
    elif outcome.what == DOT:
        numbers = (
            f"for <w, J v> {title(path, FORWARD)} gives {f.claim:.9g}, "
            f"{title(path, REVERSE)} {f.slope:.9g}"
        )
    elif outcome.precision:
        numbers = f"{title(path, outcome.what)} gives {f.claim:.6g} in float32, {f.slope:.6g} in float64"
    else:
        numbers = f"for <w, J v> {title(path, outcome.what)} gives {f.claim:.6g}, {_differences(f)}"
    return (
        f"{numbers}, but every operation is right on its own. What f reads with .item(), .tolist() "
        "or .numpy() is a constant to derivatives; else what combines the operations is wrong "
        "(changes in place, views, the order of the sweep): please report it"
    )


def _why(f: Finding) -> str:
    if not np.isfinite(f.claim):
        return f"the derivative is {f.claim}, and differences say nothing"
    return "no scale of differences is accurate enough: rounding in f is too large beside its slope"


