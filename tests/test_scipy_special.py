"""``wengert.scipy.special``: SciPy's functions on handles, beside SciPy's own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sp

import wengert as wg
from agreement import check, check_batched

ours = wg.scipy.special
inf, nan = np.inf, np.nan

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
