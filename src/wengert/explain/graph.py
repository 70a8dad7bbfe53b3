"""The graph of a trace, a program, or an array of a dynamic graph, as nodes with text and edges.

Layer: ``explain.trace`` and ``differentiate``; ``draw`` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DtypeError, GraphReleased, UnsupportedError, describe
from ..core.program import Equation, Names, Program, Var
from ..core.quiet import quiet
from ..differentiate.sweep import RELEASED
from ..differentiate.tape import Leaf, Node, projection
from .notation import number, operation, value_text
from .tangent_list import local_partial
from .trace import Trace

LONG = 40  # characters of a label and the name of a result on one line
KINDS = ("input", "parameter", "constant", "operation", "result")


@dataclass(frozen=True)
class GraphNode:
    """One box: ``v4 = v1·v2`` and below it ``10``, or its type. ``kind``: one of ``KINDS``."""

    key: int
    label: str
    value: str
    kind: str


@dataclass(frozen=True)
class GraphEdge:
    """One arrow; ``label``: the local partial derivative, where asked for and a number."""

    source: int
    target: int
    label: str = ""


@dataclass
class Graph:
    """Nodes in an order in which every edge points forwards."""

    title: str
    nodes: list[GraphNode] = field(default_factory=list)
    edges: list[GraphEdge] = field(default_factory=list)

    def connect(self, source: int, target: int, label: str = "") -> None:
        """Add an arrow; one between the same nodes gets the further label."""
        for i, edge in enumerate(self.edges):
            if (edge.source, edge.target) == (source, target):
                both = ", ".join(text for text in (edge.label, label) if text)
                self.edges[i] = GraphEdge(source, target, both)
                return
        self.edges.append(GraphEdge(source, target, label))


def graph_of(
    what: Any,
    partials: bool = False,
    parameters: Sequence[str] = (),
    names: Mapping[str, Any] | None = None,
) -> Graph:
    """The graph of ``what``.

    Args:
        what: a ``Trace``, a ``Program``, a static graph, or an ``Array`` that a dynamic graph leads
            to.
        partials: write the local partial derivative of numbers beside the edges.
        parameters: the inputs of a trace or program to show as parameters: ``("w", "params")``.
        names: for the leaves of a dynamic graph: ``{"w": w}``.

    Raises:
        DtypeError: anything else. UnsupportedError: an array without a graph. GraphReleased: its
            ``backward`` was called already.
    """
    if isinstance(what, Trace):
        return _of_trace(what, partials, parameters)
    if isinstance(what, Program):
        return _of_program(what, parameters, {})
    if isinstance(getattr(what, "program", None), Program):  # a static graph, not loaded for others
        ends: dict[Any, str] = {}
        for label, atom in what.results:
            ends.setdefault(atom, label)
        return _of_program(what.program, parameters, ends)
    if isinstance(what, Box):
        return _of_array(what, partials, names or {})
    raise DtypeError(
        f"draw: got {describe(what)}, expected trace(f)(*args), a Program, a static graph, or an "
        "Array that depends on one with requires_grad=True"
    )


def _input_kind(name: str, parameters: Sequence[str]) -> str:
    owner = [p for p in parameters if name == p or name.startswith((f"{p}[", f"{p}."))]
    return "parameter" if owner else "input"


def _used(program: Program) -> set[Any]:
    """The variables on a path to a result, and the inputs."""
    used = {*program.outputs, *program.inputs}
    for eqn in reversed(program.equations):
        if any(var in used for var in eqn.outputs):
            used.update(eqn.inputs)
    return used


def _of_trace(trace: Trace, partials: bool, parameters: Sequence[str]) -> Graph:
    graph = Graph(f"{trace.program.name}")
    used = _used(trace.program)
    shown = [var for var in trace.names if var in used]
    ends = dict(zip(trace.program.outputs, trace.outputs, strict=True))
    shown.sort(key=lambda var: var not in trace.program.constants)  # constants are defined first
    for key, var in enumerate(shown):
        name = trace.names[var]
        if var in trace.program.constants:
            kind, label = "constant", name
        elif var in trace.equations:
            kind, label = "operation", f"{name} = {trace.text(var)}"
        else:
            kind, label = _input_kind(var.name, parameters), f"{name} = {var.name}"
        if var in ends:
            kind, label = "result", f"{label} = {ends[var]}"
        graph.nodes.append(GraphNode(key, label, _short(trace.value(var)), kind))
    keys = {var: key for key, var in enumerate(shown)}
    for var in shown:
        if var in trace.equations:
            for i, atom in enumerate(trace.equations[var].inputs):
                if isinstance(atom, Var) and atom in keys:
                    partial = local_partial(trace, var, i) if partials else None
                    text = "" if partial is None else number(partial)
                    graph.connect(keys[atom], keys[var], text)
    return graph


def _short(value: Any) -> str:
    """A number, or the type of an array."""
    return value_text(value) if np.ndim(value) == 0 else describe(np.asarray(value))


def _of_program(program: Program, parameters: Sequence[str], ends: Mapping[Any, str]) -> Graph:
    """The graph of a program; ``ends``: names of its results."""
    graph = Graph(program.name or "program")
    names: Names = program.names
    used = _used(program)
    keys: dict[Any, int] = {}

    def enter(var: Var, label: str, kind: str) -> None:
        kind = "result" if var in program.outputs and kind == "operation" else kind
        below = str(var.aval)
        if var in ends and len(label) + len(ends[var]) < LONG:
            label = f"{label} = {ends[var]}"
        elif var in ends:  # a box shows only the beginning of a long label
            below = f"{below} = {ends[var]}"
        keys[var] = len(graph.nodes)
        graph.nodes.append(GraphNode(keys[var], label, below, kind))

    for var in program.constants:
        enter(var, names[var], "constant")
    read = {*program.outputs, *(atom for eqn in program.equations for atom in eqn.inputs)}
    for var in program.inputs:
        if ends and var not in read:  # a static graph takes what it only replaces
            continue
        label = f"{names[var]} = {var.name}" if var.name else names[var]
        enter(var, label, _input_kind(var.name, parameters))
    for eqn in program.equations:
        for k, var in enumerate(eqn.outputs):
            if var in used:
                part = f", output {k}" if len(eqn.outputs) > 1 else ""
                text = operation(eqn, [names[atom] for atom in eqn.inputs])
                called = f" = {var.name}" if var.name else ""
                enter(var, f"{names[var]} = {text}{part}{called}", "operation")
                for atom in eqn.inputs:
                    if atom in keys:
                        graph.connect(keys[atom], keys[var])
    return graph


# --- dynamic graphs ------------------------------------------------------------------------------


def _of_array(x: Box, partials: bool, names: Mapping[str, Any]) -> Graph:
    x.refresh()
    if not isinstance(x._node, Node):
        raise UnsupportedError(
            "draw: the array has no graph: it depends on no array with requires_grad=True. "
            "Draw trace(f)(*args) for a function"
        )
    graph = Graph("dynamic graph")
    nodes = _reachable(x._node)
    known = {id(leaf._node): name for name, leaf in names.items() if isinstance(leaf, Box)}
    called = {node.number: f"v{i}" for i, node in enumerate(nodes, 1)}
    keys = {node.number: key for key, node in enumerate(nodes)}
    for node in nodes:
        name = called[node.number]
        if node.primitive is None:
            kind = "parameter" if isinstance(node, Leaf) else "input"
            label = f"{name} = {known[id(node)]}" if id(node) in known else name
        else:
            kind, label = "operation", f"{name} = {_operation(node, called)}"
        value = _node_value(node)
        if node is x._node:
            kind, value = ("result" if node.primitive else kind), value_text(x._value)
        graph.nodes.append(GraphNode(keys[node.number], label, value, kind))
        for i, parent in enumerate(node.parents):
            if parent is not None:
                label = _node_partial(node, i) if partials else ""
                graph.connect(keys[parent.number], keys[node.number], label)
    return graph


def _reachable(end: Node) -> list[Node]:
    """The nodes that ``end`` depends on, in order of execution."""
    found, waiting = {end.number: end}, [end]
    while waiting:
        node = waiting.pop()
        if node.saved is RELEASED:
            raise GraphReleased(
                "draw: an earlier backward has released this graph: draw before backward, or keep "
                "the graph with backward(retain_graph=True)"
            )
        for parent in node.parents:
            if parent is not None and parent.number not in found:
                found[parent.number] = parent
                waiting.append(parent)
    return [found[number] for number in sorted(found)]


def _operation(node: Node, called: Mapping[int, str]) -> str:
    """``v1·v2``; a constant is written out where the node keeps it and it is a number."""
    if node.primitive is projection:
        return f"output {node.saved} of {called[node.parents[0].number]}"  # type: ignore[union-attr]
    names = []
    for i, parent in enumerate(node.parents):
        saved = (
            node.saved[2 + i] if isinstance(node.saved, tuple) and len(node.saved) > 2 + i else None
        )
        if parent is not None:
            names.append(called[parent.number])
        else:
            names.append("const" if saved is None or np.ndim(saved) else value_text(saved))
    assert node.primitive is not None
    return operation(Equation(node.primitive, (), (), node.params), names)


def _node_value(node: Node) -> str:
    """The value, where the node keeps it and it is a number; else its type."""
    saved = node.saved
    y = saved[1] if isinstance(saved, tuple) and len(saved) > 1 else None
    if node.shape == () and isinstance(y, float | complex | np.generic | np.ndarray):
        return value_text(y)
    if node.dtype is None:
        return "several outputs"
    return f"{np.dtype(node.dtype)}[{', '.join(map(str, node.shape))}]"


def _node_partial(node: Node, i: int) -> str:
    """∂output/∂input i of a node between real numbers."""
    parent = node.parents[i]
    both = (node, parent)
    if parent is None or node.primitive is projection:
        return ""
    if any(n.shape != () or n.dtype is None or np.dtype(n.dtype).kind != "f" for n in both):  # type: ignore[union-attr]
        return ""
    assert node.primitive is not None
    with quiet():
        partial = node.primitive.pull(i, 1.0, node, False)
    return number(partial) if isinstance(partial, float | np.floating) else ""
