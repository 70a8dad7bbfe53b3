"""Elementwise functions beyond their records: edges, digits, SciPy's names, NumPy's own functions.

What every record must satisfy is generated in ``tests/primitives``. Here stand derivatives at
0, infinity and NaN and where a textbook formula would lose its digits, the functions of NumPy and
SciPy that are no ufuncs, beside their values and differences of them, and the errors.
"""

from __future__ import annotations

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.special as sp

import wengert as wg
from primitives.differences import richardson

ours = wg.scipy.special
inf, nan = np.inf, np.nan


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def slopes(f, x, dx):
    """df along dx: forward, reverse, differences with their error."""
    weights = draw(*np.shape(f(x)), seed=1)

    def loss(x):
        return np.sum(np.real(f(x) * weights))

    forward = np.sum(np.real(wg.jvp(f, (x,), (dx,))[1] * weights))
    reverse = np.sum(np.real(np.conj(wg.grad(loss)(x)) * dx))
    slope, error = richardson(lambda t: np.array([loss(x + t * dx)]), 1e-3)
    return forward, reverse, slope[0], error[0]


def check(f, x):
    """Value, type, both modes and ``vmap`` of ``f``, which NumPy or SciPy can run as well."""
    value, want = wg.vjp(f, x)[0], f(x)
    np.testing.assert_allclose(value, want, rtol=1e-14, atol=1e-14)
    assert value.dtype == want.dtype
    assert np.shape(value) == np.shape(want)
    if want.dtype.kind not in "fc":
        return
    forward, reverse, slope, error = slopes(f, x, draw(*np.shape(x), seed=2))
    tolerance = 10 * error + 1e-9 * abs(slope)
    assert abs(forward - slope) <= tolerance
    assert abs(reverse - slope) <= tolerance


def check_batched(f, x):
    stack = np.stack([x, 0.9 * x, 0.8 * x])
    np.testing.assert_allclose(wg.vmap(f)(stack), np.stack([f(row) for row in stack]), rtol=1e-13)


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


# --- SciPy's functions ----------------------------------------------------------------------------

X = np.array([[0.3, 1.2, 2.5], [0.7, 1.9, 0.4]])
WEIGHTS = np.array([[1.0, -0.2, 0.5], [0.0, 2.0, 1.0]])
SCIPY = {
    "logsumexp": lambda s, x: s.logsumexp(x),
    "logsumexp along an axis": lambda s, x: s.logsumexp(x, axis=0, keepdims=True),
    "logsumexp along two": lambda s, x: s.logsumexp(x, axis=(0, 1)),
    "logsumexp with weights": lambda s, x: s.logsumexp(x, axis=1, b=WEIGHTS),
    "logsumexp of the weights": lambda s, x: s.logsumexp(X, axis=1, b=x),
    "logsumexp, sign": lambda s, x: s.logsumexp(x, b=-WEIGHTS, return_sign=True)[0],
    "logsumexp near 0": lambda s, x: s.logsumexp(np.array([0.0, -40.0]) * x[0, 0]),
    "logsumexp, complex": lambda s, x: s.logsumexp(x * (1 + 0.5j), axis=1),
    "softmax": lambda s, x: s.softmax(x),
    "softmax along an axis": lambda s, x: s.softmax(x, axis=0),
    "softmax along two": lambda s, x: s.softmax(x, axis=(1, 0)),
    "log_softmax": lambda s, x: s.log_softmax(x),
    "log_softmax along an axis": lambda s, x: s.log_softmax(x, axis=-1),
    "polygamma": lambda s, x: s.polygamma(2, x),
    "polygamma of orders": lambda s, x: s.polygamma(np.array([0, 1, 3]), x),
    "multigammaln": lambda s, x: s.multigammaln(x + 2, 3),
    "comb": lambda s, x: s.comb(x + 3, 2),
    "comb out of range": lambda s, x: s.comb(np.array([5, 1, 4]), x),
    "comb with repetition": lambda s, x: s.comb(x + 3, 2.5, repetition=True),
    "perm": lambda s, x: s.perm(x + 3, 2.0),
    "factorial": lambda s, x: s.factorial(x),
    "zeta": lambda s, x: s.zeta(2.5, x),
    "lambertw": lambda s, x: s.lambertw(x, 1).real,
    "spherical_jn": lambda s, x: s.spherical_jn(2, x),
    "spherical_jn, slope": lambda s, x: s.spherical_jn(0, x, derivative=True),
    "spherical_yn, slope": lambda s, x: s.spherical_yn(2, x, True),
    "spherical_in, slope": lambda s, x: s.spherical_in(1, x, True),
    "spherical_kn, slope": lambda s, x: s.spherical_kn(1, x, True),
    "diric": lambda s, x: s.diric(x, 5),
    "sinc": lambda s, x: s.sinc(x),
    "several outputs": lambda s, x: s.sici(x)[0] * s.shichi(x)[1] + s.fresnel(x)[0] * s.airy(x)[3],
    "a ufunc": lambda s, x: s.gammainc(2.0, x) + s.eval_legendre(3, x) + s.jv(2, x),
}


