"""A program with names, to look at and to run in part: what every static graph is.

It prints, checks and draws itself, shows what each pass did, and computes any value inside from
others that are fed in their place; only what that needs is run. Layer: ``static``; ``graph.py``
builds such graphs from types, ``recorded.py`` shows those that ``compile`` recorded.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..control.call import call
from ..core import tree
from ..core.aval import Aval
from ..core.box import Box
from ..core.errors import ProgramError
from ..core.execute import executable
from ..core.interpret import bind
from ..core.late import LATE
from ..core.program import Atom, Equation, Literal, Program, Var
from .arguments import fitted
from .passes import optimise
from .passes_text import Passes, equations, program_after


class ProgramGraph:
    """A program with names, to look at and to run in part.

    Attributes:
        name: of the function.
        original: the program as it was recorded.
        outputs: a type for each result, by name.
    """

    def __init__(
        self,
        original: Program,
        outputs: Sequence[str] = (),
        given: Mapping[str, Var] | None = None,
        strict: bool = False,
    ) -> None:
        self.name, self.original, self.strict = original.name, original, strict
        outputs = outputs or [original.names[atom] for atom in original.outputs]
        self._ends = dict(zip(outputs, original.outputs, strict=True))
        defined = {*original.inputs, *(var for eqn in original.equations for var in eqn.outputs)}
        self._given = {label: var for label, var in (given or {}).items() if var in defined}
        self._inner = frozenset(given or ()) - self._given.keys()  # of a loop's body, a branch
        self._parts: dict[Any, tuple[Program, tuple[Var, ...]]] = {}

    # --- to see ----------------------------------------------------------------------------------

    @cached_property
    def passes(self) -> Passes:
        """What each pass did; ``print(graph.passes)`` shows the program before and after each."""
        return Passes(optimise(self.original, strict=self.strict)[1])

    @property
    def program(self) -> Program:
        """The program that runs: the original after all passes."""
        return program_after(self.passes.reports[0])

    @property
    def inputs(self) -> dict[str, Aval]:
        """A type for each input, by name."""
        return {self._called(var): var.aval for var in self.original.inputs}

    @property
    def outputs(self) -> dict[str, Aval]:
        """A type for each result, by name."""
        return {label: atom.aval for label, atom in self._ends.items()}

    @property
    def named(self) -> dict[str, Aval]:
        """A type for each value inside that ``wengert.name`` has named."""
        return {label: var.aval for label, var in self._given.items()}

    @cached_property
    def _values(self) -> dict[str, Atom]:
        """What can be fetched, by name: inputs, results, named values, all values by number."""
        names = self.original.names
        inputs = {self._called(var): var for var in self.original.inputs}
        numbered = {text: atom for atom, text in names.items()}
        return {**numbered, **self._ends, **self._given, **inputs}

    def _called(self, var: Var) -> str:
        return var.name or self.original.names[var]

    def check(self) -> ProgramGraph:
        """Raise ``ProgramError`` unless the program, and what each pass made of it, is one: each
        value defined once, before use, with its type. Returns the graph.
        """
        self.original.check()
        for step in self.passes:
            step.program.check()
        return self

    def draw(self, path: Any = None, **options: Any) -> Any:
        """The optimised graph as a picture (``.png``, ``.svg``, ``.pdf``), for Graphviz (``.dot``)
        or as text (``.txt``; given back without a path); see ``wengert.explain.draw``.
        """
        return LATE["draw"](self, path, **options)

    def __str__(self) -> str:
        first, *lines, _ = str(self.program).splitlines()
        count, recorded = len(self.program.equations), len(self.original.equations)
        ends = [f"{self._text(atom)} = {label}" for label, atom in self.results]
        return "\n".join(
            [
                f"{first.replace('program', 'graph', 1)}: {equations(count)}, {recorded} recorded",
                *lines,
                f"  outputs    {', '.join(ends) or 'none'}",
            ]
        )

    @property
    def results(self) -> list[tuple[str, Atom]]:
        """The results of the optimised program, each with its name."""
        return list(zip(self._ends, self.program.outputs, strict=True))

    def _text(self, atom: Atom) -> str:
        return self.program.names[atom]

    def __repr__(self) -> str:
        return repr(self.program).replace("<Program", "<Graph", 1)

    # --- to run ----------------------------------------------------------------------------------

    def atom(self, label: str, what: str) -> Atom:
        """The value that is called ``label``. Raises ``ProgramError``, which says what there is."""
        if label in self._values:
            return self._values[label]
        if label in self._inner:
            raise ProgramError(
                f"{what}: {label!r} is made inside a branch or the body of a loop; return it from "
                "there and name it outside"
            )
        if label in self.program.names.values():
            raise ProgramError(
                f"{what}: {label} was made by the passes; what can be fetched and fed are the "
                "values of print(graph.original)"
            )
        near = difflib.get_close_matches(str(label), self._values, 1)
        listed = [*self.inputs, *self.named, *self.outputs]
        raise ProgramError(
            f"{what}: no value {label!r}"
            + (f"; did you mean {near[0]!r}?" if near else "")
            + f" There are {_listed(listed)}, and the numbered ones of print(graph.original)"
        )

    def part(self, fetched: Sequence[Atom], fed: Sequence[Var]) -> tuple[Program, tuple[Var, ...]]:
        """The program from ``fed`` and the inputs that are still needed to ``fetched``, optimised;
        and those inputs.
        """
        key = tuple(fetched), tuple(fed)
        if key not in self._parts:
            program, needed = restricted(self.original, fetched, fed)
            self._parts[key] = optimise(program, strict=self.strict)[0], needed
        return self._parts[key]

    def fetch(self, labels: Any, feed: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
        """The values that ``labels``, names in any containers, stand for; ``values``: of inputs,
        by name.
        """
        what = f"{self.name}: run"
        wanted, treedef = tree.flatten(labels)
        fetched = [self.atom(label, f"{what}(fetch=…)") for label in wanted]
        fed: dict[Var, Any] = {}
        for label, value in feed.items():
            var = self.atom(label, f"{what}(feed=…)")
            if isinstance(var, Literal):
                raise ProgramError(
                    f"{what}(feed=…): {label!r} is the number {var}, nothing to feed"
                )
            fed[var] = fitted(what, label, var.aval, value)
        program, needed = self.part(fetched, tuple(fed))
        missing = [self._called(var) for var in needed if self._called(var) not in values]
        if missing:
            raise ProgramError(
                f"{what}: {_listed(wanted)} needs {_listed(missing)}; give "
                f"{'it' if len(missing) == 1 else 'them'}, or feed a value in between"
            )
        given = [*fed.values(), *(values[self._called(var)] for var in needed)]
        return tree.unflatten(treedef, evaluated(program, given))


def evaluated(program: Program, values: Sequence[Any]) -> Sequence[Any]:
    """The outputs of a program: by generated code, or one ``call`` equation where handles come in.
    What the program holds itself is given as a copy.
    """
    handles = any(isinstance(value, Box) for value in values)
    results = bind(call, *values, program=program) if handles else executable(program)(*values)
    held = program.constants
    return [
        atom.value
        if isinstance(atom, Literal)
        else np.array(held[atom])[()]
        if atom in held
        else result
        for atom, result in zip(program.outputs, results, strict=True)
    ]


def restricted(
    program: Program, fetched: Sequence[Atom], fed: Sequence[Var]
) -> tuple[Program, tuple[Var, ...]]:
    """What computes ``fetched`` from ``fed``, new inputs in front, and from as few of the others as
    it can; and those others.
    """
    instead = {var: Var(var.aval, var.name or program.names[var]) for var in fed}
    needed = {atom for atom in fetched if isinstance(atom, Var) and atom not in instead}
    kept: list[Equation] = []  # from the last to the first
    for eqn in reversed(program.equations):
        if needed.isdisjoint(eqn.outputs):
            continue
        needed.update(a for a in eqn.inputs if isinstance(a, Var) and a not in instead)
        inputs = tuple([instead.get(a, a) if isinstance(a, Var) else a for a in eqn.inputs])
        kept.append(Equation(eqn.primitive, inputs, eqn.outputs, eqn.params, eqn.source))
    others = tuple([var for var in program.inputs if var in needed])
    outputs = tuple([instead.get(a, a) if isinstance(a, Var) else a for a in fetched])
    constants = {var: value for var, value in program.constants.items() if var in needed}
    computed = tuple(reversed(kept))
    given = (*instead.values(), *others)
    return Program(given, computed, outputs, constants, program.name), others


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
