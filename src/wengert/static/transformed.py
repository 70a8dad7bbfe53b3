"""Compiled functions under ``grad``, ``jvp``, ``vmap``: each segment is one ``call`` equation.

The arguments are handles of the transformation. Which path they take, their plain values say; what
runs on it is ``call``, whose derivatives and batching are programs themselves. A function with
effects, or that goes on where its values differ between the examples of ``vmap``, runs as it is.
Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import tree
from ..core.box import BATCHED, Box
from ..differentiate.dynamic import ROOT
from .finish import Finish, Output, wrapped
from .variant import Variant, call_node

if TYPE_CHECKING:
    from .capture import Compiled


class NoPath(Exception):
    """There is no recorded path for the arguments."""


def call_under(compiled: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call under a transformation."""
    plain_args, plain_kwargs = plain_values((args, kwargs))
    variant = compiled.prepared(plain_args, plain_kwargs)
    if variant is not None:
        try:
            result = follow(variant, args, kwargs)
        except NoPath:
            variant = compiled.prepared(plain_args, plain_kwargs, again=True)
        else:
            compiled.counts["called"] += 1
            return result
    compiled.counts["eager"] += 1
    return compiled.function(*args, **kwargs)


def plain_values(arguments: Any) -> Any:
    """The arguments with plain values in place of handles: of examples the first."""
    leaves, treedef = tree.flatten(arguments)
    return tree.unflatten(treedef, [plain_value(leaf) for leaf in leaves])


def plain_value(leaf: Any) -> Any:
    """A value like ``leaf`` without owners; an ``Array`` of the dynamic graph is one already."""
    if not isinstance(leaf, Box) or leaf._owner is ROOT:
        return leaf
    leaf.refresh()
    inner = plain_value(leaf._value)
    if isinstance(inner, Box):
        inner = inner._value
    if leaf._node is BATCHED:
        return np.array(inner[0])[()] if len(inner) else np.zeros(inner.shape[1:], inner.dtype)[()]
    return inner


def follow(variant: Variant, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the segments of a variant on handles. Raises ``NoPath`` where none was recorded."""
    found = variant.get(args, kwargs)
    if found is None:
        raise NoPath
    values, targets = found
    ended = variant.paths.follow(values, call_node, one_value)
    if ended is None:
        raise NoPath
    finish, given = ended
    return result_of(finish, given, [targets[i] for i in finish.places])


def one_value(value: Any) -> Any:
    """The plain value of a handle, if it has one: examples have many."""
    while isinstance(value, Box):
        if value._node is BATCHED:
            raise NoPath
        value = value._value
    return value


def result_of(finish: Finish, values: Sequence[Any], targets: Sequence[Any]) -> Any:
    """The result, of handles where the values are."""
    results: list[Any] = []
    for kind, index, fixed in finish.outputs:
        if kind == "object":
            results.append(targets[index])
        elif kind == "view":
            results.append(wrapped(Output(kind, index, fixed), values, targets, results))
        elif kind == "again":
            results.append(results[index])
        elif kind == "fixed":
            results.append(fixed)
        else:
            value = values[index]
            copied = index in finish.constants and isinstance(value, np.ndarray)
            results.append(np.array(value) if copied else value)
    return tree.unflatten(finish.treedef, results)
