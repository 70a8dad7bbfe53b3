"""What a function reaches: its arguments, closure, defaults, globals, and the objects behind them.

``Reach`` walks it once for each recording and writes down three things: the *checker*, Python
source that finds out for a later call whether everything is as it was, and gets the arrays; the
*inputs*, arrays and numbers that become variables of the program; and the *places* where anything
stands, to be compared with what the function leaves there. Functions, tuples, lists and dicts are
followed by structure, other objects by identity. Layer: ``static``.
"""

from __future__ import annotations

import math
import random
import types
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..core.box import Box
from ..core.primitive import Primitive
from ..core.program import Program
from ..differentiate.dynamic import ROOT
from ..differentiate.tape import Leaf
from ..ops.array import Array, View
from .code import CLOCKS, CONTENT, by_user, names_of, users_class, users_module
from .places import MISSING, Cell, ClassField, Element, Field, Item, Place

LIMIT = 20_000  # places; what reaches further is no function to compile
SIMPLE = (str, bytes, type(None), bool, type(Ellipsis), slice, range, type(NotImplemented))
NUMBERS = (int, float, complex)
OPAQUE = (Primitive, Program, types.BuiltinFunctionType, np.ufunc, np.dtype, property)
DESCRIPTORS = (types.FunctionType, classmethod, staticmethod, property, types.MemberDescriptorType)
GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)


Checker = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Refused(Exception):
    """Why a function can't be a static graph; it then runs eagerly."""


class Transformed(Exception):
    """A transformation around the call owns something that the function reaches."""


class Input(NamedTuple):
    """A variable of the program: ``kind`` is ``plain``, ``array`` or ``number``; ``name``: what the
    checker calls the object that stood at ``place`` first.
    """

    kind: str
    name: str
    place: Place
    object: Any

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

    @property
    def read(self) -> str:
        """Its plain value, as the checker writes it."""
        return f"{self.name}._value" if self.kind == "array" else self.name


