"""Runs a case eagerly and compiled, and says what came of it: native, falls back, or wrong.

Compared after every call: the result, its types and containers, which of its arrays are arguments
or state or share their memory, the arguments afterwards, the state, what was raised; and at the end
all results once more, for nothing may write into a result that was given away.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np

import wengert as wg

from .case import EITHER, FALLS_BACK, NATIVE, Case

WRONG, UNSETTLED = "wrong", "unsettled"
TOLERANCE = {"float32": 1e-5, "complex64": 1e-5}
CLOSE = 1e-11  # of every other dtype, relative to the largest number in the array


@dataclass(frozen=True)
class Leaf:
    """What a value was when it was looked at."""

    kind: str
    value: Any

    def __str__(self) -> str:
        return f"{self.kind} {self.value!r}"

    def agrees(self, other: Leaf) -> bool:
        """Same kind, same value up to rounding; NaN is NaN, and zeros have the same sign."""
        if self.kind != other.kind:
            return False
        if not isinstance(self.value, np.ndarray):
            return bool(self.value == other.value)
        a, b = self.value, other.value
        if a.dtype.kind in "biu":
            return np.array_equal(a, b)
        finite = a[np.isfinite(a)]
        tolerance = TOLERANCE.get(str(a.dtype), CLOSE) * np.max(np.abs(finite), initial=1e-3)
        close = np.allclose(b, a, rtol=0, atol=tolerance, equal_nan=True)
        if not close or a.dtype.kind == "c":
            return bool(close)
        zeros = (a == 0) & (b == 0)
        return np.array_equal(np.signbit(a[zeros]), np.signbit(b[zeros]))


def look(value: Any) -> Leaf:
    """A leaf as it is now: kind (with type, dtype and shape) and value."""
    if isinstance(value, wg.Array):
        tracked = " requires_grad" if value.requires_grad else ""
        return Leaf(f"Array {value.dtype}{list(value.shape)}{tracked}", np.array(value.numpy()))
    if isinstance(value, np.ndarray | np.generic):
        return Leaf(f"{type(value).__name__} {value.dtype}{list(value.shape)}", np.array(value))
    if isinstance(value, float | complex):
        return Leaf(type(value).__name__, np.array(value))
    if isinstance(value, bool | int | str | bytes | type(None)):
        return Leaf(type(value).__name__, value)
    return Leaf(type(value).__name__, None)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The containers and leaves of ``value`` with their paths; dicts in their own order."""
    children: list[tuple[Any, Any]] | None = None
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, tuple | list):
        children = list(enumerate(value))
    elif is_dataclass(value) and not isinstance(value, type):
        children = list(vars(value).items())
    if children is None:
        yield path, value
        return
    yield path, f"{type(value).__name__} of {len(children)}"
    for key, child in children:
        yield from walk(child, f"{path}[{key!r}]")


def snapshot(**values: Any) -> list[tuple[str, Leaf]]:
    return [
        (path, look(leaf)) for name, value in values.items() for path, leaf in walk(value, name)
    ]


def aliases(**values: Any) -> list[tuple[str, str, str]]:
    """Which arrays are one object, and which share memory."""
    arrays = [
        (path, leaf)
        for name, value in values.items()
        for path, leaf in walk(value, name)
        if isinstance(leaf, wg.Array | np.ndarray)
    ]
    found = []
    for k, (path, a) in enumerate(arrays):
        for other, b in arrays[k + 1 :]:
            if a is b:
                found.append((path, other, "is"))
            elif type(a) is type(b) is np.ndarray and np.shares_memory(a, b):
                found.append((path, other, "shares memory with"))
    return found


@dataclass
class Run:
    """What a run of all calls showed: after each call, and of all results at the end."""

    calls: list[tuple[list[tuple[str, Leaf]], list[tuple[str, str, str]]]]
    results: list[tuple[str, Leaf]]
    bodies: int = 0  # how often the step's own code ran in the last round
    warnings: list[str] | None = None


