"""One equation as scalar code: the dtypes of NumPy's loop, then what its record says.

A primitive that is a ufunc runs in the dtypes that the ufunc itself resolves; the operands are cast
to them first. Of Python's own numbers only what can't raise is lowered, in its own arithmetic.
Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir

from ...core.aval import Aval
from ...core.primitive import NoLowering
from ...core.program import Equation, Literal
from ..views import is_reduction
from .scalars import BOOL, DTYPES, F8, Emitter, NotLowered, Scalar, register_type

# what Python's floats do as NumPy's do; a division by zero raises
PYTHON = frozenset({"add", "subtract", "multiply", "divide", "negative", "positive", "absolute"})
COMPARISONS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})


def lower(emitter: Emitter, eqn: Equation, operands: Sequence[Scalar | None]) -> Scalar:
    """The output of ``eqn`` for one element; an operand is None where the input is a literal.

    Raises ``NotLowered`` with the reason.
    """
    rule, made = eqn.primitive.lower, eqn.outputs[0].aval
    if isinstance(rule, NoLowering):
        raise NotLowered(rule.why)
    if made.weak:
        return _python(emitter, eqn, operands)
    dtypes: Sequence[Any] = [None] * len(operands)
    if eqn.primitive.ufunc is not None:
        dtypes = _loop(eqn.primitive.ufunc, tuple([atom.aval for atom in eqn.inputs]))
    xs = [
        _operand(emitter, atom, x, dtype)
        for atom, x, dtype in zip(eqn.inputs, operands, dtypes, strict=False)
    ]
    emitter.dtype = made.dtype
    y: Scalar = rule(emitter, *xs, **eqn.params)
    if y.dtype != made.dtype:
        raise NotLowered(f"{y.dtype} where NumPy gives {made.dtype}")
    return y


def _operand(emitter: Emitter, atom: Any, x: Scalar | None, dtype: Any) -> Scalar:
    if isinstance(atom, Literal):
        return emitter.constant(atom.value, atom.aval.dtype if dtype is None else dtype)
    assert x is not None
    return x if dtype is None else emitter.cast(x, dtype)


@lru_cache(maxsize=4096)
def _loop(ufunc: Any, avals: tuple[Aval, ...]) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the operands in the loop that NumPy chooses."""
    asked = [_asked(aval) for aval in avals]
    try:
        resolved = ufunc.resolve_dtypes((*asked, *(None,) * ufunc.nout))
    except TypeError as error:
        raise NotLowered(str(error)) from None
    return tuple(resolved[: len(avals)])


def _asked(aval: Aval) -> Any:
    """A dtype, or Python's type."""
    if not aval.weak or aval.dtype == BOOL:
        return aval.dtype
    return {"i": int, "f": float, "c": complex}[aval.dtype.kind]


def _python(emitter: Emitter, eqn: Equation, operands: Sequence[Scalar | None]) -> Scalar:
    """Arithmetic of Python's floats; integers have no bounds there."""
    name = eqn.primitive.name
    floats = all(atom.aval.dtype == F8 for atom in eqn.inputs)
    if name not in PYTHON | COMPARISONS or not floats:
        raise NotLowered("Python's own arithmetic")
    xs = [_operand(emitter, atom, x, F8) for atom, x in zip(eqn.inputs, operands, strict=True)]
    if name == "divide":
        emitter.never(emitter.equal(xs[1], emitter.constant(0.0, F8)))
    assert not isinstance(eqn.primitive.lower, NoLowering)
    y: Scalar = eqn.primitive.lower(emitter, *xs)
    return y._replace(weak=True)


def why_not(eqn: Equation, strict: bool) -> str:
    """Why ``eqn`` can't be lowered; empty if it can."""
    if len(eqn.outputs) != 1:
        return "it has several outputs"
    if isinstance(eqn.primitive.lower, NoLowering):
        return eqn.primitive.lower.why
    if is_reduction(eqn):
        return _why_not_reduced(eqn)
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), []), "trial")
    emitter = Emitter(ir.IRBuilder(function.append_basic_block()), strict, lambda condition: None)
    try:
        lower(emitter, eqn, [_unknown(atom) for atom in eqn.inputs])
    except NotLowered as reason:
        return str(reason)
    return ""


def _why_not_reduced(eqn: Equation) -> str:
    x, made = eqn.inputs[0].aval, eqn.outputs[0].aval
    if not {x.dtype, made.dtype} <= DTYPES:
        return f"machine code knows no {x.dtype}"
    if not x.shape or isinstance(eqn.inputs[0], Literal):
        return "of a number"
    if eqn.params.keys() - {"axis", "keepdims"}:
        return "it has other parameters"
    return "" if x.dtype == made.dtype or made.dtype.kind in "iub" else "NumPy's own bits"


def _unknown(atom: Any) -> Scalar | None:
    if isinstance(atom, Literal):
        return None
    kind = register_type(atom.aval.dtype)
    return Scalar(ir.Constant(kind, ir.Undefined), atom.aval.dtype, atom.aval.weak)
