"""What a function reaches: its arguments, closure, defaults, globals, and the objects behind them.

``Reach`` walks it once for each recording and writes down three things: the *checker*, Python
source that finds out for a later call whether everything is as it was, and gets the arrays; the
*inputs*, arrays and numbers that become variables of the program; and the *places* where anything
stands, to be compared with what the function leaves there. Functions, tuples, lists and dicts are
followed by structure, other objects by identity. Layer: ``static``.
"""

from __future__ import annotations

import inspect
import random
import types
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..core.box import Box
from ..core.primitive import Primitive
from ..core.program import Program
from ..differentiate.dynamic import ROOT
from ..differentiate.tape import Leaf
from ..ops.array import View
from . import objects
from .checker import Source, literal
from .code import users_class
from .looks import (
    Arguments,
    ArrayLies,
    Empty,
    Equal,
    Handle,
    Keys,
    Look,
    Number,
    OtherType,
    Otherwise,
    Read,
    Same,
    Size,
    Text,
    TypeIs,
)
from .places import MISSING, OWN, ClassField, Element, Field, Item, Place
from .refusal import Refused, Transformed
from .sharing import Distinct, Overlaps, Unbased, overlapping

LIMIT = 20_000  # places; what reaches further is no function to compile
SIMPLE = (str, bytes, type(None), bool, type(Ellipsis), slice, range, type(NotImplemented))
NUMBERS = (int, float, complex)
OPAQUE = (Primitive, Program, types.BuiltinFunctionType, np.ufunc, np.dtype, property)
GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)


BEHIND: tuple[tuple[Any, Callable[..., None]], ...] = (
    (types.FunctionType, objects.function),
    (types.MethodType, objects.method),
    (partial, objects.partial_of),
    (type, objects.class_of),
    (types.ModuleType, objects.opaque),
    (OPAQUE, objects.opaque),
)


class Input(NamedTuple):
    """A variable of the program: ``kind`` is ``plain``, ``array`` or ``number``; ``name``: what the
    checker calls the object that stood at ``place`` first, ``held``: its plain value.
    """

    kind: str
    name: str
    place: Place
    object: Any
    held: str

    @property
    def path(self) -> str:
        """What the user calls it."""
        return self.place.path

    @property
    def active(self) -> bool:
        """Whether the dynamic graph records what depends on it."""
        return self.kind == "array" and self.object._node is not None

    @property
    def value(self) -> Any:
        """Its plain value now."""
        return self.object._value if self.kind == "array" else self.object


