"""A small typed subset of Python, translated to LLVM's text: the language of the runtime.

What every compiled program needs (to check arguments, to call one step after another, to hand work
to another thread) is the same for all of them. It is written once, as functions that read like C::

    @low
    def total(x: ptr, count: i64) -> f64:
        result = 0.0
        for i in range(count):
            result += load(f64, x, 8 * i)
        return result

``translation.py`` gives the text of a module. Types: ``i8 i16 i32 i64 f32 f64 ptr``, and
conditions. A variable has the type of what it is first assigned; an integer that is written out
takes the type of what it meets, else it is ``i64``. ``//`` and ``%`` round toward zero, ``>>``
keeps the sign. There are ``if``, ``while``, ``for … in range(…)``, calls of other such functions,
and of the words below; names of the module that stand for numbers are constants. Functions of C
are declared by ``extern``. Layer: ``static``.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

# to a type checker the types are Python's
i8: TypeAlias = int
i16: TypeAlias = int
i32: TypeAlias = int
i64: TypeAlias = int
ptr: TypeAlias = int
f32: TypeAlias = float
f64: TypeAlias = float
TYPES = {one: one for one in ("i8", "i16", "i32", "i64", "ptr")}
TYPES |= {"f32": "float", "f64": "double"}
PREFIX = "wengert_"  # of the names in the machine code


@dataclass(eq=False)
class Low:
    """A function of the language, with the types that names stand for in it; ``name`` is its name
    in the machine code.
    """

    function: Callable[..., Any]
    types: dict[str, str]

    @cached_property
    def tree(self) -> ast.FunctionDef:
        """Its syntax."""
        source = textwrap.dedent(inspect.getsource(self.function))
        (tree,) = ast.parse(source).body
        assert isinstance(tree, ast.FunctionDef)
        return tree

    @property
    def name(self) -> str:
        """Its name in the machine code."""
        return "_".join([PREFIX + self.function.__name__.strip("_"), *self.types.values()])

    @cached_property
    def result(self) -> str:
        """The type of what it gives; ``void`` if nothing."""
        return self.type_of(self.tree.returns)

    @cached_property
    def arguments(self) -> list[tuple[str, str]]:
        """Names and types."""
        return [(one.arg, self.type_of(one.annotation)) for one in self.tree.args.args]

    def type_of(self, node: ast.expr | None) -> str:
        """LLVM's type for an annotation; ``void`` for None."""
        name = "None" if node is None else ast.unparse(node)
        return TYPES.get(self.types.get(name, name), "void")

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.function.__name__} is for machine code, to be called there")


def low(function: Callable[..., Any]) -> Low:
    """Marks a function of the language."""
    return Low(function, {})


def typed(function: Callable[..., Any], **types: str) -> Low:
    """A function of the language for certain types: ``typed(dot, real="f32")`` where ``real`` is
    written for the type of the elements. A plain function that it calls is written for the same.
    """
    return Low(function, types)


@dataclass(frozen=True)
class Extern:
    """A function of C by the name of its symbol."""

    name: str
    result: str
    arguments: tuple[str, ...]

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.name} is for machine code")


def extern(name: str, result: str, *arguments: str) -> Extern:
    """Declares a function of C: ``extern("free", "void", "ptr")``."""
    return Extern(name, TYPES.get(result, result), tuple(TYPES[one] for one in arguments))


def word(*args: Any) -> Any:
    raise TypeError("a word of the language of the runtime: for machine code only")


# words: load(type, pointer, offset=0), store(type, value, pointer, offset=0); cast(type, x) keeps
# the value, unsigned(type, x) widens without the sign, bits(type, x) keeps the bits; call(type,
# address, …); stack(bytes); below(a, b): a < b without signs; copy(to, from, bytes); address(low);
# sizeof(type): bytes
load = store = cast = unsigned = bits = call = stack = below = copy = address = sizeof = word
# for threads: all sequentially consistent; swapped(pointer, old, new): whether an i32 was exchanged
atomic_load = atomic_store = atomic_add = swapped = pause = word
