"""What is measured, one module a suite; each has `benchmarks() -> list[Benchmark]`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.harness import Benchmark
from benchmarks.suites import elementwise, importing, lecture, programs, static, training

SUITES: dict[str, Callable[[], list[Benchmark]]] = {
    "elementwise": elementwise.benchmarks,
    "lecture": lecture.benchmarks,
    "training": training.benchmarks,
    "static": static.benchmarks,
    "programs": programs.benchmarks,
    "import": importing.benchmarks,
}
