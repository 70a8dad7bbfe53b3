"""NumPy's elementwise and numerical functions that are no ufuncs: on handles beside NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from agreement import check, check_batched, draw

ours = wg.scipy.special
inf, nan = np.inf, np.nan

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
    check(lambda x: np.piecewise(x, [M > 0], [np.sin, np.cos]), M)


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


def test_logaddexp_reduces():
    check(lambda x: np.logaddexp.reduce(x, axis=1), M)
