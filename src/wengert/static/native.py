"""What runs a planned program: NumPy at first, kernels as soon as they pay.

To compile a kernel takes LLVM some milliseconds, as long as thousands of small operations take in
NumPy. So a program runs in NumPy until what kernels would have saved comes to a share of the price
of making them: however often it is called, the loss against the better choice is bounded. All
kernels of a program are made in the call that reaches it, for values that lie as those of this
call do.
Layer: ``static``.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ..core.execute import Executable, executable
from ..core.primitive import Doc, NoLowering, NotDifferentiable, Primitive
from ..core.program import Atom, Equation, Program, Var
from .expand import expanded
from .observe import observe
from .passes import optimise
from .passes.reuse import reuse_buffers
from .paths import Node
from .plan import Fused, Plan, fuse, in_own_memory
from .views import is_view

CALL = 1e-6  # seconds that an operation costs in NumPy beside its loop
BYTE = 0.2e-9  # seconds to write and read again a byte of a result
COMPILING = (10e-3, 4e-3)  # seconds to compile kernels, and more for each of their equations
SHARE = 0.25  # of the price that is spent in NumPy before


@dataclass(frozen=True)
class Machine:
    """What became machine code: ``kernels``, their equations by name; ``numpy``: why the other
    operations run in NumPy, and how many do.
    """

    kernels: tuple[tuple[str, ...], ...] = ()
    numpy: tuple[tuple[str, str, int], ...] = ()
    waits: str = ""

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """A line for the kernels, and one for each operation that runs in NumPy."""
        if self.waits:
            return [self.waits]
        count = sum(map(len, self.kernels))
        lines = []
        if self.kernels:
            kernels = f"{len(self.kernels)} kernel{'s' if len(self.kernels) > 1 else ''}"
            lines.append(f"machine code: {kernels} for {count} operations")
        for name, why, number in self.numpy:
            lines.append(f"NumPy runs {name}{f' ({number} times)' if number > 1 else ''}: {why}")
        return lines


@dataclass(frozen=True)
class Made:
    """A program ready to run: the ``results`` of the call that it was made in, what to ``run`` from
    now on, what became of it; ``whole``, the native program, if it is one, and what runs what that
    was not made for.
    """

    results: tuple[Any, ...]
    run: Callable[..., Sequence[Any]]
    machine: Machine
    whole: Any = None
    fallback: Executable | None = None


@cache
def unsupported() -> str:
    """Why there is no machine code in this process; empty if there is."""
    from .llvm.objects import unsupported

    return unsupported()


def in_numpy(node: Node) -> None:
    """Let NumPy run the program of ``node``."""
    assert node.program is not None
    node.run, node.native = executable(node.program), None


def prepare(node: Node, strict: bool) -> None:
    """Let NumPy run the program of ``node`` until kernels pay."""
    in_numpy(node)
    node.native = Native(node, strict)


class Native:
    """Runs the program of ``node`` in NumPy, then makes kernels of it.

    Attributes:
        machine: what became of it.
        into: results, by number, that may be written into the memory of an argument.
        whole: the ``NativeProgram`` that all of it has become, if it has; ``fallback`` runs what
            that was not made for.
    """

    def __init__(self, node: Node, strict: bool) -> None:
        assert node.program is not None
        self.program, self.strict = node.program, strict
        self.into: Mapping[int, int] = {}
        self.whole: Any = None
        self.fallback: Executable | None = None
        self.spent = 0.0
        self._in_numpy = node.run
        self._node = weakref.ref(node)
        self._lock = threading.Lock()
        self.saves, self.price = worth(node.program)
        if why := unsupported():
            self.machine = Machine(waits=f"NumPy runs all of it: {why}")
        elif not self.saves:
            self.machine = Machine()  # there is nothing to fuse
        else:
            self.machine = Machine(waits="NumPy runs all of it until machine code pays")
            node.run = self.run

    def run(self, *values: Any) -> Sequence[Any]:
        """A call before there are kernels."""
        if self.spent < SHARE * self.price:
            self.spent += self.saves
            return self._in_numpy(*values)
        if not self._lock.acquire(blocking=False):  # another thread is at it
            return self._in_numpy(*values)
        try:
            made = compiled_for(self.program, values, self.strict, self.into)
            self.machine, self.whole, self.fallback = made.machine, made.whole, made.fallback
            node = self._node()
            if node is not None and node.native is self:  # else it has another program by now
                node.run = made.run
            self.spent = 0.0
            return made.results
        finally:
            self._lock.release()


def worth(program: Program) -> tuple[float, float]:
    """Seconds that kernels would save in a call, about, and those that it takes to make them."""
    saves, count = 0.0, 0
    for eqn in program.equations:
        if not isinstance(eqn.primitive.lower, NoLowering):
            count += 1
            made = eqn.outputs[0].aval
            size = made.dtype.itemsize
            for length in made.shape:
                size *= length
            saves += CALL + BYTE * size
    if count < 2:
        return 0.0, 1.0
    return saves, COMPILING[0] + COMPILING[1] * count


def compiled_for(
    program: Program,
    values: Sequence[Any],
    strict: bool,
    into: Mapping[int, int] | None = None,
) -> Made:
    """What runs a program for values that lie as these do.

    ``into``: results, by number, that may be written into the memory of an argument, by number.
    """
    from .llvm.native_program import load, own_memory, why_not

    fallback = executable(program)
    program = in_own_memory(program)
    if not strict:
        program = in_own_memory(expanded(optimise(expanded(program))[0]))
    refused: dict[Equation, str] = {}
    reasons = {eqn: why_not(eqn, strict) for eqn in program.equations if not is_view(eqn)}

    def why(eqn: Equation) -> str:
        return refused.get(eqn) or reasons.get(eqn, "")

    results, known = observe(program, values)
    if not any(reasons.values()) and None not in own_memory(program, known):
        draft = _draft(program, known, strict, refused, into or {})
        if draft is not None:
            (whole,) = load([draft])
            call = _bound(whole, _one_or_all(fallback))
            run = call if len(program.outputs) != 1 else lambda *given: (call(*given),)
            return Made(results, run, _told([_names(program)], [], why), whole, fallback)
    plan, drafts = fuse(program, why), None
    while drafts is None:
        drafts = _drafts(plan, known, strict, refused)
        plan = fuse(program, why) if drafts is None else plan
    kernels = {
        group: _bound(native, _one_or_all(executable(group.inner)))
        for group, native in zip(drafts, load(list(drafts.values())), strict=True)
    }
    run = executable(with_kernels(plan, kernels))
    alone = [step for step in plan.steps if isinstance(step, Equation)]
    told = _told([_names(group.inner) for group in plan.groups], alone, why)
    return Made(results, run, told)


def _bound(native: Any, fallback: Callable[..., Any]) -> Callable[..., Any]:
    from .llvm.builtin import bind

    made: Callable[..., Any] = bind(native, fallback)
    return made


def _drafts(
    plan: Plan, known: dict[Atom, Any], strict: bool, refused: dict[Equation, str]
) -> dict[Fused, Any] | None:
    """The drafts of all groups; None if there are new entries in ``refused``: equations that turn
    out to be no machine code for values that lie as these do.
    """
    drafts = {group: _draft(group.inner, known, strict, refused, {}) for group in plan.groups}
    return drafts if all(drafts.values()) else None


def _draft(
    program: Program,
    known: dict[Atom, Any],
    strict: bool,
    refused: dict[Equation, str],
    into: Mapping[int, int],
) -> Any:
    """The draft of a program; None where it can't be one, and why is noted."""
    from .llvm.native_program import Draft
    from .llvm.scalars import NotLowered

    try:
        return Draft(program, known, strict, into)
    except NotLowered as reason:
        concerned = [reason.equation] if reason.equation else program.equations
        refused.update((eqn, str(reason)) for eqn in concerned)
        return None


