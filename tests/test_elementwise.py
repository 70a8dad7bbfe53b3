"""Elementwise functions beyond their records: edges and digits.

What every record must satisfy is generated in ``tests/primitives``. Here stand derivatives at
0, infinity and NaN and where a textbook formula would lose its digits; and that SciPy is loaded
on first use only.
"""

from __future__ import annotations

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.special as sp

import wengert as wg

ours = wg.scipy.special
inf, nan = np.inf, np.nan


# --- the layers of imports ------------------------------------------------------------------------


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_scipy_is_loaded_on_first_use():
    assert run(
        "import sys, wengert, numpy; wengert.grad(numpy.exp)(1.0); print('scipy' in sys.modules)"
    ) == ["False"]
    assert run("import wengert, numpy as np; print(wengert.grad(np.sinc)(0.0) == 0)") == ["True"]
    assert run("import sys, wengert.scipy; print('scipy' in sys.modules)") == ["False"]
    assert run("import wengert; print(wengert.scipy.special.expit(0.0))") == ["0.5"]
    code = "import wengert as w, scipy.special as s; print(w.grad(s.erf)(0.0) > 1.128)"
    assert run(code) == ["True"]


# --- derivatives at the edges ---------------------------------------------------------------------

EDGES = {
    "exp": (np.exp, [-inf, 0.0, inf], [0.0, 1.0, inf]),
    "expm1": (np.expm1, [-inf, 0.0, 1e-300], [0.0, 1.0, 1.0]),
    "log": (np.log, [0.0, inf], [inf, 0.0]),
    "log1p": (np.log1p, [-1.0, 0.0, inf], [inf, 1.0, 0.0]),
    "log2": (np.log2, [0.0, 1.0], [inf, 1 / np.log(2)]),
    "sqrt": (np.sqrt, [0.0, 4.0, inf], [inf, 0.25, 0.0]),
    "cbrt": (np.cbrt, [0.0, -8.0], [inf, 1 / 12]),
    "tanh": (np.tanh, [-inf, 0.0, inf], [0.0, 1.0, 0.0]),
    "arcsin": (np.arcsin, [-1.0, 0.0, 1.0], [inf, 1.0, inf]),
    "arccos": (np.arccos, [-1.0, 1.0], [-inf, -inf]),
    "arctan": (np.arctan, [-inf, 0.0, 1e200], [0.0, 1.0, 0.0]),
    "arcsinh": (np.arcsinh, [0.0, 1e200, -1e300], [1.0, 1e-200, 1e-300]),
    "arccosh": (np.arccosh, [1.0, 1e200], [inf, 1e-200]),
    "arctanh": (np.arctanh, [0.0, 1.0, -1.0], [1.0, inf, inf]),
    "sinc": (np.sinc, [0.0, 1.0, 2.0], [0.0, -1.0, 0.5]),
    "expit": (sp.expit, [-800.0, 0.0, 800.0], [0.0, 0.25, 0.0]),
    "log_expit": (sp.log_expit, [-800.0, 0.0, 800.0], [1.0, 0.5, 0.0]),
    "softplus": (ours.softplus, [-800.0, 0.0, 800.0], [0.0, 0.5, 1.0]),
    "log_ndtr": (sp.log_ndtr, [-1e6, 0.0, 40.0], [1e6, np.sqrt(2 / np.pi), 0.0]),
    "erf": (sp.erf, [-inf, 0.0, inf], [0.0, 2 / np.sqrt(np.pi), 0.0]),
    "entr": (sp.entr, [0.0, 1.0], [inf, -1.0]),
    "j0": (sp.j0, [0.0], [0.0]),
    "j1": (sp.j1, [0.0], [0.5]),
    "i1": (sp.i1, [0.0], [0.5]),
    "i0e": (sp.i0e, [0.0], [0.0]),
    "rgamma": (sp.rgamma, [0.0, -1.0, -2.0, -3.0], [1.0, -1.0, 2.0, -6.0]),
    "spence": (sp.spence, [1.0], [-1.0]),
    "exprel": (sp.exprel, [0.0], [0.5]),
    "deg2rad": (np.deg2rad, [0.0, inf], [np.pi / 180] * 2),
}


@pytest.mark.parametrize("name", EDGES)
def test_derivative_at_the_edge(name):
    f, points, want = EDGES[name]
    for x, slope in zip(points, want, strict=True):
        with np.errstate(all="ignore"):
            forward, reverse = wg.jvp(f, (x,), (1.0,))[1], wg.grad(f)(x)
        np.testing.assert_allclose([forward, reverse], slope, rtol=1e-11, err_msg=f"at {x}")


@pytest.mark.parametrize(
    "f", [np.exp, np.log, np.sin, np.tanh, np.sqrt, sp.erf, sp.gammaln, np.sinc]
)
def test_nan_stays_nan(f):
    assert np.isnan(wg.grad(f)(nan))
    assert np.isnan(wg.jvp(f, (nan,), (1.0,))[1])