@pytest.mark.parametrize("name", SCIPY)
def test_scipys_function(name):
    theirs = SCIPY[name]
    np.testing.assert_array_equal(theirs(ours, X), theirs(sp, X))
    value, want = wg.vjp(lambda x: theirs(ours, x), X)[0], theirs(sp, X)
    np.testing.assert_allclose(value, want, rtol=1e-13, atol=1e-15)
    assert np.shape(value) == np.shape(want)
    check(lambda x: theirs(ours, x), X)
    check_batched(lambda x: theirs(ours, x), X)


def test_logsumexp_at_the_edges():
    for x in ([-inf, -inf], [inf, 1.0], [inf, inf], [1000.0, -1000.0], [nan, 1.0], [-inf, 2.0]):
        x = np.array(x)
        np.testing.assert_array_equal(wg.vjp(ours.logsumexp, x)[0], sp.logsumexp(x))
    grad = wg.grad(ours.logsumexp)
    np.testing.assert_array_equal(grad(np.array([-inf, -inf])), [0.0, 0.0])
    np.testing.assert_array_equal(grad(np.array([inf, 1.0])), [1.0, 0.0])
    np.testing.assert_array_equal(grad(np.array([-inf, 2.0])), [0.0, 1.0])
    np.testing.assert_allclose(grad(np.float32([1000.0, 1000.0])), [0.5, 0.5])
    assert grad(np.float32([1.0, 2.0])).dtype == np.float32


def test_a_weight_of_zero_hides_an_infinity():
    with np.errstate(all="ignore"):
        value, grad = wg.value_and_grad(lambda x: ours.logsumexp(x, b=np.array([1.0, 0.0])))(
            np.array([3.0, inf])
        )
    assert value == 3.0
    np.testing.assert_array_equal(grad, [1.0, 0.0])


def test_the_names_of_scipy_special():
    for name in ours.__all__:
        assert callable(getattr(ours, name))
    assert ours.erf is sp.erf
    assert set(ours.__all__) <= set(dir(ours))
    with pytest.raises(AttributeError, match="mathieu_a"):
        ours.mathieu_a
    with pytest.raises(AttributeError, match="special"):
        wg.scipy.signal


@pytest.mark.parametrize(
    ("f", "word"),
    [
        (lambda x: sp.jv(x, 1.0), "order"),
        (lambda x: sp.gammainc(x, 1.0), "shape"),
        (lambda x: sp.zeta(x, 1.0), "exponent"),
        (lambda x: sp.hyp2f1(1.0, x, 2.0, 0.5), "parameters"),
        (lambda x: sp.mathieu_a(1.0, x), "mathieu_a"),
        (lambda x: ours.polygamma(x, 1.0), "n"),
        (lambda x: ours.comb(x, 2, exact=True), "exact"),
        (lambda x: ours.multigammaln(x, 2.5), "integer"),
        (lambda x: ours.multigammaln(x - 5, 2), "expected a"),
        (lambda x: sp.spherical_jn(1, x), "asarray"),
    ],
)
def test_what_has_no_derivative_says_so(f, word):
    for call in (lambda: wg.grad(f)(2.0), lambda: wg.jvp(f, (2.0,), (1.0,))):
        with pytest.raises(wg.errors.WengertError, match=word):
            call()


