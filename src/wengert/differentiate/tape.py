"""The tape: the dynamic Wengert list, written while the program runs.

A node owns its parents, never the other way round, so a graph dies with its last output. Numbers
come from one process-wide counter, so the order of execution is the order of numbers. The root tape
is the dynamic graph; ``grad`` and ``vjp`` push a tape of their own. ``reverse.py`` has the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import SCALAR_DTYPES, SCALARS, Box, dtype_of, is_inexact, shape_of
from ..core.errors import operation_error
from ..core.interpret import Interpreter, apply, escaped, evaluate, under
from ..core.primitive import Doc, NotDifferentiable, Primitive, saver_of
from ..core.protect import protect
from ..ops.array import Array, make, normal
from ..ops.families import general

next_number = count(1).__next__
NO_PARAMS: dict[str, Any] = {}  # of every node without; nobody writes into it
ndarray = np.ndarray
_errors = (ValueError, TypeError, IndexError)
# what most nodes keep, of (None, y, *xs)
KEEP_Y, KEEP_X = saver_of((0, 1, 0)), saver_of((0, 0, 2))
KEEP_BOTH = saver_of((0, 0, 2, 3))


class Node:
    """One line of the dynamic Wengert list.

    ``number``: its place in the order of execution. ``parents``: for each input the node it came
    from, None for a constant. ``saved``: what the rules of the active inputs read, at its position
    of ``(None, y, *xs)``. ``shape`` and ``dtype``: those of the output (``dtype`` is a Python type
    where the value is a Python scalar). ``hooks``: what to call with its adjoint; only a
    ``HookedNode`` or a ``Leaf`` has them.
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "hooks",
        "number",
        "params",
        "parents",
        "primitive",
        "saved",
        "shape",
    )
    number: int
    primitive: Primitive | None
    parents: Sequence[Node | None]
    saved: Any
    params: dict[str, Any]
    shape: tuple[int, ...]
    dtype: Any
    hooks: dict[int, Callable[[Any], Any]]

    def __repr__(self) -> str:
        name = self.primitive.name if self.primitive else "input"
        return f"<Node {self.number}: {name} -> {self.dtype}{list(self.shape)}>"


class HookedNode(Node):
    """A node with hooks: what ``register_hook`` makes of a node, so that others cost nothing for
    it.
    """

    __slots__ = ()


class Leaf(Node):
    """An input of the graph. ``grad``: the accumulated gradient of a dynamic graph's leaf."""

    __slots__ = ("grad",)
    grad: Any


def leaf(value: Any) -> Leaf:
    """A node without parents for ``value``."""
    node = Leaf()
    node.number = next_number()
    node.primitive, node.parents, node.saved, node.params = None, (), None, NO_PARAMS
    node.shape, node.dtype, node.grad, node.hooks = shape_of(value), dtype_of(value), None, {}
    return node


def node_for(
    primitive: Primitive, parents: Sequence[Node | None], saved: Any, params: dict[str, Any], y: Any
) -> Node:
    """A node of the graph for output ``y`` (one array, or a tuple of them)."""
    node = Node()
    node.number = next_number()
    node.primitive, node.parents, node.saved, node.params = primitive, parents, saved, params
    if type(y) is ndarray:
        node.shape, node.dtype = y.shape, y.dtype
    elif type(y) is tuple:
        node.shape, node.dtype = (), None
    else:
        node.shape, node.dtype = shape_of(y), dtype_of(y)
    return node


