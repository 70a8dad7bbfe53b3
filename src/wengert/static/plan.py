"""Fusion: which equations of a program become one kernel each.

A group holds elementwise equations of one shape, and numbers without axes that go with them, as
many as can be computed in one loop nest: their values stay in registers, and only what something
outside reads is written to memory. Views of what comes in are read through; views of what is
computed inside are not, for their elements lie in another order.

Equations are taken in their order. A group stays open, its equations waiting, until something
outside of it needs one of its values; then it is placed, after the groups that it depends on. So a
group never waits for what waits for it. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.program import Atom, Equation, Literal, Program, Var
from .views import is_view, keeps_order

LARGEST = 256  # equations in a group: LLVM takes longer than linear time for a long loop body
Why = Callable[[Equation], str]  # why an equation can't be machine code; empty if it can


@dataclass(eq=False)
class Group:
    """Equations for one kernel.

    Attributes:
        shape: of all that is computed in the loops.
        members: the equations, by their place in the program.
        depends: open groups whose values it needs, directly or through others.
        apart: those of them that can't be merged with it, for it reads their values in another
            order, or with other lengths.
    """

    shape: tuple[int, ...]
    members: dict[int, Equation] = field(default_factory=dict)
    depends: set[Group] = field(default_factory=set)
    apart: set[Group] = field(default_factory=set)


@dataclass(frozen=True)
class Fused:
    """A group as a program of its own: ``inner``, from what it reads to what others read of it."""

    inner: Program

    @property
    def computed(self) -> int:
        """How many equations compute something."""
        return sum(not is_view(eqn) for eqn in self.inner.equations)


@dataclass(frozen=True)
class Plan:
    """A program as a list of equations and groups, in an order in which they can run."""

    program: Program
    steps: tuple[Equation | Fused, ...]

    @property
    def groups(self) -> list[Fused]:
        """The groups alone."""
        return [step for step in self.steps if isinstance(step, Fused)]


def fuse(program: Program, why_not: Why) -> Plan:
    """The groups of ``program``, and what runs between them.

    ``why_not(eqn)``: why an equation can't be in a group, empty if it can. A group of a single
    equation is left to NumPy, unless it reads through a view.
    """
    steps = _Planner(program, why_not).steps
    return Plan(program, tuple(_finished(program, steps)))


class _Planner:
    """Walks over a program once."""

    def __init__(self, program: Program, why_not: Why) -> None:
        self.program = program
        self.steps: list[Equation | list[Equation]] = []
        self.open: list[Group] = []
        self.home: dict[Var, Group] = {}  # of what open groups compute
        self.views: dict[Var, tuple[int, Equation]] = {}
        self.placed: set[Var] = set()  # views that NumPy makes
        for number, eqn in enumerate(program.equations):
            if is_view(eqn) and isinstance(eqn.inputs[0], Var):
                self.views[eqn.outputs[0]] = (number, eqn)
            elif why_not(eqn):
                self._place(eqn)
            else:
                self._join(number, eqn)
        for atom in program.outputs:
            self._need(atom)
        for group in list(self.open):
            self._close(group)

    # --- placing ---------------------------------------------------------------------------------

    def _place(self, eqn: Equation) -> None:
        for atom in eqn.inputs:
            self._need(atom)
        self.steps.append(eqn)

    def _need(self, atom: Atom) -> None:
        """Have the value of ``atom`` computed before what comes next."""
        chain = []
        while atom in self.views and atom not in self.placed:
            chain.append(self.views[atom][1])
            self.placed.update(chain[-1].outputs)
            atom = chain[-1].inputs[0]
        if atom in self.home:
            self._close(self.home[atom])
        self.steps += reversed(chain)

    def _close(self, group: Group) -> None:
        """Place a group, and those that it depends on before it."""
        if group not in self.open:
            return
        waiting = {group, *group.depends}
        # what depends on more comes later: dependencies are known through and through
        for one in sorted(waiting & set(self.open), key=lambda g: len(g.depends)):
            self.open.remove(one)
            self.steps.append(self._equations(one))
            for eqn in one.members.values():
                self.home.pop(eqn.outputs[0], None)
        for other in self.open:
            other.depends -= waiting
            other.apart -= waiting

    def _equations(self, group: Group) -> list[Equation]:
        """The members, with the views that they read through, in their order."""
        taken = dict(group.members)
        for eqn in group.members.values():
            for atom in eqn.inputs:
                while atom in self.views:
                    number, view = self.views[atom]
                    taken[number] = view
                    atom = view.inputs[0]
        return [taken[number] for number in sorted(taken)]

    # --- joining ---------------------------------------------------------------------------------

    def _join(self, number: int, eqn: Equation) -> None:
        shape = eqn.outputs[0].aval.shape
        sources: dict[Group, bool] = {}  # whether the equation may be in the same loop
        for atom in eqn.inputs:
            base = self._base(atom)
            if base in self.home:
                group = self.home[base]
                fits = base.aval.shape in ((), shape) and self._in_order(atom)
                sources[group] = fits and sources.get(group, True)
        group = self._choose(shape, sources)
        group.members[number] = eqn
        group.shape = group.shape or shape
        self.home[eqn.outputs[0]] = group
        for source, fits in sources.items():
            if source is not group:
                self._depend(group, source, fits)
        for source, fits in sources.items():
            if fits and source is not group:
                self._merge(group, source)

    def _base(self, atom: Atom) -> Any:
        """What ``atom`` is a view of, at last."""
        while atom in self.views:
            atom = self.views[atom][1].inputs[0]
        return atom

    def _in_order(self, atom: Atom) -> bool:
        """Whether element after element of what a group computes is read as it is computed."""
        while atom in self.views:
            eqn = self.views[atom][1]
            source = eqn.inputs[0]
            same = keeps_order(eqn) and atom.aval.shape == source.aval.shape
            if source.aval.shape and not same:
                return False
            atom = source
        return True

    def _choose(self, shape: tuple[int, ...], sources: dict[Group, bool]) -> Group:
        """The open group that an equation of this shape joins: of those that it reads, the others
        of its shape; or a new one.
        """
        near = [group for group, fits in sources.items() if fits]
        near.sort(key=lambda group: group.shape != shape)
        rest = [group for group in reversed(self.open) if group.shape == shape]
        for group in (*near, *rest):
            if (
                len(group.members) < LARGEST
                and (group.shape in ((), shape) or not shape)
                and sources.get(group, True)
                and not any(group in source.depends for source in sources)
            ):
                return group
        made = Group(shape)
        self.open.append(made)
        return made

    def _depend(self, group: Group, source: Group, fits: bool) -> None:
        group.depends |= {source, *source.depends}
        if not fits:
            group.apart.add(source)
        for other in self.open:
            if group in other.depends:
                other.depends |= group.depends

    def _merge(self, group: Group, source: Group) -> None:
        """Take ``source`` into ``group``, if nothing between them must be computed on its own."""
        between = any(source in other.depends for other in group.depends)
        alike = source.shape in ((), group.shape) or not group.shape
        large = len(group.members) + len(source.members) > LARGEST
        if between or large or not alike or source in group.apart or group in source.depends:
            return
        group.members.update(source.members)
        group.shape = group.shape or source.shape
        for eqn in source.members.values():
            self.home[eqn.outputs[0]] = group
        self.open.remove(source)
        group.depends = (group.depends | source.depends) - {source}
        group.apart |= source.apart
        for one in self.open:
            for known in (one.depends, one.apart):
                if source in known:
                    known.remove(source)
                    known.add(group)
            if group in one.depends:
                one.depends |= group.depends


# --- groups as programs ---------------------------------------------------------------------------


def _finished(
    program: Program, steps: Sequence[Equation | list[Equation]]
) -> Iterator[Equation | Fused]:
    """The steps, groups with what they read and what is read of them."""
    read = {atom for atom in program.outputs if isinstance(atom, Var)}
    for step in steps:
        read.update(_inputs(step if isinstance(step, list) else [step]))
    for step in steps:
        if not isinstance(step, list):
            yield without_reuse(step)
            continue
        made = [eqn.outputs[0] for eqn in step if not is_view(eqn)]
        outputs = [var for var in made if var in read]
        if not outputs:
            continue  # dead code
        inner = Program(tuple(_inputs(step)), tuple(map(without_reuse, step)), tuple(outputs))
        if len(made) == 1 == len(step):
            yield inner.equations[0]
        else:
            yield Fused(inner)


def _inputs(equations: Sequence[Equation]) -> dict[Var, None]:
    """The variables that equations read and do not make."""
    made = {var for eqn in equations for var in eqn.outputs}
    return dict.fromkeys(
        atom
        for eqn in equations
        for atom in eqn.inputs
        if not isinstance(atom, Literal) and atom not in made
    )


def without_reuse(eqn: Equation) -> Equation:
    """The equation with memory of its own: groups move equations."""
    if eqn.reuse is None:
        return eqn
    return Equation(eqn.primitive, eqn.inputs, eqn.outputs, eqn.params, eqn.source)
