"""What a call is looked over for, one thing a record: written as Python, and as operations of a
native entry.

A ``Look`` is a line of the checker (``checker.py``) that says where a call differs from the one
that was recorded, or reads the next object. Names are the checker's: ``t1`` for what it finds,
``k1`` for an object that it knows, and expressions of them. The native form is written into a
``NativeChecker`` (``llvm/checker.py``); what has none keeps a function's calls in Python. Layer:
``static``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .places import Place, Step

SIMPLE = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))


class NotNative(Exception):
    """A call can't be one of machine code; the text says why."""


class Native(Protocol):
    """What a look writes its native form into; see ``llvm/checker.py``."""

    def place(self, expression: str) -> int:
        """Where the object of an expression stands."""

    def object(self, value: Any) -> int:
        """The address of an object, which is kept alive."""

    def operation(self, name: str, *operands: int) -> None:
        """Write an operation."""

    def read(self, name: str, code: str, step: Step) -> None:
        """Find an object by one step from another."""

    def same_keys(self, name: str, keys: tuple[Any, ...], kind: type) -> None:
        """The keys of a dict, in their order."""

    def equal_bits(self, name: str, value: float | complex) -> None:
        """The very number."""


class Look:
    """One thing that is looked at."""

    __slots__ = ()

    @property
    def differs(self) -> str:
        """An expression that is true where the call is another."""
        raise NotImplementedError

    @property
    def line(self) -> str:
        """The line of the checker."""
        return f"if {self.differs}: return None"

    def native(self, into: Native) -> None:
        """Write the native form; raises ``NotNative`` if there is none."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class Read(Look):
    """``name = container[key]``, or an attribute: the next object."""

    name: str
    code: str
    text: str
    step: Step

    @classmethod
    def of(cls, name: str, place: Place) -> Read:
        """What stands at a place."""
        return cls(name, place.code, place.read, place.step)

    @property
    def line(self) -> str:
        return f"{self.name} = {self.text}"

    def native(self, into: Native) -> None:
        into.read(self.name, self.code, self.step)


@dataclass(slots=True, eq=False)
class Arguments(Look):
    """How many arguments there are, and the keywords in their order."""

    count: int
    keywords: tuple[str, ...]
    known: str

    @property
    def differs(self) -> str:
        names = _keys_differ("kwargs", self.keywords, self.known)
        return f"len(args) != {self.count} or {names}"

    def native(self, into: Native) -> None:
        """The entry counts them."""


@dataclass(slots=True, eq=False)
class Same(Look):
    """One object is another: ``other`` is an expression."""

    name: str
    other: str

    @property
    def differs(self) -> str:
        return f"{self.name} is not {self.other}"

    def native(self, into: Native) -> None:
        into.operation("check_same", into.place(self.name), into.place(self.other))


@dataclass(slots=True, eq=False)
class TypeIs(Look):
    """The very type of an object."""

    name: str
    kind: str

    @property
    def differs(self) -> str:
        return f"type({self.name}) is not {self.kind}"

    def native(self, into: Native) -> None:
        into.operation("check_type", into.place(self.name), into.place(self.kind))


@dataclass(slots=True, eq=False)
class OtherType(Look):
    """A type that an object must not have."""

    name: str
    kind: str

    @property
    def differs(self) -> str:
        return f"type({self.name}) is {self.kind}"

    def native(self, into: Native) -> None:
        into.operation("check_other_type", into.place(self.name), into.place(self.kind))


@dataclass(slots=True, eq=False)
class Size(Look):
    """How much is in a tuple, list or dict, whose type is known."""

    name: str
    size: int

    @property
    def differs(self) -> str:
        return f"len({self.name}) != {self.size}"

    def native(self, into: Native) -> None:
        into.operation("check_size", into.place(self.name), self.size)


@dataclass(slots=True, eq=False)
class Keys(Look):
    """The keys of a dict of a ``kind`` that is known, in their order."""

    name: str
    keys: tuple[Any, ...]
    known: str
    kind: type

    @property
    def differs(self) -> str:
        return _keys_differ(self.name, self.keys, self.known)

    def native(self, into: Native) -> None:
        into.same_keys(self.name, self.keys, self.kind)


def _keys_differ(name: str, keys: Sequence[Any], known: str) -> str:
    if not keys:
        return f"len({name}) != 0"
    return f"len({name}) != {len(keys)} or tuple({name}) != {known}"


@dataclass(slots=True, eq=False)
class Number(Look):
    """A Python number that is part of the program."""

    name: str
    value: int | float | complex

    @property
    def differs(self) -> str:
        name, value, kind = self.name, self.value, type(self.value).__name__
        if kind == "int" or (kind == "float" and value and math.isfinite(value)):  # type: ignore[arg-type]
            return f"type({name}) is not {kind} or {name} != {value!r}"
        # 0.0 and -0.0 are equal, and NaN is not
        return f"type({name}) is not {kind} or str({name}) != {str(value)!r}"

    def native(self, into: Native) -> None:
        if isinstance(self.value, int):
            known = into.object(self.value)
            into.operation("check_int_is", into.place(self.name), into.object(int), known)
        else:
            into.equal_bits(self.name, self.value)


@dataclass(slots=True, eq=False)
class Text(Look):
    """A string."""

    name: str
    value: str

    @property
    def differs(self) -> str:
        return f"{self.name} != {self.value!r} or type({self.name}) is not str"

    def native(self, into: Native) -> None:
        into.operation(
            "check_text", into.place(self.name), into.object(self.value), into.object(str)
        )


@dataclass(slots=True, eq=False)
class Equal(Look):
    """What is equal to an object that the checker knows: bytes, a slice, a set, parameters; its
    comparison runs no Python but where a set holds objects of other kinds.
    """

    name: str
    known: str
    value: Any

    @property
    def differs(self) -> str:
        return f"{self.name} != {self.known}"

    def native(self, into: Native) -> None:
        inside = self.value if isinstance(self.value, frozenset) else ()
        if not all(type(one) in SIMPLE for one in inside):
            raise NotNative("a set holds objects whose comparison runs Python")
        into.operation("check_equal", into.place(self.name), into.object(self.value))


@dataclass(slots=True, eq=False)
class ArrayLies(Look):
    """An array of a dtype, shape and order in memory."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    compact: bool

    @property
    def differs(self) -> str:
        """Each attribute costs the call 50 ns."""
        name, dtype = self.name, self.dtype
        laid_out = f"{name}.strides != {self.strides}"
        if self.compact:
            laid_out = f"not {name}.flags.carray and {laid_out}"
        return (
            f"{name}.__class__ is not ndarray or {name}.shape != {self.shape} or ({name}.dtype is "
            f"not {dtype} and {name}.dtype != {dtype}) or ({laid_out})"
        )

    def native(self, into: Native) -> None:
        """It is an input: the program's own check of that is as strict."""


