"""The ways to run a drawn program eagerly. Each compares with the run on plain NumPy, the oracle.

Derivatives are held against each other: ⟨gradient, v⟩ of reverse mode is the tangent of forward
mode; what is recorded or vectorised gives what runs eagerly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wengert as wg
from wengert.differentiate.record import transcribe

from .program import (
    WRITES_ARGUMENTS,
    WRITES_SCALARS,
    Arguments,
    Program,
    copied,
    kind,
    leaves,
    numbers,
)
from .trial import LOSS, Mismatch, Trial, mode, repeatable, straight


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


@mode(
    LOSS
    + """v = wg.tree.map(np.ones_like, inputs[0])
print(wg.jvp(g, (inputs[0],), (v,)), wg.grad(g)(inputs[0]))"""
)
def forward(trial: Trial) -> None:
    """The tangent is ⟨gradient, v⟩."""
    value, dy = wg.jvp(trial.loss, (trial.program.arguments(0),), (trial.direction,))
    trial.same("forward", value, trial.loss(trial.program.arguments(0)), "the value")
    directions = [v for v in leaves(trial.direction) if kind(v) in "fc"]
    terms = [np.real(np.conj(g) * v) for g, v in zip(trial.reverse[1], directions, strict=True)]
    scale = 1 + sum(np.sum(np.abs(term)) for term in terms)
    want = sum(np.sum(term) for term in terms)
    if not abs(dy - want) <= trial.close * scale:
        raise Mismatch("forward", "value", f"forward: the tangent is {dy}, reverse gives {want}")


@mode(
    LOSS
    + """leaf = wg.array(inputs[0]["x"], requires_grad=True)
g(inputs[0] | {"x": leaf}).backward()
print(leaf.grad, wg.grad(g)(inputs[0])["x"])"""
)
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


@mode(
    """from wengert.differentiate.record import transcribe
t = transcribe(lambda a: f(**a), (inputs[0],))
print(t.program, *t.program.run(*wg.tree.flatten(inputs[-1])[0]), f(**inputs[-1]))"""
)
def recorded(trial: Trial) -> None:
    """The program that is written down gives the results of other arguments."""
    written = transcribe(lambda a: trial.function(**a), (trial.program.arguments(0),)).program
    written.check()
    call = repeatable(trial.program)
    got = written.run(*leaves(trial.program.arguments(call)))
    trial.same("recorded", got, trial.oracle(call)[0], "the result", dtypes=True)


@mode(
    LOSS
    + """from wengert.differentiate.record import transcribe
t = transcribe(wg.grad(g), (inputs[0],))
print(t.program, *t.program.run(*wg.tree.flatten(inputs[-1])[0]), wg.grad(g)(inputs[-1]))"""
)
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


@mode(
    LOSS
    + """s = wg.tree.map(lambda *a: np.stack(a) if np.ndim(a[0]) else a[0], *inputs)
axes = wg.tree.map(lambda a: 0 if np.ndim(a) else None, inputs[0])
print(wg.vmap(lambda a: (f(**a), wg.grad(g)(a)), in_axes=(axes,))(s))
print([(f(**a), wg.grad(g)(a)) for a in inputs])"""
)
def vectorised(trial: Trial) -> None:
    """``vmap`` of results and gradient is a loop over the examples."""
    arrays = [leaf for leaf in leaves(trial.program.inputs[0]) if isinstance(leaf, np.ndarray)]
    if not arrays or not straight(trial.program) or WRITES_SCALARS in trial.program.traits:
        return  # an example without axes is a scalar there, which has no place to write into
    stack, axes, rows = stacked(trial.program)

    def both(arguments: Arguments) -> Any:
        own = wg.tree.map(lambda a: a.copy() if hasattr(a, "copy") else a, arguments)
        return trial.function(**own), wg.grad(trial.loss)(arguments)

    got = [np.asarray(part) for part in leaves(wg.vmap(both, in_axes=(axes,))(copied(stack)))]
    for number, row in enumerate(rows):
        want = [*numbers(trial.function(**copied(row))), *trial.reverse_at(copied(row))[1]]
        if all(np.all(np.abs(part) < 1e4) for part in want):
            trial.same("vectorised", [part[number] for part in got], want, f"example {number}")
