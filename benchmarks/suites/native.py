"""Compiled programs beside JAX, torch.compile, PyTorch and NumPy by hand: a command of its own.

`python -m benchmarks native [--only c,k] [--threads 1,2] [--compile-time] [--memory]`. A process
for each thread count: BLAS, OpenMP and XLA read theirs when they start, and one thread means one
processor. All contenders of a benchmark run in that process, in turn.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import report, running
from benchmarks.harness import Benchmark, Settings
from benchmarks.targets import PEERS, judge, native_targets
from benchmarks.work import (
    adbench_lstm,
    alternating,
    costs,
    fixed_cost,
    helmholtz,
    lenet,
    logistic,
    lotka_volterra,
    lstm_layer,
    mixture,
    perceptrons,
    rosenbrock,
    transformer,
    worked_example,
)
from benchmarks.work.summary import summary

NAME = "native"
RESULTS = Path(__file__).parents[1] / "results"
PIECES = (
    worked_example,
    perceptrons,
    helmholtz,
    mixture,
    adbench_lstm,
    lstm_layer,
    lenet,
    transformer,
    logistic,
    rosenbrock,
    lotka_volterra,
    fixed_cost,
    alternating,
)
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
ONE_THREAD_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def benchmarks() -> list[Benchmark]:
    """Return all pieces of work, (a) to (k), then the fixed costs and the alternating program."""
    return [benchmark for piece in PIECES for benchmark in piece.benchmarks()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure at each thread count in a process of its own; return 1 if one of them failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _options(given)
    if options.here:
        return _measure(options)
    command = [sys.executable, "-m", __name__, *given, "--here", "--threads"]
    done = [
        subprocess.run([*command, str(count)], env={**os.environ, **_environment(count)})
        for count in options.threads
    ]
    return max(one.returncode for one in done)


def _environment(threads: int) -> dict[str, str]:
    """Return what the libraries read when they start."""
    found = dict.fromkeys(POOLS, str(threads))
    if threads == 1:
        found["XLA_FLAGS"] = ONE_THREAD_OF_XLA
    return found


def _measure(options: argparse.Namespace) -> int:
    """Measure in this process, at the one thread count of `options`."""
    (threads,) = options.threads
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    base = running.QUICK if options.quick else Settings()
    settings = Settings(options.rounds or base.rounds, base.sample_seconds, threads)
    chosen = [
        replace(one, contenders=tuple(c for c in one.contenders if c.label not in options.skip))
        for one in benchmarks()
        if _wanted(one.name, options.only)
    ]
    console = running.console()
    load = running.warn_if_busy(console)
    outcomes = running.measure_all(chosen, settings, console)
    verdicts = judge(outcomes, native_targets([one.name for one in chosen], threads))
    sections = [summary(outcomes, verdicts, threads)]
    if options.compile_time:
        sections.append(costs.compile_times(chosen, console.print))
    if options.memory:
        sections.append(costs.memory(chosen, console.print))
    report.print_targets([v for v in verdicts if v.target.against != PEERS], console)
    for section in reversed(sections):
        report.print_section(section, console)
    complete = not options.only and not options.skip and not options.quick
    name = NAME if complete else f"partial-{NAME}"
    name += "-1-thread" if threads == 1 else ""
    facts = running.facts(settings, load)
    for path in report.write(options.output, name, facts, outcomes, verdicts, sections):
        console.print(f"wrote {path.name} in {path.parent.name}", highlight=False)
    return 1 if running.failed(outcomes) else 0


def _wanted(name: str, only: Sequence[str]) -> bool:
    """Return whether a benchmark is asked for: by its name, or by how it begins."""
    return not only or any(name == word or name.startswith(f"{word} ") for word in only)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks native",
        description="Measure compiled programs beside JAX, PyTorch and NumPy by hand.",
    )
    parser.add_argument(
        "--only", type=_words, default=[], metavar="PIECES", help="as c,k or 'c helmholtz 10',fixed"
    )
    parser.add_argument(
        "--threads", type=_counts, default=[1, 2], metavar="COUNTS", help="default: 1,2"
    )
    parser.add_argument(
        "--skip", type=_labels, default=[], metavar="ROWS", help="as torch.compile,'wengert eager'"
    )
    parser.add_argument("--rounds", type=int, help="samples of each contender")
    parser.add_argument("--quick", action="store_true", help="few, short samples: a trial run")
    parser.add_argument("--compile-time", action="store_true", help="measure compile times too")
    parser.add_argument("--memory", action="store_true", help="measure peak memory too")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _words(text: str) -> list[str]:
    """Return the names in a comma-separated list; raise for one that fits no benchmark."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = [benchmark.name for benchmark in benchmarks()]
    for word in words:
        if not any(_wanted(name, [word]) for name in names):
            raise argparse.ArgumentTypeError(f"no piece {word}; there are: {', '.join(names)}")
    return words


def _labels(text: str) -> list[str]:
    """Return the labels in a comma-separated list; raise for one that no row has."""
    labels = text.split(",")
    known = dict.fromkeys(row.label for one in benchmarks() for row in one.contenders)
    for label in labels:
        if label not in known:
            raise argparse.ArgumentTypeError(f"no row {label}; there are: {', '.join(known)}")
    return labels


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
