"""What code and objects reach: a function its closure, defaults and globals; a class its data and
methods; an object its attributes, as far as reached code names them.

Functions are followed by structure, so that a closure made anew for each call is the same; objects
by identity, but for records. Layer: ``static``; parts of ``Reach``.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import io
import logging
import operator
import pathlib
import re
import sys
import threading
import types
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .code import CLOCKS, CONTENT, by_user, names_of, users_class, users_module
from .looks import CodeIs, Empty, Same, Size, TypeIs
from .places import Cell, ClassField, Field, Item, Place
from .refusal import Refused

if TYPE_CHECKING:
    from .reach import Reach

IMMUTABLE = (  # objects that are what they are, or that are there to be written to
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    decimal.Decimal,
    fractions.Fraction,
    logging.Logger,
    operator.attrgetter,
    operator.itemgetter,
    operator.methodcaller,
    pathlib.PurePath,
    re.Pattern,
    types.BuiltinMethodType,
    types.GenericAlias,
    types.MappingProxyType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.UnionType,
    types.WrapperDescriptorType,
)
LOCKS = (type(threading.Lock()), type(threading.RLock()))
DESCRIPTORS = (
    types.FunctionType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    classmethod,
    staticmethod,
    property,
)


def function(reach: Reach, value: Any, name: str, place: Place) -> None:
    code = value.__code__
    reach.look(CodeIs(name, reach.constant(code)))
    inside(reach, value, name)


def inside(reach: Reach, value: types.FunctionType, name: str) -> None:
    """What a function closes over, its defaults, and the globals that it names."""
    code, label = value.__code__, value.__name__
    for i, (cell, free) in enumerate(zip(value.__closure__ or (), code.co_freevars, strict=True)):
        reach.visit(Cell(cell, "", free, f"{name}.__closure__[{i}]"))
    if value.__defaults__:
        reach.visit(Field(value, "__defaults__", f"{label}.__defaults__", name))
    if value.__kwdefaults__:
        reach.visit(Field(value, "__kwdefaults__", f"{label}.__kwdefaults__", name))
    wrapped = value.__dict__.get("__wrapped__")
    if "registry" in vars(value) and "dispatch" in vars(value):
        raise Refused(f"{label} dispatches on the type of its argument")
    if wrapped is not None and not by_user(code.co_filename):
        reach.visit(Item(value.__dict__, "__wrapped__", label, f"{name}.__dict__"))
    if by_user(code.co_filename):
        _own_attributes(reach, value, name)
        code_of(reach, code, value.__globals__)


def _own_attributes(reach: Reach, value: types.FunctionType, name: str) -> None:
    """What stands on the function itself: ``step.mode = "train"``."""
    content, code = vars(value), f"{name}.__dict__"
    if not content:
        reach.look(Empty(code))
        return
    reach.look(Size(code, len(content)))
    reach.structures.append((value.__name__, content, dict(content)))
    reach.instances.append((value, code, value.__name__, content, set()))


def code_of(reach: Reach, code: types.CodeType, namespace: dict[str, Any]) -> None:
    """The globals that a user's function names, and those of the functions inside it."""
    names = names_of(code)
    reach.attributes |= names.attributes
    if "random" in names.attributes and "np.random" not in dict(reach.generators):
        reach.generators.append(("np.random", np.random.mtrand._rand))
    reach.everything = reach.everything or bool(CONTENT & (names.globals | names.attributes))
    known = reach.constant(namespace)
    if names.matches:
        raise Refused(
            f"{code.co_name} asks for the class of a value in a way that recording "
            "can't answer (match, or __class__)"
        )
    for asked in ("isinstance", "type"):
        if asked in names.globals and asked not in namespace:
            reach.asking.append((namespace, asked))
    for name in sorted(names.globals):
        if name in namespace:
            if (id(namespace), name) not in reach.globals:
                reach.globals.add((id(namespace), name))
                reach.visit(Item(namespace, name, name, known))
            clock(reach, namespace[name], names.attributes, name)
        elif name in ("open", "input"):
            raise Refused(f"it calls {name}()")


def clock(reach: Reach, value: Any, attributes: frozenset[str], name: str) -> None:
    module = value.__name__ if isinstance(value, types.ModuleType) else ""
    if module in CLOCKS:
        functions = CLOCKS[module]
        if called := attributes if functions is None else attributes & functions:
            raise Refused(f"it calls {module}.{sorted(called)[0]}, whose result changes unseen")
    if isinstance(value, types.ModuleType) and users_module(value):
        for key in sorted(attributes & vars(value).keys()):
            if (id(value), key) not in reach.globals:
                reach.globals.add((id(value), key))
                reach.visit(Item(vars(value), key, f"{name}.{key}", reach.constant(vars(value))))