def _one_or_all(run: Executable) -> Callable[..., Any]:
    """A program as a function that gives what a kernel gives: a single result as it is."""

    def call(*values: Any) -> Any:
        results = run(*values)
        return results[0] if len(results) == 1 else results

    return call


def with_kernels(plan: Plan, kernels: dict[Fused, Callable[..., Any]]) -> Program:
    """The program with an equation for each group."""
    equations: list[Equation] = []
    for step in plan.steps:
        if isinstance(step, Equation):
            equations.append(step)
        else:
            inner = step.inner
            primitive = kernel(kernels[step], inner)
            source = inner.equations[-1].source
            equations.append(Equation(primitive, inner.inputs, _vars(inner), {}, source))
    return reuse_buffers(replace(plan.program, equations=tuple(equations)))


def _vars(inner: Program) -> tuple[Var, ...]:
    return tuple([atom for atom in inner.outputs if isinstance(atom, Var)])


def kernel(value: Callable[..., Any], inner: Program) -> Primitive:
    """The primitive that a kernel is: for running only."""
    avals = tuple(var.aval for var in _vars(inner))
    return Primitive(
        name="kernel",
        family="kernel",
        value=value,
        infer=lambda *given, **params: avals,
        jvp=NotDifferentiable("a kernel is for running: what it was made of has derivatives"),
        pull=NotDifferentiable("a kernel is for running: what it was made of has derivatives"),
        keep=[],
        batch=NotDifferentiable("a kernel is for running: what it was made of has batches"),
        doc=Doc("A group of elementwise operations as machine code."),
        multiple=len(avals) != 1,
        calls_user=True,
        fresh=True,
    )


def _names(program: Program) -> tuple[str, ...]:
    return tuple(eqn.primitive.name for eqn in program.equations)


def _told(
    kernels: Sequence[tuple[str, ...]], alone: Sequence[Equation], why: Callable[[Equation], str]
) -> Machine:
    """The kernels, and why the rest runs in NumPy."""
    reasons: Counter[tuple[str, str]] = Counter()
    for step in alone:
        otherwise = "a view" if is_view(step) else "alone it is no faster as a kernel"
        reasons[step.primitive.name, why(step) or otherwise] += 1
    return Machine(tuple(kernels), tuple((name, why, n) for (name, why), n in reasons.items()))
