"""Draw the graph of a trace, a program or a dynamic graph: as a picture, as text, or for Graphviz.

Layer: ``explain.graph`` and ``explain.layout``; matplotlib is imported when a picture is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import DataError, UnsupportedError
from .graph import Graph, GraphEdge, GraphNode, graph_of
from .layout import Layout, layered
from .notation import width
from .plotting import INK, new_figure, save_figure
from .text_graph import to_dot, to_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 400  # boxes in a picture
FILL = {
    "input": "#d6eaf2",
    "parameter": "#fbe3c0",
    "constant": "#ececf2",
    "operation": "#ffffff",
    "result": "#d9ecd0",
}
EDGE = {
    "input": "#0b6e99",
    "parameter": "#b06a00",
    "constant": "#9a9bb0",
    "operation": "#4a4e69",
    "result": "#4f772d",
}
LETTER = 0.083  # inches that a character of a label takes
PAD = 0.2  # inches of a box beside its text
BOX, LAYER, GAP = 0.46, 0.92, 0.34  # inches: height of a box, distance of layers, of boxes
TOP, NARROWEST = 0.64, 5.2  # inches of the head: its height, its width
WIDEST = 44  # characters of a label
WIRE = "#8d8fa6"


def draw(
    what: Any,
    path: str | Path | None = None,
    *,
    partials: bool = False,
    parameters: Sequence[str] = (),
    names: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Any:
    """Draw a graph: inputs above, results below, one box for each value.

    Args:
        what: ``trace(f)(*args)``, a ``Program``, or an ``Array`` that a dynamic graph leads to.
        path: where to write it: ``.png``, ``.svg``, ``.pdf`` a picture, ``.dot`` or ``.gv`` for
            Graphviz, ``.txt`` text; None gives the text back.
        partials: write the local partial derivative of numbers beside the edges.
        parameters: names of arguments to colour as parameters.
        names: for the leaves of a dynamic graph: ``{"w": w}``.
        title: over the picture; default: the name of the function.

    Returns:
        The path, or the text where there is none.

    Raises:
        UnsupportedError: matplotlib is missing; more than 400 values in a picture.
        DataError: the file can't be written, or its ending is unknown.

    Example:
        >>> import wengert as wg
        >>> from wengert.explain.draw import draw
        >>> print(draw(wg.trace(lambda a, b: a * b)(2.0, 5.0)))
         v1 = a     v2 = b
            2          5
            └─────┬────┘
                  ▼
           v3 = v1·v2 = y
                 10
    """
    graph = graph_of(what, partials, parameters, names)
    if title is not None:
        graph.title = title
    if path is None:
        return to_text(graph)
    ending = Path(path).suffix.lower()
    if ending == "":
        raise DataError(f"draw: {path} has no ending: .png, .svg, .pdf, .dot, .gv or .txt")
    if ending == ".txt":
        return written(path, to_text(graph))
    if ending in (".dot", ".gv"):
        return written(path, to_dot(graph, FILL))
    return save_figure(picture(graph), path)


def written(path: str | Path, text: str) -> Path:
    """The path, after ``text`` was written to it."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"can't write the graph {target}: {error}") from error
    return target


def picture(graph: Graph) -> Figure:
    """The graph as a figure of matplotlib, as large as it needs to be read."""
    if len(graph.nodes) > MOST:
        raise UnsupportedError(
            f"draw: the graph has {len(graph.nodes)} values, a picture shows at most {MOST}: "
            "draw a smaller step, or write .dot for Graphviz"
        )
    widths = {node.key: box_width(node) for node in graph.nodes}
    layout = layered(widths, [(edge.source, edge.target) for edge in graph.edges], GAP)
    left = min((layout.x[k] - widths[k] / 2 for k in widths), default=0.0)
    right = max((layout.x[k] + widths[k] / 2 for k in widths), default=0.0)
    ways = [x for route in layout.routes.values() for x in route]
    left, right = min([left, *ways]) - PAD, max([right, *ways]) + PAD
    missing = max(0.0, NARROWEST - (right - left))
    left, right = left - missing / 2, right + missing / 2
    height = TOP + (len(layout.layers) - 1) * LAYER + BOX + PAD
    figure = new_figure(right - left, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(left, right), ylim=(height, 0.0))
    axes.axis("off")
    _draw_edges(axes, graph, layout, widths)
    for node in graph.nodes:
        _draw_box(axes, node, layout, widths[node.key])
    _draw_head(axes, graph, left + PAD)
    return figure


def box_width(node: GraphNode) -> float:
    """Inches that the box of ``node`` needs."""
    longest = max(width(shortened(node.label)), width(node.value))
    return max(longest * LETTER + 2 * PAD * 0.6, 0.7)


def shortened(label: str) -> str:
    """A label cut to what a box shows."""
    return label if len(label) <= WIDEST else label[: WIDEST - 1] + "…"