# --- NumPy's functions ----------------------------------------------------------------------------

V = draw(6)
M = draw(4, 5)
KNOTS = np.array([-2.0, -1.0, 0.5, 0.75, 2.0])
NUMPY = {
    "clip": (lambda x: np.clip(x, -0.5, 0.5), V),
    "clip below": (lambda x: np.clip(x, -0.5, None), V),
    "clip above": (lambda x: x.clip(max=0.3), V),
    "clip by arrays": (lambda x: np.clip(V, x - 1, x), draw(6, seed=3)),
    "clip with crossed limits": (lambda x: np.clip(x, 0.5, -0.5) + x, V),
    "clip with no limit": (lambda x: np.clip(x, None, None) * x, V),
    "round": (lambda x: np.round(x, 1) * x + np.around(x) * x, V),
    "fix": (lambda x: np.fix(3 * x) * x, V),
    "nan_to_num": (lambda x: np.nan_to_num(x * np.array([1, 1, 1, 1, 1, 2.0])), V),
    "nan_to_num, complex": (lambda x: np.nan_to_num(x * (1 + 2j)), V),
    "sinc": (lambda x: np.sinc(x), V),
    "i0": (lambda x: np.i0(x), V),
    "unwrap": (lambda x: np.unwrap(5 * x), V),
    "unwrap along an axis": (lambda x: np.unwrap(x, axis=0, period=1.5), M),
    "unwrap with a jump": (lambda x: np.unwrap(x, discont=2.0, period=1.0), M),
    "divmod": (lambda x: np.divmod(x, 0.7)[1] + np.divmod(x, 0.7)[0] * x, V),
    "modf": (lambda x: np.modf(3 * x)[0] + np.modf(3 * x)[1] * x, V),
    "frexp": (lambda x: np.frexp(x)[0] + np.frexp(x)[1] * x, V),
    "ldexp": (lambda x: np.ldexp(x, np.array([-2, -1, 0, 1, 2, 3])), V),
    "isclose": (lambda x: np.isclose(x, x + 1e-9 * V), V),
    "isposinf": (lambda x: np.isposinf(x) | np.isneginf(x), V),
    "isreal": (lambda x: np.isreal(x) | np.iscomplex(x), V),
    "real_if_close": (lambda x: np.real_if_close(x * (1 + 0j)), V),
    "select": (lambda x: np.select([x < -0.3, x < 0.5], [x**2, np.sin(x)], 7.0), V),
    "select without default": (lambda x: np.select([x > 0], [x**2]), V),
    "choose": (lambda x: np.choose(np.array([0, 1, 2, 0, 1, 2]), [x, x**2, x**3]), V),
    "choose, wrapped": (lambda x: np.choose(np.array([5]), [x, x**2], mode="wrap"), V),
    "choose, clipped": (
        lambda x: np.choose(np.array([-5, 5]), [x[:2], x[2:4] ** 2], mode="clip"),
        V,
    ),
    "polyval": (lambda x: np.polyval(np.array([2.0, -1.0, 0.5]), x), V),
    "polyval of the coefficients": (lambda x: np.polyval(x, np.array([0.3, -0.7])), V),
    "trapezoid": (lambda x: np.trapezoid(x), V),
    "trapezoid with spacing": (lambda x: np.trapezoid(x, dx=0.3, axis=0), M),
    "trapezoid over points": (lambda x: np.trapezoid(x, KNOTS), M),
    "trapezoid of the points": (lambda x: np.trapezoid(M, x, axis=0), np.sort(draw(4, seed=4))),
    "trapezoid over points of its shape": (
        lambda x: np.trapezoid(x, np.cumsum(x**2, 0), axis=0),
        M,
    ),
    "diff": (lambda x: np.diff(x, 2), M),
    "diff along an axis": (lambda x: np.diff(x, axis=0, prepend=0, append=x[:1]), M),
    "diff 0 times": (lambda x: np.diff(x, 0) * x, M),
    "ediff1d": (lambda x: np.ediff1d(x, to_begin=9.0, to_end=[1.0, 2.0]), M),
    "gradient": (lambda x: np.gradient(x), V),
    "gradient with spacing": (lambda x: np.gradient(x, 0.5, edge_order=2), V),
    "gradient of both axes": (lambda x: np.stack(np.gradient(x, 0.5, KNOTS)), M),
    "gradient over points": (lambda x: np.gradient(x, KNOTS, axis=1, edge_order=2), M),
    "gradient, even points": (lambda x: np.gradient(x, np.arange(5), axis=1), M),
    "gradient of the points": (lambda x: np.gradient(M[0], x, edge_order=2), KNOTS),
    "gradient of two points": (lambda x: np.gradient(x, np.array([0.0, 3.0])), V[:2]),
    "interp": (lambda x: np.interp(x, KNOTS, np.array([1.0, 3.0, -2.0, 0.0, 1.0])), V),
    "interp of the values": (lambda x: np.interp(V * 2, KNOTS, x), draw(5, seed=5)),
    "interp of the knots": (lambda x: np.interp(V, np.sort(x), draw(6, seed=6)), 2 * V),
    "interp with limits": (lambda x: np.interp(3 * x, KNOTS, KNOTS**2, left=-1.0, right=x[0]), V),
    "interp with a period": (
        lambda x: np.interp(3 * x, KNOTS[:-1], KNOTS[:-1] ** 2, period=3.1),
        V,
    ),
    "interp with one knot": (lambda x: np.interp(V, np.array([0.0]), x[:1]), V),
    "interp, complex": (lambda x: np.interp(x, KNOTS, KNOTS * (1 + 1j)), V),
    "convolve": (lambda x: np.convolve(x, np.array([1.0, -2.0, 0.5])), V),
    "convolve, same": (lambda x: np.convolve(np.arange(4.0), x, "same"), V),
    "convolve, valid": (lambda x: np.convolve(x, np.arange(3.0), "valid"), V),
    "convolve with itself": (lambda x: np.convolve(x, x[:2], "same"), V),
    "correlate": (lambda x: np.correlate(x, x[1:4] * (1 + 2j)), V),
    "correlate, full": (lambda x: np.correlate(np.arange(2.0), x, "full"), V),
    "correlate, same": (lambda x: np.correlate(x, x[:4], "same"), V),
}
READS_VALUES = {"real_if_close", "choose"}  # and so not under vmap


