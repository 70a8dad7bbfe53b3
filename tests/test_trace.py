"""``trace``: the evaluation trace, the tangent and the adjoint list, the chain of Jacobians."""

import numpy as np
import pytest

import wengert as wg
from semantics.programs import PROGRAMS
from wengert.core.errors import DtypeError, ShapeError, UnsupportedError
from wengert.explain.listing import MOST
from wengert.explain.notation import columns, number, value_text, width

RNG = np.random.default_rng(0)
X = np.array([1.0, 2.0, 3.0])


def lecture(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)


def body(listing):
    """The lines of a list without its title, blanks squeezed."""
    return [" ".join(line.split()) for line in str(listing).splitlines()[1:]]


@pytest.fixture
def example():
    return wg.trace(lecture)(2.0, 5.0)


# --- the lecture's example -----------------------------------------------------------------------


def test_the_evaluation_trace_of_the_lecture(example):
    assert body(example.forward()) == [
        "v1 = x1 = 2",
        "v2 = x2 = 5",
        "v3 = ln v1 = 0.693",
        "v4 = v1·v2 = 10",
        "v5 = sin v2 = −0.959",
        "v6 = v3 + v4 = 10.693",
        "v7 = v6 − v5 = y = 11.652",
    ]
    assert [line.level for line in example.forward()] == [0, 0, 1, 1, 1, 2, 3]
    assert example.result == lecture(2.0, 5.0)
    assert example.inputs == ("x1", "x2")
    assert example.outputs == ("y",)


def test_the_tangent_list_of_the_lecture(example):
    np.testing.assert_allclose(example.tangent("x1").values, [1, 0, 0.5, 5, 0, 5.5, 5.5])
    assert body(example.tangent("x1"))[3:5] == ["v̇4 = 5·v̇1 + 2·v̇2 = 5", "v̇5 = 0.284·v̇2 = 0"]
    slope = 2 - np.cos(5.0)
    np.testing.assert_allclose(
        example.tangent(1).values, [0, 1, 0, 2, np.cos(5.0), 2, slope], rtol=1e-15
    )
    both = example.tangent({"x1": 1.0, "x2": -2.0})
    assert both["v7"] == pytest.approx(5.5 - 2 * slope)
    assert "dx1 = 1, dx2 = −2" in both.title
    assert example.tangent((1.0, -2.0)).values == both.values
    assert example.tangent().values == example.tangent("x1").values


def test_the_adjoint_list_of_the_lecture_shows_both_accumulations(example):
    adjoints = example.adjoint()
    assert body(adjoints) == [
        "v̄7 = start = 1",
        "v̄6 = v̄7 = 1",
        "v̄5 = −v̄7 = −1",
        "v̄4 = v̄6 = 1",
        "v̄3 = v̄6 = 1",
        "v̄2 = 0.284·v̄5 + 2·v̄4 = −0.284 + 2 = 1.716",
        "v̄1 = 5·v̄4 + 0.5·v̄3 = 5 + 0.5 = 5.5",
    ]
    x1 = adjoints.lines[-1]
    assert [(term.child, term.value, term.partial) for term in x1.terms] == [
        ("v4", 5.0, 5.0),
        ("v3", 0.5, 0.5),
    ]
    assert adjoints["v1"] == 5.5
    assert adjoints["v2"] == wg.grad(lecture, 1)(2.0, 5.0)


def test_the_order_of_execution_numbers_otherwise(example):
    executed = wg.trace(lecture, order="executed")(2.0, 5.0)
    assert [line.text for line in executed.forward()][2:] == [
        "ln v1",
        "v1·v2",
        "v3 + v4",
        "sin v2",
        "v5 − v6 = y",
    ]
    assert str(example.forward(order="executed")) == str(executed.forward())
    assert str(example.tangent("x2", order="executed")) == str(executed.tangent("x2"))
    assert str(executed.adjoint(order="level")) == str(example.adjoint())
    assert str(example.ordered("executed")) == str(executed)
    with pytest.raises(DtypeError, match="expected one of level, executed"):
        wg.trace(lecture, order="random")
    with pytest.raises(DtypeError, match="expected one of level, executed"):
        example.forward("random")


def test_print_shows_everything_in_one_table(example):
    text = str(example)
    assert text == repr(example)
    first, head, *rows = text.splitlines()
    assert first == "trace of lecture: 7 values on 4 levels"
    assert head.split() == ["level", "value", "v̇", "=", "∂v/∂x1", "v̄", "=", "∂y/∂v"]
    assert " ".join(rows[0].split()) == "0 v1 = x1 = 2 1 5 + 0.5 = 5.5"
    assert "−0.284 + 2 = 1.716" in rows[1]
    columns_of_bar = {width(row[: row.index("= 1")]) for row in rows[3:4]}
    assert len(columns_of_bar) == 1


