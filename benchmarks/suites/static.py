"""Static graphs: what a replayed call costs beside its work, and what recording costs.

The fixed cost is that of a call with ten arrays in a list and one addition, over the addition. A
recording is the first call of a function just compiled: it does the work of the call, looks at all
that the function reaches, and writes the program down; it is compared with the eager call.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Contender, Runner, runner
from benchmarks.suites.training import CASES
from benchmarks.training.case import Case

LEAVES = 10
INPUTS = 16


def benchmarks() -> list[Benchmark]:
    """Return the fixed cost, and the recording of each training step."""
    fixed = (
        Contender("numpy", "the addition alone", _build_addition),
        Contender("wengert", "compiled: a list of ten arrays, one addition", _build_fixed),
        Contender("wengert", "compiled: ten arguments, one addition", _build_arguments),
    )
    title = "fixed cost of a replayed call with ten leaves"
    return [Benchmark("static", "fixed", title, fixed), *map(_recording, CASES)]


def _recording(case: Case) -> Benchmark:
    contenders = (
        Contender(
            "numpy", "the eager step, which records nothing", partial(_build, "build_layers", case)
        ),
        Contender("wengert", "recorded: the first call", partial(_build, "build_recorded", case)),
        Contender("wengert", "replayed: later calls", partial(_build, "build_compiled", case)),
    )
    title = f"recording a training step {case.name}, batch {case.batch}"
    return Benchmark(
        "static", f"record {case.name}", title, contenders, tolerance=2e-3, parallel=case.parallel
    )


def _build(function: str, case: Case) -> Runner:
    module = importlib.import_module("benchmarks.training.with_wengert")
    made: Runner = getattr(module, function)(case)
    return made


def _arrays() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(2)
    return [(list(rng.standard_normal((LEAVES, 8))),) for _ in range(INPUTS)]


def _build_addition() -> Runner:
    return runner(lambda leaves: leaves[0] + leaves[9], _arrays())


def _build_fixed() -> Runner:
    import wengert as wg

    return runner(wg.compile(lambda leaves: leaves[0] + leaves[9]), _arrays())


def _build_arguments() -> Runner:
    import wengert as wg

    compiled = wg.compile(lambda *leaves: leaves[0] + leaves[9])
    return runner(lambda *leaves: compiled(*leaves), [tuple(row[0]) for row in _arrays()])
