"""Fusion: which equations of a program become one kernel each, and one loop nest each.

A kernel takes all that follows one another and can be machine code: a group stays open, its
equations waiting, until something that NumPy runs needs one of its values. Inside a kernel a nest
takes elementwise equations of one shape, and numbers without axes that go with them, as many as can
be computed in one loop: their values stay in registers, and only what something outside reads is
written to memory. Views of what is in memory are read through; a view of what is being computed
waits until it is there, for its elements lie in another order. A reduction joins the nest that
computes what it reduces; what reads its result is in another nest.

Equations are taken in their order, and a nest stays open as a group does; it is placed after the
nests that it depends on, so it never waits for what waits for it. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.program import Atom, Equation, Literal, Program, Var
from .views import is_reduction, is_view, keeps_order

LARGEST = 256  # equations in a nest: LLVM takes longer than linear time for a long loop body
Why = Callable[[Equation], str]  # why an equation can't be machine code; empty if it can


@dataclass(eq=False)
class Nest:
    """Equations for one nest.

    Attributes:
        shape: of all that is computed in the loops.
        walk: how its reductions go over that, if it has any.
        members: the equations, by their place in the program.
        depends: open nests whose values it needs, directly or through others.
        apart: those of them that can't be merged with it, for it reads their values in another
            order, or with other lengths.
    """

    shape: tuple[int, ...]
    walk: Hashable = None
    members: dict[int, Equation] = field(default_factory=dict)
    depends: set[Nest] = field(default_factory=set)
    apart: set[Nest] = field(default_factory=set)

    def may_walk(self, walk: Hashable) -> bool:
        """Whether its loops can go so."""
        return walk is None or self.walk in (None, walk)


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
    steps = _Groups(program, why_not).steps
    return Plan(program, tuple(_finished(program, steps)))


def nests(
    group: Program,
    alone: Callable[[Equation], bool],
    walk: Callable[[Equation], Hashable] = lambda eqn: eqn,
) -> list[list[Equation]]:
    """The equations of a group in nests: one that stands ``alone``, or what is computed element by
    element with reductions of it; with the views that they read through.

    ``walk``: how a reduction goes over what it reduces; those of one nest go alike.
    """
    found = _Nests(group, lambda eqn: "a nest of its own" if alone(eqn) else "", walk)
    return [[step] if isinstance(step, Equation) else step for step in found.steps]


class _Walk:
    """Walks over a program once; ``steps`` is what comes of it."""

    def __init__(self, program: Program, why_not: Why) -> None:
        self.program = program
        self.steps: list[Equation | list[Equation]] = []
        self.views: dict[Var, tuple[int, Equation]] = {}
        self.placed: set[Var] = set()  # views that NumPy makes
        for number, eqn in enumerate(program.equations):
            reason = why_not(eqn)
            if is_view(eqn) and isinstance(eqn.inputs[0], Var) and not reason:
                self.views[eqn.outputs[0]] = (number, eqn)
            elif reason:
                self.place(eqn)
            else:
                self.join(number, eqn)
        for atom in program.outputs:
            self.need(atom)
        self.close()

    def join(self, number: int, eqn: Equation) -> None:
        """Take an equation into what is open."""
        raise NotImplementedError

    def close(self, atom: Atom | None = None) -> None:
        """Place what is open, if ``atom`` is computed in it."""
        raise NotImplementedError

    def place(self, eqn: Equation) -> None:
        """Place an equation by itself."""
        for atom in eqn.inputs:
            self.need(atom)
        self.steps.append(eqn)

    def need(self, atom: Atom) -> None:
        """Have the value of ``atom`` computed before what comes next."""
        chain = []
        while atom in self.views and atom not in self.placed:
            chain.append(self.views[atom][1])
            self.placed.update(chain[-1].outputs)
            atom = chain[-1].inputs[0]
        self.close(atom)
        self.steps += reversed(chain)

    def with_views(self, members: dict[int, Equation]) -> list[Equation]:
        """The members, with the views that they read through, in their order."""
        taken = dict(members)
        for eqn in members.values():
            for atom in eqn.inputs:
                while atom in self.views:
                    number, view = self.views[atom]
                    taken[number] = view
                    atom = view.inputs[0]
        return [taken[number] for number in sorted(taken)]

    def base(self, atom: Atom) -> Any:
        """What ``atom`` is a view of, at last."""
        while atom in self.views:
            atom = self.views[atom][1].inputs[0]
        return atom


class _Groups(_Walk):
    """One group is open at a time."""

    def __init__(self, program: Program, why_not: Why) -> None:
        self.members: dict[int, Equation] = {}
        self.made: set[Any] = set()
        super().__init__(program, why_not)

    def join(self, number: int, eqn: Equation) -> None:
        self.members[number] = eqn
        self.made.update(eqn.outputs)

    def close(self, atom: Atom | None = None) -> None:
        if self.members and (atom is None or atom in self.made):
            self.steps.append(self.with_views(self.members))
            self.members = {}
            self.made.clear()


class _Nests(_Walk):
    """Many nests are open, of different shapes."""

    def __init__(
        self, program: Program, why_not: Why, walk: Callable[[Equation], Hashable]
    ) -> None:
        self.open: list[Nest] = []
        self.home: dict[Any, Nest] = {}  # of what open nests compute
        self.reduced: set[Any] = set()  # results of reductions
        self.walk_of = walk
        super().__init__(program, why_not)

    def place(self, eqn: Equation) -> None:
        for atom in eqn.inputs:
            self.close(self.base(atom))
        self.steps.append(self.with_views({len(self.program.equations): eqn}))

    def need(self, atom: Atom) -> None:
        """Results are placed at the end."""

    def close(self, atom: Atom | None = None) -> None:
        if atom is None:
            for nest in list(self.open):
                self._close(nest)
        elif atom in self.home:
            self._close(self.home[atom])

    def _close(self, nest: Nest) -> None:
        """Place a nest, and those that it depends on before it."""
        if nest not in self.open:
            return
        waiting = {nest, *nest.depends}
        # what depends on more comes later: dependencies are known through and through
        for one in sorted(waiting & set(self.open), key=lambda g: len(g.depends)):
            self.open.remove(one)
            self.steps.append(self.with_views(one.members))
            for eqn in one.members.values():
                self.home.pop(eqn.outputs[0], None)
        for other in self.open:
            other.depends -= waiting
            other.apart -= waiting

    # --- joining ---------------------------------------------------------------------------------

    def join(self, number: int, eqn: Equation) -> None:
        if is_reduction(eqn):
            self._reduce(number, eqn)
            return
        shape = eqn.outputs[0].aval.shape
        sources: dict[Nest, bool] = {}  # whether the equation may be in the same loop
        for atom in eqn.inputs:
            base = self.base(atom)
            if base in self.home:
                nest = self.home[base]
                same = base.aval.shape in ((), shape) and base not in self.reduced
                fits = same and self._in_order(atom)
                sources[nest] = fits and sources.get(nest, True)
        nest = self._choose(shape, sources)
        nest.members[number] = eqn
        nest.shape = nest.shape or shape
        self.home[eqn.outputs[0]] = nest
        for source, fits in sources.items():
            if source is not nest:
                self._depend(nest, source, fits)
        for source, fits in sources.items():
            if fits and source is not nest:
                self._merge(nest, source)

    def _reduce(self, number: int, eqn: Equation) -> None:
        """Take a reduction into the nest that computes what it reduces, or one that reads the
        same.
        """
        source, walk = eqn.inputs[0], self.walk_of(eqn)
        base, shape = self.base(source), source.aval.shape
        home = self.home.get(base)
        if home is None:
            near = [nest for nest in self.open if self._reads(nest, base)]
        else:
            fits = base not in self.reduced and base.aval.shape == shape
            near = [home] if fits and self._in_order(source) else []
        fitting = (
            one
            for one in near
            if one.shape == shape and one.may_walk(walk) and len(one.members) < LARGEST
        )
        nest = next(fitting, None)
        if nest is None:
            nest = Nest(shape)
            self.open.append(nest)
            if home is not None:
                self._depend(nest, home, fits=False)
        nest.members[number], nest.walk = eqn, walk
        self.home[eqn.outputs[0]] = nest
        self.reduced.add(eqn.outputs[0])

    def _reads(self, nest: Nest, base: Any) -> bool:
        """Whether a nest reads something, or a view of it."""
        inputs = (atom for eqn in nest.members.values() for atom in eqn.inputs)
        return any(self.base(atom) is base for atom in inputs)

    def _in_order(self, atom: Atom) -> bool:
        """Whether element after element of what a nest computes is read as it is computed."""
        while atom in self.views:
            eqn = self.views[atom][1]
            source = eqn.inputs[0]
            same = keeps_order(eqn) and atom.aval.shape == source.aval.shape
            if source.aval.shape and not same:
                return False
            atom = source
        return True

    def _choose(self, shape: tuple[int, ...], sources: dict[Nest, bool]) -> Nest:
        """The open nest that an equation of this shape joins: of those that it reads, the others
        of its shape; or a new one.
        """
        near = [nest for nest, fits in sources.items() if fits]
        near.sort(key=lambda nest: nest.shape != shape)
        # what has nothing to do with reductions can do without their order
        rest = [one for one in reversed(self.open) if one.shape == shape and one.walk is None]
        for nest in (*near, *rest):
            if (
                len(nest.members) < LARGEST
                and (nest.shape in ((), shape) or not shape)
                and sources.get(nest, True)
                and not any(nest in source.depends for source in sources)
            ):
                return nest
        made = Nest(shape)
        self.open.append(made)
        return made

    def _depend(self, nest: Nest, source: Nest, fits: bool) -> None:
        nest.depends |= {source, *source.depends}
        if not fits:
            nest.apart.add(source)
        for other in self.open:
            if nest in other.depends:
                other.depends |= nest.depends

    def _merge(self, nest: Nest, source: Nest) -> None:
        """Take ``source`` into ``nest``, if nothing between them must be computed on its own."""
        between = any(source in other.depends for other in nest.depends)
        alike = source.shape in ((), nest.shape) or not nest.shape
        large = len(nest.members) + len(source.members) > LARGEST
        alike = alike and nest.may_walk(source.walk)
        if between or large or not alike or source in nest.apart or nest in source.depends:
            return
        nest.members.update(source.members)
        nest.shape = nest.shape or source.shape
        nest.walk = source.walk if nest.walk is None else nest.walk
        for eqn in source.members.values():
            self.home[eqn.outputs[0]] = nest
        self.open.remove(source)
        nest.depends = (nest.depends | source.depends) - {source}
        nest.apart |= source.apart
        for one in self.open:
            for known in (one.depends, one.apart):
                if source in known:
                    known.remove(source)
                    known.add(nest)
            if nest in one.depends:
                one.depends |= nest.depends


# --- groups as programs ---------------------------------------------------------------------------


def _finished(
    program: Program, steps: Sequence[Equation | list[Equation]]
) -> Iterator[Equation | Fused]:
    """The steps, groups with what they read and what is read of them."""
    read = {atom for atom in program.outputs if isinstance(atom, Var)}
    for step in steps:
        read.update(inputs_of(step if isinstance(step, list) else [step]))
    for step in steps:
        if not isinstance(step, list):
            yield step
            continue
        computing = [eqn for eqn in step if not is_view(eqn)]
        outputs = [var for eqn in computing for var in eqn.outputs if var in read]
        if not outputs:
            continue  # dead code
        inner = Program(tuple(inputs_of(step)), tuple(step), tuple(outputs))
        if len(computing) == 1 == len(step):
            yield inner.equations[0]
        else:
            yield Fused(inner)


def inputs_of(equations: Sequence[Equation]) -> dict[Var, None]:
    """The variables that equations read and do not make."""
    made = {var for eqn in equations for var in eqn.outputs}
    return dict.fromkeys(
        atom
        for eqn in equations
        for atom in eqn.inputs
        if not isinstance(atom, Literal) and atom not in made
    )


def in_own_memory(program: Program) -> Program:
    """The program without writing over what is dead: groups move equations."""
    equations = tuple(
        Equation(eqn.primitive, eqn.inputs, eqn.outputs, eqn.params, eqn.source)
        for eqn in program.equations
    )
    return replace(program, equations=equations)
