"""Graphs built before any data exists: what they compute, their names, what they refuse."""

import re

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import DtypeError, ProgramError, ShapeError, UnsupportedError


def loss(p, x, target):
    hidden = wg.name(np.tanh(x @ p["w"] + p["b"]), "hidden")
    score = wg.name(hidden @ p["v"], "score")
    return {"loss": np.mean((score - target) ** 2), "score": score}


AVALS = {"w": wg.Aval((3, 4)), "b": wg.Aval((4,)), "v": wg.Aval((4,))}


@pytest.fixture(scope="module")
def built():
    return wg.capture(loss)(AVALS, wg.Aval((5, 3)), wg.Aval((5,)))


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    p = {name: rng.standard_normal(aval.shape) for name, aval in AVALS.items()}
    return p, rng.standard_normal((5, 3)), rng.standard_normal(5)


def hidden_of(p, x):
    return np.tanh(x @ p["w"] + p["b"])


# --- what it computes ----------------------------------------------------------------------------


def test_it_gives_what_the_function_gives_in_its_structure(built, values):
    result, expected = built(*values), loss(*values)
    assert set(result) == {"loss", "score"}
    for key in expected:
        np.testing.assert_allclose(result[key], expected[key], rtol=1e-14)
        assert type(result[key]) is type(expected[key])


def test_arguments_bind_as_pythons_do(built, values):
    p, x, target = values
    by_name = built(target=target, x=x, p=p)
    np.testing.assert_array_equal(by_name["score"], built(p, x, target)["score"])
    sums = wg.capture(lambda *xs, scale=1: [scale * sum(xs), "text", None])(
        wg.Aval((2,)), wg.Aval((2,)), scale=3
    )
    assert sums.arguments.names == ["xs[0]", "xs[1]", "scale"]
    first, *rest = sums(np.ones(2), np.ones(2), scale=3)
    np.testing.assert_array_equal(first, [6.0, 6.0])
    assert rest == ["text", None]


def test_the_function_runs_once_and_before_data():
    calls = []

    def f(x):
        calls.append(x)
        return x * 2

    made = wg.capture(f)(wg.Aval((2,)))
    for _ in range(3):
        made(np.ones(2))
    assert len(calls) == 1


def test_arrays_give_their_types_only():
    x = np.arange(3.0)
    made = wg.capture(lambda x: x + 1)(x)
    np.testing.assert_array_equal(made(np.zeros(3)), np.ones(3))


def test_numbers_are_part_of_the_graph_unless_an_aval_stands_for_them():
    def f(x, k, a):
        return x**k * a

    made = wg.capture(f)(wg.Aval((2,)), 3, wg.Aval((), float, weak=True))
    np.testing.assert_array_equal(made(np.full(2, 2.0), 3, 0.5), [4.0, 4.0])
    with pytest.raises(DtypeError, match=r"k is int 2, and int 3 is part of the graph"):
        made(np.ones(2), 2, 0.5)
    with pytest.raises(DtypeError, match=r"a is float64\[\], expected a Python float"):
        made(np.ones(2), 3, np.float64(0.5))


def test_python_numbers_are_taken_for_numpy_scalars():
    made = wg.capture(lambda a: a * 2)(wg.Aval(()))
    assert made(3) == 6.0
    assert type(made(3.0)) is np.float64
    with pytest.raises(DtypeError, match="a is complex"):
        made(1j)
    assert wg.grad(made)(3.0) == 2.0
    cube = wg.capture(lambda a: a**4)(wg.Aval(()))
    assert wg.grad(wg.grad(wg.grad(cube)))(2.0) == 48.0


def test_constants_are_given_as_copies():
    table = np.arange(3.0)
    made = wg.capture(lambda x: (table, x))(wg.Aval(()))
    table[0] = 7.0
    first, _ = made(1.0)
    first[1] = 9.0
    np.testing.assert_array_equal(made(1.0)[0], [0.0, 1.0, 2.0])


def test_functions_without_a_signature_have_graphs():
    def f(*args):
        return np.add(*args)

    f.__signature__ = "none that inspect can read"
    made = wg.capture(f)(wg.Aval((2,)), wg.Aval((2,)))
    assert made.arguments.names == ["x[0]", "x[1]"]
    np.testing.assert_array_equal(made(np.ones(2), np.ones(2)), [2.0, 2.0])


def test_large_arrays_from_outside_are_fixed_when_the_graph_is_built():
    big = np.ones(4000)
    made = wg.capture(lambda x: x + big)(wg.Aval((4000,)))
    big[:] = 5.0
    assert made(np.zeros(4000)).max() == 1.0


# --- under transformations -----------------------------------------------------------------------