class Reach:
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
        self.args, self.kwargs = args, kwargs
        self.dynamic, self.fixed = frozenset(dynamic), frozenset(fixed)
        self.lines: list[str] = []
        self.aliasing: list[str] = []  # lines that matter only where something is written
        self.constants: dict[str, Any] = {}
        self.inputs: list[Input] = []
        self.views: list[tuple[View, str]] = []
        self.places: list[tuple[Place, Any]] = []
        self.structures: list[tuple[str, Any, Any]] = []  # path, list or dict, what it held
        self.generators: list[tuple[str, Any]] = []
        self.asking: list[tuple[dict[str, Any], str]] = []  # globals of code that asks for types
        self.numbers: dict[str, tuple[int, Any]] = {}  # path: line of the checker, value
        self.instances: list[tuple[Any, str, str, dict[str, Any], set[str]]] = []
        self.scratch: dict[int, Any] = {}  # of an object's dict: attributes that are no state
        self.methods: list[tuple[type, str, Any]] = []
        self.attributes: set[str] = set()
        self.everything = False  # the code reads attributes by computed names
        self._seen: dict[int, str] = {}
        self._globals: set[tuple[int, str]] = set()
        self._classes: set[type] = set()
        self.overlaps: frozenset[tuple[int, int]] = frozenset()  # of the inputs, by number
        self._keep: list[Any] = []
        self._objects: dict[str, Any] = {"args": args, "kwargs": kwargs}
        self._count = 0
        self._named: dict[int, str] = {}
        self._walk(function)

    # --- the walk --------------------------------------------------------------------------------

    def _walk(self, function: Any) -> None:
        self._line(f"len(args) != {len(self.args)} or {self._keys_differ('kwargs', self.kwargs)}")
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
                    if key in done or type(key) is not str or key in scratch:
                        continue
                    if self._matters(object, key):
                        done.add(key)
                        progress = True
                        self.visit(Item(content, key, f"{path}.{key}", code))

        for kind, key, content in self.methods:
            if key in self.attributes or key.startswith("__"):
                held = f"{self.constant(kind)}.__dict__[{key!r}]"
                self._line(f"{held} is not {self.constant(content)}")
        self._compare_memory()

    def _compare_memory(self) -> None:
        """Which inputs are one object or share memory; that must be the same again."""
        arrays = [(i, one) for i, one in enumerate(self.inputs) if one.kind != "number"]
        if len(arrays) < 2:
            return
        ids = ", ".join(f"id({one.name})" for _, one in arrays)
        self.aliasing.append(f"if len({{{ids}}}) != {len(arrays)}: return None")
        plain = [one for _, one in arrays if one.kind == "plain"]
        if all(one.object.base is None for one in plain):
            based = " or ".join(f"{one.name}.base is not None" for one in plain)
            self.aliasing += [f"if {based}: return None"] if plain else []
            return
        self.overlaps = overlapping([one.object for one in plain])
        names = "".join(f"{one.name}, " for one in plain)
        known = self.constant(self.overlaps)
        self.aliasing.append(f"if overlapping(({names})) != {known}: return None")

    def _root(self, function: Any) -> None:
        """The function itself, which is what it is."""
        if isinstance(function, types.FunctionType):
            self._inside(function, self.constant(function))
        else:
            self._value(function, self.constant(function), Element((function,), 0, "", ""))

    def _matters(self, object: Any, key: str) -> bool:
        if not users_class(type(object)) or self.everything:
            return True
        return key in self.attributes

    def visit(self, place: Place) -> None:
        """Note a place, and what stands there."""
        value = place.get()
        if len(self.places) > LIMIT:
            raise Refused(f"it reaches more than {LIMIT} values ({place.path} is one)")
        self.places.append((place, value))
        if value is MISSING:
            return
        name = self._new()
        self._objects[name] = value
        self.lines.append(f"{name} = {place.read}")
        self._value(value, name, place)

    def _value(self, value: Any, name: str, place: Place) -> None:
        kind = type(value)
        if isinstance(value, np.generic) and value.dtype.kind in "biufc":
            self._input("number", name, place, value, f"type({name}) is not {self.constant(kind)}")
            return
        if kind in NUMBERS:
            self._number(value, name, place)
            return
        if isinstance(value, SIMPLE):
            self._simple(value, name)
            return
        known = self._seen.get(id(value))
        if known is not None:
            self._line(f"{name} is not {known}")
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
            (types.FunctionType, self._function),
            (types.MethodType, self._method),
            (partial, self._partial),
            (tuple, self._tuple),
            (list | deque, self._list),
            (dict, self._dict),
            ((set, frozenset), self._set),
            (type, self._class),
            (types.ModuleType, self._module),
            (OPAQUE, self._opaque),
        ):
            if isinstance(value, kinds):
                return method
        return self._object

    # --- leaves ----------------------------------------------------------------------------------

    def _input(self, kind: str, name: str, place: Place, value: Any, differs: str) -> None:
        self._line(differs)
        self.inputs.append(Input(kind, name, place, value))

    def _number(self, value: Any, name: str, place: Place) -> None:
        """A Python number: floats among the arguments are variables, others from their second value
        on.
        """
        path, kind = place.path, type(value).__name__
        argument = path.startswith("argument ") and kind != "int"
        if (argument or path in self.dynamic) and path not in self.fixed:
            self._input("number", name, place, value, f"type({name}) is not {kind}")
            return
        self.numbers[path] = len(self.lines), value
        if kind == "int" or (kind == "float" and value and math.isfinite(value)):
            self._line(f"type({name}) is not {kind} or {name} != {value!r}")
        else:  # 0.0 and -0.0 are equal, and NaN is not
            self._line(f"type({name}) is not {kind} or str({name}) != {str(value)!r}")

    def _simple(self, value: Any, name: str) -> None:
        if value is None or isinstance(value, bool):
            self._line(f"{name} is not {value!r}")
        elif type(value) is str:
            self._line(f"{name} != {value!r} or type({name}) is not str")
        else:
            self._line(f"{name} != {self.constant(value)}")

    def _plain(self, value: np.ndarray[Any, Any], name: str, place: Place) -> None:
        if type(value) is not np.ndarray:
            raise Refused(f"{place.path} is a {type(value).__name__}, not a plain array")
        if value.dtype.kind not in "biufc":
            if value.size > 1000:
                raise Refused(f"{place.path} is a large array of dtype {value.dtype}")
            same = self.constant(partial(np.array_equal, value.copy()))
            self._line(f"not {same}({name})")
            return
        self._input("plain", name, place, value, self._array_differs(name, value))

    def _array_differs(self, name: str, value: np.ndarray[Any, Any]) -> str:
        """Whether an array has another type or layout; each attribute costs the call 50 ns."""
        dtype = self.constant(value.dtype)
        laid_out = f"{name}.strides != {value.strides}"
        if value.flags.carray:
            laid_out = f"not {name}.flags.carray and {laid_out}"
        return (
            f"{name}.__class__ is not ndarray or {name}.shape != {value.shape} or ({name}.dtype is "
            f"not {dtype} and {name}.dtype != {dtype}) or ({laid_out})"
        )

    def _array(self, value: Any, name: str, place: Place) -> None:
        if value._owner is not ROOT:
            raise Transformed
        node, inner = value._node, value._value
        active = "is None" if node is not None else "is not None"
        self._line(f"type({name}) is not Array or {name}._owner is not ROOT or {name}._node {active}")
        if type(inner) is np.ndarray:
            held = self._new()
            self.lines.append(f"{held} = {name}._value")
            differs = self._array_differs(held, inner)
        else:
            differs = f"type({name}._value) is not {self.constant(type(inner))}"
        self._input("array", name, place, value, differs)
        if node is not None:
            self._leaf(node, name, place)

    def _leaf(self, node: Any, name: str, place: Place) -> None:
        """The gradient of a leaf, and its hooks."""
        if type(node) is not Leaf:
            self._line(f"type({name}._node) is Leaf")
            return
        self._line(f"type({name}._node) is not Leaf")
        self.visit(Field(node, "grad", f"{place.path}.grad", f"{name}._node"))
        if node.hooks:
            hooks = self.constant(tuple(node.hooks.values()))
            self._line(f"tuple({name}._node.hooks.values()) != {hooks}")
        else:
            self._line(f"{name}._node.hooks")

    def _view(self, value: Any, name: str, place: Place) -> None:
        if value._owner is not ROOT:
            raise Transformed
        primitive, params = self.constant(value._forward[0]), literal(value._forward[1])
        params = params or self.constant(value._forward[1])
        self._line(
            f"type({name}) is not View or {name}._owner is not ROOT or {name}._forward[0] is not "
            f"{primitive} or {name}._forward[1] != {params}"
        )
        self.views.append((value, name))
        self.visit(Field(value, "_base", place.path, name))

    def _generator(self, value: Any, name: str, place: Place) -> None:
        self._opaque(value, name, place)
        self.generators.append((place.path, value))

    # --- containers ------------------------------------------------------------------------------

    def _tuple(self, value: Any, name: str, place: Place) -> None:
        self._line(f"type({name}) is not {self.constant(type(value))} or len({name}) != {len(value)}")
        for i in range(len(value)):
            self.visit(Element(value, i, f"{place.path}[{i}]", name))

    def _list(self, value: Any, name: str, place: Place) -> None:
        self._line(f"type({name}) is not {self.constant(type(value))} or len({name}) != {len(value)}")
        self.structures.append((place.path, value, list(value)))
        for i in range(len(value)):
            self.visit(Item(value, i, f"{place.path}[{i}]", name))

    def _dict(self, value: Any, name: str, place: Place) -> None:
        kind = self.constant(type(value))
        self._line(f"type({name}) is not {kind} or {self._keys_differ(name, value)}")
        self.structures.append((place.path, value, dict(value)))
        for key in value:
            self.visit(Item(value, key, f"{place.path}[{key!r}]", name)
                       if isinstance(key, str | int | bool | type(None))
                       else _Keyed(value, key, f"{place.path}[{key!r}]", name, self.constant(key)))

    def _keys_differ(self, name: str, value: dict[Any, Any]) -> str:
        if not value:
            return f"len({name}) != 0"
        return f"len({name}) != {len(value)} or tuple({name}) != {self.constant(tuple(value))}"

    def _set(self, value: Any, name: str, place: Place) -> None:
        self._line(f"{name} != {self.constant(frozenset(value))}")
        self.structures.append((place.path, value, set(value)))

    # --- code ------------------------------------------------------------------------------------

    def _function(self, value: Any, name: str, place: Place) -> None:
        code = value.__code__
        self._line(f"type({name}) is not FunctionType or {name}.__code__ is not {self.constant(code)}")
        self._inside(value, name)

    def _inside(self, value: types.FunctionType, name: str) -> None:
        """What a function closes over, its defaults, and the globals that it names."""
        code, label = value.__code__, value.__name__
        for i, (cell, free) in enumerate(zip(value.__closure__ or (), code.co_freevars, strict=True)):
            self.visit(Cell(cell, "", free, f"{name}.__closure__[{i}]"))
        if value.__defaults__:
            self.visit(Field(value, "__defaults__", f"{label}.__defaults__", name))
        if value.__kwdefaults__:
            self.visit(Field(value, "__kwdefaults__", f"{label}.__kwdefaults__", name))
        wrapped = value.__dict__.get("__wrapped__")
        if "registry" in vars(value) and "dispatch" in vars(value):
            raise Refused(f"{label} dispatches on the type of its argument")
        if wrapped is not None and not by_user(code.co_filename):
            self.visit(Item(value.__dict__, "__wrapped__", label, f"{name}.__dict__"))
        if by_user(code.co_filename):
            self._code(code, value.__globals__)

    def _code(self, code: types.CodeType, namespace: dict[str, Any]) -> None:
        """The globals that a user's function names, and those of the functions inside it."""
        names = names_of(code)
        self.attributes |= names.attributes
        if "random" in names.attributes and "np.random" not in dict(self.generators):
            self.generators.append(("np.random", np.random.mtrand._rand))
        self.everything = self.everything or bool(CONTENT & (names.globals | names.attributes))
        known = self.constant(namespace)
        if names.matches:
            raise Refused(f"{code.co_name} asks for the class of a value in a way that recording "
                          "can't answer (match, or __class__)")
        for asked in ("isinstance", "type"):
            if asked in names.globals and asked not in namespace:
                self.asking.append((namespace, asked))
        for name in sorted(names.globals):
            if name in namespace:
                if (id(namespace), name) not in self._globals:
                    self._globals.add((id(namespace), name))
                    self.visit(Item(namespace, name, name, known))
                self._clock(namespace[name], names.attributes, name)
            elif name in ("open", "input"):
                raise Refused(f"it calls {name}()")

    def _clock(self, value: Any, attributes: frozenset[str], name: str) -> None:
        module = value.__name__ if isinstance(value, types.ModuleType) else ""
        if module in CLOCKS:
            functions = CLOCKS[module]
            if called := attributes if functions is None else attributes & functions:
                raise Refused(f"it calls {module}.{sorted(called)[0]}, whose result changes unseen")
        if isinstance(value, types.ModuleType) and users_module(value):
            for key in sorted(attributes & vars(value).keys()):
                if (id(value), key) not in self._globals:
                    self._globals.add((id(value), key))
                    self.visit(Item(vars(value), key, f"{name}.{key}", self.constant(vars(value))))

    def _method(self, value: Any, name: str, place: Place) -> None:
        self._line(f"type({name}) is not MethodType")
        self.visit(Field(value, "__func__", place.path, name))
        self.visit(Field(value, "__self__", "self", name))

    def _partial(self, value: Any, name: str, place: Place) -> None:
        self._line(f"type({name}) is not {self.constant(partial)}")
        for key in ("func", "args", "keywords"):
            self.visit(Field(value, key, f"{place.path}.{key}", name))

    def _module(self, value: Any, name: str, place: Place) -> None:
        self._opaque(value, name, place)

    def _opaque(self, value: Any, name: str, place: Place) -> None:
        """What is as it is: identity says all."""
        self._line(f"{name} is not {self.constant(value)}")
        module, label = getattr(value, "__module__", None), getattr(value, "__name__", "")
        clock = CLOCKS.get(module) if isinstance(module, str) else None
        if isinstance(value, types.BuiltinFunctionType) and clock and label in clock:
            raise Refused(f"it calls {module}.{label}, whose result changes unseen")

    def _class(self, value: Any, name: str, place: Place) -> None:
        """A class: its data, and the code of its methods."""
        self._opaque(value, name, place)
        self._class_content(value)

    def _class_content(self, kind: type) -> None:
        for base in kind.__mro__:
            if base is object or base in self._classes:
                continue
            self._classes.add(base)
            for key, content in list(vars(base).items()):
                function = getattr(content, "__func__", getattr(content, "fget", content))
                if isinstance(function, types.FunctionType):
                    if by_user(function.__code__.co_filename):
                        self._inside(function, self.constant(function))
                        self.methods.append((base, key, content))
                elif (
                    not key.startswith("__")
                    and not isinstance(content, DESCRIPTORS)
                    and _users(base)
                    and not isinstance(content, types.GetSetDescriptorType)
                ):
                    self.visit(ClassField(base, key, f"{base.__name__}.{key}", self.constant(base)))

    def _object(self, value: Any, name: str, place: Place) -> None:
        """An object by identity, with its attributes."""
        inside = getattr(type(value), "__wengert_reach__", None)
        if inside is not None:  # a compiled function says what is in it
            self._line(f"{name} is not {self.constant(value)}")
            inner = inside(value)
            self._value(inner, self.constant(inner), place)
            return
        if hasattr(type(value), "__next__"):
            raise Refused(f"{place.path} is an iterator ({type(value).__name__}), whose next value "
                          "can't be foreseen")
        structural = _is_record(type(value)) and (
            place.path.startswith("argument ") or type(value).__dataclass_params__.frozen
        )
        known = name if structural else self.constant(value)
        self._line(f"type({name}) is not {self.constant(type(value))}" if structural
                   else f"{name} is not {known}")
        self._class_content(type(value))
        path = place.path or type(value).__name__
        content = getattr(value, "__dict__", None)
        if isinstance(content, dict):
            code = f"{name}.__dict__" if structural else self.constant(content)
            self._line(f"len({code}) != {len(content)}")
            scratch = getattr(type(value), "__wengert_scratch__", ())
            self.scratch[id(content)] = scratch
            held = {key: one for key, one in content.items() if key not in scratch}
            self.structures.append((path, content, held))
            self.instances.append((value, code, path, content, set()))
        for base in type(value).__mro__:
            slots = vars(base).get("__slots__", ())
            for key in (slots,) if isinstance(slots, str) else slots:
                if _users(base) and key != "__weakref__" and key != "__dict__":
                    self.visit(Field(value, key, f"{path}.{key}", known))

    # --- the checker's source --------------------------------------------------------------------

    def _new(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def _line(self, differs: str) -> None:
        self.lines.append(f"if {differs}: return None")

    def constant(self, value: Any) -> str:
        """The checker's name for an object."""
        known = self._named.get(id(value))
        if known is None:
            known = self._named[id(value)] = f"k{len(self.constants)}"
            self.constants[known] = value
        return known

    def checker(
        self, targets: Iterable[str] = (), handles: bool = False, writes: bool = True
    ) -> Checker:
        """A function of ``(args, kwargs)``: None where anything differs, else the plain values of
        the inputs (with ``handles`` the ``Array`` itself where it has a graph), and the objects that
        ``targets`` write. ``writes``: whether it matters which arrays share memory.
        """
        return self._compiled(self.lines + (self.aliasing if writes else []), targets, handles)

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
        return [eval(one, {**self.constants, **self._objects}) for one in expressions]

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
        return np.shares_memory(a, b, max_work=1000)
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


class _Keyed(Item):
    """An element of a dict under a key that has no literal."""

    __slots__ = ("literal",)

    def __init__(self, container: Any, key: Any, path: str, code: str, literal: str) -> None:
        super().__init__(container, key, path, code)
        self.literal = literal

    @property
    def read(self) -> str:
        return f"{self.code}[{self.literal}]"


def _users(kind: type) -> bool:
    """Whether the user wrote this class."""
    import sys

    module = sys.modules.get(kind.__module__)
    return module is None or users_module(module)


def _is_record(kind: type) -> bool:
    """Whether objects of ``kind`` are records of the user's, new ones for every call."""
    return hasattr(kind, "__dataclass_fields__") and users_class(kind)


def literal(value: Any) -> str:
    """The expression that ``repr`` gives, if it is one for ``value``; else nothing."""
    text = repr(value)
    try:
        return text if eval(text) == value else ""
    except (SyntaxError, NameError, ValueError):
        return ""
