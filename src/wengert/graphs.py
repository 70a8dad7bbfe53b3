"""``wengert graphs``: the life of a dynamic graph beside that of a static one, phase by phase.

The same step trains the same network on the same batches twice: once as it is, building a graph in
every step and dropping it, once compiled, with a graph that is recorded and optimised once. What
each phase takes and how much of a graph is alive after it is counted while that happens. Layer:
beside ``cli``.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .core.errors import UnsupportedError
from .core.execute import executable
from .core.program import Program, Var
from .data.sources import DIGITS
from .data.splits import Split, batches
from .differentiate.tape import HookedNode, Node
from .explain.comparison import duration
from .static.capture import Compiled
from .static.passes import optimise
from .static.recorded import PathGraph
from .train import OPTIMISERS, Plan, batch_size, describe, prepare

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .training import Trainer

WIDTH = 110  # where the output goes to a file or a pipe
REPEATS = 40  # timed runs of the parts of a static step
PHASES = ("forward", "backward", "update")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The network and how long to train it, twice."""
    add = parser.add_argument
    add("--data", choices=sorted(DIGITS), default="sklearn", help="default: sklearn")
    add("--epochs", type=int, default=20, metavar="N", help="passes through the data; default: 20")
    add("--batch-size", type=batch_size, default=64, metavar="N", help="rows in a step; 64")
    add("--optimiser", "--optimizer", choices=list(OPTIMISERS), default="sgd", help="default: sgd")
    add("--seed", type=int, default=0, metavar="N", help="default: 0")
    add("--explain", action="store_true", help="print what was recorded, and what the passes did")
    add("--draw", metavar="PATH", help="draw the static step: .png, .svg, .pdf, .dot or .txt")


def run(args: argparse.Namespace) -> int:
    """Train twice, print the table."""
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    plan = Plan(
        data=args.data,
        optimiser=args.optimiser,
        batch_size=args.batch_size or None,
        seed=args.seed,
    )
    split, trainer = prepare(plan)
    console.print(f"{split}\n{describe(plan, trainer)}", soft_wrap=True)
    with console.status("training with dynamic graphs"):
        dynamic = train_dynamic(trainer, list(rows(split, plan, args.epochs)))
    _, trainer = prepare(plan)
    with console.status("training with a static graph"):
        static = train_static(trainer, list(rows(split, plan, args.epochs)))
    report(console, dynamic, static)
    if args.explain:
        console.print(f"\n{static.compiled.explain()}", markup=False, soft_wrap=True)
    if args.draw:
        path = static.graph.draw(args.draw, parameters=("optimizer.parameters",))
        console.print(f"the step's graph is in {path}", soft_wrap=True)
    return 0


def rows(split: Split, plan: Plan, epochs: int) -> Iterator[tuple[Any, Any]]:
    """The batches of all passes, those that are full: one shape, one graph."""
    size = min(plan.batch_size or len(split.train_x), len(split.train_x))
    rng = np.random.default_rng(plan.seed)
    for _ in range(epochs):
        for x, y in batches(split.train_x, split.train_y, size, rng):
            if len(x) == size:
                yield x, y


# --- dynamic -------------------------------------------------------------------------------------


@dataclass
class Dynamic:
    """The seconds of each phase, step by step, the nodes alive after it in one step, losses."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def spend(self, phase: str, start: float) -> None:
        """Enter the time since ``start``."""
        self.taken.setdefault(phase, []).append(time.perf_counter() - start)

    def count(self, phase: str) -> None:
        """Note the nodes that are alive now."""
        self.nodes[phase] = live_nodes()

    @property
    def seconds(self) -> dict[str, float]:
        """What each phase takes, in the median."""
        return {phase: float(np.median(times)) for phase, times in self.taken.items()}


def live_nodes() -> int:
    """The nodes of dynamic graphs in memory; parameters, which are leaves, stay and don't count."""
    gc.collect()
    kinds = Node, HookedNode  # by type: isinstance would ask strange objects for their class
    return sum(type(one) in kinds for one in gc.get_objects())


