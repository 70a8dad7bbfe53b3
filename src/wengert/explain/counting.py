"""An interpreter that counts: what a program, or its derivative, costs in applications.

It stands below whatever is counted: ``jvp`` and ``grad`` run their rules under it, so that value,
tangents and adjoints are all counted. Layer: ``explain``; above ``core`` and ``ops``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core import interpret, tree
from ..core.box import Box, innermost, shape_of
from ..core.interpret import Interpreter, evaluate
from ..core.primitive import Primitive
from ..ops.array import Array, make


@dataclass
class Count:
    """What was counted.

    primitives: how often each primitive was applied, by name.
    operations: scalar additions, multiplications and function values, see ``operations_of``.
    """

    primitives: Counter[str] = field(default_factory=Counter)
    operations: int = 0

    @property
    def applications(self) -> int:
        """How many primitives were applied in all."""
        return self.primitives.total()


class Counting(Interpreter):
    """Computes what the interpreter below computes, and counts it."""

    __slots__ = ("count",)

    def __init__(self, parent: Interpreter, function: Callable[..., Any]) -> None:
        super().__init__(parent, "counted", function)
        self.count = Count()

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, mine = [], False
        for arg in args:
            if isinstance(arg, Box):
                arg.refresh()
                if arg._owner is self:
                    mine, arg = True, arg._value
            values.append(arg)
        y = evaluate(self.parent, primitive, values, params)
        self.count.primitives[primitive.name] += 1
        self.count.operations += operations_of(primitive, values, y)
        if not mine:
            return y
        return tuple(map(self.owned, y)) if type(y) is tuple else self.owned(y)


def operations_of(primitive: Primitive, values: Sequence[Any], y: Any) -> int:
    """The scalar operations of one application: one for each element of an elementwise result, two
    for each product of two numbers in a sum of products, one for each element that a reduction
    reads, none for what only moves elements.
    """
    sizes = [math.prod(shape_of(value)) for value in values]
    size = sum(math.prod(shape_of(part)) for part in (y if type(y) is tuple else (y,)))
    if primitive.family == "bilinear":
        summed = sizes[0] * sizes[1] / max(size, 1)  # for (m, k) and (k, n): k²
        return round(2 * size * math.sqrt(summed))
    if primitive.name == "affine":
        return 2 * sizes[0] * int(shape_of(values[1])[0]) + size
    if primitive.family == "reduction" or primitive.name in ("sum", "mean"):
        return sizes[0]
    if primitive.family == "linear":
        return 0
    return size


def counted(run: Callable[..., Any], *args: Any) -> tuple[Any, Count]:
    """``run(*args)`` and its count; every array in ``args`` belongs to what is counted.

    >>> import numpy as np, wengert as wg
    >>> f = lambda x: np.sum(np.sin(x) ** 2)
    >>> value, count = counted(f, np.ones(3))
    >>> dict(count.primitives), count.operations
    ({'sin': 1, 'power': 1, 'sum': 1}, 9)
    >>> gradient, count = counted(wg.grad(f), np.ones(3))
    >>> 3 < count.applications < 12  # value and rules
    True
    """
    counting = Counting(interpret.current.get(), run)
    owned = [tree.map(counting.owned, arg) for arg in args]
    with interpret.under(counting):
        result = run(*owned)

    def plain(leaf: Any) -> Any:
        if isinstance(leaf, Box):
            leaf.refresh()
            return innermost(leaf)
        return leaf

    return tree.map(plain, result), counting.count
