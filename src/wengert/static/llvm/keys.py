"""What a program is called on disk: a digest of all that decides on its machine code.

Two programs with the same key compute the same: the equations, with names for the variables, the
literals, parameters and constants by their content. Programs with operations or parameters that
have no content to go by (functions of the user's) have no key. Layer: ``static``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.primitive import REGISTRY
from ...core.program import Atom, Literal, Program, Var
from .cache import key_of

SIMPLE = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))


class NoKey(Exception):
    """Something in a program has no content to go by."""


def program_key(program: Program, values: Sequence[Any], *options: Any) -> str | None:
    """The key of the machine code of ``program`` for values that lie as these do; None if it has
    none.
    """
    digest = hashlib.sha256()
    try:
        for part in _program(program):
            digest.update(part.encode() if isinstance(part, str) else part)
            digest.update(b"\n")
    except NoKey:
        return None
    lies = ";".join(map(_lies, values))
    return key_of("program", digest.hexdigest(), lies, repr(options))


def _program(program: Program) -> Iterator[str | bytes]:
    names: dict[Var, str] = {}
    for var in program.inputs:
        names[var] = f"i{len(names)}"
        yield _aval(var.aval)
    for var, value in program.constants.items():
        names[var] = f"c{len(names)}"
        yield from _array(np.asarray(value))
    for eqn in program.equations:
        if REGISTRY.get(eqn.primitive.name) is not eqn.primitive:
            raise NoKey
        yield eqn.primitive.name
        yield ",".join(_atom(atom, names) for atom in eqn.inputs)
        for name, param in sorted(eqn.params.items()):
            yield name
            yield from _param(param)
        for var in eqn.outputs:
            names[var] = f"v{len(names)}"
            yield _aval(var.aval)
    yield ",".join(_atom(atom, names) for atom in program.outputs)


def _aval(aval: Aval) -> str:
    return f"{aval.dtype.str}{aval.shape}{'w' if aval.weak else ''}"


def _atom(atom: Atom, names: Mapping[Var, str]) -> str:
    if isinstance(atom, Literal):
        return f"{type(atom.value).__name__} {atom.value!r} {_aval(atom.aval)}"
    return names[atom]


def _array(array: np.ndarray[Any, Any]) -> Iterator[str | bytes]:
    if array.dtype.hasobject:
        raise NoKey
    yield f"{array.dtype.str}{array.shape}{array.strides}"
    yield array.tobytes()


def _param(value: Any) -> Iterator[str | bytes]:
    """A parameter, by its content."""
    kind = type(value)
    if isinstance(value, Program):
        yield "program"
        yield from _program(value)
    elif kind in SIMPLE:
        yield f"{kind.__name__} {value!r}"
    elif isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, np.generic | np.dtype | slice):
        yield f"{kind.__name__} {value!r} {getattr(value, 'dtype', '')}"
    elif kind in (tuple, list):
        yield f"{kind.__name__} of {len(value)}"
        for one in value:
            yield from _param(one)
    elif kind is dict:
        yield f"dict of {len(value)}"
        for name, one in value.items():
            yield repr(name)
            yield from _param(one)
    elif isinstance(value, Aval):
        yield _aval(value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield kind_of(value)
        for one in fields(value):
            yield from _param(getattr(value, one.name))
    elif isinstance(value, type) and issubclass(value, np.generic):
        yield f"type {value.__name__}"
    else:
        raise NoKey


def _lies(value: Any) -> str:
    """How a value lies in memory."""
    if isinstance(value, np.ndarray):
        aligned = value.flags.aligned
        return f"{kind_of(value)}{value.dtype.str}{value.shape}{value.strides}{aligned}"
    return f"{kind_of(value)}{getattr(value, 'dtype', '')}"


def kind_of(value: Any) -> str:
    """The name of its type."""
    return f"{type(value).__module__}.{type(value).__qualname__}"
