"""The functions of the runtime, those of a module compiled together when the first is asked for.
Layer: ``static``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ..lowlevel import PREFIX, Low, translated

# of this package
MODULES = ("blas", "control", "execute", "indexing", "pool", "products", "sorting", "ufuncs", "walk")


@cache
def functions(module: str) -> dict[str, Low]:
    """The functions that are written in a module, by name."""
    found = import_module(f"{__package__}.{module}")
    own = {name: one for name, one in vars(found).items() if isinstance(one, Low)}
    return {k: v for k, v in own.items() if v.function.__module__ == found.__name__}


@cache
def _code(module: str) -> Any:
    from .. import machine

    return machine.library(module, lambda: translated(functions(module).values()))


@cache
def address_of_function(name: str) -> int:
    """The address of a function of the runtime."""
    module = next(module for module in MODULES if name in functions(module))
    return int(_code(module).address(PREFIX + name))
