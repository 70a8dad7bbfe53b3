"""Which arrays of a program lie in memory in the same order, known before it runs.

NumPy gives the result of an elementwise operation the order of its arguments, and sums and
products in the order that they lie in: two equal arrays of another layout may differ in the last
bit of what is computed with them. ``layouts`` gives each variable a mark; two with the same mark
have the same strides, where these are compact. ``C`` marks what is contiguous in C order for
certain. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.program import Atom, Equation, Program, Var
from ...ops import (
    activation,
    arithmetic,
    comparison,
    families,
    indexing,
    network,
    products,
    reduction,
    shape,
)

Mark = object
C: Mark = "C"


class Layouts:
    """The marks of a program's variables; ``compact`` ones only are shared."""

    def __init__(self, program: Program) -> None:
        self.marks: dict[Var, Mark] = {}
        self._compact: dict[Mark, Mark] = {}
        for var in program.inputs:
            self.marks[var] = C if _thin(var) and not var.aval.shape else object()
        for var, value in program.constants.items():
            known = isinstance(value, np.ndarray) and value.flags.c_contiguous
            self.marks[var] = C if known else object()
        for eqn in program.equations:
            self._follow(eqn)

    def same(self, a: Atom, b: Atom) -> bool:
        """Whether two arrays of one shape lie in the same order, without gaps."""
        if not a.aval.shape:
            return True
        if not isinstance(a, Var) or not isinstance(b, Var):
            return False
        mark = self.marks.get(a)
        return mark is not None and mark == self.marks.get(b) and self._is_compact(mark)

    def _is_compact(self, mark: Mark) -> bool:
        return mark is C or self._compact.get(mark) is mark

    def compact(self, mark: Mark) -> Mark:
        """The mark of a new array whose axes are in memory in the order that ``mark`` says."""
        if mark is C:
            return C
        made = self._compact.setdefault(mark, object())
        self._compact[made] = made
        return made

    def _follow(self, eqn: Equation) -> None:
        for var in eqn.outputs:
            self.marks[var] = self.mark(eqn, var)

    def mark(self, eqn: Equation, var: Var) -> Mark:
        """The mark of output ``var`` of ``eqn``, of whose inputs the marks are known."""
        if eqn.primitive.fresh and _thin(var):
            return C
        rule = RULES.get(eqn.primitive, _unknown)
        if eqn.primitive.family == "elementwise" or _ufunc(eqn):
            rule = _elementwise
        return rule(self, eqn, var)

    def of(self, atom: Atom) -> Mark:
        """The mark of an input."""
        return self.marks.get(atom) if isinstance(atom, Var) else C


def _thin(var: Var) -> bool:
    """Whether there is only one order for the elements: at most one axis is longer than 1."""
    return sum(length != 1 for length in var.aval.shape) <= 1


def _ufunc(eqn: Equation) -> bool:
    ufunc = eqn.primitive.ufunc
    return ufunc is not None and ufunc.signature is None


Rule = Callable[[Layouts, Equation, Var], Mark]


def _unknown(layouts: Layouts, eqn: Equation, var: Var) -> Mark:
    return object()


def _elementwise(layouts: Layouts, eqn: Equation, var: Var) -> Mark:
    """C order where any argument of the full shape has it; else that of all, if it is the same."""
    if not eqn.primitive.fresh:
        return layouts.of(eqn.inputs[0]) if layouts.of(eqn.inputs[0]) is C else object()
    full = [layouts.of(atom) for atom in eqn.inputs if atom.aval.shape == var.aval.shape]
    if any(mark is C for mark in full):
        return C
    rest = [atom for atom in eqn.inputs if atom.aval.shape not in ((), var.aval.shape)]
    if rest or not full or any(mark != full[0] for mark in full):
        return object()
    return layouts.compact(full[0])


def _all_c(layouts: Layouts, eqn: Equation, var: Var) -> Mark:
    return C if all(layouts.of(atom) is C for atom in eqn.inputs) else object()


def _matrix(layouts: Layouts, eqn: Equation, var: Var) -> Mark:
    return C if len(var.aval.shape) <= 2 else object()


def _copied(layouts: Layouts, eqn: Equation, var: Var) -> Mark:
    """As ``np.array(x, order="K")``, unless the order is said."""
    order = eqn.params.get("order", "C" if eqn.primitive is arithmetic.copy else "K")
    if order == "C":
        return C
    return layouts.compact(layouts.of(eqn.inputs[0])) if order == "K" else object()


RULES: dict[Any, Rule] = {
    comparison.where: _elementwise,
    families.absorb: _elementwise,
    products.matmul: _matrix,
    products.einsum: lambda layouts, eqn, var: C,
    network.project: lambda layouts, eqn, var: C,
    network.affine: lambda layouts, eqn, var: C,
    indexing.setitem: _copied,
    indexing.scatter_add: _copied,
    arithmetic.copy: _copied,
    arithmetic.astype: _copied,
    arithmetic.to_discrete: _copied,
    shape.reshape: _all_c,
    shape.concatenate: _all_c,
    shape.stack: _all_c,
    reduction.sum: _all_c,
    reduction.max: _all_c,
    reduction.min: _all_c,
    reduction.prod: _all_c,
    reduction.cumsum: _all_c,
    reduction.cumprod: _all_c,
    activation.softmax: _all_c,
    activation.log_softmax: _all_c,
}
