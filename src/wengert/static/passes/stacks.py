"""Stacks of products that are one product, and products with the identity.

NumPy multiplies a stack of matrices one by one. Where the stack stands on one side only, or is
summed over, the whole is one product of larger matrices, which BLAS computes faster and can share
between threads; the adjoints of a network's layers on sequences, and Jacobians by a stack of unit
vectors, are of this kind. Rules, where A, B are single matrices and a, b stacks:

- ``a B`` is the product of all rows of a with B;
- ``A b`` with columns b is ``(b Aᵀ)ᵀ``, the columns lying as rows;
- ``Σ aᵀ b`` over the stack is the product of all rows;
- ``E a`` with the unit matrix E is a, and NaN where another element of a column is none or
  infinite.

Additions come in another order: ``strict`` leaves the program as it is. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from ...core.aval import Aval
from ...core.primitive import Primitive
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from ...ops import comparison
from ...ops.families import normal_axes
from ...ops.products import matmul
from ...ops.reduction import sum as sum_p
from ...ops.shape import reshape, transpose
from .products import Made, Walk
from .rewrite import Notes

BOOL, INT = np.dtype(bool), np.dtype(np.intp)


def merge_stacks(program: Program, strict: bool = False, notes: Notes | None = None) -> Program:
    """``program`` with stacks of products as one product, and none with the identity."""
    if strict or not any(eqn.primitive is matmul for eqn in program.equations):
        return program
    walk = Walk(program)
    for old in program.equations:
        eqn = walk.rewrite.read(old)
        for rule in RULES.get(eqn.primitive, ()):
            made = rule(walk, eqn)
            if made is not None:
                eqn = Equation(made[0], made[1], eqn.outputs, made[2], eqn.source)
                if not made[0].fresh and isinstance(made[1][0], Var):
                    walk.rewrite.storage.join(eqn.outputs[0], made[1][0])
                if notes is not None:
                    notes[(rule.__doc__ or rule.__name__).rstrip(".")] += 1
                break
        walk.rewrite.keep(eqn)
    return walk.rewrite.finish()


def _floats(*atoms: Atom) -> bool:
    """Whether all are of one real floating dtype."""
    return len({atom.aval.dtype for atom in atoms}) == 1 and atoms[0].aval.dtype.kind == "f"


def _free(walk: Walk, eqn: Equation) -> bool:
    """Whether the result may lie in C order: it does, with one axis of stack, or nobody sees it."""
    (var,) = eqn.outputs
    return len(var.aval.shape) <= 3 or not walk.rewrite.storage.seen(var)


def _rows(walk: Walk, atom: Atom, shape: tuple[int, int], source: str) -> Atom:
    """``atom`` as a matrix of the same elements in C order; of a constant a constant."""
    if atom.aval.shape == shape:
        return atom
    like = replace(atom.aval, shape=shape)
    value = walk.rewrite.constants.get(atom) if isinstance(atom, Var) else None
    if isinstance(value, np.ndarray):
        made = Var(like)
        walk.rewrite.constants[made] = value.reshape(shape)
        return made
    return walk.rewrite.add(reshape, (atom,), {"shape": shape}, like, source)


# --- stacks on one side ---------------------------------------------------------------------------


def _rows_times_matrix(walk: Walk, eqn: Equation) -> Made | None:
    """a B of a stack a and one matrix B."""
    a, b = eqn.inputs
    if len(a.aval.shape) < 3 or len(b.aval.shape) != 2 or not _floats(a, b):
        return None
    (result,) = eqn.outputs
    count, inner = prod(a.aval.shape[:-1]), a.aval.shape[-1]
    if not _free(walk, eqn) or not isinstance(a, Var) or a in walk.rewrite.constants:
        return None
    rows = _rows(walk, a, (count, inner), eqn.source)
    return _reshaped(walk, (rows, b), (count, b.aval.shape[1]), result, eqn.source)


def _matrix_times_columns(walk: Walk, eqn: Equation) -> Made | None:
    """A b of one matrix A and a stack of columns b."""
    a, b = eqn.inputs
    if len(a.aval.shape) != 2 or len(b.aval.shape) < 3 or b.aval.shape[-1] != 1:
        return None
    if not _floats(a, b) or not _free(walk, eqn) or not isinstance(b, Var):
        return None
    (result,) = eqn.outputs
    count = prod(b.aval.shape[:-2])
    rows = _rows(walk, b, (count, a.aval.shape[1]), eqn.source)
    turned = walk.transposed(a, eqn.source)
    return _reshaped(walk, (rows, turned), (count, a.aval.shape[0]), result, eqn.source)


def _reshaped(
    walk: Walk, factors: Sequence[Atom], shape: tuple[int, int], result: Var, source: str
) -> Made:
    like = replace(result.aval, shape=shape)
    product = _product(walk, factors, like, source)
    return reshape, (product,), {"shape": result.aval.shape}


def _product(walk: Walk, factors: Sequence[Atom], like: Aval, source: str) -> Var:
    """The product of two matrices, of which the first may be the identity."""
    plain = Equation(matmul, tuple(factors), (Var(like),), {}, source)
    primitive, inputs, params = _identity(walk, plain) or (matmul, plain.inputs, {})
    return walk.rewrite.add(primitive, inputs, params, like, source)


# --- sums over stacks -----------------------------------------------------------------------------


def _summed_stack(walk: Walk, eqn: Equation) -> Made | None:
    """A sum over a stack of products."""
    x = eqn.inputs[0]
    inner = walk.made_by(x, matmul)
    rank = len(x.aval.shape)
    axes = normal_axes(eqn.params.get("axis"), rank)
    whole = rank > 2 and sorted(axes) == list(range(rank - 2))
    if inner is None or not whole or eqn.params.get("keepdims"):
        return None
    a, b = inner.inputs
    turned = walk.made_by(a, transpose, once=False)
    if turned is None or not _floats(a, b) or a.aval.shape[:-2] != b.aval.shape[:-2]:
        return None
    last_two = (*range(rank - 2), rank - 1, rank - 2)
    if tuple(turned.params["axes"]) != last_two or walk.rewrite.storage.seen(eqn.outputs[0]):
        return None
    count = prod(b.aval.shape[:-1])
    left = _rows(walk, turned.inputs[0], (count, a.aval.shape[-2]), eqn.source)
    right = _rows(walk, b, (count, b.aval.shape[-1]), eqn.source)
    return matmul, (walk.transposed(left, eqn.source), right), {}


# --- the identity ---------------------------------------------------------------------------------


def _identity(walk: Walk, eqn: Equation) -> Made | None:
    """E a of the unit matrix E."""
    unit, a = eqn.inputs
    if len(a.aval.shape) != 2 or not _floats(*eqn.inputs) or not _is_unit(walk, unit):
        return None
    if walk.rewrite.storage.seen(eqn.outputs[0]):
        return None
    like = replace(a.aval, weak=False)
    lone = _alone_infinite(walk, a, eqn.source)
    whole = walk.rewrite.add(ar.add, (a, Literal(0.0)), {}, like, eqn.source)
    return comparison.where, (lone, whole, Literal(like.dtype.type(np.nan))), {}


def _alone_infinite(walk: Walk, x: Atom, source: str) -> Var:
    """For each element of the matrix ``x`` whether all others of its column are finite."""
    rewrite, shape = walk.rewrite, x.aval.shape
    truth, counts = Aval(shape, BOOL), Aval(shape, INT)
    inner = walk.untransposed(x)
    base, axis = (x, 0) if inner is None else (inner, 1)  # counted as it lies in memory
    known = rewrite.add(comparison.isfinite, (base,), {}, Aval(base.aval.shape, BOOL), source)
    params = {"axis": (axis,), "keepdims": False}
    number = rewrite.add(sum_p, (known,), params, Aval(shape[1:], INT), source)
    finite = rewrite.add(comparison.isfinite, (x,), {}, truth, source)
    others = rewrite.add(ar.subtract, (number, finite), {}, counts, source)
    return rewrite.add(comparison.equal, (others, Literal(shape[0] - 1)), {}, truth, source)


def _is_unit(walk: Walk, atom: Atom) -> bool:
    value = walk.rewrite.constants.get(atom) if isinstance(atom, Var) else None
    if not isinstance(value, np.ndarray) or value.ndim != 2 or len(set(value.shape)) != 1:
        return False
    return np.count_nonzero(value) == len(value) and bool((value.diagonal() == 1).all())


Rule = Callable[[Walk, Equation], Made | None]
RULES: dict[Primitive, tuple[Rule, ...]] = {
    matmul: (_rows_times_matrix, _matrix_times_columns, _identity),
    sum_p: (_summed_stack,),
}
