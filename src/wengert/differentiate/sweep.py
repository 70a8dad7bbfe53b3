"""The sweep: reverse mode over the nodes of a tape, the same for every tape.

It takes the pending node with the largest number, so it needs no recursion and no order of its own,
and frees as it goes. It runs under the interpreter that is current when it is called: higher orders
need nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import Box
from ..core.errors import GraphReleased
from ..core.primitive import Primitive
from ..ops.array import make
from ..ops.fitting import fit
from ..ops.indexing import Erased, Scattered
from .tape import Leaf, Node, Part

RELEASED = ("released",)


class Adjoints:
    """The adjoints of a sweep under way: pending nodes, their contributions, and which of them the
    sweep may overwrite.
    """

    __slots__ = ("masked", "owned", "pending", "queue", "values")

    def __init__(self) -> None:
        self.queue: list[int] = []
        self.pending: dict[int, Node] = {}
        self.values: dict[int, Any] = {}
        self.owned: set[int] = set()
        self.masked: set[int] = set()

    def add(self, node: Node, g: Any) -> None:
        """Accumulate the contribution ``g`` to the adjoint of ``node``."""
        number, kind = node.number, type(g)
        if number not in self.pending:
            self.pending[number] = node
            heappush(self.queue, -number)
            if kind is Scattered or kind is Part or kind is Erased:
                self.special(node, g, None)
            else:
                self.values[number] = g
        elif kind is Scattered or kind is Part or kind is Erased:
            self.special(node, g, self.values[number])
        else:
            self.values[number] = self.values[number] + g

    def special(self, node: Node, g: Any, present: Any) -> None:
        """Contributions that are not an array of their own: a part of a tuple, a few elements, all
        but a few.
        """
        number = node.number
        if type(g) is Part:
            parts = present if present is not None else {}
            parts[g.index] = g.gy if g.index not in parts else parts[g.index] + g.gy
            self.values[number] = parts
            return
        if type(g) is Erased:
            erased = g.erase(overwrite=g.number in self.owned)
            self.values[number] = erased if present is None else present + erased
        else:
            self.values[number] = g.add_to(
                present if number in self.owned else g.buffer(node, present)
            )
        self.owned.add(number)


def sweep(
    seeds: Sequence[tuple[Node, Any]],
    release: bool,
    at_leaf: Callable[[Leaf, Any], None],
    tracked: Callable[[Node], Any] | None = None,
    adjoints: Adjoints | None = None,
) -> None:
    """Push the adjoints ``seeds`` back through the graph, the latest node first.

    ``at_leaf`` is called once for each input reached, with its whole adjoint. ``release`` frees
    what nodes have saved. ``tracked(node)`` gives what it has saved in a form whose use is
    recorded. ``adjoints``: where they accumulate, for who wants to watch.
    """
    quick = np.ndarray if adjoints is None else None  # a watched sweep adds one by one
    adjoints = Adjoints() if adjoints is None else adjoints
    for node, g in seeds:
        adjoints.add(node, g)
    queue, pending = adjoints.queue, adjoints.pending
    values, masked = adjoints.values, adjoints.masked
    while queue:
        number = -heappop(queue)
        node = pending.pop(number)
        gy = values.pop(number)
        primitive = node.primitive
        if primitive is None:
            at_leaf(node, call_hooks(node, gy) if node.hooks else gy)  # type: ignore[arg-type]
            continue
        if type(node) is not Node:
            gy = call_hooks(node, gy)
        if node.saved is RELEASED:
            raise released(primitive)
        absorbs = number in masked
        spread = primitive.spreads and (absorbs or primitive.selects)
        reader = node if tracked is None else Tracked(node, tracked(node))
        pull, i = primitive.pull, len(node.parents)
        # the last input first: what is written is read from the adjoint before it is erased there
        for parent in reversed(node.parents):
            i -= 1
            if parent is not None and (g := pull(i, gy, reader, absorbs)) is not None:
                place = parent.number
                if type(g) is quick and place not in pending:
                    pending[place] = parent
                    values[place] = g
                    heappush(queue, -place)
                else:
                    adjoints.add(parent, g)
                if spread:
                    masked.add(place)
        if release:
            node.saved, node.parents = RELEASED, ()


class Tracked:
    """A node seen by its rules with ``saved`` replaced."""

    __slots__ = ("dtype", "number", "params", "parents", "saved", "shape")

    def __init__(self, node: Node, saved: Any) -> None:
        self.saved, self.params = saved, node.params
        self.parents, self.number = node.parents, node.number
        self.shape, self.dtype = node.shape, node.dtype


def released(primitive: Primitive) -> GraphReleased:
    """The error for a second way back through a graph."""
    return GraphReleased(
        f"backward through a graph that an earlier backward has released (at {primitive.name}): "
        "compute the value again, or keep the graph with backward(retain_graph=True)"
    )


def call_hooks(node: Node, gy: Any) -> Any:
    """``gy`` as the hooks of ``node`` leave it."""
    for hook in list(node.hooks.values()):
        # a handle of its own on the content: the sweep may go on to overwrite what it holds
        given = (
            make(gy._owner, gy._value, gy._node)
            if isinstance(gy, Box)
            else interpret.current.get().owned(np.array(gy))
        )
        result = hook(given)
        if result is not None:
            gy = fit(
                result._value if isinstance(result, Box) and not isinstance(gy, Box) else result,
                node,
            )
    return gy
