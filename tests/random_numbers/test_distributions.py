"""Samples against their laws, orders and choices included."""

import numpy as np
import pytest
from scipy import stats

import wengert as wg
from wengert.ops.quantiles import binomial_quantile, poisson_quantile

from .laws import ALPHA, CONTINUOUS, Generator, N, chi_square


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_distributions(name, dtype):
    args, law = CONTINUOUS[name]
    x = getattr(Generator([11, len(name)]), name)(*args, size=(N // 4, 4), dtype=dtype)
    assert type(x) is np.ndarray
    assert x.shape == (N // 4, 4)
    assert x.dtype == dtype
    assert stats.kstest(x.ravel().astype(float), law.cdf).pvalue > ALPHA
    assert type(getattr(Generator(0), name)(*args, dtype=dtype)) is dtype


DISCRETE = {
    "poisson": [((0.3,), stats.poisson(0.3)), ((40.0,), stats.poisson(40))],
    "binomial": [
        ((1, 0.3), stats.binom(1, 0.3)),
        ((10, 0.5), stats.binom(10, 0.5)),
        ((60, 0.97), stats.binom(60, 0.97)),
    ],
    "geometric": [((0.2,), stats.geom(0.2)), ((1.0,), stats.geom(1.0))],
}


@pytest.mark.parametrize(
    ("name", "args", "law"), [(n, *row) for n, rows in DISCRETE.items() for row in rows]
)
def test_discrete_distributions(name, args, law):
    x = getattr(Generator(12), name)(*args, size=N)
    assert x.dtype == np.int64
    counts = np.bincount(x)
    p = law.pmf(np.arange(len(counts)))
    p[-1] += 1 - p.sum()
    assert chi_square(counts, p) > ALPHA
    assert type(getattr(Generator(0), name)(*args)) is np.int64


@pytest.mark.parametrize("lam", [0.0, 1e-9, 0.3, 7.0, 300.0, 1e6])
def test_poisson_quantiles(lam):
    u = np.append(np.random.default_rng(0).uniform(size=500), [2.0**-53, 1e-9, 1 - 1e-9])
    k = poisson_quantile(np.float64(lam), u)
    assert (k == (stats.poisson.ppf(u, lam) if lam else 0)).all()
    assert 0.9e15 < poisson_quantile(np.float64(1e15), np.float64(0.3)) < 1.1e15


@pytest.mark.parametrize(("n", "p"), [(0, 0.5), (7, 0.0), (7, 1.0), (30, 0.1), (2000, 0.999)])
def test_binomial_quantiles(n, p):
    u = np.append(np.random.default_rng(0).uniform(size=500), [2.0**-53, 1e-9, 1 - 1e-9])
    assert (binomial_quantile(np.int64(n), np.float64(p), u) == stats.binom.ppf(u, n, p)).all()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((10,), {}),
        ((-3, 4), {"endpoint": True}),
        ((0, 2), {"dtype": bool}),
        ((250, 256), {"dtype": np.uint8}),
        ((2**63, 2**63 + 5), {"dtype": np.uint64}),
        ((-(2**63), -(2**63) + 7), {}),
    ],
)
def test_integers(args, kwargs):
    x = Generator(13).integers(*args, size=N, **kwargs)
    assert x.dtype == kwargs.get("dtype", np.int64)
    low, high = (0, args[0]) if len(args) == 1 else args
    values, counts = np.unique(x, return_counts=True)
    assert [int(v) for v in values] == list(range(low, high + kwargs.get("endpoint", False)))
    assert stats.chisquare(counts).pvalue > ALPHA


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_of_a_whole_dtype(dtype):
    ends = np.iinfo(dtype)
    x = Generator(14).integers(ends.min, ends.max, N, dtype, endpoint=True)
    unit = (x.astype(float) - float(ends.min)) / 2.0**64
    assert stats.kstest(unit, "uniform").pvalue > ALPHA


def test_integers_with_arrays_of_bounds():
    x = Generator(15).integers(np.array([0, 10]), np.array([[1], [12]]) + 10, (500, 2, 2))
    assert x.min(axis=0).tolist() == [[0, 10], [0, 10]]
    assert x.max(axis=0).tolist() == [[10, 10], [21, 21]]


def test_dirichlet():
    alpha = np.array([0.05, 0.5, 2.0])
    x = Generator(16).dirichlet(alpha, N)
    assert np.allclose(x.sum(axis=1), 1)
    for i in range(3):
        law = stats.beta(alpha[i], alpha.sum() - alpha[i])
        assert stats.kstest(x[:, i], law.cdf).pvalue > ALPHA
    assert Generator(0).dirichlet(alpha, (2, 4)).shape == (2, 4, 3)


@pytest.mark.parametrize("cov", [[[2.0, 0.6], [0.6, 0.5]], [[1.0, 1.0], [1.0, 1.0]]])
def test_multivariate_normal(cov):
    x = Generator(17).multivariate_normal([1.0, -2.0], cov, N)
    assert x.shape == (N, 2)
    for direction in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8]):
        law = stats.norm(
            np.dot(direction, [1.0, -2.0]), np.sqrt(direction @ np.array(cov) @ direction)
        )
        assert stats.kstest(x @ direction, law.cdf).pvalue > ALPHA


