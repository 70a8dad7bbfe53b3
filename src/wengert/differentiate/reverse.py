"""Reverse mode: the one sweep that serves every tape, and ``vjp``, ``grad``, ``value_and_grad``.

The sweep takes the pending node with the largest number, so it needs no recursion and no order of its own, and frees as it
goes. It runs under the interpreter that is current when the pullback is called: higher orders need nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..core import interpret, tree
from ..core.box import PYTHON_SCALARS, Box, dtype_of, is_inexact, shape_of
from ..core.errors import DtypeError, GraphReleased, ShapeError, describe
from ..core.interpret import origin_of
from ..core.primitive import Primitive
from ..ops.families import fit
from ..ops.indexing import Erased, Scattered
from .tape import Leaf, Node, Part, Tape

RELEASED = ("released",)
hooks: WeakKeyDictionary[Node, dict[int, Callable[[Any], Any]]] = WeakKeyDictionary()


class Adjoints:
    """The adjoints of a sweep under way: pending nodes, their contributions, and which of them the sweep may overwrite."""

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
        """Contributions that are not an array of their own: a part of a tuple, a few elements, all but a few."""
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
            self.values[number] = g.add_to(present if number in self.owned else g.buffer(node, present))
        self.owned.add(number)


def sweep(
    seeds: Sequence[tuple[Node, Any]],
    release: bool,
    at_leaf: Callable[[Leaf, Any], None],
    tracked: Callable[[Node], Any] | None = None,
) -> None:
    """Push the adjoints ``seeds`` back through the graph, the latest node first.

    ``at_leaf`` is called once for each input reached, with its whole adjoint. ``release`` frees what nodes have saved.
    ``tracked(node)`` gives what it has saved in a form whose use is recorded.
    """
    adjoints = Adjoints()
    for node, g in seeds:
        adjoints.add(node, g)
    queue, pending, values, masked = adjoints.queue, adjoints.pending, adjoints.values, adjoints.masked
    while queue:
        number = -heappop(queue)
        node, gy = pending.pop(number), values.pop(number)
        if hooks and node in hooks:
            gy = call_hooks(node, gy)
        primitive = node.primitive
        if primitive is None:
            at_leaf(node, gy)  # type: ignore[arg-type]
            continue
        if node.saved is RELEASED:
            raise released(primitive)
        absorbs = number in masked
        spread = (absorbs or primitive.selects) and primitive.spreads
        reader = node if tracked is None else Tracked(node, tracked(node))
        pull, i = primitive.pull, len(node.parents)
        for parent in reversed(node.parents):  # what is written is read from the adjoint before it is erased there
            i -= 1
            if parent is not None and (g := pull(i, gy, reader, absorbs)) is not None:
                adjoints.add(parent, g)
                if spread:
                    masked.add(parent.number)
        if release:
            node.saved, node.parents = RELEASED, ()


class Tracked:
    """A node seen by its rules with ``saved`` replaced."""

    __slots__ = ("dtype", "number", "params", "parents", "saved", "shape")

    def __init__(self, node: Node, saved: Any) -> None:
        self.saved, self.params, self.parents, self.number = saved, node.params, node.parents, node.number
        self.shape, self.dtype = node.shape, node.dtype


def released(primitive: Primitive) -> GraphReleased:
    """The error for a second way back through a graph."""
    return GraphReleased(
        f"backward through a graph that an earlier backward has released (at {primitive.name}): compute the value again, or "
        "keep the graph with backward(retain_graph=True)"
    )


def call_hooks(node: Node, gy: Any) -> Any:
    """``gy`` as the hooks of ``node`` leave it."""
    for hook in list(hooks[node].values()):
        given = gy if isinstance(gy, Box) else interpret.current.get().owned(gy)
        result = hook(given)
        if result is not None:
            gy = fit(result._value if isinstance(result, Box) and not isinstance(gy, Box) else result, node)
    return gy


# --- transformations -------------------------------------------------------------------------------------------------------


def differentiable(leaf: Any, what: str) -> Any:
    """``leaf``, if it is an array or a number; lists and other objects raise with the remedy."""
    if isinstance(leaf, Box | np.ndarray | np.generic | int | float | complex):
        return leaf
    raise DtypeError(f"{what}: got {describe(leaf)}, expected an array; write np.array(...) around it")


def lists_meant_as_arrays(argument: Any, what: str) -> None:
    """Refuse a list of plain numbers: as a container its gradient would be a list of scalars, which nobody means."""
    if isinstance(argument, list) and argument and all(type(item) in (int, float) for item in argument):
        raise DtypeError(f"{what}: got a list of numbers, expected an array; write np.array({argument!r:.60})")


class Pullback:
    """The linear map from the adjoint of the output to the adjoints of the arguments: ``pullback(gy)`` -> a tuple."""

    def __init__(self, tape: Tape, inputs: list[list[Leaf | None]], defs: list[Any], outputs: list[Any], out_def: Any,
                 weak: list[list[Any]], retain: bool, origin: str) -> None:
        self.inputs, self.defs, self.outputs, self.out_def = inputs, defs, outputs, out_def
        self.weak, self.retain, self.origin = weak, retain, origin

    def __call__(self, gy: Any) -> tuple[Any, ...]:
        leaves = tree.leaves_like(self.out_def, gy, "pullback")
        seeds = []
        for (shape, dtype, node), g in zip(self.outputs, leaves, strict=True):
            if shape_of(differentiable(g, "pullback")) != shape:
                raise ShapeError(f"pullback: got an adjoint of shape {shape_of(g)}, expected that of the output, {shape}")
            if node is not None:
                seeds.append((node, fit(g, node)))
        adjoints: dict[Leaf, Any] = {}
        with np.errstate(all="ignore"):
            sweep(seeds, not self.retain, adjoints.__setitem__)
        seen: set[int] = set()
        return tuple(
            tree.unflatten(treedef, [
                finished(adjoints.get(leaf), leaf, value, seen) if leaf is not None else None  # type: ignore[arg-type]
                for leaf, value in zip(row, values, strict=True)
            ])
            for treedef, row, values in zip(self.defs, self.inputs, self.weak, strict=True)
        )

    def __repr__(self) -> str:
        return f"<pullback, {self.origin}>"


def finished(g: Any, leaf: Leaf, kind: Any, seen: set[int]) -> Any:
    """An adjoint as the user gets it: of the dtype and shape of its input, and an array of its own."""
    if g is None:
        g = np.zeros(leaf.shape, leaf.dtype)[()]
    g = fit(g, leaf)
    if isinstance(g, Box):
        return g
    if kind in PYTHON_SCALARS:
        return kind(g)
    if type(g) is np.ndarray and (g.base is not None or not g.flags.writeable or id(g) in seen):
        g = np.array(g)
    seen.add(id(g))
    return g if kind is not Box else interpret.current.get().owned(g)


def record(function: Callable[..., Any], args: Sequence[Any], what: str, kwargs: dict[str, Any] | None = None,
           active: Sequence[int] | None = None, retain: bool = True) -> tuple[Any, Any, Pullback]:
    """Run ``function(*args)`` under a tape of its own: ``(result, its leaves on the tape, pullback)``.

    ``active``: the positions of the arguments to differentiate, all if None.
    """
    outer = interpret.current.get()
    tape = Tape(outer, origin_of(function, what))
    given, inputs, defs, kinds = list(args), [], [], []
    for i in range(len(args)) if active is None else active:
        lists_meant_as_arrays(args[i], what)
        leaves, treedef = tree.flatten(args[i])
        handles = [tape.input(differentiable(leaf, what)) for leaf in leaves]
        inputs.append([handle._node for handle in handles])
        kinds.append([Box if isinstance(leaf, Box) else type(leaf) for leaf in leaves])
        defs.append(treedef)
        given[i] = tree.unflatten(treedef, handles)
    with interpret.under(tape):
        result = function(*given, **(kwargs or {}))
    leaves, out_def = tree.flatten(result)
    values, outputs = [], []
    for leaf in leaves:
        mine = isinstance(leaf, Box) and leaf._owner is tape
        if mine:
            leaf.refresh()
        values.append(leaf._value if mine else leaf)
        outputs.append((shape_of(leaf) if hasattr(leaf, "shape") else (), None, leaf._node if mine else None))
    pullback = Pullback(tape, inputs, defs, outputs, out_def, kinds, retain, tape.origin)
    return values, out_def, pullback


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Reverse mode: ``(f(*primals), pullback)``, where ``pullback(gy)`` gives a tuple with the adjoint of each primal.

    Args:
        f: a function of arrays or containers of arrays.
        primals: its arguments. Integers and booleans in them are constants; their adjoint is None.
        has_aux: ``f`` gives ``(y, aux)``; ``aux`` is handed on as a third result.

    Returns:
        ``(y, pullback)``: ``gy`` has the structure and shapes of ``y``. The pullback may be called many times, and under
        other transformations.

    Raises:
        DtypeError: an argument that is neither an array nor a number.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2, doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> y, pullback = wg.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.ones(2))
    (array([2., 4.]),)
    """
    aux: list[Any] = []

    def main(*args: Any) -> Any:
        result = f(*args)
        if has_aux:
            result, extra = result
            aux.append(extra)
        return result

    values, out_def, pullback = record(main if has_aux else f, primals, "vjp")
    y = tree.unflatten(out_def, values)
    return (y, pullback, lowered(aux[0])) if has_aux else (y, pullback)


