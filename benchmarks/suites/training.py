"""A full training step: forward, backward, update of the parameters by gradient descent.

The four networks go from nothing but overhead (2-3-1, one example) to nothing but matrix products
(784-512-512-10, 128 examples). Before timing, the losses of sixteen steps and what they did to
every parameter are compared between the libraries.
"""

from __future__ import annotations

import importlib
from functools import partial

from benchmarks.harness import Benchmark, Contender, Runner
from benchmarks.training.case import Case

CASES = (
    Case((2, 3, 1), 1, classify=False),
    Case((64, 64, 10), 32),
    Case((784, 128, 10), 64, parallel=True),
    Case((784, 512, 512, 10), 128, parallel=True),
)
SMALL = 10_000  # parameters up to which MyGrad is measured


def benchmarks() -> list[Benchmark]:
    """Return one benchmark a network."""
    return [_benchmark(case) for case in CASES]


def _benchmark(case: Case) -> Benchmark:
    ways = [
        ("numpy", "by hand, NumPy in place", "by_hand", "build"),
        ("wengert", "wengert nn + optim", "with_wengert", "build_layers"),
        ("wengert", "wengert nn + optim, compiled", "with_wengert", "build_compiled"),
        ("wengert", "wengert expressions, backward", "with_wengert", "build_leaves"),
        ("wengert", "wengert value_and_grad", "with_wengert", "build_grad"),
        ("torch", "PyTorch optim.SGD", "with_torch", "build_optimiser"),
        ("torch", "PyTorch optim.SGD(fused)", "with_torch", "build_fused"),
        ("torch", "PyTorch manual update", "with_torch", "build_manual"),
        ("autograd", "autograd value_and_grad", "with_autograd", "build"),
    ]
    if sum(value.size for value in case.initial) <= SMALL:
        ways.append(("mygrad", "MyGrad", "with_mygrad", "build"))
    contenders = tuple(
        Contender(library, label, partial(_build, module, function, case))
        for library, label, module, function in ways
    )
    title = f"training step {case.name}, batch {case.batch}, float32"
    return Benchmark(
        "training", case.name, title, contenders, tolerance=2e-3, parallel=case.parallel
    )


def _build(module: str, function: str, case: Case) -> Runner:
    """Build a contender; its library is imported only now."""
    way = importlib.import_module(f"benchmarks.training.{module}")
    runner: Runner = getattr(way, function)(case)
    return runner
