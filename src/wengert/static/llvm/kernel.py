"""A kernel: a group of equations as one function that Python calls, made of LLVM's code.

``Draft`` is its text, for arguments of the types and the order in memory that were seen;
``make_kernels`` has the texts compiled and gives the builtins. Layer: ``static``.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ...core.aval import Aval, aval_of
from ...core.program import Atom, Program
from .entry import Entry
from .loops import Loops
from .machine import NAME, Code, compiled
from .objects import address_of
from .scalars import NotLowered

METH_FASTCALL = 0x80
Builtin = Callable[..., Any]


class Method(ctypes.Structure):
    """CPython's ``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class Draft:
    """The text of a kernel, what its table must hold, and how many arrays it keeps in between.

    ``program``: the group; ``known``: of each of its variables a value, or what lies in memory as
    it does: the kernel is made for arguments of the same types and order in memory, and gives
    results of theirs. Raises ``NotLowered`` where it can't be machine code.
    """

    def __init__(self, program: Program, known: Mapping[Atom, Any], strict: bool = False) -> None:
        for atom in (*program.inputs, *(var for eqn in program.equations for var in eqn.outputs)):
            _check_type(atom.aval, known[atom])
        module = ir.Module(NAME)
        loops = Loops(module, program, known, strict)
        work = sum(int(np.prod(eqn.outputs[0].aval.shape)) for eqn in program.equations)
        entry = Entry(module, program, loops, known, work)
        self.text, self.names, self.between = body_of(module), entry.names, len(loops.between)


def body_of(module: Any) -> str:
    """The text of a module without the lines that say for which machine it is."""
    lines = str(module).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("target ", ";")))


def _check_type(expected: Aval, value: Any) -> None:
    """Lengths that follow from values may be others than those recorded."""
    got = aval_of(value)
    if (expected.shape, expected.dtype) != (got.shape, got.dtype):
        raise NotLowered(f"{got} where {expected} was recorded")


def make_kernels(drafts: Sequence[Draft], fallbacks: Sequence[Builtin]) -> list[Builtin]:
    """A builtin for each draft; ``fallbacks`` run what a kernel was not made for."""
    codes = compiled([draft.text for draft in drafts])
    return [
        _bound(draft, code, address, fallback)
        for draft, (code, address), fallback in zip(drafts, codes, fallbacks, strict=True)
    ]


def _bound(draft: Draft, code: Code, address: int, fallback: Builtin) -> Builtin:
    """The builtin; its ``self`` keeps alive all that the machine code reads."""
    known = {"fallback": id(fallback)}
    words = [known.get(name) or address_of(name) for name in draft.names]
    table = struct.pack(f"{len(words)}Q", *words)
    method = Method(b"kernel", address, METH_FASTCALL, None)
    held = (table, method, code, fallback)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    made: Builtin = new(ctypes.addressof(method), held, None)
    return made
