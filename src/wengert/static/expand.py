"""Operations that are several in one, written out, so that machine code can be made of them.

A layer with its bias, a softmax, a loss are one primitive each: eagerly that saves calls. Their
records say what they are in simpler operations (``Primitive.expand``); written out, these share
work with the operations of the derivative and become one kernel with their neighbours. Their last
bits may be others, so strict programs are left as they are. Layer: ``static``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..control.legs import Loop
from ..core.aval import Aval
from ..core.errors import WengertError
from ..core.program import Atom, Equation, Program, Var, programs_in
from ..differentiate.abstract import abstract_program

KNOWN = 256  # expansions that are remembered


def expanded(program: Program) -> Program:
    """``program`` with all that has an expansion written out, in programs inside it as well."""
    if not any(map(_expandable, program.equations)):
        return program
    equations: list[Equation] = []
    constants = dict(program.constants)
    names: dict[Atom, Atom] = {}
    for eqn in program.equations:
        inputs = tuple([names.get(atom, atom) for atom in eqn.inputs])
        params = {name: _inside(value) for name, value in eqn.params.items()}
        eqn = Equation(eqn.primitive, inputs, eqn.outputs, params, eqn.source)
        inner = _expansion(eqn)
        if inner is None:
            equations.append(eqn)
        else:
            names[eqn.outputs[0]] = _inlined(eqn, inner, equations, constants)
    outputs = tuple([names.get(atom, atom) for atom in program.outputs])
    return Program(program.inputs, tuple(equations), outputs, constants, program.name)


def _expandable(eqn: Equation) -> bool:
    """Whether an equation, or one in a program that it holds, has an expansion."""
    inside = (one for _, program in programs_in(eqn.params) for one in program.equations)
    return eqn.primitive.expand is not None or any(map(_expandable, inside))


def _inside(param: Any) -> Any:
    """A parameter, with what has an expansion written out in the programs that it is made of."""
    if isinstance(param, Program):
        return expanded(param)
    if isinstance(param, Loop):
        return replace(param, bodies=tuple(map(expanded, param.bodies)))
    return param


def _inlined(
    eqn: Equation, inner: Program, equations: list[Equation], constants: dict[Var, Any]
) -> Atom:
    """Append the equations of ``inner``, of new variables; what stands for the output."""
    own: dict[Atom, Atom] = dict(zip(inner.inputs, eqn.inputs, strict=True))
    for var, value in inner.constants.items():
        new = Var(var.aval)
        own[var], constants[new] = new, value
    for one in inner.equations:
        outputs = tuple([Var(var.aval) for var in one.outputs])
        inputs = tuple([own.get(atom, atom) for atom in one.inputs])
        equations.append(Equation(one.primitive, inputs, outputs, one.params, eqn.source))
        own.update(zip(one.outputs, outputs, strict=True))
    (result,) = inner.outputs
    return own.get(result, result)


def _expansion(eqn: Equation) -> Program | None:
    """What ``eqn`` is in simpler operations; None where it stays."""
    if eqn.primitive.expand is None or len(eqn.outputs) != 1:
        return None
    try:
        inner = _traced(eqn.primitive, tuple([atom.aval for atom in eqn.inputs]), _frozen(eqn))
    except (WengertError, TypeError, ValueError):
        return None
    made = eqn.outputs[0].aval
    result = inner.outputs[0].aval
    same = (result.shape, result.dtype) == (made.shape, made.dtype)
    return inner if same else None


def _frozen(eqn: Equation) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(eqn.params.items()))


@lru_cache(maxsize=KNOWN)
def _traced(primitive: Any, avals: tuple[Aval, ...], params: tuple[tuple[str, Any], ...]) -> Any:
    sketch = abstract_program(lambda *xs: primitive.expand(*xs, **dict(params)), avals)
    if sketch.captured:
        raise TypeError(f"the expansion of {primitive!r} reads what is not its own")
    return sketch.program
