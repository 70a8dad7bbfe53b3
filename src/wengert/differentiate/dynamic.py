"""Dynamic graphs: the root tape, ``array(..., requires_grad=True)``, ``backward``, hooks,
``no_grad``.

The graph is built while the program runs and destroyed by ``backward``. ``backward`` computes with
plain NumPy, unless ``create_graph`` asks for a graph of the backward pass too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import Box, is_inexact
from ..core.declared import refused
from ..core.errors import ConversionError, DtypeError, ShapeError, UnsupportedError
from ..core.interpret import Interpreter
from ..core.primitive import Primitive
from ..core.quiet import quiet
from ..ops.arithmetic import stop_gradient
from ..ops.array import Array, make
from ..ops.fitting import fit
from .sweep import sweep
from .tape import HookedNode, Leaf, Node, Tape, flags_of, leaf

_keys = count()
DOUBLES = (float, np.float64)
REDRAWN = (
    "random numbers drawn inside a function of checkpoint, custom_jvp or custom_vjp would be drawn "
    "anew by backward(create_graph=True): draw them before, and pass them as an argument; or take "
    "wengert.grad, which nests"
)


class Root(Tape):
    """The interpreter at the bottom: it records what depends on an array that asks for
    gradients. A static graph being recorded has one of its own, on top of its recorder.
    """

    __slots__ = ()
    dynamic = True

    def gradient(self, box: Box) -> Any:
        node = box._node
        if node is None or type(node) is Leaf:
            return None if node is None else node.grad
        raise UnsupportedError(
            "x.grad of a value that is not a leaf: backward keeps the gradients of arrays made "
            "with requires_grad=True only. See another one with x.register_hook(print)"
        )

    def set_gradient(self, box: Box, value: Any) -> None:
        if type(box._node) is not Leaf:
            raise UnsupportedError(
                "x.grad = ...: x is not a leaf; make it with wengert.array(..., requires_grad=True)"
            )
        if value is not None:
            if np.shape(value) != box.shape:
                raise ShapeError(f"x.grad = ...: got shape {np.shape(value)}, expected {box.shape}")
            value = (
                value if isinstance(value, Array) else make(self, np.array(value, box.dtype), None)
            )
        box._node.grad = value

    def backward(self, box: Box, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
        if interpret.current.get() is not self:
            current = interpret.current.get()
            raise current._only_dynamic("x.backward()")
        box.refresh()
        node = box._node
        if node is None:
            raise UnsupportedError(
                "x.backward(): x does not depend on an array with requires_grad=True; make one "
                "with wengert.array(data, requires_grad=True), outside of no_grad"
            )
        if gradient is None:
            if box.shape != ():
                raise ShapeError(
                    f"x.backward(): x has shape {box.shape}, expected a scalar: reduce it with "
                    "np.sum or np.mean, or give the adjoint to start from, x.backward(gradient)"
                )
            gradient = 1.0 if type(box._value) in DOUBLES else box.dtype.type(1)
        else:
            if np.shape(gradient) != box.shape:
                raise ShapeError(
                    f"x.backward(gradient): got shape {np.shape(gradient)}, expected {box.shape}"
                )
            if isinstance(gradient, Array) and not create_graph:
                gradient = gradient._value
            elif type(gradient) is np.ndarray:
                gradient = gradient.copy()  # it may become the gradient of a leaf as it is
            gradient = fit(gradient, node)
        with quiet():
            if create_graph:
                sweep([(node, gradient)], False, self.accumulate, lambda node: tracked(self, node))
            else:
                sweep([(node, gradient)], not retain_graph, self.accumulate)

    def accumulate(self, node: Leaf, g: Any) -> None:
        """Add ``g`` to the gradient of a leaf."""
        if type(g) is not np.ndarray or g.dtype is not node.dtype or g.shape != node.shape:
            g = fit(g, node)
            if isinstance(g, Box):
                node.grad = g if node.grad is None else node.grad + g
                return
            g = np.asarray(g)
        if g.base is not None or not g.flags.writeable:
            g = np.array(g)
        gradient = Array()
        gradient._owner = ROOT
        gradient._value = g
        gradient._node = None
        node.grad = gradient if node.grad is None else node.grad + gradient

    def leaf(self, value: Any) -> Array:
        """A handle on ``value`` that asks for gradients."""
        return make(self, value, leaf(value))

    def register_hook(self, box: Box, hook: Callable[[Any], Any]) -> Callable[[], None]:
        if box._node is None:
            raise UnsupportedError(
                "x.register_hook(hook): no gradient passes through x; make it with "
                "requires_grad=True"
            )
        key, node = next(_keys), box._node
        if type(node) is Node:
            node.__class__, node.hooks = HookedNode, {}
        node.hooks[key] = hook
        return lambda: node.hooks.pop(key, None) and None

    def reduce(self, box: Box) -> tuple[Any, ...]:
        node = box._node
        if node is not None and type(node) is not Leaf:
            raise ConversionError(
                "copying or pickling a value that is part of a graph: copy its leaves, or "
                "x.detach()"
            )
        box.refresh()
        gradient = None if node is None or node.grad is None else node.grad.numpy()
        return _restored, (np.array(box._value), node is not None, gradient)

    def notes(self, box: Box) -> list[str]:
        if type(box._node) is Leaf:
            return ["requires_grad=True"]
        if box._node is not None:
            return [f"from={box._node.primitive.name if box._node.primitive else 'input'}"]
        return []


def tracked(root: Root, node: Node) -> Any:
    """What ``node`` has saved, as handles on the graph: for a backward pass that is itself
    recorded.
    """
    saved = node.saved
    if node.primitive is not None and node.primitive.residual is not None:
        xs = [
            x if p is None else make(root, x, p)
            for x, p in zip(saved.xs, node.parents, strict=True)
        ]
        with refused(REDRAWN):
            return node.primitive.residual(xs, node.params, flags_of(node.parents))[1]
    if not isinstance(saved, tuple):
        return saved
    y, *xs = saved[1 : 2 + len(node.parents)]
    full = [None, y if y is None else make(root, y, node)]
    for x, parent in zip(xs, node.parents, strict=False):
        full.append(x if x is None or parent is None else make(root, x, parent))
    return (*full, *saved[len(full) :])


def _restored(value: Any, requires_grad: bool, gradient: Any) -> Array:
    x = array(value, requires_grad=requires_grad)
    if gradient is not None:
        x.grad = gradient
    return x


ROOT = Root(None)
interpret.set_root(ROOT)


def nearest_root() -> Root:
    """The dynamic graph that stands nearest below the current interpreter."""
    below: Any = interpret.current.get()
    while not below.dynamic:
        below = below.parent
    return below  # type: ignore[no-any-return]


def array(data: Any, dtype: Any = None, requires_grad: bool = False) -> Array:
    """An ``Array`` with a copy of ``data``; with ``requires_grad`` a leaf of the dynamic graph.

    Args:
        data: numbers, nested lists of numbers, an array, or a list of ``Array``s, which are
        stacked. dtype: as in ``np.array``.
        requires_grad: record what depends on it, so that ``y.backward()`` fills in its ``grad``.

    Raises:
        DtypeError: ``requires_grad`` of integers or booleans, or data that is not numbers.

    >>> import numpy as np, wengert as wg
    >>> x = wg.array([1.0, 2.0], requires_grad=True)
    >>> np.sum(x * x).backward()
    >>> x.grad
    Array([2., 4.])
    """
    value: Any
    if isinstance(data, Array):
        value = data.astype(dtype) if dtype is not None else data.copy()
        if not requires_grad:
            return value  # type: ignore[no-any-return]
        value = (
            value._read("array(x, requires_grad=True)") if data._node is not None else value._value
        )
    elif isinstance(data, list | tuple) and _holds_boxes(data):
        parts: list[Any] = [item if isinstance(item, Box) else array(item) for item in data]
        return array(np.stack(parts), dtype, requires_grad)
    else:
        try:
            value = np.array(data, dtype=dtype)
        except ValueError as error:
            raise ShapeError(f"array: {error}") from error
    value = np.array(value)
    if value.dtype.kind not in "biufc":
        raise DtypeError(f"array: got data of dtype {value.dtype}, expected numbers or booleans")
    if requires_grad and not is_inexact(value):
        raise DtypeError(
            f"array: requires_grad=True needs floats, got {value.dtype}; add dtype=float"
        )
    if requires_grad:
        return nearest_root().leaf(value)
    current = interpret.current.get()
    return current.fresh(value)  # type: ignore[return-value]


def _holds_boxes(data: Any) -> bool:
    return any(
        isinstance(item, Box) or (isinstance(item, list | tuple) and _holds_boxes(item))
        for item in data
    )


class Cut(Interpreter):
    """Every value is a constant to it: what ``no_grad`` makes the current interpreter."""

    __slots__ = ()
    records = False

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        parent = self.parent
        assert parent is not None
        with interpret.under(parent):
            cut = [
                parent.process(stop_gradient, (arg,), {}) if isinstance(arg, Box) else arg
                for arg in args
            ]
            return parent.process(primitive, cut, params)

    def fresh(self, value: Any) -> Box:
        below = self.parent
        assert below is not None
        return below.fresh(value)

    def home(self, parts: Sequence[Any]) -> Interpreter:
        below = self.parent
        assert below is not None
        found = below.home(parts)
        return self if found is below else found

    def owned(self, value: Any) -> Box:
        below = self.parent
        while isinstance(below, Cut):
            below = below.parent
        assert below is not None
        return value if isinstance(value, Box) and value._owner is below else below.owned(value)


class no_grad:
    """``with no_grad():`` what is computed inside is a constant: at every level, in both modes.
    Also a decorator.

    >>> import wengert as wg
    >>> w = wg.array(1.0, requires_grad=True)
    >>> with wg.no_grad():
    ...     w -= 0.5
    >>> w
    Array(0.5, requires_grad=True)
    """

    def __enter__(self) -> None:
        current = interpret.current.get()
        self._tokens = [
            *getattr(self, "_tokens", []),
            interpret.current.set(Cut(current, current.what, current.function)),
        ]

    def __exit__(self, *exception: object) -> None:
        interpret.current.reset(self._tokens.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def without(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return function(*args, **kwargs)

        without.__wrapped__ = function  # type: ignore[attr-defined]
        return without
