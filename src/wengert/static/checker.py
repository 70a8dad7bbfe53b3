"""The checker: Python source, written while a function is looked over, that a later call runs to
find out whether everything is as it was.

Each line compares one thing and gives up where it differs; what it finds on its way are the values
of the inputs. Layer: ``static``.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..differentiate.dynamic import ROOT
from ..differentiate.tape import Leaf
from ..ops.array import Array, View

if TYPE_CHECKING:
    from .reach import Input

Checker = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Source:
    """The lines of a checker, and the objects that they name.

    ``lines``; ``aliasing``: lines that matter only where something is written; ``constants``: the
    objects; ``objects``: what the local names stand for in the call that is looked over.
    """

    inputs: list[Input]

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.aliasing: list[str] = []
        self.constants: dict[str, Any] = {}
        self.objects: dict[str, Any] = {"args": args, "kwargs": kwargs}
        self.numbers: dict[str, tuple[int, Any]] = {}  # path: line, value; of fixed numbers
        self._named: dict[int, str] = {}
        self._count = 0

    def new(self, value: Any) -> str:
        """A local name for ``value``."""
        self._count += 1
        name = f"t{self._count}"
        self.objects[name] = value
        return name

    def line(self, differs: str) -> None:
        """A difference that ends the check: an expression."""
        self.lines.append(f"if {differs}: return None")

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
        lines = self.lines + (self.aliasing if writes else [])
        lines += [f"if not {name}.flags.writeable: return None" for name in sorted(written)]
        return self._compiled(lines, targets, handles)

    def getter(self, targets: Iterable[str] = ()) -> Checker:
        """As ``checker``, but nothing is checked: for arguments that are handles themselves."""
        lines = [line for line in self.lines if not line.startswith("if ")]
        return self._compiled(lines, targets, True)

    def _compiled(self, lines: Sequence[str], targets: Iterable[str], handles: bool) -> Checker:
        values = "".join(
            f"{one.name if handles and one.active else one.read}, " for one in self.inputs
        )
        body = "\n        ".join(lines or ["pass"])
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
        skip = {line for line, _ in self.numbers.values()}
        lines = tuple(line for i, line in enumerate(self.lines) if i not in skip)
        return (*lines, *self.aliasing), tuple(map(_identity, self.constants.values()))


def overlapping(arrays: Sequence[np.ndarray[Any, Any]]) -> frozenset[tuple[int, int]]:
    """The pairs of arrays that share memory, by number; exact where that is quick to say."""
    return frozenset(
        (i, k)
        for k, b in enumerate(arrays)
        for i, a in enumerate(arrays[:k])
        if np.may_share_memory(a, b) and _share(a, b)
    )


def _share(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=1000)  # type: ignore[arg-type]
    except (np.exceptions.TooHardError, MemoryError):
        return True


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