@pytest.mark.parametrize("name", NUMPY)
def test_numpys_function(name):
    f, x = NUMPY[name]
    with np.errstate(divide="raise", invalid="raise"):
        check(f, x)
        if name not in READS_VALUES and "knots" not in name:
            check_batched(f, x)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_filters_of_every_length(n, m, mode):
    a, v = draw(n), draw(m, seed=1) + 1j * draw(m, seed=2)
    for function in (np.convolve, np.correlate):
        for f, x in ((lambda x: function(x, v, mode), a), (lambda x: function(a, x, mode), v)):
            np.testing.assert_allclose(wg.vjp(f, x)[0], f(x), atol=1e-14)
            assert wg.vjp(f, x)[0].shape == f(x).shape


def test_piecewise_sees_what_its_condition_chooses():
    seen = []

    def root(v, scale):
        seen.append(v.shape)
        return np.sqrt(v) * scale

    def f(x):
        return np.piecewise(x, [x < 0, x > 0.3], [lambda v, scale: v**2, root, 0.5], 3.0)

    with np.errstate(all="raise"):
        check(f, V)
    assert set(seen) == {(int(np.sum(V > 0.3)),)}
    check(lambda x: np.piecewise(x, x > 0, [lambda v: v**2]), V)
    check(lambda x: np.piecewise(x, [x > 0, x <= 0], [lambda v: v**2, 0.0]), np.array(0.7))
    check(lambda x: np.piecewise(x, M > 0, [np.sin, np.cos]), M)


def test_types_and_questions():
    def f(x):
        assert np.result_type(x, 1.0) == np.float32
        assert np.result_type(x, np.float64(1.0)) == np.float64
        assert np.can_cast(x, np.float64)
        assert np.common_type(x, np.zeros(1)) == np.float64
        assert np.isrealobj(x)
        assert np.iscomplexobj(x * 1j)
        assert np.allclose(x, np.float32([1.0, 2.0]))
        assert np.array_equal(x, x)
        assert np.array_equal(x * nan, x * nan, equal_nan=True)
        assert not np.array_equal(x, x[:1])
        assert np.array_equiv(x[:1], np.ones((3, 1)))
        assert not np.array_equiv(x, np.ones(3))
        return np.sum(x)

    np.testing.assert_array_equal(wg.grad(f)(np.float32([1.0, 2.0])), [1.0, 1.0])


