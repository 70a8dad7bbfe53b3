"""A graph as text: boxes of words and lines between them for a terminal, and Graphviz's DOT.

Layer: ``explain.graph`` and ``explain.layout``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .graph import Graph
from .layout import Layout, layered
from .notation import width

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
LINES = {
    UP | DOWN: "│",
    UP: "│",
    DOWN: "│",
    LEFT | RIGHT: "─",
    LEFT: "─",
    RIGHT: "─",
    UP | RIGHT: "└",
    UP | LEFT: "┘",
    DOWN | RIGHT: "┌",
    DOWN | LEFT: "┐",
    UP | DOWN | RIGHT: "├",
    UP | DOWN | LEFT: "┤",
    UP | LEFT | RIGHT: "┴",
    DOWN | LEFT | RIGHT: "┬",
    UP | DOWN | LEFT | RIGHT: "┼",
}
GAP = 3.0  # columns between labels
MOST = 400  # nodes of a drawing; what has more becomes a list
WIDEST = 160  # columns of a drawing; what is wider becomes a list


def to_dot(graph: Graph, fill: Mapping[str, str]) -> str:
    """The graph for Graphviz: ``dot -Tsvg``. ``fill``: the colour of each kind of node."""
    lines = [
        "digraph wengert {",
        f"  label={quoted(graph.title)}; labelloc=t; rankdir=TB;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=10];',
        '  edge [fontname="sans-serif", fontsize=9, color="#8d8fa6"];',
    ]
    for node in graph.nodes:
        text = quoted(f"{node.label}\n{node.value}" if node.value else node.label)
        lines.append(f'  n{node.key} [label={text}, fillcolor="{fill[node.kind]}"];')
    for edge in graph.edges:
        label = f" [label={quoted(edge.label)}]" if edge.label else ""
        lines.append(f"  n{edge.source} -> n{edge.target}{label};")
    return "\n".join([*lines, "}"])


def quoted(text: str) -> str:
    """A string of DOT."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_text(graph: Graph) -> str:
    """The graph for a terminal: inputs above, results below; a list where it is too large."""
    if len(graph.nodes) > MOST:
        return as_list(graph)
    widths = {
        node.key: float(max(width(node.label), width(node.value)) + 2) for node in graph.nodes
    }
    layout = layered(widths, [(edge.source, edge.target) for edge in graph.edges], GAP)
    left = min((min(route) for route in layout.routes.values()), default=0.0)
    left = min([left, *(layout.x[key] - widths[key] / 2 for key in widths)], default=0.0)
    right = max((layout.x[key] + widths[key] / 2 for key in widths), default=0.0)
    right = max([right, *(max(route) for route in layout.routes.values())], default=right)
    if right - left > WIDEST:
        return as_list(graph)
    drawing = Drawing(graph, layout, left)
    return "\n".join(drawing.lines())


def as_list(graph: Graph) -> str:
    """One line for each node, with the nodes that it reads by the start of their labels."""
    names = {node.key: node.label.partition(" ")[0] for node in graph.nodes}
    lines = []
    for node in graph.nodes:
        sources = [names[edge.source] for edge in graph.edges if edge.target == node.key]
        after = f"   <- {', '.join(sources)}" if sources else ""
        lines.append(f"{node.label}: {node.value}{after}" if node.value else f"{node.label}{after}")
    return "\n".join(lines)


