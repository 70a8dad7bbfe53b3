"""``check_grads``: forward mode, reverse mode and differences hold each other to account.

What a check consists of, in ``checking/`` from the bottom: ``ladder`` has the differences,
``verdict`` says what they prove, ``jitter`` how much rounding may do; ``subject`` is the function
as the checks see it, ``trial`` one comparison along one direction; ``culprit`` finds the operation
that is wrong, ``report`` has the words. Here are the orders and compositions. Layer: the modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from ..core.errors import DtypeError, GradientError, ShapeError, describe
from .checking.culprit import examine
from .checking.report import BRANCH, ROUGH, Kink, Line, Report, kink, sentence, title, unnamed, why
from .checking.subject import (
    FORWARD,
    REVERSE,
    Subject,
    as_leaves,
    as_vector,
    cast_like,
    flat_function,
    is_uneven,
    promoted,
)
from .checking.trial import VMAP, Outcome, Trial

__all__ = ["Kink", "Line", "Report", "check_grads"]
MODES = (FORWARD, REVERSE, VMAP)
NEAR = (2.0**-8, -(2.0**-8), 2.0**-12, -(2.0**-12), 2.0**-16)  # how far to move from a kink


def check_grads(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    order: int = 2,
    modes: Sequence[str] = (FORWARD, REVERSE),
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
        modes: ``"forward"`` and ``"reverse"``, or one of them; ``"vmap"`` holds the batching rules
            against one example at a time.
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
        1 % is found in float64 and float32 if it has a share of some 1e-5 in the slope along a
        random direction.

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
            f"check_grads: modes is {modes!r}, expected a tuple of 'forward', 'reverse', 'vmap'"
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
        except Exception:  # it runs on its own arguments; it may say by any error that it refuses
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
        self.error: GradientError | None = None  # what to raise where there is no point near by
        self.lines: list[Line] = []
        self.kinks: list[Kink] = []
        self.undecided: list[str] = []

    def run(self) -> Report:
        """Every order, every composition."""
        low = self.subject.low
        if low and not Trial(self.subject, np.random.default_rng(0)).is_the_same_in_low():
            self.subject = Subject(self.subject.f, low)
        modes = [mode for mode in self.modes if mode != VMAP]
        for order in range(1, self.order + 1):
            for path in product(modes, repeat=order - 1):
                self.compose(path)
        undecided = tuple(dict.fromkeys(self.undecided))
        return Report(tuple(self.lines), tuple(dict.fromkeys(self.kinks)), undecided)

    def compose(self, path: tuple[str, ...]) -> None:
        """The modes on top of those in ``path``; at a kink once more, at a point near by."""
        if self.trials(path) or self.moved:
            return
        if self.move():
            self.trials(path)
        elif self.error is not None:
            raise self.error
        else:
            self.undecided.append(f"{title(path)}: not smooth at the point, nor finite near by")

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
        suspicious = doubtful and (not fine or any(o.is_wrong for o in doubtful))
        if suspicious and not self.explained(doubtful, path):
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
        if path and not examiner.wrong and any(outcome.is_wrong for outcome in bad):
            within = examine(self.derived(path), self.modes, (), self.seed, low)
            examiner = within if within.wrong else examiner
        if examiner.wrong:
            raise GradientError("check_grads: " + sentence(examiner.found[-1], path))
        kinks = [kink(culprit, len(path) + 1) for culprit in examiner.found]
        findings = [outcome.finding for outcome in bad]
        differs = [o for o in bad if o.is_wrong and not o.finding.is_rough]
        if differs and (self.moved or not kinks):  # at a point taken at random, kinks are no excuse
            error = GradientError("check_grads: " + unnamed(differs, path))
            if self.moved or any(o.what not in self.modes or o.precision for o in differs):
                raise error
            # the program may branch at these very arguments: does it agree near by?
            self.error, kinks = error, [Kink("isolated point", BRANCH, "", None, len(path) + 1)]
        if not kinks and any(f.is_rough for f in findings):
            kind = next(ROUGH[f.kind] for f in findings if f.is_rough)
            kinks = [Kink(kind, BRANCH, "", None, len(path) + 1)]
        for outcome in bad:
            claim = outcome.finding.claim
            if np.isnan(claim) or (np.isinf(claim) and outcome.finding.kind != "infinite"):
                self.undecided.append(f"{title(path, outcome.what)} gives {claim} at the arguments")
        known = {(k.operation, k.where) for k in self.kinks}
        self.kinks += [k for k in kinks if (k.operation, k.where) not in known or k.order == 1]
        if kinks and not self.moved:
            return False
        reason = "not smooth at the point, nor near by" if kinks else why(findings[0])
        self.undecided.append(f"{title(path)}: {reason}")
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
                    y = as_vector(subject.value(leaves))
            except (ValueError, ArithmeticError):
                continue
            if y.shape == trial.y.shape and np.isfinite(y[trial.keep]).all():
                self.subject = subject.at(leaves, low)
                return True
        return False


def _fine(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.is_fine for outcome in outcomes)