def train_dynamic(trainer: Trainer, parts: Sequence[tuple[Any, Any]]) -> Dynamic:
    """Train with a graph that lives for one step."""
    record = Dynamic()
    for number, (x, y) in enumerate(parts):
        dynamic_step(trainer, x, y, record, watched=number == 1)
    return record


def dynamic_step(trainer: Trainer, x: Any, y: Any, record: Dynamic, watched: bool) -> None:
    """One step; of a ``watched`` one the nodes are counted, and its times are left out."""

    def phase(name: str, start: float) -> float:
        if watched:
            record.count(name)
        else:
            record.spend(name, start)
        return time.perf_counter()

    start = time.perf_counter()
    value = trainer.loss(trainer.model(x), y)
    start = phase("forward", start)
    value.backward()
    start = phase("backward", start)
    trainer.optimizer.step()
    start = phase("update", start)
    record.losses.append(value.item())
    start = time.perf_counter()
    del value
    trainer.optimizer.zero_grad()
    phase("destroy", start)


# --- static --------------------------------------------------------------------------------------


@dataclass
class Static:
    """What was measured of a static graph.

    Attributes:
        compiled, graph: the step, and its one graph.
        record, optimise: seconds, once.
        seconds: of each phase, for one step.
        step: seconds of a whole replayed call, in the median.
        nodes: of dynamic graphs that are alive after a step.
        losses: of all steps.
    """

    compiled: Compiled
    graph: PathGraph
    record: float
    optimise: float
    seconds: dict[str, float]
    step: float
    nodes: int
    losses: list[float]


def step_of(trainer: Trainer) -> Callable[[Any, Any], Any]:
    """One step of training as a function, to be compiled."""
    model, loss, optimizer = trainer.model, trainer.loss, trainer.optimizer

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return step


def train_static(trainer: Trainer, parts: Sequence[tuple[Any, Any]]) -> Static:
    """Train with a graph that is recorded in the first steps and lives on.

    Raises ``UnsupportedError`` if the step can't be recorded.
    """
    compiled, losses, times = Compiled(step_of(trainer), strict_capture=True), [], []
    recorded = 0.0
    for x, y in parts:
        known, start = compiled.counts["recorded"], time.perf_counter()
        losses.append(compiled(x, y).item())
        took = time.perf_counter() - start
        if compiled.counts["recorded"] > known:
            recorded += took
        else:
            times.append(took)
    if not times:
        raise UnsupportedError("graphs: too few steps to replay one; give more --epochs")
    graph = compiled.graphs[0]  # the one used last; the first call of all had no gradients yet
    optimised = optimise_time(graph)
    values, _ = compiled.variants[0].check(parts[-1], {})
    seconds = part_times(graph.segments[0].runs, parts_of(graph), values)
    step, nodes = float(np.median(times)), live_nodes()
    return Static(compiled, graph, recorded - optimised, optimised, seconds, step, nodes, losses)


def optimise_time(graph: PathGraph) -> float:
    """The seconds that the passes take, and making the function that runs."""
    start = time.perf_counter()
    executable(optimise(graph.original)[0])
    return time.perf_counter() - start


def parts_of(graph: PathGraph) -> list[Program]:
    """The optimised program cut in three: up to the loss, up to the gradients, and the rest.

    The equations stand in the order of recording, so a cut behind the last one that the loss needs
    ends the way there, one behind the last that the gradients need the way back.
    """
    program = graph.segments[0].runs
    ends = list(zip(graph.outputs, program.outputs, strict=True))
    loss = [atom for label, atom in ends if label == "y"]
    gradients = [atom for label, atom in ends if label.endswith(".grad")]
    first = last_needed(program, loss)
    second = max(first, last_needed(program, gradients))
    cuts = [0, first, second, len(program.equations)]
    return [piece(program, i, j) for i, j in pairwise(cuts)]


def last_needed(program: Program, wanted: Sequence[Any]) -> int:
    """How many equations there are up to the last one that ``wanted`` depend on."""
    made = [
        i for i, eqn in enumerate(program.equations, 1) if not set(wanted).isdisjoint(eqn.outputs)
    ]
    return max(made, default=0)


