"""The graphs that ``compile`` has recorded, to look at: one for each path through the function.

A ``PathGraph`` is the program of one path, in segments; between them Python read a value, and the
rest holds where it was as it was. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.program import Atom, Names, Program
from .cause import code_at, spoken
from .finish import VALUES, Finish
from .naming import numbered_like
from .passes import optimise
from .passes_text import Passes, body
from .paths import Node, Paths, without_stops
from .program_graph import ProgramGraph
from .recorder import Guard

Step = tuple[Node, Any]  # a segment, and the key under which its guard leads on

if TYPE_CHECKING:
    from .capture import Compiled
    from .variant import Variant


class Segment(ProgramGraph):
    """A piece of a path, up to where Python reads a value.

    Attributes:
        guard: what was read there, with its line; empty at the end of a path.
        confirmed: whether a second recording agreed; only then it is replayed.
        runs: the program that is replayed.

    ``original`` is what was recorded but for what only stops derivatives.
    """

    def __init__(self, step: Step, names: Names, strict: bool) -> None:
        node, key = step
        assert node.original is not None
        assert node.program is not None
        super().__init__(numbered_like(without_stops(node.original), names), strict=strict)
        self.node, self.confirmed = node, node.confirmed
        self.guard = "" if node.guard is None else guard_text(node.guard, key)
        self.runs = numbered_like(node.program, names)

    @property
    def program(self) -> Program:
        return self.runs

    @property
    def results(self) -> list[tuple[str, Atom]]:
        return []

    @property
    def renamed(self) -> str:
        """What the segments below know by another name: ``v14 is v12``."""
        pairs = zip(self.original.outputs, self.runs.outputs, strict=True)
        told = {f"{self.original.names[a]} is {self._text(b)}" for a, b in pairs if a is not b}
        return ", ".join(sorted(told))

    @property
    def machine(self) -> list[str]:
        """What is machine code, and what runs in NumPy and why."""
        native = self.node.native
        return [] if native is None else list(native.machine.lines())

    @property
    def python_calls(self) -> list[str]:
        """The operations that run Python each time, with their lines."""
        return [
            f"{_function_of(eqn)} ({code_at(eqn.source)})" if eqn.source else _function_of(eqn)
            for eqn in self.runs.equations
            if eqn.primitive.calls_user
        ]


class PathGraph(ProgramGraph):
    """A recorded path: from the arguments to one of the ends of a compiled function.

    Attributes:
        segments: its pieces, in order.
        signature: what it was recorded for, in words.
    """

    def __init__(self, compiled: Compiled, variant: Variant, steps: Sequence[Step]) -> None:
        nodes = [node for node, _ in steps]
        paths, finish = variant.paths, nodes[-1].finish
        assert finish is not None
        names = names_of(paths, nodes)
        whole = whole_program(paths, nodes)
        for var in paths.inputs:  # in the user's words from now on
            var.name = spoken(var.name, compiled.function)
        super().__init__(
            numbered_like(whole, names), ends_of(finish, compiled.function), strict=compiled.strict
        )
        self.segments = tuple([Segment(step, names, compiled.strict) for step in steps])
        self.signature = signature(paths)

    @cached_property
    def passes(self) -> Passes:
        """What each pass did, segment by segment."""
        return Passes(*(report for segment in self.segments for report in segment.passes.reports))

    @cached_property
    def program(self) -> Program:
        """The path as one optimised program, without its guards."""
        return numbered_like(optimise(self.original, strict=self.strict)[0], self.original.names)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"graph {self.name}: {self.signature}"
        for number, segment in enumerate(self.segments, 1):
            lines = body(segment.runs)
            if len(self.segments) > 1:
                yield f"segment {number}"
            yield from (f"  {line}" for line in lines[:-1])
            if segment.guard:
                yield f"  {segment.guard}"
                if segment.renamed:
                    yield f"  below {segment.renamed}"
        yield f"  outputs    {self._outputs() or 'none'}"

    def _outputs(self) -> str:
        """The results of the last segment, each with its name."""
        last = self.segments[-1].runs
        ends = zip(last.outputs, self._ends, strict=True)
        return ", ".join(f"{last.names[atom]} = {label}" for atom, label in ends)

    def check(self) -> PathGraph:
        super().check()
        for segment in self.segments:
            segment.runs.check()
        return self


def graphs_of(compiled: Compiled, variant: Variant) -> list[PathGraph]:
    """The recorded paths of a variant, in the order in which they were recorded."""
    return [PathGraph(compiled, variant, steps) for steps in ends_below(variant.paths.first, ())]


def ends_below(node: Node, above: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """Each path that leads through ``node`` to an end, as far as it has been planned."""
    if node.program is None:
        return
    if node.finish is not None:
        yield (*above, (node, None))
    for key, child in node.children.items():
        yield from ends_below(child, (*above, (node, key)))


def names_of(paths: Paths, nodes: Sequence[Node]) -> Names:
    """One name for each value of a path; segments that several paths share have the same."""
    names = Names(tuple(paths.constants))
    for var in (*paths.inputs, *(v for n in nodes for e in n.equations or () for v in e.outputs)):
        names[var]
    return names


def whole_program(paths: Paths, nodes: Sequence[Node]) -> Program:
    """A path as one program, without its guards and what only stops derivatives."""
    equations = tuple([eqn for node in nodes for eqn in node.equations or ()])
    finish = nodes[-1].finish
    assert finish is not None
    read = {*finish.atoms, *(atom for eqn in equations for atom in eqn.inputs)}
    constants = {var: value for var, value in paths.constants.items() if var in read}
    program = Program(paths.inputs, equations, tuple(finish.atoms), constants, paths.name)
    return without_stops(program)


def ends_of(finish: Finish, function: Any) -> list[str]:
    """A name for each value that a path ends with: ``y``, ``y['loss']``, or where it is written."""
    names = [f"v{i}" for i in range(len(finish.atoms))]
    for commit in reversed(finish.commits):
        if commit.output.kind in VALUES:
            names[commit.output.number] = spoken(commit.path, function)
    steps = finish.treedef.paths()
    for output, path in reversed(list(zip(finish.outputs, steps, strict=True))):
        if output.kind in VALUES:
            names[output.number] = "y" + "".join(f"[{step!r}]" for step in path)
    return [name if names.index(name) == i else f"{name} ({i})" for i, name in enumerate(names)]


def signature(paths: Paths) -> str:
    """The inputs in words: the first ones, and how many more."""
    told = [f"{var.name}: {var.aval}" for var in paths.inputs]
    more = f" and {len(told) - 6} more" if len(told) > 6 else ""
    return ", ".join(told[:6]) + more or "no arrays"


def guard_text(guard: Guard, key: Any) -> str:
    """``holds where train.py:12: `if loss > best:` reads True``; ``key``: what it read there."""
    what = "has shape" if guard.convert is np.shape else "reads"
    return f"holds where {code_at(guard.line) or 'Python'} {what} {key_text(key)}"


def key_text(key: Any) -> str:
    """What Python read, from the key that ``as_key`` made of it."""
    if isinstance(key, tuple) and key and isinstance(key[0], str):
        if len(key) == 3:
            return f"{np.dtype(key[0])}{list(key[1])}"
        return f"{key[1]:.60}"
    return f"{key!r:.60}"


def _function_of(eqn: Any) -> str:
    """The name of the user's function that an equation calls."""
    rules = eqn.params.get("rules")
    label = getattr(rules, "name", "") or eqn.primitive.name
    return str(label)
