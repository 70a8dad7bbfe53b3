"""Numerical differentiation: orders of accuracy by slope, steps, dtypes, containers, errors."""

import math

import numpy as np
import pytest

import wengert as wg
from wengert import errors
from wengert.differentiate import numerical
from wengert.differentiate.differences import METHODS, automatic_step

EXACT = np.array([5.5, 2 - math.cos(5)])
POINT = np.array([2.0, 5.0])
ERRORS = {"forward": 1e-7, "central": 1e-10, "complex": 1e-15, "richardson": 1e-13}
SECOND = {"forward": 1e-5, "central": 1e-6, "complex": 1e-9, "richardson": 1e-11}
REAL = ["forward", "central", "richardson"]


def lecture(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)


def lecture_vector(x):
    return lecture(x[0], x[1])


# --- accuracy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_lecture_example(method):
    g = numerical.grad(lecture, (0, 1), method)(2.0, 5.0)
    assert isinstance(g, tuple)
    assert all(type(part) is float for part in g)
    np.testing.assert_allclose(g, EXACT, rtol=ERRORS[method])
    g = numerical.grad(lecture_vector, 0, method)(POINT)
    np.testing.assert_allclose(g, EXACT, rtol=ERRORS[method])


@pytest.mark.parametrize(("method", "order"), [("forward", 1), ("central", 2), ("complex", 2)])
@pytest.mark.parametrize("f", [np.exp, np.sin, lambda x: np.log(x) * x])
def test_the_error_falls_with_the_order_of_the_method(method, order, f):
    exact = numerical.grad(f, 0, "complex")(1.3)
    steps = 2.0 ** -np.arange(4, 9)
    wrong = [abs(numerical.grad(f, 0, method, h)(1.3) - exact) for h in steps]
    slope = np.polyfit(np.log(steps), np.log(wrong), 1)[0]
    assert abs(slope - order) < 0.1
    assert METHODS[method].order == order


def test_each_level_of_extrapolation_gains_two_orders():
    from wengert.differentiate.differences import _next_row

    exact, h = math.cos(1.0), 0.5
    row, wrong = [], []
    best = np.zeros(1), np.full(1, np.inf)
    for level in range(4):
        k = h / 2**level
        first = np.array([(math.sin(1 + k) - math.sin(1 - k)) / (2 * k)])
        row, best = _next_row(row, first, np.zeros(1), best)
        wrong.append([abs(entry[0] - exact) for entry in row])
    for j in range(3):
        assert abs(math.log2(wrong[2][j] / wrong[3][j]) - 2 * (j + 1)) < 0.2


