"""Ufuncs whose own loop is called by pointer, where no scalar description gives NumPy's bits.

NumPy resolves the dtypes and tells the loop; operands of other dtypes are cast first. Layer:
``static``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from ....core.primitive import REGISTRY
from ....core.program import Equation, Literal
from ..nest import nest_of
from ..scalars import DTYPES, NotLowered
from ..steps import GRAIN, Address, Operand, Step
from . import Given
from .walks import broadcast, cast, walking

TOLD = b"numpy_1.24_ufunc_call_info"  # what NumPy calls what it tells about a loop
NEEDS_PYTHON = 24  # the byte in it that says so
COSTLY = 8  # an element's work, in additions
# those of Python, which NumPy's numbers have of their own
OPERATORS = frozenset({"absolute", "add", "subtract", "multiply", "divide", "negative", "positive"})
OPERATORS |= {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}
WARNING = ("kn", "yn", "expn")  # SciPy's, of whole orders: they warn of others
KINDS = {"i": int, "f": float, "c": complex}


def why_not(eqn: Equation, strict: bool) -> str:
    """Why the loop of a ufunc can't be called."""
    try:
        dtypes = loop_dtypes(eqn)
    except NotLowered as reason:
        return str(reason)
    ufunc, made = eqn.primitive.ufunc, eqn.outputs[0].aval
    if made.weak or dtypes[-1] != made.dtype:
        return "Python's own arithmetic"
    if not DTYPES.issuperset(dtypes):
        return f"machine code knows no {made.dtype}"
    own = ufunc is np.power or (eqn.primitive.name in OPERATORS and dtypes[0].kind == "c")
    if strict and own and not made.shape:
        return "NumPy's own arithmetic of numbers"
    if ufunc is np.power and dtypes[0].kind == "i" and not _positive(eqn.inputs[1]):
        return "powers of integers may raise"
    if eqn.primitive.name in WARNING and dtypes[0].kind == "f":
        return "orders that are no integers"
    if _told(ufunc, _letters(dtypes)) is None:
        return "its loop needs Python"
    return ""


def _positive(exponent: Any) -> bool:
    return isinstance(exponent, Literal) and exponent.value >= 0


def loop_dtypes(eqn: Equation) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the loop that NumPy chooses, the result's last."""
    ufunc = eqn.primitive.ufunc
    if (ufunc.nin, ufunc.nout) != (len(eqn.inputs), 1) or eqn.params or ufunc.signature:
        raise NotLowered("no single loop")
    avals = [atom.aval for atom in eqn.inputs]
    asked = [KINDS[a.dtype.kind] if a.weak and a.dtype.kind in KINDS else a.dtype for a in avals]
    try:
        return tuple(ufunc.resolve_dtypes((*asked, None)))
    except TypeError as error:
        raise NotLowered(str(error)) from None


def _letters(dtypes: tuple[np.dtype[Any], ...]) -> str:
    return "".join(dtype.char for dtype in dtypes)


@cache
def _told(ufunc: Any, letters: str) -> tuple[int, Any] | None:
    """Where NumPy tells about the loop for dtypes, and what holds that; None if it needs Python."""
    _, holder = ufunc._resolve_dtypes_and_context(tuple(map(np.dtype, letters)))
    ufunc._get_strided_loop(holder)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = int(pointer(holder, TOLD))
    return None if ctypes.c_byte.from_address(address + NEEDS_PYTHON).value else (address, holder)


def address_of_loop(name: str) -> int:
    """Where NumPy tells about a loop: ``exp:ff`` is that of the primitive ``exp`` for float32."""
    primitive, _, letters = name.rpartition(":")
    if primitive not in REGISTRY:
        from ....ops import special  # noqa: F401
    told = _told(REGISTRY[primitive].ufunc, letters)
    assert told is not None
    return told[0]


def ufunc(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of a ufunc."""
    (to, known), dtypes = results[0], loop_dtypes(eqn)
    if not known.size:
        return
    steps: list[Step] = []
    given = [
        cast(one, atom, dtype, draft, steps)
        for one, atom, dtype in zip(operands, eqn.inputs, dtypes, strict=False)
    ]
    yield from steps
    rows = [known.strides, *(broadcast(view, known.shape) for _, view in given)]
    lengths, (own, *others) = nest_of(known.shape, rows)
    loop = Operand(Address(f"ufunc:{eqn.primitive.name}:{_letters(dtypes)}"))
    pointers = (loop, *(operand for operand, _ in given), to)
    strides, count = [*others, own], (len(rows),)
    yield walking("ufunc", pointers, (), lengths, strides, count, grain=GRAIN // COSTLY)