class Drawing:
    """Rows of characters: for each layer its labels, below them the lines to the next layer."""

    def __init__(self, graph: Graph, layout: Layout, left: float) -> None:
        self.graph, self.layout, self.left = graph, layout, left
        self.nodes = {node.key: node for node in graph.nodes}
        # the column of every edge on every layer: dummies have one of their own
        targets = [edge[1] for edge in layout.routes]
        self.columns = {
            edge: straightened([self.column(x) for x in route], targets.count(edge[1]) == 1)
            for edge, route in layout.routes.items()
        }

    def column(self, x: float) -> int:
        """The column of a place of the layout."""
        return round(x - self.left)

    def lines(self) -> list[str]:
        """The drawing."""
        result: list[str] = []
        for number in range(len(self.layout.layers)):
            result += self.labels(number)
            if number + 1 < len(self.layout.layers):
                result += self.between(number)
        return result

    def labels(self, number: int) -> list[str]:
        """The labels of a layer and, below them, the values; long edges pass between."""
        keys = [key for key in self.layout.layers[number] if key in self.nodes]
        passing = [
            columns[number - self.layout.layer[edge[0]]]
            for edge, columns in self.columns.items()
            if self.layout.layer[edge[0]] < number < self.layout.layer[edge[1]]
        ]
        rows = []
        for what in ("label", "value"):
            row = Row()
            for column in passing:
                row.put(column, "│")
            for key in keys:
                text = getattr(self.nodes[key], what)
                row.put(self.column(self.layout.x[key]) - width(text) // 2, text)
            rows.append(row.text())
        return rows if any(self.nodes[key].value for key in keys) else rows[:1]

    def between(self, number: int) -> list[str]:
        """The lines from a layer to the next, each source on a track of its own."""
        nets: dict[tuple[int, Any], set[int]] = {}
        arrows = set()
        for edge, columns in self.columns.items():
            step = number - self.layout.layer[edge[0]]
            if 0 <= step < len(columns) - 1:
                source = edge[0] if step == 0 else edge
                nets.setdefault((columns[step], source), set()).add(columns[step + 1])
                if step + 1 == len(columns) - 1:
                    arrows.add(columns[step + 1])
        tracks = tracks_of([(start, sorted(ends)) for (start, _), ends in nets.items()])
        grid: list[dict[int, int]] = [{} for _ in range(max(len(tracks), 1))]
        for track, level in enumerate(tracks):
            for start, ends in level:
                mark_net(grid, track, start, ends)
        rows = ["".join(row_text(marks)) for marks in grid]
        below = sorted({end for (_, _), ends in nets.items() for end in ends})
        last = Row()
        for column in below:
            last.put(column, "▼" if column in arrows else "│")
        return [row.rstrip() for row in rows] + [last.text()]


def straightened(columns: list[int], end_too: bool) -> list[int]:
    """The way of an edge without steps of one column; its end moves if nothing else ends there."""
    result = columns[:1]
    for n, column in enumerate(columns[1:], 1):
        fixed = n == len(columns) - 1 and not end_too
        result.append(result[-1] if abs(column - result[-1]) == 1 and not fixed else column)
    return result


Net = tuple[int, list[int]]


def tracks_of(nets: Sequence[Net]) -> list[list[Net]]:
    """Rows for the horizontal parts: nets in one row stand side by side.

    A net whose source stands over the end of another goes above it, where that is possible.
    """
    waiting = sorted(nets, key=lambda net: net[0])
    tracks: list[list[Net]] = []
    while waiting:
        free = [
            net
            for net in waiting
            if not any(net is not other and covers(net, other) for other in waiting)
        ] or waiting[:1]
        track: list[Net] = []
        for net in sorted(free, key=lambda net: min([net[0], *net[1]])):
            if not track or beside(track[-1], net):
                track.append(net)
        tracks.append(track)
        waiting = [net for net in waiting if not any(net is one for one in track)]
    return tracks


def covers(lower: Net, upper: Net) -> bool:
    """Whether ``upper`` starts over an end of ``lower``, and does not end there as well."""
    return upper[0] in lower[1] and upper[0] not in upper[1]


def beside(left: Net, right: Net) -> bool:
    """Whether two nets fit into one row: apart, or touching where both end at one target."""
    last, first = max([left[0], *left[1]]), min([right[0], *right[1]])
    return first > last or (first == last and first in left[1] and first in right[1])


def mark_net(grid: list[dict[int, int]], track: int, start: int, ends: list[int]) -> None:
    """Enter a net: down from its source to its track, along it, and down to its ends."""

    def mark(row: int, column: int, lines: int) -> None:
        grid[row][column] = grid[row].get(column, 0) | lines

    for row in range(track):
        mark(row, start, UP | DOWN)
    mark(track, start, UP)
    low, high = min([start, *ends]), max([start, *ends])
    for column in range(low, high + 1):
        sides = (LEFT if column > low else 0) | (RIGHT if column < high else 0)
        mark(track, column, sides)
    for end in ends:
        mark(track, end, DOWN)
        for row in range(track + 1, len(grid)):
            mark(row, end, UP | DOWN)


def row_text(marks: Mapping[int, int]) -> list[str]:
    """A row of line characters."""
    return [LINES.get(marks.get(column, 0), " ") for column in range(max(marks, default=-1) + 1)]


class Row:
    """A row of text that is written at columns."""

    def __init__(self) -> None:
        self.cells: list[str] = []

    def put(self, column: int, text: str) -> None:
        """Write ``text`` from ``column`` on; a combining mark goes with the letter before it."""
        cells: list[str] = []
        for character in text:
            if width(character) or not cells:
                cells.append(character)
            else:
                cells[-1] += character
        column = max(column, 0)
        self.cells += [" "] * (column + len(cells) - len(self.cells))
        self.cells[column : column + len(cells)] = cells

    def text(self) -> str:
        """The row without the blanks at its end."""
        return "".join(self.cells).rstrip()