@pytest.mark.parametrize(("method", "exponent"), [("forward", 1 / 2), ("central", 1 / 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_automatic_step(method, exponent, dtype):
    eps = float(np.finfo(dtype).eps)
    h = automatic_step(method, eps, 1.0)
    assert 0.5 * eps**exponent < h <= eps**exponent
    assert math.frexp(h)[0] == 0.5
    assert automatic_step(method, eps, 1024.0) == 1024 * h
    second = automatic_step(method, eps, 1.0, order=2)
    assert 0.5 < second / eps ** (1 / (1 / exponent + 1)) <= 1


def test_the_complex_step_needs_no_care():
    assert automatic_step("complex", 2.0**-52, 1.0) == 2.0**-65
    for h in (1e-8, 1e-20, 1e-100, 1e-200):
        g = numerical.grad(lecture_vector, 0, "complex", h)(POINT)
        np.testing.assert_allclose(g, EXACT, rtol=1e-15)


def test_the_step_is_the_one_really_taken():
    """1e-9 beside 2 is not representable; the quotient of a linear function is still exact."""
    for method in REAL:
        assert numerical.grad(lambda x: 3 * x, 0, method, 1e-9)(2.0) == pytest.approx(3, rel=1e-6)
    x = np.float32(3)
    assert numerical.grad(lambda x: x, 0, "central", 1e-5)(x) == 1.0


HARD = {
    "logarithm beside 0": (np.log, 1e-9, 1e9),
    "math.log beside 0": (math.log, 1e-9, 1e9),
    "a narrow feature": (lambda x: x * np.exp(-((x / 0.01) ** 2)), 0.0, 1.0),
    "a kink nearby": (np.abs, 1e-5, 1.0),
    "an x too small for f": (lambda x: (x + 1) ** 2, 1e-300, 2.0),
    "waves far out": (lambda x: np.sin(x) * x, 1e4, math.sin(1e4) + 1e4 * math.cos(1e4)),
    "fast waves": (lambda x: np.sin(1000 * x), 1.0, 1000 * math.cos(1000)),
    "a pole nearby": (lambda x: 1 / x, 0.01, -1e4),
    "zero times x": (lambda x: 0 * x, 1.0, 0.0),
    "flat": (lambda x: x**4, 0.0, 0.0),
    "constant": (lambda x: np.sin(5.0) + 0 * x, 1.0, 0.0),
    "large values": (np.exp, 30.0, math.exp(30)),
    "saturated": (np.tanh, 8.0, 1 / math.cosh(8) ** 2),
    "between samples": (lambda x: np.sin(2 * np.pi * x), 1024.0, 2 * np.pi),
    "negative": (lambda x: np.cbrt(x), -8.0, 1 / 12),
}


@pytest.mark.parametrize("name", HARD)
def test_richardson_finds_the_step_and_knows_its_error(name):
    f, x, exact = HARD[name]
    y, dy, error = numerical.directional(f, (x,), (1.0,))
    assert y == f(x)
    assert abs(dy - exact) <= error
    assert error <= 1e-8 * abs(exact) + 1e-12
    assert abs(numerical.grad(f, 0, "richardson")(x) - exact) <= 1e-9 * abs(exact) + 1e-13


def test_richardson_is_honest_over_random_functions():
    rng = np.random.default_rng(3)
    for _ in range(100):
        a, b, c, x = rng.normal(size=4) * [3, 3, 3, 2]
        exact = a * b * np.cos(b * x) - c * 2 * x * np.exp(-(x**2))
        _, dy, error = numerical.directional(
            lambda x, a=a, b=b, c=c: a * np.sin(b * x) + c * np.exp(-(x**2)), (x,), (1.0,)
        )
        assert abs(dy - exact) <= 4 * error
        assert error < 1e-8 * (1 + abs(a * b))


def test_an_automatic_step_stays_inside_the_domain():
    for f in (np.log, math.log):
        assert numerical.grad(f)(1e-9) == pytest.approx(1e9)
        assert numerical.grad(lambda x, f=f: f(-x), 0, "forward")(-1e-9) == pytest.approx(-1e9)


def test_at_the_end_of_the_domain_the_result_is_not_finite():
    assert math.isnan(numerical.grad(np.sqrt)(0.0))
    with pytest.raises(ValueError, match="math domain"):
        numerical.grad(lambda x: math.sqrt(x), method="richardson")(0.0)


@pytest.mark.parametrize(
    ("method", "rtol"),
    [("forward", 2e-3), ("central", 2e-4), ("complex", 1e-6), ("richardson", 1e-4)],
)
def test_float32(method, rtol):
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return np.sum(np.sin(x) * x)

    x = np.array([0.5, 2.0, -3.0], np.float32)
    g = numerical.grad(f, 0, method)(x)
    assert g.dtype == np.float32
    exact = np.sin(x, dtype=np.float64) + x * np.cos(x, dtype=np.float64)
    np.testing.assert_allclose(g, exact, rtol=rtol)
    assert seen <= {np.dtype(np.float32), np.dtype(np.complex64)}


def test_a_coarse_result_sets_the_step():
    g = numerical.grad(lambda x: np.float32(np.sin(np.float32(x))))(1.0)
    assert type(g) is float
    assert g == pytest.approx(math.cos(1), rel=1e-3)


# --- complex numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", REAL)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_the_gradient_of_a_complex_argument_descends(method, dtype):
    z = np.array([1 + 2j, -0.5 + 0.25j], dtype)
    target = np.array([0.5 - 1j, 1j])

    def loss(z):
        return np.sum(np.abs(z - target) ** 2)

    g = numerical.grad(loss, 0, method)(z)
    assert g.dtype == dtype
    rtol = 1e-2 if dtype == np.complex64 else 1e-7
    np.testing.assert_allclose(g, 2 * (z - target), rtol=rtol)
    assert loss(z - 0.1 * g) < loss(z)
    assert type(numerical.grad(lambda z: abs(z) ** 2, 0, method)(1 + 2j)) is complex


def test_the_jacobian_of_a_complex_argument():
    z = np.array([1 + 2j, 3.0])
    np.testing.assert_allclose(numerical.jacobian(lambda z: z**2)(z), np.diag(2 * z), rtol=1e-8)
    rows = numerical.jacobian(lambda z: np.abs(z) ** 2)(z)
    np.testing.assert_allclose(rows, np.diag(2 * z), rtol=1e-8, atol=1e-9)
    with pytest.raises(errors.GradientError, match="holomorphic"):
        numerical.jacobian(np.conj)(z)


def test_a_complex_result_of_a_real_argument():
    x = np.array([0.5, 2.0])
    J = numerical.jacobian(lambda x: np.exp(1j * x), method="richardson")(x)
    np.testing.assert_allclose(J, np.diag(1j * np.exp(1j * x)), atol=1e-12)
    assert numerical.jacobian(lambda x: 1j * x)(np.float32(2)).dtype == np.complex64
    _, dy, error = numerical.directional(lambda x: np.exp(1j * x), (x,), (np.array([1.0, 2.0]),))
    assert np.all(np.abs(dy - 1j * np.exp(1j * x) * [1, 2]) <= error)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.sum(np.abs(x) * x), POINT),
        (lambda x: np.linalg.norm(x) * x[0], POINT),
        (lambda x: np.sum(x * np.conj(x)), POINT),
        (lambda x: np.sum(x * x.real), POINT),
        (lambda x: x * np.abs(x), -3.0),
    ],
)
def test_the_complex_step_refuses_what_is_not_analytic(f, x):
    for way in (numerical.grad, numerical.jacobian, numerical.hessian):
        with pytest.raises(errors.GradientError, match="not analytic"):
            way(f, 0, "complex")(x)
    with pytest.raises(errors.GradientError, match="not analytic"):
        numerical.directional(f, (x,), (x,), "complex")


