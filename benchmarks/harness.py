"""The measuring instrument: libraries take turns in one process, in many short rounds.

A machine's speed drifts over seconds (clock frequency, neighbours), so timing one library after
the other compares two moments, not two libraries. Here every round gives each contender one short
sample (A B C, A B C, ...), and what is reported beside the median is the median of the ratios
*within* a round, with its spread. The inputs change from call to call, and before anything is
timed the results of all contenders are compared.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.agreement import DisagreementError, flat, require_agreement

Status = Literal["ok", "not installed", "error", "disagrees"]
Progress = Callable[[str], None]

SUBJECT = "wengert"
OWN_POOLS = ("torch", "jax")
MAXIMUM_CALLS = 10_000_000

# Idle workers of OpenBLAS spin for 0.11 s, those of PyTorch for 0.01 s, and slow down whoever runs
# meanwhile by a factor of two and more.
SETTLE_SECONDS = 0.12
WARM_SECONDS = 0.03
PARALLEL_SAMPLE_SECONDS = 0.01
PARALLEL_ROUNDS = 21


@dataclass(frozen=True)
class Runner:
    """One library ready to do the work.

    `loop` does the work once for each input it draws, so that the loop itself is part of what a
    contender writes and a short operation is not hidden under a function call. `inputs` are drawn
    in rotation. `results` are what must agree with the other contenders; None stands for other
    work, measured for scale only (the function without its derivative). `note` is a remark for the
    table.
    """

    loop: Callable[[Iterable[Any]], None]
    inputs: Sequence[Any]
    results: list[NDArray[Any]] | None
    note: str = ""


Start = Callable[[], tuple[Callable[..., Any], Sequence[tuple[Any, ...]]]]


@dataclass(frozen=True)
class Contender:
    """One row of a benchmark: `label` says what is run, `library` is what must be importable.

    `start` gives the call and its inputs, nothing being called or compiled yet: for those whose
    compile time and memory are measured too.
    """

    library: str
    label: str
    build: Callable[[], Runner]
    start: Start | None = None

    @property
    def pool(self) -> str:
        """The thread pool that does its products: the library's own, or that of NumPy's BLAS."""
        return self.library if self.library in OWN_POOLS else "blas"


@dataclass(frozen=True)
class Benchmark:
    """One piece of work that several libraries do.

    `tolerance` is the largest difference allowed between results, relative to the largest number
    of each result. `parallel` says that libraries spread this work over threads, so that their
    thread pools must be kept from fighting; such a benchmark takes longer and fewer samples.
    """

    suite: str
    name: str
    title: str
    contenders: tuple[Contender, ...]
    tolerance: float = 1e-12
    parallel: bool = False
    rounds: int | None = None


@dataclass(frozen=True)
class Settings:
    """How long and with how many threads to measure."""

    rounds: int = 41
    sample_seconds: float = 2e-3
    threads: int = 2

    def for_benchmark(self, benchmark: Benchmark) -> Settings:
        """Return the settings with what `benchmark` asks for."""
        rounds, seconds = self.rounds, self.sample_seconds
        if benchmark.parallel:
            rounds = min(rounds, PARALLEL_ROUNDS)
            seconds = max(seconds, PARALLEL_SAMPLE_SECONDS)
        return replace(self, rounds=min(rounds, benchmark.rounds or rounds), sample_seconds=seconds)


@dataclass(frozen=True)
class Row:
    """What came of one contender: seconds a call, one sample a round; `message`: a remark, or why
    there are none.
    """

    library: str
    label: str
    status: Status
    message: str = ""
    calls: int = 0
    samples: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def median(self) -> float:
        """Median seconds a call."""
        return float(np.median(self.samples))


@dataclass(frozen=True)
class Outcome:
    """A benchmark and its rows."""

    benchmark: Benchmark
    rows: tuple[Row, ...]

    @property
    def reference(self) -> Row | None:
        """The row that ratios are relative to: the first of wengert that ran."""
        return next((row for row in self.of(SUBJECT) if row.status == "ok"), None)

    def of(self, library: str) -> list[Row]:
        """Return the rows of `library`."""
        return [row for row in self.rows if row.library == library]


@dataclass(frozen=True)
class Spread:
    """Median, 10th and 90th percentile over the rounds."""

    median: float
    low: float
    high: float


def spread(values: NDArray[np.float64]) -> Spread:
    """Return median, 10th and 90th percentile of `values`."""
    low, median, high = (float(v) for v in np.percentile(values, [10, 50, 90]))
    return Spread(median, low, high)


def runner(call: Callable[..., Any], inputs: Sequence[tuple[Any, ...]]) -> Runner:
    """Return the runner of a function called with each tuple of `inputs`; its values must agree."""

    def loop(drawn: Iterable[tuple[Any, ...]]) -> None:
        for arguments in drawn:
            call(*arguments)

    return Runner(loop, inputs, [leaf for arguments in inputs for leaf in flat(call(*arguments))])


@dataclass
class _Entrant:
    """A contender that is running: its runner, its place in the inputs, its samples."""

    contender: Contender
    runner: Runner
    stream: Iterator[Any]
    calls: int = 1
    samples: list[float] = field(default_factory=list)

    def sample(self, calls: int) -> float:
        """Run `calls` calls and return the seconds they took together."""
        drawn = itertools.islice(self.stream, calls)
        loop = self.runner.loop
        start = time.perf_counter()
        loop(drawn)
        return time.perf_counter() - start


def measure(benchmark: Benchmark, settings: Settings, progress: Progress) -> Outcome:
    """Build, compare, calibrate and time every contender of `benchmark`."""
    progress(f"{benchmark.title}: building")
    settings = settings.for_benchmark(benchmark)
    rows: dict[str, Row] = {}
    entrants = _build(benchmark, rows)
    machine.limit_threads(settings.threads)
    _compare(benchmark, entrants, rows)
    _attempt_each(entrants, rows, lambda entrant: _calibrate(entrant, settings))
    _time(benchmark, settings, entrants, rows, progress)
    for entrant in entrants:
        made = entrant.contender
        samples, note = np.array(entrant.samples), entrant.runner.note
        rows[made.label] = Row(made.library, made.label, "ok", note, entrant.calls, samples)
    return Outcome(benchmark, tuple(rows[c.label] for c in benchmark.contenders))


def _build(benchmark: Benchmark, rows: dict[str, Row]) -> list[_Entrant]:
    """Return the contenders that could be built; the others get their row."""
    entrants = []
    for contender in benchmark.contenders:
        row = Row(contender.library, contender.label, "ok")
        if not machine.installed(contender.library):
            rows[contender.label] = replace(row, status="not installed")
            continue
        try:
            built = contender.build()
        except Exception as error:
            rows[contender.label] = replace(row, status="error", message=machine.brief(error))
        else:
            entrants.append(_Entrant(contender, built, itertools.cycle(built.inputs)))
    return entrants


def _compare(benchmark: Benchmark, entrants: list[_Entrant], rows: dict[str, Row]) -> None:
    """Take out of `entrants` those whose results differ from those of the first that has any."""
    given = (entrant.runner.results for entrant in entrants)
    expected = next((results for results in given if results is not None), [])

    def compare(entrant: _Entrant) -> None:
        if entrant.runner.results is not None:
            require_agreement(expected, entrant.runner.results, benchmark.tolerance)

    _attempt_each(entrants, rows, compare)


def _attempt_each(
    entrants: list[_Entrant], rows: dict[str, Row], action: Callable[[_Entrant], None]
) -> None:
    """Do `action` for each entrant; one that fails leaves the list and gets its row."""
    for entrant in list(entrants):
        made = entrant.contender
        try:
            action(entrant)
        except Exception as error:
            disagrees = isinstance(error, DisagreementError)
            status: Status = "disagrees" if disagrees else "error"
            message = str(error) if disagrees else machine.brief(error)
            rows[made.label] = Row(made.library, made.label, status, message)
            entrants.remove(entrant)


def _calibrate(entrant: _Entrant, settings: Settings) -> None:
    """Find how many calls fill one sample."""
    entrant.sample(1)  # what is imported or allocated once is no part of a call
    while entrant.calls < MAXIMUM_CALLS:
        seconds = entrant.sample(entrant.calls)
        if seconds >= settings.sample_seconds:
            return
        growth = 1.2 * settings.sample_seconds / max(seconds, 1e-9)
        entrant.calls = max(entrant.calls + 1, int(entrant.calls * min(growth, 10.0)))


def _time(
    benchmark: Benchmark,
    settings: Settings,
    entrants: list[_Entrant],
    rows: dict[str, Row],
    progress: Progress,
) -> None:
    """Take the samples, round by round.

    The collector stays on, as it is for users, but what is alive now is out of its sight and each
    sample begins with a clean heap: nobody pays for the garbage of the contender before.
    """
    gc.collect()
    gc.freeze()
    guarded = benchmark.parallel and settings.threads > 1
    pool = ""

    def take(entrant: _Entrant) -> None:
        nonlocal pool
        if guarded and entrant.contender.pool != pool:
            _settle()
        pool = entrant.contender.pool
        gc.collect()
        _warm_up(entrant, WARM_SECONDS if guarded else 0.0)
        entrant.samples.append(entrant.sample(entrant.calls) / entrant.calls)

    try:
        for number in range(settings.rounds):
            progress(f"{benchmark.title}: round {number + 1} of {settings.rounds}")
            _attempt_each(entrants, rows, take)
    finally:
        gc.unfreeze()


def _settle() -> None:
    """Wait until the idle workers of every thread pool sleep.

    This thread spins itself: after a sleep it is often woken on the processor of a worker, and
    the two then share it while the other is idle.
    """
    end = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < end:
        pass


def _warm_up(entrant: _Entrant, seconds: float) -> None:
    """Run the work untimed for at least `seconds`, and once in any case."""
    end = time.perf_counter() + seconds
    entrant.sample(1)
    while time.perf_counter() < end:
        entrant.sample(1)
