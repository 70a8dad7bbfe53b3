"""The format of the suite: a case makes fresh steps, and says what to call them with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NATIVE, FALLS_BACK, EITHER = "native", "falls back", "either"

A = np.array([1.0, -2.0, 3.0])
B = np.array([-4.0, 0.5, 0.25])
C = np.array([0.5, 1.5, 2.5])
M = np.array([[1.0, 2.0, -1.0], [0.5, -0.3, 0.8]])


@dataclass(frozen=True)
class Call:
    """The arguments of one call."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def call(*args: Any, **kwargs: Any) -> Call:
    """A call with keyword arguments."""
    return Call(args, kwargs)


@dataclass(frozen=True)
class Step:
    """A step with what belongs to it.

    Attributes:
        function: what is called, and compiled.
        state: what it leaves behind, asked after every call.
        between: run after every call, with its result.
        around: a context manager for the whole run: seeds, a clock that is known.
    """

    function: Callable[..., Any]
    state: Callable[[], Any] = lambda: None
    between: Callable[[Any], Any] = lambda result: None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class Case:
    """A program of the suite.

    Attributes:
        make: gives a fresh step, a ``Step`` or a function.
        calls: argument tuples, ``Call``s, or functions that build either, where arrays in them
            overlap.
        expect: ``NATIVE``: replayed without a warning; ``FALLS_BACK``: runs eagerly with one
            warning; ``EITHER``. Right in any case.
        rounds: how often all calls are made: until everything has been recorded, then once more to
            see that it is replayed.
    """

    name: str
    make: Callable[[], Any]
    calls: tuple[Any, ...]
    expect: str
    rounds: int

    def step(self) -> Step:
        """A fresh step."""
        made = self.make()
        return made if isinstance(made, Step) else Step(made)

    def sequence(self) -> list[Call]:
        """The calls with arguments of their own, in order."""
        return [fresh(one) for _ in range(self.rounds) for one in self.calls]


CASES: dict[str, Case] = {}


def case(
    *calls: Any, expect: str = NATIVE, rounds: int = 4
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter the decorated function, which makes a step, in the suite."""

    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        name = make.__name__
        assert name not in CASES, f"two cases are called {name}"
        CASES[name] = Case(name, make, calls, expect, rounds)
        return make

    return register


def fresh(one: Any) -> Call:
    """A call whose arrays are copies; one that stands in two places stays one."""
    if callable(one):
        built = one()
        return built if isinstance(built, Call) else Call(built)
    given = one if isinstance(one, Call) else Call(one)
    copies: dict[int, Any] = {}
    return Call(copied(given.args, copies), copied(given.kwargs, copies))


def copied(value: Any, copies: dict[int, Any]) -> Any:
    """``value`` with copies of its arrays, in the memory layout they have."""
    if isinstance(value, np.ndarray):
        if id(value) not in copies:
            copies[id(value)] = laid_out_as(value)
        return copies[id(value)]
    if isinstance(value, dict):
        return {key: copied(item, copies) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copied(item, copies) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(copied(item, copies) for item in value)
    return value


def laid_out_as(array: np.ndarray) -> np.ndarray:
    """A copy with the strides of ``array``, and read-only if it is."""
    low = sum(min(0, (n - 1) * s) for n, s in zip(array.shape, array.strides, strict=True))
    high = sum(max(0, (n - 1) * s) for n, s in zip(array.shape, array.strides, strict=True))
    room = np.zeros(high - low + array.itemsize, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, room.data, -low, array.strides)
    if array.flags.writeable:
        copy[...] = array
        return copy
    return np.broadcast_to(array, array.shape)
