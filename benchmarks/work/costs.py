"""Tables of compile times and of memory, each figure from a process of its own."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.harness import Benchmark
from benchmarks.report import Cells, Section, duration
from benchmarks.work.probe import ask
from benchmarks.work.task import COMPILED, JAX

COMPILE_HEADER = (
    "",
    "wengert, first call",
    "until machine code",
    "calls",
    "again, from the disk cache",
    "JAX",
    "wengert / JAX",
    "at most 1.00 x; 10 ms cached",
)
FROM_CACHE_SECONDS = 10e-3
MEAN_LIMIT = 0.5
MEBIBYTE = 2**20

Progress = Callable[[str], None]
Found = dict[str, Any]


def compile_times(chosen: Sequence[Benchmark], progress: Progress) -> Section:
    """Return first call to result, wengert without and with its disk cache, beside JAX."""
    lines: list[Cells] = []
    data: dict[str, Any] = {}
    for benchmark in chosen:
        if {COMPILED, JAX} <= _labels(benchmark):
            progress(benchmark.name)
            found = _compiled(benchmark.name)
            data[benchmark.name] = found
            lines.append(_compile_line(benchmark.name, found))
    ratios = [ratio for found in data.values() if (ratio := _ratio(found)) is not None]
    mean = math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else None
    if mean is not None:
        met = "met" if mean <= MEAN_LIMIT else "missed"
        text = f"at most {MEAN_LIMIT:.2f} x: {met}"
        lines.append(("geometric mean", "", "", "", "", "", f"{mean:.2f} x", text))
    return Section("compile_times", "compile time", COMPILE_HEADER, lines, data)


def _compiled(name: str) -> dict[str, Found]:
    """Return the figures of one piece; both of wengert use one cache, empty at first."""
    with tempfile.TemporaryDirectory() as folder:
        cold = ask("compile", name, COMPILED, WENGERT_CACHE=folder)
        warm = ask("compile", name, COMPILED, WENGERT_CACHE=folder)
    return {"cold": cold, "cached": warm, "jax": ask("compile", name, JAX)}


def _ratio(found: dict[str, Found]) -> float | None:
    """Return wengert's time until machine code runs over JAX's first call."""
    cold, jax = found["cold"], found["jax"]
    return None if "error" in cold or "error" in jax else cold["native"] / jax["first"]


def _compile_line(name: str, found: dict[str, Found]) -> Cells:
    cold, cached, jax = found["cold"], found["cached"], found["jax"]
    ratio = _ratio(found)
    met = ratio is not None and ratio <= 1.0
    from_cache = "error" not in cached and cached["native"] <= FROM_CACHE_SECONDS
    return (
        name,
        _shown(cold, "first"),
        _shown(cold, "native"),
        str(cold.get("calls", "")),
        _shown(cached, "native"),
        _shown(jax, "first"),
        "" if ratio is None else f"{ratio:.2f} x",
        f"{'met' if met else 'missed'}; {'met' if from_cache else 'missed'}",
    )


def _shown(found: Found, key: str) -> str:
    return found["error"] if "error" in found else duration(found[key])


def memory(chosen: Sequence[Benchmark], progress: Progress) -> Section:
    """Return by how much each contender's largest resident size grows over its import."""
    measured = [b for b in chosen if any(c.start for c in b.contenders)]
    labels = list(dict.fromkeys(c.label for b in measured for c in b.contenders if c.start))
    lines: list[Cells] = []
    data: dict[str, Any] = {}
    for benchmark in measured:
        progress(benchmark.name)
        found = {label: ask("memory", benchmark.name, label) for label in _labels(benchmark)}
        data[benchmark.name] = found
        lines.append((benchmark.name, *(_mebibytes(found.get(label)) for label in labels)))
    title = "peak memory over the import, MiB"
    return Section("memory", title, ("", *labels), lines, data)


def _labels(benchmark: Benchmark) -> set[str]:
    return {c.label for c in benchmark.contenders if c.start is not None}


def _mebibytes(found: Found | None) -> str:
    if found is None:
        return ""
    return found["error"] if "error" in found else f"{found['bytes'] / MEBIBYTE:.1f}"
