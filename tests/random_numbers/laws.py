"""What the tests of random numbers share: laws, and how samples are held against them."""

import numpy as np
from scipy import stats

import wengert as wg

Generator = wg.random.Generator
N = 20_000
ALPHA = 1e-4  # of each statistical test; the seeds are fixed

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


def chi_square(counts, probabilities):
    """The p-value; cells of few expected counts are put together."""
    expected = probabilities * counts.sum()
    rare = expected < 10
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    keep = expected > 0
    assert not observed[~keep].any()
    expected = expected[keep]
    if len(expected) == 1:
        return 1.0
    return stats.chisquare(observed[keep], expected * counts.sum() / expected.sum()).pvalue


def correlation(x, y):
    """The p-value of two samples without correlation."""
    return stats.pearsonr(np.ravel(x), np.ravel(y)).pvalue


def noisy(rng):
    """A function of a number that draws."""
    return lambda x: np.sum(np.sin(rng.normal(size=3) * x))
