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
from ..views import is_cumulative, is_reduction
from .python_numbers import lower_python
from .registers import part_dtype
from .scalars import BOOL, DTYPES, Emitter, NotLowered, Scalar, register_type


def lower(emitter: Emitter, eqn: Equation, operands: Sequence[Scalar | None]) -> Scalar:
    """The output of ``eqn`` for one element; an operand is None where the input is a literal.

    Raises ``NotLowered`` with the reason.
    """
    rule, made = eqn.primitive.lower, eqn.outputs[0].aval
    if isinstance(rule, NoLowering):
        raise NotLowered(rule.why)
    if made.weak:
        return lower_python(
            emitter,
            eqn,
            [
                _operand(emitter, a, x, a.aval.dtype)
                for a, x in zip(eqn.inputs, operands, strict=True)
            ],
        )
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


def why_not(eqn: Equation, strict: bool) -> str:
    """Why ``eqn`` can't be lowered; empty if it can."""
    if len(eqn.outputs) != 1:
        return "it has several outputs"
    if isinstance(eqn.primitive.lower, NoLowering):
        return eqn.primitive.lower.why
    if is_reduction(eqn) or is_cumulative(eqn):
        return _why_not_along(eqn, strict)
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), []), "trial")
    emitter = Emitter(ir.IRBuilder(function.append_basic_block()), strict, lambda condition: None)
    try:
        lower(emitter, eqn, [_unknown(atom) for atom in eqn.inputs])
    except NotLowered as reason:
        return str(reason)
    return ""


def _why_not_along(eqn: Equation, strict: bool) -> str:
    """Of what goes along axes."""
    made = eqn.outputs[0].aval
    for atom in (*eqn.inputs, *eqn.outputs):
        if atom.aval.dtype not in DTYPES:
            return f"machine code knows no {atom.aval.dtype}"
    for atom in eqn.inputs:
        if not atom.aval.shape or isinstance(atom, Literal):
            return "of a number"
    if eqn.params.keys() - {"axis", "keepdims", "reverse", "absorbs"}:
        return "it has other parameters"
    if eqn.primitive.name == "recurrence" and made.dtype.kind not in "fc":
        return f"NumPy's own loop for {made.dtype}"
    if made.dtype.kind == "c" and strict and eqn.primitive.name not in ("sum", "cumsum"):
        return "NumPy's own bits"
    if eqn.primitive.name in ("sum", "prod", "cumsum", "cumprod") and made.dtype.kind in "fc":
        return "" if eqn.inputs[0].aval.dtype == made.dtype else "NumPy's own bits"
    return ""


def _unknown(atom: Any) -> Scalar | None:
    if isinstance(atom, Literal):
        return None
    dtype = atom.aval.dtype
    part = ir.Constant(register_type(dtype), ir.Undefined)
    value = (part, part) if part_dtype(dtype) != dtype else part
    return Scalar(value, dtype, atom.aval.weak)
