"""``executable(program)``: a program as one generated Python function, for plain values.

``Program.run`` looks up every value in a dict and binds every equation under the current
interpreter. Where no value is a handle none of that is needed: here the equations are written out
as Python statements, ``v3 = v1 * v2``, compiled once and kept with the program. That is what
replays static graphs. Layer: ``core``.

Local names are reused as soon as their value is dead, so that values are dropped after their last
use. A program of more than ``PART`` equations becomes several functions; values that cross from
one to another then stand in a list.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from .box import PYTHON_SCALARS, Box
from .errors import ProgramError, operation_error
from .primitive import Primitive
from .program import Atom, Equation, Literal, Program, Var, strong
from .quiet import hush, restore
from .storage import check_reuse

PART = 2000  # equations a function: Python's compiler takes longer than linear time
INFIX = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.and_: "&",
    operator.or_: "|",
    operator.xor: "^",
    operator.lshift: "<<",
    operator.rshift: ">>",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})  # which have no form in place
PREFIX = {operator.neg: "-", operator.pos: "+"}
NUMBERED = count(1)
Executable = Callable[..., tuple[Any, ...]]


def executable(program: Program) -> Executable:
    """The function that ``program`` is, for plain arrays and scalars: the tuple of its outputs.

    It computes what ``program.run`` does, but checks nothing: the arguments must have the types of
    ``program.inputs``, and be no handles. Where an equation has a ``reuse``, it is followed. Made
    once for each program. What NumPy raises is named after the operation, with a note of the line
    that it was recorded from. Raises ``ProgramError`` for a program whose constants are handles,
    and for a ``reuse`` of a buffer that is still needed.

    >>> from wengert.differentiate.record import program_of
    >>> executable(program_of(lambda a, b: a * b - a)(2.0, 5.0))(3.0, 4.0)
    (9.0,)
    """
    made: Executable | None = vars(program).get("_executable")
    if made is None:
        made = _Writer(program).function()
        object.__setattr__(program, "_executable", made)
    return made


def source(program: Program) -> str:
    """The Python text of ``executable(program)``, to read.

    >>> from wengert.differentiate.record import program_of
    >>> print(source(program_of(lambda a, b: a * b - a)(2.0, 5.0)))
    def program(v1, v2):
        token = hush()
        try:
            v2 = v1 * v2
            v2 = v2 - v1
            return (v2,)
        except ERRORS as error:
            blame(error)
            raise
        finally:
            restore(token)
    """
    return "\n".join(_Writer(program).text())


class _Writer:
    """Writes the function of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.scope: dict[str, Any] = {"hush": hush, "restore": restore, "strong": strong}
        self.scope["ERRORS"] = (ValueError, TypeError, IndexError)
        self.lines: list[str] = []
        self.origin: dict[int, tuple[Equation, list[str]]] = {}  # by line: what failed there
        self.bound: dict[int, tuple[str, Any]] = {}  # id: the name in ``scope``, and the object
        self.places: dict[Var, str] = {}  # where each live variable stands
        self.free: list[str] = []
        self.named = 0
        self.numpy: set[Var] = set()  # what is NumPy's for certain, and no Python scalar
        for var, value in program.constants.items():
            if isinstance(value, Box):
                raise ProgramError(f"{program!r}: a constant is a handle; use run")
            self.places[var] = self.bind(value, "c")

    # --- the whole -------------------------------------------------------------------------------

    def function(self) -> Executable:
        """The compiled function."""
        if any(eqn.reuse is not None for eqn in self.program.equations):
            check_reuse(self.program)  # a wrong one would make silent wrong numbers
        filename = f"<wengert program {self.program.name} {next(NUMBERED)}>"
        text = "\n".join(self.text())
        self.scope["blame"] = _Blame(filename, self.origin, self.scope)
        exec(compile(text, filename, "exec"), self.scope)
        made: Executable = self.scope["program"]
        return made

    def text(self) -> list[str]:
        """The lines of the source."""
        if len(self.program.equations) > PART:
            self._in_parts()
            return self.lines
        for var in self.program.inputs:
            self.places[var] = self._new_name()
        given = ", ".join(self.places[var] for var in self.program.inputs)
        self._open(given)
        self._equations(0, len(self.program.equations), " " * 8)
        self._close()
        return self.lines

    def _open(self, given: str) -> None:
        self.lines += [f"def program({given}):", "    token = hush()", "    try:"]

    def _close(self) -> None:
        results = ", ".join(map(self.read, self.program.outputs))
        comma = "," if len(self.program.outputs) == 1 else ""
        self.lines += [
            f"        return ({results}{comma})",
            "    except ERRORS as error:",
            "        blame(error)",
            "        raise",
            "    finally:",
            "        restore(token)",
        ]

    def _in_parts(self) -> None:
        """Functions ``part0(held)``, ``part1(held)``, … and one that calls them."""
        crossing = self._crossing()
        self.places.update({var: f"held[{i}]" for i, var in enumerate(crossing)})
        starts = range(0, len(self.program.equations), PART)
        for number, start in enumerate(starts):
            self.lines.append(f"def part{number}(held):")
            self.free = []
            self._equations(start, min(start + PART, len(self.program.equations)), " " * 4)
        given = ", ".join(f"v{i}" for i in range(len(self.program.inputs)))
        self._open(given)
        rest = len(crossing) - len(self.program.inputs)
        self.lines.append(f"        held = [{given}{', ' if given else ''}*[None] * {rest}]")
        self.lines += [f"        part{number}(held)" for number in range(len(starts))]
        self._close()

    def _crossing(self) -> list[Var]:
        """The variables that more than one part touches: inputs first, then in their order."""
        crossing = dict.fromkeys(self.program.inputs)
        home: dict[Var, int] = {}
        for number, eqn in enumerate(self.program.equations):
            home.update(dict.fromkeys(eqn.outputs, number // PART))
            for atom in eqn.inputs:
                if isinstance(atom, Var) and home.get(atom, number // PART) != number // PART:
                    crossing[atom] = None
        for atom in self.program.outputs:
            if isinstance(atom, Var) and atom in home:
                crossing[atom] = None
        return list(crossing)

    # --- one equation ----------------------------------------------------------------------------

    def _equations(self, start: int, stop: int, indent: str) -> None:
        finished = self.program._finished
        for number in range(start, stop):
            eqn = self.program.equations[number]
            texts = [self.read(atom) for atom in eqn.inputs]
            dead = [var for var in finished[number] if var not in self.program.constants]
            dropped = self._place(eqn, dead)
            for statement in self._statements(eqn, texts):
                self.lines.append(indent + statement)
                self.origin[len(self.lines)] = (eqn, texts)
            self.lines += [indent + text for text in dropped]

    def _place(self, eqn: Equation, dead: Sequence[Var]) -> list[str]:
        """Choose names for the outputs, those of dead inputs first; statements that drop the rest
        of what is dead.
        """
        leaving = [var for var in dead if var in self.places and var not in eqn.outputs]
        if eqn.reuse is not None:
            leaving.sort(key=lambda var: var is not eqn.inputs[eqn.reuse or 0])
        taken = [name for var in leaving if not _in_list(name := self.places[var])]
        for var in eqn.outputs:
            if var not in self.places and var not in dead:
                self.places[var] = (
                    taken.pop(0) if taken else self.free.pop() if self.free else self._new_name()
                )
        used = {self.places[var] for var in eqn.outputs if var in self.places}
        dropped = ["unused = None"] if any(var in dead for var in eqn.outputs) else []
        for var in leaving:
            name = self.places.pop(var)
            if name in used:
                continue
            if _in_list(name):
                dropped.append(f"{name} = None")
            else:
                self.free.append(name)
                dropped += [f"del {name}"] if var.aval.shape else []
        return dropped

    def _statements(self, eqn: Equation, texts: list[str]) -> list[str]:
        """The application, and what makes NumPy's scalars of Python's where the type says so."""
        if eqn.primitive.multiple or len(eqn.outputs) != 1:
            left = "".join(f"{self.name_of(var)}, " for var in eqn.outputs)
            first = f"{left}= {self._call(eqn, texts)}"
        else:
            first = self._single(eqn, texts)
        weak = [v for v in eqn.outputs if v in self.places and not self._certain(eqn, v)]
        self.numpy.update(var for var in eqn.outputs if not var.aval.weak)
        return [first, *(f"{name} = strong({name})" for name in map(self.name_of, weak))]

    def _single(self, eqn: Equation, texts: list[str]) -> str:
        """The statement of an equation with one output."""
        name, value = self.name_of(eqn.outputs[0]), eqn.primitive.value
        sign = INFIX.get(value)
        if eqn.reuse is not None and not eqn.primitive.donates:
            if sign and sign not in COMPARISONS and eqn.reuse == 0 and name == texts[0]:
                return f"{name} {sign}= {texts[1]}"
            ufunc = self.bind(eqn.primitive.ufunc, eqn.primitive.name)
            return f"{name} = {ufunc}({', '.join(texts)}, out={texts[eqn.reuse]})"
        if not eqn.params:
            if sign:
                return f"{name} = {texts[0]} {sign} {texts[1]}"
            if value in PREFIX:
                return f"{name} = {PREFIX[value]}{texts[0]}"
        return f"{name} = {self._call(eqn, texts)}"

    def _call(self, eqn: Equation, texts: list[str]) -> str:
        """The application of the primitive's value."""
        given = [*texts, *(f"{key}={self.constant(value)}" for key, value in eqn.params.items())]
        if eqn.reuse is not None:
            given.append("donate=True")
        return f"{self.bind(eqn.primitive.value, eqn.primitive.name)}({', '.join(given)})"

    def _certain(self, eqn: Equation, var: Var) -> bool:
        """Whether the value is as the type says, without a look: weak, an array, or NumPy's
        scalar.
        """
        if var.aval.weak or var.aval.shape:
            return True
        if isinstance(eqn.primitive.value, np.ufunc) or eqn.primitive.family == "kernel":
            return True
        if any(atom.aval.weak and atom.aval.dtype.kind == "c" for atom in eqn.inputs):
            return False  # 1j - np.float64(2) is Python's: a float64 is one of Python's floats
        return _is_operator(eqn.primitive) and any(
            atom.aval.shape or atom in self.numpy
            if isinstance(atom, Var)
            else type(atom.value) not in PYTHON_SCALARS
            for atom in eqn.inputs
        )

    # --- names -----------------------------------------------------------------------------------

    def _new_name(self) -> str:
        self.named += 1
        return f"v{self.named}"

    def name_of(self, var: Var) -> str:
        """Where an output goes; if nothing reads it, a name that holds nothing else."""
        return self.places.get(var, "unused")

    def read(self, atom: Atom) -> str:
        """An input in the source."""
        return self.constant(atom.value) if isinstance(atom, Literal) else self.places[atom]

    def constant(self, value: Any) -> str:
        """A constant in the source: written out where its ``repr`` says all of it."""
        if not _plain(value):
            return self.bind(value, "p")
        text = repr(value)
        return f"({text})" if text.startswith("-") else text

    def bind(self, value: Any, stem: str) -> str:
        """A global name for ``value``."""
        known = self.bound.get(id(value))
        if known is None:
            stem = stem if stem.isidentifier() else "f"
            known = self.bound[id(value)] = (f"{stem}_{len(self.bound)}", value)
            self.scope[known[0]] = value
        return known[0]


def _is_operator(primitive: Primitive) -> bool:
    """Whether the value is one of Python's operators."""
    return primitive.value in INFIX or primitive.value in PREFIX or primitive.value is operator.abs


def _plain(value: Any) -> bool:
    """Whether ``repr(value)`` is an expression for it, wherever it stands."""
    kind = type(value)
    if kind is tuple:
        return all(map(_plain, value))
    if kind is float:
        return math.isfinite(value)
    return value is None or kind is int or kind is bool or kind is str


def _in_list(name: str) -> bool:
    """Whether a value stands in the list of what crosses between parts."""
    return name.startswith("held")


class _Blame:
    """Finds the equation that an exception comes from, by the line of the generated source."""

    def __init__(
        self, filename: str, origin: dict[int, tuple[Equation, list[str]]], scope: dict[str, Any]
    ) -> None:
        self.filename, self.origin, self.scope = filename, origin, scope

    def __call__(self, error: Exception) -> None:
        """Raise what ``bind`` would have raised; return where that is ``error`` itself."""
        trace, place = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename:
                place = trace
            trace = trace.tb_next
        if place is None or place.tb_lineno not in self.origin:
            return
        eqn, texts = self.origin[place.tb_lineno]
        if eqn.primitive.calls_user:
            return
        values = [eval(text, self.scope, place.tb_frame.f_locals) for text in texts]
        named = operation_error(eqn.primitive.name, values, error)
        if eqn.source:
            named.add_note(f"recorded at {eqn.source}")
        raise named from error
