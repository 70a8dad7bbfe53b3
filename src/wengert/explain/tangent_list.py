"""The tangent list of a trace: forward mode run along the recorded list.

Layer: ``differentiate.forward``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import interpret
from ..core.box import Box, is_inexact
from ..core.errors import DtypeError, ShapeError, describe
from ..core.program import Var
from ..core.quiet import quiet
from ..differentiate.forward import Forward, tangent_for
from ..ops.array import make
from .listing import Listing, shortened
from .names import index_of
from .notation import added, marked, product, value_text

if TYPE_CHECKING:
    from .trace import Trace


def tangent_lines(trace: Trace, seeds: Any, mark: str) -> Listing:
    """See ``Trace.tangent``; ``mark`` stands over the letter of each value."""
    seeds = default_seed(trace) if seeds is None else seeds
    tangents = seed_tangents(trace, seeds)
    forward = Forward(interpret.current.get(), "tangent list", trace.tangent)
    handles = [
        make(forward, trace.value(var), dx)
        for var, dx in zip(trace.program.inputs, tangents, strict=True)
    ]
    with interpret.under(forward):
        held = trace.program.run_all(*handles)
    lines, printed = [], set(shortened(trace.variables))
    for var in trace.variables:
        value = tangent_of(held[var], trace.value(var))
        text = derivation(trace, var, held, mark) if var in printed else ""
        lines.append(trace.line(var, mark, text, value))
    what = marked("v", mark)
    title = f"tangent list of {trace.program.name}, {what} = {direction(trace, seeds, tangents)}"
    return Listing(title, lines)


def tangent_of(handle: Any, value: Any) -> Any:
    """The tangent that a handle carries: zeros where it carries none, None for integers."""
    if not is_inexact(value):
        return None
    dx = handle._node if isinstance(handle, Box) else None
    return (np.zeros(np.shape(value))[()] if np.ndim(value) else 0.0) if dx is None else dx


def derivation(trace: Trace, var: Var, held: Mapping[Var, Any], mark: str) -> str:
    """``5·v̇1 + 2·v̇2``: the local partial derivatives, of an equation between numbers."""
    if var not in trace.equations or not is_inexact(trace.value(var)):
        return ""
    eqn = trace.equations[var]
    terms, numbers = [], True
    for i, atom in enumerate(eqn.inputs):
        if not isinstance(atom, Var) or tangent_of(held[atom], trace.value(atom)) is None:
            continue
        if atom not in trace.names or atom in trace.program.constants:
            continue
        symbol = marked(trace.names[atom], mark)
        partial = local_partial(trace, var, i)
        numbers = numbers and partial is not None
        terms.append(symbol if partial is None else product(partial, symbol))
    if not terms:
        return ""
    return added(terms) if numbers else f"from {', '.join(dict.fromkeys(terms))}"


def local_partial(trace: Trace, var: Var, i: int) -> Any:
    """∂output/∂input i of the equation of ``var``, by its rule, where both are real numbers."""
    eqn = trace.equations[var]
    values = [trace.value(atom) for atom in eqn.inputs]
    y = trace.value(var)
    if len(eqn.outputs) > 1 or np.ndim(y) or np.ndim(values[i]) or np.iscomplexobj(y):
        return None
    if not (is_inexact(values[i]) and is_inexact(y)):
        return None
    tangents: list[Any] = [None] * len(values)
    tangents[i] = np.ones((), np.asarray(values[i]).dtype)[()]
    several = eqn.primitive.multiple
    with quiet():
        partial = eqn.primitive.jvp((y,) if several else y, values, tangents, dict(eqn.params))
    if several and partial is not None:
        (partial,) = partial
    return 0.0 if partial is None else partial


# --- seeds -------------------------------------------------------------------------------------


def default_seed(trace: Trace) -> int:
    """The first input that has a derivative."""
    for i, var in enumerate(trace.program.inputs):
        if var.aval.dtype.kind in "fc":
            return i
    raise DtypeError("trace: no input has a derivative; give floats: 3.0 instead of 3")


def seed_tangents(trace: Trace, seeds: Any) -> list[Any]:
    """A tangent for each input, None for zero; see ``Trace.tangent``."""
    values = [trace.value(var) for var in trace.program.inputs]
    given: dict[int, Any] = {}
    if isinstance(seeds, str | int) and not isinstance(seeds, bool):
        given = dict([unit(trace, seeds)])
    elif isinstance(seeds, Mapping):
        for key, dx in seeds.items():
            place, one = unit(trace, key)
            given[place] = given.get(place, 0) + dx * one
    elif isinstance(seeds, tuple | list) and len(seeds) == len(values):
        given = dict(enumerate(seeds))
    else:
        raise ShapeError(
            f"tangent: got seeds {describe(seeds)}, expected the name of an input, tangents by "
            f"name, or a tuple of {len(values)} tangents for {', '.join(trace.inputs)}"
        )
    tangents: list[Any] = [None] * len(values)
    for place, dx in given.items():
        if np.shape(dx) != np.shape(values[place]):
            raise ShapeError(
                f"tangent: a tangent of shape {np.shape(dx)} for {trace.inputs[place]}, which is "
                f"{describe(values[place])}"
            )
        tangents[place] = tangent_for(values[place], dx, "tangent")
    return tangents


def unit(trace: Trace, key: str | int) -> tuple[int, Any]:
    """The number of an input and the tangent that its name stands for: ones, or a unit vector."""
    name, bracket, index = key.rpartition("[") if isinstance(key, str) else ("", "", "")
    if key in trace.inputs or not bracket or name not in trace.inputs:
        place = index_of(trace.inputs, key, "input")
        return place, np.ones_like(trace.value(trace.program.inputs[place]))[()]
    place = trace.inputs.index(name)
    one = np.zeros_like(trace.value(trace.program.inputs[place]))
    try:
        one[ast.literal_eval(index.removesuffix("]"))] = 1
    except (ValueError, SyntaxError, IndexError, TypeError) as error:
        raise ShapeError(f"tangent: {key!r} names no element of {name}: {error}") from error
    return place, one


def direction(trace: Trace, seeds: Any, tangents: list[Any]) -> str:
    """What the list is the derivative by, in words: ``∂v/∂x1``."""
    if isinstance(seeds, str | int):
        place, one = unit(trace, seeds)
        name = seeds if isinstance(seeds, str) else trace.inputs[place]
        if np.sum(one != 0) == 1:
            return f"∂v/∂{name}"
        return f"derivative along {name}, 1 in every element"
    pairs = zip(trace.inputs, tangents, strict=True)
    given = [f"d{name} = {value_text(dx)}" for name, dx in pairs if dx is not None]
    return f"derivative along {', '.join(given) or 'nothing'}"
