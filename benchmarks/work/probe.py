"""In a process of its own: how long one contender takes to compile, or how much memory it takes.

`python -m benchmarks.work.probe compile|memory BENCHMARK LABEL` prints one line of JSON.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import Contender
from benchmarks.work.settle import calls_until_native
from benchmarks.work.task import COMPILED

CALLS = 30
KIBIBYTE = 1024
TIMEOUT_SECONDS = 600.0


def compile_time(contender: Contender) -> dict[str, Any]:
    """Return the seconds of the first call, of all calls until machine code runs, their number.

    wengert is told not to wait until that pays, for the waiting is calls like any other; LLVM is
    imported before, as JAX's compiler is with JAX.
    """
    if contender.label == COMPILED:
        import wengert as wg

        importlib.import_module("llvmlite.binding")
        vars(wg)["compile"] = partial(wg.compile, native="at once")
    call, inputs = _started(contender)
    start = time.perf_counter()
    call(*inputs[0])
    first = time.perf_counter() - start
    calls, seconds = 0, 0.0
    if contender.label == COMPILED:
        calls, seconds = calls_until_native(call, call, inputs)
    return {"first": first, "native": first + seconds, "calls": calls + 1}


def memory(contender: Contender) -> dict[str, Any]:
    """Return by how many bytes the largest resident size grows over the import of the library."""
    importlib.import_module(contender.library)
    before = _peak()
    call, inputs = _started(contender)
    if contender.label == COMPILED:
        calls_until_native(call, call, inputs)
    for arguments in itertools.islice(itertools.cycle(inputs), CALLS):
        call(*arguments)
    return {"bytes": _peak() - before}


def _started(contender: Contender) -> tuple[Any, Any]:
    assert contender.start is not None
    return contender.start()


def _peak() -> int:
    """Return the largest resident size so far, in bytes.

    Where Linux tells it, of this program alone: `ru_maxrss` starts with that of the parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * KIBIBYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


def ask(what: str, benchmark: str, label: str, **environment: str) -> dict[str, Any]:
    """Return what a process of its own finds out; `{"error": ...}` if it fails."""
    command = [sys.executable, "-m", "benchmarks.work.probe", what, benchmark, label]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"more than {TIMEOUT_SECONDS:.0f} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Look the contender up and measure it."""
    from benchmarks.suites.native import benchmarks

    _, what, name, label = sys.argv
    (benchmark,) = (one for one in benchmarks() if one.name == name)
    (contender,) = (one for one in benchmark.contenders if one.label == label)
    print(json.dumps({"compile": compile_time, "memory": memory}[what](contender)))


if __name__ == "__main__":
    main()
