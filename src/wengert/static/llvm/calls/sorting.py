"""Orders and positions: NumPy's own sort by pointer, and a search by halving. Layer: ``static``."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from ....core.program import Equation, Literal
from ..nest import nest_of
from ..objects import numpy_api
from ..steps import Address, Operand, Step
from . import CALLS, WHY_NOT, Given
from .walks import cast, merged, walking

FUNCTIONS = 365  # in NumPy's C API: _PyDataType_GetArrFuncs
ARGSORTS = 36  # the words before those of argsort in what that gives
KINDS = {"quicksort": 0, "stable": 2, "mergesort": 2}
POSITION = np.dtype(np.int64)
SORTED = {"f": "f32", "d": "f64"}


def _kind(eqn: Equation) -> str:
    """Which of NumPy's sorts an equation asks for."""
    stable = eqn.params.get("stable")
    return "stable" if stable else (eqn.params.get("kind") or "quicksort")


@cache
def address_of_argsort(name: str) -> int:
    """NumPy's function by dtype and kind, ``d:quicksort``; 0 where it is not found, or does not do
    what it should.
    """
    letter, _, kind = name.partition(":")
    if np.lib.NumpyVersion(np.__version__) < "2.0.0" or kind not in KINDS:
        return 0
    find = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(numpy_api()[FUNCTIONS])
    table = (ctypes.c_size_t * (ARGSORTS + 3)).from_address(find(np.dtype(letter)))
    address = int(table[ARGSORTS + KINDS[kind]])
    return address if address and _sorts(address, letter) else 0


def _sorts(address: int, letter: str) -> bool:
    """Whether a function sorts three numbers."""
    word = ctypes.c_void_p
    function = ctypes.CFUNCTYPE(ctypes.c_int, word, word, ctypes.c_ssize_t, word)(address)
    values, order = np.array([1, 0, 1]).astype(letter), np.arange(3)
    code = function(values.ctypes.data, order.ctypes.data, 3, None)
    return code == 0 and int(order[0]) == 1


def why_not_argsort(eqn: Equation, strict: bool) -> str:
    """Why an order can't be found in machine code."""
    x = eqn.inputs[0]
    if isinstance(x, Literal) or not x.aval.shape or eqn.params["axis"] is None:
        return "of a number, or of all axes as one"
    if not address_of_argsort(f"{x.aval.dtype.char}:{_kind(eqn)}"):
        return "NumPy's sort is not found"
    return ""


def argsort(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The positions that sort along an axis."""
    (source, view), (to, known) = operands[0], results[0]
    if not known.size:
        return
    axis = eqn.params["axis"]
    rows = np.moveaxis(known, axis, -1), np.moveaxis(view, axis, -1)
    length, size = view.shape[axis], view.itemsize
    lengths, strides = nest_of(rows[0].shape[:-1], [one.strides[:-1] for one in rows])
    function = Operand(Address(f"argsort:{view.dtype.char}:{_kind(eqn)}"))
    given = (to, source, draft.scratch(8 * length), draft.scratch(size * length), function)
    before = (length, size, rows[0].strides[-1], rows[1].strides[-1])
    yield walking("argsort", given, before, lengths, strides)


def why_not_searched(eqn: Equation, strict: bool) -> str:
    """Why positions can't be searched in machine code."""
    a, v = (atom.aval for atom in eqn.inputs)
    if a.weak or v.weak:
        return "Python's own numbers"
    dtype = np.result_type(a.dtype, v.dtype)
    if dtype.kind not in "biuf" or dtype.char in "eg" or dtype == np.dtype(np.uint64):
        return f"no search among {dtype}"
    return ""


def searchsorted(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """Where numbers would stand in sorted rows."""
    to, known = results[0]
    if not known.size:
        return
    steps: list[Step] = []
    common = np.result_type(*(view.dtype for _, view in operands))
    dtype = common if common.char in SORTED else POSITION
    (rows, a), (source, v) = (
        cast(one, atom, dtype, draft, steps) for one, atom in zip(operands, eqn.inputs, strict=True)
    )
    yield from steps
    stacked = eqn.params.get("stacked", 0)
    around = (*a.strides[:stacked], *(0,) * (v.ndim - stacked))
    axes = merged(known.shape, [known.strides, v.strides, around])
    before = (a.shape[stacked], a.strides[stacked], int(eqn.params["side"] == "right"))
    code = f"searchsorted_{SORTED.get(dtype.char, 'i64')}"
    yield walking(code, (to, source, rows), before, *axes)


CALLS.update(argsort=argsort, searchsorted=searchsorted)
WHY_NOT.update(argsort=why_not_argsort, searchsorted=why_not_searched)
