"""``wengert.random``: known answers, distributions, streams, derivatives, and the same bits however
a draw is run.
"""

import copy
import pickle

import numpy as np
import pytest
from scipy import stats

import wengert as wg
from wengert.core.errors import DataError, DtypeError, ShapeError, UnsupportedError
from wengert.differentiate.record import transcribe
from wengert.ops import philox
from wengert.ops.quantiles import binomial_quantile, gamma_quantile, poisson_quantile
from wengert.ops.random import below, random_integers

Generator = wg.random.Generator
N = 20_000
ALPHA = 1e-4  # of each statistical test; the seeds are fixed


# --- the words ------------------------------------------------------------------------------------

# published with the authors' implementation (Random123): counter, key, block
ANSWERS = [
    (
        [0, 0, 0, 0],
        [0, 0],
        [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
    ),
    (
        [2**64 - 1] * 4,
        [2**64 - 1] * 2,
        [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
    ),
    (
        [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
        [0x452821E638D01377, 0xBE5466CF34E90C6C],
        [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
    ),
]


@pytest.mark.parametrize(("counter", "key", "block"), ANSWERS)
def test_known_answers(counter, key, block):
    counter, key = np.array(counter, np.uint64), np.array(key, np.uint64)
    assert philox.blocks(counter, key).tolist() == block
    assert philox.blocks(np.stack([counter] * 3), key)[2].tolist() == block


@pytest.mark.parametrize("count", [0, 1, 4, 9, 31, 32, 100])
def test_many_streams_are_numpys(count):
    rng = np.random.default_rng(0)
    key = rng.integers(0, 2**63, (2, 3, 2), np.uint64)
    counter = rng.integers(0, 2**63, (2, 3, 4), np.uint64)
    words = philox.streams(key, counter, count)
    for i in np.ndindex(2, 3):
        expected = np.random.Philox(key=key[i], counter=counter[i]).random_raw(count)
        assert (words[i] == expected).all()


@pytest.mark.parametrize("seed", [0, 12345678901234567890, [1, 2, 3], np.random.SeedSequence(5)])
def test_words_are_those_of_numpys_philox(seed):
    rng, theirs = Generator(seed), np.random.Philox(seed)
    assert (rng.bits((8,)) == theirs.random_raw(8)).all()
    assert (rng.bits((2, 2)) == theirs.random_raw(4).reshape(2, 2)).all()


def test_uniform_numbers_are_numpys():
    assert (Generator(3).random(40) == np.random.Generator(np.random.Philox(3)).random(40)).all()


def test_halves_of_words():
    words = Generator(1).bits((3,))
    halves = Generator(1).bits((5,), np.uint32)
    assert halves.dtype == np.uint32
    assert halves.tolist() == [int(words[i // 2]) >> 32 * (i % 2) & 0xFFFFFFFF for i in range(5)]


def test_products_are_exact():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2**64 - 1, (2, 200), np.uint64, endpoint=True)
    a[:3], b[:3] = 2**64 - 1, [2**64 - 1, 0, 1]
    high, low = philox.product(a, b)
    for i in range(200):
        assert int(a[i]) * int(b[i]) == int(high[i]) << 64 | int(low[i])


def test_integers_below_are_the_product_of_128_bits():
    rng = np.random.default_rng(2)
    high, low = rng.integers(0, 2**64 - 1, (2, 300), np.uint64, endpoint=True)
    span = rng.integers(1, 2**64 - 1, 300, np.uint64)
    span[:100], low[:50] = span[:100] >> np.uint64(40), 2**64 - 1
    got = below(high, low, span)
    for i in range(300):
        assert int(got[i]) == (int(high[i]) << 64 | int(low[i])) * int(span[i]) >> 128
    assert (below(high, low, np.uint64(0)) == high).all()


# --- distributions --------------------------------------------------------------------------------

CONTINUOUS = {
    "random": ((), stats.uniform()),
    "uniform": ((-2.0, 3.0), stats.uniform(-2, 5)),
    "standard_normal": ((), stats.norm()),
    "normal": ((1.0, 2.0), stats.norm(1, 2)),
    "lognormal": ((0.5, 0.7), stats.lognorm(0.7, scale=np.exp(0.5))),
    "standard_exponential": ((), stats.expon()),
    "exponential": ((2.5,), stats.expon(scale=2.5)),
    "rayleigh": ((1.5,), stats.rayleigh(scale=1.5)),
    "weibull": ((1.7,), stats.weibull_min(1.7)),
    "pareto": ((3.0,), stats.lomax(3.0)),
    "power": ((2.5,), stats.powerlaw(2.5)),
    "laplace": ((1.0, 2.0), stats.laplace(1, 2)),
    "logistic": ((1.0, 2.0), stats.logistic(1, 2)),
    "gumbel": ((1.0, 2.0), stats.gumbel_r(1, 2)),
    "standard_cauchy": ((), stats.cauchy()),
    "triangular": ((-1.0, 0.5, 2.0), stats.triang(0.5, -1, 3)),
    "standard_gamma": ((0.3,), stats.gamma(0.3)),
    "gamma": ((4.5, 2.0), stats.gamma(4.5, scale=2)),
    "chisquare": ((3.0,), stats.chi2(3)),
    "f": ((3.0, 7.0), stats.f(3, 7)),
    "beta": ((0.4, 2.0), stats.beta(0.4, 2)),
    "standard_t": ((4.0,), stats.t(4)),
}


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


def chi_square(counts, probabilities):
    """The p-value; cells of few expected counts are put together."""
    expected = probabilities * counts.sum()
    rare = expected < 10
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    keep = expected > 0
    assert not observed[~keep].any()
    expected = expected[keep]
    return stats.chisquare(observed[keep], expected * counts.sum() / expected.sum()).pvalue


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


# --- streams --------------------------------------------------------------------------------------


def correlation(x, y):
    return stats.pearsonr(np.ravel(x), np.ravel(y)).pvalue


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


# --- derivatives ----------------------------------------------------------------------------------

DIFFERENTIABLE = {
    "uniform": (-1.0, 2.0),
    "normal": (0.5, 2.0),
    "lognormal": (0.2, 0.5),
    "exponential": (2.0,),
    "rayleigh": (1.5,),
    "weibull": (1.7,),
    "pareto": (3.0,),
    "power": (2.5,),
    "laplace": (0.5, 2.0),
    "logistic": (0.5, 2.0),
    "gumbel": (0.5, 2.0),
    "triangular": (-1.0, 0.5, 2.0),
    "standard_gamma": (0.7,),
    "gamma": (4.5, 2.0),
    "chisquare": (3.0,),
    "f": (3.0, 7.0),
    "beta": (0.4, 2.0),
    "standard_t": (4.0,),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_in_the_parameters(name):
    args = DIFFERENTIABLE[name]
    size = (5, 3)

    def f(*args):
        return np.sum(np.sin(getattr(Generator(40), name)(*args, size=size)))

    wg.check_grads(f, args, order=2)
    everywhere = tuple(np.full((3,), arg) for arg in args)
    wg.check_grads(f, everywhere, order=1)


def test_derivatives_of_vectors():
    root = np.array([[1.0, 0.0], [0.3, 0.8]])
    wg.check_grads(lambda a: np.sin(Generator(41).dirichlet(a, 3)), (np.array([0.3, 1.0, 4.0]),))
    wg.check_grads(
        lambda m: np.sin(Generator(41).multivariate_normal(m, root @ root.T, 3)), (np.ones(2),)
    )
    wg.check_grads(
        lambda x: Generator(41).permutation(x) * Generator(42).permuted(x), (np.arange(1.0, 6.0),)
    )
    wg.check_grads(lambda x: Generator(43).choice(x, 7) ** 2, (np.arange(1.0, 6.0),))


@pytest.mark.parametrize("a", [1.0001, 1.5, 20.0, 1e4])
def test_slope_of_the_gamma_quantile(a):
    """Against differences of the distribution function in 40 digits, tails included."""
    mpmath = pytest.importorskip("mpmath")
    u = np.array([2.0**-53, 1e-6, 0.3, 0.5, 0.7, 1 - 1e-6, 1 - 2.0**-53])
    z = gamma_quantile(np.float64(a), u)
    slope = wg.jacobian(lambda a: gamma_quantile(a, u))(np.float64(a))
    with mpmath.workdps(40):
        h, a_ = mpmath.mpf(10) ** -12, mpmath.mpf(a)
        for zi, got in zip(map(mpmath.mpf, z.tolist()), slope, strict=True):
            ends = (0, zi) if zi < a else (zi, mpmath.inf)
            p = [mpmath.gammainc(a_ + d, *ends, regularized=True) for d in (h, -h)]
            density = mpmath.exp((a_ - 1) * mpmath.log(zi) - zi - mpmath.loggamma(a_))
            expected = -(p[0] - p[1]) / (2 * h * density) * (1 if zi < a else -1)
            assert abs(got / float(expected) - 1) < 1e-11


def test_counts_are_constants():
    rng = Generator(44)
    for f in (
        lambda x: rng.poisson(x) * x,
        lambda x: rng.binomial(4, x / 5) * x,
        lambda x: rng.geometric(x / 5) * x,
    ):
        again = copy.copy(rng)
        value, slope = wg.value_and_grad(f)(2.5)
        assert slope == value / 2.5
        rng.state = again.state


@pytest.mark.parametrize("transform", [wg.grad, wg.value_and_grad, wg.hessian])
def test_an_outer_state_advances_inside_a_transformation(transform):
    rng, expected = Generator(45), Generator(45)
    for _ in range(2):
        transform(lambda x: x * rng.normal() * x)(2.0)
        expected.normal()
        assert rng.state.tolist() == expected.state.tolist()


def test_gradients_use_the_numbers_of_the_value():
    rng = Generator(46)
    z = copy.copy(rng).normal(size=3)
    value, slope = wg.value_and_grad(lambda x: np.sum(rng.normal(0.0, x, size=3)))(2.0)
    assert value == pytest.approx(2 * z.sum())
    assert slope == pytest.approx(z.sum())
    x = wg.array(2.0, requires_grad=True)
    z = copy.copy(rng).normal(size=3)
    np.sum(rng.normal(0.0, x, size=3)).backward()
    assert x.grad.item() == pytest.approx(z.sum())


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_all_directions_of_a_jacobian_see_the_same_numbers(mode, chunk_size):
    rng = Generator(47)
    z = copy.copy(rng).normal(size=(5, 3))
    J = wg.jacobian(lambda x: rng.normal(size=(5, 3)) @ x, mode=mode, chunk_size=chunk_size)
    assert np.allclose(J(np.ones(3)), z)
    assert rng.state.tolist() == advanced(47, lambda rng: rng.normal(size=(5, 3)))


def advanced(seed, draw):
    rng = Generator(seed)
    draw(rng)
    return rng.state.tolist()


def test_hessian_of_a_noisy_function():
    rng = Generator(48)
    z = copy.copy(rng).normal(size=3)
    H = wg.hessian(lambda x: np.sum(rng.normal(size=3) * x**3))(np.ones(3))
    assert np.allclose(H, np.diag(6 * z))


def test_a_jacobian_of_each_example():
    rng = Generator(49)
    z = wg.vmap(lambda _: copy_of(rng).normal(size=2))(np.zeros(3))
    J = wg.vmap(wg.jacobian(lambda x: rng.normal(size=2) * x, mode="forward"))(np.ones((3, 2)))
    assert len(np.unique(J)) == 7  # six numbers and zero
    assert np.allclose(np.diagonal(J, axis1=1, axis2=2), z)


def copy_of(rng):
    """A generator with the same state, made outside as ``rng`` is."""
    other = copy.copy(rng)
    other.state = rng.state.copy()
    return other


def noisy(rng):
    return lambda x: np.sum(np.sin(rng.normal(size=3) * x))


def test_checkpoint_draws_the_same_on_the_way_back():
    rng, other = Generator(50), Generator(50)
    plain, checkpointed = noisy(other), wg.checkpoint(noisy(rng))
    for transform in (
        lambda f: wg.grad(f)(0.5),
        lambda f: wg.jvp(f, (0.5,), (1.0,))[1],
        lambda f: wg.hessian(f)(np.full(2, 0.5)) if False else wg.grad(wg.grad(f))(0.5),
        lambda f: wg.grad(lambda x: f(x) * f(2 * x))(0.5),
        lambda f: wg.vmap(wg.grad(f))(np.linspace(0, 1, 4)),
        lambda f: wg.grad(lambda x: np.sum(wg.vmap(f)(x)))(np.linspace(0, 1, 4)),
        lambda f: wg.vmap(lambda x: wg.jvp(f, (x,), (1.0,))[1])(np.linspace(0, 1, 4)),
        lambda f: wg.jacobian(lambda x: np.stack([f(x[0]), f(x[1])]))(np.ones(2)),
    ):
        assert np.allclose(transform(checkpointed), transform(plain), rtol=1e-12)
        assert rng.state.tolist() == other.state.tolist()


def test_a_graph_of_the_backward_pass_refuses_to_draw_anew():
    rng = Generator(51)
    x = wg.array(0.5, requires_grad=True)
    y = wg.checkpoint(noisy(rng))(x)
    with pytest.raises(UnsupportedError, match="drawn anew"):
        y.backward(create_graph=True)


# --- recorded -------------------------------------------------------------------------------------

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
def test_recorded_draws_have_the_same_bits(name):
    """One program, run on the states that draws leave, gives what eager draws give."""

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


# --- bad input ------------------------------------------------------------------------------------

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
    (lambda rng: rng.integers(5, 5), ValueError, "low must be smaller"),
    (lambda rng: rng.integers(0, 300, dtype=np.uint8), DataError, "out of bounds for uint8"),
    (lambda rng: rng.integers(0, 2**63 + 1), DataError, "out of bounds for int64"),
    (lambda rng: rng.integers(2.5), DtypeError, "expected integers"),
    (lambda rng: rng.integers(5, dtype=float), DtypeError, "an integer type"),
    (lambda rng: rng.poisson(-1.0), ValueError, "lam must be between"),
    (lambda rng: rng.binomial(5, 1.5), ValueError, "p must be probabilities"),
    (lambda rng: rng.binomial(2.5, 0.5), ValueError, "n must be whole"),
    (lambda rng: rng.geometric(0.0), ValueError, "p must be probabilities"),
    (lambda rng: rng.dirichlet(2.0), ShapeError, "expected a vector"),
    (lambda rng: rng.multivariate_normal([0.0], np.eye(2)), ShapeError, "mean is"),
    (lambda rng: rng.multivariate_normal([0.0, 0.0], np.ones(2)), ShapeError, r"\(n, n\)"),
    (lambda rng: rng.multivariate_normal([0, 0], [[1, 2], [2, 1]]), DataError, "eigenvalue"),
    (lambda rng: rng.multivariate_normal([0, 0], [[1, 2], [0, 1]]), DataError, "symmetric"),
    (lambda rng: rng.choice(3, p=[0.5, 0.5]), ShapeError, "one probability for each of 3"),
    (lambda rng: rng.choice(2, p=[0.5, 0.6]), DataError, "add up to 1.1"),
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
    with pytest.raises(UnsupportedError, match="L @ L.T"):
        wg.grad(lambda c: np.sum(Generator(0).multivariate_normal(np.zeros(2), c)))(np.eye(2))


def test_bounds_that_are_traced_are_checked_when_they_are_drawn():
    with pytest.raises(ValueError, match="low must be smaller"):
        wg.vmap(lambda n: Generator(0).integers(n))(np.array([3, 0]))
    x = wg.vmap(lambda n: Generator(0).integers(n, size=50))(np.array([3, 1000]))
    assert x[0].max() == 2
    assert x[1].max() > 500


def test_empty_bounds_of_the_primitive():
    word = np.zeros((0,), np.uint64)
    assert random_integers(word, word, 0, 3, dtype=np.dtype(np.int64)).shape == (0,)
