"""The order in which NumPy takes the elements of a reduction, which decides its last bits.

NumPy walks over an array as it lies: axes by falling strides, whichever of them are reduced. Where
the innermost are reduced they are a run, whose elements it adds up pairwise if they lie at equal
distances; what it has of several runs, or of rows where the innermost axis is kept, it adds one
after the other. Layer: ``static``.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..core.program import Equation
from ..ops.families import normal_axes

Array = np.ndarray[Any, Any]


class Walk(NamedTuple):
    """Axes that are longer than 1, outermost first.

    Attributes:
        shape: of what is reduced.
        kept: those that stay.
        outer: reduced ones, outside of the run.
        run: reduced ones inside all others; empty if the innermost axis is kept.
        even: whether the elements of the run lie at equal distances.
    """

    shape: tuple[int, ...]
    kept: tuple[int, ...]
    outer: tuple[int, ...]
    run: tuple[int, ...]
    even: bool

    @property
    def once(self) -> bool:
        """Whether a nest computes no element twice: where rows are reduced, see ``folds.py``."""
        return bool(self.run)

    @property
    def reduced(self) -> int:
        """How many elements give one result."""
        return prod(self.shape) and prod(self.shape[axis] for axis in (*self.outer, *self.run))


def walk_of(eqn: Equation, view: Array) -> Walk:
    """How NumPy walks over ``view`` in the reduction ``eqn``."""
    axes = normal_axes(eqn.params.get("axis"), view.ndim)
    order = [axis for axis in in_memory(view) if view.shape[axis] != 1]
    inner = len(order)
    while inner and order[inner - 1] in axes:
        inner -= 1
    run = order[inner:]
    return Walk(
        view.shape,
        tuple(axis for axis in order if axis not in axes),
        tuple(axis for axis in order[:inner] if axis in axes),
        tuple(run),
        all(view.strides[a] == view.strides[b] * view.shape[b] for a, b in pairwise(run)),
    )


def in_memory(view: Array) -> list[int]:
    """The axes by falling strides, outermost first; one along which nothing moves keeps its place
    among those beside it.

    This is the order of ``nditer``: an insertion sort from the last axis on, in which an axis with
    stride 0 can't be compared.
    """
    found: list[int] = []  # innermost first
    strides = [abs(stride) for stride in view.strides]
    for axis in reversed(range(view.ndim)):
        place = len(found)
        for i in reversed(range(len(found))):
            inside, own = strides[found[i]], strides[axis]
            if inside and own:
                if inside <= own:
                    break
                place = i
        found.insert(place, axis)
    return found[::-1]