def test_nothing_is_infinite_at_the_ends(monkeypatch):
    rng = Generator(0)
    for word in (0, 2**64 - 1):
        monkeypatch.setattr(
            rng, "bits", lambda shape, dtype=np.uint64, w=word: np.full(shape, w).astype(dtype)
        )
        for name, (args, _) in CONTINUOUS.items():
            for dtype in (np.float64, np.float32):
                assert np.isfinite(getattr(rng, name)(*args, dtype=dtype)), (name, word, dtype)
        assert 0 <= rng.random() < 1
        assert 0 <= rng.random(dtype=np.float32) < 1


# --- orders and choices ---------------------------------------------------------------------------


def test_permutations_are_equally_likely():
    rng = Generator(20)
    orders = np.stack([rng.permutation(4) for _ in range(4800)])
    assert (np.sort(orders, axis=1) == np.arange(4)).all()
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > ALPHA


def test_permutation_of_an_axis():
    x = np.arange(12).reshape(3, 4)
    y = Generator(1).permutation(x, axis=1)
    assert (x == np.arange(12).reshape(3, 4)).all()
    assert sorted(y.T.tolist()) == x.T.tolist()
    assert not (x == y).all()


def test_permuted():
    x = np.arange(2000).reshape(2, 1000)
    y = Generator(2).permuted(x, axis=1)
    assert (np.sort(y, axis=1) == x).all()
    assert not (y[0] == y[1] - 1000).all()
    z = Generator(2).permuted(x)
    assert z.shape == x.shape
    assert (np.sort(z.ravel()) == x.ravel()).all()
    assert (np.sort(z, axis=1) != x).any()


def test_shuffle():
    for x in (list(range(20)), np.arange(20), wg.array(np.arange(20))):
        Generator(3).shuffle(x)
        values = x if isinstance(x, list) else x.tolist()
        assert values == Generator(3).permutation(20).tolist()
        assert values != list(range(20))
    x = np.arange(12).reshape(3, 4)
    Generator(3).shuffle(x[:, 1:], axis=1)
    assert x[:, 0].tolist() == [0, 4, 8]
    assert sorted(x[0, 1:].tolist()) == [1, 2, 3]


def test_choice_with_probabilities():
    p = np.array([0.1, 0.0, 0.6, 0.3])
    x = Generator(4).choice(4, N, p=p)
    assert chi_square(np.bincount(x, minlength=4), p) > ALPHA
    assert set(Generator(4).choice(np.array([5.0, 6.0, 7.0, 8.0]), 100, p=p)) == {5.0, 7.0, 8.0}


def test_choice_without_replacement():
    rng = Generator(5)
    pairs = np.stack([rng.choice(4, 2, replace=False) for _ in range(3000)])
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert stats.chisquare(np.unique(pairs, axis=0, return_counts=True)[1]).pvalue > ALPHA
    p = np.array([0.5, 0.3, 0.2, 0.0])
    pairs = np.stack([rng.choice(4, 2, replace=False, p=p) for _ in range(3000)])
    counts = np.zeros((4, 4))
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    expected = p[:, None] * p / (1 - p[:, None])
    np.fill_diagonal(expected, 0)
    assert chi_square(counts.ravel(), expected.ravel()) > ALPHA


def test_choice_of_an_axis():
    x = np.arange(12).reshape(3, 4)
    rng = Generator(6)
    assert rng.choice(x, axis=1).shape == (3,)
    y = rng.choice(x, (2, 5), axis=1)
    assert y.shape == (3, 2, 5)
    assert (y[1] - y[0] == 4).all()
    assert sorted(rng.choice(x, 4, replace=False, axis=1)[0].tolist()) == [0, 1, 2, 3]
    assert type(rng.choice(5)) is np.int64
