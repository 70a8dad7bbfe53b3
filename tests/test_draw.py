"""Graphs as pictures, as text, and for Graphviz: of traces, programs, and dynamic graphs."""

import re
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import DataError, DtypeError, GraphReleased, UnsupportedError
from wengert.differentiate.record import program_of
from wengert.explain import draw as drawing
from wengert.explain.draw import draw, picture
from wengert.explain.graph import Graph, GraphNode, graph_of
from wengert.explain.layout import crossings, layered, neighbours, spread
from wengert.explain.text_graph import to_dot

RNG = np.random.default_rng(0)


def lecture(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)


def loss(params, x, t):
    hidden = np.tanh(x @ params["W1"] + params["b1"])
    return np.sum((hidden @ params["W2"] + params["b2"] - t) ** 2) / 5


def step(params, x, t):
    gradient = wg.grad(loss)(params, x, t)
    return {name: params[name] - 0.1 * gradient[name] for name in params}


@pytest.fixture(scope="module")
def training_step():
    params = {
        "W1": RNG.standard_normal((3, 4)),
        "W2": RNG.standard_normal((4, 2)),
        "b1": np.zeros(4),
        "b2": np.zeros(2),
    }
    return wg.trace(step)(params, RNG.standard_normal((5, 3)), RNG.standard_normal((5, 2)))


@pytest.fixture
def example():
    return wg.trace(lecture)(2.0, 5.0)


# --- text ----------------------------------------------------------------------------------------


def test_text_of_the_lectures_example(example):
    expected = """\
           v1 = x1        v2 = x2
              2              5
      ┌───────┴──────┬───────┴──────┐
      ▼              ▼              ▼
 v3 = ln v1     v4 = v1·v2     v5 = sin v2
    0.693           10           −0.959
      └──────────┬───┘        ┌─────┘
                 ▼            │
           v6 = v3 + v4       │
              10.693          │
                 └─────┬──────┘
                       ▼
               v7 = v6 − v5 = y
                    11.652"""
    assert draw(example) == expected
    assert example.draw() == expected


def test_a_graph_too_wide_for_text_becomes_a_list():
    trace = wg.trace(lambda *xs: sum(np.sin(x) for x in xs))(*np.arange(30.0))
    lines = draw(trace).splitlines()
    assert lines[0] == "v1 = xs[0]: 0"
    assert lines[-1].startswith("v90 = v89 + v60 = y: ")
    assert lines[-1].endswith("<- v89, v60")


def test_every_value_of_a_text_stands_below_its_operands(training_step):
    lines = draw(training_step).splitlines()
    row = {}
    for number, line in enumerate(lines):
        for name in re.findall(r"(v\d+) = (?!y)", line):
            row[name] = number
    graph = graph_of(training_step)
    names = {node.key: node.label.partition(" ")[0] for node in graph.nodes}
    for edge in graph.edges:
        if names[edge.source] in row:
            assert row[names[edge.source]] < row[names[edge.target]]


# --- Graphviz ------------------------------------------------------------------------------------


def test_dot(example, tmp_path):
    path = draw(example, tmp_path / "graphs" / "g.dot", partials=True)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("digraph wengert {")
    assert text.count(" -> ") == 8
    assert 'n0 [label="v1 = x1\\n2", fillcolor="#d6eaf2"];' in text
    assert 'n0 -> n3 [label="5"];' in text
    assert text.rstrip().endswith("}")


def test_dot_quotes_what_needs_it():
    graph = Graph('a "b"\\c', [GraphNode(0, "w['x'] = \"y\"", "", "input")])
    text = to_dot(graph, drawing.FILL)
    assert 'label="a \\"b\\"\\\\c"' in text
    assert 'label="w[\'x\'] = \\"y\\""' in text


# --- graphs --------------------------------------------------------------------------------------


def test_kinds_and_partials_of_a_trace(training_step):
    graph = graph_of(training_step, parameters=["params"])
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count("parameter") == 4
    assert kinds.count("input") == 2
    assert kinds.count("result") == 4
    assert 25 <= len(graph.nodes) <= 45
    example = graph_of(wg.trace(lecture)(2.0, 5.0), partials=True)
    labels = {(edge.source, edge.target): edge.label for edge in example.edges}
    assert labels == {
        (0, 2): "0.5",
        (0, 3): "5",
        (1, 3): "2",
        (1, 4): "0.284",
        (2, 5): "1",
        (3, 5): "1",
        (5, 6): "1",
        (4, 6): "−1",
    }


def test_values_without_a_path_to_a_result_are_left_out():
    def f(x):
        np.exp(x)
        return np.sin(x)

    assert [node.label for node in graph_of(wg.trace(f)(1.0)).nodes] == [
        "v1 = x",
        "v3 = sin v1 = y",
    ]


def test_operands_used_twice_are_one_edge():
    graph = graph_of(wg.trace(lambda x: x * x)(3.0), partials=True)
    assert [(edge.source, edge.target, edge.label) for edge in graph.edges] == [(0, 1, "3, 3")]


def test_graph_of_a_program():
    program = program_of(lambda x, w: np.sum(x @ w) * 2.0)(np.ones((2, 3)), np.ones((3, 2)))
    graph = graph_of(program, parameters=["x2"])
    assert [node.kind for node in graph.nodes] == [
        "input",
        "parameter",
        "operation",
        "operation",
        "result",
    ]
    assert graph.nodes[2].value == "float64[2, 2]"
    assert graph.nodes[-1].label == "v5 = v4·2.0"


