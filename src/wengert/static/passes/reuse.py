"""Buffers: a result is written over an array that dies there.

New memory costs more than most elementwise work: the system maps pages and the cache misses. An
equation may write over an input that was made inside the program, that nothing reads afterwards,
neither itself nor through a view, and that has the result's shape, dtype and layout; with a ufunc,
or a write into an array (``setitem``), whose copy then is not needed: n writes cost O(n). The
equation says so in ``reuse``; ``executable`` follows it, ``Program.run`` does not. Never an input,
a constant, an output of the program, or what a function of the user's has seen. Exact, and the
last pass: others move equations. Layer: ``static``.
"""

from __future__ import annotations

from math import prod

from ...core.program import Equation, Program, Var
from ...core.storage import Reusable, writes_in_place
from .layout import Layouts
from .rewrite import Notes


def reuse_buffers(program: Program, notes: Notes | None = None) -> Program:
    """``program`` with ``reuse`` set where a buffer may be written into again."""
    reusable, layouts = Reusable(program), Layouts(program)
    equations = []
    for number, eqn in enumerate(program.equations):
        place = _place(eqn, number, reusable, layouts)
        if place != eqn.reuse:
            eqn = Equation(eqn.primitive, eqn.inputs, eqn.outputs, eqn.params, eqn.source, place)
        if notes is not None and place is not None:
            notes["buffer written again"] += 1
        equations.append(eqn)
    return Program(
        program.inputs, tuple(equations), program.outputs, program.constants, program.name
    )


def _place(eqn: Equation, number: int, reusable: Reusable, layouts: Layouts) -> int | None:
    """The input whose buffer takes the result, or None."""
    if len(eqn.outputs) != 1 or not eqn.outputs[0].aval.shape or eqn.primitive.multiple:
        return None
    made = eqn.outputs[0]
    if made.aval.dtype.kind == "c" and prod(made.aval.shape) == 1:
        return None  # NumPy's product of one complex number rounds in another way in place
    for i, atom in enumerate(eqn.inputs):
        if (
            isinstance(atom, Var)
            and atom.aval == made.aval
            and writes_in_place(eqn.primitive, i)
            and not (eqn.primitive.donates and atom in eqn.inputs[1:])
            and layouts.same(atom, made)
            and reusable.dies(eqn, number, i)
        ):
            return i
    return None
