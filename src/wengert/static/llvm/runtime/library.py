"""The functions of the runtime, each compiled with those that it calls when it is asked for.
Layer: ``static``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ..lowlevel import PREFIX, Low
from ..translation import translated

# of this package
MODULES = (
    "blas",
    "control",
    "convolution",
    "execute",
    "indexing",
    "pool",
    "products",
    "sorting",
    "ufuncs",
    "walk",
)


@cache
def functions(module: str) -> dict[str, Low]:
    """The functions that are written in a module, by name."""
    found = import_module(f"{__package__}.{module}")
    own = {name: one for name, one in vars(found).items() if isinstance(one, Low)}
    return {k: v for k, v in own.items() if v.function.__module__ == found.__name__}


@cache
def _code(name: str) -> Any:
    from .. import machine

    (one,) = (functions(module)[name] for module in MODULES if name in functions(module))
    return machine.library(name, lambda: translated([one]))


@cache
def address_of_function(name: str) -> int:
    """The address of a function of the runtime."""
    return int(_code(name).address(PREFIX + name))
