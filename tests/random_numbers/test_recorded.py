"""The same bits however a draw is run: eagerly, recorded, compiled, in a loop."""

import copy

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import InPlaceError
from wengert.differentiate.record import Recorder, transcribe

from .laws import Generator, noisy

PROGRAMS = {
    "normal": lambda rng, x: rng.normal(x, 2.0, size=5),
    "float32": lambda rng, x: rng.normal(size=5, dtype=np.float32),
    "two draws": lambda rng, x: rng.random(3) * x + rng.standard_exponential(3),
    "gamma": lambda rng, x: rng.gamma(x, size=4),
    "integers": lambda rng, x: rng.integers(0, 1000, 6),
    "poisson": lambda rng, x: rng.poisson(4.0, 6),
    "permutation": lambda rng, x: rng.permutation(6),
    "choice": lambda rng, x: rng.choice(np.arange(9) * x, 4, replace=False),
    "weighted": lambda rng, x: rng.choice(3, 8, p=np.array([0.2, 0.3, 0.5])),
    "child": lambda rng, x: rng.spawn(2)[1].random(3),
    "gradient": lambda rng, x: wg.grad(lambda a: np.sum(rng.standard_gamma(a, 3)))(x),
    "vmap": lambda rng, x: wg.vmap(lambda a: rng.normal(a, 1.0, size=2))(np.arange(3.0) * x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_recorded_draws_have_the_same_bits(name, monkeypatch):
    """One program, run on the states that draws leave, gives what eager draws give."""
    # index arrays are operands, as where a static graph is recorded
    monkeypatch.setattr(Recorder, "observes", True)

    def f(state, x):
        rng = Generator(0)
        rng.state = state
        y = PROGRAMS[name](rng, x)
        return y, rng.state

    program = transcribe(f, (Generator(60).state.numpy(), 1.5)).program
    program.check()
    eager = Generator(61)
    state = eager.state.numpy()
    for x in (1.5, 2.5, 0.5):
        y, state = program.run(state, x)
        expected = PROGRAMS[name](eager, x)
        assert np.asarray(y).dtype == np.asarray(expected).dtype
        assert np.asarray(y).tobytes() == np.asarray(expected).tobytes()
        assert state.tolist() == eager.state.tolist()


def test_draws_of_an_outer_state_are_constants_of_a_recording():
    rng, other = Generator(62), Generator(62)
    transcript = transcribe(lambda x: x * rng.normal(), (2.0,))
    assert transcript.result == 2.0 * other.normal()
    assert rng.state.tolist() == other.state.tolist()


def test_no_grad_draws():
    rng = Generator(63)
    with wg.no_grad():
        x = rng.random(3)
    assert (x == Generator(63).random(3)).all()
    assert type(x) is np.ndarray


COMPILED = {
    **PROGRAMS,
    "branch on a draw": lambda rng, x: x * 2 if rng.random() < 0.5 else x * 3,
    "shuffle": lambda rng, x: shuffled(rng, np.arange(5) * x),
    "checkpoint": lambda rng, x: wg.grad(wg.checkpoint(noisy(rng)))(x),
    "jacobian": lambda rng, x: wg.jacobian(lambda a: rng.normal(size=3) * a)(x),
}


def shuffled(rng, x):
    rng.shuffle(x)
    return x


@pytest.mark.filterwarnings("error")  # of a function that would run eagerly
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_draws_have_the_same_bits(name):
    rng, eager = Generator(64), Generator(64)
    f = wg.compile(lambda x: COMPILED[name](rng, x))
    for x in (1.5, 2.5, 0.5, 1.5, 3.5):
        y, expected = f(x), COMPILED[name](eager, x)
        assert type(y) is type(expected)
        assert np.asarray(y).tobytes() == np.asarray(expected).tobytes()
        assert rng.state.tolist() == eager.state.tolist()


def test_results_are_plain():
    rng = Generator(65)

    def draw(x):
        return rng.normal(x, 1.0, size=2) + rng.random(2)

    results = [
        draw(1.0),
        wg.jvp(draw, (1.0,), (1.0,))[0],
        wg.jacobian(draw)(1.0),
        wg.vmap(draw)(np.ones(3)),
        wg.vmap(wg.grad(lambda x: np.sum(draw(x))))(np.ones(3)),
        rng.permutation(np.ones(3)),
        rng.choice(5, 3),
    ]
    assert [type(y) for y in results] == [np.ndarray] * len(results)


# --- control flow ---------------------------------------------------------------------------------


def test_a_loop_carries_the_state():
    def step(carry, x):
        rng = Generator(0)
        rng.state, total = carry
        return (rng.state, total + rng.normal(x, 1.0)), rng.integers(100)

    rng, xs = Generator(66), np.arange(4.0)
    eager = copy.copy(rng)
    (state, total), counts = wg.scan(step, (rng.state, 0.0), xs)
    expected, drawn = 0.0, []
    for x in xs:
        expected = expected + eager.normal(x, 1.0)
        drawn.append(eager.integers(100))
    assert total == expected
    assert counts.tolist() == drawn
    assert state.tolist() == eager.state.tolist()


def test_a_generator_outside_of_a_loop_is_refused():
    rng = Generator(67)
    with pytest.raises(InPlaceError, match="carry the state"):
        wg.scan(lambda c, x: (c + rng.normal() * x, c), 0.0, np.ones(3))
    assert rng.state.tolist() == Generator(67).state.tolist()