def test_the_complex_step_refuses_real_results_and_functions():
    with pytest.raises(errors.GradientError, match="returned real"):
        numerical.grad(lambda x: np.sum(np.abs(x)), 0, "complex")(POINT)
    with pytest.raises(errors.GradientError, match="does not take complex") as caught:
        numerical.grad(lambda x: math.sin(x), 0, "complex")(1.0)
    assert isinstance(caught.value.__cause__, TypeError)
    with pytest.raises(errors.DtypeError, match="central"):
        numerical.grad(lambda z: abs(z), 0, "complex")(1j)
    with pytest.raises(errors.DtypeError, match="results are complex"):
        numerical.jacobian(lambda x: 1j * x, 0, "complex")(1.0)


def test_fast_functions_are_analytic_all_the_same():
    g = numerical.grad(lambda x: np.sin(1e6 * x), 0, "complex")(1.0)
    assert g == pytest.approx(1e6 * math.cos(1e6), rel=1e-9)


# --- containers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_containers_keep_their_structure_and_integers_get_none(method):
    def f(p, scale):
        return np.sum(p["w"] @ p["w"].T) * p["n"] * scale + p["b"][0] * p["b"][1]

    p = {"w": np.array([[1.0, 2.0]]), "b": (2.0, np.float64(3)), "n": 3, "no": None, "t": True}
    g = numerical.grad(f, (0, 1), method)(p, 2.0)
    assert set(g[0]) == set(p)
    np.testing.assert_allclose(g[0]["w"], [[12, 24]], rtol=1e-6)
    np.testing.assert_allclose(g[0]["b"], [3, 2], rtol=1e-6)
    assert type(g[0]["b"][0]) is float
    assert type(g[0]["b"][1]) is np.float64
    assert g[0]["n"] is None
    assert g[0]["no"] is None
    assert g[0]["t"] is None
    np.testing.assert_allclose(g[1], 15, rtol=1e-6)


