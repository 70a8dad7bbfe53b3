"""Calls of a compiled function until its machine code runs, and what is not machine code then."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

PATIENCE_SECONDS = 60.0
RECORDINGS = 2  # calls until a program is replayed
UNCONFIRMED = "recorded once"
WAITING = ("until machine code pays", UNCONFIRMED)
IN_PYTHON = ("NumPy runs ", "runs Python")
A_VIEW = ": a view"  # costs native code nothing


def told(compiled: Any) -> Iterator[str]:
    """Yield what `compiled.explain()` says of the program of the last call."""
    explanation = compiled.explain()
    if explanation.reason:
        yield f"runs eagerly: {explanation.reason}"
    for variant in explanation.variants[:1]:  # the one used last is in front
        for graph in variant.graphs:
            for segment in graph.segments:
                yield from segment.machine
                yield from (f"runs Python: {call}" for call in segment.python_calls)
                if not segment.confirmed:
                    yield UNCONFIRMED
        if not variant.graphs:
            yield UNCONFIRMED


def waits(compiled: Any) -> bool:
    """Return whether calls to come will still be recorded, or compiled to machine code."""
    return any(line.endswith(WAITING) for line in told(compiled))


def settle(compiled: Any, call: Callable[..., Any], inputs: Sequence[tuple[Any, ...]]) -> str:
    """Call until machine code runs, or patience ends; return what is not machine code."""
    calls_until_native(compiled, call, inputs)
    return not_native(compiled, lambda: call(*inputs[0]))


def calls_until_native(
    compiled: Any, call: Callable[..., Any], inputs: Sequence[tuple[Any, ...]]
) -> tuple[int, float]:
    """Call until machine code runs, or patience ends; return how often, and the seconds it took."""
    seconds, ask = 0.0, RECORDINGS
    for number, arguments in enumerate(itertools.cycle(inputs), 1):
        start = time.perf_counter()
        call(*arguments)
        seconds += time.perf_counter() - start
        if number == ask:  # to look costs more than many a call
            if not waits(compiled) or seconds > PATIENCE_SECONDS:
                return number, seconds
            ask = number + max(1, number // 8)
    raise ValueError("no inputs to call with")


def not_native(compiled: Any, call: Callable[[], Any]) -> str:
    """Return which part of a call is no machine code, in a few words; empty if there is none."""
    lines = list(told(compiled))
    eager = [line for line in lines if line.startswith("runs eagerly")]
    if eager:
        return eager[0]
    if waits(compiled):
        return f"no machine code after {PATIENCE_SECONDS:.0f} s of calls"
    outside = [line for line in lines if line.startswith(IN_PYTHON) and not line.endswith(A_VIEW)]
    frames = python_frames(call)
    if not outside and not frames:
        return ""
    names = ", ".join(line.partition(":")[0].removeprefix("NumPy runs ") for line in outside)
    return f"not native: {frames} Python frames" + (f"; NumPy runs {names}" if names else "")


def python_frames(call: Callable[[], Any]) -> int:
    """Return how many Python functions are entered inside a call, beside `call` itself."""
    entered = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal entered
        entered += event == "call"

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered - 1