class Reach(Source):
    """What ``function(*args, **kwargs)`` reaches.

    Args:
        function, args, kwargs: the call.
        dynamic: paths of Python numbers that are variables; others are fixed.
        fixed: paths of numbers that must not be variables.

    Raises ``Refused``, ``Transformed``.
    """

    def __init__(
        self,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        dynamic: Iterable[str] = (),
        fixed: Iterable[str] = (),
    ) -> None:
        super().__init__(args, kwargs)
        self.args, self.kwargs = args, kwargs
        self.dynamic, self.fixed = frozenset(dynamic), frozenset(fixed)
        self.inputs: list[Input] = []
        self.views: list[tuple[View, str]] = []
        self.places: list[tuple[Place, Any]] = []
        self.structures: list[tuple[str, Any, Any]] = []  # path, list or dict, what it held
        self.generators: list[tuple[str, Any]] = []
        self.asking: list[tuple[dict[str, Any], str]] = []  # globals of code that asks for types
        self.instances: list[tuple[Any, str, str, dict[str, Any], set[str]]] = []
        self.scratch: dict[int, Any] = {}  # of an object's dict: attributes that are no state
        self.methods: list[tuple[type, str, Any]] = []
        self.attributes: set[str] = set()
        self.everything = False  # the code reads attributes by computed names
        self._seen: dict[int, str] = {}
        self.globals: set[tuple[int, str]] = set()
        self.classes: set[type] = set()
        self.containers: list[str] = []  # names of those that are followed by structure
        self.overlaps: frozenset[tuple[int, int]] = frozenset()  # of the inputs, by number
        self._keep: list[Any] = []
        self._walk(function)

    # --- the walk --------------------------------------------------------------------------------

    def _walk(self, function: Any) -> None:
        keywords = tuple(self.kwargs)
        self.look(Arguments(len(self.args), keywords, self.constant(keywords)))
        for i in range(len(self.args)):
            self.visit(Element(self.args, i, f"argument {i}", "args"))
        for key in self.kwargs:
            self.visit(Item(self.kwargs, key, f"argument {key}", "kwargs"))
        self._root(function)
        progress = True
        while progress:  # an object's attributes count where reached code names them
            progress = False
            for object, code, path, content, done in self.instances:
                scratch = getattr(type(object), "__wengert_scratch__", ())
                for key in list(content):
                    own = type(key) is not str or key.startswith(OWN)
                    if own or key in done or key in scratch:
                        continue
                    if self._matters(object, key):
                        done.add(key)
                        progress = True
                        self.visit(Item(content, key, f"{path}.{key}", code))

        for kind, key, content in self.methods:
            if key in self.attributes or key.startswith("__"):
                place = ClassField(kind, key, "", self.constant(kind))
                held = self.new(content)
                self.look(Read.of(held, place), Same(held, self.constant(content)))
        self._compare_memory()

    def _compare_memory(self) -> None:
        """Which inputs and containers are one object, and which inputs share memory; that must be
        the same again.
        """
        arrays = [one for one in self.inputs if one.kind != "number"]
        distinct = (*(one.name for one in arrays), *self.containers)
        if len(distinct) > 1:
            self.aliasing.append(Distinct(distinct))
        plain = [one for one in arrays if one.kind == "plain"]
        names = tuple([one.name for one in plain])
        if len(arrays) < 2 or not plain:
            return
        if all(one.object.base is None for one in plain):
            self.aliasing.append(Unbased(names))
            return
        self.overlaps = overlapping([one.object for one in plain])
        self.aliasing.append(Overlaps(names, self.constant(self.overlaps), self.overlaps))

    def _root(self, function: Any) -> None:
        """The function itself, which is what it is."""
        if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
            raise Refused("its body runs after the call: it is a generator or a coroutine")
        if isinstance(function, types.FunctionType):
            objects.inside(self, function, self.constant(function))
        else:
            self.value(function, self.constant(function), Element((function,), 0, "", ""))

    def _matters(self, object: Any, key: str) -> bool:
        everything = self.everything or not users_class(type(object))  # type: ignore[arg-type]
        return everything or key in self.attributes

    def visit(self, place: Place) -> None:
        """Note a place, and what stands there."""
        value = place.get()
        if len(self.places) > LIMIT:
            raise Refused(f"it reaches more than {LIMIT} values ({place.path} is one)")
        self.places.append((place, value))
        if value is MISSING:
            return
        name = self.new(value)
        self.look(Read.of(name, place))
        self.value(value, name, place)

    def value(self, value: Any, name: str, place: Place) -> None:
        """Write down what the checker is to find under ``name``, and what is behind it."""
        kind = type(value)
        if isinstance(value, np.generic) and value.dtype.kind in "biufc":
            self._input("number", name, place, value, TypeIs(name, self.constant(kind)))
            return
        if kind in NUMBERS:
            self._number(value, name, place)
            return
        if isinstance(value, SIMPLE):
            self._simple(value, name)
            return
        known = self._seen.get(id(value))
        if known is not None:
            self.look(Same(name, known))
            return
        self._seen[id(value)] = name
        self._keep.append(value)
        self._kind_of(value)(value, name, place)

    def _kind_of(self, value: Any) -> Callable[[Any, str, Place], None]:
        """What to do with a value that has an identity."""
        if isinstance(value, np.ndarray):
            return self._plain
        if isinstance(value, Box):
            return self._view if isinstance(value, View) else self._array
        if isinstance(value, GENERATORS):
            return self._generator
        for kinds, method in (
            (tuple, self._tuple),
            (list | deque, self._list),
            (dict, self._dict),
            ((set, frozenset), self._set),
        ):
            if isinstance(value, kinds):
                return method
        for kinds, function in BEHIND:
            if isinstance(value, kinds):
                return partial(function, self)
        return partial(objects.object_of, self)

    # --- leaves ----------------------------------------------------------------------------------

    def _input(
        self, kind: str, name: str, place: Place, value: Any, look: Look, held: str = ""
    ) -> None:
        self.look(look)
        self.inputs.append(Input(kind, name, place, value, held or name))

    def _number(self, value: Any, name: str, place: Place) -> None:
        """A Python number: floats among the arguments are variables, others from their second value
        on.
        """
        path, kind = place.path, type(value).__name__
        argument = path.startswith("argument ") and kind != "int"
        if (argument or path in self.dynamic) and path not in self.fixed:
            self._input("number", name, place, value, TypeIs(name, kind))
            return
        self.numbers[path] = len(self.looks), value
        self.look(Number(name, value))

    def _simple(self, value: Any, name: str) -> None:
        if value is None or isinstance(value, bool):
            self.look(Same(name, repr(value)))
        elif type(value) is str:
            self.look(Text(name, value))
        else:
            self.look(Equal(name, self.constant(value), value))

    def _plain(self, value: np.ndarray[Any, Any], name: str, place: Place) -> None:
        if type(value) is not np.ndarray:
            raise Refused(f"{place.path} is a {type(value).__name__}, not a plain array")
        if value.dtype.kind not in "biufc":
            if value.size > 1000:
                raise Refused(f"{place.path} is a large array of dtype {value.dtype}")
            same = self.constant(partial(np.array_equal, value.copy()))
            self.look(Otherwise(f"not {same}({name})", f"{place.path} holds {value.dtype}"))
            return
        self._input("plain", name, place, value, self._lies(name, value))

    def _lies(self, name: str, value: np.ndarray[Any, Any]) -> ArrayLies:
        """An array of the same type and layout."""
        dtype, compact = self.constant(value.dtype), value.flags.carray
        return ArrayLies(name, dtype, value.shape, value.strides, compact)

    def _array(self, value: Any, name: str, place: Place) -> None:
        if value._owner is not ROOT:
            raise Transformed
        node, inner = value._node, value._value
        self.look(Handle(name, node is not None))
        held = self.attribute(name, "_value")
        look: Look
        if type(inner) is np.ndarray:
            look = self._lies(held, inner)
        else:
            look = TypeIs(held, self.constant(type(inner)))
        self._input("array", name, place, value, look, held)
        if node is not None:
            self._leaf(node, name, place)

    def _leaf(self, node: Any, name: str, place: Place) -> None:
        """The gradient of a leaf, and its hooks."""
        found = self.attribute(name, "_node")
        if type(node) is not Leaf:
            self.look(OtherType(found, "Leaf"))
            return
        self.look(TypeIs(found, "Leaf"))
        self.visit(Field(node, "grad", f"{place.path}.grad", found))
        if node.hooks:
            hooks = self.constant(tuple(node.hooks.values()))
            differs = f"tuple({found}.hooks.values()) != {hooks}"
            self.look(Otherwise(differs, f"{place.path} has hooks"))
        else:
            self.look(Empty(f"{found}.hooks"))

    def _view(self, value: Any, name: str, place: Place) -> None:
        if value._owner is not ROOT:
            raise Transformed
        primitive, params = value._forward
        made, told = f"{name}._forward[0]", f"{name}._forward[1]"
        self.look(TypeIs(name, "View"), Same(f"{name}._owner", "ROOT"))
        self.look(Same(made, self.constant(primitive)))
        if known := literal(params):
            self.look(Equal(told, known, params))
        else:
            differs = f"{told} != {self.constant(params)}"
            self.look(Otherwise(differs, f"{place.path} is a view by an index of arrays"))
        self.views.append((value, name))
        self.visit(Field(value, "_base", place.path, name))

    def _generator(self, value: Any, name: str, place: Place) -> None:
        objects.opaque(self, value, name, place)
        self.generators.append((place.path, value))

    # --- containers ------------------------------------------------------------------------------

    def _tuple(self, value: Any, name: str, place: Place) -> None:
        self.look(TypeIs(name, self.constant(type(value))), Size(name, len(value)))
        for i in range(len(value)):
            self.visit(Element(value, i, f"{place.path}[{i}]", name))

    def _list(self, value: Any, name: str, place: Place) -> None:
        self.look(TypeIs(name, self.constant(type(value))), Size(name, len(value)))
        self.containers.append(name)
        self.structures.append((place.path, value, list(value)))
        for i in range(len(value)):
            self.visit(Item(value, i, f"{place.path}[{i}]", name))

    def _dict(self, value: Any, name: str, place: Place) -> None:
        kind, keys = type(value), tuple(value)
        self.look(TypeIs(name, self.constant(kind)), Keys(name, keys, self.constant(keys), kind))
        self.containers.append(name)
        self.structures.append((place.path, value, dict(value)))
        for key in value:
            self.visit(
                Item(value, key, f"{place.path}[{key!r}]", name)
                if isinstance(key, str | int | bool | type(None))
                else _Keyed(value, key, f"{place.path}[{key!r}]", name, self.constant(key))
            )

    def _set(self, value: Any, name: str, place: Place) -> None:
        known = frozenset(value)
        self.look(Equal(name, self.constant(known), known))
        self.structures.append((place.path, value, set(value)))


class _Keyed(Item):
    """An element of a dict under a key that has no literal."""

    __slots__ = ("literal",)

    def __init__(self, container: Any, key: Any, path: str, code: str, literal: str) -> None:
        super().__init__(container, key, path, code)
        self.literal = literal

    @property
    def read(self) -> str:
        return f"{self.code}[{self.literal}]"
