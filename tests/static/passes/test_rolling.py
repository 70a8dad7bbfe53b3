"""Loops of Python that are found again: one equation instead of hundreds, the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static.passes import optimise, roll_loops

from .drawn import alike

RNG = np.random.default_rng(3)


def loops(program):
    return [eqn.params["plan"] for eqn in program.equations if eqn.primitive.name == "loop"]


def rolled(f, *args, lengths, strict=False):
    """The program of ``f`` with its loops, which must have these lengths; its results are those of
    the program that it was.
    """
    program = program_of(f)(*args)
    after = roll_loops(program, strict).check()
    assert [plan.length for plan in loops(after)] == list(lengths)
    if lengths:
        assert len(after.equations) < len(program.equations) / 2
    for values in (args, [x * 0.5 for x in args]):
        for got, want in zip(executable(after)(*values), executable(program)(*values), strict=True):
            assert alike(got, want)
    return after


def oscillator(state, rates, steps):
    """Euler's method for a pair of numbers."""
    a, b = state
    for _ in range(steps):
        a, b = a + 0.01 * (rates[0] * a - rates[1] * a * b), b + 0.01 * (a * b - rates[2] * b)
    return a, b


RATES = np.array([1.5, 1.0, 0.7])
START = np.float64(1.2), np.float64(0.8)


def test_a_loop_becomes_one_equation():
    after = rolled(lambda r, a, b: oscillator((a, b), r, 60), RATES, *START, lengths=[60])
    (loop,) = [eqn for eqn in after.equations if eqn.primitive.name == "loop"]
    assert len(after.equations) == 1
    assert loop.source


def test_its_way_back_too():
    def loss(r, a, b):
        a, b = oscillator((a, b), r, 60)
        return a * a + b

    after = rolled(wg.grad(loss, argnums=(0, 1, 2)), RATES, *START, lengths=[60, 58])
    ahead, back = loops(after)
    assert ahead.exports
    assert back.imports


def test_and_the_way_back_of_that():
    def loss(r, a, b):
        return oscillator((a, b), r, 40)[0]

    program = program_of(lambda r: wg.hvp(lambda r: loss(r, *START), (r,), (r,)))(RATES)
    after = roll_loops(program).check()
    assert loops(after)
    assert len(after.equations) < len(program.equations) / 2
    assert all(map(alike, executable(after)(RATES), executable(program)(RATES)))


def test_arrays_go_from_block_to_block():
    w, x = RNG.standard_normal((2, 4, 4)) / 3

    def f(w, x):
        for _ in range(70):
            x = np.tanh(x @ w) + 0.1 * x
        return x

    rolled(f, w, x, lengths=[70])
    rolled(f, w, x, lengths=[], strict=True)  # matrices may lie in another order
    rolled(wg.grad(lambda w, x: np.sum(f(w, x)), argnums=(0, 1)), w, x, lengths=[70, 68])


def test_values_that_are_read_behind_the_loop():
    def f(x):
        seen = []
        for _ in range(90):
            x = np.sin(x) * 2 + x
            seen.append(x)
        return x, seen[0], seen[7], seen[-2], seen[30] * seen[31]

    rolled(f, np.float64(0.3), lengths=[90])
    after = rolled(f, RNG.standard_normal(3), lengths=[90])
    results = executable(after)(np.ones(3))
    assert not any(np.shares_memory(a, b) for a in results for b in results if a is not b)


def test_two_loops_one_after_the_other():
    def f(x, y):
        kept = []
        for _ in range(100):
            x = np.sin(x) + y
            kept.append(x * x)
        for one in kept:
            y = y * 0.5 + one * x
        for one in reversed(kept):
            y = y * 0.5 - one * x
        return y

    rolled(f, np.float64(0.3), np.float64(0.7), lengths=[100, 100, 100])


def test_loops_in_loops():
    def f(x, y):
        for _ in range(20):
            for _ in range(5):
                x = np.sin(x) + y
            y = y * 0.5 + x
            x = np.cos(y) * x
        return x, y

    rolled(f, np.float64(0.3), np.float64(0.7), lengths=[20])


@pytest.mark.parametrize("back", [2, 3])
def test_what_reads_further_back_stays(back):
    def f(x):
        xs = [x, x * 0.5, x + 1]
        for _ in range(100):
            xs.append(np.sin(xs[-1]) * 0.5 + xs[-back] * 0.25)
        return xs[-1]

    rolled(f, np.float64(0.3), lengths=[])


def test_numbers_that_change_stay():
    def f(x):
        for k in range(300):
            x = np.sin(x) * float(k)
        return x

    rolled(f, np.float64(0.3), lengths=[])


def test_values_with_a_name_stay():
    def f(x):
        for k in range(100):
            x = wg.name(np.sin(x) * 0.5, f"step {k}") + 1.0 + x
        return x

    graph = wg.capture(f)(wg.Aval(()))
    program = graph.program
    assert not loops(program)


def test_numbers_of_python_stay():
    def f(x, y):
        seen = []
        for _ in range(100):
            x = x * 0.5 + y * 2.0
            seen.append(y * 3.0 + 1.0)
        return x, seen[5]

    rolled(f, 0.3, 0.5, lengths=[])
    rolled(f, np.float64(0.3), 0.5, lengths=[])


def test_short_programs_stay():
    rolled(lambda r, a, b: oscillator((a, b), r, 10), RATES, *START, lengths=[])


OPERATIONS = [
    lambda a, b: a + b,
    lambda a, b: a * 0.5 - b,
    lambda a, b: np.maximum(a, b) * 0.75,
    lambda a, b: np.sin(a) + b,
    lambda a, b: np.tanh(a),
]


@pytest.mark.parametrize("seed", range(20))
def test_generated_loops(seed):
    rng = np.random.default_rng(seed)
    width, length = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    ways, picks = rng.integers(0, len(OPERATIONS), length), rng.integers(0, 100, (length, 2))
    outs, trips = rng.integers(0, 100, width), 10 + 300 // length
    values = tuple(RNG.standard_normal(width))
    late = rng.integers(0, trips, 2)

    def step(carry, held):
        found = [*carry, held]
        for way, (i, j) in zip(ways, picks, strict=True):
            found.append(OPERATIONS[way](found[i % len(found)], found[j % len(found)]))
        return tuple(found[-1 - k % length] for k in outs)

    def f(held, *carry):
        seen = []
        for _ in range(trips):
            carry = step(carry, held)
            seen.append(carry[0])
        return carry[0] + seen[late[0]] * seen[late[1]]

    for function in (f, wg.grad(f)):
        program = program_of(function)(np.float64(0.5), *values)
        after = roll_loops(program).check()
        got, want = (executable(one)(np.float64(0.5), *values) for one in (after, program))
        assert all(map(alike, got, want))
        both = optimise(program, strict=True, check=True)[0]
        assert all(map(alike, executable(both)(np.float64(0.5), *values), want))
