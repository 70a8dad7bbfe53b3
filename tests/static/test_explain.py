"""What a compiled function tells of itself: its graphs, causes, guards, and what fell back."""

import random
import re
import time
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import CaptureWarning


def eagerly(function, *calls):
    """The compiled function after calls that made it run eagerly."""
    compiled = wg.compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CaptureWarning)
        for args in calls:
            compiled(*args)
    assert compiled.reason
    return compiled


def branching(x):
    if np.sum(x) > 0:
        return {"y": np.sum(np.sin(x) * 1)}
    return {"y": np.sum(x)}


@pytest.fixture(scope="module")
def compiled():
    made = wg.compile(branching, strict_capture=True)
    for scale in (1.0, 1.0, 1.0, -1.0, -1.0, 2.0):
        made(np.full(3, scale))
    return made


# --- graphs --------------------------------------------------------------------------------------


def test_each_path_is_a_graph_in_segments(compiled):
    graphs = compiled.graphs
    assert [len(graph.segments) for graph in graphs] == [2, 2]
    guards = {graph.segments[0].guard for graph in graphs}
    line = r"holds where test_explain.py:\d+: `if np.sum\(x\) > 0:` reads "
    assert sorted(re.sub(line, "", guard) for guard in guards) == ["False", "True"]
    for graph in graphs:
        assert graph.check() is graph
        assert graph.inputs == {"x": wg.Aval((3,))}
        assert list(graph.outputs) == ["y['y']"]
        text = str(graph)
        assert text.startswith("graph branching: x: float64[3]\nsegment 1\n  inputs     v1")
        assert "segment 2" in text
        assert text.splitlines()[-1].endswith(" = y['y']")


def test_segments_of_two_paths_have_one_numbering(compiled):
    first, second = (str(graph.segments[0].program) for graph in compiled.graphs)
    assert first == second


def test_graphs_run_in_part(compiled):
    (graph,) = [g for g in compiled.graphs if len(g.original.equations) > 3]
    x = np.array([0.5, 1.0, 2.0])
    fetched = graph.fetch(["x", "y['y']"], {}, {"x": x})
    np.testing.assert_allclose(fetched[1], np.sum(np.sin(x)))
    assert graph.fetch("y['y']", {"x": np.zeros(3)}, {}) == 0.0


def test_graphs_show_passes_and_pictures(compiled, tmp_path):
    (graph,) = [g for g in compiled.graphs if len(g.original.equations) > 3]
    text = str(graph.passes)
    assert text.startswith("segment 1\nrecorded: 2 equations")
    assert "algebra: 3 -> 2 equations; x * 1 (1)" in text
    assert "sin" in graph.draw()
    assert graph.draw(tmp_path / "g.dot").exists()


def test_a_path_that_writes_names_what_it_writes():
    w = wg.array([1.0, 2.0], requires_grad=True)

    def step(x):
        w.grad = None
        loss = np.sum(w * x)
        loss.backward()
        with wg.no_grad():
            w[...] = w - 0.1 * w.grad
        return loss

    made = wg.compile(step, strict_capture=True)
    for _ in range(4):
        made(np.ones(2))
    (graph,) = made.graphs
    assert {"w", "w.grad"} <= graph.outputs.keys()
    np.testing.assert_allclose(w.numpy(), [0.6, 1.6])


def test_nothing_recorded_is_no_graph():
    made = wg.compile(branching)
    assert made.graphs == []
    assert "calls: none yet" in str(made.explain())
    made(np.ones(3))  # recorded once, nothing confirmed
    assert "confirmed by another call" in str(made.explain())


# --- explanations --------------------------------------------------------------------------------


def test_an_explanation_counts_and_shows_passes_and_guards(compiled):
    told = compiled.explain()
    text = str(told)
    assert re.match(r"compile of branching \(.*test_explain.py:\d+\)\ncalls: ", text)
    assert told.counts["recorded"] + told.counts["replayed"] == 6
    assert "path 1 of 2" in text
    assert "segment 1: 2 equations recorded, 2 after the passes" in text
    assert "2 equations, as above" in text
    assert re.search(r"algebra +3 -> +2  x \* 1: 1", text)
    assert re.search(r"holds where test_explain.py:\d+: `if np.sum\(x\) > 0:` reads True", text)
    assert "if t1" not in text  # no source of the checker


class Net:
    def __init__(self):
        self.scale, self.training = 2, True
        self.parts = [1.0]

    def __call__(self, x):
        return x * self.scale if self.training else x + self.parts[0]


def test_causes_are_in_the_users_words():
    net = Net()

    def f(x, mode="sum", *, bias=None):
        y = net(x)
        return np.sum(y) if bias is None else np.sum(y) + bias

    made = wg.compile(f, strict_capture=True)
    calls = [
        (((np.ones(3),), {}), "the first call"),
        (((np.ones((2, 3)),), {}), "x is float64[2, 3] and was float64[3]"),
        (((np.ones(3, "f4"),), {}), "x is float32[3] and was float64[2, 3]"),
        (((np.ones(6)[::2],), {}), "x is float64[3] with strides (16,) and was float32[3]"),
        (((np.ones(3), "max"), {}), "mode is new: 'max'"),
        (((np.ones(3),), {"bias": 1.0}), "bias is new: float"),
    ]
    for (args, kwargs), expected in calls:
        made(*args, **kwargs)
        assert made.explain().history[-1].startswith(expected)
        assert re.search(r"\(test_explain.py:\d+: `made\(\*args", made.explain().history[-1])
    net.training = False
    made(np.ones(3))
    assert made.explain().history[-1].startswith("net.training is False and was True")
    with wg.no_grad():
        made(np.ones(3))
    assert made.explain().history[-1].startswith("it runs under no_grad or no more")
    net.scale = 2.0
    made(np.ones(3))
    assert made.explain().history[-1].startswith("net.scale is 2.0 and was 2 ")