@dataclass(slots=True, eq=False)
class Handle(Look):
    """An ``Array`` of the dynamic graph, with a node or without."""

    name: str
    active: bool

    @property
    def differs(self) -> str:
        node = "is None" if self.active else "is not None"
        return (
            f"type({self.name}) is not Array or {self.name}._owner is not ROOT "
            f"or {self.name}._node {node}"
        )

    def native(self, into: Native) -> None:
        into.operation(
            "check_type", into.place(self.name), into.place("Array")
        )  # before what reads in it
        owner, node = f"{self.name}._owner", f"{self.name}._node"
        into.operation("check_same", into.place(owner), into.place("ROOT"))
        check = "check_other" if self.active else "check_same"
        into.operation(check, into.place(node), into.place("None"))


@dataclass(slots=True, eq=False)
class CodeIs(Look):
    """A function of a certain code."""

    name: str
    code: str

    @property
    def differs(self) -> str:
        return f"type({self.name}) is not FunctionType or {self.name}.__code__ is not {self.code}"

    def native(self, into: Native) -> None:
        into.operation("check_type", into.place(self.name), into.place("FunctionType"))
        into.operation("check_same", into.place(f"{self.name}.__code__"), into.place(self.code))


@dataclass(slots=True, eq=False)
class Empty(Look):
    """A dict without content: an expression."""

    name: str

    @property
    def differs(self) -> str:
        return self.name

    def native(self, into: Native) -> None:
        into.operation("check_size", into.place(self.name), 0)


@dataclass(slots=True, eq=False)
class Otherwise(Look):
    """What only Python can look at; ``why`` says what that is."""

    expression: str
    why: str

    @property
    def differs(self) -> str:
        return self.expression

    def native(self, into: Native) -> None:
        raise NotNative(self.why)
