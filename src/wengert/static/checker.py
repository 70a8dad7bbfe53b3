"""The checker: Python source, written while a function is looked over, that a later call runs to
find out whether everything is as it was.

Each line compares one thing and gives up where it differs; what it finds on its way are the values
of the inputs. Layer: ``static``.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..differentiate.dynamic import ROOT
from ..differentiate.tape import Leaf
from ..ops.array import Array, View
from .looks import Look, Read
from .places import Field
from .sharing import Writeable, overlapping

if TYPE_CHECKING:
    from .reach import Input

Checker = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Watched(NamedTuple):
    """What a native entry must look at: see ``Source``. It holds nothing of the call itself.

    Attributes:
        looks: in their order.
        inputs: of each its kind, the name of the object that stands there, and of its plain value.
        constants: objects by name.
        positional, keywords: how many arguments, and the names of others.
    """

    looks: list[Look]
    inputs: list[tuple[str, str, str]]
    constants: dict[str, Any]
    positional: int
    keywords: tuple[str, ...]


class Source:
    """The lines of a checker, and the objects that they name.

    ``looks``; ``aliasing``: those that matter only where something is written; ``constants``: the
    objects; ``objects``: what the local names stand for in the call that is looked over.
    """

    inputs: list[Input]

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.looks: list[Look] = []
        self.aliasing: list[Look] = []
        self.constants: dict[str, Any] = {}
        self.objects: dict[str, Any] = {"args": args, "kwargs": kwargs}
        self.numbers: dict[str, tuple[int, Any]] = {}  # path: look, value; of fixed numbers
        self._named: dict[int, str] = {}
        self._count = 0

    def new(self, value: Any) -> str:
        """A local name for ``value``."""
        self._count += 1
        name = f"t{self._count}"
        self.objects[name] = value
        return name

    def look(self, *looks: Look) -> None:
        """What is looked at next."""
        self.looks += looks

    def attribute(self, name: str, key: str) -> str:
        """The name of what stands in an attribute of what ``name`` stands for."""
        holder = self.objects[name]
        place = Field(holder, key, "", name)
        found = self.new(getattr(holder, key))
        self.look(Read.of(found, place))
        return found

    def constant(self, value: Any) -> str:
        """The checker's name for an object."""
        known = self._named.get(id(value))
        if known is None:
            known = self._named[id(value)] = f"k{len(self.constants)}"
            self.constants[known] = value
        return known

    def checker(
        self,
        targets: Iterable[str] = (),
        handles: bool = False,
        writes: bool = True,
        written: Iterable[str] = (),
    ) -> Checker:
        """A function of ``(args, kwargs)``: None where anything differs, else the plain values of
        the inputs (with ``handles`` the ``Array`` itself where it has a graph), and the objects
        that ``targets`` write. ``writes``: whether it matters which arrays share memory;
        ``written``: those of NumPy's that must be writeable.
        """
        return self._compiled(self._all(writes, written), targets, handles)

    def watched(self, writes: bool, written: Iterable[str]) -> Watched:
        """The same for a native entry."""
        return Watched(
            self._all(writes, written),
            [(one.kind, one.name, one.held) for one in self.inputs],
            self.constants,
            len(self.objects["args"]),
            tuple(self.objects["kwargs"]),
        )

    def _all(self, writes: bool, written: Iterable[str]) -> list[Look]:
        writeable = [Writeable(name) for name in sorted(written)]
        return [*self.looks, *(self.aliasing if writes else ()), *writeable]

    def getter(self, targets: Iterable[str] = ()) -> Checker:
        """As ``checker``, but nothing is checked: for arguments that are handles themselves."""
        return self._compiled([one for one in self.looks if isinstance(one, Read)], targets, True)

    def _compiled(self, looks: Sequence[Look], targets: Iterable[str], handles: bool) -> Checker:
        values = "".join(
            f"{one.name if handles and one.active else one.held}, " for one in self.inputs
        )
        body = "\n        ".join([one.line for one in looks] or ["pass"])
        source = (
            f"def check(args, kwargs):\n    try:\n        {body}\n"
            "    except (KeyError, IndexError, AttributeError, ValueError, TypeError):\n"
            f"        return None\n    return ({values}), ({''.join(f'{t}, ' for t in targets)})\n"
        )
        namespace = {**self.constants, **KNOWN}
        exec(compile(source, "<checker>", "exec"), namespace)
        return namespace["check"]  # type: ignore[no-any-return]

    def targets(self, expressions: Iterable[str]) -> list[Any]:
        """The objects that expressions of the checker stand for, now."""
        known = self.constants | self.objects
        found = []
        for one in expressions:
            name, _, attribute = one.partition(".")
            if name in known and (not attribute or attribute.isidentifier()):
                found.append(getattr(known[name], attribute) if attribute else known[name])
            else:
                found.append(eval(one, known.copy()))
        return found

    def key(self) -> tuple[Any, ...]:
        """What distinguishes this reach from others, the values of fixed numbers left out."""
        skip = {number for number, _ in self.numbers.values()}
        lines = tuple([one.line for i, one in enumerate(self.looks) if i not in skip])
        aliasing = [one.line for one in self.aliasing]
        return (*lines, *aliasing), tuple(map(_identity, self.constants.values()))


KNOWN = {
    "Array": Array,
    "FunctionType": types.FunctionType,
    "Leaf": Leaf,
    "MethodType": types.MethodType,
    "ROOT": ROOT,
    "View": View,
    "overlapping": overlapping,
    "ndarray": np.ndarray,
}


def _identity(value: Any) -> Any:
    """Equal tuples of keys and types are one; other objects are themselves."""
    if isinstance(value, tuple | frozenset | np.dtype | str):
        try:
            hash(value)
        except TypeError:
            return id(value)
        return value
    return id(value)


def literal(value: Any) -> str:
    """The expression that ``repr`` gives, if it is one for ``value``; else nothing."""
    text = repr(value)
    try:
        return text if eval(text) == value else ""
    except (SyntaxError, NameError, ValueError):
        return ""
