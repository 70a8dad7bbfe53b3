"""Programs from programs: the tangent program, the forward and backward ones, the batched one.

Each is made by recording an interpreter's run of the program abstractly, so that the rules of the
primitives are the only source; it is a ``Program`` itself, and may be derived from in turn. What
has been derived is kept in ``Program.memo``. Layer: ``control``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import interpret, tree
from ..core.aval import Aval
from ..core.box import BATCHED, Box, shape_of
from ..core.execute import Executable, executable
from ..core.program import Atom, Equation, Literal, Program, Var
from ..core.quiet import quiet
from ..differentiate.abstract import AbstractRecorder, placeholder, strong
from ..differentiate.forward import push
from ..differentiate.reverse import Output
from ..differentiate.sweep import Adjoints, sweep
from ..differentiate.tape import Tape
from ..ops.array import make
from ..ops.fitting import fit
from ..ops.shape import broadcast_to
from ..vectorize import Batch

Flags = tuple[bool, ...]


def as_it_is(program: Program) -> Program:
    """No optimisation."""
    return program


optimise: Callable[[Program], Program] = as_it_is  # of every derived program; static/ sets it
runner: Callable[[Program], Executable] = executable  # of a called program; static/ sets it


def inexact(aval: Aval) -> bool:
    """Whether values of this type have derivatives."""
    return aval.dtype.kind in "fc"


def finished(
    inputs: Sequence[Var],
    equations: Sequence[Equation],
    outputs: Sequence[Atom],
    constants: dict[Var, Any],
    name: str,
) -> Program:
    """The program without what its outputs do not depend on, optimised."""
    needed = {atom for atom in outputs if isinstance(atom, Var)}
    kept = []
    for eqn in reversed(equations):
        if needed.intersection(eqn.outputs):
            kept.append(eqn)
            needed.update(atom for atom in eqn.inputs if isinstance(atom, Var))
    read = {var: value for var, value in constants.items() if var in needed}
    return optimise(Program(tuple(inputs), tuple(reversed(kept)), tuple(outputs), read, name))


def recorder_for(program: Program, what: str) -> AbstractRecorder:
    """A recorder for a run of ``program``."""
    shared = program.constants.values()
    return AbstractRecorder(interpret.current.get(), what, program.run, shared)


def memoised(program: Program, key: Any, derive: Callable[[], Any]) -> Any:
    """What ``derive`` gives, once for each ``key``."""
    if key not in program.memo:
        program.memo[key] = derive()
    return program.memo[key]


# --- other inputs and outputs -----------------------------------------------------------------


def adapted(
    program: Program,
    avals: Sequence[Aval],
    places: Sequence[int],
    outputs: Sequence[int | Aval],
) -> Program:
    """The program among inputs of types ``avals``, of which it reads those at ``places``; its
    outputs are those at ``outputs``, and zeros for each type there.
    """
    inputs = [Var(aval) for aval in avals]
    for var, place in zip(program.inputs, places, strict=True):
        inputs[place] = var
    equations = list(program.equations)
    results: list[Atom] = []
    for entry in outputs:
        if not isinstance(entry, Aval):
            results.append(program.outputs[entry])
            continue
        zero = Literal(entry.dtype.type(0))
        results.append(zero)
        if entry.shape:
            results[-1] = var = Var(strong(entry))
            equations.append(Equation(broadcast_to, (zero,), (var,), {"shape": entry.shape}))
    return Program(tuple(inputs), tuple(equations), tuple(results), program.constants, program.name)


# --- reachability ---------------------------------------------------------------------------------


def reached(program: Program, active: Sequence[bool]) -> Flags:
    """Which outputs may depend differentiably on the active inputs."""
    live = {var for var, flag in zip(program.inputs, active, strict=True) if flag}
    for eqn in program.equations:
        if not live.isdisjoint(eqn.inputs):
            live.update(var for var in eqn.outputs if inexact(var.aval))
    return tuple([atom in live for atom in program.outputs])


# --- forward mode ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pushed:
    """``program``: inputs, tangents of the active inputs -> outputs, tangents of the ``live``
    outputs; the others have zero tangents.
    """

    program: Program
    live: Flags


def pushed(program: Program, active: Flags, forced: Flags = ()) -> Pushed:
    """The tangent program. ``forced``: outputs that get a tangent even if it is zero."""
    forced = forced or (False,) * len(program.outputs)
    return memoised(  # type: ignore[no-any-return]
        program, ("pushed", active, forced), lambda: _push(program, active, forced)
    )


def _push(program: Program, active: Flags, forced: Flags) -> Pushed:
    recorder = recorder_for(program, "jvp")
    xs = [recorder.input(placeholder(var.aval), var.name) for var in program.inputs]
    dxs = [
        recorder.input(placeholder(strong(var.aval))) if flag else None
        for var, flag in zip(program.inputs, active, strict=True)
    ]
    with interpret.under(recorder):
        rows = [([x], [dx], tree.LEAF) for x, dx in zip(xs, dxs, strict=True)]
        ys, dys, _ = push(program.run, rows, "jvp")
        for k, (dy, force) in enumerate(zip(dys, forced, strict=True)):
            if dy is None and force:
                dys[k] = recorder.zeros(program.outputs[k].aval)
    outputs = [recorder.atom(y) for y in [*ys, *(dy for dy in dys if dy is not None)]]
    derived = finished(
        recorder.inputs, recorder.equations, outputs, recorder.constants, f"jvp of {program.name}"
    )
    return Pushed(derived, tuple([dy is not None for dy in dys]))


# --- reverse mode ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Backward:
    """``program``: what ``Split`` keeps, adjoints of the ``given`` outputs -> adjoints of the
    ``live`` inputs; the others have none.

    ``marks``: zeros of an adjoint may come from a selection inside.
    """

    program: Program
    live: Flags
    marks: bool


@dataclass(frozen=True, eq=False)
class Split:
    """The way there and the way back.

    ``forward``: inputs -> outputs, residuals. The way back needs the inputs ``kept``, by position,
    and the residuals.
    """

    program: Program
    active: Flags
    forward: Program
    kept: tuple[int, ...]
    backwards: dict[Any, Backward] = field(default_factory=dict)

    @property
    def residuals(self) -> tuple[Aval, ...]:
        """The types of the residuals."""
        return tuple([atom.aval for atom in self.forward.outputs[len(self.program.outputs) :]])

    def backward(self, given: tuple[int, ...], masked: bool) -> Backward:
        """The way back for adjoints of the outputs ``given``, the others being zero. ``masked``:
        zeros of the adjoints may come from a selection, and absorb what they are multiplied with.
        """
        key = given, masked
        if key not in self.backwards:
            self.backwards[key] = Reverse(self.program, self.active).backward(given, masked)
        return self.backwards[key]


def split(program: Program, active: Flags) -> Split:
    """The forward program for the adjoints of the active inputs, and what gives the backward
    ones.
    """
    return memoised(  # type: ignore[no-any-return]
        program, ("split", active), lambda: Reverse(program, active).split()
    )


class Reverse:
    """One recording of a program under a tape, and of sweeps through it.

    Recording is deterministic: another one of the same program has the same residuals in the same
    order, hence backward programs are made when they are asked for.
    """

    def __init__(self, program: Program, active: Flags) -> None:
        self.program, self.active = program, active
        self.recorder = recorder = recorder_for(program, "vjp")
        xs = [recorder.input(placeholder(var.aval), var.name) for var in program.inputs]
        self.inputs = list(recorder.inputs)
        with interpret.under(recorder):
            tape = Tape(recorder, "vjp", program.run)
            handles = [tape.input(x) if flag else x for x, flag in zip(xs, active, strict=True)]
            with interpret.under(tape):
                ys = program.run(*handles)
        self.leaves = [
            handle._node if flag else None for handle, flag in zip(handles, active, strict=True)
        ]
        self.ys = [Output(y, tape) for y in ys]
        self.outputs = [recorder.atom(y.value) for y in self.ys]
        self.mark = len(recorder.equations)
        every = tuple([k for k, y in enumerate(self.ys) if y.node is not None])
        self.full = {masked: self.sweep(every, masked) for masked in (False, True)}
        self.every = every
        self.kept, self.residuals = self._residuals()

    def sweep(
        self, given: tuple[int, ...], masked: bool
    ) -> tuple[list[Var], list[Equation], list[Atom | None], bool]:
        """The adjoints' variables, the equations of the way back, the adjoints of the inputs."""
        recorder = self.recorder
        start, first = len(recorder.equations), len(recorder.inputs)
        adjoints = Adjoints()
        found: dict[Any, Any] = {}
        with interpret.under(recorder), quiet():
            seeds = []
            for k in given:
                gy = recorder.input(placeholder(strong(self.program.outputs[k].aval)))
                if (node := self.ys[k].node) is not None:
                    seeds.append((node, gy))
                    if masked:
                        adjoints.masked.add(node.number)
            sweep(seeds, False, found.__setitem__, None, adjoints)
            gxs = [
                recorder.atom(fit(found[leaf], leaf)) if leaf in found else None
                for leaf in self.leaves
            ]
        marks = any(leaf.number in adjoints.masked for leaf in found)
        gys = recorder.inputs[first:]
        del recorder.inputs[first:]
        return gys, recorder.equations[start:], gxs, marks

    def _residuals(self) -> tuple[tuple[int, ...], list[Var]]:
        """What the way back reads of the inputs, by position, and of what was computed."""
        place = {var: k for k, var in enumerate(self.inputs)}
        forward = self.recorder.equations[: self.mark]
        computed = {var for eqn in forward for var in eqn.outputs}
        read: dict[Var, None] = {}
        for _, equations, gxs, _ in self.full.values():
            for atom in (*(atom for eqn in equations for atom in eqn.inputs), *gxs):
                if atom in place or atom in computed:
                    read[atom] = None
        kept = tuple(sorted(place[var] for var in read if var in place))
        return kept, [var for var in read if var in computed]

    def split(self) -> Split:
        """The forward program; the backward ones of all outputs are there already."""
        forward = finished(
            self.inputs,
            self.recorder.equations[: self.mark],
            [*self.outputs, *self.residuals],
            self.recorder.constants,
            f"forward of {self.program.name}",
        )
        result = Split(self.program, self.active, forward, self.kept)
        for masked in (False, True):
            result.backwards[self.every, masked] = self.backward(self.every, masked)
        return result

    def backward(self, given: tuple[int, ...], masked: bool) -> Backward:
        """The backward program for adjoints of the outputs ``given``."""
        swept = self.full[masked] if given == self.every else self.sweep(given, masked)
        gys, equations, gxs, marks = swept
        inputs = [*(self.inputs[k] for k in self.kept), *self.residuals, *gys]
        program = finished(
            inputs,
            equations,
            [gx for gx in gxs if gx is not None],
            self.recorder.constants,
            f"backward of {self.program.name}",
        )
        return Backward(program, tuple([gx is not None for gx in gxs]), marks or masked)


