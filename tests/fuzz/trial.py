"""A drawn program on trial: what it gives on plain NumPy, and the ways to run it, by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

import wengert as wg

from .program import (
    BRANCHES,
    MASKS,
    POSITIONS,
    Arguments,
    Program,
    copied,
    kind,
    leaves,
    loss,
    numbers,
)

CLOSE, CLOSE_IN_SINGLE = 1e-10, 1e-4  # relative to the largest number compared


class Mismatch(AssertionError):
    """Two ways to run a program disagree, or one raises.

    ``key``: the mode and what kind of disagreement, the same while a program is made smaller.
    """

    def __init__(self, mode: str, what: str, problem: str) -> None:
        super().__init__(problem)
        self.key, self.problem = (mode, what), problem


class Trial:
    """A program with what several modes need: the oracle's results, gradients, a direction."""

    def __init__(self, program: Program) -> None:
        self.program, self.function = program, program.function
        self.loss = loss(program.function)
        self._oracle: dict[int, tuple[list[np.ndarray], list[np.ndarray]]] = {}
        parts = [leaf for one in program.inputs for leaf in leaves(one)]
        parts += self.oracle(0)[0]
        single = any(np.asarray(part).dtype in (np.float32, np.complex64) for part in parts)
        single = single or "float32" in program.source
        self.close = CLOSE_IN_SINGLE if single else CLOSE

    def oracle(self, call: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Results and arguments after a run on plain NumPy."""
        if call not in self._oracle:
            given = self.program.arguments(call)
            with np.errstate(all="ignore"):
                result = self.function(**given)
            self._oracle[call] = copied(list(numbers(result))), list(numbers(given))
        return self._oracle[call]

    @cached_property
    def direction(self) -> Arguments:
        """A tangent for the first arguments; zero for integers and booleans."""
        rng = np.random.default_rng([self.program.seed, 5])

        def tangent(leaf: Any) -> Any:
            shape = np.shape(leaf)
            if kind(leaf) in "biu":
                return np.zeros_like(leaf) if shape else type(leaf)(0)
            v = rng.uniform(-1, 1, shape)
            if kind(leaf) == "c":
                v = v + 1j * rng.uniform(-1, 1, shape)
            return v.astype(leaf.dtype) if isinstance(leaf, np.ndarray) else float(v)

        return wg.tree.map(tangent, self.program.inputs[0])

    @cached_property
    def reverse(self) -> tuple[Any, list[np.ndarray]]:
        """Value and gradient at the first arguments."""
        return self.reverse_at(self.program.arguments(0))

    def reverse_at(self, arguments: Arguments) -> tuple[Any, list[np.ndarray]]:
        value, g = wg.value_and_grad(self.loss)(arguments)
        return value, list(numbers(g))

    def same(self, mode: str, got: Any, want: Any, what: str, dtypes: bool = False) -> None:
        """``got`` and ``want`` have the same leaves, up to rounding."""
        ours, theirs = list(numbers(got)), list(numbers(want))
        if len(ours) != len(theirs):
            raise Mismatch(mode, "count", f"{mode}: {len(ours)} results, expected {len(theirs)}")
        for a, b in zip(ours, theirs, strict=True):
            if a.shape != b.shape or (dtypes and a.dtype != b.dtype):
                types = f"{a.dtype}{list(a.shape)}, expected {b.dtype}{list(b.shape)}"
                raise Mismatch(mode, "type", f"{mode}: {what} is {types}")
            if a.dtype.kind in "biu" and b.dtype.kind in "biu":
                close = np.array_equal(a, b)
            else:
                scale = 1 + np.max(np.abs(b), initial=0)
                close = np.all(np.abs(a - b) <= self.close * scale)
            if not close:
                raise Mismatch(mode, "value", f"{mode}: {what} is {a}, expected {b}")


Mode = Callable[[Trial], None]
MODES: dict[str, Mode] = {}
# the costly ones run for one program in so many; JAX compiles every operation of every shape
EVERY = {
    "optimised": 10,
    "optimised gradient": 20,
    "compiled gradient": 4,
    "gradient of compiled": 4,
    "machine code": 10,
    "strict machine code": 10,
    "machine code of gradient": 20,
    "gradient of machine code": 20,
    "pytorch": 5,
    "jax": 50,
}
RECIPES: dict[str, str] = {}


def mode(recipe: str) -> Callable[[Mode], Mode]:
    """Enter a way of running; ``recipe``: Python lines that show it, after ``f`` and ``inputs``."""

    def register(check: Mode) -> Mode:
        name = check.__name__.replace("_", " ")
        MODES[name], RECIPES[name] = check, recipe
        return check

    return register


LOSS = """from fuzz.program import copied, loss  # with tests/ in the path
g = loss(f)
"""


def attempt(name: str, trial: Trial) -> None:
    """Run one mode; what it raises is a mismatch too."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            MODES[name](trial)
        except Mismatch:
            raise
        except Exception as error:
            problem = f"{name} raises {type(error).__name__}: {error}"
            raise Mismatch(name, type(error).__name__, problem) from error


def straight(program: Program) -> bool:
    """Whether what it does is the same for all arguments of a type."""
    return not program.traits & {BRANCHES, MASKS}


def repeatable(program: Program) -> int:
    """The call whose arguments the program recorded from the first call's may be run on: a list
    written by ``transcribe`` holds branches and positions as they were.
    """
    return len(program.inputs) - 1 if straight(program) and POSITIONS not in program.traits else 0
