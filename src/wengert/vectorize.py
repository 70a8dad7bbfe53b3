"""``vmap``: a function of one example becomes a function of many at once; each primitive is bound
once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core import interpret, tree
from .core.box import BATCHED, Box, shape_of
from .core.errors import DtypeError, ShapeError, UnsupportedError, describe
from .core.interpret import Interpreter, evaluate
from .core.primitive import Primitive
from .ops.array import Array, make, normal


class Batch(Interpreter):
    """Values of ``size`` examples: the ``_node`` of a handle is ``BATCHED`` if its value has the
    example axis in front.
    """

    __slots__ = ("size",)

    def __init__(self, parent: Interpreter, function: Callable[..., Any], size: int) -> None:
        super().__init__(parent, "vmap", function)
        self.size = size

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, batched, mine = [], [], False
        for arg in args:
            flag = False
            if isinstance(arg, Box):
                arg.refresh()
                if arg._owner is self:
                    mine, flag, arg = True, arg._node is BATCHED, arg._value
            elif type(arg) is not np.ndarray:
                arg = normal(primitive, arg)
            values.append(arg)
            batched.append(flag)
        if not any(batched):
            y = evaluate(self.parent, primitive, values, params)
            node = None
            if not mine:
                return y
        else:
            assert self.parent is not None
            with interpret.under(self.parent):
                y = primitive.batch(values, tuple(batched), self.size, params)
            node = BATCHED
        if type(y) is not tuple:
            return make(self, y, node)
        return tuple(make(self, part, node) for part in y)

    def notes(self, box: Box) -> list[str]:
        return [f"vmap over {self.size}"] if box._node is BATCHED else []


def axes_for(axes: Any, argument: Any, position: int) -> list[int | None]:
    """The example axis of each leaf of an argument; ``axes`` is an int, None, or a container like
    the argument.
    """
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree.flatten(argument)[0])
    try:
        return tree.spread(axes, argument)
    except (ValueError, TypeError) as error:
        raise ShapeError(
            f"vmap: the axes {axes!r} do not fit argument {position}: {error}"
        ) from error


def example_count(rows: Sequence[tuple[list[Any], list[int | None]]]) -> int:
    """The common length of the example axes; raises where there is none, or two."""
    size = None
    for position, (leaves, axes) in enumerate(rows):
        for leaf, axis in zip(leaves, axes, strict=True):
            if axis is None:
                continue
            if not isinstance(leaf, Box | np.ndarray | np.generic | int | float | complex):
                raise DtypeError(
                    f"vmap: argument {position} holds {describe(leaf)}, expected arrays; use "
                    "in_axes=None for it"
                )
            shape = shape_of(leaf)
            if not -len(shape) <= axis < len(shape):
                raise ShapeError(
                    f"vmap: argument {position} has shape {shape}, and no axis {axis}; use "
                    "in_axes=None for it"
                )
            if size is not None and shape[axis] != size:
                raise ShapeError(
                    f"vmap: argument {position} has {shape[axis]} examples along axis {axis}, an "
                    f"earlier one {size}"
                )
            size = shape[axis]
    if size is None:
        raise ShapeError("vmap: no argument has an example axis; in_axes names it")
    return size


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """``f`` for many examples at once: every primitive runs once, whatever their number.

    Args:
        f: a function of arrays or containers of arrays, for one example.
        in_axes: the example axis of each argument: an int for all, or a tuple with an int, None
            (the same for every example), or a container for each.
        out_axes: where the results have it: an int, or a container like the result.

    Returns:
        A function of the stacked arguments. ``vmap(grad(f))`` gives per-example gradients.

    Raises:
        ShapeError: axes that do not exist, or differ in length.
        UnsupportedError: ``if``, ``while`` or a mask that would need the value of one example.

    >>> import numpy as np, wengert as wg
    >>> wg.vmap(wg.grad(lambda x: np.sum(x**2)))(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[2., 4.],
           [6., 8.]])
    """

    def vectorised(*args: Any, **kwargs: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ShapeError(
                f"vmap: in_axes has {len(axes)} entries, the function was called with {len(args)} "
                "arguments"
            )
        rows = [
            (tree.flatten(arg)[0], axes_for(axis, arg, i))
            for i, (axis, arg) in enumerate(zip(axes, args, strict=True))
        ]
        size = example_count(rows)
        batch = Batch(interpret.current.get(), f, size)
        lifted = []
        for (leaves, leaf_axes), arg in zip(rows, args, strict=True):
            handles = [
                leaf if axis is None else make(batch, np.moveaxis(leaf, axis, 0), BATCHED)
                for leaf, axis in zip(leaves, leaf_axes, strict=True)
            ]
            lifted.append(tree.unflatten(tree.flatten(arg)[1], handles))
        with interpret.under(batch):
            result = f(*lifted, **kwargs)
        leaves, out_def = tree.flatten(result)
        spread = axes_for(out_axes, result, 0)
        return tree.unflatten(
            out_def,
            [finished(leaf, axis, batch) for leaf, axis in zip(leaves, spread, strict=True)],
        )

    vectorised.__wrapped__ = f  # type: ignore[attr-defined]
    return vectorised


def finished(leaf: Any, axis: int | None, batch: Batch) -> Any:
    """A result with its example axis where the user wants it."""
    mine = isinstance(leaf, Box) and leaf._owner is batch
    if mine:
        leaf.refresh()
    value: Any = leaf._value if mine else leaf
    batched = mine and leaf._node is BATCHED
    if axis is None:
        if batched:
            raise UnsupportedError("vmap: out_axes=None for a result that differs between examples")
        return value
    if not isinstance(value, Box | np.ndarray | np.generic | int | float | complex):
        raise DtypeError(
            f"vmap: the function gives {describe(value)}, expected arrays; use out_axes=None for it"
        )
    if not batched:
        spread: Any = value
        value = np.broadcast_to(spread, (batch.size, *shape_of(value))).copy()
    return value if axis == 0 else np.moveaxis(value, 0, axis)
