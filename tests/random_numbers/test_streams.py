"""Streams: of draws, of children, of copies, of the examples of a ``vmap``."""

import copy
import pickle

import numpy as np
import pytest
from scipy import stats

import wengert as wg

from .laws import ALPHA, Generator, correlation


def test_draws_follow_one_another_without_overlap():
    whole, parts = Generator(7).bits((40,)), Generator(7)
    assert (np.concatenate([parts.bits((n,)) for n in (8, 4, 28)]) == whole).all()
    rng = Generator(7)  # a draw that does not end with a block leaves the rest of it
    words = np.concatenate([rng.bits((n,)) for n in (1, 3, 5, 2, 7)])
    assert len(np.unique(words)) == words.size
    assert rng.state.tolist()[2:] == [1 + 1 + 2 + 1 + 2, 0]


def test_children_are_independent():
    parent = Generator(8)
    children = parent.spawn(3)
    more = children[0].spawn(1)
    assert (parent.bits((8,)) == Generator(8).bits((8,))).all()
    draws = [rng.random(5000) for rng in (parent, *children, *more, *parent.spawn(1))]
    assert len(np.unique(np.concatenate(draws))) == 6 * 5000
    for i, x in enumerate(draws):
        assert stats.kstest(x, "uniform").pvalue > ALPHA
        assert all(correlation(x, y) > ALPHA for y in draws[:i])


def test_children_do_not_depend_on_how_they_are_asked_for():
    one, two = Generator(9), Generator(9)
    two.random(3)
    together, single = one.spawn(3), [*two.spawn(1), *two.spawn(2)]
    for a, b in zip(together, single, strict=True):
        assert (a.bits((4,)) == b.bits((4,))).all()
    assert Generator(9).spawn(0) == []


def test_copies_and_pickles_draw_the_same():
    rng = Generator(10)
    rng.normal(size=7)
    copies = [copy.copy(rng), copy.deepcopy(rng), pickle.loads(pickle.dumps(rng))]
    expected = rng.random(3)
    for other in copies:
        assert (other.random(3) == expected).all()
        assert repr(other) == repr(rng)


def test_the_state_set_back_draws_again():
    rng = Generator(11)
    before = rng.state.copy()
    first = rng.gamma(2.0, size=4)
    rng.state = before
    assert (rng.gamma(2.0, size=4) == first).all()


def test_entropy_of_the_system():
    assert Generator().random() != Generator(None).random()


def test_repr_says_what_is_used():
    rng = Generator(0)
    rng.random(9)
    rng.spawn(2)
    assert repr(rng).endswith("3 blocks used, 2 children)")


# --- vmap -----------------------------------------------------------------------------------------


def test_examples_have_streams_of_their_own():
    rng = Generator(30)
    x = wg.vmap(lambda _: rng.random(50))(np.zeros(200))
    assert type(x) is np.ndarray
    assert x.shape == (200, 50)
    assert len(np.unique(x)) == x.size
    assert stats.kstest(x.ravel(), "uniform").pvalue > ALPHA
    assert correlation(x[:-1], x[1:]) > ALPHA
    assert correlation(x[:, :-1], x[:, 1:]) > ALPHA
    assert rng.state.tolist() == [*Generator(30).state.tolist()[:2], 13, 0]
    later = rng.random(10_000)
    assert not np.isin(later, x).any()


def test_nested_vmap():
    rng = Generator(31)
    x = wg.vmap(lambda a: wg.vmap(lambda b: rng.random(3) + 0 * a * b)(np.zeros(4)))(np.zeros(5))
    assert x.shape == (5, 4, 3)
    assert len(np.unique(x)) == 60


@pytest.mark.parametrize("name", ["integers", "permutation", "choice", "poisson", "gamma"])
def test_all_kinds_of_draws_under_vmap(name):
    rng = Generator(32)
    args = {"integers": (2**40,), "permutation": (9,), "choice": (2**40,)}.get(name, (30.0,))
    x = wg.vmap(lambda _: getattr(rng, name)(*args))(np.zeros(6))
    assert len(np.unique(x, axis=0)) > 3
    assert x.shape == ((6, 9) if name == "permutation" else (6,))


def test_parameters_of_each_example():
    rng = Generator(33)
    scale = np.array([1e-3, 1.0, 1e3])
    x = wg.vmap(lambda s: rng.normal(0.0, s, size=2000))(scale)
    assert np.allclose(x.std(axis=1) / scale, 1, atol=0.1)


def test_a_generator_made_inside_is_the_same_for_each_example():
    x = wg.vmap(lambda _: Generator(5).random())(np.zeros(3))
    assert (x == Generator(5).random()).all()


def test_children_of_examples():
    rng = Generator(34)
    x = wg.vmap(lambda _: np.stack([child.random() for child in rng.spawn(2)]))(np.zeros(4))
    assert len(np.unique(x)) == 8
    assert rng.random() == Generator(34).random()


def test_state_as_an_argument_under_vmap():
    def draw(state):
        rng = Generator(0)
        rng.state = state
        return rng.random(3), rng.state

    states = np.stack([Generator(seed).state.numpy() for seed in range(4)])
    x, after = wg.vmap(draw)(states)
    for seed in range(4):
        rng = Generator(seed)
        assert (x[seed] == rng.random(3)).all()
        assert after[seed].tolist() == rng.state.tolist()
