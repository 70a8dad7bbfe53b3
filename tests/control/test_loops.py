"""Carries, structures, sizes and errors of loops and branches."""

import tracemalloc

import numpy as np
import pytest

import wengert as wg
from wengert import Aval
from wengert.control.legs import Loop
from wengert.core.errors import DtypeError, EscapedValue, ShapeError, UnsupportedError
from wengert.core.program import programs_in
from wengert.differentiate.abstract import abstract_program
from wengert.differentiate.record import program_of

X = np.array([0.5, 1.0, 2.0])


def program(f, *avals):
    return abstract_program(f, avals or (Aval((3,)),)).program.check()


# --- values and types -----------------------------------------------------------------------------


def test_plain_values_stay_plain():
    count = wg.fori_loop(0, 5, lambda i, c: c + i, 0)
    assert count == 10
    assert type(count) is int
    carry, ys = wg.scan(lambda c, x: (c + x, {"square": x * x, "none": None}), 0.0, X)
    assert carry == 3.5
    assert type(carry) is np.float64
    np.testing.assert_array_equal(ys["square"], X**2)
    assert ys["none"] is None
    assert type(wg.cond(True, lambda x: x, lambda x: -x, X)) is np.ndarray


def test_handles_stay_handles():
    w = wg.array(X, requires_grad=True)
    y = wg.cond(w[0] > 0, np.sin, np.cos, w)
    assert isinstance(y, wg.Array)
    assert y.requires_grad


def test_a_python_scalar_becomes_numpys_where_the_step_gives_numpys():
    carry, _ = wg.scan(lambda c, x: (c + x, None), 0, X)
    assert carry.dtype == np.float64
    carry, _ = wg.scan(lambda c, x: (c + x, None), 0.0, X.astype(np.float32))
    assert carry.dtype == np.float32
    y = wg.cond(True, lambda x: 0.0, lambda x: x, np.float32(2))
    assert y.dtype == np.float32


def test_float32_with_python_scalars_stays_float32():
    x = X.astype(np.float32)
    half = wg.while_loop(
        lambda c: np.sum(c[0]) > 1.0, lambda c: (c[0] * c[1], c[1] * 0.9), (x, 0.5)
    )
    assert half[0].dtype == np.float32
    assert type(half[1]) is float


def test_integers_and_booleans_in_the_carry():
    def step(carry, x):
        largest, where, found = carry
        better = x > largest
        i, at = where
        return (np.where(better, x, largest), (i + 1, np.where(better, i, at)), found | better), i

    (largest, (_, at), found), order = wg.scan(step, (X[0], (0, np.int64(0)), False), X)
    assert (largest, at, bool(found)) == (2.0, 2, True)
    np.testing.assert_array_equal(order, [0, 1, 2])
    gradient = wg.grad(lambda x: wg.scan(step, (x[0], (0, np.int64(0)), False), x)[0][0])(X)
    np.testing.assert_array_equal(gradient, [0.0, 0.0, 1.0])


def test_zero_steps():
    carry, ys = wg.scan(lambda c, x: (c * x, np.outer(x, x)), X, np.zeros((0, 3)))
    np.testing.assert_array_equal(carry, X)
    assert ys.shape == (0, 3, 3)
    assert wg.fori_loop(3, 1, lambda i, c: c * 2, 1.0) == 1.0
    f = lambda x: wg.while_loop(lambda c: c < 0, np.sqrt, x)  # noqa: E731
    assert (f(2.0), wg.grad(f)(2.0), wg.jvp(f, (2.0,), (3.0,))[1]) == (2.0, 1.0, 3.0)


def test_results_are_no_views_of_the_arguments():
    xs = np.ones((3, 2))
    last, _ = wg.scan(lambda c, x: (x, None), np.zeros(2), xs)
    last[:] = 5
    np.testing.assert_array_equal(xs, 1.0)


def test_length_without_arrays():
    assert wg.scan(lambda c, _: (c * 2, None), 1, None, length=5) == (32, None)