class Tape(Interpreter):
    """Records a node for each application that depends on an input of this tape."""

    __slots__ = ()

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def input(self, value: Any) -> Array:
        """A handle on ``value`` whose derivatives are recorded, if it has any."""
        return make(self, value, leaf(value) if is_inexact(value) else None)

    def unary(self, primitive: Primitive, x: Any) -> Any:
        # ``process`` for the common case, with its steps written out: every microsecond of eager
        # overhead is here
        if type(x) is not Array or x._owner is not self:
            return self.process(primitive, (x,), {})
        node, value = x._node, x._value
        if type(value) is not ndarray and type(value) not in SCALARS:
            return self.process(primitive, (x,), {})
        try:
            y = primitive.value(value)
        except _errors as error:
            raise operation_error(primitive.name, (value,), error) from error
        array = Array()
        array._owner = self
        array._value = y
        if node is None or (saver := primitive.keep[1]) is False:
            array._node = None
            return array
        array._node = record = Node()
        record.number = next_number()
        record.primitive = primitive
        record.parents = (node,)
        record.params = NO_PARAMS
        if saver is KEEP_X:
            record.saved = (None, None, value)
        elif saver is KEEP_Y:
            record.saved = (None, y, None)
        else:
            record.saved = saver((None, y, value)) if saver is not None else None
        if type(y) is ndarray:
            record.shape = y.shape
            record.dtype = y.dtype
        else:
            record.shape, record.dtype = (), SCALAR_DTYPES[type(y)]
        return array

    def binary(self, primitive: Primitive, a: Any, b: Any) -> Any:
        # as ``unary``: two handles of this tape, or one and a scalar
        if type(a) is Array and a._owner is self:
            first, a_value = a._node, a._value
        elif type(a) in SCALARS:
            first, a_value = None, a
        else:
            return self.process(primitive, (a, b), {})
        if type(b) is Array and b._owner is self:
            second, b_value = b._node, b._value
        elif type(b) in SCALARS:
            second, b_value = None, b
        else:
            return self.process(primitive, (a, b), {})
        if (type(a_value) is not ndarray and type(a_value) not in SCALARS) or (
            type(b_value) is not ndarray and type(b_value) not in SCALARS
        ):
            return self.process(primitive, (a, b), {})
        try:
            y = primitive.value(a_value, b_value)
        except _errors as error:
            raise operation_error(primitive.name, (a_value, b_value), error) from error
        array = Array()
        array._owner = self
        array._value = y
        if first is not None:
            saver = primitive.keep[1 if second is None else 3]
        else:
            saver = primitive.keep[2] if second is not None else False
        if saver is False:
            array._node = None
            return array
        array._node = node = Node()
        node.number = next_number()
        node.primitive = primitive
        node.parents = (first, second)
        node.params = NO_PARAMS
        if saver is KEEP_BOTH:
            node.saved = (None, None, a_value, b_value)
        else:
            node.saved = saver((None, y, a_value, b_value)) if saver is not None else None
        if type(y) is ndarray:
            node.shape = y.shape
            node.dtype = y.dtype
        else:
            node.shape, node.dtype = (), SCALAR_DTYPES[type(y)]
        return array

    def ternary(self, primitive: Primitive, a: Any, b: Any, c: Any) -> Any:
        # as ``unary``, for a layer of a network: two handles of this tape, and before them a third
        # or an array of the user's
        if (
            type(b) is not Array
            or type(c) is not Array
            or b._owner is not self
            or c._owner is not self
        ):
            return self.process(primitive, (a, b, c), {})
        a_value, first = a, None
        if type(a) is Array and a._owner is self:
            a_value, first = a._value, a._node
        b_value, c_value = b._value, c._value
        if type(a_value) is not ndarray or type(b_value) is not ndarray:
            return self.process(primitive, (a, b, c), {})
        if type(c_value) is not ndarray:
            return self.process(primitive, (a, b, c), {})
        try:
            y = primitive.value(a_value, b_value, c_value)
        except _errors as error:
            raise operation_error(primitive.name, (a_value, b_value, c_value), error) from error
        second, third = b._node, c._node
        mask = 0 if first is None else 1
        if second is not None:
            mask += 2
        if third is not None:
            mask += 4
        saver = primitive.keep[mask] if mask else False
        if saver is False:
            return make(self, y, None)
        saved = saver((None, y, a_value, b_value, c_value)) if saver is not None else None
        if a_value is a and saved is not None:
            saved = protect(saved, [a])
        return make(self, y, node_for(primitive, (first, second, third), saved, NO_PARAMS, y))

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, parents, foreign = [], [], []
        mask, bit, mine = 0, 1, False
        plain = True  # whether all values are NumPy's own, so that the level below is NumPy itself
        for arg in args:
            kind, node = type(arg), None
            if kind is ndarray:
                foreign.append(arg)
            elif kind is Array or isinstance(arg, Box):
                if kind is not Array:
                    arg.refresh()
                if arg._owner is self:
                    mine, node, arg = True, arg._node, arg._value
                    if node is not None:
                        mask |= bit
                    if type(arg) is not ndarray and type(arg) not in SCALARS:
                        plain = False
                else:
                    plain = False
            else:
                arg = normal(primitive, arg)
            bit += bit
            values.append(arg)
            parents.append(node)
        if mask and primitive.residual is not None:
            kept = protect(values, foreign) if foreign else values
            return self._with_rule(primitive, kept, parents, params, plain)
        if plain:
            y = apply(primitive, values, params)
        else:
            y = evaluate(self.parent, primitive, values, params)
        if not mine:
            return y
        saver = primitive.keep[mask] if mask else False
        if saver is False:
            return wrap(self, y, None)
        saved = saver((None, y, *values)) if saver is not None else None
        if foreign and saved is not None:
            saved = protect(saved, foreign)
        if type(y) is not ndarray:
            return wrap(self, y, node_for(primitive, parents, saved, params, y))
        array = Array()
        array._owner = self
        array._value = y
        array._node = record = Node()
        record.number = next_number()
        record.primitive = primitive
        record.parents = parents
        record.params = params
        record.saved = saved
        record.shape = y.shape
        record.dtype = y.dtype
        return array

    def _with_rule(
        self,
        primitive: Primitive,
        values: Any,
        parents: Any,
        params: dict[str, Any],
        plain: bool,
    ) -> Any:
        """An application whose rule says what to save; it runs under the parent."""
        assert primitive.residual is not None
        if plain and not primitive.calls_user:
            y, saved = residual_of(primitive, values, parents, params)
        else:
            with under(self.parent or self):
                y, saved = primitive.residual(values, params, flags_of(parents))
        if type(y) is tuple and any(isinstance(part, Box) and part._owner is self for part in y):
            raise escaped(next(part for part in y if isinstance(part, Box)), primitive)
        return wrap(self, y, node_for(primitive, parents, saved, params, y))


