"""``trace``: the evaluation trace of any function, with its tangent and its adjoint list.

The list is the engine's own: ``f`` runs once under a ``Recorder``. The tangents come from running
forward mode along that list, the adjoints from the one reverse sweep over it, watched while it adds
its contributions. Layer: above ``differentiate``; printing needs NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.box import Box
from ..core.errors import DtypeError, WengertError, describe
from ..core.names import argument_names, output_names
from ..core.program import Atom, Equation, Literal, Program, Var
from ..differentiate.record import Transcript, transcribe
from ..differentiate.reverse import lists_meant_as_arrays
from .adjoint_list import adjoint_lines
from .chain import Chain, chain_of
from .listing import Line, Listing, shortened, with_gap
from .notation import BAR, DOT, columns, factor, marked, operation, value_text
from .tangent_list import tangent_lines

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = ("level", "executed")


def trace(f: Callable[..., Any], order: str = "level") -> Callable[..., Trace]:
    """A function of the same arguments that gives the evaluation trace of ``f``.

    Args:
        f: a function of numbers, arrays, or containers of them, with any Python control flow.
        order: ``"level"`` numbers the values by the longest path from the inputs, ties in order of
            execution; ``"executed"`` in order of execution.

    Returns:
        ``trace(f)(*args)`` runs ``f`` once and gives a ``Trace``: print it, or ask for
        ``.forward()``, ``.tangent(seeds)``, ``.adjoint()``, ``.chain()``.

    Raises:
        DtypeError: not a function: the sum of a matrix's diagonal is ``wengert.numpy.trace``.

    Source:
        Wengert, A simple automatic derivative evaluation program, doi:10.1145/355586.364791;
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 2.2.

    Example:
        >>> import numpy as np, wengert as wg
        >>> t = wg.trace(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2))(2.0, 5.0)
        >>> print(t.forward())
        evaluation trace of <lambda>
          v1  = x1           = 2
          v2  = x2           = 5
          v3  = ln v1        = 0.693
          v4  = v1·v2        = 10
          v5  = sin v2       = −0.959
          v6  = v3 + v4      = 10.693
          v7  = v6 − v5 = y  = 11.652
        >>> print(t.adjoint()["v1"], t.adjoint().lines[-1].accumulation)
        5.5 5 + 0.5
    """
    if isinstance(f, Box | np.ndarray | np.generic | list | tuple | int | float | complex):
        raise DtypeError(
            f"trace: got {describe(f)}, expected a function: wengert.trace(f)(x) lists the steps "
            "of f. The sum of a matrix's diagonal is wengert.numpy.trace(x), or np.trace(x)"
        )
    if not callable(f):
        raise DtypeError(f"trace: got {describe(f)}, expected a function")
    if order not in ORDERS:
        raise DtypeError(f"trace: order={order!r}, expected one of {', '.join(ORDERS)}")

    def traced(*args: Any, **kwargs: Any) -> Trace:
        for argument in (*args, *kwargs.values()):
            lists_meant_as_arrays(argument, "trace")
        transcript = transcribe(f, args, kwargs, argument_names(f, args, kwargs))
        if not transcript.program.inputs:
            raise DtypeError("trace: no argument holds a number or an array, so there is no list")
        return Trace(transcript, order)

    traced.__wrapped__ = f  # type: ignore[attr-defined]
    return traced


class Trace:
    """The Wengert list of one run of a function: v1, v2, … with their values.

    Attributes:
        program: the list as the engine has it.
        result: what the function gave.
        inputs: the names of its inputs: ``("x1", "x2")``, ``("w[0]", "w['bias']")``.
        outputs: the names of its results: ``("y",)``, or ``("y['loss']", …)``.
    """

    def __init__(self, transcript: Transcript, order: str = "level") -> None:
        self.transcript, self.order = transcript, order
        self.program: Program = transcript.program
        self.result = transcript.result
        self.inputs = tuple(var.name for var in self.program.inputs)
        self.outputs = tuple(output_names(transcript.result))

    @cached_property
    def equations(self) -> dict[Var, Equation]:
        """The equation that defines each value; inputs have none."""
        return {var: eqn for eqn in self.program.equations for var in eqn.outputs}

    @cached_property
    def levels(self) -> dict[Var, int]:
        """The longest path from an input to each value."""
        levels = dict.fromkeys(self.program.inputs, 0)
        for eqn in self.program.equations:
            level = 1 + max(levels[a] for a in eqn.inputs if isinstance(a, Var) and a in levels)
            levels.update(dict.fromkeys(eqn.outputs, level))
        return levels

    @cached_property
    def variables(self) -> list[Var]:
        """The values in the order in which they are numbered."""
        executed = list(self.levels)
        return executed if self.order == "executed" else sorted(executed, key=self.levels.get)  # type: ignore[arg-type]

    @cached_property
    def names(self) -> dict[Var, str]:
        """``v1``, ``v2``, … for values, ``c1``, … for constant arrays."""
        names = {var: f"v{i}" for i, var in enumerate(self.variables, 1)}
        arrays = [var for var in self.program.constants if np.ndim(self.value(var))]
        return names | {var: f"c{i}" for i, var in enumerate(arrays, 1)}

    def ordered(self, order: str) -> Trace:
        """The same run numbered in another order."""
        if order not in ORDERS:
            raise DtypeError(f"trace: order={order!r}, expected one of {', '.join(ORDERS)}")
        return Trace(self.transcript, order)

    def value(self, atom: Atom) -> Any:
        """The plain value of a variable or a literal."""
        return atom.value if isinstance(atom, Literal) else self.transcript.values[atom]

    def name(self, atom: Atom) -> str:
        """How an equation calls it: ``v3``, ``c1``, or the number itself."""
        if isinstance(atom, Var) and atom in self.names:
            return self.names[atom]
        return factor(np.asarray(self.value(atom)).item())

    def text(self, var: Var) -> str:
        """How a value is computed: ``ln v1``; of an input its name."""
        if var not in self.equations:
            return var.name
        eqn = self.equations[var]
        text = operation(eqn, [self.name(atom) for atom in eqn.inputs])
        part = f", output {eqn.outputs.index(var)}" if len(eqn.outputs) > 1 else ""
        return text + part

    def line(self, var: Var, mark: str, text: str, value: Any, terms: Any = ()) -> Line:
        """A line of a list on ``var``."""
        name = self.names[var]
        source = self.equations[var].source if var in self.equations else ""
        symbol = marked(name, mark) if mark else name
        return Line(name, symbol, text, value, self.levels[var], tuple(terms), source)

    # --- the three lists -------------------------------------------------------------------------

    def forward(self, order: str | None = None) -> Listing:
        """The evaluation trace: each value, how it is computed, and what it is."""
        if order not in (None, self.order):
            return self.ordered(str(order)).forward()
        ends: dict[Atom, list[str]] = {}
        for name, atom in zip(self.outputs, self.program.outputs, strict=True):
            ends.setdefault(atom, []).append(name)
        lines = []
        for var in self.variables:
            text = " = ".join([self.text(var), *ends.get(var, ())])
            lines.append(self.line(var, "", text, self.value(var)))
        constants = [
            f"  {name} = {value_text(self.value(var))}, a constant"
            for var, name in self.names.items()
            if var in self.program.constants
        ]
        title = f"evaluation trace of {self.program.name}"
        return Listing(title, lines, "\n".join(constants))

    def tangent(self, seeds: Any = None, order: str | None = None) -> Listing:
        """The tangent list: v̇ᵢ, the derivative of every value in one direction of the inputs.

        Args:
            seeds: the name or number of an input, whose tangent is then 1 (of an array: 1 in every
                element; ``"x[0, 1]"`` names one element); or tangents by name, ``{"x1": 1.0}``, 0
                for the rest; or one for each input, in a list. Default: the first real input.
            order: as for ``trace``.

        Raises:
            ShapeError: unknown names, or shapes that differ. DtypeError: an integer's tangent.
        """
        if order not in (None, self.order):
            return self.ordered(str(order)).tangent(seeds)
        return tangent_lines(self, seeds, DOT)

    def adjoint(self, seeds: Any = None, order: str | None = None) -> Listing:
        """The adjoint list, backwards: v̄ᵢ = ∂y/∂vᵢ, every accumulation shown as it was added.

        Args:
            seeds: the adjoint to start from, in the structure of the result; may be left out for
                one real number, for which it is 1.
            order: as for ``trace``.

        Raises:
            ShapeError: the result is not one number, and no ``seeds``; or other shapes.
        """
        if order not in (None, self.order):
            return self.ordered(str(order)).adjoint(seeds)
        return adjoint_lines(self, seeds, BAR)

    def chain(self, wrt: str | int = 0, output: str | int = 0) -> Chain:
        """The derivative of a nested function f(g(h(x))) as a product of local Jacobians.

        The links are the values through which every path from the input to the output leads.

        Args:
            wrt: the name or number of an input.
            output: the name or number of a result.

        Raises:
            ShapeError: unknown names. DtypeError: no derivative, or none that depends on ``wrt``.
        """
        return chain_of(self, wrt, output)

    # --- text ------------------------------------------------------------------------------------

    def __str__(self) -> str:
        tangents, adjoints = self._derivatives()
        head = ["level", "value", "", ""]
        if tangents:
            head.append(f"v{DOT} = ∂v/∂{self._scalar_input()}")
        if adjoints:
            head.append(f"v{BAR} = ∂y/∂v")
        rows, forward = [head], self.forward()
        for line in shortened(forward.lines):
            row = [str(line.level), line.name, f"= {line.text}", f"= {value_text(line.value)}"]
            for listing in (tangents, adjoints):
                if listing:
                    row.append(_with_sum(listing[line.name]))
            rows.append(row)
        head_line, *body = columns(rows)
        count = f"{len(forward)} values on {1 + max(self.levels.values())} levels"
        body = with_gap(body, len(forward))
        shown = [f"trace of {self.program.name}: {count}", head_line, *body]
        return "\n".join(shown) + (f"\n{forward.footer}" if forward.footer else "")

    __repr__ = __str__

    def _scalar_input(self) -> str:
        """The first input that is a real number, or nothing."""
        for var in self.program.inputs:
            if var.aval.shape == () and var.aval.dtype.kind == "f":
                return var.name
        return ""

    def _derivatives(self) -> tuple[dict[str, Line], dict[str, Line]]:
        """Tangents and adjoints by name, where they exist without further choice."""
        found: list[dict[str, Line]] = []
        name = self._scalar_input()
        for wanted, listed in ((name, self.tangent), ("y", self.adjoint)):
            try:
                lines = listed(name if wanted == name else None) if wanted else ()
                found.append({line.name: line for line in lines})
            except WengertError:  # several results, no derivative: who asks for them gets the error
                found.append({})
        return found[0], found[1]

    def draw(self, path: str | Path | None = None, **options: Any) -> Any:
        """The graph as a picture or as text; see ``wengert.explain.draw``."""
        from .draw import draw

        return draw(self, path, **options)


def _with_sum(line: Line) -> str:
    if line.value is None:
        return "–"
    value = value_text(line.value)
    return f"{line.accumulation} = {value}" if line.accumulation else value