def piece(program: Program, start: int, stop: int) -> Program:
    """The equations from ``start`` to ``stop`` as a program: from what they read to what is read
    after them.
    """
    equations = program.equations[start:stop]
    made = {var for eqn in equations for var in eqn.outputs}
    later = {*program.outputs, *(a for eqn in program.equations[stop:] for a in eqn.inputs)}
    inputs = dict.fromkeys(
        atom
        for eqn in equations
        for atom in eqn.inputs
        if isinstance(atom, Var) and atom not in made and atom not in program.constants
    )
    outputs = tuple([var for eqn in equations for var in eqn.outputs if var in later])
    return Program(tuple(inputs), equations, outputs, program.constants, program.name)


def part_times(
    program: Program, parts: Sequence[Program], values: Sequence[Any]
) -> dict[str, float]:
    """The seconds that each part of a program takes, the median of ``REPEATS`` runs of them all."""
    taken: dict[str, list[float]] = {phase: [] for phase in PHASES}
    runs = [executable(part) for part in parts]
    for _ in range(REPEATS):
        held: dict[Any, Any] = dict(zip(program.inputs, values, strict=True))
        for phase, part, function in zip(PHASES, parts, runs, strict=True):
            given = [held[var] for var in part.inputs]
            start = time.perf_counter()
            results = function(*given)
            taken[phase].append(time.perf_counter() - start)
            held.update(zip(part.outputs, results, strict=True))
    return {phase: float(np.median(times)) for phase, times in taken.items()}


# --- the table -----------------------------------------------------------------------------------


def report(console: Console, dynamic: Dynamic, static: Static) -> None:
    """Print the two life cycles, the table, and what both have learnt."""
    steps = len(dynamic.losses)
    console.print(
        f"dynamic graph, {steps} times: build (forward) → backward → update → destroy\n"
        f"static graph, once: build (record, optimise); then {steps} times: forward → backward → "
        "update"
    )
    console.print()
    console.print(table(dynamic, static))
    console.print(
        "times are medians; a graph has nodes while it is dynamic, equations when it is static; "
        "the parts of\na static step are timed one by one; parameters stay in both, and are not "
        "counted",
        soft_wrap=True,
    )
    apart = max(abs(a - b) for a, b in zip(dynamic.losses, static.losses, strict=True))
    console.print(
        f"\nloss after {steps} steps: {dynamic.losses[-1]:.6f} dynamic, {static.losses[-1]:.6f} "
        f"static; largest difference on the way {apart:.3g}",
        soft_wrap=True,
    )


def table(dynamic: Dynamic, static: Static) -> Table:
    """What each phase takes, and how much of a graph there is after it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    result = Table("phase", box=SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("dynamic", "its graph then", "static", "its graph then"):
        result.add_column(name, justify="right", no_wrap=True)
    for row in table_rows(dynamic, static):
        result.add_section() if row is None else result.add_row(*row)
    return result


def table_rows(dynamic: Dynamic, static: Static) -> Iterator[tuple[str, ...] | None]:
    """The rows; None for a line between."""
    nodes = {
        phase: f"{count} node{'' if count == 1 else 's'}" for phase, count in dynamic.nodes.items()
    }
    recorded = f"{len(static.graph.original.equations)} equations"
    after = f"{len(static.graph.segments[0].runs.equations)} equations"
    yield "once: build, record", "", "", duration(static.record), recorded
    yield "once: build, optimise", "", "", duration(static.optimise), after
    yield None
    times = dynamic.seconds
    for phase in PHASES:
        label = "forward, builds the dynamic graph" if phase == "forward" else phase
        yield label, duration(times[phase]), nodes[phase], duration(static.seconds[phase]), after
    yield "destroy", duration(times["destroy"]), nodes["destroy"], "never", after
    around = max(static.step - sum(static.seconds.values()), 0.0)
    yield "check arguments, write results", "", "", duration(around), after
    yield None
    yield (
        "a step",
        duration(sum(times.values())),
        "",
        duration(static.step),
        f"{static.nodes} nodes",
    )
