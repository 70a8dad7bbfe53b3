"""The discrete convolution of two sequences. Layer: ``static``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....core.program import Equation
from ..steps import Step
from . import CALLS, WHY_NOT, Given
from .walks import Pair, cast

NUMBERS = {"f4": "f32", "f8": "f64", "i4": "i32", "u4": "i32", "i8": "i64", "u8": "i64"}


def why_not(eqn: Equation, strict: bool) -> str:
    """Why a convolution can't be machine code."""
    dtype = eqn.outputs[0].aval.dtype
    if dtype.str[1:] not in NUMBERS:
        return f"convolutions of {dtype} are NumPy's"
    return "NumPy's own bits" if strict and dtype.kind == "f" else ""


def convolve(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """All of the longer sequence for each element of the shorter one: a loop that LLVM makes
    vectors of.
    """
    to, known = results[0]
    steps: list[Step] = []
    rows = [
        _row(one, atom, known.dtype, draft, steps)
        for one, atom in zip(operands, eqn.inputs, strict=True)
    ]
    rows.sort(key=lambda row: -len(row[1]))
    (a, long), (v, short) = rows
    code = f"convolve_{NUMBERS[known.dtype.str[1:]]}"
    yield from steps
    yield Step(code, (to, a, v), (len(long), len(short)), runtime=True)


def _row(given: Pair, atom: Any, dtype: Any, draft: Any, steps: list[Step]) -> Pair:
    """A sequence in one piece, as ``dtype``."""
    operand, view = cast(given, atom, dtype, draft, steps)
    if view.strides != (np.dtype(dtype).itemsize,):
        made, operand, view = draft.compact(operand, view)
        steps += made
    return operand, view


CALLS["convolve"] = convolve
WHY_NOT["convolve"] = why_not