TWO = {
    "logaddexp far apart": (np.logaddexp, (0.0, -800.0), (1.0, 0.0)),
    "logaddexp of -inf": (np.logaddexp, (-inf, -inf), (0.5, 0.5)),
    "logaddexp of inf": (np.logaddexp, (inf, 1.0), (1.0, 0.0)),
    "logaddexp of equals": (np.logaddexp, (1e9, 1e9), (0.5, 0.5)),
    "logaddexp2": (np.logaddexp2, (1.0, 1.0), (0.5, 0.5)),
    "arctan2 at the origin": (np.arctan2, (0.0, 0.0), (0.0, 0.0)),
    "arctan2 of huge numbers": (np.arctan2, (1e200, 1e200), (5e-201, -5e-201)),
    "hypot at the origin": (np.hypot, (0.0, 0.0), (0.0, 0.0)),
    "hypot of huge numbers": (np.hypot, (3e200, 4e200), (0.6, 0.8)),
    "xlogy at 0 and 0": (sp.xlogy, (0.0, 0.0), (0.0, 0.0)),
    "xlogy at 0": (sp.xlogy, (0.0, 2.0), (np.log(2.0), 0.0)),
    "xlogy at 0 and below": (sp.xlogy, (0.0, -2.0), (0.0, -0.0)),
    "xlog1py at 0 and -1": (sp.xlog1py, (0.0, -1.0), (0.0, 0.0)),
    "rel_entr at 0 and 0": (sp.rel_entr, (0.0, 0.0), (1.0, 0.0)),
    "kl_div at 0 and 0": (sp.kl_div, (0.0, 0.0), (0.0, 1.0)),
    "boxcox with exponent 0": (sp.boxcox, (2.0, 0.0), (0.5, 0.5 * np.log(2.0) ** 2)),
    "huber inside": (sp.huber, (1.0, 0.5), (0.0, 0.5)),
    "huber outside": (sp.huber, (1.0, -3.0), (2.0, -1.0)),
    "betaln": (sp.betaln, (1.0, 1.0), (-1.0, -1.0)),
}


@pytest.mark.parametrize("name", TWO)
def test_both_derivatives_at_the_edge(name):
    f, xs, want = TWO[name]
    with np.errstate(all="ignore"):
        forward = [wg.jvp(f, xs, e)[1] for e in ((1.0, 0.0), (0.0, 1.0))]
        reverse = wg.grad(f, argnums=(0, 1))(*xs)
    np.testing.assert_allclose([forward, reverse], [want] * 2, rtol=1e-11)


def test_second_derivatives_at_the_edge():
    hessian = wg.hessian(lambda x: np.logaddexp(x[0], x[1]))(np.array([7.0, 7.0]))
    np.testing.assert_allclose(hessian, 0.25 * np.array([[1, -1], [-1, 1]]))
    hessian = wg.hessian(lambda x: sp.xlogy(x[0], x[1]))(np.array([0.0, 4.0]))
    np.testing.assert_allclose(hessian, [[0, 0.25], [0.25, 0]])
    slope = np.sinc
    for want in (0.0, -(np.pi**2) / 3, 0.0, np.pi**4 / 5):
        slope = wg.grad(slope)
        np.testing.assert_allclose(slope(0.0), want, atol=1e-13)


# --- digits ---------------------------------------------------------------------------------------

DIGITS = {
    "erfcx": (sp.erfcx, lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [0.1, 29.0, 31.0, 1e4]),
    "dawsn": (
        sp.dawsn,
        lambda x: mpmath.exp(-x * x) * mpmath.erfi(x) * mpmath.sqrt(mpmath.pi) / 2,
        [0.1, 29.0, -31.0, 50.0],
    ),
    "log_ndtr": (sp.log_ndtr, lambda x: mpmath.log(mpmath.ncdf(x)), [-30.0, -5.0, 0.0, 5.0]),
    "ndtri_exp": (
        sp.ndtri_exp,
        lambda y: mpmath.findroot(lambda x: mpmath.log(mpmath.ncdf(x)) - y, sp.ndtri_exp(float(y))),
        [-50.0, -1.0],
    ),
    "spence": (sp.spence, lambda x: mpmath.polylog(2, 1 - x), [1e-3, 0.5, 1 - 1e-9, 1.3, 30.0]),
    "exprel": (sp.exprel, lambda x: mpmath.expm1(x) / x, [-20.0, 1e-7, 0.3, 20.0]),
    "boxcox": (
        lambda b: sp.boxcox(3.0, b),
        lambda b: mpmath.expm1(b * mpmath.log(3)) / b,
        [-2.0, 1e-8, 2.0],
    ),
    "pseudo_huber": (
        lambda a: sp.pseudo_huber(a, 1e-3),
        lambda a: a * a * (mpmath.sqrt(1 + (mpmath.mpf("1e-3") / a) ** 2) - 1),
        [1.0, 1e-3],
    ),
    "rgamma": (sp.rgamma, mpmath.rgamma, [-3.5, -3 + 1e-9, 0.4999, 0.5, 4.0]),
    "psi": (sp.psi, mpmath.psi(0, 1) and (lambda x: mpmath.psi(0, x)), [-1.5, 0.1, 1.4616, 50.0]),
    "arctanh": (np.arctanh, mpmath.atanh, [1 - 1e-9, -1 + 1e-12, 0.3]),
    "arcsin": (np.arcsin, mpmath.asin, [1 - 1e-9, -0.3]),
    "sinc": (np.sinc, lambda x: mpmath.sincpi(x), [1e-9, 1e-3, 0.7, 10.25]),
}


@pytest.mark.parametrize("name", DIGITS)
def test_the_derivative_has_its_digits(name):
    f, exact, points = DIGITS[name]
    with mpmath.workdps(60):
        want = [float(mpmath.diff(exact, mpmath.mpf(x))) for x in points]
    got = [wg.grad(f)(x) for x in points]
    np.testing.assert_allclose(got, want, rtol=2e-12)