def test_graph_of_a_dynamic_graph():
    w = wg.array([1.0, 2.0], requires_grad=True)
    b = wg.array(0.5, requires_grad=True)
    y = np.sum(w * w) * b * 3.0
    graph = graph_of(y, partials=True, names={"w": w, "b": b})
    labels = [node.label for node in graph.nodes]
    assert labels[:2] == ["v1 = w", "v2 = b"]
    assert labels[2] == "v3 = v1·v1"
    assert [node.kind for node in graph.nodes][:2] == ["parameter", "parameter"]
    assert graph.nodes[-1].kind == "result"
    assert graph.nodes[-1].value == "7.5"
    assert [edge.label for edge in graph.edges if edge.label] == ["0.5", "5", "3"]
    assert "float64[2]" in draw(y)


def test_a_graph_that_is_gone_says_so():
    w = wg.array(2.0, requires_grad=True)
    y = w * w
    y.backward()
    with pytest.raises(GraphReleased, match="retain_graph=True"):
        draw(y)
    with pytest.raises(UnsupportedError, match="has no graph"):
        draw(wg.array(2.0))


def test_long_dynamic_graphs_need_no_recursion():
    w = wg.array(1.0, requires_grad=True)
    y = w
    for _ in range(5000):
        y = y * 1.0
    assert len(graph_of(y).nodes) == 5001


# --- layout --------------------------------------------------------------------------------------


def boxes(graph):
    widths = {node.key: drawing.box_width(node) for node in graph.nodes}
    edges = [(edge.source, edge.target) for edge in graph.edges]
    return widths, edges, layered(widths, edges, drawing.GAP)


def test_boxes_do_not_overlap_and_edges_point_down(training_step):
    widths, edges, layout = boxes(graph_of(training_step))
    assert all(layout.layer[a] < layout.layer[b] for a, b in edges)
    for row in layout.layers:
        spans = [
            (layout.x[key] - widths[key] / 2, layout.x[key] + widths[key] / 2)
            for key in row
            if key in widths
        ]
        for (_, right), (left, _) in pairwise(spans):
            assert left - right >= drawing.GAP - 1e-9


def test_long_edges_pass_beside_boxes(training_step):
    widths, edges, layout = boxes(graph_of(training_step))
    for source, target in edges:
        for n, x in enumerate(layout.routes[source, target][1:-1], 1):
            for key in layout.layers[layout.layer[source] + n]:
                if key in widths:
                    assert abs(layout.x[key] - x) > widths[key] / 2


def test_crossings_are_removed():
    edges = [("a", "y"), ("b", "x"), ("x", "p"), ("y", "q")]
    layout = layered(dict.fromkeys("abxypq", 1.0), edges, 1.0)
    assert crossings(layout.layers, neighbours(edges)[1]) == 0


def test_a_chain_is_straight():
    nodes = list(range(10))
    layout = layered({n: 1.0 + n % 3 for n in nodes}, list(pairwise(nodes)), 1.0)
    assert max(layout.x.values()) - min(layout.x.values()) < 1e-6


def test_spread_keeps_distances_and_stays_near():
    assert spread([0.0, 0.0], [1.0, 1.0], [0.0, 2.0]) == [-1.0, 1.0]
    assert spread([0.0, 5.0], [1.0, 1.0], [0.0, 2.0]) == [0.0, 5.0]
    heavy = spread([0.0, 0.0], [1e9, 1.0], [0.0, 2.0])
    assert heavy == pytest.approx([0.0, 2.0], abs=1e-6)


# --- pictures ------------------------------------------------------------------------------------


def test_png_and_svg(training_step, tmp_path):
    png = draw(training_step, tmp_path / "step.png", parameters=["params"], title="one step")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    svg = training_step.draw(tmp_path / "step.svg")
    assert ET.parse(svg).getroot().tag.endswith("svg")
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_everything_lies_inside_the_picture(training_step):
    figure = picture(graph_of(training_step, partials=True))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    width, height = figure.bbox.size
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height


def test_labels_fit_into_their_boxes(training_step):
    graph = graph_of(training_step)
    figure = picture(graph)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    widths = {node.label: drawing.box_width(node) for node in graph.nodes}
    seen = 0
    for text in axes.texts:
        if text.get_text() in widths:
            seen += 1
            assert text.get_window_extent().width / figure.dpi <= widths[text.get_text()]
    assert seen == len(graph.nodes)


def test_a_small_graph_is_a_picture_too(tmp_path):
    assert draw(wg.trace(lambda x: x)(1.0), tmp_path / "one.png").exists()
    lonely = wg.trace(lambda x, y: 2 * x)(1.0, 2.0)
    assert draw(lonely, tmp_path / "two.png").exists()
    assert "v2 = y" in draw(lonely)


# --- mistakes ------------------------------------------------------------------------------------


def test_mistakes_are_named(example, tmp_path):
    with pytest.raises(DtypeError, match="expected trace"):
        draw(lecture)
    with pytest.raises(DataError, match="has no ending"):
        draw(example, tmp_path / "picture")
    with pytest.raises(DataError, match="can't write the picture"):
        draw(example, tmp_path / "picture.xyz")
    (tmp_path / "file").write_text("")
    for ending in ("png", "dot"):
        with pytest.raises(DataError, match="can't write"):
            draw(example, tmp_path / "file" / f"g.{ending}")


def test_a_graph_too_large_for_a_picture_says_so(tmp_path):
    def f(x):
        for _ in range(500):
            x = np.sin(x)
        return x

    trace = wg.trace(f)(1.0)
    with pytest.raises(UnsupportedError, match="501 values"):
        draw(trace, tmp_path / "large.png")
    assert draw(trace, tmp_path / "large.dot").exists()


def test_without_matplotlib_the_extra_is_named(example, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match=r"wengert\[plot\]"):
        draw(example, tmp_path / "g.png")
    assert draw(example, tmp_path / "g.txt").read_text(encoding="utf-8") == draw(example) + "\n"