def method(reach: Reach, value: Any, name: str, place: Place) -> None:
    reach.look(TypeIs(name, "MethodType"))
    reach.visit(Field(value, "__func__", place.path, name))
    reach.visit(Field(value, "__self__", "self", name))


def partial_of(reach: Reach, value: Any, name: str, place: Place) -> None:
    reach.look(TypeIs(name, reach.constant(partial)))
    for key in ("func", "args", "keywords"):
        reach.visit(Field(value, key, f"{place.path}.{key}", name))


def opaque(reach: Reach, value: Any, name: str, place: Place) -> None:
    """What is as it is: identity says all."""
    reach.look(Same(name, reach.constant(value)))
    module, label = getattr(value, "__module__", None), getattr(value, "__name__", "")
    clock = CLOCKS.get(module) if isinstance(module, str) else None
    if isinstance(value, types.BuiltinFunctionType) and clock and label in clock:
        raise Refused(f"it calls {module}.{label}, whose result changes unseen")


def class_of(reach: Reach, value: Any, name: str, place: Place) -> None:
    """A class: its data, and the code of its methods."""
    opaque(reach, value, name, place)
    class_content(reach, value)


def class_content(reach: Reach, kind: type) -> None:
    """The data of the user's classes in ``kind``, and the code of their methods."""
    for base in kind.__mro__:
        if base is object or base in reach.classes or not _users(base):
            continue
        reach.classes.add(base)
        for key, content in list(vars(base).items()):
            function = getattr(content, "__func__", getattr(content, "fget", content))
            if isinstance(function, types.FunctionType):
                if by_user(function.__code__.co_filename):
                    inside(reach, function, reach.constant(function))
                    reach.methods.append((base, key, content))
            elif not key.startswith("__") and not _describes(content):
                reach.visit(ClassField(base, key, f"{base.__name__}.{key}", reach.constant(base)))


def object_of(reach: Reach, value: Any, name: str, place: Place) -> None:
    """An object by identity, with its attributes."""
    inside = getattr(type(value), "__wengert_reach__", None)
    if inside is not None:  # a compiled function says what is in it
        reach.look(Same(name, reach.constant(value)))
        inner = inside(value)
        reach.value(inner, reach.constant(inner), place)
        return
    if type(value) in (object, *LOCKS) or isinstance(value, IMMUTABLE) or _only_written(value):
        reach.look(Same(name, reach.constant(value)))
        return
    if hasattr(type(value), "__next__"):
        raise Refused(
            f"{place.path} is an iterator ({type(value).__name__}), whose next value "
            "can't be foreseen"
        )
    structural = _is_record(type(value)) and (
        place.path.startswith("argument ") or type(value).__dataclass_params__.frozen
    )
    known = name if structural else reach.constant(value)
    if structural:
        reach.look(TypeIs(name, reach.constant(type(value))))
        reach.containers.append(name)
    else:
        reach.look(Same(name, known))
    path = place.path or type(value).__name__
    if not isinstance(getattr(value, "__dict__", None), dict) and not _slots(type(value)):
        raise Refused(f"{path} is a {type(value).__name__}, whose content can't be looked at")
    class_content(reach, type(value))
    content = getattr(value, "__dict__", None)
    if isinstance(content, dict):
        code = f"{name}.__dict__" if structural else reach.constant(content)
        reach.look(Size(code, len(content)))
        scratch = getattr(type(value), "__wengert_scratch__", ())
        reach.scratch[id(content)] = scratch
        held = {key: one for key, one in content.items() if key not in scratch}
        reach.structures.append((path, content, held))
        reach.instances.append((value, code, path, content, set()))
    for key in _slots(type(value)):
        reach.visit(Field(value, key, f"{path}.{key}", known))


def _describes(content: Any) -> bool:
    """Whether an entry of a class says how an attribute is reached, rather than being one."""
    kind = type(content)
    return isinstance(content, DESCRIPTORS) or (hasattr(kind, "__get__") and not users_class(kind))  # type: ignore[arg-type]


def _slots(kind: type) -> list[str]:
    """The attributes that objects of a class written in Python have without a dict."""
    found: list[str] = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        found += [slots] if isinstance(slots, str) else slots
    return [key for key in found if key not in ("__weakref__", "__dict__")]


def _only_written(value: Any) -> bool:
    """Whether ``value`` is an open file that nothing can be read from: it is there to print to."""
    return isinstance(value, io.IOBase) and (value.closed or not value.readable())


def _users(kind: type) -> bool:
    """Whether the user wrote this class."""
    module = sys.modules.get(kind.__module__)
    return module is None or users_module(module)


def _is_record(kind: type) -> bool:
    """Whether objects of ``kind`` are records of the user's, new ones for every call."""
    return hasattr(kind, "__dataclass_fields__") and users_class(kind)
