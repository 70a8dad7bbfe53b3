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
from .shrink import SECONDS, shrink
from .trial import EVERY, MODES, RECIPES, Mismatch, Trial, attempt

BATCH = 50
SHOWN = 2  # of the programs that fail in one way; the rest is counted
Key = tuple[str, str]


@dataclass
class Tally:
    """What became of some programs: how many ran in which mode, how many failed in which way, and
    the seeds of the first of these.
    """

    programs: int = 0
    ran: Counter[str] = field(default_factory=Counter)
    failed: Counter[Key] = field(default_factory=Counter)
    seeds: dict[Key, list[int]] = field(default_factory=dict)

    def fail(self, key: Key, seed: int) -> None:
        self.failed[key] += 1
        self.seeds.setdefault(key, []).append(seed)

    def add(self, other: Tally) -> None:
        self.programs += other.programs
        self.ran += other.ran
        self.failed += other.failed
        for key, seeds in other.seeds.items():
            self.seeds[key] = [*self.seeds.get(key, []), *seeds][:SHOWN]

    @property
    def mismatches(self) -> int:
        return sum(self.failed.values())

    def reports(self, seconds: float = SECONDS) -> Iterator[str]:
        """For each way of failing the first programs that do, made small."""
        for key, seeds in self.seeds.items():
            for seed in seeds[:SHOWN]:
                for found in check(compose(seed), [key[0]]):
                    yield explained(compose(seed), found, seconds)


def check(program: Program, modes: Iterable[str]) -> Iterator[Mismatch]:
    """The mismatches of a program."""
    trial = Trial(program)
    for name in modes:
        try:
            attempt(name, trial)
        except Mismatch as mismatch:
            yield mismatch


def explained(program: Program, found: Mismatch, seconds: float = SECONDS) -> str:
    """The report of a mismatch, of the program made small."""
    small, found = shrink(program, found, seconds)
    return small.report(found.problem, RECIPES[found.key[0]])


def run_seeds(seeds: Sequence[int], modes: Sequence[str]) -> Tally:
    """Run the programs of ``seeds`` in the modes whose turn it is."""
    tally = Tally()
    for seed in seeds:
        now = [name for name in modes if seed % EVERY.get(name, 1) == 0]
        tally.programs += 1
        tally.ran.update(now)
        for found in check(compose(seed), now):
            tally.fail(found.key, seed)
    return tally


def campaign(programs: int, first: int, processes: int, modes: Sequence[str]) -> Tally:
    """Run ``programs`` programs from seed ``first`` on, with a progress bar."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    end, total = first + programs, Tally()
    batches = [range(start, min(start + BATCH, end)) for start in range(first, end, BATCH)]
    with Progress(transient=True) as bar, ProcessPoolExecutor(processes) as pool:
        task = bar.add_task("programs", total=programs)
        for tally in pool.map(run_seeds, batches, [modes] * len(batches)):
            total.add(tally)
            done = f"{total.programs} programs, {total.mismatches} mismatches"
            bar.update(task, advance=tally.programs, description=done)
    return total


def summary(tally: Tally, seconds: float) -> str:
    """The figures of a campaign."""
    each = 1000 * seconds / max(tally.programs, 1)
    lines = [f"{tally.programs} programs, {tally.mismatches} mismatches, {each:.1f} ms each"]
    lines += [f"  {name}: {count} ran" for name, count in tally.ran.items()]
    lines += [
        f"  {mode}, {what}: {count} failed, first seed {tally.seeds[mode, what][0]}"
        for (mode, what), count in tally.failed.most_common()
    ]
    return "\n".join(lines)


def main(programs: int, seed: int, processes: int, modes: Sequence[str]) -> int:
    """Run, print, and give the exit status."""
    start = time.perf_counter()
    tally = campaign(programs, seed, processes, modes or list(MODES))
    text = summary(tally, time.perf_counter() - start)
    for report in tally.reports():
        print(report, "\n" + "-" * 100)
    print(text)
    return 1 if tally.mismatches else 0
