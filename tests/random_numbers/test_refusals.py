"""Bad input is named before anything is drawn."""

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import DataError, DtypeError, ShapeError, UnsupportedError
from wengert.ops.random import random_integers

from .laws import Generator

REFUSED = [
    (lambda rng: rng.normal(0.0, -1.0), DataError, "normal: scale must not be negative"),
    (lambda rng: rng.exponential(np.array([1.0, -2.0])), DataError, "exponential: scale"),
    (lambda rng: rng.uniform(2.0, 1.0), DataError, "uniform: high - low must not be negative"),
    (lambda rng: rng.uniform(0.0, np.inf), DataError, "must be finite"),
    (lambda rng: rng.weibull(0.0), DataError, "weibull: a must be positive"),
    (lambda rng: rng.gamma(-1.0), DataError, "gamma: shape must be positive"),
    (lambda rng: rng.beta(1.0, 0.0), DataError, "beta: b must be positive"),
    (lambda rng: rng.standard_t(0), DataError, "standard_t: df"),
    (lambda rng: rng.triangular(0.0, 2.0, 1.0), DataError, "triangular: right - mode"),
    (
        lambda rng: rng.normal(np.zeros(3), 1.0, size=2),
        ShapeError,
        r"do not broadcast to size=\(2,",
    ),
    (lambda rng: rng.normal(np.zeros(3), 1.0, size=()), ShapeError, "do not broadcast"),
    (lambda rng: rng.normal(np.zeros(3), np.ones(2)), ShapeError, "do not fit"),
    (lambda rng: rng.random(-1), ShapeError, "size must not be negative"),
    (lambda rng: rng.random(2, dtype=np.float16), DtypeError, "float32 or float64"),
    (lambda rng: rng.normal(1j), DtypeError, "normal: loc is .* expected real"),
    (lambda rng: rng.integers(5, 5), DataError, "no integer lies"),
    (lambda rng: rng.integers(0, 300, dtype=np.uint8), DataError, "out of bounds for uint8"),
    (lambda rng: rng.integers(0, 2**63 + 1), DataError, "out of bounds for int64"),
    (lambda rng: rng.integers(2.5), DtypeError, "expected integers"),
    (lambda rng: rng.integers(5, dtype=float), DtypeError, "an integer type"),
    (lambda rng: rng.poisson(-1.0), DataError, "lam must not be negative"),
    (lambda rng: rng.poisson(1e30), DataError, "lam must be at most"),
    (lambda rng: rng.binomial(5, 1.5), DataError, "p must be a probability"),
    (lambda rng: rng.binomial(2.5, 0.5), DataError, "n must be a whole"),
    (lambda rng: rng.geometric(0.0), DataError, "p must be positive"),
    (lambda rng: rng.dirichlet(2.0), ShapeError, "expected a vector"),
    (lambda rng: rng.multivariate_normal([0.0], np.eye(2)), ShapeError, "mean is"),
    (lambda rng: rng.multivariate_normal([0.0, 0.0], np.ones(2)), ShapeError, r"\(n, n\)"),
    (lambda rng: rng.multivariate_normal([0, 0], [[1, 2], [2, 1]]), DataError, "eigenvalue"),
    (lambda rng: rng.multivariate_normal([0, 0], [[1, 2], [0, 1]]), DataError, "symmetric"),
    (lambda rng: rng.choice(3, p=[0.5, 0.5]), ShapeError, "one probability for each of 3"),
    (lambda rng: rng.choice(2, p=[0.5, 0.6]), DataError, r"add up to 1\.1"),
    (lambda rng: rng.choice(2, p=[1.5, -0.5]), DataError, "negative"),
    (lambda rng: rng.choice(3, 4, replace=False), DataError, "there are 3"),
    (lambda rng: rng.choice(2, 2, False, [1.0, 0.0]), DataError, "there are 1 of probability"),
    (lambda rng: rng.choice(0), DataError, "of nothing"),
    (lambda rng: rng.permutation(-1), DataError, "an int from 0"),
    (lambda rng: rng.permutation(np.zeros(3), axis=1), ShapeError, "axis 1"),
    (lambda rng: rng.shuffle((1, 2)), DtypeError, "an array or a list"),
    (lambda rng: rng.spawn(-1), DataError, "n_children"),
    (lambda rng: Generator(-1), DataError, "seed"),
    (lambda rng: Generator(1.5), DtypeError, "expected an int"),
]


@pytest.mark.parametrize(("f", "error", "said"), REFUSED)
def test_bad_input(f, error, said):
    rng = Generator(0)
    with pytest.raises(error, match=said):
        f(rng)
    if said != "seed":
        assert rng.state.tolist() == Generator(0).state.tolist()


def test_bad_states():
    rng = Generator(0)
    rng.state = wg.array(np.zeros(4))
    with pytest.raises(ValueError, match="4 words of uint64"):
        rng.random()
    rng.state = np.zeros(4, np.uint64)
    with pytest.raises(DtypeError, match="expected an Array"):
        rng.random()


def test_a_covariance_that_carries_a_derivative():
    with pytest.raises(UnsupportedError, match=r"L @ L\.T"):
        wg.grad(lambda c: np.sum(Generator(0).multivariate_normal(np.zeros(2), c)))(np.eye(2))


@pytest.mark.parametrize(
    ("name", "good", "bad", "said"),
    [
        ("integers", [3, 1000], [3, 0], "low must be smaller"),
        ("poisson", [3.0, 1000.0], [3.0, -1.0], "lam must be between"),
        ("geometric", [0.5, 0.001], [0.5, 0.0], "p must be probabilities"),
    ],
)
def test_parameters_that_are_traced_are_checked_where_they_are_used(name, good, bad, said):
    def draw(parameter):
        return getattr(Generator(0), name)(parameter, size=50)

    with pytest.raises(ValueError, match=said):
        wg.vmap(draw)(np.array(bad))
    x = wg.vmap(draw)(np.array(good))
    assert x[0].max() < 50
    assert x[1].max() > 500


def test_binomial_parameters_that_are_traced_are_checked():
    for n, p, said in ((-1, 0.5, "n must be whole"), (3, 1.5, "p must be probabilities")):
        with pytest.raises(ValueError, match=said):
            wg.vmap(lambda n, p: Generator(0).binomial(n, p))(np.array([n]), np.array([p]))


def test_empty_bounds_of_the_primitive():
    word = np.zeros((0,), np.uint64)
    assert random_integers(word, word, 0, 3, dtype=np.dtype(np.int64)).shape == (0,)
