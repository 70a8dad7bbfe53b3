"""The adjoint list of a trace: the one reverse sweep over the recorded list, watched as it adds.

Layer: ``differentiate.sweep`` and ``differentiate.tape``.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import interpret, tree
from ..core.box import Box, innermost, is_inexact, shape_of
from ..core.errors import DtypeError, ShapeError, describe
from ..core.program import Equation, Var
from ..core.quiet import quiet
from ..differentiate.sweep import Adjoints, sweep
from ..differentiate.tape import Node, Part, Tape, projection
from ..ops.fitting import fit
from ..ops.indexing import Erased, Scattered
from .listing import Listing, Term, shortened
from .notation import added, marked, product
from .tangent_list import local_partial

if TYPE_CHECKING:
    from .trace import Trace


BROADCASTS = {"broadcast_to": 0, "affine": 2}  # besides the elementwise ones, and which operand


class Watched(Adjoints):
    """Adjoints that note each contribution: where it goes, where it comes from, its value."""

    __slots__ = ("child", "log")

    def __init__(self) -> None:
        super().__init__()
        self.child: Node | None = None
        self.log: dict[int, list[tuple[Node | None, Any]]] = {}

    def add(self, node: Node, g: Any) -> None:
        self.log.setdefault(node.number, []).append((self.child, copied(node, g)))
        super().add(node, g)

    def visit(self, node: Node) -> Any:
        """Called by the sweep before the rules of ``node`` are."""
        self.child = node
        return node.saved


def copied(node: Node, g: Any) -> Any:
    """A contribution as an array that nothing overwrites."""
    if type(g) is Part:
        return None
    if type(g) is Scattered:
        return g.add_to(g.buffer(node, None))
    if type(g) is Erased:
        return g.erase(overwrite=False)
    return np.array(innermost(g))[()]


def adjoint_lines(trace: Trace, seeds: Any, mark: str) -> Listing:
    """See ``Trace.adjoint``; ``mark`` stands over the letter of each value."""
    values = [trace.value(var) for var in trace.program.inputs]
    tape = Tape(interpret.current.get(), "adjoint list", trace.adjoint)
    with interpret.under(tape):
        held = trace.program.run_all(*[tape.input(value) for value in values])
    handles = {var: held[var] for var in trace.variables}
    watched = Watched()
    started = start(trace, seeds, handles)
    with quiet():
        sweep(started, False, lambda leaf, g: None, watched.visit, watched)
    equations = equations_by_node(trace, handles)
    lines, printed = [], set(shortened(trace.variables))
    for var in reversed(trace.variables):
        node = handles[var]._node
        log = watched.log.get(node.number, []) if node is not None else []
        terms = terms_of(trace, var, log, equations, var in printed)
        value = total(trace, var, [entry.value for entry in terms])
        lines.append(trace.line(var, mark, text_of(terms, mark), value, terms))
    what = f"{marked('v', mark)} = ∂{result_name(trace)}/∂v"
    return Listing(f"adjoint list of {trace.program.name}, {what}, backwards", lines)


def start(trace: Trace, seeds: Any, handles: dict[Var, Any]) -> list[tuple[Node, Any]]:
    """The outputs' nodes and the adjoints to start from."""
    outputs = trace.program.outputs
    values = [trace.value(atom) for atom in outputs]
    if seeds is None:
        if len(values) != 1 or shape_of(values[0]) != ():
            found = ", ".join(describe(value) for value in values)
            raise ShapeError(
                f"adjoint: {trace.program.name} gives {found or 'nothing'}, expected one number; "
                "give the adjoints to start from, adjoint(seeds), in the structure of the result"
            )
        seeds = tree.unflatten(trace.transcript.out_def, [1.0])
    started = []
    leaves = tree.leaves_like(trace.transcript.out_def, seeds, "adjoint")
    for atom, value, g in zip(outputs, values, leaves, strict=True):
        if np.shape(g) != shape_of(value):
            raise ShapeError(f"adjoint: got shape {np.shape(g)} for the result {describe(value)}")
        if not is_inexact(value):
            if np.any(g) or len(values) == 1:
                raise DtypeError(f"adjoint: the result {describe(value)} has no derivative")
            continue
        handle = handles.get(atom) if isinstance(atom, Var) else None
        if isinstance(handle, Box) and handle._node is not None:
            started.append((handle._node, fit(np.asarray(g)[()], handle._node)))
    return started


def equations_by_node(trace: Trace, handles: dict[Var, Any]) -> dict[int, Equation]:
    """The equation of each node of the tape; several outputs hang on its node by projections."""
    found: dict[int, Equation] = {}
    for var, eqn in trace.equations.items():
        node = handles[var]._node
        if node is not None:
            found[node.parents[0].number if node.primitive is projection else node.number] = eqn
    return found


def terms_of(
    trace: Trace,
    var: Var,
    log: list[tuple[Node | None, Any]],
    equations: dict[int, Equation],
    partials: bool,
) -> list[Term]:
    """The contributions to an adjoint, in the order in which the sweep added them."""
    terms = []
    for k, (child, g) in enumerate(log):
        if child is None:
            terms.append(Term("", g))
            continue
        eqn = equations[child.number]
        name = ", ".join(trace.names[output] for output in eqn.outputs)
        # the sweep goes through the inputs of an equation from the last to the first
        places = [i for i, atom in enumerate(eqn.inputs) if atom is var][::-1]
        same = [n for n, (other, _) in enumerate(log) if other is child] if partials else []
        partial = None
        if partials and len(same) == len(places):
            partial = local_partial(trace, eqn.outputs[0], places[same.index(k)])
        terms.append(Term(name, g, partial, summed_axes(eqn, var)))
    return terms


def summed_axes(eqn: Equation, var: Var) -> tuple[int, ...]:
    """The axes of the output along which ``var`` was broadcast."""
    operand = BROADCASTS.get(eqn.primitive.name)
    if eqn.primitive.family != "elementwise" and (
        operand is None or eqn.inputs[operand] is not var
    ):
        return ()
    have, need = eqn.outputs[0].aval.shape, var.aval.shape
    extra = len(have) - len(need)
    stretched = [extra + i for i, n in enumerate(need) if n == 1 and have[extra + i] != 1]
    return (*range(extra), *stretched)


def total(trace: Trace, var: Var, contributions: list[Any]) -> Any:
    """The adjoint: the sum in the sweep's order; zero where nothing arrives, None for integers."""
    value = trace.value(var)
    if not is_inexact(value):
        return None
    if not contributions:
        return np.zeros(np.shape(value))[()] if np.ndim(value) else 0.0
    return reduce(add, contributions)


def text_of(terms: list[Term], mark: str) -> str:
    """``5·v̄4 + 0.5·v̄3``: where the contributions come from."""
    parts = []
    for entry in terms:
        if not entry.child:
            continue
        symbol = ", ".join(marked(name, mark) for name in entry.child.split(", "))
        if entry.partial is not None:
            symbol = product(entry.partial, symbol)
        if entry.summed:
            axes = ", ".join(map(str, entry.summed))
            symbol += f" summed over ax{'is' if len(entry.summed) == 1 else 'es'} {axes}"
        parts.append(symbol)
    if not parts:
        return "start" if terms else "no path to the result"
    numbers = all(entry.partial is not None for entry in terms if entry.child)
    return added(parts) if numbers else f"from {', '.join(parts)}"


def result_name(trace: Trace) -> str:
    """``y``, or that the seeds combine several results."""
    return "y" if trace.outputs == ("y",) else f"({', '.join(trace.outputs[:3])})"
