"""The Wengert list: an ``Equation`` is ``outputs = primitive(inputs; params)``, a ``Program`` a
list of them.

What recording makes, what traces show, what ``linearize`` replays and what static graphs are
compiled from. Layer: ``core``. A program has no containers: inputs and outputs are flat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .aval import Aval, aval_of
from .box import PYTHON_SCALARS, Box, shape_of
from .errors import ProgramError, ShapeError
from .interpret import bind
from .primitive import Primitive
from .quiet import quiet

PLACE = re.compile(r"\{(\d)\}")


class Var:
    """A value of a program; two are the same only if they are one object.

    ``name``: what the user calls it, for inputs; else empty, and printing numbers it.
    """

    __slots__ = ("aval", "name")

    def __init__(self, aval: Aval, name: str = "") -> None:
        self.aval, self.name = aval, name

    def strengthen(self) -> None:
        """Note that the value is NumPy's scalar and not Python's: a ufunc of two Python scalars."""
        self.aval = replace(self.aval, weak=False)

    def __repr__(self) -> str:
        return f"<Var {self.name or hex(id(self))}: {self.aval}>"


class Literal:
    """A number written into an equation: a Python or a NumPy scalar."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def aval(self) -> Aval:
        """Its type; weak if it is Python's."""
        return aval_of(self.value)

    def __repr__(self) -> str:
        return repr(self.value) if type(self.value) in PYTHON_SCALARS else str(self.value)


Atom = Var | Literal


class Equation:
    """One line of the Wengert list. ``source``: ``file.py:12``, the user's line, or empty.

    ``reuse``: the number of the input in whose buffer ``executable`` writes the output, which must
    be dead after it; ``run`` makes a new one.
    """

    __slots__ = ("inputs", "outputs", "params", "primitive", "reuse", "source")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Atom, ...],
        outputs: tuple[Var, ...],
        params: dict[str, Any],
        source: str = "",
        reuse: int | None = None,
    ) -> None:
        self.primitive, self.inputs, self.outputs = primitive, inputs, outputs
        self.params, self.source, self.reuse = params, source, reuse

    def __repr__(self) -> str:
        names = Names()
        right = formula(self, [names[atom] for atom in self.inputs])
        return f"<Equation {', '.join(names.typed(var) for var in self.outputs)} = {right}>"


class Names(dict[Atom, str]):
    """A name for each variable: v1, v2, … in the order asked for; c1, c2, … for ``constants``."""

    def __init__(self, constants: Sequence[Var] = ()) -> None:
        super().__init__({var: f"c{i}" for i, var in enumerate(constants, 1)})
        self.count = 0

    def __missing__(self, atom: Atom) -> str:
        if isinstance(atom, Literal):
            return repr(atom)
        self.count += 1
        self[atom] = f"v{self.count}"
        return self[atom]

    def typed(self, var: Var) -> str:
        """The name with its type: ``v3: float64[3, 4]``, and the user's name if it has one."""
        return f"{self[var]}: {var.aval}" + (f" ({var.name})" if var.name else "")


