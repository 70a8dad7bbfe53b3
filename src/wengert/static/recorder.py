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
from ..core.aval import aval_of, interned
from ..core.box import PYTHON_SCALARS, SCALARS, Box, innermost
from ..core.interpret import Interpreter, apply, escaped
from ..core.primitive import Primitive
from ..core.program import Atom, Equation, Literal, Var, shape_follows_value
from ..core.source import user_line
from ..differentiate.dynamic import ROOT, Root
from ..differentiate.record import Recorder, read
from ..differentiate.tape import Leaf
from ..ops.arithmetic import stop_gradient
from ..ops.array import Array, View, make, normal
from ..ops.fitting import fit
from .refusal import Refused

ERRORS = (ValueError, TypeError, IndexError)
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
    """A recorder of whole calls, with guards.

    What is NumPy's in the user's program is a handle of its own, what is an ``Array`` is one of the
    dynamic graph on top.
    """

    __slots__ = ("guarded", "segments", "spoke", "still", "swept")
    observes = True

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(ROOT, "compile", function)
        self.segments: list[Segment] = [Segment()]
        self.equations = self.segments[0].equations
        self.guarded: set[tuple[Var, str, Any]] = set()
        self.still: set[Var] = set()  # what no derivative passes through
        self.spoke = False  # whether a value was printed
        self.swept = False  # whether a gradient was accumulated

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
                if kind is View:
                    arg.refresh()
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
        if primitive is stop_gradient and variables[0] in self.still:
            return make(self, values[0], variables[0])
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
        try:
            y = primitive.value(*values, **params)
        except ERRORS:
            y = apply(primitive, values, params)  # with the error in its own words
        inputs: list[Atom] = []
        for value, var in zip(values, variables, strict=True):
            if var is not None:
                inputs.append(var)
            else:
                inputs.append(Literal(value) if type(value) in SCALARS else self.constant(value))
        if type(y) is tuple:
            outputs = tuple([Var(aval_of(part)) for part in y])
        elif type(y) is np.ndarray:
            outputs = (Var(interned(y.shape, y.dtype)),)
        else:
            outputs = (Var(aval_of(y)),)
        if primitive is stop_gradient or (
            self.still and all(v is None or v in self.still for v in variables)
        ):
            self.still.update(outputs)
        eqn = Equation(primitive, tuple(inputs), outputs, params, user_line(4))
        self.equations.append(eqn)
        if primitive.name in MASKED and shape_follows_value(eqn):  # all parts have one length
            self.guard(outputs[0], np.shape, np.shape(y[0] if type(y) is tuple else y))
        if type(y) is tuple:
            return tuple([make(self, part, var) for part, var in zip(y, outputs, strict=True)])
        array: Array = object.__new__(Array)
        array._owner, array._value, array._node = self, y, outputs[0]
        return array

    def _stranger(self, primitive: Primitive, arg: Any) -> Exception:
        """The error for a handle that is not the recorder's own."""
        if arg._owner is not ROOT:
            return escaped(arg, primitive)
        return Refused(
            f"{primitive.name} reads an Array that can't be found from the function "
            f"({user_line(3)}); pass it as an argument"
        )

    def kind_of(self, box: Box) -> type:
        return type(innermost(box))


class CaptureRoot(Root):
    """The dynamic graph of a call that is recorded: its values are handles of the ``Capture``."""

    __slots__ = ("capture", "foreign")

    def __init__(self, capture: Capture) -> None:
        super().__init__(capture, "compile", capture.function)
        self.capture = capture
        self.foreign: set[Any] = set()  # leaves that stand for values of the graph around the call

    def unary(self, primitive: Primitive, x: Any) -> Any:
        return self.process(primitive, (x,), {})

    def binary(self, primitive: Primitive, a: Any, b: Any) -> Any:
        return self.process(primitive, (a, b), {})

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        for arg in args:
            if (type(arg) is Array or type(arg) is View) and arg._owner is self:
                result = super().process(primitive, args, params)
                return result if primitive.name not in PLAIN_RESULTS else result._value
        return self.capture.process(primitive, args, params)  # nothing that the graph owns

    def home(self, parts: Sequence[Any]) -> Interpreter:
        if any(isinstance(part, Box) and part._owner is self for part in parts):
            return self
        return self.capture

    @property
    def origin(self) -> str:
        return interpret.origin_of(self.function, self.what) if self.function else "compile"

    def accumulate(self, node: Leaf, g: Any) -> None:
        """Add ``g`` to the gradient of a leaf; to derivatives it is a constant, as eagerly."""
        if node in self.foreign:
            raise Refused("backward() goes on into the graph that an argument comes from")
        self.capture.swept = True
        g = fit(g, node)
        if isinstance(g, Box) and g._owner is self.capture:
            with interpret.under(self.capture):
                g = make(self, self.capture.process(stop_gradient, (g,), {}), None)
        elif not isinstance(g, Box):
            g = make(self, g, None)
        node.grad = g if node.grad is None else node.grad + g


def type_of(value: Any, root: CaptureRoot) -> type:
    """The type that a value has in the eager program: what the recorder itself owns is NumPy's, or
    Python's.
    """
    if isinstance(value, Array) and value._owner is root.capture:
        return type(innermost(value))
    return Array if isinstance(value, Array) else type(value)


def line_of(capture: Capture, atom: Atom | None) -> str:
    """The line of the user's program that made a variable."""
    for segment in capture.segments:
        for eqn in segment.equations:
            if atom in eqn.outputs:
                return eqn.source
    return ""
