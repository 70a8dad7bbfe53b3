"""What a loop hands from step to step: its types must not change. Layer: ``control``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval, aval_of
from ..core.box import Box
from ..core.errors import DtypeError, ShapeError
from .bodies import Body, with_outputs
from .call import types


def settled(
    what: str,
    leaves: Sequence[Any],
    treedef: Any,
    record: Callable[[list[Aval]], Body],
    structure_of: Callable[[Body], Any] = lambda body: body.out_def,
) -> tuple[Body, list[Any]]:
    """The body recorded for a carry that starts from ``leaves``, and these in the types that the
    carry has.

    A Python scalar becomes NumPy's where the body gives a NumPy value for it. ``structure_of`` says
    the structure of the carry that the body gives; its leaves are its first outputs.
    """
    avals = [aval_of(leaf) for leaf in leaves]
    names = tree.names(tree.unflatten(treedef, leaves))
    while True:
        body = record(avals)
        got_def = structure_of(body)
        if got_def != treedef:
            raise ShapeError(
                f"{what}: the body gives a carry of structure {got_def}, expected that of init, "
                f"{treedef}"
            )
        got = types(body.program)[: len(avals)]
        grown = [
            _common(what, name, aval, new)
            for name, aval, new in zip(names, avals, got, strict=True)
        ]
        if grown == avals:
            outputs = [*avals, *types(body.program)[len(avals) :]]
            program = with_outputs(body.program, outputs)
            cast = [as_aval(leaf, aval) for leaf, aval in zip(leaves, avals, strict=True)]
            return replace(body, program=program), cast
        avals = grown


def _common(what: str, name: str, aval: Aval, new: Aval) -> Aval:
    """The type of a leaf of the carry that starts as ``aval`` and becomes ``new``."""
    place = f"carry{name}"
    if aval.shape != new.shape:
        raise ShapeError(
            f"{what}: {place} is {new} after a step, expected {aval} as in init; a carry keeps its "
            "shape"
        )
    if aval.dtype == new.dtype:
        return Aval(aval.shape, aval.dtype, aval.weak and new.weak)
    if new.weak and np.can_cast(new.dtype, aval.dtype, "same_kind"):
        return aval
    if aval.weak and np.can_cast(aval.dtype, new.dtype, "same_kind"):
        return new
    raise DtypeError(
        f"{what}: {place} is {new} after a step, expected {aval} as in init; a carry keeps its "
        f"dtype: start from {new.dtype}, or end the step with .astype({str(aval.dtype)!r})"
    )


def as_aval(leaf: Any, aval: Aval) -> Any:
    """A leaf of the carry in the type that the carry has."""
    if aval_of(leaf) == aval:
        return leaf
    if aval.weak:  # of a kind that holds the scalar
        return leaf * {"f": 1.0, "c": 1 + 0j}.get(aval.dtype.kind, 1)
    return leaf.astype(aval.dtype) if isinstance(leaf, Box) else aval.dtype.type(leaf)