def test_derivatives_are_those_of_the_function(built, values):
    p, x, target = values

    def by_graph(p):
        return built(p, x, target)["loss"]

    def by_function(p):
        return loss(p, x, target)["loss"]

    ours, expected = wg.grad(by_graph)(p), wg.grad(by_function)(p)
    for key in p:
        np.testing.assert_allclose(ours[key], expected[key], rtol=1e-12)
    dp = {key: np.ones_like(value) for key, value in p.items()}
    _, dy = wg.jvp(by_graph, (p,), (dp,))
    np.testing.assert_allclose(dy, wg.jvp(by_function, (p,), (dp,))[1], rtol=1e-12)
    np.testing.assert_allclose(
        wg.hessian(lambda v: by_graph({**p, "v": v}))(p["v"]),
        wg.hessian(lambda v: by_function({**p, "v": v}))(p["v"]),
        rtol=1e-10,
        atol=1e-14,
    )


def test_vmap_and_compile_take_it_as_a_function(built, values):
    p, x, target = values
    targets = np.stack([target, -target, target * 2])
    many = wg.vmap(lambda t: built(p, x, t)["loss"])(targets)
    expected = [loss(p, x, t)["loss"] for t in targets]
    np.testing.assert_allclose(many, expected, rtol=1e-13)
    compiled = wg.compile(lambda x: built(p, x, target)["loss"], strict_capture=True)
    for scale in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(
            compiled(x * scale), loss(p, x * scale, target)["loss"], rtol=1e-13
        )
    assert compiled.counts["replayed"] == 1


def test_a_graph_of_a_gradient(values):
    p, x, target = values
    gradient = wg.grad(lambda p, x, target: loss(p, x, target)["loss"])
    made = wg.capture(gradient)(AVALS, wg.Aval((5, 3)), wg.Aval((5,)))
    for key, value in gradient(p, x, target).items():
        np.testing.assert_allclose(made(p, x, target)[key], value, rtol=1e-12)


def test_variables_of_the_dynamic_graph_are_read_in_each_call():
    w = wg.array([1.0, 2.0], requires_grad=True)
    made = wg.capture(lambda x: np.sum(x * w))(wg.Aval((2,)))
    assert made.inputs == {"x": wg.Aval((2,)), "w": wg.Aval((2,))}
    made(np.array([3.0, 4.0])).backward()
    np.testing.assert_array_equal(w.grad, [3.0, 4.0])
    with wg.no_grad():
        w[0] = 10.0
        assert made(np.ones(2)) == 12.0
    compiled = wg.compile(lambda x: made(x), strict_capture=True)
    for first in (1.0, 5.0, 7.0):
        with wg.no_grad():
            w[0] = first
            assert compiled(np.ones(2)) == first + 2.0


# --- fetch and feed ------------------------------------------------------------------------------


def test_values_are_fetched_by_name(built, values):
    p, x, target = values
    hidden = hidden_of(p, x)
    fetched = built.run(p, x, target, fetch={"a": "hidden", "b": ["score"]})
    np.testing.assert_allclose(fetched["a"], hidden, rtol=1e-14)
    np.testing.assert_allclose(fetched["b"][0], hidden @ p["v"], rtol=1e-14)
    np.testing.assert_array_equal(built.run(x=x, fetch="x"), x)
    np.testing.assert_array_equal(built.run(p=p, fetch="p['w']"), p["w"])
    whole = built.run(p, x, target)
    np.testing.assert_allclose(whole["loss"], loss(p, x, target)["loss"])


def test_every_numbered_value_can_be_fetched(built, values):
    held = built.original.run_all(
        *[dict(zip(built.arguments.names, flat(values), strict=True))[n] for n in built.inputs]
    )
    for var, label in built.original.names.items():
        got = built.run(*values, fetch=label)
        np.testing.assert_allclose(got, held[var], rtol=1e-13, err_msg=label)


def flat(values):
    return wg.tree.flatten(values)[0]


def test_a_value_is_fed_in_place_of_another(built, values):
    p, x, target = values
    fed = np.linspace(-1, 1, 20).reshape(5, 4)
    got = built.run(p, fetch="score", feed={"hidden": fed})
    np.testing.assert_allclose(got, fed @ p["v"], rtol=1e-14)
    whole = built.run(p, x, target, feed={"score": target})
    assert whole["loss"] == 0.0
    np.testing.assert_array_equal(whole["score"], target)
    np.testing.assert_array_equal(built.run(fetch="hidden", feed={"hidden": fed}), fed)


