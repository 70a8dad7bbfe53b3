"""Recording: run a function on real values and write down its Wengert list.

``Recorder`` computes each application one level down and appends an ``Equation`` for it, if it
depends on an input; what does not is a constant. ``transcribe`` gives the ``Program`` with the
values; ``linearize``, traces and drawings start from it. Layer: ``core`` and ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import interpret, tree
from ..core.aval import aval_of
from ..core.box import PYTHON_SCALARS, Box, innermost
from ..core.interpret import Interpreter, evaluate
from ..core.primitive import Primitive
from ..core.program import Atom, Equation, Literal, Program, Var
from ..core.protect import COPY_UP_TO, Locked
from ..core.source import user_line
from ..ops.array import Array, make, normal

NUMBERS = (Box, np.ndarray, np.generic, int, float, complex)


class Recorder(Interpreter):
    """Writes the Wengert list: the ``_node`` of a handle is its ``Var``, None for a constant.

    Args:
        parent, what, function: as for every interpreter.
        keep: remember the plain value of every variable, in ``values``.
        lock: hold large arrays that the program reads against writing, for as long as the recorder
            lives; else copy them.
    """

    __slots__ = ("_seen", "constants", "equations", "inputs", "keep", "lock", "locks", "values")

    def __init__(
        self,
        parent: Interpreter,
        what: str,
        function: Callable[..., Any],
        keep: bool = False,
        lock: bool = False,
    ) -> None:
        super().__init__(parent, what, function)
        self.keep, self.lock = keep, lock
        self.inputs: list[Var] = []
        self.equations: list[Equation] = []
        self.values: dict[Var, Any] = {}
        self.locks: list[Locked] = []
        self.constants: dict[Var, Any] = {}
        self._seen: dict[int, tuple[Any, Var]] = {}  # id: the array, to hold it, and its variable

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def input(self, value: Any, name: str = "") -> Array:
        """A handle on ``value``, a new input of the program."""
        var = Var(aval_of(value), name)
        self.inputs.append(var)
        self._note(var, value)
        return make(self, value, var)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, variables, mine, active = [], [], False, False
        for arg in args:
            var = None
            if isinstance(arg, Box):
                arg.refresh()
                if arg._owner is self:
                    mine, var, arg = True, read(arg), arg._value
                    active = active or var is not None
            elif type(arg) is not np.ndarray:
                arg = normal(primitive, arg)
            values.append(arg)
            variables.append(var)
        if active and "donate" in params:  # a variable keeps the value that it was defined with
            params = {key: value for key, value in params.items() if key != "donate"}
        y = evaluate(self.parent, primitive, values, params)
        if not active:
            return self._constant_handles(y) if mine else y
        return self._record(primitive, values, variables, params, y)

    def _constant_handles(self, y: Any) -> Any:
        if type(y) is tuple:
            return tuple(self.owned(part) for part in y)
        return self.owned(y)

    def _record(
        self,
        primitive: Primitive,
        values: Sequence[Any],
        variables: Sequence[Var | None],
        params: dict[str, Any],
        y: Any,
    ) -> Any:
        """Append the equation; handles on its outputs."""
        inputs = tuple(
            [
                self.constant(value) if var is None else var
                for value, var in zip(values, variables, strict=True)
            ]
        )
        source = user_line(3)
        if type(y) is not tuple:
            var = Var(aval_of(y))
            self.equations.append(Equation(primitive, inputs, (var,), params, source))
            self._note(var, y)
            return make(self, y, var)
        outputs = tuple([Var(aval_of(part)) for part in y])
        self.equations.append(Equation(primitive, inputs, outputs, params, source))
        for var, part in zip(outputs, y, strict=True):
            self._note(var, part)
        return tuple([make(self, part, var) for part, var in zip(y, outputs, strict=True)])

    def _note(self, var: Var, value: Any) -> None:
        if self.keep:
            self.values[var] = innermost(value)

    def constant(self, value: Any) -> Atom:
        """How an equation refers to a value that does not depend on the inputs."""
        if not isinstance(value, Box | np.ndarray):
            return Literal(value)
        known = self._seen.get(id(value))
        if known is not None and same(value, self.constants[known[1]]):
            return known[1]
        var = Var(aval_of(value))
        held = value if isinstance(value, Box) else self._held(value)
        self.constants[var] = held
        self._seen[id(value)] = (value, var)
        self._note(var, held)
        return var

    def _held(self, array: np.ndarray[Any, Any]) -> Any:
        """``array`` as the program may read it later, whatever the user writes into his."""
        if self.lock and array.nbytes > COPY_UP_TO:
            self.locks.append(Locked(array))
            return array
        return array.copy("K")

    def atom(self, leaf: Any) -> Atom:
        """How a result of the function stands among the outputs of the program."""
        if isinstance(leaf, Box) and leaf._owner is self:
            leaf.refresh()
            var = read(leaf)
            return self.constant(leaf._value) if var is None else var
        return self.constant(leaf)

    def program(self, outputs: Sequence[Atom], name: str = "") -> Program:
        """What has been recorded."""
        inputs, equations = tuple(self.inputs), tuple(self.equations)
        return Program(inputs, equations, tuple(outputs), dict(self.constants), name)


def same(value: Any, held: Any) -> bool:
    """Whether an array still holds what the program reads for it: a plain buffer may be reused."""
    return value is held or (type(held) is np.ndarray and held.tobytes() == value.tobytes())


def read(box: Box) -> Var | None:
    """The variable of a handle, which must say of a Python scalar that a ufunc made NumPy's."""
    var: Var | None = box._node
    if var is not None and var.aval.weak and type(innermost(box)) not in PYTHON_SCALARS:
        var.strengthen()
    return var


