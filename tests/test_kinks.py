"""The table of kinks in docs/primitives.md: what it states is what both modes give."""

import numpy as np
import pytest
import scipy.special

import wengert as wg
import wengert.nn
import wengert.scipy.special
from wengert.core.primitive import REGISTRY
from wengert.differentiate.record import program_of

ZERO = np.array(0.0)

# name -> (function, arguments at the kink, gradient there)
POINTS = {
    "floor_divide": (lambda a, b: np.floor_divide(a, b), (2.0, 1.0), (0.0, 0.0)),
    "remainder": (lambda a, b: np.remainder(a, b), (2.0, 1.0), (1.0, -2.0)),
    "fmod": (lambda a, b: np.fmod(a, b), (2.0, 1.0), (1.0, -2.0)),
    "power": (lambda a, b: np.power(a, b), (0.0, 1.5), (0.0, 0.0)),
    "absolute": (np.abs, (0.0,), (0.0,)),
    "fabs": (np.fabs, (0.0,), (0.0,)),
    "sign": (np.sign, (0.0,), (0.0,)),
    "angle": (np.angle, (0j,), (0j,)),
    "maximum": (np.maximum, (1.0, 1.0), (0.5, 0.5)),
    "minimum": (np.minimum, (1.0, 1.0), (0.5, 0.5)),
    "fmax": (np.fmax, (1.0, 1.0), (0.5, 0.5)),
    "fmin": (np.fmin, (1.0, 1.0), (0.5, 0.5)),
    "relu": (lambda x: REGISTRY["relu"](x), (0.0,), (0.0,)),
    "copysign": (np.copysign, (-0.0, 2.0), (-1.0, 0.0)),
    "floor": (np.floor, (1.0,), (0.0,)),
    "ceil": (np.ceil, (1.0,), (0.0,)),
    "trunc": (np.trunc, (1.0,), (0.0,)),
    "rint": (np.rint, (0.5,), (0.0,)),
    "heaviside": (np.heaviside, (0.0, 0.5), (0.0, 0.0)),
    "spacing": (np.spacing, (1.0,), (0.0,)),
    "logsumexp": (
        lambda x: np.where(x[0] < 0, 0.0, 0.0) + REGISTRY["logsumexp"](x),
        (np.full(2, -np.inf),),
        (np.zeros(2),),
    ),
    "max": (np.max, (np.array([1.0, 1.0, 0.0]),), (np.array([0.5, 0.5, 0.0]),)),
    "min": (np.min, (np.array([1.0, 1.0, 2.0]),), (np.array([0.5, 0.5, 0.0]),)),
    "root": (np.linalg.norm, (np.zeros(3),), (np.zeros(3),)),
    "round": (np.round, (0.5,), (0.0,)),
    "exponent": (lambda x: np.frexp(x)[1] * 1.0, (1.0,), (0.0,)),
    "arctan2": (np.arctan2, (0.0, 0.0), (0.0, 0.0)),
    "hypot": (np.hypot, (0.0, 0.0), (0.0, 0.0)),
    "i0e": (scipy.special.i0e, (0.0,), (0.0,)),
    "i1e": (scipy.special.i1e, (0.0,), (0.5,)),
    "ive": (lambda x: scipy.special.ive(1.0, x), (0.0,), (0.5,)),
    "gammasgn": (scipy.special.gammasgn, (0.5,), (0.0,)),
    "special.round": (scipy.special.round, (0.5,), (0.0,)),
    "xlogy": (scipy.special.xlogy, (0.0, 0.0), (0.0, 0.0)),
    "xlog1py": (scipy.special.xlog1py, (0.0, -1.0), (0.0, 0.0)),
    "rel_entr": (scipy.special.rel_entr, (0.0, 0.0), (1.0, 0.0)),
    "kl_div": (scipy.special.kl_div, (0.0, 0.0), (0.0, 1.0)),
}


def test_every_stated_kink_is_tested():
    assert {name for name, primitive in REGISTRY.items() if primitive.doc.kinks} == set(POINTS)


@pytest.mark.parametrize("name", POINTS)
def test_both_modes_give_what_is_stated(name):
    function, args, expected = POINTS[name]
    numbers = tuple(range(len(args)))
    with np.errstate(all="ignore"):
        _, pullback = wg.vjp(function, *args)
        reverse = pullback(np.ones(()))
        for got, want in zip(reverse, expected, strict=True):
            np.testing.assert_array_equal(got, want)
        for i in numbers:
            x = np.asarray(args[i])
            for index in np.ndindex(x.shape):
                tangents = [np.zeros_like(np.asarray(a)) for a in args]
                tangents[i][index] = 1
                tangents = tuple(
                    t if isinstance(a, np.ndarray) else t[()]
                    for t, a in zip(tangents, args, strict=True)
                )
                _, dy = wg.jvp(function, args, tangents)
                np.testing.assert_array_equal(dy, np.real(np.asarray(expected[i])[index]))


@pytest.mark.parametrize("name", ["absolute", "relu", "maximum", "root", "max", "hypot"])
def test_the_second_order_is_finite_and_the_same_in_all_compositions(name):
    function, args, _ = POINTS[name]
    args = tuple(np.asarray(a) for a in args)
    ones = tuple(np.ones_like(a) for a in args)

    def slope(*xs):
        return wg.jvp(function, xs, ones)[1]

    def along(gradient):
        return sum(np.sum(g) for g in gradient)

    gradient = wg.grad(function, tuple(range(len(args))))
    answers = [
        along(wg.jvp(gradient, args, ones)[1]),
        along(wg.grad(lambda *xs: along(gradient(*xs)), tuple(range(len(args))))(*args)),
        along(wg.grad(slope, tuple(range(len(args))))(*args)),
        wg.jvp(slope, args, ones)[1],
    ]
    assert np.all(np.isfinite(answers)), answers
    np.testing.assert_array_equal(answers, answers[0])


def test_functions_composed_of_primitives():
    np.testing.assert_array_equal(wg.grad(np.std)(np.ones(3)), np.zeros(3))
    np.testing.assert_array_equal(wg.grad(lambda x: np.clip(x, 0.0, 1.0))(0.0), 0.5)
    np.testing.assert_array_equal(wg.jvp(np.std, (np.ones(3),), (np.arange(3.0),))[1], 0.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.maximum(x, 0.0),
        lambda x: np.minimum(x, np.float32(0.5)),
        lambda x: np.fmax(x, x[::-1]),
        lambda x: np.max(x, axis=0),
        lambda x: np.min(x),
    ],
)
def test_slopes_of_extrema_are_no_wider_than_their_arguments(function):
    """Eagerly a float64 array between two of float32 costs twice the memory."""
    x = np.array([[1.0, 0.0, 1.0], [1.0, -2.0, 0.5]], np.float32)
    program = program_of(wg.grad(lambda x: np.sum(function(x))))(x)
    made = [var.aval for eqn in program.equations for var in eqn.outputs]
    wide = [aval for aval in made if aval.dtype == np.float64 and aval.shape == x.shape]
    assert not wide, str(program)
    single, double = (wg.grad(lambda x: np.sum(function(x)))(x.astype(t)) for t in ("f4", "f8"))
    np.testing.assert_array_equal(single, double.astype(np.float32))