# --- from the engine's own list ------------------------------------------------------------------

REAL = [name for name, p in PROGRAMS.items() if p.arguments[0].dtype.kind == "f"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_has_a_trace_whose_adjoints_are_the_gradient(name):
    p = PROGRAMS[name]
    trace = wg.trace(p.function)(*p.arguments)
    assert np.array_equal(trace.result, p.function(*p.arguments), equal_nan=True)
    adjoints = trace.adjoint()
    gradient = wg.grad(p.function)(*p.arguments)
    close = 1e-6 if p.arguments[0].dtype == np.float32 else 1e-13
    np.testing.assert_allclose(adjoints["v1"], gradient, rtol=close, atol=close)
    assert str(trace)
    for line in adjoints:  # what is shown as contributions adds up to the adjoint
        if line.terms:
            total = sum(np.asarray(term.value) for term in line.terms)
            np.testing.assert_allclose(total, line.value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", REAL)
def test_every_program_has_tangents_that_are_its_jvp(name):
    p = PROGRAMS[name]
    x = p.arguments[0]
    dx = np.random.default_rng(1).standard_normal(x.shape).astype(x.dtype)
    trace = wg.trace(p.function)(*p.arguments)
    tangents = trace.tangent({"x" if "x" in trace.inputs else 0: dx})
    want = wg.jvp(lambda z: p.function(z, *p.arguments[1:]), (x,), (dx,))[1]
    outcome = trace.names.get(trace.program.outputs[0])
    if outcome is not None:
        np.testing.assert_allclose(tangents[outcome], want, rtol=1e-6, atol=1e-12)


def test_arrays_are_summarised_and_unbroadcast_sums_marked():
    def f(w, x, b):
        return np.sum(np.tanh(x @ w + b))

    w, x, b = RNG.standard_normal((3, 4)), RNG.standard_normal((5, 3)), np.zeros(4)
    trace = wg.trace(f)(w, x, b)
    assert body(trace.forward())[0].startswith("v1 = w = float64[3, 4] −")
    adjoints = trace.adjoint()
    (line,) = [line for line in adjoints if line.name == "v3"]
    assert line.terms[0].summed == (0,)
    assert "summed over axis 0" in line.text
    np.testing.assert_allclose(line.value, wg.grad(f, 2)(w, x, b))


def test_scalars_in_broadcasts_and_repeated_operands():
    adjoints = wg.trace(lambda x: x * x * 3.0 + x)(2.0).adjoint()
    assert body(adjoints)[-1] == "v̄1 = v̄4 + 2·v̄2 + 2·v̄2 = 1 + 6 + 6 = 13"
    adjoints = wg.trace(lambda x: np.sum(x[1:] * x[0]))(X).adjoint()
    assert body(adjoints)[-1] == "v̄1 = from v̄3, v̄2 = [5, 0, 0] + [0, 1, 1] = [5, 1, 1]"


def test_python_control_flow_and_containers():
    def f(params, x, steps, *rest, scale):
        for _ in range(steps):
            x = x * params["w"][0] if x > 1 else x + params["b"]
        return {"last": x * scale, "rest": [r + x for r in rest]}

    trace = wg.trace(f)({"w": [2.0], "b": 1.0}, 0.5, 3, 7.0, 8.0, scale=10.0)
    expected = ("params['b']", "params['w'][0]", "x", "steps", "rest[0]", "rest[1]", "scale")
    assert trace.inputs == expected
    assert trace.outputs == ("y['last']", "y['rest'][0]", "y['rest'][1]")
    assert trace.result["last"] == 60.0
    texts = [line.text for line in trace.forward()]
    assert sum("v3 > 1" in text for text in texts) == 1
    with pytest.raises(ShapeError, match="give the adjoints to start from"):
        trace.adjoint()
    adjoints = trace.adjoint({"last": 1.0, "rest": [0.0, 0.0]})
    assert adjoints["v3"] == 40.0
    assert adjoints["v4"] is None
    assert "no derivative" in str(adjoints)
    assert trace.tangent("params['b']")["v3"] == 0.0


def test_writes_in_place_are_lines_of_their_own():
    def f(x):
        y = np.zeros_like(x)
        y[1:] = 2 * x[:-1]
        y[0] += x[2]
        return np.sum(y)

    trace = wg.trace(f)(X)
    texts = [line.text for line in trace.forward()]
    assert "c1 with [1:] = v4" in texts
    assert "c1 = [0, 0, 0], a constant" in str(trace)
    np.testing.assert_array_equal(trace.adjoint()["v1"], [2, 2, 1])


def test_traces_keep_what_was_there():
    x = X.copy()
    trace = wg.trace(lambda x: np.sum(x * x))(x)
    x[:] = 0
    np.testing.assert_array_equal(trace.forward()["v1"], X)
    np.testing.assert_array_equal(trace.adjoint()["v1"], 2 * X)


def test_derivatives_have_traces_too():
    trace = wg.trace(wg.grad(lambda x: np.sum(x**3)))(X)
    np.testing.assert_allclose(trace.result, 3 * X**2)
    np.testing.assert_allclose(trace.adjoint(np.ones(3))["v1"], 6 * X)
    batched = wg.trace(wg.vmap(lecture))(X, X)
    np.testing.assert_allclose(batched.result, lecture(X, X))


def test_rules_of_the_user_are_one_line():
    @wg.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (square(x), x), lambda x, gy: (2 * x * gy,))
    trace = wg.trace(lambda x: np.sin(square(x)))(2.0)
    assert len(trace.forward()) == 3
    assert "square" in trace.forward()[1].text
    assert trace.tangent()["v3"] == pytest.approx(4 * np.cos(4.0))
    assert trace.adjoint()["v1"] == pytest.approx(4 * np.cos(4.0))


def test_arrays_of_a_dynamic_graph_are_read():
    x = wg.array([1.0, 2.0], requires_grad=True)
    assert wg.trace(lambda x: np.sum(x * x))(x).adjoint()["v1"].tolist() == [2.0, 4.0]
    assert x.grad is None


def test_lines_know_their_source():
    line = wg.trace(lecture)(2.0, 5.0).forward()[3]
    assert line.source == f"{__file__}:{lecture.__code__.co_firstlineno + 1}"


def test_long_traces_are_shortened_when_printed():
    def f(x):
        for _ in range(1000):
            x = np.sin(x)
        return x

    trace = wg.trace(f)(1.0)
    for text in (str(trace), str(trace.forward()), str(trace.adjoint()), str(trace.tangent())):
        assert f"… {1001 - MOST} more lines …" in text
        assert len(text.splitlines()) == MOST + (3 if text.startswith("trace") else 2)
    many = wg.trace(lambda x: sum(x * i for i in range(50)))(2.0)
    assert many.adjoint().lines[-1].accumulation == "50 contributions"


def test_values_that_lead_nowhere_have_adjoint_zero():
    def f(x):
        np.exp(x)
        return 2 * x

    (line,) = [line for line in wg.trace(f)(1.0).adjoint() if line.text == "no path to the result"]
    assert line.value == 0


def test_results_that_are_inputs_or_constants():
    trace = wg.trace(lambda x: (x, 3.0, np.ones(2)))(2.0)
    assert body(trace.forward()) == ["v1 = x = y[0] = 2", "c1 = [1, 1], a constant"]
    assert trace.adjoint((5.0, 0.0, np.zeros(2)))["v1"] == 5.0


# --- the chain -----------------------------------------------------------------------------------


def test_the_chain_of_a_nested_function():
    w = RNG.standard_normal((4, 3))
    trace = wg.trace(lambda x: np.sum(np.exp(w @ np.sin(x))))(X)
    chain = trace.chain()
    shapes = [(link.rows, link.columns) for link in chain.links]
    assert shapes == [(3, 3), (4, 3), (4, 4), (1, 4)]
    np.testing.assert_allclose(chain.links[0].jacobian, np.diag(np.cos(X)))
    np.testing.assert_allclose(chain.links[1].jacobian, w)
    np.testing.assert_allclose(chain.product, [trace.adjoint()["v1"]])
    assert chain.forward_cost == 4 * 3 * 3 + 4 * 4 * 3 + 1 * 4 * 3
    assert chain.reverse_cost == 1 * 4 * 4 + 1 * 4 * 3 + 1 * 3 * 3
    first, *rest = str(chain).splitlines()
    assert first.endswith("∂y/∂x = ∂v5/∂v4 · ∂v4/∂v3 · ∂v3/∂v2 · ∂v2/∂v1")
    assert rest[-1].endswith(f"as reverse mode: {chain.reverse_cost}")


def test_links_that_branch_are_taken_together(example):
    for wrt, name, slope in (("x1", "v1", 5.5), (1, "v2", 2 - np.cos(5.0))):
        chain = example.chain(wrt)
        np.testing.assert_allclose(chain.product, [[slope]])
        assert chain.links[0].inner == name
    assert [link.text for link in example.chain("x1").links] == ["3 operations", "v6 − v5"]


def test_chains_of_several_results_and_unneeded_values():
    def f(x, n):
        if np.sum(x) > 100:
            return x, x
        return np.sin(x), x * n

    trace = wg.trace(f)(X, 2)
    np.testing.assert_allclose(trace.chain("x", "y[1]").product, 2 * np.eye(3))
    with pytest.raises(ShapeError, match="no result 'z'"):
        trace.chain(0, "z")
    with pytest.raises(DtypeError, match="has no derivative"):
        trace.chain("n")
    with pytest.raises(DtypeError, match="does not depend on x"):
        wg.trace(lambda x, y: y)(1.0, 2.0).chain()


def test_jacobians_too_large_to_write_out_are_left_out():
    chain = wg.trace(lambda x: np.sum(np.sin(x)))(np.zeros(2000)).chain()
    assert chain.links[0].jacobian is None
    assert chain.product is None
    assert "too large" in str(chain)


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("array", [np.eye(2), wg.array(np.eye(2)), [[1.0]], 3.0])
def test_trace_of_an_array_names_the_other_trace(array):
    with pytest.raises(DtypeError, match=r"wengert\.numpy\.trace"):
        wg.trace(array)


def test_mistakes_are_named(example):
    with pytest.raises(DtypeError, match="expected a function"):
        wg.trace("text")
    with pytest.raises(DtypeError, match="no argument holds a number"):
        wg.trace(lambda: 1.0)()
    with pytest.raises(DtypeError, match=r"write np\.array"):
        wg.trace(np.sum)([1.0, 2.0])
    with pytest.raises(ShapeError, match="no input 'x3'; there are x1, x2"):
        example.tangent("x3")
    with pytest.raises(ShapeError, match="no input 2"):
        example.tangent(2)
    with pytest.raises(ShapeError, match="expected the name of an input"):
        example.tangent((1.0,))
    with pytest.raises(ShapeError, match=r"shape \(2,\) for x1"):
        example.tangent({"x1": np.ones(2)})
    with pytest.raises(ShapeError, match=r"got shape \(2,\) for the result"):
        example.adjoint(np.ones(2))
    integers = wg.trace(lambda x, y: x * y)(2, 5)
    assert integers.forward().values == [2, 5, 10]
    with pytest.raises(DtypeError, match=r"3\.0 instead of 3"):
        integers.tangent()
    with pytest.raises(DtypeError, match="has no derivative"):
        integers.tangent("x")
    with pytest.raises(DtypeError, match="has no derivative"):
        integers.adjoint()
    with pytest.raises(ShapeError, match=r"gives float64\[3\], expected one number"):
        wg.trace(np.sin)(X).adjoint()
    assert str(wg.trace(np.sin)(X))


def test_elements_of_arrays_are_seeds():
    trace = wg.trace(lambda x: np.sum(x**2))(X)
    assert trace.tangent("x[1]").values[-1] == 4.0
    assert trace.tangent("x[1]").title.endswith("v̇ = ∂v/∂x[1]")
    assert trace.tangent("x").values[-1] == 12.0
    assert "1 in every element" in trace.tangent("x").title
    matrix = wg.trace(lambda m: np.sum(m * m))(np.ones((2, 2)))
    assert matrix.tangent("m[0, 1]").values[-1] == 2.0
    for wrong in ("x[7]", "x[a]", "x['w']"):
        with pytest.raises(ShapeError, match="names no element of x"):
            trace.tangent(wrong)


def test_an_operation_without_derivative_raises_where_it_is_asked_for():
    trace = wg.trace(lambda x: wg.stop_gradient(x) * 2)(1.0)
    assert trace.adjoint()["v1"] == 0
    with pytest.raises(UnsupportedError, match="backward"):
        wg.trace(lambda x: (x * 2).backward())(1.0)


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-0.9589, "−0.959"),
        (0.0123456, "0.0123"),
        (-0.0, "0"),
        (1234567.0, "1.23e+06"),
        (1e-9, "1e−09"),
        (7, "7"),
        (True, "True"),
        (1 - 2j, "1 − 2i"),
        (float("nan"), "nan"),
        (float("-inf"), "−inf"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([1.0, -2.5]), "[1, −2.5]"),
        (np.zeros((2, 3)), "float64[2, 3] all 0"),
        (np.arange(6.0), "float64[6] 0 … 2.5 … 5"),
        (np.array([[True, False]]), "bool[1, 2] 1 true"),
        (np.array([[np.nan, 1.0]]), "float64[1, 2] all 1, 1 not finite"),
        (np.full((2, 2), np.nan), "float64[2, 2], 4 not finite"),
        (np.zeros((0, 2)), "float64[0, 2]"),
        (np.full((1, 2), 3 + 4j), "complex128[1, 2] |·| to 5"),
        (np.float32(0.5), "0.5"),
    ],
)
def test_values(value, text):
    assert value_text(value) == text


def test_columns_align_under_combining_marks():
    assert columns([("v̇1", "a"), ("v10", "b")], right=(1,)) == ["v̇1   a", "v10  b"]
    assert width("v̄1 = 界") == 7