def run(case: Case, transform: Callable[[Any], Any]) -> Run:
    """Make a fresh step and call what ``transform`` makes of it with all arguments in order."""
    step = case.step()
    kept: list[Any] = []
    calls, bodies, between = [], 0, None
    sequence = case.sequence()
    last = len(sequence) - len(case.calls)
    with warnings.catch_warnings(record=True) as caught, step.around():
        warnings.simplefilter("always")
        function = transform(step.function)
        for number, one in enumerate(sequence):
            with Counting(step.function) as counting:
                result = outcome(function, one.args, one.kwargs)
            bodies += counting.count if number >= last else 0
            kept.append(result)
            now = {"args": one.args, "kwargs": one.kwargs, "result": result, "state": step.state()}
            calls.append((snapshot(**now, between=between), aliases(**now)))
            between = outcome(step.between, (result,), {})
    ours = [str(w.message) for w in caught if issubclass(w.category, wg.errors.CaptureWarning)]
    return Run(calls, snapshot(results=kept), bodies, ours)


def outcome(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The result, or what was raised."""
    try:
        return function(*args, **kwargs)
    except wg.errors.WengertError as error:
        return f"raises {type(error).__name__}"
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"


class Counting:
    """Counts how often the code of a step runs: a replay does not run it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.code, self.count = code_of(function), 0

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code is self.code:
            self.count += 1

    def __enter__(self) -> Counting:
        self.before = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.setprofile(self.before)


def code_of(function: Any) -> CodeType:
    """The code that the user wrote: of a function, a method, an object, under decorators."""
    function = inspect.unwrap(function)
    while not hasattr(function, "__code__"):
        function = getattr(function, "func", None) or getattr(
            function, "__func__", type(function).__call__
        )
        function = inspect.unwrap(function)
    return function.__code__


@dataclass(frozen=True)
class Verdict:
    """What became of a case: ``NATIVE``, ``FALLS_BACK``, ``UNSETTLED`` or ``WRONG``, and why."""

    name: str
    status: str
    detail: str
    expect: str

    @property
    def fits(self) -> bool:
        """Whether the status is what the case expects."""
        return self.status != WRONG and self.expect in (EITHER, self.status)


def first_difference(want: Run, got: Run) -> str:
    """Where two runs differ first, or nothing."""
    for number, ((a, near), (b, far)) in enumerate(zip(want.calls, got.calls, strict=True), 1):
        if problem := difference(a, b):
            return f"call {number}: {problem}"
        if near != far:
            return f"call {number}: shared arrays are {far}, expected {near}"
    problem = difference(want.results, got.results)
    return f"after the last call: {problem}" if problem else ""


def difference(want: list[tuple[str, Leaf]], got: list[tuple[str, Leaf]]) -> str:
    for (path, a), (other, b) in zip(want, got, strict=False):
        if path != other:
            return f"{other} stands where {path} is expected"
        if not a.agrees(b):
            return f"{path} is {b}, expected {a}"
    return "" if len(want) == len(got) else f"{len(got)} values, expected {len(want)}"


def judge(case: Case, transform: Callable[[Any], Any]) -> Verdict:
    """``transform`` (``wengert.compile``) on the case, beside an eager run."""
    want, got = run(case, lambda f: f), run(case, transform)
    warned = got.warnings or []
    if problem := first_difference(want, got):
        return Verdict(case.name, WRONG, "; ".join([problem, *warned]), case.expect)
    if len(warned) > 1:
        return Verdict(case.name, WRONG, f"{len(warned)} warnings: {warned}", case.expect)
    if warned:
        return Verdict(case.name, FALLS_BACK, warned[0], case.expect)
    if got.bodies:
        why = f"no warning, but its Python code ran {got.bodies} times in the last round"
        return Verdict(case.name, UNSETTLED, why, case.expect)
    return Verdict(case.name, NATIVE, "", case.expect)


def summary(verdicts: list[Verdict]) -> dict[str, int]:
    """How many cases have each status."""
    statuses = [NATIVE, FALLS_BACK, UNSETTLED, WRONG]
    return {status: sum(v.status == status for v in verdicts) for status in statuses}