def _y(layer: float) -> float:
    """The middle of the boxes of a layer, below the head."""
    return TOP + BOX / 2 + layer * LAYER


def _draw_box(axes: Axes, node: GraphNode, layout: Layout, wide: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = layout.x[node.key], _y(layout.layer[node.key])
    shape = f"round,pad=0,rounding_size={0.2 if node.kind in ('input', 'parameter') else 0.07}"
    axes.add_patch(
        FancyBboxPatch(
            (x - wide / 2, y - BOX / 2),
            wide,
            BOX,
            boxstyle=shape,
            facecolor=FILL[node.kind],
            edgecolor=EDGE[node.kind],
            linewidth=1.3 if node.kind != "operation" else 1.0,
            zorder=3,
        )
    )
    for text, offset, colour, weight in (
        (shortened(node.label), -0.09, INK, "bold" if node.kind != "operation" else "normal"),
        (node.value, 0.1, "#5c5f77", "normal"),
    ):
        axes.text(
            x,
            y + offset,
            text,
            ha="center",
            va="center",
            fontsize=9 if offset < 0 else 8,
            color=colour,
            fontweight=weight,
            zorder=4,
            parse_math=False,
        )


def ports(
    graph: Graph, layout: Layout, widths: Mapping[Any, float]
) -> dict[tuple[int, int, bool], float]:
    """Where each edge leaves its source (True) and meets its target (False), side by side."""
    found: dict[tuple[int, int, bool], float] = {}
    for node in graph.nodes:
        for leaving in (True, False):
            mine = [e for e in graph.edges if (e.source if leaving else e.target) == node.key]
            toward = {
                (e.source, e.target): layout.routes[e.source, e.target][1 if leaving else -2]
                for e in mine
            }
            room = widths[node.key] * (0.3 if leaving else 0.6)
            step = min(0.3, room / max(len(mine) - 1, 1))
            for i, pair in enumerate(sorted(toward, key=lambda pair: toward[pair])):
                shift = (i - (len(mine) - 1) / 2) * step
                found[(*pair, leaving)] = layout.x[node.key] + shift
    return found


def _draw_edges(axes: Axes, graph: Graph, layout: Layout, widths: Mapping[Any, float]) -> None:
    """Smooth curves from box to box, through the gaps that the layout left for them."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    place = ports(graph, layout, widths)
    for edge in graph.edges:
        route = list(layout.routes[edge.source, edge.target])
        first = layout.layer[edge.source]
        points = [(place[edge.source, edge.target, True], _y(first) + BOX / 2)]
        for n, x in enumerate(route[1:-1], 1):
            points += [(x, _y(first + n) - BOX / 2), (x, _y(first + n) + BOX / 2)]
        last = first + len(route) - 1
        points.append((place[edge.source, edge.target, False], _y(last) - BOX / 2))
        vertices, codes = [points[0]], [Curve.MOVETO]
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (y0 + y1) / 2
            vertices += [(x0, middle), (x1, middle), (x1, y1)]
            codes += [Curve.CURVE4] * 3
        axes.add_patch(
            FancyArrowPatch(
                path=Curve(vertices, codes),
                arrowstyle="-|>,head_length=4,head_width=2",
                color=WIRE,
                linewidth=1.1,
                zorder=1,
                shrinkA=0,
                shrinkB=0,
            )
        )
        _draw_partial(axes, edge, points)


def _draw_partial(axes: Axes, edge: GraphEdge, points: Sequence[tuple[float, float]]) -> None:
    """The local partial derivative beside the end of an edge."""
    if not edge.label:
        return
    (x0, y0), (x1, y1) = points[-2:]
    share = 0.62
    bend = 3 * share**2 - 2 * share**3  # where the curve is at that height
    axes.text(
        x0 + (x1 - x0) * bend,
        y0 + (y1 - y0) * share,
        edge.label,
        ha="center",
        va="center",
        fontsize=8,
        color="#c8553d",
        zorder=2,
        parse_math=False,
        bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.9},
    )


def _draw_head(axes: Axes, graph: Graph, left: float) -> None:
    """The title, and what the colours mean."""
    axes.text(
        left, 0.18, graph.title, ha="left", va="center", fontsize=11, color=INK, parse_math=False
    )
    x = left
    for kind in FILL:
        if any(node.kind == kind for node in graph.nodes):
            axes.plot(x + 0.06, 0.415, "s", ms=8, mfc=FILL[kind], mec=EDGE[kind])
            axes.text(x + 0.17, 0.42, kind, ha="left", va="center", fontsize=8.5, color=INK)
            x += 0.42 + 0.075 * len(kind)
    if any(edge.label for edge in graph.edges):
        axes.text(
            x,
            0.42,
            "red: ∂ target / ∂ source",
            ha="left",
            va="center",
            fontsize=8.5,
            color="#c8553d",
        )
