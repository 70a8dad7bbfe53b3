"""Abstract recording: write down the Wengert list of a function from the types of its arguments.

Nothing is computed: a handle holds a placeholder, and the shape rules of the primitives say what
comes out. It records the bodies of structured control flow, and derives programs from programs.
Layer: ``core`` and ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import interpret, tree
from ..core.aval import ONE_OF_KIND, Aval, aval_of
from ..core.box import Box
from ..core.errors import UnsupportedError, describe, operation_error
from ..core.interpret import Interpreter, apply, escaped
from ..core.primitive import Primitive
from ..core.program import Atom, Equation, Literal, Program, Var
from ..core.protect import COPY_UP_TO, Locked
from ..ops.array import Array, make, normal
from ..ops.index import result_shape
from ..ops.shape import broadcast_to
from .record import Recorder, read

KNOWN_LATER = (
    "the value is not known while the graph is built, only its shape and dtype. Write "
    "wengert.cond(x > 0, f, g, x) or np.where(x > 0, a, b) for a branch, wengert.while_loop or "
    "wengert.scan for a loop, and wengert.array(array)[i] for a plain array[i]"
)


class AbstractRecorder(Recorder):
    """Writes the Wengert list without computing: handles hold placeholders.

    Handles of outer interpreters that the function reads become constants; nothing is computed with
    them either, so that a branch that is not taken has no effect.

    Args:
        parent, what, function: as for every interpreter.
        shared: plain arrays that nobody writes into, which need no copy; all others are copied.
            None: of large arrays of floats the program is to make operands, which need no copy.
    """

    __slots__ = ("hoists", "shared")
    observes = True

    def __init__(
        self,
        parent: Interpreter,
        what: str,
        function: Callable[..., Any],
        shared: Iterable[Any] | None = None,
    ) -> None:
        super().__init__(parent, what, function)
        self.hoists = shared is None
        self.shared = {id(array): array for array in shared or ()}

    def observe(self, box: Box, convert: Callable[[Any], Any] | None, result: Any) -> None:
        if box._node is not None and convert is not None:
            raise UnsupportedError(f"reading a {describe(box)} inside {self.origin}: {KNOWN_LATER}")

    def notes(self, box: Box) -> list[str]:
        return [] if box._node is None else ["a placeholder: known when the graph runs"]

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, variables, mine, active = [], [], False, False
        for arg in args:
            var = None
            if isinstance(arg, Box):
                arg.refresh()
                if arg._owner is self:
                    mine, var, arg = True, read(arg), arg._value
                active = active or var is not None or isinstance(arg, Box)
            elif type(arg) is not np.ndarray:
                arg = normal(primitive, arg)
            values.append(arg)
            variables.append(var)
        if not active:
            y = apply(primitive, values, params)
            return self._constant_handles(y) if mine else y
        if "donate" in params:  # a variable keeps the value that it was defined with
            params = {key: value for key, value in params.items() if key != "donate"}
        y = self._inferred(primitive, values, variables, params)
        return self._record(primitive, values, variables, params, y)

    def _inferred(
        self,
        primitive: Primitive,
        values: Sequence[Any],
        variables: Sequence[Var | None],
        params: dict[str, Any],
    ) -> Any:
        """Placeholders for the outputs."""
        avals = [
            aval_of(value) if var is None else var.aval
            for value, var in zip(values, variables, strict=True)
        ]
        if primitive.calls_user:
            return self._of_user(primitive, avals, params)
        try:
            if primitive.name == "getitem" and any(a.dtype.kind == "b" for a in avals[1:]):
                if any(variables[1:]) or any(isinstance(value, Box) for value in values[1:]):
                    raise UnsupportedError("x[mask]")
                shape = result_shape(avals[0].shape, params["index"], values[1:])
                return placeholder(Aval(shape, avals[0].dtype))
            out = primitive.infer(*avals, **params)
        except UnsupportedError as error:  # no shape rule: the values say it
            raise self._unknown_length(primitive.name) from error
        except (ValueError, TypeError, IndexError) as error:
            raise operation_error(primitive.name, avals, error) from error
        return placeholder(out) if isinstance(out, Aval) else tuple(map(placeholder, out))

    def _unknown_length(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{what} inside {self.origin}: the length of the result depends on values, which are "
            "not known while the graph is built; for x[mask] write np.where(mask, x, 0), or "
            "np.sum(x, where=mask)"
        )

    def _of_user(self, primitive: Primitive, avals: Sequence[Aval], params: dict[str, Any]) -> Any:
        """Placeholders for what a function of the user's gives: it is run abstractly."""
        sketch = abstract_program(lambda *xs: primitive.value(*xs, **params), avals, what=self.what)
        for box in sketch.captured:
            if isinstance(box, Box) and box._owner is self:
                raise escaped(box, primitive)
        return tuple([placeholder(atom.aval) for atom in sketch.program.outputs])

    def _held(self, array: np.ndarray[Any, Any]) -> Any:
        if self.hoists and large(array):
            self.locks.append(Locked(array))
            return array
        return array if id(array) in self.shared else super()._held(array)

    def zeros(self, aval: Aval) -> Array:
        """A handle on zeros, which take no memory."""
        var = Var(Aval(aval.shape, aval.dtype))
        zero = (Literal(aval.dtype.type(0)),)
        self.equations.append(Equation(broadcast_to, zero, (var,), {"shape": aval.shape}))
        return make(self, placeholder(var.aval), var)

    def captured(self) -> dict[Var, Any]:
        """The constants that are better operands: handles of outer interpreters, and large arrays
        of floats.
        """
        return {
            var: value
            for var, value in self.constants.items()
            if isinstance(value, Box) or (self.hoists and large(value))
        }


