"""What the user calls the inputs and results of a function: ``x1``, ``w['bias']``, ``y[0]``.

Traces, drawings and static graphs show these names. Layer: ``core``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from . import tree


def argument_names(f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """A name for each leaf of ``(args, kwargs)``, from the signature of ``f`` where it has one."""
    heads = parameter_names(f, len(args))
    named: list[str] = []
    for head, argument in zip(heads, args, strict=True):
        named += leaf_names(head, argument)
    for key in sorted(kwargs):  # the order in which a dict's leaves come
        named += leaf_names(key, kwargs[key])
    return named


def parameter_names(f: Callable[..., Any], count: int) -> list[str]:
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
