"""The tree of segments: what has been recorded of one signature, by what Python read.

Each ``Node`` is a segment; below it stands, for each result of its guard, what was recorded next. A
node is *confirmed* when a second recording came through it with the same equations; only confirmed
ones are replayed. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..core.box import innermost
from ..core.program import Atom, Equation, Literal, Program, Var, shape_follows_value
from .finish import Finish
from .recorder import Guard, as_key
from .recording import Recording
from .sameness import bits_equal, equal

Optimise = Callable[[Program], Program]


class Node:
    """A segment among the recorded ones.

    Attributes:
        equations, guard, finish: the segment; at the end of a path ``finish`` in place of a guard.
        children: by the key of what the guard gave.
        program: what runs, once the tree was planned: from ``inputs`` to the value of the guard
            and what is read below, or to the values of ``finish``.
    """

    def __init__(self) -> None:
        self.equations: list[Equation] | None = None
        self.guard: Guard | None = None
        self.finish: Finish | None = None
        self.confirmed = False
        self.children: dict[Any, Node] = {}
        self.needs: tuple[Var, ...] = ()
        self.original: Program | None = None
        self.program: Program | None = None
        self.optimise: Optimise = _same
        self.picks: dict[Any, tuple[int, ...]] = {}
        self.masked = False  # whether a shape in it, or its derivative, follows from values
        self.run: Callable[..., Sequence[Any]] = _not_planned
        self.native: Any = None  # what makes machine code of the program
        self.compiled: Any = None  # the ``NativeProgram`` that all of it has become
        self.into: dict[int, int] = {}  # outputs that may be written into the memory of an input

    @cached_property
    def differentiable(self) -> Program:
        """The program as transformations get it."""
        assert self.original is not None
        return self.optimise(self.original)


def _same(program: Program) -> Program:
    return program


def _not_planned(*values: Any) -> Sequence[Any]:
    raise AssertionError("a node that was not planned")


class Paths:
    """All that was recorded of one signature: ``inputs``, and the tree ``first`` of segments."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.first = Node()
        self.inputs: tuple[Var, ...] = ()
        self.constants: dict[Var, Any] = {}
        self.targets: list[str] = []

    def nodes(self) -> Iterator[Node]:
        """Every node, parents first."""
        waiting = [self.first]
        while waiting:
            node = waiting.pop()
            if node.equations is not None:
                yield node
            waiting += node.children.values()

    @property
    def count(self) -> int:
        """How many paths there are."""
        return sum(node.finish is not None for node in self.nodes())

    # --- entering a recording --------------------------------------------------------------------

    def enter(self, recording: Recording) -> str:
        """Add a recording to the tree. Where it went before, it must agree with what is there; else
        the first difference is told.
        """
        if not self.inputs:
            self.inputs = tuple(recording.inputs)
        names = dict(zip(recording.inputs, self.inputs, strict=True))
        node = self.first
        for segment in recording.segments:
            if node.equations is None:
                self._fill(node, segment.equations, segment.guard, names, recording)
            else:
                told = self._compare(node, segment.equations, segment.guard, names, recording)
                if told:
                    return told
                node.confirmed = True
            if segment.guard is None:
                return self._end(node, recording, names)
            node = node.children.setdefault(segment.guard.key, Node())
        raise AssertionError("a recording without an end")

    def _fill(
        self,
        node: Node,
        equations: Sequence[Equation],
        guard: Guard | None,
        names: dict[Var, Var],
        recording: Recording,
    ) -> None:
        """A new node, its inputs called as the nodes above call them."""
        node.equations = []
        for eqn in equations:
            inputs = tuple([self._entered(atom, names, recording) for atom in eqn.inputs])
            node.equations.append(
                Equation(eqn.primitive, inputs, eqn.outputs, eqn.params, eqn.source)
            )
            names.update(zip(eqn.outputs, eqn.outputs, strict=True))
        if guard is not None:
            node.guard = Guard(names[guard.var], guard.convert, guard.result, guard.line)

    def _entered(self, atom: Atom, names: dict[Var, Var], recording: Recording) -> Atom:
        if isinstance(atom, Literal):
            return atom
        if atom in names:
            return names[atom]
        value = recording.constants[atom]
        for var, known in self.constants.items():
            if bits_equal(known, value):
                names[atom] = var
                return var
        names[atom] = atom
        self.constants[atom] = value
        return atom

    def _compare(
        self,
        node: Node,
        equations: Sequence[Equation],
        guard: Guard | None,
        names: dict[Var, Var],
        recording: Recording,
    ) -> str:
        """The first difference between a segment and a node, in words; empty if there is none."""
        assert node.equations is not None
        for old, new in zip(node.equations, equations, strict=False):
            if told := self._differs(old, new, names, recording):
                return told
            names.update(zip(new.outputs, old.outputs, strict=True))
        if len(node.equations) != len(equations):
            longer = max(node.equations, equations, key=len)
            extra = longer[min(len(node.equations), len(equations))]
            return f"{extra.primitive.name} ({extra.source}) runs in one call and not in another"
        if (guard is None) != (node.guard is None):
            line = (guard or node.guard).line  # type: ignore[union-attr]
            return f"Python reads a value at {line} in one call and not in another"
        if guard is not None and names.get(guard.var) is not node.guard.var:  # type: ignore[union-attr]
            return f"Python reads another value at {guard.line}"
        return ""

    def _differs(
        self, old: Equation, new: Equation, names: dict[Var, Var], recording: Recording
    ) -> str:
        where = f"({new.source})" if new.source == old.source else f"({old.source}, {new.source})"
        if old.primitive is not new.primitive or len(old.inputs) != len(new.inputs):
            return f"{new.primitive.name} runs where {old.primitive.name} ran {where}"
        for was, now in zip(old.inputs, new.inputs, strict=True):
            if not self._same_atom(was, now, names, recording):
                return f"{new.primitive.name} {where} reads another value: {_told(was, now)}"
        if not equal(old.params, new.params):
            return f"{new.primitive.name} {where} has other parameters"
        return ""

    def _same_atom(self, was: Atom, now: Atom, names: dict[Var, Var], recording: Recording) -> bool:
        if isinstance(was, Literal) or isinstance(now, Literal):
            return (
                isinstance(was, Literal)
                and isinstance(now, Literal)
                and type(was.value) is type(now.value)
                and repr(was.value) == repr(now.value)
            )
        if now in names:
            return names[now] is was
        same = was in self.constants and bits_equal(self.constants[was], recording.constants[now])
        if same:
            names[now] = was
        return same

    def _end(self, node: Node, recording: Recording, names: dict[Var, Var]) -> str:
        finish = recording.finish
        if node.finish is None:
            finish.atoms = [self._entered(atom, names, recording) for atom in finish.atoms]
            finish.settle(self.constants)
            node.finish = finish
            self._place_targets(finish)
            return ""
        if told := node.finish.differs(finish):
            return told
        for was, now in zip(node.finish.atoms, finish.atoms, strict=True):
            if not self._same_atom(was, now, names, recording):
                return f"a result is another value: {_told(was, now)}"
        return ""

    def _place_targets(self, finish: Finish) -> None:
        """The targets of all paths are one list; a path reads its own from it."""
        for target in finish.targets:
            if target not in self.targets:
                self.targets.append(target)
        finish.places = [self.targets.index(target) for target in finish.targets]
        finish.in_order = finish.places == list(range(len(finish.places)))

    # --- planning --------------------------------------------------------------------------------

    def plan(self, optimise: Optimise, prepare: Callable[[Node], None]) -> None:
        """Make the programs of all nodes: each hands on what is read below it. ``prepare`` gives a
        node what runs its program.
        """
        order = list(self.nodes())
        for node in reversed(order):
            self._plan(node, optimise, prepare)

    def _plan(self, node: Node, optimise: Optimise, prepare: Callable[[Node], None]) -> None:
        assert node.equations is not None
        outputs: list[Atom]
        if node.finish is not None:
            outputs = list(node.finish.atoms)
        else:
            assert node.guard is not None
            below = dict.fromkeys(var for c in node.children.values() for var in c.needs)
            outputs = [node.guard.var, *below]
            place = {var: i for i, var in enumerate(outputs) if i}
            node.picks = {
                key: tuple(place[var] for var in child.needs)
                for key, child in node.children.items()
            }
        inside = {var for eqn in node.equations for var in eqn.outputs}
        read = dict.fromkeys(
            atom
            for atom in (*(a for e in node.equations for a in e.inputs), *outputs)
            if isinstance(atom, Var) and atom not in inside and atom not in self.constants
        )
        needs = self.inputs if node is self.first else tuple(read)
        constants = self._constants_of(node.equations, outputs)
        program = Program(needs, tuple(node.equations), tuple(outputs), constants, self.name)
        if node.original is not None and _alike(node.original, program):
            return
        node.needs, node.original, node.optimise = needs, program, optimise
        vars(node).pop("differentiable", None)
        node.program = optimise(without_stops(program))
        node.masked = any(map(_masked, node.equations))
        prepare(node)

    def _constants_of(self, equations: Sequence[Equation], outputs: Sequence[Atom]) -> Any:
        read = (*(a for e in equations for a in e.inputs), *outputs)
        return {a: self.constants[a] for a in read if isinstance(a, Var) and a in self.constants}

    # --- following a path ------------------------------------------------------------------------

    def follow(
        self,
        values: Sequence[Any],
        run: Callable[[Node, Any], Sequence[Any]],
        look: Callable[[Any], Any] = innermost,
    ) -> Any:
        """Run from ``values`` of the inputs to the end of a path: its ``Finish`` and its values;
        None where the path has not been recorded, or not confirmed. ``look`` gives the plain value
        that a guard asks for.
        """
        node = self.first
        while node.confirmed and node.program is not None:  # else another thread is at it
            given = run(node, values)
            if node.finish is not None:
                return node.finish, given
            guard = node.guard
            assert guard is not None
            key = as_key(guard.convert(look(given[0])))
            child = node.children.get(key)
            if child is None:
                return None
            values = [given[i] for i in node.picks[key]]
            node = child
        return None