def test_scalars_keep_their_kind():
    for x in (2.0, np.float64(2), np.float32(2), np.array(2.0)):
        seen = []
        g = numerical.grad(lambda x, seen=seen: seen.append(type(x)) or x * x)(x)
        numerical.directional(lambda x, seen=seen: seen.append(type(x)) or x * x, (x,), (1.0,))
        assert type(g) is type(x)
        assert set(seen) == {type(x)}
    assert numerical.grad(lambda p: 1.0)({"n": 3}) == {"n": None}
    assert numerical.grad(np.sum)(np.zeros((0, 3))).shape == (0, 3)


def test_arguments_are_never_changed():
    x = np.array([[1.0, 2.0], [3.0, 4.0]]).T
    before = x.copy()

    def f(x):
        x *= 2
        x[0] = x[1]
        return np.sum(x**2)

    g = numerical.grad(f, method="richardson")(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(g, [[0, 0], 16 * before[1]], atol=1e-10)


def test_argnums_and_keywords():
    def f(a, b, *, c):
        return a * b**2 * c

    assert numerical.grad(f, 1)(2.0, 3.0, c=5.0) == pytest.approx(60)
    assert numerical.grad(f, -1)(2.0, 3.0, c=5.0) == pytest.approx(60)
    assert numerical.grad(f, (1, 0))(2.0, 3.0, c=5.0) == pytest.approx((60, 45))


@pytest.mark.parametrize("method", METHODS)
def test_jacobians(method):
    A = np.arange(6.0).reshape(2, 3)

    def f(x, s):
        return {"y": A @ x * s, "z": (np.sum(x**2), 3)}

    x = np.array([1.0, -2.0, 0.5])
    J = numerical.jacobian(f, (0, 1), method)(x, 2.0)
    np.testing.assert_allclose(J["y"][0], 2 * A, atol=1e-6)
    np.testing.assert_allclose(J["y"][1], A @ x, atol=1e-6)
    np.testing.assert_allclose(J["z"][0][0], 2 * x, atol=1e-6)
    np.testing.assert_array_equal(J["z"][1][0], 0 * x)
    single = numerical.jacobian(lambda x: A[:, :, None] * x, method=method)(x)
    assert single.shape == (2, 3, 3, 3)


@pytest.mark.parametrize("method", METHODS)
def test_hessians(method):
    H = numerical.hessian(lecture, (0, 1), method)(2.0, 5.0)
    np.testing.assert_allclose(H, [[-0.25, 1], [1, math.sin(5)]], atol=SECOND[method])
    assert H[0][1] == H[1][0]

    def f(p):
        return np.sum(np.sin(p["a"]) * p["b"] ** 2) * p["n"]

    p = {"a": np.array([0.5, 1.0]), "b": 3.0, "n": 2}
    H = numerical.hessian(f, 0, method)(p)
    atol = 100 * SECOND[method]
    np.testing.assert_allclose(H["a"]["a"], np.diag(-18 * np.sin(p["a"])), atol=atol)
    np.testing.assert_allclose(H["a"]["b"], 12 * np.cos(p["a"]), atol=atol)
    np.testing.assert_allclose(H["b"]["b"], 4 * np.sum(np.sin(p["a"])), atol=atol)
    assert H["n"] is None
    assert H["a"]["n"] is None


def test_hessian_of_complex_numbers_is_refused():
    with pytest.raises(errors.DtypeError, match="real and imaginary"):
        numerical.hessian(lambda z: abs(z) ** 2)(1j)


# --- along a direction --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_directional(method):
    A = np.arange(6.0).reshape(2, 3)

    def f(x, p, n):
        return {"y": np.sin(A @ x) * n, "z": p["s"] ** 2}

    x, dx = np.array([1.0, -2.0, 0.5]), np.array([0.5, 1.0, -3.0])
    y, dy, error = numerical.directional(
        f, (x, {"s": 3.0, "k": 1}, 2), (dx, {"s": 0.5, "k": None}, None), method
    )
    np.testing.assert_array_equal(y["y"], np.sin(A @ x) * 2)
    np.testing.assert_allclose(dy["y"], 2 * np.cos(A @ x) * (A @ dx), rtol=3e-6)
    np.testing.assert_allclose(dy["z"], 3.0, rtol=3e-6)
    assert np.isnan(error["z"]) == (method != "richardson")
    same = numerical.directional(f, (x, {"s": 3.0, "k": 1}, 2), (dx, {"s": 0.5, "k": 7}, 9), method)
    np.testing.assert_array_equal(same.derivative["y"], dy["y"])


def test_directional_takes_tangents_of_any_size_and_none():
    for size in (1e-6, 1.0, 1e6):
        _, dy, error = numerical.directional(np.exp, (0.5,), (size,))
        assert abs(dy - size * math.exp(0.5)) <= error <= 1e-10 * size
    _, dy, _ = numerical.directional(lambda x: np.sum(x**2), (POINT,), (0 * POINT,))
    assert dy == 0


def test_directional_refuses_tangents_that_do_not_fit():
    with pytest.raises(errors.ShapeError, match="2 tangents"):
        numerical.directional(np.sin, (1.0,), (1.0, 2.0))
    with pytest.raises(errors.ShapeError, match="shape"):
        numerical.directional(np.sin, (POINT,), (1.0,))
    with pytest.raises(errors.ShapeError, match="structure"):
        numerical.directional(lambda p: p["x"], ({"x": 1.0},), ({"y": 1.0},))
    with pytest.raises(errors.DtypeError, match="tangent"):
        numerical.directional(np.sin, (1.0,), (1j,))


# --- errors -------------------------------------------------------------------------------------

REFUSED = {
    "an integer": (lambda: numerical.grad(lambda x: x * x)(3), errors.DtypeError, "float"),
    "an integer array": (
        lambda: numerical.grad(np.sum)(np.arange(3)),
        errors.DtypeError,
        "astype",
    ),
    "a bool": (lambda: numerical.grad(lambda x: x)(True), errors.DtypeError, "float"),
    "a list": (lambda: numerical.grad(np.sum)([1, 2]), errors.DtypeError, "array"),
    "a list of floats": (lambda: numerical.grad(np.sum)([1.0, 2.0]), errors.DtypeError, "array"),
    "text": (lambda: numerical.grad(len)("abc"), errors.DtypeError, "str"),
    "objects": (
        lambda: numerical.grad(np.sum)(np.array([1.0, None])),
        errors.DtypeError,
        "object",
    ),
    "a vector result": (
        lambda: numerical.grad(lambda x: x * 2)(POINT),
        errors.ShapeError,
        "scalar",
    ),
    "one number in an array": (
        lambda: numerical.grad(lambda x: x[:1])(POINT),
        errors.ShapeError,
        r"shape \(1,\).*scalar",
    ),
    "a container result": (
        lambda: numerical.grad(lambda x: (x[0], x[1]))(POINT),
        errors.ShapeError,
        "container.*scalar",
    ),
    "a complex result": (lambda: numerical.grad(lambda x: 1j * x)(1.0), errors.DtypeError, "real"),
    "no result": (lambda: numerical.grad(lambda x: None)(1.0), errors.DtypeError, "None"),
    "a text result": (lambda: numerical.grad(lambda x: "y")(1.0), errors.DtypeError, "numbers"),
    "a truth value": (lambda: numerical.grad(lambda x: x > 0)(1.0), errors.DtypeError, "bool"),
    "an unknown method": (
        lambda: numerical.grad(np.sin, 0, "centre"),
        numerical.StepError,
        "'central'",
    ),
    "a method that is no name": (lambda: numerical.grad(np.sin, 0, 3), numerical.StepError, "3"),
    "a step of 0": (lambda: numerical.grad(np.sin, step=0.0), numerical.StepError, "above 0"),
    "a step of nan": (lambda: numerical.grad(np.sin, step=math.nan), numerical.StepError, "finite"),
    "a step that is no number": (
        lambda: numerical.jacobian(np.sin, step="1"),
        errors.DtypeError,
        "step",
    ),
    "a step without effect": (
        lambda: numerical.grad(lecture, 1, step=1e-20)(2.0, 5.0),
        numerical.StepError,
        r"vanishes beside x = 5.0 \(argument 1",
    ),
    "a step without effect, in an array": (
        lambda: numerical.hessian(lecture_vector, method="richardson", step=1e-20)(POINT),
        numerical.StepError,
        r"\[0\]",
    ),
    "an argument that is not there": (
        lambda: numerical.grad(np.sin, 1)(1.0),
        errors.ShapeError,
        "1 positional",
    ),
    "argnums of a float": (lambda: numerical.grad(np.sin, 0.5)(1.0), errors.DtypeError, "argnums"),
    "argnums twice": (
        lambda: numerical.grad(lecture, (0, 0))(1.0, 2.0),
        errors.ShapeError,
        "different",
    ),
    "a result of changing shape": (
        lambda: numerical.jacobian(lambda x: x[x > 1])(np.array([0.5, 1.0])),
        errors.ShapeError,
        "changed its structure",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert isinstance(caught.value, errors.WengertError)


def test_the_users_own_errors_pass():
    def f(x):
        raise KeyError("mine")

    for method in METHODS:
        with pytest.raises(KeyError, match="mine"):
            numerical.grad(f, 0, method)(1.0)


def test_arrays_of_the_engine():
    constant = wg.array(np.array([3.0, 4.0]))
    tracked = wg.array(np.array([3.0, 4.0]), requires_grad=True)
    g = numerical.grad(lambda x: np.sum(x * constant))(POINT)
    np.testing.assert_allclose(g, [3, 4], rtol=1e-9)
    with pytest.raises(errors.ConversionError):
        numerical.grad(lambda x: np.sum(x * tracked))(POINT)
    with pytest.raises(errors.DtypeError, match=r"x\.numpy\(\)"):
        numerical.grad(np.sum)(constant)
    H = numerical.jacobian(wg.grad(lambda x: np.sum(np.sin(x))))(POINT)
    np.testing.assert_allclose(H, np.diag(-np.sin(POINT)), atol=1e-9)


def test_warnings_come_from_the_point_itself_only():
    with pytest.warns(RuntimeWarning, match="divide"):
        numerical.grad(lambda x: np.sum(np.log(x)))(np.array([0.0]))
    numerical.grad(lambda x: np.sum(np.log(x)), method="richardson")(np.array([1e-3]))


# --- the error against the step -----------------------------------------------------------------


def test_error_curves():
    curves = {c.method: c for c in numerical.error_curve(lecture_vector, POINT, EXACT)}
    assert list(curves) == list(METHODS)
    for method, least, step in [("forward", 3e-8, 1e-7), ("central", 1e-10, 1e-5)]:
        curve = curves[method]
        best, error = curve.best
        assert error < least
        assert step / 30 < best < step * 30
        assert curve.optimum / 100 < best < curve.optimum * 100
        errors_ = dict(zip(curve.steps, curve.errors, strict=True))
        assert errors_[1e-20] == 1.0  # x does not feel the step
        large = [errors_[h] for h in curve.steps if 0.01 <= h <= 0.1]
        assert abs(np.log10(large[0] / large[-1]) - curve.order) < 0.1
    assert (
        max(
            e
            for h, e in zip(curves["complex"].steps, curves["complex"].errors, strict=True)
            if h < 1e-9
        )
        < 1e-15
    )
    assert curves["richardson"].best[1] < 1e-13


def test_error_curves_say_what_they_can_not_do():
    (curve,) = numerical.error_curve(lambda x: abs(x) * x, 1.0, 2.0, ["complex"])
    assert not curve.steps
    assert "not analytic" in curve.problem
    assert math.isnan(curve.best[1])
    (curve,) = numerical.error_curve(math.log, 0.5, 2.0, ["central"], steps=[1.0, 1e-5])
    assert math.isnan(curve.errors[0])
    assert curve.best[0] == 1e-5
    with pytest.raises(errors.ShapeError, match="gradient of the same shape"):
        numerical.error_curve(lecture_vector, POINT, 5.5)
    with pytest.raises(errors.ShapeError, match="scalar"):
        numerical.error_curve(np.sin, POINT, POINT)