def test_nan_to_num_in_place_and_its_zeros():
    def f(x):
        y = x / np.array([1.0, 0.0, 1.0, 0.0])
        np.nan_to_num(y, copy=False, nan=5.0, posinf=7.0)
        return y

    x = np.array([2.0, 3.0, nan, -1.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wg.vjp(f, x)[0], [2.0, 7.0, 5.0, -np.finfo(float).max])
        gradient = wg.grad(lambda x: np.sum(f(x)[:3]))(x)
    np.testing.assert_array_equal(gradient, [1.0, 0.0, 0.0, 0.0])


def test_several_outputs_at_the_edges():
    x = np.array([inf, -inf, nan, -0.0, 1.5, -2.0, 5e-324])
    for ufunc in (np.modf, np.frexp):
        got, want = wg.vjp(lambda x, u=ufunc: u(x)[0], x)[0], ufunc(x)[0]
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
    np.testing.assert_array_equal(wg.vjp(lambda x: np.frexp(x)[1], x)[0], np.frexp(x)[1])


def test_clip_at_a_tie_shares():
    np.testing.assert_array_equal(
        wg.grad(lambda x: np.sum(np.clip(x, 0.0, 1.0)))(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])),
        [0.0, 0.5, 1.0, 0.5, 0.0],
    )


def test_single_precision_stays():
    x = np.float32([0.3, 1.2, 0.7])
    for f in (
        lambda x: np.clip(x, 0.5, None),
        lambda x: np.select([x < 0.5], [x], 1.0),
        lambda x: np.convolve(x, x),
        lambda x: np.gradient(x, 0.5),
        lambda x: np.polyval(x, x),
        np.nan_to_num,
        np.unwrap,
        np.sinc,
        ours.softmax,
        ours.softplus,
        lambda x: np.modf(x)[0],
    ):
        value, gradient = wg.value_and_grad(lambda x, f=f: np.sum(f(x)))(x)
        assert value.dtype == np.float32
        assert gradient.dtype == np.float32
        assert f(x).dtype == np.float32


ERRORS = {
    "select, counts": (lambda x: np.select([x > 0], [x, x]), "one for each"),
    "select, no booleans": (lambda x: np.select([x], [x]), "booleans"),
    "choose, out of range": (lambda x: np.choose(np.array([3]), [x, x]), "0 to 1"),
    "choose, floats": (lambda x: np.choose(x, [x, x]), "integers"),
    "piecewise, counts": (lambda x: np.piecewise(x, [x > 0], [1.0, 2.0, 3.0]), "function"),
    "diff, order": (lambda x: np.diff(x, -1), "negative"),
    "diff, axis": (lambda x: np.diff(x, axis=3), "axis"),
    "gradient, points": (lambda x: np.gradient(x, np.arange(3.0)), "coordinates"),
    "gradient, edge": (lambda x: np.gradient(x, edge_order=3), "edge_order"),
    "gradient, short": (lambda x: np.gradient(x[:1]), "at least 2"),
    "interp, lengths": (lambda x: np.interp(x, KNOTS, x), "same length"),
    "interp, period": (lambda x: np.interp(x, x, x, period=0), "period"),
    "convolve, empty": (lambda x: np.convolve(x, x[:0]), "sequence"),
    "convolve, matrix": (lambda x: np.convolve(x, np.ones((2, 2))), "sequence"),
    "convolve, mode": (lambda x: np.convolve(x, x, "wrap"), "full"),
    "clip, out=": (lambda x: np.clip(x, 0, 1, out=np.zeros(6)), "out="),
    "ediff1d, dtype": (lambda x: np.ediff1d(x, to_end=1j), "complex128"),
    "i0, complex": (lambda x: np.i0(x * 1j), "complex"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    f, word = ERRORS[name]
    with pytest.raises(wg.errors.WengertError, match=word):
        wg.vjp(f, V)
