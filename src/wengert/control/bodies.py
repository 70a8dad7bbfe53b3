"""The functions that structured control flow is given, recorded as programs; what they must give.

Layer: ``control``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval
from ..core.box import Box
from ..core.errors import DtypeError, describe
from ..core.program import Atom, Equation, Literal, Program, Var
from ..differentiate.abstract import abstract_program
from ..ops import arithmetic as ar

NUMBERS = (Box, np.ndarray, np.generic, bool, int, float, complex)


@dataclass(frozen=True, eq=False)
class Body:
    """A recorded function: its program on leaves and ``captured`` values, the structure of its
    result, and a name for each leaf of it.
    """

    program: Program
    out_def: Any
    captured: tuple[Any, ...]
    names: list[str]


def check_leaves(what: str, leaves: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """The leaves, if all are numbers or arrays of numbers; else ``DtypeError``."""
    for leaf, name in zip(leaves, names, strict=True):
        kind = getattr(leaf, "dtype", np.dtype(float)).kind
        if not isinstance(leaf, NUMBERS) or kind not in "biufc":
            raise DtypeError(
                f"{what}: {name} is {describe(leaf)}, expected a number or an array of numbers; "
                "what does not change belongs into the closure of the function"
            )
    return list(leaves)


def body_of(f: Callable[..., Any], args: Sequence[Any], what: str) -> Body:
    """``f`` recorded for arguments of the types ``args``."""
    names: list[str] = []

    def function(*given: Any) -> Any:
        result = f(*given)
        names[:] = tree.names(result)
        check_leaves(what, tree.flatten(result)[0], [f"result{path}" for path in names])
        return result

    function.__wrapped__ = getattr(f, "__wrapped__", f)  # type: ignore[attr-defined]
    function.__name__ = getattr(f, "__name__", type(f).__name__)
    sketch = abstract_program(function, args, what=what)
    return Body(sketch.program, sketch.out_def, sketch.captured, names)


def with_outputs(program: Program, avals: Sequence[Aval]) -> Program:
    """The program with what Python scalars it gives in the dtypes of ``avals``, where those are
    NumPy's.
    """
    equations, outputs = list(program.equations), list(program.outputs)
    for k, (atom, aval) in enumerate(zip(program.outputs, avals, strict=True)):
        if atom.aval.weak and not aval.weak:
            outputs[k] = _cast(atom, aval, equations)
    return Program(
        program.inputs, tuple(equations), tuple(outputs), program.constants, program.name
    )


def _cast(atom: Atom, aval: Aval, equations: list[Equation]) -> Atom:
    if isinstance(atom, Literal):
        return Literal(aval.dtype.type(atom.value))
    var = Var(aval)
    cast = ar.astype if aval.dtype.kind in "fc" else ar.to_discrete
    equations.append(Equation(cast, (atom,), (var,), {"dtype": aval.dtype, "order": "K"}))
    return var


def reordered(
    program: Program, inputs: Sequence[int], outputs: Sequence[int], extra: Sequence[Atom] = ()
) -> Program:
    """The program with its inputs and outputs in another order, and further outputs."""
    return Program(
        tuple([program.inputs[k] for k in inputs]),
        program.equations,
        (*(program.outputs[k] for k in outputs), *extra),
        program.constants,
        program.name,
    )
