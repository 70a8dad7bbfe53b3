"""The functions of the runtime, each compiled with those that it calls when it is asked for.

Those that steps call and those that entries call are two sets of names. Layer: ``static``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ..lowlevel import PREFIX, Low

MODULES = {  # of this package
    "step": (
        *("blas", "control", "convolution", "execute", "indexing", "pool", "products", "sorting"),
        *("ufuncs", "walk"),
    ),
    "entry": ("checks", "effects", "entry", "looks", "methods", "results", "sharing"),
}


@cache
def functions(module: str) -> dict[str, Low]:
    """The functions that are written in a module, by name."""
    found = import_module(f"{__package__}.{module}")
    own = {name: one for name, one in vars(found).items() if isinstance(one, Low)}
    return {k: v for k, v in own.items() if v.function.__module__ == found.__name__}


@cache
def address_of_function(name: str, kind: str = "step") -> int:
    """The address of a function of the runtime; ``kind``: what calls it."""
    from .. import machine

    code = machine.library(f"{kind} {name}", lambda: _text(name, kind))
    return int(code.address(PREFIX + name))


def _text(name: str, kind: str) -> str:
    from ..translation import translated

    (one,) = (functions(module)[name] for module in MODULES[kind] if name in functions(module))
    return translated([one])