def test_only_what_is_needed_runs():
    ran = []

    @wg.custom_vjp
    def slow(x):
        ran.append("slow")
        return x * 2

    slow.defvjp(lambda x: (x * 2, None), lambda _, g: (g * 2,))

    def f(x):
        return wg.name(slow(x), "slow") + wg.name(x + 1, "quick")

    made = wg.capture(f)(wg.Aval((2,)))
    ran.clear()
    np.testing.assert_array_equal(made.run(np.zeros(2), fetch="quick"), [1.0, 1.0])
    made.run(np.zeros(2), feed={"slow": np.zeros(2)})
    assert ran == []
    made.run(np.zeros(2), fetch="slow")
    assert ran == ["slow"]


def test_parts_are_made_once(built, values):
    p, x, _ = values
    built.run(p, x, fetch="hidden")
    before = len(built._parts)
    built.run(p, x * 2, fetch="hidden")
    assert len(built._parts) == before


def test_one_of_several_outputs_is_fed():
    def f(x):
        q, r = np.divmod(x, 2.0)
        return wg.name(q, "q") + wg.name(r, "r")

    made = wg.capture(f)(wg.Aval((2,)))
    got = made.run(np.array([5.0, 7.0]), fetch="y", feed={"q": np.zeros(2)})
    np.testing.assert_array_equal(got, [1.0, 1.0])


def test_a_fed_value_has_derivatives(built, values):
    p, x, target = values

    def of_hidden(h):
        return built.run(p, target=target, fetch="y['loss']", feed={"hidden": h})

    def expected(h):
        return np.mean((h @ p["v"] - target) ** 2)

    h = hidden_of(p, x)
    np.testing.assert_allclose(wg.grad(of_hidden)(h), wg.grad(expected)(h), rtol=1e-13)


# --- names ---------------------------------------------------------------------------------------


def test_names_of_inputs_results_and_values(built):
    assert list(built.inputs) == ["p['b']", "p['v']", "p['w']", "x", "target"]
    assert built.outputs == {"y['loss']": wg.Aval(()), "y['score']": wg.Aval((5,))}
    assert built.named == {"hidden": wg.Aval((5, 4)), "score": wg.Aval((5,))}


def test_names_are_unique():
    def f(x, y):
        for _ in range(3):
            x = wg.name(x * 2, "twice")
        return wg.name(x, "y")

    made = wg.capture(f)(wg.Aval(()), wg.Aval(()))
    assert list(made.named) == ["twice", "twice_2", "twice_3", "y_2"]
    assert list(made.outputs) == ["result"]
    assert made.run(1.0, 0.0, fetch=["twice_2", "y", "y_2", "result"]) == [4.0, 0.0, 8.0, 8.0]


def test_names_reach_through_transformations():
    def f(x):
        return wg.grad(lambda x: np.sum(wg.name(np.sin(x), "inside") ** 2))(x)

    made = wg.capture(f)(wg.Aval((2,)))
    np.testing.assert_allclose(made.run(np.ones(2), fetch="inside"), np.sin(np.ones(2)))


def test_outside_of_a_graph_a_name_is_nothing():
    x = np.ones(2)
    assert wg.name(x, "x") is x
    assert wg.grad(lambda x: wg.name(x * x, "square"))(3.0) == 6.0
    for label in ("", "v3", "c1", 3, None):
        with pytest.raises(DtypeError, match="name: got"):
            wg.name(x, label)


def test_names_inside_a_branch_say_so():
    def f(x):
        return wg.cond(x > 0, lambda x: wg.name(x * 2, "doubled"), lambda x: x, x)

    made = wg.capture(f)(wg.Aval(()))
    assert made(3.0) == 6.0
    with pytest.raises(ProgramError, match="'doubled' is made inside a branch"):
        made.run(1.0, fetch="doubled")


# --- to see --------------------------------------------------------------------------------------


def test_it_prints_with_names(built):
    lines = str(built).splitlines()
    assert lines[0] == "graph loss: 8 equations, 8 recorded"
    assert "v8: float64[5, 4] (hidden) = tanh v7" in str(built)
    assert lines[-1].split() == ["outputs", "v13", "=", "y['loss'],", "v9", "=", "y['score']"]
    assert repr(built).startswith("<Graph loss (float64[4], ")


def test_a_value_has_one_number_in_all_versions():
    def f(x):
        return np.sin(x * 1) * np.sin(x)

    made = wg.capture(f)(wg.Aval((3,)))
    original, final = str(made.original), str(made.program)
    for line in final.splitlines():
        if found := re.match(r"\s+(v\d+): .* = sin", line):
            assert f"{found[1]}: float64[3] = sin" in original
    text = str(made.passes)
    assert "  - v2: float64[3] = v1 * 1\n" in text
    assert "algebra: 4 -> 3 equations; x * 1 (1)" in text
    assert "common: 3 -> 2 equations; computed twice (1)" in text
    assert [step.name for step in made.passes][:2] == ["algebra", "common"]
    assert len(made.passes) == len(list(made.passes))