def test_registered_containers_of_any_depth():
    def step(carry, x):
        return {"a": [carry["a"][0] * x, None], "b": (carry["b"][0],)}, (x, [x, {"c": x}])

    carry, ys = wg.scan(step, {"a": [1.0, None], "b": (2,)}, X)
    assert carry["a"] == [1.0, None]
    assert carry["b"] == (2,)
    np.testing.assert_array_equal(ys[1][1]["c"], X)


def test_a_number_as_condition_is_true_unless_zero():
    f = lambda x: wg.cond(x, np.sin, np.cos, x)  # noqa: E731
    np.testing.assert_allclose([f(0.0), f(0.5)], [1.0, np.sin(0.5)])
    np.testing.assert_allclose(wg.jvp(f, (0.5,), (1.0,))[1], np.cos(0.5))
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(np.array([0.0, 1.0])), [0.0, np.cos(1.0)])


# --- size -----------------------------------------------------------------------------------------


def test_a_million_steps_are_recorded_once():
    runs = []

    def step(i, c):
        runs.append(i)
        return c + 1e-6 * i

    assert wg.fori_loop(0, 10**6, step, 0.0) == pytest.approx(499999.5)
    assert len(runs) <= 2


@pytest.mark.parametrize("steps", [3, 1000])
def test_the_program_does_not_grow_with_the_steps(steps):
    f = lambda x: wg.fori_loop(0, steps, lambda i, c: np.sin(c), x)  # noqa: E731
    recorded = program_of(wg.grad(lambda x: np.sum(f(x))))(X)
    assert len(recorded.equations) <= 4
    (forward, *_) = [eqn for eqn in recorded.equations if eqn.primitive.name == "loop"]
    assert isinstance(forward.params["plan"], Loop)


def test_what_every_step_reads_is_not_stacked():
    w = np.eye(200) * 0.5
    x = np.ones((100, 200))
    loss = lambda w: np.sum(wg.scan(lambda h, u: (np.tanh(w @ h + u), None), x[0], x)[0])  # noqa: E731
    tracemalloc.start()
    wg.grad(loss)(w)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * w.nbytes  # a stack of it would be 100 times as large


def test_a_branch_that_is_not_taken_does_not_run():
    runs = []

    @wg.custom_vjp
    def loud(x):
        runs.append(x)
        return x

    loud.defvjp(lambda x: (loud(x), None), lambda _, gy: (gy,))
    wg.cond(True, lambda x: x, loud, 2.0)
    recorded = len(runs)  # once, from types
    f = program(lambda p, x: wg.cond(p, lambda x: x, loud, x), Aval((), bool), Aval(()))
    before = len(runs)
    f.run(np.True_, 1.0)
    assert recorded == 1
    assert len(runs) == before
    f.run(np.False_, 1.0)
    assert len(runs) == before + 1


# --- printing -------------------------------------------------------------------------------------


def test_programs_inside_are_printed_indented():
    f = program(lambda x: wg.cond(np.sum(x) > 0, np.sin, lambda x: x * 2, x))
    text = str(f)
    assert "cond(v3, v1)" in text
    assert "    true:\n    program sin\n" in text
    assert "      v2: float64[3] = v1 * 2" in text
    names = [name for eqn in f.equations for name, _ in programs_in(eqn.params)]
    assert names == ["true", "false"]


# --- views through an index that is not known -----------------------------------------------------


def row(x, i):
    y = x * 1.0
    r = y[i]
    r *= 0
    y[1] += 1
    return np.sum(y * y) + np.sum(r * 3)


def test_a_view_at_a_computed_index_writes_into_its_base():
    x = np.arange(9.0).reshape(3, 3)
    expected = [wg.grad(row)(x, i) for i in range(3)]
    np.testing.assert_allclose(wg.vmap(wg.grad(row), in_axes=(None, 0))(x, np.arange(3)), expected)
    f = program(wg.grad(row), Aval((3, 3)), Aval((), int))
    np.testing.assert_allclose([f.run(x, i)[0] for i in range(3)], expected)


