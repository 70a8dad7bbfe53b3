"""Cumulative operations: each result from the one before it along an axis, and what is read there.

Along the axis they go one after the other; across it, where that is what lies side by side in
memory, LLVM makes vectors. Layer: ``static``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.program import Equation
from .elements import load, store
from .loops import Values, advanced, loop, merged, nested, number, sorted_axes
from .registers import C16, F8, NotLowered, Scalar

if TYPE_CHECKING:
    from .nest import Nest


def write_scan(nest: Nest, eqn: Equation) -> None:
    """Write the loops of ``eqn``: ``cumsum``, ``cumprod`` or ``recurrence``."""
    axis, shape = eqn.params["axis"], eqn.outputs[0].aval.shape
    if 0 in shape:
        return
    scan = Scan(nest, eqn)
    strides = [nest.walked[one].strides for one in scan.order]
    others = [one for one in sorted_axes(shape, strides[0]) if one != axis]
    across = others and abs(strides[0][others[-1]]) < abs(strides[0][axis])
    inner = merged(others[-1:] if across else [], shape, strides)
    outer = merged(others[:-1] if across else others, shape, strides)
    along = [own[axis] for own in strides]
    length = shape[axis]
    pointers = [nest.pointers[nest.walked[one].operand] for one in scan.order]
    if eqn.params.get("reverse", False):
        last = number(length - 1)
        pairs = zip(pointers, along, strict=True)
        pointers = [advanced(nest.builder, p, last, step) for p, step in pairs]
        along = [-step for step in along]

    def row(here: Values, indices: Values) -> None:
        if across:
            scan.columns(here, along, length, inner)
        else:
            scan.row(here, along, length)

    nest.outermost(outer, pointers, row)


class Scan:
    """Elements of a cumulative operation; ``order`` names its result and its operands."""

    def __init__(self, nest: Nest, eqn: Equation) -> None:
        self.nest, self.eqn, self.build, self.emitter = nest, eqn, nest.builder, nest.emitter
        self.order: list[Any] = [("write", eqn.outputs[0])]
        self.order += [("read", atom) for atom in eqn.inputs]
        self.made = eqn.outputs[0].aval
        # NumPy's value of a single recurrence computes with Python's numbers
        self.python = eqn.primitive.name == "recurrence" and len(self.made.shape) == 1
        inexact = F8 if self.made.dtype.kind == "f" else C16
        self.dtype = inexact if self.python else self.made.dtype
        if any(one not in nest.walked for one in self.order):
            raise NotLowered("of a number", eqn)

    def columns(self, pointers: Values, along: list[int], length: int, inner: Any) -> None:
        """Row after row, each from the one before."""
        back = -along[0]

        def element(here: Values, indices: Values, carried: Values) -> Values:
            before = advanced(self.build, here[0], number(1), back)
            self._store(self._next(self._load(before), here), here)
            return carried

        def begin(here: Values, indices: Values, carried: Values) -> Values:
            self._store(self._first(here), here)
            return carried

        def row(i: Any, carried: Values) -> Values:
            return nested(self.build, inner, self._at(pointers, along, i), carried, element)

        nested(self.build, inner, pointers, [], begin)
        loop(self.build, 1, length, [], row)

    def row(self, pointers: Values, along: list[int], length: int) -> None:
        """One element after the other."""
        first = self._first(pointers)
        self._store(first, pointers)

        def turn(i: Any, carried: Values) -> Values:
            here = self._at(pointers, along, i)
            one = self._next(first.like(tuple(carried)), here)
            self._store(one, here)
            return list(one.parts)

        loop(self.build, 1, length, list(first.parts), turn)

    def _at(self, pointers: Values, along: list[int], i: Any) -> Values:
        pairs = zip(pointers, along, strict=True)
        return [advanced(self.build, pointer, i, step) for pointer, step in pairs]

    def _load(self, pointer: Any) -> Scalar:
        return load(self.build, pointer, self.made)

    def _operand(self, number_: int, pointers: Values) -> Scalar:
        x = load(self.build, pointers[number_ + 1], self.eqn.inputs[number_].aval)
        return self.emitter.cast(x, self.dtype)

    def _store(self, x: Scalar, pointers: Values) -> None:
        store(self.build, self.emitter.cast(x, self.made.dtype), pointers[0])

    def _first(self, pointers: Values) -> Scalar:
        """The first result is the last operand."""
        return self._operand(len(self.eqn.inputs) - 1, pointers)

    def _next(self, before: Scalar, pointers: Values) -> Scalar:
        operands = [self._operand(i, pointers) for i in range(len(self.eqn.inputs))]
        rule: Any = self.eqn.primitive.lower
        params = {k: v for k, v in self.eqn.params.items() if k not in ("axis", "reverse")}
        y: Scalar = rule(self.emitter, before, *operands, **params)
        if self.python and params.get("absorbs", False):
            zero = self.emitter.constant(0, self.dtype)
            y = self.emitter.select(self.emitter.equal(before, zero), operands[1], y)
        return y
