"""Recording a static graph: the Wengert list of a call, cut into segments where Python reads a
value.

``Capture`` stands at the bottom and writes equations; a dynamic graph of its own (``CaptureRoot``)
stands on top, so that ``backward`` and leaves work while recording. Where Python reads a value
(``if``, ``int(x)`` as an index, ``x.item()``), the segment ends with a ``Guard``: the rest of the
recording holds where the value is the same. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import interpret
from ..core.aval import aval_of
from ..core.box import PYTHON_SCALARS, SCALARS, Box, innermost
from ..core.interpret import apply, escaped
from ..core.primitive import Primitive
from ..core.program import Atom, Equation, Var, shape_follows_value
from ..core.source import user_line
from ..differentiate.dynamic import ROOT, Root
from ..differentiate.record import Recorder, read
from ..differentiate.tape import Leaf, leaf
from ..ops.array import Array, View, make, normal
from .reach import Refused


MASKED = frozenset({"getitem", "nonzero"})  # see shape_follows_value
PLAIN_RESULTS = frozenset({"random_bits"})  # of Arrays, but NumPy's to the user


@dataclass
class Guard:
    """Where the rest of a recording depends on a value that Python has read: ``convert`` of the
    plain value of ``var`` gave ``result``, at ``line`` of the user's program.
    """

    var: Var
    convert: Callable[[Any], Any]
    result: Any
    line: str

    @property
    def key(self) -> Any:
        """``result`` as the key of a dict."""
        return as_key(self.result)


def as_key(result: Any) -> Any:
    """What Python read, as the key of a dict: equal keys, equal bits."""
    kind = type(result)
    if kind is bool or kind is int or kind is str or kind is tuple:
        return result
    if isinstance(result, np.ndarray):
        return result.dtype.str, result.shape, result.tobytes()
    return kind.__name__, repr(result)


@dataclass
class Segment:
    """Equations that run one after the other, and the guard at their end; the last has none."""

    equations: list[Equation] = field(default_factory=list)
    guard: Guard | None = None


class Capture(Recorder):
    """A recorder of whole calls: with guards, and with constants that the dynamic graph owns.

    ``arrays``: the variables that are of type ``Array`` in the user's program; others are NumPy's.
    """

    __slots__ = ("arrays", "backward", "guarded", "segments", "spoke")
    observes = True

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(ROOT, "compile", function)
        self.segments: list[Segment] = [Segment()]
        self.equations = self.segments[0].equations
        self.arrays: set[Var] = set()
        self.guarded: set[tuple[Var, str, Any]] = set()
        self.spoke = False  # whether a value was printed
        self.backward = False  # whether a gradient was accumulated

    def observe(self, box: Box, convert: Callable[[Any], Any] | None, result: Any) -> None:
        if convert is None:
            self.spoke = True
            return
        var = read(box)
        if var is not None:
            self.guard(var, convert, result)

    def guard(self, var: Var, convert: Callable[[Any], Any], result: Any) -> None:
        """End the segment: what follows holds where ``convert`` of ``var`` is ``result``."""
        guard = Guard(var, convert, result, user_line(2))
        label = var, convert.__qualname__, guard.key
        if label in self.guarded:
            return
        self.guarded.add(label)
        self.segments[-1].guard = guard
        self.segments.append(Segment())
        self.equations = self.segments[-1].equations

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        # what ``Recorder.process`` does, written out for plain values: this is what recording costs
        values, variables, active, mine = [], [], False, False
        for arg in args:
            var, kind = None, type(arg)
            if kind is Array or kind is View:
                if arg._owner is not self:
                    raise self._stranger(primitive, arg)
                mine, var, arg = True, arg._node, arg._value
                if var is not None:
                    active = True
                    if var.aval.weak and type(arg) not in PYTHON_SCALARS:
                        var.strengthen()
            elif kind is not np.ndarray and kind not in SCALARS:
                arg = normal(primitive, arg)
            values.append(arg)
            variables.append(var)
        if not active:
            y = apply(primitive, values, params)
            return self._constant_handles(y) if mine else y
        if "donate" in params:  # a variable keeps the value that it was defined with
            params = {key: value for key, value in params.items() if key != "donate"}
        return self._equation(primitive, values, variables, params)

    def _equation(
        self,
        primitive: Primitive,
        values: Sequence[Any],
        variables: Sequence[Var | None],
        params: dict[str, Any],
    ) -> Any:
        """Compute, append the equation; handles on its outputs."""
        y = apply(primitive, values, params)
        inputs = tuple(
            [
                self.constant(value) if var is None else var
                for value, var in zip(values, variables, strict=True)
            ]
        )
        parts = y if type(y) is tuple else (y,)
        outputs = tuple([Var(aval_of(part)) for part in parts])
        eqn = Equation(primitive, inputs, outputs, params, user_line(4))
        self.equations.append(eqn)
        if not self.arrays.isdisjoint(inputs) and primitive.name not in PLAIN_RESULTS:
            self.arrays.update(outputs)
        if primitive.name in MASKED and shape_follows_value(eqn):  # all parts have one length
            self.guard(outputs[0], np.shape, np.shape(parts[0]))
        handles = [make(self, part, var) for part, var in zip(parts, outputs, strict=True)]
        return tuple(handles) if type(y) is tuple else handles[0]

    def _stranger(self, primitive: Primitive, arg: Any) -> Exception:
        """The error for a handle that is not the recorder's own."""
        if arg._owner is not ROOT:
            return escaped(arg, primitive)
        return Refused(
            f"{primitive.name} reads an Array that can't be found from the function "
            f"({user_line(3)}); pass it as an argument"
        )

    def fixed(self, value: Any) -> Array:
        """A handle on an array that is the same in every call, of type ``Array`` to the user."""
        atom = self.constant(np.asarray(value))
        assert isinstance(atom, Var)
        self.arrays.add(atom)
        return make(self, self.constants[atom], atom)