# --- many examples --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Batched:
    """``program``: inputs, with an example axis in front where that was said -> outputs, likewise
    where ``flags`` says so.
    """

    program: Program
    flags: Flags


def batched(program: Program, active: Flags, size: int, forced: Flags = ()) -> Batched:
    """The program of ``size`` examples. ``active``: inputs that differ between them; ``forced``:
    outputs that get an example axis even if they do not.
    """
    forced = forced or (False,) * len(program.outputs)
    return memoised(  # type: ignore[no-any-return]
        program, ("batched", active, size, forced), lambda: _batch(program, active, size, forced)
    )


def _batch(program: Program, active: Flags, size: int, forced: Flags) -> Batched:
    recorder = recorder_for(program, "vmap")
    outputs: list[Any] = []
    flags = []
    with interpret.under(recorder):
        batch = Batch(recorder, program.run, size)
        xs = []
        for var, flag in zip(program.inputs, active, strict=True):
            aval = Aval((size, *var.aval.shape), var.aval.dtype) if flag else var.aval
            x = recorder.input(placeholder(aval), var.name)
            xs.append(make(batch, x, BATCHED) if flag else x)
        with interpret.under(batch):
            ys = program.run(*xs)
        for y, atom, force in zip(ys, program.outputs, forced, strict=True):
            mine = isinstance(y, Box) and y._owner is batch
            flag = mine and y._node is BATCHED
            value = examples(y._value if mine else y, atom.aval, size, flag, force)
            outputs.append(recorder.atom(value))
            flags.append(flag or force)
    derived = finished(
        recorder.inputs,
        recorder.equations,
        outputs,
        recorder.constants,
        f"{size} examples of {program.name}",
    )
    return Batched(derived, tuple(flags))


def examples(value: Any, aval: Aval, size: int, flag: bool, force: bool) -> Any:
    """An output in the dtype of one example, repeated if it must have an example axis."""
    if force and not flag:
        value = np.broadcast_to(value, (size, *shape_of(value)))
    return fit_dtype(value, aval) if flag or force else value


def fit_dtype(value: Any, aval: Aval) -> Any:
    """``value`` in the dtype of ``aval``: what a Python scalar was is an array of examples, and
    promotes.
    """
    return value if value.dtype == aval.dtype else value.astype(aval.dtype)
