"""The passes: programs made faster, one file each, every one a function ``Program -> Program``.

A pass never changes the program that it is given. ``optimise`` runs them in order: constants,
algebra, common subexpressions and dead code until nothing changes; then what is done once instead
of many times (loops, windows, stacks), products, and what depends on the order of the equations.
With ``strict`` the optimised program gives every bit that the given one gives; without, sums and
products may add in another order. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ...core.program import Equation, Program
from .accumulate import accumulate_products
from .algebra import simplify
from .cse import common_subexpressions
from .dce import dead_code
from .folding import fold_constants
from .loops import improve_loops
from .products import fold_into_products
from .recompute import recompute
from .reuse import reuse_buffers
from .rewrite import Notes
from .rolling import roll_loops
from .stacks import merge_stacks
from .windows import merge_windows

__all__ = [
    "Report",
    "Step",
    "accumulate_products",
    "common_subexpressions",
    "dead_code",
    "fold_constants",
    "fold_into_products",
    "improve_loops",
    "merge_stacks",
    "merge_windows",
    "optimise",
    "recompute",
    "reuse_buffers",
    "roll_loops",
    "simplify",
]

ROUNDS = 8  # of the cheap passes; a program that needs more is left a little less simple
Pass = Callable[..., Program]


@dataclass(frozen=True)
class Step:
    """What one pass did: the equations before and after it, and how often which rule held."""

    name: str
    before: int
    after: int
    done: dict[str, int]
    program: Program

    def __str__(self) -> str:
        rules = ", ".join(f"{rule}: {count}" for rule, count in self.done.items())
        return f"{self.name:12} {self.before:6} -> {self.after:6}  {rules}".rstrip()


@dataclass(frozen=True)
class Report:
    """The steps of ``optimise`` that changed something; ``step.program`` is what each one left.

    Printing it gives a line a step.
    """

    before: Program
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        after = self.steps[-1].after if self.steps else len(self.before.equations)
        total = f"{'in all':12} {len(self.before.equations):6} -> {after:6}  equations"
        return "\n".join([*map(str, self.steps), total])


class _Pipeline:
    """A program on its way through the passes."""

    def __init__(self, program: Program, check: bool) -> None:
        self.program, self.check = program, check
        self.steps: list[Step] = []

    def run(self, name: str, function: Pass) -> bool:
        """Run a pass; whether it did anything."""
        notes, before = Notes(), self.program
        after = function(before, notes=notes)
        if not notes:
            return False
        if self.check:
            after.check()
        self.program = after
        self.steps.append(
            Step(name, len(before.equations), len(after.equations), dict(notes), after)
        )
        return True

    def simplify(self, strict: bool) -> None:
        """The cheap passes, until none does anything."""
        passes: list[tuple[str, Pass]] = [
            ("constants", fold_constants),
            ("algebra", partial(simplify, strict=strict)),
            ("common", common_subexpressions),
            ("dead code", dead_code),
        ]
        for _ in range(ROUNDS):
            did = [self.run(name, function) for name, function in passes]
            if not any(did):
                return


def optimise(
    program: Program, strict: bool = False, check: bool = False, budget: int | None = None
) -> tuple[Program, Report]:
    """``program`` as fast as the passes make it, and what they did.

    Args:
        program: any program without handles among its constants; it is not changed.
        strict: only what leaves every bit of the results as it is.
        check: run ``Program.check`` after every pass.
        budget: bytes that arrays made by the program may take at one time; beyond, cheap values
            are computed again instead of being kept.

    Returns:
        ``(optimised, report)``. The optimised program has the same inputs, and its outputs share
        memory with inputs, constants and each other only where those of ``program`` may.

    Raises:
        ProgramError: with ``check``, if a pass made something that is no program.

    >>> import numpy as np
    >>> from wengert.differentiate.record import program_of
    >>> program = program_of(lambda x: np.sin(x * 1) * np.sin(x))(np.ones(3))
    >>> optimised, report = optimise(program, check=True)
    >>> print(optimised)
    program <lambda>
      inputs     v1: float64[3] (x1)
      v2: float64[3] = sin v1
      v3: float64[3] = v2 * v2  in the buffer of v2
      outputs    v3
    >>> print(report)
    algebra           4 ->      3  x * 1: 1
    common            3 ->      2  computed twice: 1
    buffers           2 ->      2  buffer written again: 1
    in all            4 ->      2  equations
    """
    pipeline = _Pipeline(_without_reuse(program), check)
    pipeline.run("dead code", dead_code)
    pipeline.run("rolling", partial(roll_loops, strict=strict))
    pipeline.simplify(strict)
    inner = partial(_optimised, strict=strict)
    if pipeline.run("loops", partial(improve_loops, inner=inner, strict=strict)):
        pipeline.simplify(strict)
    if pipeline.run("windows", partial(merge_windows, strict=strict)):
        pipeline.run("dead code", dead_code)
        pipeline.simplify(strict)
    if pipeline.run("stacks", partial(merge_stacks, strict=strict)):
        pipeline.simplify(strict)
    products = pipeline.run("products", partial(fold_into_products, strict=strict))
    if products:
        pipeline.simplify(strict)
    if pipeline.run("accumulate", partial(accumulate_products, strict=strict)):
        pipeline.run("constants", fold_constants)
        pipeline.run("dead code", dead_code)
    if pipeline.run("recompute", partial(recompute, budget=budget)):
        pipeline.run("dead code", dead_code)
    pipeline.run("buffers", reuse_buffers)
    return pipeline.program, Report(program, tuple(pipeline.steps))


def _optimised(program: Program, strict: bool) -> Program:
    return optimise(program, strict)[0]


def _without_reuse(program: Program) -> Program:
    """The program with every equation in memory of its own: passes move equations."""
    if all(eqn.reuse is None for eqn in program.equations):
        return program
    equations = tuple(
        Equation(eqn.primitive, eqn.inputs, eqn.outputs, eqn.params, eqn.source)
        for eqn in program.equations
    )
    return Program(program.inputs, equations, program.outputs, program.constants, program.name)
