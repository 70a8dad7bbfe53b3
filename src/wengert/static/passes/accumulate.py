"""The accumulating product: ``W - lr * (Xᵀ @ D)`` becomes one operation.

Such a line stands at the end of every training step. Written with NumPy it walks three times over
an array of the size of W; ``accumulate(W, Xᵀ, D, -lr)`` is one call of BLAS's ``gemm``. Taken are
``W ± s * (a @ b)`` and ``W ± a @ b``, with real matrices of one dtype and a number s that does not
change it, where nothing else reads what lies between, and W is an input or a constant: what made a
W would no longer learn, in reverse mode, that zeros of its adjoint come from a selection, which a
product does not hand on. The sum is rounded otherwise than NumPy's: ``strict`` leaves the program
as it is. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter

from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from ...ops.accumulate import accumulate
from ...ops.products import matmul
from .rewrite import Notes, Rewrite, uses


def accumulate_products(
    program: Program, strict: bool = False, notes: Notes | None = None
) -> Program:
    """``program`` with sums of a matrix and a scaled product as one operation."""
    if strict:
        return program
    rewrite, counted = Rewrite(program), uses(program)
    for old in program.equations:
        eqn = rewrite.read(old)
        moves = rewrite.storage.seen(eqn.outputs[0])  # the result lies in C order, whatever W does
        inputs = None if moves else _operands(rewrite, counted, eqn)
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
        product, s = _scaled_product(rewrite, counted, term)
        if product is not None and _fits(eqn.outputs[0].aval, (c, *product.inputs), s):
            if eqn.primitive is ar.subtract:
                s = _negated(rewrite, s, eqn.source)
            return (c, *product.inputs, s)
    return None


def _scaled_product(
    rewrite: Rewrite, counted: Counter[Var], term: Atom
) -> tuple[Equation | None, Atom]:
    """The product and the number that it is multiplied with, where nothing else reads either."""

    def made(atom: Atom) -> Equation | None:
        single = isinstance(atom, Var) and counted[atom] == 1
        return rewrite.maker.get(atom) if single and isinstance(atom, Var) else None

    eqn, s = made(term), Literal(1.0)
    if eqn is not None and eqn.primitive is ar.multiply:
        for factor, number in (eqn.inputs, eqn.inputs[::-1]):
            inner = made(factor)
            if inner is not None and inner.primitive is matmul and number.aval.shape == ():
                return inner, number
    return (eqn if eqn is not None and eqn.primitive is matmul else None), s


def _fits(made: Aval, arrays: tuple[Atom, ...], s: Atom) -> bool:
    """Whether all are real matrices of one dtype, none is broadcast, and ``s`` has no say in it."""
    if made.dtype.kind != "f" or s.aval.dtype.kind not in "fiub":
        return False
    matrices = all(len(x.aval.shape) == 2 and x.aval.dtype == made.dtype for x in arrays)
    return matrices and arrays[0].aval == made and (s.aval.weak or s.aval.dtype == made.dtype)


def _negated(rewrite: Rewrite, s: Atom, source: str) -> Atom:
    if isinstance(s, Literal):
        return Literal(-s.value)
    return rewrite.add(ar.negative, (s,), {}, s.aval, source)
