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
from wengert.core.execute import executable
from wengert.differentiate.record import transcribe
from wengert.static.passes import optimise

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


def straight(program: Program) -> bool:
    """Whether what it does is the same for all arguments of a type."""
    return not program.traits & {BRANCHES, MASKS}


def repeatable(program: Program) -> int:
    """The call whose arguments the program recorded from the first call's may be run on: a list
    written by ``transcribe`` holds branches and positions as they were.
    """
    return len(program.inputs) - 1 if straight(program) and POSITIONS not in program.traits else 0


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
    if not arrays or not straight(trial.program):
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


# --- static graphs --------------------------------------------------------------------------------

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