def lowered(aux: Any) -> Any:
    """Auxiliary results without the level that made them."""
    outer = interpret.current.get()

    def lower(leaf: Any) -> Any:
        while isinstance(leaf, Box) and leaf._owner.parent is outer and leaf._owner is not outer:
            leaf.refresh()
            leaf = leaf._value
        return leaf

    return tree.map(lower, aux)


def check_scalar(values: list[Any], what: str) -> Any:
    """The one real scalar in ``values``."""
    if len(values) != 1:
        raise ShapeError(f"{what}: the function gives {len(values)} values, expected one scalar; use has_aux=True for more")
    (y,) = values
    if shape_of(differentiable(y, what)) != ():
        raise ShapeError(
            f"{what}: the function gives {describe(y)}, expected a scalar: reduce it with np.sum or np.mean, or use "
            "wengert.jacobian for the derivative of an array"
        )
    dtype = np.dtype(dtype_of(y))
    if dtype.kind == "c":
        raise DtypeError(f"{what}: the function gives a complex number, expected a real one: return its np.real or np.abs")
    if dtype.kind != "f":
        raise DtypeError(f"{what}: the function gives {describe(y)}, expected a float scalar")
    return y


def value_and_grad(f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives ``(f(*args), gradient)``; see ``grad``."""
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        aux: list[Any] = []

        def main(*args: Any, **kwargs: Any) -> Any:
            result, extra = f(*args, **kwargs)
            aux.append(extra)
            return result

        check_arguments(args, positions)
        function = f if not has_aux else main
        values, _, pullback = record(function, args, "grad", kwargs, positions, retain=False)
        y = check_scalar(values, "grad")
        kind = dtype_of(y)
        one = 1.0 if kind is float else kind.type(1)
        pullback.out_def = tree.LEAF
        gradients = pullback(one)
        gradient = gradients[0] if isinstance(argnums, int) else gradients
        return ((y, lowered(aux[0])) if has_aux else y), gradient

    value_and_gradient.__wrapped__ = f  # type: ignore[attr-defined]
    return value_and_gradient


def check_arguments(args: Sequence[Any], positions: Sequence[int]) -> None:
    """Refuse positions that are not there, and numbers without derivative."""
    for i in positions:
        if not -len(args) <= i < len(args):
            raise ShapeError(f"grad: argnums={i}, but the function was called with {len(args)} positional arguments")
        if isinstance(args[i], ATOMIC) and not is_inexact(args[i]):
            raise DtypeError(
                f"grad: argument {i} is {describe(args[i])}, which has no derivative; give a float: 3.0 instead of 3, "
                "or x.astype(float)"
            )


ATOMIC = (Box, np.ndarray, np.generic, int, float, complex)


def grad(f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar function, by reverse mode, as a function of the same arguments.

    Args:
        f: gives a real scalar; its arguments are arrays, numbers, or containers of them.
        argnums: which argument to differentiate: an int, or a tuple of ints for a tuple of gradients.
        has_aux: ``f`` gives ``(y, aux)``; then so does the gradient function: ``(gradient, aux)``.

    Returns:
        A function whose result has the structure, shapes and dtypes of the argument; integer and boolean leaves get None.
        The gradient of a complex leaf is ∂L/∂Re + i ∂L/∂Im: ``x -= lr * grad`` descends.

    Raises:
        ShapeError: ``f`` does not give a scalar.
        DtypeError: an integer, a list, or another object to differentiate; a complex result.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2, doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), argnums=(0, 1))(2.0, 5.0)
    (5.5, 1.7163378145367738)
    """
    both = value_and_grad(f, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    gradient.__wrapped__ = f  # type: ignore[attr-defined]
    return gradient


__all__ = ["grad", "value_and_grad", "vjp"]