def flags_of(parents: Sequence[Node | None]) -> tuple[bool, ...]:
    """Which inputs of an application a derivative is asked for."""
    return tuple([parent is not None for parent in parents])


def residual_of(
    primitive: Primitive, values: Any, parents: Any, params: dict[str, Any]
) -> tuple[Any, Any]:
    """``primitive.residual`` of plain values, NumPy's complaints named after the operation."""
    assert primitive.residual is not None
    try:
        return primitive.residual(values, params, flags_of(parents))  # type: ignore[no-any-return]
    except _errors as error:
        raise operation_error(primitive.name, values, error) from error


def wrap(tape: Tape, y: Any, node: Node | None) -> Any:
    """Handles for the output of an application; several outputs hang on one node by a projection
    each.
    """
    if type(y) is not tuple:
        return make(tape, y, node)
    outputs = []
    for k, value in enumerate(y):
        if (
            isinstance(value, Box) and value._owner is tape
        ):  # a user's function closed over a value of the dynamic graph
            outputs.append(value)
            continue
        active = node is not None and is_inexact(value)
        outputs.append(
            make(tape, value, node_for(projection, (node,), k, {}, value) if active else None)
        )
    return tuple(outputs)


class Part:
    """The adjoint of output ``index`` of a node with several."""

    __slots__ = ("gy", "index")

    def __init__(self, index: int, gy: Any) -> None:
        self.index, self.gy = index, gy


projection = general(
    name="projection",
    value=lambda outputs, k: outputs[k],
    jvp=NotDifferentiable("projection stands in tapes only"),
    pull=lambda i, gy, node, masked: Part(node.saved, gy),
    reads=(None,),
    batch=NotDifferentiable("projection stands in tapes only"),
    infer=lambda *avals, k: Aval(()),
    doc=Doc("One output of an application that has several; only in tapes."),
    samples=lambda rng: [],
)
