"""What runs a planned program: NumPy at first, kernels as soon as they pay.

To compile a kernel takes LLVM some milliseconds, as long as thousands of small operations take in
NumPy. So a program runs in NumPy until what kernels would have saved comes to the price of making
them: whatever is called how often, at most twice the time of the better choice is spent. All
kernels of a program are made in the call that reaches the price, from the values it runs with.
Layer: ``static``.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ..core.execute import Executable, executable
from ..core.primitive import Doc, NoLowering, NotDifferentiable, Primitive
from ..core.program import Equation, Program, Var
from .passes.reuse import reuse_buffers
from .paths import Node
from .plan import Fused, Plan, fuse

CALL = 0.4e-6  # seconds that an operation costs in NumPy beside its loop
BYTE = 0.2e-9  # seconds to write and read again a byte of a result
COMPILING = (10e-3, 0.3e-3)  # seconds to compile kernels, and more for each of their equations
SHARE = 0.5  # of the price that is spent in NumPy before


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
    """Runs the program of ``node`` in NumPy, then makes kernels of it. ``machine``: what became of
    it.
    """

    def __init__(self, node: Node, strict: bool) -> None:
        assert node.program is not None
        self.program, self.strict = node.program, strict
        self.spent = 0.0
        self._in_numpy = node.run
        self._node = weakref.ref(node)
        self._lock = threading.Lock()
        self.saves, self.price = worth(node.program)
        if why := unsupported():
            self.machine = Machine(waits=f"NumPy runs all of it: {why}")
        elif not self.saves:
            self.machine = Machine(waits="NumPy runs all of it: there is nothing to fuse")
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
            result, run, self.machine = compiled_for(self.program, values, self.strict)
            node = self._node()
            if node is not None and node.native is self:  # else it has another program by now
                node.run = run
            self.spent = 0.0
            return result
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
    program: Program, values: Sequence[Any], strict: bool
) -> tuple[tuple[Any, ...], Executable, Machine]:
    """The results of a call, a function for the next ones, and what it is made of."""
    from .llvm.kernel import Draft, make_kernels
    from .llvm.lowering import why_not
    from .llvm.scalars import NotLowered

    plan = fuse(program, lambda eqn: why_not(eqn, strict))
    seen: dict[Fused, tuple[Any, Any]] = {}
    fallbacks = {group: _in_numpy(group.inner) for group in plan.groups}
    watched = {group: _watch(group, seen) for group in plan.groups}
    result = executable(with_kernels(plan, watched))(*values)
    drafts, failed = {}, {}
    for group, (args, results) in seen.items():
        try:
            drafts[group] = Draft(group.inner, args, results, strict)
        except NotLowered as reason:
            failed[group] = str(reason)
    made = make_kernels(list(drafts.values()), [fallbacks[group] for group in drafts])
    kernels = dict(zip(drafts, made, strict=True))
    machine = _told(plan, failed, lambda eqn: why_not(eqn, strict))
    return result, executable(with_kernels(plan, kernels)), machine


def _in_numpy(inner: Program) -> Callable[..., Any]:
    """A group as a function over NumPy that gives what its kernel gives."""
    run = executable(inner)
    return run if len(inner.outputs) != 1 else lambda *values: run(*values)[0]


def _watch(group: Fused, seen: dict[Fused, tuple[Any, Any]]) -> Callable[..., Any]:
    """A group in NumPy that notes what it ran with."""
    run = executable(group.inner)

    def watched(*values: Any) -> Any:
        results = run(*values)
        seen[group] = (values, results)
        return results if len(results) != 1 else results[0]

    return watched


def with_kernels(plan: Plan, kernels: dict[Fused, Callable[..., Any]]) -> Program:
    """The program with an equation for each group that has a kernel, those of the others as they
    are.
    """
    equations: list[Equation] = []
    for step in plan.steps:
        if isinstance(step, Equation):
            equations.append(step)
        elif step in kernels:
            inner = step.inner
            primitive = kernel(kernels[step], inner)
            source = inner.equations[-1].source
            equations.append(Equation(primitive, inner.inputs, _vars(inner), {}, source))
        else:
            equations += step.inner.equations
    return reuse_buffers(replace(plan.program, equations=tuple(_once(equations))))


def _vars(inner: Program) -> tuple[Var, ...]:
    return tuple([atom for atom in inner.outputs if isinstance(atom, Var)])


def _once(equations: Sequence[Equation]) -> list[Equation]:
    """Without the views that stand there twice: groups bring their own."""
    made: set[Var] = set()
    kept = []
    for eqn in equations:
        if made.isdisjoint(eqn.outputs):
            kept.append(eqn)
            made.update(eqn.outputs)
    return kept


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


def _told(plan: Plan, failed: dict[Fused, str], why_not: Callable[[Equation], str]) -> Machine:
    """The kernels, and why the rest runs in NumPy."""
    reasons: Counter[tuple[str, str]] = Counter()
    for step in plan.steps:
        if isinstance(step, Equation):
            reason = why_not(step)
            reasons[step.primitive.name, reason or "alone it is no faster as a kernel"] += 1
        elif step in failed:
            reasons.update((eqn.primitive.name, failed[step]) for eqn in step.inner.equations)
    kernels = tuple(
        tuple(eqn.primitive.name for eqn in group.inner.equations)
        for group in plan.groups
        if group not in failed
    )
    return Machine(kernels, tuple((name, why, n) for (name, why), n in reasons.items()))
