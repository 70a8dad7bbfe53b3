"""What reductions do with elements: how they begin, take one more, join two parts, and end.

``accumulated`` is what a reduction has so far, in registers, of one result or of several side by
side. Layer: ``static``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.program import Atom, Equation, Var
from .elements import lane_numbers
from .registers import BOOL, Scalar, register_type
from .scalars import Emitter

IDENTITIES = {"sum": 0, "any": 0, "prod": 1, "all": 1}
Accumulated = list[Scalar]


class Index(NamedTuple):
    """Where elements stand on the axis that is reduced: one after the other from ``first`` on, or
    all at ``first``.
    """

    first: Any
    following: bool = True


class Fold:
    """A reduction whose record says how two numbers are combined: sums, products, extrema, truth.

    Attributes:
        source: what is reduced; ``made``: the result.
        ordered: the order of the elements decides the last bits, and is that of memory.
        paired: of elements beside each other it is NumPy's pairwise one.
    """

    def __init__(self, eqn: Equation) -> None:
        self.eqn, self.name = eqn, eqn.primitive.name
        self.source: Atom = eqn.inputs[0]
        self.made: Var = eqn.outputs[0]
        self.dtype = self.made.aval.dtype
        inexact = self.dtype.kind in "fc"
        self.ordered = self.name == "prod" and inexact
        self.paired = self.name == "sum" and inexact
        self.combine: Any = eqn.primitive.lower

    def first(self, e: Emitter) -> Accumulated:
        """Of no elements."""
        value = IDENTITIES.get(self.name)
        return [e.constant(edge(self.dtype, self.name) if value is None else value, self.dtype)]

    def start(self, e: Emitter, x: Scalar, index: Index) -> Accumulated:
        """Of one element."""
        return [e.cast(x, self.dtype)]

    def take(self, e: Emitter, so_far: Accumulated, x: Scalar, index: Index) -> Accumulated:
        """One more element."""
        return self.join(e, so_far, self.start(e, x, index))

    def join(self, e: Emitter, a: Accumulated, b: Accumulated) -> Accumulated:
        """Two parts, ``b`` of later elements."""
        return [self.combine(e, a[0], b[0])]

    def result(self, e: Emitter, so_far: Accumulated) -> Scalar:
        """The end."""
        (y,) = so_far
        if e.strict and self.name in ("max", "min") and self.dtype.kind == "f":
            # of zeros with different signs NumPy gives one or the other
            e.never(e.equal(y, e.constant(0, self.dtype)))
        return y


class Position(Fold):
    """``argmax`` and ``argmin``: the best element so far and where it stands; of equal ones the
    first.
    """

    def __init__(self, eqn: Equation) -> None:
        super().__init__(eqn)
        self.element = self.source.aval.dtype
        # as wide as the elements, for they are chosen together
        short = self.element.itemsize <= 4 and max(self.source.aval.shape) < 1 << 31
        self.index: np.dtype[Any] = np.dtype(np.int32 if short else np.int64)

    def first(self, e: Emitter) -> Accumulated:
        worst = e.constant(edge(self.element, self.name.removeprefix("arg")), self.element)
        return [worst, e.constant(0, self.index)]

    def start(self, e: Emitter, x: Scalar, index: Index) -> Accumulated:
        base = e.builder.trunc(index.first, register_type(self.index))
        places = e.spread(Scalar(base, self.index))
        if index.following and e.lanes > 1:
            own = lane_numbers(e.lanes, base.type)
            places = Scalar(e.builder.add(places.ir, own), self.index)
        return [x, places]

    def take(self, e: Emitter, so_far: Accumulated, x: Scalar, index: Index) -> Accumulated:
        better = self.combine(e, so_far[0], x)
        new = self.start(e, x, index)
        return [e.select(better, two, one) for one, two in zip(so_far, new, strict=True)]

    def join(self, e: Emitter, a: Accumulated, b: Accumulated) -> Accumulated:
        better = self.combine(e, a[0], b[0])
        earlier = Scalar(e.builder.icmp_signed("<", b[1].ir, a[1].ir), BOOL)
        alike = e.logical_not(self.combine(e, b[0], a[0]))
        taken = e.logical_or(better, e.logical_and(alike, earlier))
        return [e.select(taken, two, one) for one, two in zip(a, b, strict=True)]

    def result(self, e: Emitter, so_far: Accumulated) -> Scalar:
        return e.cast(so_far[1], self.dtype)


def edge(dtype: np.dtype[Any], name: str) -> Any:
    """What any element is at least as large (``max``) or as small (``min``) as."""
    if dtype == BOOL:
        return name == "min"
    if dtype.kind == "f":
        return -np.inf if name == "max" else np.inf
    limits = np.iinfo(dtype)
    return int(limits.min if name == "max" else limits.max)


def fold_of(eqn: Equation) -> Fold:
    """The reduction of an equation."""
    return Position(eqn) if eqn.primitive.name in ("argmax", "argmin") else Fold(eqn)


def kind_of(eqn: Equation) -> str:
    """What reductions must have in common to be made together: the order of their elements."""
    fold = fold_of(eqn)
    if fold.ordered:
        return "ordered"
    return "pairs" if fold.paired and fold.dtype.kind == "c" else "any"


def flat(parts: list[Accumulated]) -> list[Any]:
    """All values as LLVM's, in a row."""
    return [value for accumulated in parts for x in accumulated for value in x.parts]


def like(parts: list[Accumulated], values: list[Any]) -> list[Accumulated]:
    """What ``flat`` gave, put together again."""
    rest = iter(values)
    return [[x.like(tuple(next(rest) for _ in x.parts)) for x in one] for one in parts]


def lanes_of(folds: list[Fold]) -> int:
    """How many elements NumPy's pairwise sums have side by side: eight numbers, or parts of
    complex ones.
    """
    return 4 if any(fold.paired and fold.dtype.kind == "c" for fold in folds) else 8
