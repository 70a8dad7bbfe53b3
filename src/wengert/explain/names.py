"""What the user calls the inputs and results of a function: ``x1``, ``w['bias']``, ``y[0]``.

Layer: ``core`` only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ..core import tree
from ..core.errors import ShapeError


def argument_names(f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """A name for each leaf of ``(args, kwargs)``, from the signature of ``f`` where it has one."""
    heads = _parameters(f, len(args))
    named: list[str] = []
    for head, argument in zip(heads, args, strict=True):
        named += leaf_names(head, argument)
    for key in sorted(kwargs):  # the order in which a dict's leaves come
        named += leaf_names(key, kwargs[key])
    return named


def _parameters(f: Callable[..., Any], count: int) -> list[str]:
    """A name for each of the first ``count`` positional arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # ufuncs, builtins
        parameters = []
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{i}]" for i in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return [*names, *(f"x{i}" for i in range(len(names) + 1, count + 1))][:count]


def leaf_names(head: str, container: Any) -> list[str]:
    """``head`` with the path to each leaf: ``w['bias'][0]``."""
    return [f"{head}{path}" for path in tree.names(container)]


def output_names(result: Any) -> list[str]:
    """``y``, or the path to each leaf: ``y['loss']``."""
    return leaf_names("y", result)


def index_of(names: Sequence[str], wanted: str | int, what: str) -> int:
    """The place of a name or number among ``names``. Raises ``ShapeError``, which lists them."""
    if isinstance(wanted, str) and wanted in names:
        return list(names).index(wanted)
    if isinstance(wanted, int) and -len(names) <= wanted < len(names):
        return range(len(names))[wanted]
    raise ShapeError(f"trace: no {what} {wanted!r}; there are {', '.join(names)}")