def large(value: Any) -> bool:
    """Whether a plain array is one that a program rather takes than holds."""
    return bool(value.nbytes > COPY_UP_TO and value.dtype.kind in "fc")


def placeholder(aval: Aval) -> Any:
    """A value of type ``aval`` that nobody reads; its memory is never touched."""
    if aval.weak:
        return ONE_OF_KIND[aval.dtype.kind]
    return np.zeros(aval.shape, aval.dtype) if aval.shape else aval.dtype.type(1)


def strong(aval: Aval) -> Aval:
    """``aval`` as that of a NumPy value."""
    return Aval(aval.shape, aval.dtype) if aval.weak else aval


@dataclass(frozen=True, eq=False)
class Sketch:
    """A program recorded from types.

    Attributes:
        program: its inputs are the leaves of the arguments, then ``captured``.
        out_def: the structure of the result; the leaves are ``program.outputs``.
        captured: the values that the function read from outside and that are operands: handles of
            outer interpreters, large arrays.
    """

    program: Program
    out_def: Any
    captured: tuple[Any, ...]


def abstract_program(
    f: Callable[..., Any],
    args: Sequence[Any],
    names: Sequence[str] = (),
    what: str = "capture",
    shared: Iterable[Any] | None = None,
) -> Sketch:
    """The program that ``f(*args)`` runs, without running it.

    Args:
        f: a function of arrays or containers of them.
        args: its arguments, with an ``Aval`` for each array; other leaves are handed on.
        names: for the leaves of ``args`` in their order.
        what: the transformation, for messages.
        shared: as for ``AbstractRecorder``.

    Raises:
        UnsupportedError: ``f`` reads a value (``if x > 0``, ``float(x)``), or makes an array whose
            length depends on values.

    >>> from wengert import Aval
    >>> from wengert.differentiate.abstract import abstract_program
    >>> print(abstract_program(lambda x: 2 * x, (Aval((3,)),)).program)
    program <lambda>
      inputs     v1: float64[3]
      v2: float64[3] = 2 * v1
      outputs    v2
    """
    recorder = AbstractRecorder(interpret.current.get(), what, f, shared)
    leaves, treedef = tree.flatten(tuple(args))
    labels = names or [""] * len(leaves)
    handles = [
        recorder.input(placeholder(leaf), name) if isinstance(leaf, Aval) else leaf
        for leaf, name in zip(leaves, labels, strict=True)
    ]
    with interpret.under(recorder):
        result = f(*tree.unflatten(treedef, handles))
    leaves, out_def = tree.flatten(result)
    outputs = [recorder.atom(leaf) for leaf in leaves]
    recorder.locks.clear()
    program, captured = closed(recorder, outputs, getattr(f, "__name__", type(f).__name__))
    return Sketch(program, out_def, captured)


def closed(
    recorder: AbstractRecorder, outputs: Sequence[Atom], name: str
) -> tuple[Program, tuple[Any, ...]]:
    """What has been recorded, with the captured values as further inputs; and those values."""
    captured = recorder.captured()
    constants = {v: value for v, value in recorder.constants.items() if v not in captured}
    inputs = (*recorder.inputs, *captured)
    program = Program(inputs, tuple(recorder.equations), tuple(outputs), constants, name)
    return program, tuple(captured.values())
