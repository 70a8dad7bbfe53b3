"""Products: transposes and scalings become part of them.

BLAS reads a matrix in either order, so a transpose beside a product is free, while one that is
written out, or a result in the wrong order, is not. A number that a large array is multiplied with
only to enter a product can be multiplied with the smallest of the three arrays instead. Rules:

- ``(aᵀ b)ᵀ = bᵀ a``, where the transposed product is read once and one factor is a transpose;
- ``x wᵀ`` of two matrices is ``project(x, w)``, whose derivative is one product each;
- a transposed argument, or result, of ``einsum`` is another labelling;
- ``(s a) b = s (a b)`` for literal ``s`` with 2⁻³² ≤ |s| ≤ 2³², towards the smallest array.

Not where an output may be a view of the result, which would then lie in another order in memory.
These change the order of additions in products, or what is rounded when; with numbers within 2³²
of the largest a scaling may overflow that did not. ``strict`` leaves the program as it is.
Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from ...core.primitive import Primitive
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from ...ops.network import project
from ...ops.products import einsum, matmul
from ...ops.shape import transpose
from .rewrite import Notes, Rewrite, uses

SMALLEST, LARGEST = 2.0**-32, 2.0**32
Made = tuple[Primitive, tuple[Atom, ...], dict[str, Any]]


def fold_into_products(
    program: Program, strict: bool = False, notes: Notes | None = None
) -> Program:
    """``program`` with transposes and scalings as parts of products."""
    if strict:
        return program
    walk = Walk(program)
    for old in program.equations:
        eqn = walk.rewrite.read(old)
        for rule in RULES.get(eqn.primitive, ()):
            made = None if walk.seen(eqn) else rule(walk, eqn)
            if made is not None:
                eqn = Equation(made[0], made[1], eqn.outputs, made[2], eqn.source)
                if notes is not None:
                    notes[(rule.__doc__ or rule.__name__).rstrip(".")] += 1
                break
        walk.rewrite.keep(eqn)
    return walk.rewrite.finish()


class Walk:
    """The program as far as it is rewritten, and how often each variable is read."""

    def __init__(self, program: Program) -> None:
        self.rewrite = Rewrite(program)
        self.uses: Counter[Var] = uses(program)

    def seen(self, eqn: Equation) -> bool:
        """Whether the result may come to lie in another order, and an output may be a view of it:
        of a transpose, more than itself. Products of two matrices, and einsum, always give C order.
        """
        (var,) = eqn.outputs
        if eqn.primitive is transpose:
            return self.rewrite.storage.seen(var, 2)
        flat = eqn.primitive is einsum or len(var.aval.shape) <= 2
        return not flat and self.rewrite.storage.seen(var)

    def made_by(self, atom: Atom, primitive: Primitive, once: bool = True) -> Equation | None:
        """The equation that made ``atom``, if it is one of ``primitive`` (and is read once)."""
        eqn = self.rewrite.maker.get(atom) if isinstance(atom, Var) else None
        if eqn is None or eqn.primitive is not primitive or not isinstance(atom, Var):
            return None
        return eqn if not once or self.uses[atom] == 1 else None

    def untransposed(self, atom: Atom) -> Atom | None:
        """``m`` where ``atom`` is the matrix mᵀ."""
        eqn = self.made_by(atom, transpose, once=False)
        if eqn is None or eqn.params["axes"] != (1, 0):
            return None
        return eqn.inputs[0]

    def transposed(self, atom: Atom, source: str) -> Atom:
        """The matrix ``atom``ᵀ: what it is the transpose of, or a new transpose."""
        inner = self.untransposed(atom)
        if inner is not None:
            return inner
        like = replace(atom.aval, shape=atom.aval.shape[::-1])
        return self.rewrite.add(transpose, (atom,), {"axes": (1, 0)}, like, source)

    def scaled(self, atom: Atom) -> tuple[Atom, Literal] | None:
        """``(a, s)`` where ``atom`` is ``a * s``, made for this use alone."""
        eqn = self.made_by(atom, ar.multiply)
        return None if eqn is None else scaling_of(eqn)


def scaling_of(eqn: Equation) -> tuple[Atom, Literal] | None:
    """``(a, s)`` of ``a * s`` with a moderate real number ``s`` that leaves the dtype of ``a``."""
    for a, s in (eqn.inputs, eqn.inputs[::-1]):
        if (
            isinstance(s, Literal)
            and s.aval.shape == ()
            and s.aval.dtype.kind == "f"
            and SMALLEST <= abs(s.value) <= LARGEST
            and a.aval.dtype.kind == "f"
            and replace(a.aval, weak=False) == replace(eqn.outputs[0].aval, weak=False)
        ):
            return a, s
    return None


# --- transposes -----------------------------------------------------------------------------------


def _matrices(*atoms: Atom) -> bool:
    return all(len(atom.aval.shape) == 2 for atom in atoms)


def _transposed_product(walk: Walk, eqn: Equation) -> Made | None:
    """(aᵀ b)ᵀ."""
    inner = walk.made_by(eqn.inputs[0], matmul)
    if inner is None or eqn.params["axes"] != (1, 0) or not _matrices(*inner.inputs):
        return None
    a, b = inner.inputs
    if walk.untransposed(a) is None and walk.untransposed(b) is None:
        return None
    turned = (walk.transposed(b, eqn.source), walk.transposed(a, eqn.source))
    return matmul, turned, {}


def _projected(walk: Walk, eqn: Equation) -> Made | None:
    """x wᵀ."""
    x, w = eqn.inputs
    inner = walk.untransposed(w)
    if inner is None or not _matrices(x) or x.aval.dtype.kind != "f":
        return None
    return (project, (x, inner), {}) if inner.aval.dtype == x.aval.dtype else None


def _relabelled(walk: Walk, eqn: Equation) -> Made | None:
    """A transpose in einsum."""
    labels, inputs = [eqn.params["a"], eqn.params["b"]], list(eqn.inputs)
    found = False
    for i, atom in enumerate(inputs):
        inner = walk.made_by(atom, transpose, once=False)
        if inner is not None:
            found, inputs[i] = True, inner.inputs[0]
            rank = len(labels[i])
            axes = [axis % rank for axis in inner.params["axes"]]
            labels[i] = "".join(labels[i][axes.index(k)] for k in range(rank))
    if not found:
        return None
    return einsum, tuple(inputs), {"a": labels[0], "b": labels[1], "out": eqn.params["out"]}


def _relabelled_result(walk: Walk, eqn: Equation) -> Made | None:
    """A transpose of einsum."""
    inner = walk.made_by(eqn.inputs[0], einsum)
    if inner is None:
        return None
    out = "".join(inner.params["out"][k] for k in eqn.params["axes"])
    return einsum, inner.inputs, {**inner.params, "out": out}


# --- scalings -------------------------------------------------------------------------------------


def _size(atom: Atom) -> int:
    return prod(atom.aval.shape)


def _scaled_factor(walk: Walk, eqn: Equation) -> Made | None:
    """(s a) b."""
    for i in (0, 1):
        found = walk.scaled(eqn.inputs[i])
        if found is None:
            continue
        factors = [found[0], eqn.inputs[1]] if i == 0 else [eqn.inputs[0], found[0]]
        other, (result,) = factors[1 - i], eqn.outputs
        if _size(result) < min(_size(found[0]), _size(other)):
            product = walk.rewrite.add(eqn.primitive, factors, eqn.params, result.aval, eqn.source)
            return ar.multiply, (product, found[1]), {}
        if _size(other) < _size(found[0]) and _fits(other, found[1]):
            factors[1 - i] = walk.rewrite.add(
                ar.multiply, (other, found[1]), {}, other.aval, eqn.source
            )
            return eqn.primitive, tuple(factors), eqn.params
    return None


def _scaled_product(walk: Walk, eqn: Equation) -> Made | None:
    """s (a b)."""
    found = scaling_of(eqn)
    if found is None:
        return None
    for primitive in PRODUCTS:
        inner = walk.made_by(found[0], primitive)
        if inner is None or found[0].aval != eqn.outputs[0].aval:
            continue
        small = min((0, 1), key=lambda i: _size(inner.inputs[i]))
        factors = list(inner.inputs)
        if _size(factors[small]) < _size(eqn.outputs[0]) and _fits(factors[small], found[1]):
            like = factors[small].aval
            factors[small] = walk.rewrite.add(
                ar.multiply, (factors[small], found[1]), {}, like, eqn.source
            )
            return inner.primitive, tuple(factors), inner.params
    return None


def _fits(atom: Atom, s: Literal) -> bool:
    """Whether ``atom * s`` has the type of ``atom``."""
    weak = s.aval.weak or s.aval.dtype == atom.aval.dtype
    return isinstance(atom, Var) and atom.aval.dtype.kind == "f" and weak


PRODUCTS = (matmul, project)
Rule = Callable[[Walk, Equation], Made | None]
RULES: dict[Primitive, tuple[Rule, ...]] = {
    transpose: (_transposed_product, _relabelled_result),
    matmul: (_scaled_factor, _projected),
    project: (_scaled_factor,),
    einsum: (_relabelled,),
    ar.multiply: (_scaled_product,),
}
