"""The ways to run a drawn program as a static graph: what the passes make of it, and compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import wengert as wg
from at_once import machine_code_at_once
from wengert.core.execute import executable
from wengert.differentiate.record import transcribe
from wengert.static.passes import optimise

from .program import Arguments, copied, leaves, loss, numbers
from .trial import LOSS, Mismatch, Trial, mode, repeatable

SEQUENCE = (0, 0, 1, 0, 2, 1, 0, 2, 1)  # the calls of a compiled function: each thrice
OPTIMISED = """from wengert.core.execute import executable
from wengert.differentiate.record import transcribe
from wengert.static.passes import optimise
p = transcribe(lambda a: f(**a), (inputs[0],)).program
q, report = optimise(p, check=True)
x = wg.tree.flatten(inputs[0])[0]
print(p, q, report, p.run(*x), executable(q)(*x), sep="\\n")"""


def passed(trial: Trial, name: str, function: Callable[[Arguments], Any]) -> None:
    """What the passes make of the program of ``function`` gives what the program gives: every bit
    with ``strict``, and leaves its arguments alone.
    """
    written = transcribe(function, (trial.program.arguments(0),)).program
    call = repeatable(trial.program)
    want = copied(written.run(*leaves(trial.program.arguments(call))))
    for strict in (True, False):
        optimised, _ = optimise(written, strict=strict, check=True)
        for way, run in (("run", optimised.run), ("executable", executable(optimised))):
            given = leaves(trial.program.arguments(call))
            got = list(run(*given))
            trial.same(name, got, want, f"the result ({way}, strict={strict})", dtypes=True)
            if strict and not all(map(same_bits, numbers(got), numbers(want))):
                raise Mismatch(name, "bits", f"{name}: {way} is {got}, expected {want}")
            before = leaves(trial.program.inputs[call])
            if not all(map(same_bits, numbers(given), numbers(before))):
                raise Mismatch(name, "argument", f"{name}: {way} has written into an argument")


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal, zeros with their sign."""
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@mode(OPTIMISED)
def optimised(trial: Trial) -> None:
    passed(trial, "optimised", lambda a: trial.function(**a))


@mode(OPTIMISED.replace("lambda a: f(**a)", "wg.grad(g)").replace("p = ", LOSS + "p = ", 1))
def optimised_gradient(trial: Trial) -> None:
    passed(trial, "optimised gradient", wg.grad(trial.loss))


def replayed(
    trial: Trial,
    name: str,
    make: Callable[[], Any],
    call: Callable[[Any, int], Any],
    want: Callable[[int], Any],
    dtypes: bool = False,
) -> None:
    """``call`` of what ``make`` compiles gives what is wanted in every call, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", wg.errors.CaptureWarning)
        compiled = make()
        for number, inputs in enumerate(SEQUENCE, 1):
            inputs %= len(trial.program.inputs)
            what = f"the result of call {number}"
            trial.same(name, call(compiled, inputs), want(inputs), what, dtypes)


def compiled(trial: Trial) -> None:
    """Results, and what is written into arguments, over calls that take every branch they can."""

    def call(function: Any, inputs: int) -> Any:
        given = trial.program.arguments(inputs)
        return function(**given), given

    replayed(trial, "compiled", lambda: wg.compile(trial.function), call, trial.oracle, True)


def machine_code(trial: Trial) -> None:
    """As ``compiled``, but nothing waits until it pays."""
    with machine_code_at_once():
        compiled(trial)


def strict_machine_code(trial: Trial) -> None:
    """The same bits as the same graph run by NumPy."""

    def call(function: Any, inputs: int) -> Any:
        given = trial.program.arguments(inputs)
        return list(numbers(function(**given))), list(numbers(given))

    with machine_code_at_once(), warnings.catch_warnings():
        warnings.simplefilter("error", wg.errors.CaptureWarning)
        function = wg.compile(trial.function, strict=True)
        in_numpy = wg.compile(trial.function, strict=True, native=False)
        for inputs in (0, 0, 0, 0, len(trial.program.inputs) - 1, 0):
            got, want = call(function, inputs), call(in_numpy, inputs)
            trial.same("strict machine code", got, want, "a result", dtypes=True)
            for ours, theirs in zip(numbers(got), numbers(want), strict=True):
                if not np.array_equal(ours, theirs, equal_nan=ours.dtype.kind in "fc"):
                    problem = f"strict machine code: {ours!r}, expected {theirs!r}"
                    raise Mismatch("strict machine code", "bits", problem)


def machine_code_of_gradient(trial: Trial) -> None:
    with machine_code_at_once():
        compiled_gradient(trial)


def gradient_of_machine_code(trial: Trial) -> None:
    with machine_code_at_once():
        gradient_of_compiled(trial)


def compiled_gradient(trial: Trial) -> None:
    known: dict[int, Any] = {}

    def want(inputs: int) -> Any:
        if inputs not in known:
            known[inputs] = trial.reverse_at(trial.program.arguments(inputs))[1]
        return known[inputs]

    def call(function: Any, inputs: int) -> Any:
        return list(numbers(function(trial.program.arguments(inputs))))

    gradient = wg.grad(trial.loss)
    replayed(trial, "compiled gradient", lambda: wg.compile(gradient), call, want)


def gradient_of_compiled(trial: Trial) -> None:
    """Derivatives of what is compiled; what is written into arguments stays inside."""
    function = wg.compile(trial.function)
    for inputs in (0, 0, len(trial.program.inputs) - 1):
        want = trial.reverse_at(trial.program.arguments(inputs))[1]
        got = wg.grad(loss(function))(trial.program.arguments(inputs))
        trial.same("gradient of compiled", got, want, "a gradient")


CALLS = """for k in [0, 0, 1, 0, 2, 1, 0, 2, 1]:
    k = k % len(inputs)
"""
if hasattr(wg, "compile"):
    mode(
        "from fuzz.program import copied  # with tests/ in the path\nc = wg.compile(f)\n"
        + CALLS
        + "    print(c(**copied(inputs[k])), f(**copied(inputs[k])))"
    )(compiled)
    mode(
        LOSS
        + "c = wg.compile(wg.grad(g))\n"
        + CALLS
        + "    print(c(copied(inputs[k])), wg.grad(g)(copied(inputs[k])))"
    )(compiled_gradient)
    mode(LOSS + "print(wg.grad(loss(wg.compile(f)))(inputs[0]), wg.grad(g)(inputs[0]))")(
        gradient_of_compiled
    )
    AT_ONCE = "from at_once import machine_code_at_once\nmachine_code_at_once().__enter__()\n"
    for check in (machine_code, strict_machine_code):
        strict = ", strict=True" if check is strict_machine_code else ""
        mode(
            f"{AT_ONCE}from fuzz.program import copied\nc = wg.compile(f{strict})\n"
            + CALLS
            + "    print(c(**copied(inputs[k])), f(**copied(inputs[k])))"
        )(check)
    mode(
        f"{AT_ONCE}{LOSS}c = wg.compile(wg.grad(g))\n"
        + CALLS
        + "    print(c(copied(inputs[k])), wg.grad(g)(copied(inputs[k])))"
    )(machine_code_of_gradient)
    mode(f"{AT_ONCE}{LOSS}print(wg.grad(loss(wg.compile(f)))(inputs[0]), wg.grad(g)(inputs[0]))")(
        gradient_of_machine_code
    )