def test_another_object_is_named():
    first, second = Net(), Net()
    holder = {"net": first}

    def f(x):
        return holder["net"](x)

    made = wg.compile(f, strict_capture=True)
    made(np.ones(2))
    holder["net"] = second
    made(np.ones(2))
    assert "holder['net'] is another object, a Net" in made.explain().history[-1]


def test_the_same_array_twice_is_a_cause():
    made = wg.compile(lambda a, b: a + b, strict_capture=True)
    x, y = np.ones(2), np.ones(2)
    made(x, y)
    made(x, x)
    assert made.explain().history[-1].startswith("b is the same object as a")


def test_numbers_that_change_become_variables():
    net = Net()
    made = wg.compile(lambda x: net(x), strict_capture=True)
    for scale in (2, 2, 3, 4, 5):
        net.scale = scale
        np.testing.assert_array_equal(made(np.ones(2)), np.full(2, scale))
    told = made.explain()
    assert told.variables == ("net.scale",)
    assert told.history[-1].startswith("net.scale is 3 and was 2: a variable from now on")
    assert "recorded and given up again:\n  the first call" in str(told)
    assert told.fixed == ()


def test_numbers_that_shape_arrays_stay_fixed():
    made = wg.compile(lambda x, n: np.reshape(x, (n, -1)), strict_capture=True)
    for n in (2, 3, 4, 6):
        made(np.zeros(12), n)
        made(np.zeros(12), n)
    told = made.explain()
    assert not told.reason
    assert "n" in {*told.variables, *told.fixed}


@wg.custom_vjp
def doubled(x):
    return x * 2


doubled.defvjp(lambda x: (x * 2, None), lambda _, g: (g * 2,))


def test_operations_that_run_python_are_listed():
    made = wg.compile(lambda x: np.sin(doubled(x)), strict_capture=True)
    for _ in range(3):
        made(np.ones(2))
    assert re.search(r"runs Python: .*doubled.* \(test_explain.py:\d+: `", str(made.explain()))


# --- what falls back -----------------------------------------------------------------------------


def test_a_clock_is_named_with_its_line():
    def f(x):
        y = x * 2
        return y * time.time()

    text = str(eagerly(f, (np.ones(2),), (np.ones(2),)).explain())
    assert "calls: 2 run eagerly" in text
    assert re.search(r"runs eagerly: it calls time.time, .*:\d+: `return y \* time.time\(\)`", text)


def test_effects_are_named_with_their_line():
    seen = []

    def f(x):
        seen.append(len(seen))
        return x * 2

    told = eagerly(f, *[(np.ones(2),)] * 4).explain()
    assert re.search(r"it changes seen.*: `seen.append\(len\(seen\)\)`", told.reason)
    assert told.counts["eager"] >= 1


def test_randomness_is_named_with_its_line():
    def f(x):
        return x * random.random()

    told = eagerly(f, (np.ones(2),)).explain()
    assert re.search(r"random.*test_explain.py:\d+: `return x \* random.random\(\)`", told.reason)


def test_what_recording_cannot_follow_is_named_with_its_line():
    w = wg.array([1.0], requires_grad=True) * 2.0

    def f(x):
        y = x * hidden()
        return y

    def hidden():
        return holders[0]()

    holders = [lambda: np.sum(w)]
    compiled = wg.compile(f)
    compiled(np.ones(2))
    assert str(compiled.explain())


def test_methods_explain_themselves():
    class Model:
        def __init__(self):
            self.w = wg.array([1.0, 2.0], requires_grad=True)

        @wg.compile
        def predict(self, x):
            return np.sum(self.w * x)

    model = Model()
    for _ in range(3):
        model.predict(np.ones(2))
    assert "x: float64[2]" in str(model.predict.explain())
    assert model.predict.graphs[0].inputs.keys() == {"x", "self.w"}


def test_effects_under_a_transformation_are_told():
    class Counter:
        count = wg.array(0.0)

    def f(x):
        Counter.count += 1.0
        return np.sum(x * x)

    compiled = wg.compile(f)
    wg.grad(compiled)(np.ones(2))
    assert "runs as it is under grad" in str(compiled.explain())


def keyed(x):
    n = int(x[0])
    values = x.tolist()
    held = x.numpy()
    some = x[x > 0]
    return np.sum(x[:n]) + values[0] + held.sum() + np.sum(some)


def test_guards_say_what_was_read():
    made = wg.compile(keyed, strict_capture=True)
    for first in (1.0, 1.0, 2.0, 2.0):
        made(wg.array([first, 2.0, -3.0]))
    told = [[segment.guard for segment in graph.segments] for graph in made.graphs]
    line = r"holds where test_explain.py:\d+: `.*` "
    texts = sorted([re.sub(line, "", guard) for guard in guards] for guards in told)
    assert texts == [
        ["reads 1", "reads [1.0, 2.0, -3.0]", "reads float64[3]", "has shape (2,)", ""],
        ["reads 2", "reads [2.0, 2.0, -3.0]", "reads float64[3]", "has shape (2,)", ""],
    ]