def _masked(eqn: Equation) -> bool:
    """Whether a shape in the equation, or in its derivative, follows from values: reads and writes
    of as many elements as a mask selects.
    """
    booleans = (atom.aval.dtype.kind == "b" for atom in eqn.inputs[1:])
    return shape_follows_value(eqn) or (eqn.primitive.name == "setitem" and any(booleans))


def without_stops(program: Program) -> Program:
    """``program`` to run, not to differentiate: what stops derivatives is left out."""
    names: dict[Atom, Atom] = {}
    equations = []
    for eqn in program.equations:
        inputs = tuple([names.get(atom, atom) for atom in eqn.inputs])
        if eqn.primitive.name == "stop_gradient":
            names[eqn.outputs[0]] = inputs[0]
        else:
            equations.append(Equation(eqn.primitive, inputs, eqn.outputs, eqn.params, eqn.source))
    if not names:
        return program
    outputs = tuple([names.get(atom, atom) for atom in program.outputs])
    return replace(program, equations=tuple(equations), outputs=outputs)


def _alike(a: Program, b: Program) -> bool:
    return (a.inputs, a.equations, a.outputs) == (b.inputs, b.equations, b.outputs)


def _told(was: Any, now: Any) -> str:
    return (
        f"{getattr(now, 'value', now)!r:.60} in one call, {getattr(was, 'value', was)!r:.60} before"
    )
