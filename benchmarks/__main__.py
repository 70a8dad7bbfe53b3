"""The command line: `python -m benchmarks [--only suite,suite] [--threads 1] [--quick]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import machine, report
from benchmarks.harness import Benchmark, Outcome, Settings, measure
from benchmarks.suites import SUITES
from benchmarks.targets import judge

RESULTS = Path(__file__).parent / "results"
PLAIN_WIDTH = 120  # where the output goes to a file or a pipe
BUSY = 0.5
QUICK = Settings(rounds=7, sample_seconds=5e-4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites asked for; return 1 if anything failed or disagreed."""
    options = _options(arguments)
    settings = _settings(options)
    chosen = [benchmark for name in options.only for benchmark in SUITES[name]()]
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    load = machine.load()
    if load is not None and load > BUSY:
        console.print(f"[yellow]other programs are running (load {load}): expect noise[/]")
    outcomes = _run(chosen, settings, console)
    verdicts = judge(outcomes)
    report.print_targets(verdicts, console)
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine.describe(),
        "load_before": load,
        "versions": machine.versions(),
        "settings": asdict(settings),
        "thread_pools": machine.pools(),
    }
    complete = options.only == list(SUITES) and not options.quick
    name = "latest" if complete else "partial"
    name += "-1-thread" if settings.threads == 1 else ""
    for path in report.write(options.output, name, facts, outcomes, verdicts):
        console.print(f"wrote {path.name} in {path.parent.name}", highlight=False)
    failed = any(row.status in ("error", "disagrees") for o in outcomes for row in o.rows)
    return 1 if failed else 0


def _run(chosen: Sequence[Benchmark], settings: Settings, console: Console) -> list[Outcome]:
    """Measure one benchmark after the other under a progress line, printing each table."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    outcomes = []
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=len(chosen))

        def show(text: str) -> None:
            progress.update(task, description=text)
            progress.refresh()

        for benchmark in chosen:
            outcome = measure(benchmark, settings, show)
            report.print_outcome(outcome, console)
            progress.advance(task)
            outcomes.append(outcome)
    return outcomes


def _settings(options: argparse.Namespace) -> Settings:
    base = QUICK if options.quick else Settings()
    rounds = options.rounds or base.rounds
    return Settings(rounds, base.sample_seconds, options.threads)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure wengert beside NumPy by hand, PyTorch, autograd and MyGrad.",
    )
    parser.add_argument(
        "--only",
        type=_suites,
        default=list(SUITES),
        metavar="SUITES",
        help=f"comma-separated suites, of: {', '.join(SUITES)} (default: all)",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads a library may use")
    parser.add_argument("--rounds", type=int, help="samples of each contender")
    parser.add_argument("--quick", action="store_true", help="few, short samples: a trial run")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    return parser.parse_args(arguments)


def _suites(text: str) -> list[str]:
    """Return the names in a comma-separated list, in the order of `SUITES`."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(names - SUITES.keys()):
        raise argparse.ArgumentTypeError(
            f"unknown suite {', '.join(unknown)}; there are: {', '.join(SUITES)}"
        )
    return [name for name in SUITES if name in names]


if __name__ == "__main__":
    sys.exit(main())
