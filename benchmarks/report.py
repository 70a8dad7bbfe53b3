"""The figures of a run as JSON, as Markdown and as a table in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Outcome, Row, Spread, spread
from benchmarks.targets import RATIOS, Verdict

ROW_HEADER = ("", "median a call", "rounds 10-90 %", "relative to wengert", "10-90 %")
TARGET_HEADER = ("target", "against", "limit", "measured", "10-90 %", "")

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One more table of a run: `data` is what it says, for the JSON."""

    name: str
    title: str
    header: Cells
    lines: Sequence[Cells]
    data: Any


def duration(seconds: float) -> str:
    """Return seconds with three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _range(shown: Spread) -> str:
    return f"{duration(shown.low)} - {duration(shown.high)}"


def row_cells(row: Row, reference: Row | None) -> Cells:
    """Return one line of a benchmark's table."""
    if row.status != "ok":
        return (row.label, row.status, row.message, "", "")
    label = f"{row.label} ({row.message})" if row.message else row.label
    times = spread(row.samples)
    if reference is None:
        return (label, duration(times.median), _range(times), "", "")
    ratio = spread(row.samples / reference.samples)
    around = f"{ratio.low:.2f} - {ratio.high:.2f}"
    return (label, duration(times.median), _range(times), f"{ratio.median:.2f} x", around)


def verdict_cells(verdict: Verdict) -> Cells:
    """Return one line of the table of targets."""
    target, measured = verdict.target, verdict.measured

    def shown(value: float) -> str:
        if target.kind in RATIOS:
            return f"{value:.2f} x"
        sign = "+" if target.kind == "difference" and value >= 0 else ""
        return f"{sign}{duration(value)}"

    limit = f"{'at least' if target.kind == 'speed' else 'at most'} {shown(target.limit)}"
    if target.wanted is not None:
        limit += f", wanted {shown(target.wanted)}"
    if measured is None:
        return (verdict.title, verdict.peer, limit, "", "", verdict.text)
    around = f"{shown(measured.low)} - {shown(measured.high)}"
    return (verdict.title, verdict.peer, limit, shown(measured.median), around, verdict.text)


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Print the table of one benchmark."""
    lines = [row_cells(row, outcome.reference) for row in outcome.rows]
    console.print(_table(outcome.benchmark.title, ROW_HEADER, lines))


def print_targets(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the targets beside what was measured."""
    if verdicts:
        lines = [verdict_cells(verdict) for verdict in verdicts]
        console.print(_table("targets", TARGET_HEADER, lines))


def print_section(section: Section, console: Console) -> None:
    """Print one more table."""
    console.print(_table(section.title, section.header, section.lines))


def _table(title: str, header: Cells, lines: Sequence[Cells]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    return table


def write(
    folder: Path,
    name: str,
    facts: dict[str, Any],
    outcomes: Sequence[Outcome],
    verdicts: Sequence[Verdict],
    sections: Sequence[Section] = (),
) -> tuple[Path, Path]:
    """Write `name`.json and `name`.md and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / f"{name}.json", folder / f"{name}.md"
    content = {
        **facts,
        "benchmarks": [_outcome_data(outcome) for outcome in outcomes],
        "targets": [_verdict_data(verdict) for verdict in verdicts],
        **{section.name: section.data for section in sections},
    }
    data.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(_markdown(facts, outcomes, verdicts, sections), encoding="utf-8")
    return data, page


def _spread_data(shown: Spread) -> dict[str, float]:
    return {
        key: float(f"{value:.4g}")
        for key, value in (("median", shown.median), ("p10", shown.low), ("p90", shown.high))
    }


def _outcome_data(outcome: Outcome) -> dict[str, Any]:
    benchmark, reference = outcome.benchmark, outcome.reference
    return {
        "suite": benchmark.suite,
        "name": benchmark.name,
        "title": benchmark.title,
        "rows": [_row_data(row, reference) for row in outcome.rows],
    }


def _row_data(row: Row, reference: Row | None) -> dict[str, Any]:
    data: dict[str, Any] = {"library": row.library, "label": row.label, "status": row.status}
    if row.status != "ok":
        return {**data, "message": row.message}
    if row.message:
        data["note"] = row.message
    data |= {"rounds": len(row.samples), "calls_a_sample": row.calls}
    data["seconds"] = _spread_data(spread(row.samples))
    if reference is not None:
        data["relative_to_wengert"] = _spread_data(spread(row.samples / reference.samples))
    return data


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    target, measured = verdict.target, verdict.measured
    return {
        "suite": target.suite,
        "name": target.name,
        "against": verdict.peer,
        "kind": target.kind,
        "limit": target.limit,
        "wanted": target.wanted,
        "measured": None if measured is None else _spread_data(measured),
        "verdict": verdict.text,
    }


def _markdown(
    facts: dict[str, Any],
    outcomes: Sequence[Outcome],
    verdicts: Sequence[Verdict],
    sections: Sequence[Section],
) -> str:
    machine, settings = facts["machine"], facts["settings"]
    versions = (f"{name} {v or 'not installed'}" for name, v in facts["versions"].items())
    parts = [
        "# Benchmarks\n",
        f"{facts['date']}, {machine['processor']}, {machine['logical_cores']} cores, "
        f"{settings['threads']} threads, {machine['system']}, {machine['python']}; "
        f"{', '.join(versions)}.\n",
        "How to read this: [README](../README.md).\n",
    ]
    for section in sections:
        parts.append(f"## {section.title}\n\n" + _markdown_table(section.header, section.lines))
    if verdicts:
        lines = [verdict_cells(verdict) for verdict in verdicts]
        parts.append("## Targets\n\n" + _markdown_table(TARGET_HEADER, lines))
    for outcome in outcomes:
        lines = [row_cells(row, outcome.reference) for row in outcome.rows]
        parts.append(f"## {outcome.benchmark.title}\n\n" + _markdown_table(ROW_HEADER, lines))
    return "\n".join(parts)


def _markdown_table(header: Cells, lines: Sequence[Cells]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    rule = line(["---", *["---:" for _ in header[1:]]])
    return line(header) + rule + "".join(line(cells) for cells in lines)