def test_long_programs_print_what_changed():
    def f(x):
        for _ in range(60):
            x = np.sin(x)
        return x * 1 + x

    text = str(wg.capture(f)(wg.Aval(())).passes)
    steps = text.partition("algebra")[2]
    assert "…" in steps
    assert len(steps.splitlines()) < 60


def test_nothing_to_do_is_said():
    assert str(wg.capture(lambda x: x)(wg.Aval(())).passes).endswith("no pass changed it")


def test_it_is_checked(built, monkeypatch):
    assert built.check() is built
    broken = wg.capture(lambda x: np.sin(x) * 2)(wg.Aval((2,)))
    object.__setattr__(broken.original, "equations", broken.original.equations[1:])
    with pytest.raises(ProgramError, match="read before it is defined"):
        broken.check()


def test_it_is_drawn(built, tmp_path):
    text = built.draw()
    assert "v8 = tanh v7 = hidden" in text
    assert "= y['loss']" in text
    assert built.draw(tmp_path / "g.dot", parameters=("p",)).read_text().startswith("digraph")
    picture = built.draw(tmp_path / "g.png", title="loss")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_strict_graphs_give_the_same_bits():
    rng = np.random.default_rng(1)
    w, x, g = (rng.standard_normal((6, 6)) for _ in range(3))

    def f(w, x, g):
        return w - 0.1 * (x.T @ g), np.sum((x @ w.T) * 2.0, axis=0)

    made = wg.capture(f, strict=True)(w, x, g)
    for ours, expected in zip(made(w, x, g), f(w, x, g), strict=True):
        np.testing.assert_array_equal(ours, expected)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda g, p, x, t: g(p, x), DtypeError, "missing a required argument: 'target'"),
        (lambda g, p, x, t: g(p, x, t, 1), DtypeError, "too many positional arguments"),
        (lambda g, p, x, t: g(p, x[:2], t), ShapeError, r"x is float64\[2, 3\], expected float64"),
        (lambda g, p, x, t: g(p, x.astype("f4"), t), DtypeError, r"write x.astype\(float64\)"),
        (lambda g, p, x, t: g(p["w"], x, t), ShapeError, "argument p is float64.* of structure"),
        (lambda g, p, x, t: g(p, x.tolist(), t), ShapeError, "argument x is list .*an array"),
        (lambda g, p, x, t: g({**p, "w": "a"}, x, t), DtypeError, r"p\['w'\] is str, expected"),
        (lambda g, p, x, t: g.run(fetch="score"), ProgramError, "score needs p"),
        (lambda g, p, x, t: g.run(fetch="scor"), ProgramError, "did you mean 'score'"),
        (lambda g, p, x, t: g.run(fetch=3), ProgramError, "no value 3"),
        (lambda g, p, x, t: g.run(feed={"q": 1}), ProgramError, r"feed=….*: no value 'q'"),
        (lambda g, p, x, t: g.run(feed={"hidden": x}), ShapeError, r"hidden is float64\[5, 3\]"),
    ],
)
def test_mistakes_are_named(built, values, call, error, message):
    with pytest.raises(error, match=message):
        call(built, *values)


def test_a_branch_on_a_value_names_cond():
    with pytest.raises(UnsupportedError, match=r"capture of .*test_graph.py.*wengert\.cond"):
        wg.capture(lambda x: x if x > 0 else -x)(wg.Aval(()))


def test_a_branch_inside_a_compiled_function_is_refused_too():
    inner = wg.compile(lambda x: x if x > 0 else -x)
    with pytest.raises(UnsupportedError, match="cond"):
        wg.capture(lambda x: inner(x) * 2)(wg.Aval(()))


def test_changing_an_argument_in_place_is_refused():
    def f(p):
        p["w"][0] = 1.0
        return p["w"]

    with pytest.raises(UnsupportedError, match=r"changes its argument p\['w'\] in place"):
        wg.capture(f)({"w": wg.Aval((2,))})


def test_arguments_that_were_not_given_are_refused():
    made = wg.capture(lambda x, k=2: x * k)(wg.Aval(()))
    assert made(1.0) == 2.0
    with pytest.raises(DtypeError, match="argument k, which was not given when"):
        made(1.0, k=3)


def test_values_that_the_passes_made_are_not_to_be_fetched():
    def f(x, w):  # the factor goes into the smaller operand
        return (x @ w) * 2.0

    made = wg.capture(f)(wg.Aval((9, 4, 4)), wg.Aval((4, 4)))
    new = set(made.program.names.values()) - set(made.original.names.values())
    assert new
    for label in new:
        with pytest.raises(ProgramError, match=f"{label} was made by the passes"):
            made.run(fetch=label)
