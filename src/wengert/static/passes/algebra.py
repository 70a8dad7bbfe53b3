"""Algebra: operations that give back what they were given, or undo each other.

Only rules that hold for NaN, infinities, -0.0, every integer and every dtype, and that leave the
derivatives of the program what they are, conventions at kinks included:

- ``x * 1``, ``x / 1``, ``x ** 1``, ``x - 0``, ``x + (-0.0)``, ``+x``, ``--x``, ``i + 0`` of
  integers; not ``x + 0``, which is 0.0 for -0.0, nor ``x * 0``; not ``z * 1`` of complex numbers,
  where an infinity makes a NaN.
- ``x + (-y)`` and ``x - (-y)`` of floats; ``x ** 2`` of float arrays, which NumPy squares (of
  scalars it does not).
- two transposes, two reshapes, two broadcasts, a cast there and back without loss, a reshape or a
  cast to what is there, a copy, the conjugate of a conjugate.
- ``absorb(g, s)`` with a finite number s, which nothing needs to absorb;
- an array full of one number, as the number, beside another array in what rounds at most once;
- ``where(c, a, a)`` of integers; of floats it is a selection, whose zeros absorb in reverse mode.

``maximum(x, 0)`` and ``relu`` differ at 0 and are not exchanged; ``stop_gradient`` stays.

An operation gives new memory, and orders it as NumPy likes. So nothing is taken out whose memory an
output may lie in. With ``strict``, nothing either after which a value lies in another order in
memory, as products and sums of it might differ in the last bit. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.box import PYTHON_SCALARS
from ...core.primitive import Primitive
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from ...ops import comparison
from ...ops.comparison import where
from ...ops.families import absorb
from ...ops.shape import broadcast_to, reshape, transpose
from .layout import C, Layouts
from .rewrite import Notes, Rewrite


@dataclass(frozen=True)
class Same:
    """The equation gives ``atom``; ``view``: in the memory of its first input, so that only its
    being another object is lost. ``ordered``: in the same order in memory for certain.
    """

    atom: Atom
    view: bool = False
    ordered: bool = False


@dataclass(frozen=True)
class Other:
    """Another application gives the same; ``ordered`` as above."""

    primitive: Primitive
    inputs: tuple[Atom, ...]
    params: dict[str, Any]
    ordered: bool = True


Rule = Callable[[Rewrite, Equation], Same | Other | None]


def simplify(program: Program, strict: bool = False, notes: Notes | None = None) -> Program:
    """``program`` with fewer operations; ``strict``: every bit of its results the same."""
    rewrite = Rewrite(program)
    layouts = Layouts(program) if strict else None
    for old in program.equations:
        eqn = rewrite.read(old)
        for rule in RULES.get(eqn.primitive, ()):
            found = rule(rewrite, eqn)
            if found is not None and (done := _applied(rewrite, eqn, found, layouts)) is not None:
                if notes is not None:
                    notes[(rule.__doc__ or rule.__name__).rstrip(".")] += 1
                eqn = done
                break
        if eqn.outputs:
            rewrite.keep(eqn)
    return rewrite.finish()


GONE = Equation(ar.positive, (), (), {})


def _applied(
    rewrite: Rewrite, eqn: Equation, found: Same | Other, layouts: Layouts | None
) -> Equation | None:
    """The equation that stands there now, ``GONE`` if there is none; None if it has to stay."""
    (var,) = eqn.outputs
    if isinstance(found, Same):
        atom = found.atom
        if not found.ordered and layouts is not None and not layouts.same(var, atom):
            return None
        if atom.aval != var.aval or not (found.view or _kind_stays(rewrite, atom)):
            return None
        if var in rewrite.results if found.view else not rewrite.may_replace(var, atom):
            return None
        rewrite.replace(var, atom)
        return GONE
    made = Equation(found.primitive, found.inputs, eqn.outputs, found.params, eqn.source)
    if not found.ordered and not _in_order(rewrite, made, layouts):
        return None
    if isinstance(found.inputs[0], Var) and not found.primitive.fresh:
        rewrite.storage.join(var, found.inputs[0])
    return made


def _kind_stays(rewrite: Rewrite, atom: Atom) -> bool:
    """Whether ``atom`` has axes or is a scalar, as the results of ufuncs are, for certain: an array
    without axes is something else to what copies it.
    """
    if atom.aval.shape or atom.aval.weak or isinstance(atom, Literal):
        return True
    eqn = rewrite.maker.get(atom)
    return eqn is not None and eqn.primitive.fresh and eqn.primitive.family == "elementwise"


def _in_order(rewrite: Rewrite, made: Equation, layouts: Layouts | None) -> bool:
    """Whether the result of ``made`` may have another layout, or share memory where it did not, or
    does neither for certain.
    """
    (var,) = made.outputs
    if layouts is None:
        storage = rewrite.storage
        return not (storage.seen(var) if made.primitive.fresh else storage.escapes(var))
    return layouts.marks.get(var) is C and layouts.mark(made, var) is C


# --- numbers that change nothing ------------------------------------------------------------------


def _real(atom: Atom) -> bool:
    return atom.aval.dtype.kind != "c"


def _times_one(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """x * 1."""
    a, b = eqn.inputs
    if not _real(eqn.outputs[0]):
        return None
    if rewrite.is_all(b, 1):
        return Same(a)
    return Same(b) if rewrite.is_all(a, 1) else None


def _right_one(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """x / 1, x ** 1."""
    a, b = eqn.inputs
    return Same(a) if _real(eqn.outputs[0]) and rewrite.is_all(b, 1) else None


def _less_zero(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """x - 0."""
    a, b = eqn.inputs
    return Same(a) if rewrite.is_all(b, 0.0) and _real(b) else None


def _plus_nothing(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """x + (-0.0), or i + 0."""
    if not _real(eqn.outputs[0]):
        return None
    nothing = 0.0 if eqn.outputs[0].aval.dtype.kind in "iu" else -0.0
    for x, other in (eqn.inputs, eqn.inputs[::-1]):
        if rewrite.is_all(other, nothing):
            return Same(x)
    return None


def _absorbed_nothing(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """absorb(g, a finite number)."""
    g, p = eqn.inputs
    finite = isinstance(p, Literal) and np.isfinite(p.value) and bool(g.aval.shape)
    return Other(ar.multiply, (g, p), {}) if finite and _real(g) and _real(p) else None


def _squared(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """x ** 2."""
    x, two = eqn.inputs
    floats = x.aval.dtype.kind in "fc" and bool(x.aval.shape)
    if isinstance(two, Literal) and type(two.value) in PYTHON_SCALARS and two.value == 2 and floats:
        return Other(ar.square, (x,), {}) if x.aval == eqn.outputs[0].aval else None
    return None


# --- operations that undo each other --------------------------------------------------------------


def _made_by(rewrite: Rewrite, atom: Atom, primitive: Primitive) -> Equation | None:
    eqn = rewrite.maker.get(atom) if isinstance(atom, Var) else None
    return eqn if eqn is not None and eqn.primitive is primitive else None


def _twice(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """-(-x), conj(conj(x))."""
    inner = _made_by(rewrite, eqn.inputs[0], eqn.primitive)
    return None if inner is None else Same(inner.inputs[0])


def _copied(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """+x, conj(x) of a real x."""
    return Same(eqn.inputs[0]) if _real(eqn.inputs[0]) or eqn.primitive is ar.positive else None


def _plus_negative(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """x + (-y)."""
    for x, other in (eqn.inputs, eqn.inputs[::-1]):
        inner = _made_by(rewrite, other, ar.negative)
        if inner is not None and other.aval.dtype.kind in "fc":
            return Other(ar.subtract, (x, inner.inputs[0]), {}, ordered=False)
    return None


def _less_negative(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """x - (-y)."""
    x, other = eqn.inputs
    inner = _made_by(rewrite, other, ar.negative)
    if inner is None or other.aval.dtype.kind not in "fc":
        return None
    return Other(ar.add, (x, inner.inputs[0]), {}, ordered=False)


def _there_and_back(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """A cast to what it is, or there and back."""
    (x,), dtype = eqn.inputs, eqn.outputs[0].aval.dtype
    if eqn.params.get("order", "K") != "K":
        return None
    inner = _made_by(rewrite, x, ar.astype)
    if x.aval.dtype != dtype and inner is not None and inner.params.get("order", "K") == "K":
        first = inner.inputs[0]
        lossless = np.can_cast(first.aval.dtype, x.aval.dtype, "safe")
        if first.aval.dtype == dtype and dtype.kind in "fc" and lossless:
            return Same(first)
    return Same(x) if x.aval.dtype == dtype else None


def _copy(rewrite: Rewrite, eqn: Equation) -> Same:
    """A copy."""
    return Same(eqn.inputs[0])


# --- shapes ---------------------------------------------------------------------------------------


def _to_own_shape(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """A reshape or broadcast to the shape that is there, the real part of a real array."""
    (x,) = eqn.inputs
    return Same(x, view=True, ordered=True) if x.aval == eqn.outputs[0].aval else None


def _reshaped_twice(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """A reshape of a reshape, a broadcast of a broadcast."""
    inner = _made_by(rewrite, eqn.inputs[0], eqn.primitive)
    if inner is None or not eqn.outputs[0].aval.shape:  # without axes: an array, or a scalar?
        return None
    return Other(eqn.primitive, inner.inputs, eqn.params, eqn.primitive is broadcast_to)


def _transposed_twice(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """A transpose of a transpose."""
    inner = _made_by(rewrite, eqn.inputs[0], transpose)
    if inner is None:
        return None
    axes = tuple(inner.params["axes"][k] for k in eqn.params["axes"])
    return Other(transpose, inner.inputs, {"axes": axes})


def _axes_stay(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """A transpose that leaves the axes where they are."""
    axes = eqn.params["axes"]
    return Same(eqn.inputs[0], True, True) if tuple(axes) == tuple(range(len(axes))) else None


def _either_way(rewrite: Rewrite, eqn: Equation) -> Same | None:
    """where(c, a, a) of integers."""
    _, a, b = eqn.inputs
    return Same(a) if a is b and a.aval.dtype.kind in "iub" else None


# --- arrays full of one number --------------------------------------------------------------------


def _full(rewrite: Rewrite, eqn: Equation) -> Other | None:
    """An array full of one number as the number."""
    for i, atom in enumerate(eqn.inputs):
        if atom not in rewrite.constants or (number := rewrite.number(atom)) is None:
            continue
        rest = [other.aval.shape for k, other in enumerate(eqn.inputs) if k != i]
        if np.broadcast_shapes(*rest) == eqn.outputs[0].aval.shape:
            inputs = (*eqn.inputs[:i], Literal(number), *eqn.inputs[i + 1 :])
            return Other(eqn.primitive, inputs, eqn.params, ordered=False)
    return None


# rounded once or not at all, so that NumPy has no other way with a number than with an array
EXACT = (
    *(ar.add, ar.subtract, ar.multiply, ar.divide, absorb, where),
    *(comparison.less, comparison.less_equal, comparison.greater, comparison.greater_equal),
    *(comparison.equal, comparison.not_equal, comparison.logical_and, comparison.logical_or),
)
RULES: dict[Primitive, tuple[Rule, ...]] = {
    ar.multiply: (_times_one,),
    ar.divide: (_right_one,),
    ar.power: (_right_one, _squared),
    ar.add: (_plus_nothing, _plus_negative),
    ar.subtract: (_less_zero, _less_negative),
    ar.negative: (_twice,),
    ar.positive: (_copied,),
    ar.conjugate: (_twice, _copied),
    ar.real: (_to_own_shape,),
    ar.astype: (_there_and_back,),
    ar.copy: (_copy,),
    reshape: (_to_own_shape, _reshaped_twice),
    broadcast_to: (_to_own_shape, _reshaped_twice),
    transpose: (_axes_stay, _transposed_twice),
    absorb: (_absorbed_nothing,),
    where: (_either_way,),
}
for primitive in EXACT:
    RULES[primitive] = (*RULES.get(primitive, ()), _full)