class CaptureRoot(Root):
    """The dynamic graph of a call that is recorded: its values are handles of the ``Capture``."""

    __slots__ = ("capture", "foreign")

    def __init__(self, capture: Capture) -> None:
        super().__init__(capture, "compile", capture.function)
        self.capture = capture
        self.foreign: set[Any] = set()  # leaves that stand for values of the graph around the call

    @property
    def origin(self) -> str:
        return interpret.origin_of(self.function, self.what) if self.function else "compile"

    def kind_of(self, box: Box) -> type:
        kind = type_of(box, self)
        return Box if kind is Array else kind

    def fresh(self, value: Any) -> Array:
        if not isinstance(value, Box):
            value = self.capture.fixed(value)
        return make(self, value, None)

    def leaf(self, value: Any) -> Array:
        if not isinstance(value, Box):
            value = self.capture.fixed(value)
        return make(self, value, leaf(value))

    def accumulate(self, node: Leaf, g: Any) -> None:
        """Add ``g`` to the gradient of a leaf; to derivatives it is a constant, as it is eagerly."""
        from ..ops.arithmetic import stop_gradient
        from ..ops.fitting import fit

        if node in self.foreign:
            raise Refused("backward() goes on into the graph that an argument comes from")
        self.capture.backward = True
        g = fit(g, node)
        if isinstance(g, Box) and g._owner is self.capture:
            with interpret.under(self.capture):
                g = make(self, self.capture.process(stop_gradient, (g,), {}), None)
        elif not isinstance(g, Box):
            g = self.fresh(g)
        node.grad = g if node.grad is None else node.grad + g


def type_of(value: Any, root: Root) -> type:
    """The type that a value has in the eager program: that of a handle is NumPy's, or Python's,
    unless it depends on an ``Array``.
    """
    if not isinstance(value, Array) or value._owner is not root:
        return type(value)
    inner = value._value
    is_array = isinstance(inner, Box) and getattr(inner._owner, "arrays", ()) and (
        inner._node in inner._owner.arrays  # type: ignore[attr-defined]
    )
    return Array if is_array or value._node is not None else type(innermost(inner))


def line_of(capture: Capture, atom: Atom | None) -> str:
    """The line of the user's program that made a variable."""
    for segment in capture.segments:
        for eqn in segment.equations:
            if atom in eqn.outputs:
                return eqn.source
    return ""
