"""The ways to run a drawn program. Each compares with the run on plain NumPy, the oracle.

Derivatives are held against each other: ⟨gradient, v⟩ of reverse mode is the tangent of forward
mode; what is recorded, vectorised or compiled gives what runs eagerly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

import wengert as wg
from wengert.differentiate.record import transcribe

from .program import (
    BRANCHES,
    MASKS,
    POSITIONS,
    WRITES_ARGUMENTS,
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
        parts += [part for part in self.oracle(0)[0]]
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
RECIPES: dict[str, str] = {}


def mode(recipe: str) -> Callable[[Mode], Mode]:
    """Enter a way of running; ``recipe``: Python lines that show it, after ``f`` and ``inputs``."""

    def register(check: Mode) -> Mode:
        name = check.__name__.replace("_", " ")
        MODES[name], RECIPES[name] = check, recipe
        return check

    return register


LOSS = """
from fuzz.program import loss, copied  # in tests/
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


def as_handles(arguments: Arguments, requires_grad: bool = False) -> Arguments:
    """The arguments with their arrays as ``Array``s, those with derivatives as leaves."""

    def handle(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        return wg.array(leaf, requires_grad=requires_grad and kind(leaf) in "fc")

    return wg.tree.map(handle, arguments)


@mode("print(f(**wg.tree.map(wg.array, inputs[0])))")
def handles(trial: Trial) -> None:
    """``Array``s without derivatives: values, dtypes, and what is written into arguments."""
    for call in range(len(trial.program.inputs)):
        given = as_handles(trial.program.arguments(call))
        result = trial.function(**given)
        want, after = trial.oracle(call)
        trial.same("handles", result, want, "the result", dtypes=True)
        trial.same("handles", given, after, "an argument afterwards", dtypes=True)


@mode(LOSS + "print(wg.value_and_grad(g)(inputs[0]), g(inputs[0]))")
def reverse(trial: Trial) -> None:
    before = trial.program.arguments(0)
    value, _ = trial.reverse_at(before)
    want = trial.loss(trial.program.arguments(0))
    trial.same("reverse", value, want, "the value")
    trial.same("reverse", before, trial.program.inputs[0], "an argument afterwards")


@mode(LOSS + "v = wg.tree.map(np.ones_like, inputs[0])\nprint(wg.jvp(g, (inputs[0],), (v,)))")
def forward(trial: Trial) -> None:
    """The tangent is ⟨gradient, v⟩."""
    value, dy = wg.jvp(trial.loss, (trial.program.arguments(0),), (trial.direction,))
    trial.same("forward", value, trial.loss(trial.program.arguments(0)), "the value")
    directions = [v for v in leaves(trial.direction) if kind(v) in "fc"]
    terms = [
        np.real(np.conj(g) * v) for g, v in zip(trial.reverse[1], directions, strict=True)
    ]
    scale = 1 + sum(np.sum(np.abs(term)) for term in terms)
    want = sum(np.sum(term) for term in terms)
    if not abs(dy - want) <= trial.close * scale:
        raise Mismatch("forward", "value", f"forward: the tangent is {dy}, reverse gives {want}")


@mode(LOSS + "leaf = wg.array(inputs[0]['x'], requires_grad=True)\ng(inputs[0] | {'x': leaf}).backward()\nprint(leaf.grad)")
def dynamic(trial: Trial) -> None:
    """``backward`` gives what ``grad`` gives."""
    if WRITES_ARGUMENTS in trial.program.traits:
        return
    given = as_handles(trial.program.arguments(0), requires_grad=True)
    y = trial.loss(given)
    if isinstance(y, wg.Array) and y.requires_grad:
        y.backward()
    wanted = iter(trial.reverse[1])
    for leaf in leaves(given):
        want = next(wanted) if kind(leaf) in "fc" else None
        if isinstance(leaf, wg.Array) and want is not None:
            g = np.zeros_like(want) if leaf.grad is None else leaf.grad
            trial.same("dynamic", g, want, "a gradient", dtypes=True)


def straight(program: Program) -> bool:
    """Whether what it does is the same for all arguments of a type."""
    return not program.traits & {BRANCHES, MASKS}


def repeatable(program: Program) -> int:
    """The call whose arguments the program recorded from the first call's may be run on: a list
    written by ``transcribe`` holds branches and positions as they were.
    """
    return len(program.inputs) - 1 if straight(program) and POSITIONS not in program.traits else 0


@mode("from wengert.differentiate.record import transcribe\nt = transcribe(lambda a: f(**a), (inputs[0],))\nprint(t.program, *t.program.run(*wg.tree.flatten(inputs[-1])[0]), f(**inputs[-1]))")
def recorded(trial: Trial) -> None:
    """The program that is written down gives the results of other arguments."""
    written = transcribe(lambda a: trial.function(**a), (trial.program.arguments(0),)).program
    written.check()
    call = repeatable(trial.program)
    got = written.run(*leaves(trial.program.arguments(call)))
    trial.same("recorded", got, trial.oracle(call)[0], "the result", dtypes=True)


@mode(LOSS + "from wengert.differentiate.record import transcribe\nt = transcribe(wg.grad(g), (inputs[0],))\nprint(t.program, *t.program.run(*wg.tree.flatten(inputs[-1])[0]), wg.grad(g)(inputs[-1]))")
def recorded_gradient(trial: Trial) -> None:
    gradient = wg.grad(trial.loss)
    written = transcribe(gradient, (trial.program.arguments(0),)).program
    written.check()
    call = repeatable(trial.program)
    want = trial.reverse_at(trial.program.arguments(call))[1] if call else trial.reverse[1]
    got = written.run(*leaves(trial.program.arguments(call)))
    trial.same("recorded gradient", got, want, "a gradient")


def stacked(program: Program) -> tuple[Arguments, Any, list[Arguments]]:
    """All arguments with an example axis in front, the axes, and the rows. Numbers stay alike."""
    first = program.inputs[0]
    rows = [
        wg.tree.map(lambda a, b: b if isinstance(a, np.ndarray) else a, first, one)
        for one in program.inputs
    ]
    axes = wg.tree.map(lambda a: 0 if isinstance(a, np.ndarray) else None, first)
    stack = wg.tree.map(
        lambda a, *rest: np.stack([a, *rest]) if isinstance(a, np.ndarray) else a, *rows
    )
    return stack, axes, rows


@mode(LOSS + "s = wg.tree.map(lambda *a: np.stack(a) if np.ndim(a[0]) else a[0], *inputs)\naxes = wg.tree.map(lambda a: 0 if np.ndim(a) else None, inputs[0])\nprint(wg.vmap(lambda a: (f(**a), wg.grad(g)(a)), in_axes=(axes,))(s))")
def vectorised(trial: Trial) -> None:
    """``vmap`` of results and gradient is a loop over the examples."""
    if not straight(trial.program):
        return
    stack, axes, rows = stacked(trial.program)

    def both(arguments: Arguments) -> Any:
        own = wg.tree.map(lambda a: a.copy() if hasattr(a, "copy") else a, arguments)
        return trial.function(**own), wg.grad(trial.loss)(arguments)

    got = [np.asarray(part) for part in leaves(wg.vmap(both, in_axes=(axes,))(copied(stack)))]
    for number, row in enumerate(rows):
        want = [*numbers(trial.function(**copied(row))), *trial.reverse_at(copied(row))[1]]
        if all(np.all(np.abs(part) < 1e4) for part in want):
            trial.same("vectorised", [part[number] for part in got], want, f"example {number}")

