"""Runs many programs in all modes, on several processes, and reports what disagrees."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from rich.progress import Progress

from . import eager_modes, elsewhere, static_modes  # noqa: F401  # enter the modes
from .compose import compose
from .program import Program
from .shrink import shrink
from .trial import EVERY, MODES, RECIPES, Mismatch, Trial, attempt

BATCH = 50
SHOWN = 3  # of each key; the rest is counted


@dataclass
class Tally:
    """What became of some programs: how many ran in which mode, and the reports of those that
    failed, by key.
    """

    programs: int = 0
    ran: Counter[str] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    reports: list[tuple[tuple[str, str], str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.programs += other.programs
        self.ran += other.ran
        self.failed += other.failed
        for key, report in other.reports:
            if sum(known == key for known, _ in self.reports) < SHOWN:
                self.reports.append((key, report))

    @property
    def mismatches(self) -> int:
        return sum(self.failed.values())


def check(program: Program, modes: Iterable[str]) -> Iterator[Mismatch]:
    """The mismatches of a program."""
    trial = Trial(program)
    for name in modes:
        try:
            attempt(name, trial)
        except Mismatch as mismatch:
            yield mismatch


def explained(program: Program, found: Mismatch, seconds: float = 20.0) -> str:
    """The report of a mismatch, of the program made small."""
    small, found = shrink(program, found, seconds)
    return small.report(found.problem, RECIPES[found.key[0]])


def run_seeds(seeds: Sequence[int], modes: Sequence[str], seconds: float = 20.0) -> Tally:
    """The programs of ``seeds``; the first mismatch of each key is made small."""
    tally = Tally()
    for seed in seeds:
        program = compose(seed)
        now = [name for name in modes if seed % EVERY.get(name, 1) == 0]
        tally.programs += 1
        tally.ran.update(now)
        for found in check(program, now):
            tally.failed[found.key] += 1
            if tally.failed[found.key] == 1:
                tally.reports.append((found.key, explained(program, found, seconds)))
    return tally


def campaign(programs: int, first: int, processes: int, modes: Sequence[str]) -> Tally:
    """Run ``programs`` programs from seed ``first`` on, with a progress bar."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    batches = [
        range(start, min(start + BATCH, first + programs))
        for start in range(first, first + programs, BATCH)
    ]
    total = Tally()
    with Progress(transient=True) as bar, ProcessPoolExecutor(processes) as pool:
        task = bar.add_task("programs", total=programs)
        for tally in pool.map(run_seeds, batches, [modes] * len(batches)):
            total.add(tally)
            bar.update(
                task,
                advance=tally.programs,
                description=f"{total.programs} programs, {total.mismatches} mismatches",
            )
    return total


def summary(tally: Tally, seconds: float) -> str:
    """The figures of a campaign."""
    each = 1000 * seconds / max(tally.programs, 1)
    lines = [f"{tally.programs} programs, {tally.mismatches} mismatches, {each:.1f} ms each"]
    lines += [f"  {name}: {count} ran" for name, count in tally.ran.items()]
    lines += [f"  {mode}, {what}: {n} failed" for (mode, what), n in tally.failed.most_common()]
    return "\n".join(lines)


def main(programs: int, seed: int, processes: int, modes: Sequence[str]) -> int:
    """Run, print, and give the exit status."""
    start = time.perf_counter()
    tally = campaign(programs, seed, processes, modes or list(MODES))
    for _, report in tally.reports:
        print(report, "\n" + "-" * 100)
    print(summary(tally, time.perf_counter() - start))
    return 1 if tally.mismatches else 0
