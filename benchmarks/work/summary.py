"""A line for each piece of work: wengert compiled, the best peer, how much faster, the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.harness import Outcome
from benchmarks.report import Cells, Section, duration
from benchmarks.targets import PEERS, Verdict
from benchmarks.work.task import BY_HAND

HEADER = ("", "wengert", "best peer", "", "speed", "10-90 %", "at least", "", "by hand", "native")
MEAN_LIMIT = 2.0


def summary(outcomes: Sequence[Outcome], verdicts: Sequence[Verdict], threads: int) -> Section:
    """Return the table, with the geometric mean as its last line."""
    found = {outcome.benchmark.name: outcome for outcome in outcomes}
    judged = [v for v in verdicts if v.target.against == PEERS]
    lines = [_line(found[verdict.target.name], verdict) for verdict in judged]
    speeds = [v.measured.median for v in judged if v.measured is not None]
    mean = math.exp(math.fsum(map(math.log, speeds)) / len(speeds)) if speeds else None
    if mean is not None:
        met = "met" if mean >= MEAN_LIMIT else "missed"
        limit = f"{MEAN_LIMIT:.2f} x"
        lines.append(("geometric mean", "", "", "", f"{mean:.2f} x", "", limit, met, "", ""))
    title = f"speed over the best peer, {threads} thread{'s' if threads > 1 else ''}"
    data = {"geometric_mean": mean, "pieces": len(speeds), "limit": MEAN_LIMIT}
    return Section("summary", title, HEADER, lines, data)


def _line(outcome: Outcome, verdict: Verdict) -> Cells:
    """Return the line of one piece; times are medians, the speed that of the rounds' ratios."""
    mine, measured = outcome.of("wengert")[0], verdict.measured
    name, limit = outcome.benchmark.name, f"{verdict.target.limit:.2f} x"
    native = "no" if mine.message else "yes"
    if measured is None:
        return (name, mine.status, "", "", "", "", limit, verdict.text, "", "")
    times = {row.label: duration(row.median) for row in outcome.rows if row.status == "ok"}
    return (
        name,
        times[mine.label],
        times[verdict.peer],
        verdict.peer,
        f"{measured.median:.2f} x",
        f"{measured.low:.2f} - {measured.high:.2f}",
        limit,
        verdict.text,
        times.get(BY_HAND, ""),
        native,
    )