def test_views_of_the_carry():
    x = np.arange(9.0).reshape(3, 3)

    def step(i, y):
        first = y[i]
        first[0] = 7 * first[1]
        y[i, 1:] *= 2
        column = y[:, i]
        column += 1
        return y

    def plain(y):
        for i in range(3):
            y = step(i, y)
        return y

    def structured(y):
        return wg.fori_loop(0, 3, step, y)

    np.testing.assert_allclose(structured(x * 1.0), plain(x * 1.0))
    gradients = [wg.grad(lambda x, f=f: np.sum(f(x * 1.0) ** 2))(x) for f in (structured, plain)]
    np.testing.assert_allclose(*gradients)


# --- values from outside --------------------------------------------------------------------------


def test_closures_over_values_of_every_level():
    def f(a):
        def g(b):
            body = lambda i, c: np.sin(c * a) + b * i  # noqa: E731
            return np.sum(wg.fori_loop(0, 3, body, b) * a)

        return np.sum(wg.grad(g)(a * 2))

    def f_plain(a):
        def g(b):
            c = b
            for i in range(3):
                c = np.sin(c * a) + b * i
            return np.sum(c * a)

        return np.sum(wg.grad(g)(a * 2))

    np.testing.assert_allclose(wg.grad(f)(X), wg.grad(f_plain)(X))
    np.testing.assert_allclose(wg.hessian(f)(X), wg.hessian(f_plain)(X))


def test_closures_over_examples():
    xs = np.stack([X, -X])
    f = lambda x, y: wg.scan(lambda c, u: (c * u + x[0], None), y, x)[0]  # noqa: E731
    got = wg.vmap(f, in_axes=(0, None))(xs, 2.0)
    np.testing.assert_allclose(got, [f(x, 2.0) for x in xs])


def test_a_leaf_of_the_dynamic_graph():
    w = wg.array(2.0, requires_grad=True)
    y = wg.while_loop(lambda c: c < 20, lambda c: c * w, 1.0)
    y.backward()
    assert w.grad.item() == 5 * 2.0**4


def test_no_grad_and_stop_gradient_cut():
    f = lambda x: wg.scan(lambda c, u: (c * wg.stop_gradient(u) + u, None), 1.0, x)[0]  # noqa: E731
    plain = lambda x: wg.stop_gradient(x[2]) * (x[1] + wg.stop_gradient(x[1]) * x[0]) + x[2]  # noqa: E731
    np.testing.assert_allclose(wg.grad(f)(X), wg.grad(plain)(X))
    w = wg.array(2.0, requires_grad=True)
    with wg.no_grad():
        assert not wg.cond(True, lambda: w * 2, lambda: w).requires_grad


def test_a_value_that_escapes_from_a_body():
    kept = []
    wg.scan(lambda c, x: (kept.append(c) or c * x, None), 1.0, X)
    with pytest.raises(EscapedValue, match="scan of"):
        kept[0] * 2.0


# --- singular points ------------------------------------------------------------------------------


def test_the_branch_not_taken_leaks_no_nan():
    safe = lambda x: wg.cond(x > 0, np.sqrt, lambda x: 0 * x, x)  # noqa: E731
    xs = np.array([0.0, 4.0, -1.0])
    np.testing.assert_array_equal(wg.vmap(safe)(xs), [0.0, 2.0, 0.0])
    np.testing.assert_array_equal(wg.vmap(wg.grad(safe))(xs), [0.0, 0.25, 0.0])
    np.testing.assert_array_equal(
        wg.grad(lambda xs: np.sum(wg.vmap(safe)(xs)))(xs), [0.0, 0.25, 0.0]
    )
    outside = lambda x: wg.cond(x > 0, lambda r: r, lambda r: 0 * r, np.sqrt(x))  # noqa: E731
    assert wg.grad(lambda x: wg.cond(x > 0, lambda r: r, lambda r: 1.0, np.sqrt(x)))(0.0) == 0.0
    assert wg.grad(outside)(4.0) == 0.25


def test_a_finished_example_leaks_no_nan():
    """The body is singular at the carry of the example that has finished."""
    f = lambda x: wg.while_loop(lambda c: c > 1.0, lambda c: c - np.sqrt(c - 1.0) - 1.0, x)  # noqa: E731
    xs = np.array([1.0, 5.0])
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(xs), [wg.grad(f)(x) for x in xs])
    assert np.all(np.isfinite(wg.vmap(wg.grad(f))(xs)))


