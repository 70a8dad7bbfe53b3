"""What ``check_grads`` says: the report, and the sentences of its errors. Layer: ``culprit``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .culprit import BOTH, Culprit
from .subject import FORWARD, REVERSE
from .trial import DOT, VALUE, VMAP, Outcome
from .verdict import Finding

BRANCH = "a branch of the program"
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

    def __str__(self) -> str:
        many = "s" if self.directions != 1 else ""
        return f"{self.disagreement:.1e} in {self.directions} direction{many}"


@dataclass(frozen=True)
class Kink:
    """A place where a derivative does not exist.

    Attributes:
        kind: ``"kink"``, ``"step"``, ``"infinite slope"``, ``"edge of the domain"``; or ``"isolated
            point"``, where modes and differences disagree at the arguments and nowhere near by.
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
        kinks: where the function has no derivative at the arguments; the engine's value lies
            between the one-sided slopes, and the rest of the check ran at a point near by.
        undecided: what could not be checked, and why, in words.
    """

    lines: tuple[Line, ...]
    kinks: tuple[Kink, ...] = ()
    undecided: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.undecided

    def __str__(self) -> str:
        shown = [line for line in self.lines if line.directions]
        width = max((len(line.name) for line in shown), default=0)
        rows = ["check_grads: " + ("all agree" if self else "not all could be checked")]
        rows += [f"  {line.name:{width}}  {line}" for line in shown]
        rows += [f"  {kink}" for kink in self.kinks]
        rows += [f"  undecided: {reason}" for reason in self.undecided]
        return "\n".join(rows)

    __repr__ = __str__


def title(path: Sequence[str], mode: str = "") -> str:
    """``"reverse over forward"`` for ``mode`` on top of ``path``; without one, all of them."""
    if not mode:
        return f"derivatives of {title(path[:-1], path[-1])}" if path else "first derivatives"
    return " over ".join([mode, *path[::-1]])


def kink(culprit: Culprit, order: int) -> Kink:
    """A rough place for the report."""
    kind = ROUGH[culprit.finding.kind]
    return Kink(kind, culprit.operation, culprit.where, culprit.position, order)


def sentence(culprit: Culprit, path: Sequence[str]) -> str:
    """What is wrong, with the operation, its line, the rule and the numbers."""
    f, at = culprit.finding, f", called at {culprit.where}" if culprit.where else ""
    if culprit.operation == "stop_gradient" and culprit.side != VMAP:
        return (
            f"stop_gradient{at}, cuts a derivative that differences see ({f.slope:.6g}): f can be "
            "checked only where what is cut is a constant; pass it to f as an argument"
        )
    sides = [FORWARD, REVERSE] if culprit.side == BOTH else [culprit.side]
    modes = " and ".join(title(path, side) for side in sides)
    modes += " mode" if not path and culprit.side != VMAP else ""
    single = f" in {culprit.precision}" if culprit.precision else ""
    which = "" if culprit.input is None else f", input {culprit.input}"
    text = (
        f"{modes} {'is' if len(sides) == 1 else 'are'} wrong{single} at operation "
        f"{culprit.operation}{which}{at}: {_numbers(culprit, path)}"
    )
    if culprit.inside is not None:
        inner = culprit.inside
        text += f"; in its rules the fault is at operation {inner.operation}"
        text += f", called at {inner.where}" if inner.where else ""
    return text


def _numbers(culprit: Culprit, path: Sequence[str]) -> str:
    f = culprit.finding
    if culprit.side == VMAP:
        return f"the batching rule gives {f.claim:.6g}, one example at a time {f.slope:.6g}"
    rule = "both rules give" if culprit.side == BOTH else f"the {culprit.side} rule gives"
    element = f" of element {list(culprit.position)}" if culprit.position else ""
    unit = f"{'second' if len(path) == 1 else 'higher'} {culprit.unit}" if path else culprit.unit
    other = f"in float64 it is {f.slope:.6g}" if culprit.precision else _differences(f)
    text = f"for the {unit}{element} {rule} {f.claim:.6g}, {other}"
    if f.slope and np.isfinite(f.claim) and np.isfinite(f.slope):
        text += f" (ratio {f.claim / f.slope:.4g})"
    return text


def _differences(f: Finding) -> str:
    error = f" ± {f.error:.1g}" if np.isfinite(f.error) else ""
    if np.isfinite(f.left):
        return f"differences give {f.left:.6g} on the left and {f.right:.6g} on the right"
    return f"differences give {f.slope:.6g}{error}"


def unnamed(bad: Sequence[Outcome], path: Sequence[str]) -> str:
    """A disagreement that no single operation explains."""
    outcome = next(o for o in bad if o.is_wrong)
    f, own = outcome.finding, title(path, outcome.what)
    if outcome.what in (VALUE, VMAP) and np.isnan(f.slope):
        numbers = "the result has another shape than on plain NumPy"
    elif outcome.what == VALUE:
        numbers = f"the value under differentiation is {f.claim:.9g}, on plain NumPy {f.slope:.9g}"
    elif outcome.what == VMAP:
        numbers = f"under vmap the value is {f.claim:.9g}, one example at a time {f.slope:.9g}"
    elif outcome.what == DOT:
        both = f"{title(path, FORWARD)} gives {f.claim:.9g}, {title(path, REVERSE)} {f.slope:.9g}"
        numbers = f"for <w, J v> {both}"
    elif outcome.precision:
        numbers = f"{own} gives {f.claim:.6g} in float32, {f.slope:.6g} in float64"
    else:
        numbers = f"for <w, J v> {own} gives {f.claim:.6g}, {_differences(f)}"
    return (
        f"{numbers}, but every operation is right on its own. What f reads with .item(), .tolist() "
        "or .numpy() is a constant to derivatives; else what combines the operations is wrong "
        "(changes in place, views, the order of the sweep): please report it"
    )


def why(f: Finding) -> str:
    """Why a finding is undecided."""
    if not np.isfinite(f.claim):
        return f"the derivative is {f.claim}, and differences say nothing"
    return "no scale of differences is accurate enough: rounding in f is too large beside its slope"
