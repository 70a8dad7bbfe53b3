"""The functions of the runtime, compiled together when the first is asked for. Layer: ``static``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ..lowlevel import PREFIX, Low, translated

MODULES = ("execute", "products")  # of this package


@cache
def functions() -> dict[str, Low]:
    """The functions by name."""
    found: dict[str, Low] = {}
    for name in MODULES:
        module = import_module(f"{__package__}.{name}")
        found.update((k, v) for k, v in vars(module).items() if isinstance(v, Low))
    return found


@cache
def _code() -> Any:
    from .. import machine

    return machine.library(translated(functions().values()))


def address_of_function(name: str) -> int:
    """The address of a function of the runtime."""
    return int(_code().address(PREFIX + name))