@dataclass(frozen=True, eq=False)
class Program:
    """A straight-line program: the Wengert list with types.

    Attributes:
        inputs: the variables that ``run`` takes values for.
        equations: in the order of execution.
        outputs: what ``run`` gives.
        constants: arrays that the equations read, by variable.
        name: of the function that it came from.

    Printing it gives one line an equation; ``==`` is identity.
    """

    inputs: tuple[Var, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Atom, ...]
    constants: Mapping[Var, Any] = field(default_factory=dict)
    name: str = ""

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What others have derived from the program, so that it is derived once."""
        return {}

    @cached_property
    def names(self) -> Names:
        """The names that printing uses: inputs first, then every output of an equation."""
        names = Names(tuple(self.constants))
        for var in (*self.inputs, *(var for eqn in self.equations for var in eqn.outputs)):
            names[var]
        return names

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        names = self.names
        yield f"program {self.name}".rstrip()
        yield "  inputs     " + (", ".join(map(names.typed, self.inputs)) or "none")
        if self.constants:
            yield "  constants  " + ", ".join(map(names.typed, self.constants))
        for eqn in self.equations:
            left = ", ".join(map(names.typed, eqn.outputs))
            into = "" if eqn.reuse is None else f"  in the buffer of {names[eqn.inputs[eqn.reuse]]}"
            yield f"  {left} = {formula(eqn, [names[atom] for atom in eqn.inputs])}{into}"
            for label, inner in programs_in(eqn.params):
                yield f"    {label}:"
                yield from (f"    {line}" for line in inner._lines())
        yield "  outputs    " + (", ".join(names[atom] for atom in self.outputs) or "none")

    def __repr__(self) -> str:
        def types(atoms: Sequence[Atom]) -> str:
            shown = ", ".join(str(atom.aval) for atom in atoms[:4])
            return shown + (f", … {len(atoms)} in all" if len(atoms) > 4 else "")

        count = len(self.equations)
        return (
            f"<Program {self.name + ' ' if self.name else ''}({types(self.inputs)}) -> "
            f"({types(self.outputs)}), {count} equation{'' if count == 1 else 's'}>"
        )

    def check(self) -> Program:
        """Raise ``ProgramError`` unless each variable is defined once, before use, with its type.

        Types are those that the primitives' shape rules give; a buffer that is written into again
        must be the program's own, and read by nothing after. Returns the program.
        """
        defined: set[Var] = set()
        self._define((*self.inputs, *self.constants), defined, "the inputs")
        for number, eqn in enumerate(self.equations, 1):
            where = f"equation {number}, {eqn!r}"
            self._read(eqn.inputs, defined, where)
            self._define(eqn.outputs, defined, where)
            check_types(eqn, where)
        self._read(self.outputs, defined, "the outputs")
        if any(eqn.reuse is not None for eqn in self.equations):
            from .storage import check_reuse

            check_reuse(self)
        for var, value in self.constants.items():
            if not agree(var.aval, aval_of(value)):
                raise ProgramError(
                    f"constant {self.names[var]} is {aval_of(value)}, not {var.aval}"
                )
        return self

    def _define(self, variables: Sequence[Var], defined: set[Var], where: str) -> None:
        for var in variables:
            if var in defined:
                raise ProgramError(f"{where}: {self.names[var]} is defined twice")
            defined.add(var)

    def _read(self, atoms: Sequence[Atom], defined: set[Var], where: str) -> None:
        for atom in atoms:
            if isinstance(atom, Var) and atom not in defined:
                raise ProgramError(f"{where}: {self.names[atom]} is read before it is defined")

    @cached_property
    def _finished(self) -> list[list[Var]]:
        """For each equation the variables that nothing reads after it."""
        last = dict.fromkeys(self.outputs, -1)
        finished: list[list[Var]] = [[] for _ in self.equations]
        for number in range(len(self.equations) - 1, -1, -1):
            eqn = self.equations[number]
            for atom in (*eqn.outputs, *eqn.inputs):
                if isinstance(atom, Var) and atom not in last:
                    last[atom] = number
                    finished[number].append(atom)
        return finished

    def run(self, *values: Any) -> list[Any]:
        """The outputs for ``values`` of the inputs, each equation bound under the current
        interpreter.

        Programs can hence be differentiated, vectorised and recorded. Values are dropped after
        their last use. NumPy's warnings were given when the program was recorded. Raises
        ``ShapeError`` for another number of values, or other shapes.
        """
        if len(values) != len(self.inputs):
            raise ShapeError(f"{self!r}.run: got {len(values)} values")
        for var, value in zip(self.inputs, values, strict=True):
            if shape_of(value) != var.aval.shape:
                raise ShapeError(
                    f"{self!r}.run: got shape {shape_of(value)} for {self.names.typed(var)}"
                )
        held: dict[Var, Any] = {**self.constants, **dict(zip(self.inputs, values, strict=True))}
        with quiet():
            for eqn, finished in zip(self.equations, self._finished, strict=True):
                execute(eqn, held)
                for var in finished:
                    del held[var]
        return [read(atom, held) for atom in self.outputs]

    def run_all(self, *values: Any) -> dict[Var, Any]:
        """As ``run``, but gives the value of every variable."""
        held: dict[Var, Any] = {**self.constants, **dict(zip(self.inputs, values, strict=True))}
        with quiet():
            for eqn in self.equations:
                execute(eqn, held)
        return held


def read(atom: Atom, held: Mapping[Var, Any]) -> Any:
    """The value of an input of an equation."""
    return atom.value if isinstance(atom, Literal) else held[atom]


def execute(eqn: Equation, held: dict[Var, Any]) -> None:
    """Bind an equation under the current interpreter, and enter its outputs in ``held``."""
    result = bind(eqn.primitive, *[read(atom, held) for atom in eqn.inputs], **eqn.params)
    parts = result if type(result) is tuple else (result,)
    for var, part in zip(eqn.outputs, parts, strict=True):
        held[var] = part if var.aval.weak else strong(part)


def strong(value: Any) -> Any:
    """``value`` as NumPy's scalar where it is Python's: see ``Var.strengthen``."""
    box = value
    while isinstance(box, Box):
        if type(box._value) in PYTHON_SCALARS:
            box._value = np.asarray(box._value)[()]
        box = box._value
    return np.asarray(value)[()] if type(value) in PYTHON_SCALARS else value


def agree(expected: Aval, got: Aval) -> bool:
    """Whether two types have one shape and dtype; weakness is the finer point that they may
    lose.
    """
    return expected.shape == got.shape and expected.dtype == got.dtype


def check_types(eqn: Equation, where: str) -> None:
    """Raise ``ProgramError`` unless the outputs have the types that the shape rule gives."""
    if eqn.primitive.calls_user:  # what a function of the user's gives only running it says
        return
    avals = [atom.aval for atom in eqn.inputs]
    inferred = eqn.primitive.infer(*avals, **eqn.params)
    expected = (inferred,) if isinstance(inferred, Aval) else tuple(inferred)
    if len(expected) != len(eqn.outputs):
        raise ProgramError(f"{where}: {len(eqn.outputs)} outputs, the rule gives {len(expected)}")
    masked = shape_follows_value(eqn)
    for var, aval in zip(eqn.outputs, expected, strict=True):
        fits = agree(aval, var.aval)
        if masked:
            fits = aval.dtype == var.aval.dtype and len(aval.shape) == len(var.aval.shape)
        if not fits:
            raise ProgramError(f"{where}: the output is {var.aval}, the rule gives {aval}")


def shape_follows_value(eqn: Equation) -> bool:
    """Whether the shape of the output depends on values: how many elements a mask selects."""
    if eqn.primitive.name == "nonzero":
        return True
    reads = eqn.primitive.name == "getitem"
    return reads and any(atom.aval.dtype.kind == "b" for atom in eqn.inputs[1:])


# --- programs inside ---------------------------------------------------------------------------


def programs_in(params: Mapping[str, Any]) -> Iterator[tuple[str, Program]]:
    """The programs that the parameters of an equation hold, each with its name: those of a branch,
    of the body of a loop.
    """
    for key, value in params.items():
        if isinstance(value, Program):
            yield key, value
        else:
            yield from getattr(value, "programs", {}).items()


# --- text --------------------------------------------------------------------------------------


def formula(eqn: Equation, names: Sequence[str]) -> str:
    """The right-hand side, its inputs called ``names``: ``v1 * v2``, ``v1[:, 0]``, ``sum(v1;
    axis=0)``.
    """
    params = {k: value for k, value in eqn.params.items() if not isinstance(value, Program)}
    notation = eqn.primitive.notation
    if not notation:
        inside = ", ".join(names)
        listed = ", ".join(f"{key}={shown(value)}" for key, value in params.items())
        return f"{eqn.primitive.name}({inside}{'; ' + listed if listed else ''})"
    count = 1 + max((int(number) for number in PLACE.findall(notation)), default=-1)
    if "index" in params and "[…]" in notation:
        notation = notation.replace("…", index_text(params.pop("index"), names[count:]))
    text = PLACE.sub(lambda match: names[int(match[1])], notation)
    listed = ", ".join(f"{key}={shown(value)}" for key, value in params.items())
    return f"{text} ({listed})" if listed else text


def index_text(template: Any, arrays: Sequence[str]) -> str:
    """An index as it is written in Python; ``arrays``: the names of the index arrays in it."""
    return ", ".join(_entry(entry, arrays) for entry in template) or "()"


def _entry(entry: Any, arrays: Sequence[str]) -> str:
    if isinstance(entry, slice):
        start, stop = ("" if end is None else str(end) for end in (entry.start, entry.stop))
        return f"{start}:{stop}" + ("" if entry.step is None else f":{entry.step}")
    if entry is Ellipsis:
        return "..."
    number = getattr(entry, "number", None)
    return repr(entry) if number is None else arrays[number]


def shown(value: Any) -> str:
    """A parameter in a few characters."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, np.dtype):
        return str(value)
    if callable(value):
        return getattr(value, "__qualname__", type(value).__name__)
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
