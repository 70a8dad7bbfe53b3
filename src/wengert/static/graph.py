"""Static graphs that one can see: ``capture`` builds one before any data exists.

A ``Graph`` is a program with names. It is printed before and after each pass, checked, drawn,
called as its function, and asked for any value inside: ``run`` fetches values by name, feeds others
in their place, and computes only what is needed, as TensorFlow 1's sessions did. Layer: ``static``.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..control.call import call
from ..core import tree
from ..core.aval import Aval
from ..core.box import Box
from ..core.errors import ProgramError, UnsupportedError
from ..core.execute import executable
from ..core.interpret import bind, origin_of
from ..core.late import LATE
from ..core.names import leaf_names
from ..core.program import Atom, Equation, Literal, Program, Var
from ..differentiate.abstract import abstract_program
from .arguments import Arguments, fitted
from .naming import naming
from .passes import optimise
from .passes_text import Passes, equations, program_after

NUMBERS = (Box, np.ndarray, np.generic)


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


class Graph(ProgramGraph):
    """A static graph with the arguments and results of a function; made by ``capture``.

    Call it as the function, with values; ``grad``, ``jvp``, ``vmap`` and ``compile`` take it as any
    function. ``run`` computes values inside.

    Attributes:
        arguments: names, structure and types of the arguments.
        captured: arrays of the dynamic graph that the function reads from outside, its variables;
            each call reads them as they are then.
    """

    def __init__(
        self,
        original: Program,
        arguments: Arguments,
        result: Any,
        captured: Sequence[Any],
        given: Mapping[str, Var],
        strict: bool,
    ) -> None:
        self.arguments, self.captured = arguments, tuple(captured)
        self._leaves, self._out_def = tree.flatten(result)
        places = [i for i, leaf in enumerate(self._leaves) if leaf is VALUE]
        names = leaf_names(arguments.result_name, result)
        super().__init__(original, [names[i] for i in places], given, strict)
        self._places = places
        self.__name__ = self.name
        self.check()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives. Raises ``ShapeError``, ``DtypeError`` for other types,
        structures or constants than those that the graph was built for.
        """
        values = self._with_captured(self.arguments.bind(self.name, args, kwargs))
        given = [values[self._called(var)] for var in self.original.inputs]
        return self._result(evaluated(self.program, given))

    def _with_captured(self, values: dict[str, Any]) -> dict[str, Any]:
        start = len(self.original.inputs) - len(self.captured)
        names = map(self._called, self.original.inputs[start:])
        return {**values, **dict(zip(names, self.captured, strict=True))}

    def _result(self, values: Sequence[Any]) -> Any:
        leaves = list(self._leaves)
        for place, value in zip(self._places, values, strict=True):
            leaves[place] = value
        return tree.unflatten(self._out_def, leaves)

    def run(
        self,
        *args: Any,
        fetch: Any = None,
        feed: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Values inside the graph, by name; only what they need is computed.

        Args:
            args, kwargs: arguments of the function; those that are not needed may be left out.
            fetch: a name, or names in a list, a tuple or a dict: of inputs (``x``, ``p['w']``),
                results (``y``, ``y['loss']``, or ``result`` where an argument is called ``y``),
                values named by ``wengert.name``, or those that ``print(graph.original)`` shows
                (``v7``). None: the result of the function.
            feed: values to put in place of others, by such names.

        Returns:
            The values, in the containers of ``fetch``.

        Raises:
            ProgramError: a name that there is not, or an argument that is needed and missing.
            ShapeError, DtypeError: a value of another type.

        >>> import numpy as np, wengert as wg
        >>> def f(x):
        ...     hidden = wg.name(np.exp(x), "hidden")
        ...     return np.sum(hidden**2)
        >>> graph = wg.capture(f)(wg.Aval((2,)))
        >>> graph.run(np.zeros(2), fetch=["hidden", "y"])
        [array([1., 1.]), np.float64(2.0)]
        >>> graph.run(fetch="y", feed={"hidden": np.array([3.0, 4.0])})
        np.float64(25.0)
        """
        values = self.arguments.bind(f"{self.name}: run", args, kwargs, partial=True)
        values, feed = self._with_captured(values), feed or {}
        if fetch is None:
            return self._result(self.fetch(list(self._ends), feed, values))
        return self.fetch(fetch, feed, values)


class _Value:
    """Stands in a result for what the graph computes."""

    def __repr__(self) -> str:
        return "VALUE"


VALUE = _Value()


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


def capture(f: Callable[..., Any], *, strict: bool = False) -> Callable[..., Graph]:
    """A static graph of ``f``, built and optimised before any data exists.

    ``f`` runs once, on types: shapes and dtypes are known, values are not. What it does besides
    (printing, counting) happens once, while the graph is built.

    Args:
        f: a function of arrays or containers of them that changes none of them in place.
        strict: only passes that leave every bit as it is eagerly.

    Returns:
        A function of ``f``'s arguments that gives a ``Graph``: ``Aval((3,), float)`` stands for an
        array, and so does an array, which gives its type only; everything else (Python's numbers,
        texts, functions) becomes part of the graph. ``Aval((), float, weak=True)`` stands for a
        Python number that changes.

    Raises:
        UnsupportedError: ``f`` reads a value (``if x > 0``; the message names ``cond``), or changes
        an argument in place.

    >>> import numpy as np, wengert as wg
    >>> def loss(w, x):
    ...     return {"loss": np.sum((x @ w) ** 2 * 1)}
    >>> graph = wg.capture(loss)(wg.Aval((3,)), wg.Aval((5, 3)))
    >>> print(graph)
    graph loss: 3 equations, 4 recorded
      inputs     v1: float64[3] (w), v2: float64[5, 3] (x)
      v3: float64[5] = v2 @ v1
      v4: float64[5] = v3 ** 2  in the buffer of v3
      v6: float64[] = sum(v4; axis=None, keepdims=False)
      outputs    v6 = y['loss']
    >>> graph(np.ones(3), np.ones((5, 3)))
    {'loss': np.float64(45.0)}
    """

    def build(*args: Any, **kwargs: Any) -> Graph:
        return _build(f, Arguments(f, args, kwargs), strict)

    return build


def _build(f: Callable[..., Any], arguments: Arguments, strict: bool) -> Graph:
    found: list[Any] = []

    def flat(*leaves: Any) -> list[Any]:
        """Only the values, so that a result may hold anything; the structure goes to ``found``."""
        before = [(x, x._node) for x in leaves if isinstance(x, Box)]
        result = arguments.call(leaves)
        _unchanged(f, arguments, before)
        parts, treedef = tree.flatten(result)
        values = [part for part in parts if isinstance(part, NUMBERS)]
        held = [VALUE if isinstance(part, NUMBERS) else part for part in parts]
        found.append(tree.unflatten(treedef, held))
        return values

    flat.__name__ = getattr(f, "__name__", type(f).__name__)
    flat.__wrapped__ = f  # type: ignore[attr-defined]
    taken = (*arguments.names, arguments.result_name)
    with naming(taken) as given:
        sketch = abstract_program(flat, arguments.leaves, arguments.names, shared=())
    names = captured_names(f, sketch.captured)
    start = len(sketch.program.inputs) - len(names)
    for var, label in zip(sketch.program.inputs[start:], names, strict=True):
        var.name = label
    return Graph(sketch.program, arguments, found[0], sketch.captured, given, strict)


def _unchanged(f: Any, arguments: Arguments, before: Sequence[tuple[Box, Any]]) -> None:
    """Raise ``UnsupportedError`` if an argument was changed in place."""
    names = [n for n, x in zip(arguments.names, arguments.leaves, strict=True) if type(x) is Aval]
    for label, (handle, node) in zip(names, before, strict=True):
        handle.refresh()
        if handle._node is not node:
            raise UnsupportedError(
                f"{origin_of(f, 'capture')} changes its argument {label} in place: return the new "
                "value instead, or use wengert.compile, which writes into the caller's array"
            )


def captured_names(f: Callable[..., Any], captured: Sequence[Any]) -> list[str]:
    """What the program calls the arrays that ``f`` reads from outside."""
    target = getattr(f, "__func__", f)
    reached = {"self": getattr(f, "__self__", None if target is not f else f)}
    if inspect.isfunction(target):
        seen = inspect.getclosurevars(target)
        reached |= {**seen.globals, **seen.nonlocals}
    found: dict[int, str] = {}
    for label, value in reached.items():
        leaves = tree.flatten(value)[0]
        if any(leaf is one for leaf in leaves for one in captured):
            for leaf, path in zip(leaves, leaf_names(label, value), strict=True):
                found.setdefault(id(leaf), path)
    return [found.get(id(value), f"captured[{i}]") for i, value in enumerate(captured)]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
