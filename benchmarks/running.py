"""Measures one benchmark after the other, and says what with: for each command of this package."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import machine, report
from benchmarks.harness import Benchmark, Outcome, Settings, measure

PLAIN_WIDTH = 120  # where the output goes to a file or a pipe
BUSY = 0.5
QUICK = Settings(rounds=7, sample_seconds=5e-4)


def console() -> Console:
    """Return where tables are printed."""
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)


def warn_if_busy(console: Console) -> float | None:
    """Return the load before anything is measured, after a warning if there is any."""
    load = machine.load()
    if load is not None and load > BUSY:
        console.print(f"[yellow]other programs are running (load {load}): expect noise[/]")
    return load


def measure_all(chosen: Sequence[Benchmark], settings: Settings, console: Console) -> list[Outcome]:
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


def facts(settings: Settings, load: float | None) -> dict[str, Any]:
    """Return when, where and with what a run was taken."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine.describe(),
        "load_before": load,
        "versions": machine.versions(),
        "settings": asdict(settings),
        "thread_pools": machine.pools(),
    }


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Return whether a row failed or disagreed with the others."""
    return any(row.status in ("error", "disagrees") for o in outcomes for row in o.rows)