@dataclass(frozen=True, eq=False)
class Transcript:
    """A program and what it was recorded from.

    Attributes:
        program: the Wengert list, with an input for each leaf of the arguments that is a number.
        values: the plain value of every variable, constants included.
        result: what the function gave, of plain arrays.
        out_def: its structure; the leaves are ``program.outputs``.
    """

    program: Program
    values: dict[Var, Any]
    result: Any
    out_def: Any


def transcribe(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    names: Sequence[str] = (),
    what: str = "trace",
) -> Transcript:
    """Run ``f(*args, **kwargs)`` and write down what it computes.

    Args:
        f: a function of numbers, arrays or containers of them; other leaves are handed on as they
            are, and so are bools.
        args, kwargs: its arguments; arrays are copied.
        names: for the leaves of ``(args, kwargs)`` in their order.
        what: the transformation, for messages.
    """
    recorder = Recorder(interpret.current.get(), what, f, keep=True)
    leaves, treedef = tree.flatten((tuple(args), dict(kwargs or {})))
    names = names or [f"x{i}" for i in range(1, len(leaves) + 1)]
    handles = [
        recorder.input(plain(leaf), name) if is_number(leaf) else leaf
        for leaf, name in zip(leaves, names, strict=True)
    ]
    given, named = tree.unflatten(treedef, handles)
    with interpret.under(recorder):
        result = f(*given, **named)
    leaves, out_def = tree.flatten(result)
    outputs = [recorder.atom(leaf) for leaf in leaves]
    lowered = [innermost(leaf) for leaf in leaves]
    program = recorder.program(outputs, getattr(f, "__name__", type(f).__name__))
    return Transcript(program, recorder.values, tree.unflatten(out_def, lowered), out_def)


def is_number(leaf: Any) -> bool:
    """Whether ``leaf`` is a value of the program: a number or an array, but no bool of Python's."""
    return isinstance(leaf, NUMBERS) and not isinstance(leaf, bool)


def plain(leaf: Any) -> Any:
    """A copy of ``leaf`` without what other transformations know of it."""
    if isinstance(leaf, Array):
        leaf = leaf.numpy()
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def program_of(f: Callable[..., Any]) -> Callable[..., Program]:
    """A function of ``f``'s arguments that gives the ``Program`` which ``f`` runs on them.

    >>> from wengert.differentiate.record import program_of
    >>> print(program_of(lambda a, b: a * b - a)(2.0, 5.0))
    program <lambda>
      inputs     v1: float64[]~ (x1), v2: float64[]~ (x2)
      v3: float64[]~ = v1 * v2
      v4: float64[]~ = v3 - v1
      outputs    v4
    """

    def program(*args: Any) -> Program:
        return transcribe(f, args, what="program_of").program

    return program
