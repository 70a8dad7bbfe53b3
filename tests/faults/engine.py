"""Faults in the sweep, in forward mode, and in changes in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from primitives import checks, higher
from wengert.core.primitive import Primitive
from wengert.differentiate import sweep
from wengert.differentiate.forward import Forward
from wengert.ops import indexing, inplace
from wengert.ops.array import View

from .planting import fault

# --- the engine -----------------------------------------------------------------------------------


@fault("divide", higher.check_second_order)
def accumulation_lost(patch: Any, p: Primitive) -> Primitive:
    add = sweep.Adjoints.add

    def last_only(self: Any, node: Any, g: Any) -> None:
        self.values.pop(node.number, None)
        if node.number in self.pending and isinstance(g, np.ndarray | float | np.generic):
            self.values[node.number] = g
        else:
            add(self, node, g)

    patch.setattr(sweep.Adjoints, "add", last_only)
    return p


@fault("divide", higher.check_second_order)
def nodes_in_the_wrong_order(patch: Any, p: Primitive) -> Primitive:
    """First come, first served: a node is done before all of its contributions are there."""
    patch.setattr(sweep, "heappush", lambda queue, number: queue.append(number))
    patch.setattr(sweep, "heappop", lambda queue: queue.pop(0))
    return p


@fault("multiply", checks.check_forward, checks.check_dot)
def tangent_of_the_last_argument_lost(patch: Any, p: Primitive) -> Primitive:
    for name in ("process", "binary", "_tangent"):
        if name in vars(Forward):
            original = getattr(Forward, name)
            patch.setattr(Forward, name, losing_tangents(original))
    return p


def losing_tangents(method: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(self: Any, *args: Any) -> Any:
        y = method(self, *args)
        if getattr(y, "_node", None) is not None and y._owner is self:
            y._node = y._node * 0.5
        return y

    return wrong


# --- changes in place: for the drawn programs to see ---------------------------------------------


def not_erased(patch: Any) -> None:
    patch.setattr(indexing.Erased, "erase", lambda self, overwrite: self.g * 1.0)


def writers_all_win(patch: Any) -> None:
    patch.setattr(indexing, "_last_writers", lambda shape, index, arrays: 1.0)


def views_never_refresh(patch: Any) -> None:
    patch.setattr(View, "refresh", lambda self: None)


def copies_taken_for_views(patch: Any) -> None:
    patch.setattr(inplace, "view_strides", lambda box, function: (8,) * box.ndim)


def buffers_always_overwritten(patch: Any) -> None:
    patch.setattr(inplace, "held_once", lambda box: True)


def composed_index_off_by_one(patch: Any) -> None:
    compose = inplace.compose

    def wrong(outer: Any, inner: Any, shape: Any) -> Any:
        result = compose(outer, inner, shape)
        if result and isinstance(result[0], int):
            return ((result[0] + 1) % shape[0], *result[1:])
        return result

    patch.setattr(inplace, "compose", wrong)


IN_PLACE = {
    not_erased: "first order",
    writers_all_win: "first order",
    views_never_refresh: "values",
    copies_taken_for_views: "values",
    buffers_always_overwritten: "first order",
    composed_index_off_by_one: "values",
}
