"""Names for the values of a static graph: those that the user gives, and the numbers of printing.

``name(x, "hidden")`` names an intermediate value, as TensorFlow 1's ``name=`` did; everywhere else
it hands ``x`` on. Passes keep the variables of the values that they keep, so a value is ``v7`` in
every version of its program (``numbered_like``). Layer: ``static``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..core.aval import Aval
from ..core.box import Box
from ..core.errors import DtypeError, describe
from ..core.program import Names, Program, Var
from ..differentiate.record import Recorder

NUMBER = re.compile(r"[vc]\d+")
_given: ContextVar[dict[str, Var] | None] = ContextVar("wengert names", default=None)


def name(x: Any, label: str) -> Any:
    """``x``, known as ``label`` to the static graph that is being recorded, if there is one.

    Args:
        x: a value inside a function that ``wengert.capture`` records; anything else is handed on.
        label: what ``graph.run(fetch=…, feed=…)`` and printing call it. The second value with one
            name gets ``_2`` behind it. ``v1``, ``c1`` are the names that printing gives.

    Raises:
        DtypeError: ``label`` is no text, empty, or the name of another value by number.

    >>> import numpy as np, wengert as wg
    >>> graph = wg.capture(lambda x: np.sum(wg.name(np.tanh(x), "hidden")))(wg.Aval((2,)))
    >>> graph.run(fetch="hidden", x=np.zeros(2))
    array([0., 0.])
    """
    if not isinstance(label, str) or not label or NUMBER.fullmatch(label):
        raise DtypeError(
            f"name: got {label!r:.60} for {describe(x)}, expected a text that is not v or c and a "
            "number"
        )
    var = _variable(x)
    if var is not None:
        label = _entered(label, var)
        var.name = var.name or label
    return x


def _variable(x: Any) -> Var | None:
    """The variable of the recorder that ``x`` belongs to, below the transformations around it."""
    while isinstance(x, Box):
        x.refresh()
        if isinstance(x._owner, Recorder) and isinstance(x._node, Var):
            return x._node
        x = x._value
    return None


def _entered(label: str, var: Var) -> str:
    """``label``, made unique among the names of the graph that is being recorded."""
    given = _given.get()
    if given is None:
        return label
    unique, count = label, 1
    while given.get(unique, var) is not var:
        count += 1
        unique = f"{label}_{count}"
    given[unique] = var
    return unique


@contextmanager
def naming(taken: Iterable[str]) -> Iterator[dict[str, Var]]:
    """The names that ``name`` gives inside the block; none of those ``taken``."""
    others = dict.fromkeys(taken, Var(Aval(())))
    given = dict(others)
    token = _given.set(given)
    try:
        yield given
    finally:
        _given.reset(token)
        for label in others:
            del given[label]


def numbered_like(program: Program, names: Names) -> Program:
    """``program``, its values called as ``names`` says; what is new gets the numbers after it."""
    mine = Names()
    mine.update(names)
    mine.count = names.count
    constants = sum(text.startswith("c") for text in names.values())
    for number, var in enumerate((v for v in program.constants if v not in names), constants + 1):
        mine[var] = f"c{number}"
    for var in (*program.inputs, *(var for eqn in program.equations for var in eqn.outputs)):
        mine[var]
    vars(program)["names"] = mine  # what the cached property would compute
    return program
