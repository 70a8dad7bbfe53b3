"""The chain rule of a nested function: local Jacobians and their product.

Layer: ``differentiate.jacobian``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.box import is_inexact
from ..core.errors import DtypeError, describe
from ..core.program import Literal, Program, Var
from ..differentiate.jacobian import jacobian
from .names import index_of
from .notation import columns, number, value_text

if TYPE_CHECKING:
    from .trace import Trace

LARGEST = 10**6  # elements of a Jacobian that is written out
SHOWN = 36  # elements of one that is printed


@dataclass(frozen=True)
class Link:
    """One factor of the product.

    Attributes:
        outer, inner: the names of the values, ``v6`` and ``v4``.
        text: what computes the outer from the inner one.
        rows, columns: their sizes, hence the shape of the Jacobian.
        jacobian: ∂outer/∂inner, ``(rows, columns)``; None where it is too large to write out.
    """

    outer: str
    inner: str
    text: str
    rows: int
    columns: int
    jacobian: Any

    @property
    def symbol(self) -> str:
        """``∂v6/∂v4``."""
        return f"∂{self.outer}/∂{self.inner}"


@dataclass(frozen=True)
class Chain:
    """The links of a derivative, the innermost first.

    Attributes:
        name: of the function; ``wrt``: of the input.
        links: the local Jacobians.
        product: their product, the last link leftmost, ``(size of y, size of x)``; None where a
            factor is too large to write out.
    """

    name: str
    wrt: str
    links: tuple[Link, ...]
    product: Any

    @property
    def forward_cost(self) -> int:
        """Multiplications from the input outwards, as forward mode does: J₃·(J₂·J₁)."""
        first = self.links[0].columns if self.links else 0
        return sum(link.rows * link.columns * first for link in self.links[1:])

    @property
    def reverse_cost(self) -> int:
        """Multiplications from the output inwards, as reverse mode does: (J₃·J₂)·J₁."""
        last = self.links[-1].rows if self.links else 0
        return sum(last * link.rows * link.columns for link in self.links[:-1])

    def __str__(self) -> str:
        left = f"∂y/∂{self.wrt}"
        symbols = " · ".join(link.symbol for link in reversed(self.links)) or "1"
        rows = [
            (link.symbol, link.text, f"{link.rows} × {link.columns}", _matrix(link.jacobian))
            for link in self.links
        ]
        body = [f"  {line}" for line in columns(rows)] if rows else []
        whole = "too large to write out" if self.product is None else _matrix(self.product)
        lines = [f"chain of {self.name}: {left} = {symbols}", *body, f"  product {whole}"]
        if len(self.links) > 1:
            lines += [
                f"  multiplications from the input, as forward mode: {self.forward_cost:,}",
                f"  multiplications from the output, as reverse mode: {self.reverse_cost:,}",
            ]
        return "\n".join(lines)

    __repr__ = __str__


def _matrix(jacobian: Any) -> str:
    """A Jacobian on one line."""
    if jacobian is None:
        return "too large to write out"
    if jacobian.shape == (1, 1):
        return f"= {number(jacobian[0, 0].item())}"
    if jacobian.size > SHOWN:
        return f"= {value_text(jacobian)}"
    rows = ["[" + ", ".join(number(x) for x in row) + "]" for row in jacobian.tolist()]
    return f"= [{', '.join(rows)}]" if rows else "= []"


def chain_of(trace: Trace, wrt: str | int, output: str | int) -> Chain:
    """See ``Trace.chain``."""
    inner = trace.program.inputs[index_of(trace.inputs, wrt, "input")]
    outer = trace.program.outputs[index_of(trace.outputs, output, "result")]
    for value in (trace.value(inner), trace.value(outer)):
        if not is_inexact(value):
            raise DtypeError(f"chain: {describe(value)} has no derivative")
    between = path(trace, inner, outer)
    if not isinstance(outer, Var) or outer not in between:
        raise DtypeError(f"chain: the result does not depend on {inner.name}")
    cuts = cut_values(trace, between)
    links = [link(trace, a, b) for a, b in pairwise(cuts)]
    product: Any = np.eye(max(inner_size(trace, inner), 1)) if not links else links[0].jacobian
    for one in links[1:]:
        if product is None or one.jacobian is None:
            product = None
            break
        product = one.jacobian @ product
    return Chain(trace.program.name, inner.name, tuple(links), product)


def inner_size(trace: Trace, var: Var) -> int:
    """The number of elements of a value."""
    return int(np.size(trace.value(var)))


def path(trace: Trace, inner: Var, outer: Any) -> list[Var]:
    """The values on a path from ``inner`` to ``outer``, in order of execution."""
    below = {inner}
    for eqn in trace.program.equations:
        if any(atom in below for atom in eqn.inputs):
            below.update(var for var in eqn.outputs if is_inexact(trace.value(var)))
    above = {outer}
    for eqn in reversed(trace.program.equations):
        if any(var in above for var in eqn.outputs):
            above.update(atom for atom in eqn.inputs if isinstance(atom, Var))
    return [var for var in trace.levels if var in below and var in above]


def cut_values(trace: Trace, between: list[Var]) -> list[Var]:
    """Those of ``between`` that every path leads through."""
    place = {var: i for i, var in enumerate(between)}
    reach = [0] * len(between)  # the last reader of each value
    for var in between:
        eqn = trace.equations.get(var)
        for atom in eqn.inputs if eqn is not None else ():
            if isinstance(atom, Var) and atom in place:
                reach[place[atom]] = max(reach[place[atom]], place[var])
    cuts, furthest = [], 0
    for i, var in enumerate(between):
        if furthest <= i:
            cuts.append(var)
        furthest = max(furthest, reach[i])
    return cuts


def link(trace: Trace, inner: Var, outer: Var) -> Link:
    """The local derivative between two neighbouring cut values."""
    rows, cols = inner_size(trace, outer), inner_size(trace, inner)
    between = path(trace, inner, outer)
    steps = len(between) - 1
    text = trace.text(outer) if steps == 1 else f"{steps} operations"
    matrix = None
    if rows * cols <= LARGEST:
        part = slice_of(trace, inner, outer, set(between))
        matrix = jacobian(lambda x: part.run(x)[0])(as_float(trace.value(inner)))
        matrix = np.reshape(np.asarray(matrix), (rows, cols))
    return Link(trace.names[outer], trace.names[inner], text, rows, cols, matrix)


def as_float(value: Any) -> Any:
    """A Python scalar as NumPy's: ``jacobian`` then gives an array."""
    return np.asarray(value)[()]


def slice_of(trace: Trace, inner: Var, outer: Var, between: set[Var]) -> Program:
    """The program from ``inner`` to ``outer``; every other value is a constant of it."""
    equations = tuple(
        eqn
        for eqn in trace.program.equations
        if any(var in between and var is not inner for var in eqn.outputs)
    )
    made = {var for eqn in equations for var in eqn.outputs}
    constants = {
        atom: trace.value(atom)
        for eqn in equations
        for atom in eqn.inputs
        if not isinstance(atom, Literal) and atom not in made and atom is not inner
    }
    return Program((inner,), equations, (outer,), constants)
