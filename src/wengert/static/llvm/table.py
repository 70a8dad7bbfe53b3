"""The table of an entry: what the runtime's ``entry`` does for one program, as words.

Written operation by operation; ``runtime/entry.py`` says what the words mean. A table holds
addresses of objects of this process, which it keeps alive. Layer: ``static``.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .blueprint import NativeProgram
from .objects import slot_offset
from .runtime import entry as words
from .runtime import methods
from .runtime.library import address_of_function

FASTCALL = 0x80 | 0x02  # METH_FASTCALL with keywords
LINE = 64  # bytes: what the arena is aligned to
Builtin = Callable[..., Any]


class Method(ctypes.Structure):
    """CPython's ``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class Table:
    """Writes the table for ``program``, called with ``count`` arguments and keywords ``names``.

    The arguments stand in the first registers; ``register`` and ``owner`` give out others.
    """

    def __init__(self, program: NativeProgram, count: int, names: Sequence[str] = ()) -> None:
        self.program, self.count, self.names = program, count, tuple(names)
        self.frame = words.HEAD
        self.first = self.frame + len(program.template)
        self.registers = count + len(self.names)
        self.owned: list[int] = []
        self.records: list[bytes] = []
        self.keep: list[Any] = [program]
        self.constants: dict[int, int] = {}  # by address of the object: its register

    # --- places in the memory of a call ----------------------------------------------------------

    def argument(self, number: int) -> int:
        """The register of an argument, as an offset."""
        return self.first + 8 * number

    def register(self) -> int:
        """A register that borrows what it holds."""
        self.registers += 1
        return self.argument(self.registers - 1)

    def owner(self) -> int:
        """A register that owns what it holds."""
        self.owned.append(self.register())
        return self.owned[-1]

    def constant(self, value: Any) -> int:
        """The register that holds an object in every call."""
        address = self.object(value)
        if address not in self.constants:
            self.constants[address] = self.register()
        return self.constants[address]

    def slot(self, number: int) -> int:
        """A slot of the program's frame, as an offset."""
        return self.frame + 8 * number

    # --- words -----------------------------------------------------------------------------------

    def object(self, value: Any) -> int:
        """The address of an object, which is kept alive."""
        self.keep.append(value)
        return id(value)

    def operation(self, name: str, *operands: int) -> None:
        """Write an operation."""
        size = words.FIRST + 8 * len(operands)
        head = struct.pack("2q", address_of_function(name, "entry"), size)
        self.records.append(head + b"".join(_word(one) for one in operands))

    def entry(self, name: str, fallback: Builtin) -> Entry:
        """The builtin; ``fallback`` is called with the same arguments where an operation misses."""
        content = np.frombuffer(bytearray(b"".join(self.records) + bytes(8)), np.int64)
        make = Memory(self)
        table = np.zeros(words.TABLE_SIZE // 8 + len(self.owned), np.int64)
        for offset, value in (
            (words.OPERATIONS, content.ctypes.data),
            (words.FREE, make()),  # for one call at a time
            (words.MAKE, self.object(make)),
            (words.COUNT, self.count),
            (words.NAMES, self.object(self.names) if self.names else 0),
            (words.OWNED, len(self.owned)),
            (words.REGISTERS, self.first),
        ):
            table[offset // 8] = value
        table[words.TABLE_SIZE // 8 :] = self.owned
        return Entry(name, table, fallback, (content, self.keep))

    @property
    def size(self) -> int:
        """Bytes of the memory of a call before the arena."""
        return self.argument(self.registers)


def builtin(name: str, function: str, table: Any, *keep: Any) -> Builtin:
    """A builtin over a function of the runtime, which finds ``table`` behind its ``self``."""
    method = Method(name.encode(), address_of_function(function, "entry"), FASTCALL, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    made: Builtin = new(ctypes.addressof(method), (table, method, *keep), None)
    return made


def getter(name: str, fallback: Builtin) -> Builtin:
    """``__get__`` for a compiled function that objects hold, bound, under ``name``."""
    held: dict[int, Any] = {
        methods.GET_FALLBACK: fallback,
        methods.NAME: sys.intern(name),
        methods.NONE: None,
        methods.FUNCTION: sys.intern("function"),
        methods.METHOD: types.MethodType,
    }
    table = np.zeros(methods.GET_SIZE // 8, np.int64)
    for word, value in held.items():
        table[word // 8] = id(value)
    offset = slot_offset(types.MethodType, "__self__")
    assert offset is not None, "methods have no slot for their object"
    table[methods.INSTANCE // 8] = offset
    return builtin("__get__", "getter", table, held)


class Entry:
    """The builtin of a table: ``call``. It keeps alive all that the table names."""

    def __init__(self, name: str, table: Any, fallback: Builtin, keep: Any) -> None:
        self.table, self.after = table, [fallback]
        self.fall_back_to(fallback)
        self.call = builtin(name, "entry", table, self.after, keep)

    def fall_back_to(self, function: Builtin) -> None:
        """Let a call that is not for this entry go on elsewhere."""
        self.table[words.FALLBACK // 8] = id(function)
        self.after[0] = function

    def counted(self) -> int:
        """How many calls did not fall back since this was asked last."""
        count = int(self.table[words.REPLAYED // 8])
        self.table[words.REPLAYED // 8] -= count
        return count


class Memory:
    """Makes memory for a call, when one more is needed, and keeps it: ``make()`` is its address."""

    def __init__(self, table: Table) -> None:
        program = table.program
        self.frame, self.head = program.template, table.frame
        self.arena = -(-table.size // LINE) * LINE  # where it begins
        self.slots, self.bytes = program.arena_slots, self.arena + program.arena
        self.constants = dict(table.constants)
        self.made: list[Any] = []

    def __call__(self) -> int:
        block = np.empty(self.bytes + LINE, np.uint8)
        start = -block.ctypes.data % LINE
        memory = block[start:]
        memory[: self.arena] = 0
        address = memory.ctypes.data
        memory[self.head : self.head + len(self.frame)] = np.frombuffer(self.frame, np.uint8)
        frame = memory[self.head : self.head + len(self.frame)].view(np.int64)
        for slot in self.slots:
            frame[slot] += address + self.arena
        for held, register in self.constants.items():
            memory[register : register + 8].view(np.int64)[0] = held
        self.made.append(block)
        return int(address)


def _word(value: int) -> bytes:
    return struct.pack("q" if value < 0 else "Q", value)
