"""Makes machine code of a program: all of it if that can be, else of the groups between what NumPy
runs.

What has become machine code as a whole is kept on disk under a key of the captured program, before
the passes: another process that captures the same program neither optimises nor generates anything.
Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.execute import Executable, executable
from ..core.primitive import Doc, NotDifferentiable, Primitive
from ..core.program import Atom, Equation, Program, Var
from .expand import expanded
from .observe import observe
from .passes import optimise
from .passes.reuse import reuse_buffers
from .plan import Fused, Plan, fuse, in_own_memory
from .views import is_view


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


def kept_on_disk(
    captured: Program,
    program: Program,
    values: Sequence[Any],
    strict: bool,
    into: Mapping[int, int],
    threads: int | None,
) -> Made | None:
    """What an earlier process has made of the captured program, for values that lie as these do."""
    from .llvm import cache
    from .llvm.blueprint import load_kept, unpacked
    from .llvm.keys import program_key

    key = program_key(captured, values, strict, sorted(into.items()))
    content = cache.load(key) if key else None
    if content is None:
        return None
    blueprint = unpacked(content)
    native = load_kept(blueprint, threads)
    if native is None:
        return None
    return _whole((), native, program, Machine((blueprint.told,)))


def built(
    program: Program,
    captured: Program,
    values: Sequence[Any],
    strict: bool,
    into: Mapping[int, int] | None = None,
    threads: int | None = None,
) -> Made:
    """What runs a program for values that lie as these do.

    ``captured``: the same program as it was recorded, under whose key it is kept. ``into``:
    results, by number, that may be written into the memory of an argument, by number. ``threads``:
    how many may run it, if that is not for the setting to say.
    """
    from .llvm.blueprint import load
    from .llvm.preparing import own_memory, why_not

    fallback = program
    program = in_own_memory(program)
    if not strict:
        program = in_own_memory(expanded(optimise(expanded(program))[0]))
    reasons = {eqn: why_not(eqn, strict) for eqn in program.equations if not is_view(eqn)}
    results, known = observe(program, values)
    refused: dict[Equation, str] = {}
    if not any(reasons.values()) and None not in own_memory(program, known):
        draft = _draft(program, known, strict, refused, into or {})
        if draft is not None:
            blueprint = replace(draft.blueprint(), told=_names(program))
            (native,) = load([blueprint], threads)
            _keep(blueprint, captured, values, strict, into or {})
            return _whole(results, native, fallback, Machine((_names(program),)))
    return _in_groups(results, program, known, strict, reasons, refused, threads)


def _keep(
    blueprint: Any,
    captured: Program,
    values: Sequence[Any],
    strict: bool,
    into: Mapping[int, int],
) -> None:
    """Keep a blueprint on disk."""
    from .llvm import cache
    from .llvm.keys import program_key

    key = program_key(captured, values, strict, sorted(into.items()))
    if key:
        cache.store(key, blueprint.packed())


def _whole(results: Sequence[Any], native: Any, program: Program, machine: Machine) -> Made:
    """A native program, with NumPy for what that was not made for."""
    fallback = executable(program)
    call = _bound(native, _one_or_all(fallback))
    run = call if len(program.outputs) != 1 else lambda *given: (call(*given),)
    return Made(tuple(results), run, machine, native, fallback)


def _in_groups(
    results: tuple[Any, ...],
    program: Program,
    known: dict[Atom, Any],
    strict: bool,
    reasons: Mapping[Equation, str],
    refused: dict[Equation, str],
    threads: int | None,
) -> Made:
    """Machine code of what can be, NumPy for the rest; ``reasons``: why not."""
    from .llvm.blueprint import load

    def why(eqn: Equation) -> str:
        return refused.get(eqn) or reasons.get(eqn, "")

    plan, drafts = fuse(program, why), None
    while drafts is None:
        drafts = _drafts(plan, known, strict, refused)
        plan = fuse(program, why) if drafts is None else plan
    natives = load([draft.blueprint() for draft in drafts.values()], threads)
    kernels = {
        group: _bound(native, _one_or_all(executable(group.inner)))
        for group, native in zip(drafts, natives, strict=True)
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
        for eqn, why in reason.refused.items() or [(None, str(reason))]:
            # planning may have rewritten an equation: then it is known by what it makes
            made = set() if eqn is None else set(eqn.outputs)
            concerned = [one for one in program.equations if made & set(one.outputs)]
            refused.update((one, why) for one in concerned or program.equations)
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
