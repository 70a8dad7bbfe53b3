"""The accumulating product: ``W - lr * (Xᵀ @ D)`` becomes one operation.

Such a line stands at the end of every training step. Written with NumPy it walks three times over
an array of the size of W; ``accumulate(W, Xᵀ, D, -lr)`` is one call of BLAS's ``gemm``. Taken are
``W ± s * (a @ b)`` and ``W ± a @ b``, with real matrices of one dtype and a number s that does not
change it, or literal ones at a and b, where nothing else reads what lies between, and W is an input
or a constant: what made a W would no longer learn, in reverse mode, that zeros of its adjoint come
from a selection, which a product does not hand on. The sum is rounded otherwise than NumPy's:
``strict`` leaves the program as it is. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from ...ops.accumulate import accumulate
from ...ops.network import project
from ...ops.shape import transpose
from .products import LARGEST, PRODUCTS, scaling_of
from .rewrite import Notes, Rewrite, uses


def accumulate_products(
    program: Program, strict: bool = False, notes: Notes | None = None
) -> Program:
    """``program`` with sums of a matrix and a scaled product as one operation."""
    if strict:
        return program
    rewrite, counted = Rewrite(program), uses(program)
    apart = set(program.outputs)  # what is no mere step on the way to something else
    for eqn in program.equations:
        if eqn.primitive.family != "elementwise":
            apart.update(eqn.inputs)
    for old in program.equations:
        eqn = rewrite.read(old)
        (made, *_) = eqn.outputs
        moves = rewrite.storage.seen(made)  # the result lies in C order, whatever W does
        taken = made in apart and not moves
        inputs = _operands(rewrite, counted, eqn) if taken else None
        if inputs is not None:
            eqn = Equation(accumulate, inputs, eqn.outputs, {}, eqn.source)
            if notes is not None:
                notes["c + s (a @ b)"] += 1
        rewrite.keep(eqn)
    return rewrite.finish()


def _operands(rewrite: Rewrite, counted: Counter[Var], eqn: Equation) -> tuple[Atom, ...] | None:
    """``(c, a, b, s)`` where ``eqn`` gives ``c + s (a @ b)``."""
    if eqn.primitive not in (ar.add, ar.subtract):
        return None
    orders = (eqn.inputs, eqn.inputs[::-1]) if eqn.primitive is ar.add else (eqn.inputs,)
    for c, term in orders:
        if c in rewrite.maker:
            continue
        found = _scaled_product(rewrite, counted, term)
        if found is not None and _fits(eqn.outputs[0].aval, c, found):
            a, b, s = found.a, found.b, found.scale
            if found.turned:
                like = replace(b.aval, shape=b.aval.shape[::-1])
                b = rewrite.add(transpose, (b,), {"axes": (1, 0)}, like, eqn.source)
            if eqn.primitive is ar.subtract:
                s = _negated(rewrite, s, eqn.source)
            return (c, a, b, s)
    return None


ONE: Atom = Literal(1.0)


class Scaled(NamedTuple):
    """``scale`` times the product of two matrices, the second one transposed if ``turned``."""

    a: Atom
    b: Atom
    turned: bool
    scale: Atom


def _scaled_product(rewrite: Rewrite, counted: Counter[Var], term: Atom) -> Scaled | None:
    """The product that ``term`` is, but for a number, where nothing else reads what lies between.
    Numbers at its factors come to the front.
    """

    def made(atom: Atom) -> Equation | None:
        single = isinstance(atom, Var) and counted[atom] == 1
        return rewrite.maker.get(atom) if single and isinstance(atom, Var) else None

    eqn, s = made(term), ONE
    if eqn is not None and eqn.primitive is ar.multiply:
        for factor, number in (eqn.inputs, eqn.inputs[::-1]):
            inner = made(factor)
            if inner is not None and inner.primitive in PRODUCTS and number.aval.shape == ():
                eqn, s = inner, number
                break
    if eqn is None or eqn.primitive not in PRODUCTS:
        return None
    factors = list(eqn.inputs)
    for i, factor in enumerate(factors):
        scaling = made(factor)
        if scaling is None or scaling.primitive is not ar.multiply or not isinstance(s, Literal):
            continue
        found = scaling_of(scaling)
        if found is not None and abs(s.value) <= LARGEST:
            factors[i], s = found[0], Literal(s.value * found[1].value)
    return Scaled(factors[0], factors[1], eqn.primitive is project, s)


def _fits(made: Aval, c: Atom, found: Scaled) -> bool:
    """Whether all are real matrices of one dtype, none is broadcast, and the number has no say in
    it.
    """
    s = found.scale
    if made.dtype.kind != "f" or s.aval.dtype.kind not in "fiub":
        return False
    arrays = (c, found.a, found.b)
    matrices = all(len(x.aval.shape) == 2 and x.aval.dtype == made.dtype for x in arrays)
    return matrices and c.aval == made and (s.aval.weak or s.aval.dtype == made.dtype)


def _negated(rewrite: Rewrite, s: Atom, source: str) -> Atom:
    if isinstance(s, Literal):
        return Literal(-s.value)
    return rewrite.add(ar.negative, (s,), {}, s.aval, source)