def test_an_unused_result_has_no_adjoint():
    def f(x):
        _, ys = wg.scan(lambda c, u: (np.sqrt(c * 0.0 * u) + c, c * u), x[0] * 0.0 + 1.0, x)
        return np.sum(ys[:1] * x)

    np.testing.assert_array_equal(wg.grad(f)(X), [2 * X[0] + X[1] + X[2], X[0], X[0]])


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wg.cond(X > 0, np.sin, np.cos, X), ShapeError, "pred is float|pred is bool"),
        (lambda: wg.cond(None, np.sin, np.cos, X), DtypeError, "pred is NoneType"),
        (lambda: wg.cond(True, np.sin, lambda x: (x,), X), ShapeError, "structure"),
        (
            lambda: wg.cond(True, np.sin, np.sum, X),
            ShapeError,
            r"result is float64\[3\] in true_fn",
        ),
        (lambda: wg.cond(True, lambda: 1, lambda: 2.0), DtypeError, "int64.*float64"),
        (lambda: wg.cond(True, lambda x: "a", np.sin, X), DtypeError, "true_fn: result is str"),
        (lambda: wg.cond(True, np.sin, np.cos, "a"), DtypeError, r"operands\[0\] is str"),
        (
            lambda: wg.scan(lambda c, x: ({"a": c["a"] + X, "b": 1}, x), {"a": 0.0, "b": 1}, X),
            ShapeError,
            r"scan: carry\['a'\] is float64\[3\] after a step, expected float64\[\]",
        ),
        (
            lambda: wg.scan(lambda c, x: (c + 0.5, x), np.int64(0), X),
            DtypeError,
            "carry is float64.* expected int64.*astype",
        ),
        (lambda: wg.scan(lambda c, x: ((c, c), x), 0.0, X), ShapeError, "structure"),
        (lambda: wg.scan(lambda c, x: c, 0.0, X), DtypeError, r"pair \(carry, y\)"),
        (lambda: wg.scan(lambda c, x: (c, x), 0.0, None), ShapeError, "give length="),
        (lambda: wg.scan(lambda c, x: (c, x), 0.0, X, length=2), ShapeError, "3 elements"),
        (lambda: wg.scan(lambda c, x: (c, x), 0.0, (X, X[:2])), ShapeError, r"xs\[1\] has 2"),
        (lambda: wg.scan(lambda c, x: (c, x), 0.0, 1.0), ShapeError, "expected an array"),
        (lambda: wg.scan(lambda c, x: (c, x), 0.0, None, length=-1), ShapeError, "length is -1"),
        (lambda: wg.while_loop(lambda c: c, lambda c: c, 1.0), DtypeError, "boolean scalar"),
        (lambda: wg.while_loop(lambda c: c > 0, lambda c: c, X), DtypeError, "boolean scalar"),
        (lambda: wg.while_loop(lambda c: c > 0, np.sum, X), ShapeError, "while_loop: carry is"),
        (lambda: wg.fori_loop(0, 2.5, lambda i, c: c, 1.0), DtypeError, "upper is float 2.5"),
        (lambda: wg.fori_loop(0, X, lambda i, c: c, 1.0), DtypeError, "expected an integer"),
        (
            lambda: wg.fori_loop(0, 3, lambda i, c: c + X[i], 0.0),
            UnsupportedError,
            r"inside fori_loop of .*wengert\.array\(array\)\[i\]",
        ),
        (
            lambda: wg.while_loop(lambda c: c > 0, lambda c: c if c > 1 else -c, 1.0),
            UnsupportedError,
            r"while_loop, body_fn of .*wengert\.cond",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_vmap_names_the_structured_forms():
    with pytest.raises(UnsupportedError, match=r"wengert\.cond.*wengert\.while_loop"):
        wg.vmap(lambda x: x if x > 0 else -x)(X)


def test_writing_into_a_value_from_outside():
    def f(w):
        def step(c, x):
            w[0] = c
            return c * x, None

        return wg.scan(step, 1.0, w)[0]

    with pytest.raises(wg.errors.InPlaceError, match="made outside"):
        wg.grad(lambda w: f(w * 1.0))(X)
