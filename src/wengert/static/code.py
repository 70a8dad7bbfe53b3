"""What a function's code names: globals, attributes, strings; and whether the user wrote it.

Layer: ``static``; the standard library only.
"""

from __future__ import annotations

import dis
import site
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

LIBRARIES = tuple(
    {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        str(Path(__file__).resolve().parents[1]),  # wengert itself
    }
)
CLOCKS = {
    "time": {"time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns",
             "process_time", "process_time_ns", "sleep", "localtime", "ctime", "strftime"},
    "datetime": {"now", "today", "utcnow"},
    "random": None,
    "secrets": None,
    "uuid": None,
    "os": {"environ", "getenv", "listdir", "getpid", "getcwd", "urandom", "times", "cpu_count"},
}  # fmt: skip
CONTENT = {"getattr", "vars", "__dict__", "setattr", "locals", "globals", "eval", "exec"}


class Names(NamedTuple):
    """What a piece of code, and the functions inside it, name."""

    globals: frozenset[str]
    attributes: frozenset[str]
    matches: bool  # whether it asks for classes other than by isinstance and type


@lru_cache(maxsize=4096)
def names_of(code: CodeType) -> Names:
    """The names that ``code`` loads or stores, by where they stand."""
    of_globals: set[str] = set()
    attributes: set[str] = set()
    matches = False
    for part in with_inner(code):
        for instruction in dis.get_instructions(part):
            name = instruction.argval
            matches = matches or instruction.opname == "MATCH_CLASS"
            if instruction.opname in ("LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME", "DELETE_GLOBAL"):
                of_globals.add(name)
            elif type(name) is str and (
                "ATTR" in instruction.opname or "METHOD" in instruction.opname
            ):
                attributes.add(name)
        attributes.update(const for const in part.co_consts if type(const) is str)
    made = code.co_filename == "<string>"  # the methods of dataclasses are
    matches = matches or ("__class__" in attributes and not made)
    return Names(frozenset(of_globals), frozenset(attributes), matches)


def with_inner(code: CodeType) -> Iterator[CodeType]:
    """``code`` and that of the functions inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from with_inner(const)


def by_user(filename: str) -> bool:
    """Whether a file is the user's: not Python's, not an installed package's, not wengert's."""
    return not filename.startswith((*LIBRARIES, "<frozen"))


@lru_cache(maxsize=1024)
def users_class(kind: type) -> bool:
    """Whether the user wrote ``kind`` and everything it inherits from."""
    return all(base is object or _users_type(base) for base in kind.__mro__)


def _users_type(kind: type) -> bool:
    import sys

    module = sys.modules.get(kind.__module__)
    return module is None or users_module(module)


def users_module(module: ModuleType) -> bool:
    """Whether the user wrote ``module``."""
    file: Any = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ == "__main__"
    return by_user(file)
