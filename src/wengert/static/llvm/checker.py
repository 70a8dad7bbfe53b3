"""The checker of a call as operations of a native entry: ``static/looks.py`` says what it looks at.

``Checks`` is the table of an entry that finds the objects of the checker's names one from another,
each in a register of its own. Layer: ``static``.
"""

from __future__ import annotations

import gc
import struct
import types
from typing import Any

from ...core.box import Box
from ...differentiate.tape import Node
from ...ops.array import View
from ..checker import KNOWN, Watched
from ..looks import NotNative
from ..places import Step
from .blueprint import NativeProgram
from .objects import slot_offset
from .table import Table

ATTRIBUTES: dict[str, type] = {  # of expressions, with the class that has them
    "__closure__": types.FunctionType,
    "__code__": types.FunctionType,
    "_forward": View,
    "_node": Box,
    "_owner": Box,
    "_value": Box,
    "hooks": Node,
}
READS = (("read_tuple", tuple), ("read_list", list), ("read_key", dict))
PLAIN_KEYS = (str, int, bool, type(None))
IN_C = (types.GetSetDescriptorType, types.MemberDescriptorType)


class Checks(Table):
    """Writes what is to be looked at; ``watched`` says what that is."""

    def __init__(self, program: NativeProgram, watched: Watched) -> None:
        super().__init__(program, watched.positional, watched.keywords)
        self.watched = watched
        self.known = {**KNOWN, "None": None, "True": True, "False": False, **BUILTIN_TYPES}
        self.known.update(watched.constants)
        self.places: dict[str, int] = {}

    def write(self) -> None:
        """All looks. Raises ``NotNative``."""
        for look in self.watched.looks:
            look.native(self)

    # --- objects ---------------------------------------------------------------------------------

    def place(self, expression: str) -> int:
        """Where the object of an expression stands: found when it is asked for first."""
        if expression not in self.places:
            self.places[expression] = self._find(expression)
        return self.places[expression]

    def _find(self, expression: str) -> int:
        if expression in self.known:
            return self.constant(self.known[expression])
        if expression.endswith("]"):
            holder, _, number = expression[:-1].rpartition("[")
            return self._read("read_tuple", holder, int(number))
        holder, _, attribute = expression.rpartition(".")
        if attribute == "__dict__":
            return self._read("read_dict", holder)
        kind = ATTRIBUTES.get(attribute)
        offset = None if kind is None else slot_offset(kind, attribute)
        if offset is None:
            raise NotNative(f"{expression} can't be followed")
        return self._read("read_slot", holder, offset)

    def _read(self, name: str, holder: str, *operands: int) -> int:
        place, register = self.place(holder), self.register()
        self.operation(name, register, place, *operands)
        return register

    def read(self, name: str, code: str, step: Step) -> None:
        """Find an object by one step from another."""
        if code == "args":
            self.places[name] = self.argument(step.key)
        elif code == "kwargs":
            self.places[name] = self.argument(self.count + self.names.index(step.key))
        elif step.kind == "item":
            self.places[name] = self._item(code, step)
        elif step.kind == "class":
            (held,) = gc.get_referents(vars(self.known[code]))  # the dict behind the proxy
            register = self.register()
            self.operation("read_key", register, self.constant(held), self.object(step.key))
            self.places[name] = register
        else:
            key = step.key if step.kind == "attribute" else "cell_contents"
            self.places[name] = self._attribute(code, step.of, key)

    def _item(self, code: str, step: Step) -> int:
        for name, kind in READS:
            if issubclass(step.of, kind) and step.of.__getitem__ is kind.__getitem__:
                if kind is not dict:
                    return self._read(name, code, step.key)
                if type(step.key) in PLAIN_KEYS:
                    return self._read(name, code, self.object(step.key))
        raise NotNative(f"an item of a {step.of.__name__}")

    def _attribute(self, code: str, kind: type, key: str) -> int:
        offset = slot_offset(kind, key)
        if offset is not None:
            return self._read("read_slot", code, offset)
        found = next((vars(base)[key] for base in kind.__mro__ if key in vars(base)), None)
        own: Any = kind.__getattribute__
        if type(found) not in IN_C or own is not object.__getattribute__:
            raise NotNative(f"attribute {key} of a {kind.__name__}")
        place, register = self.place(code), self.owner()
        self.operation("read_attribute", register, place, self.object(key))
        return register

    # --- what it must be -------------------------------------------------------------------------

    def same_keys(self, name: str, keys: tuple[Any, ...], kind: type) -> None:
        """The keys of a dict, in their order."""
        if kind.__iter__ is not dict.__iter__ or kind.__len__ is not dict.__len__:  # type: ignore[attr-defined]
            raise NotNative(f"the keys of a {kind.__name__}")
        if not all(type(key) in PLAIN_KEYS for key in keys):
            raise NotNative("a dict with other keys than strings")
        known = [self.object(key) for key in keys]
        self.operation("check_keys", self.place(name), len(keys), *known)

    def equal_bits(self, name: str, value: float | complex) -> None:
        """The very number."""
        numbers = (value,) if isinstance(value, float) else (value.real, value.imag)
        words = [struct.unpack("q", struct.pack("d", one))[0] for one in numbers]
        kind = self.object(type(value))
        self.operation("check_bits", self.place(name), kind, len(words), *words)


BUILTIN_TYPES: dict[str, Any] = {kind.__name__: kind for kind in (bool, complex, float, int)}
