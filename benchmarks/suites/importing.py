"""Import times: whole Python processes in turn, by the wall clock.

What counts is the difference to `import numpy`; starting and ending the interpreter is in both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from functools import partial

from benchmarks.harness import Benchmark, Contender, Runner

ROUNDS = 9
LIBRARIES = ("numpy", "wengert", "autograd", "mygrad", "torch")


def benchmarks() -> list[Benchmark]:
    """Return the one benchmark of this suite."""
    contenders = tuple(
        Contender(name, f"import {name}", partial(_build, name)) for name in LIBRARIES
    )
    title = "a Python process that imports one library"
    return [Benchmark("import", "import", title, contenders, rounds=ROUNDS)]


def _build(library: str) -> Runner:
    return Runner(_loop, (f"import {library}",), None)


def _loop(statements: Iterable[str]) -> None:
    for statement in statements:
        subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True)
