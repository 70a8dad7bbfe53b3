"""SciPy's names for handles: ``wengert.scipy.special``. SciPy is loaded on first use."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["special"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
    )


def __dir__() -> list[str]:
    return list(__all__)
