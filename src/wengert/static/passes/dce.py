"""Dead code: equations whose results nothing reads are left out.

Recording writes down all that a function computes, its intermediate results and both branches of a
rule included; only what the outputs depend on has to run. Primitives are pure functions, so an
equation that nothing reads has no effect; that holds for functions with rules of the user's too.
Inputs stay, read or not: they are the program's signature. Exact. Layer: ``static``.
"""

from __future__ import annotations

from ...core.program import Program, Var
from .rewrite import Notes


def dead_code(program: Program, notes: Notes | None = None) -> Program:
    """``program`` without the equations and constants that no output depends on."""
    needed = {atom for atom in program.outputs if isinstance(atom, Var)}
    kept = []
    for eqn in reversed(program.equations):
        if needed.isdisjoint(eqn.outputs):
            continue
        kept.append(eqn)
        needed.update(atom for atom in eqn.inputs if isinstance(atom, Var))
    if notes is not None and (removed := len(program.equations) - len(kept)):
        notes["unread equation"] += removed
    constants = {var: value for var, value in program.constants.items() if var in needed}
    return Program(program.inputs, tuple(reversed(kept)), program.outputs, constants, program.name)
