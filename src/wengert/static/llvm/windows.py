"""Chains of sums into windows of an array as one sum: the adjoint of a convolution's patches.

A stack of shifted slices, of which NumPy programs make a convolution, has an adjoint of as many
sums, each into another window of the same array::

    x[:, 0:10] += v[:, 0]; x[:, 1:11] += v[:, 1]; …

Each walks over all of the array. Together they are one sum at index arrays, which are constants:
``np.add.at(x, (slice(None), rows), v)``; machine code adds all windows to a part of the array while
it is at hand. The numbers are added in the same order. It is done when a native program is planned,
for NumPy is faster with slices. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...core.aval import Aval
from ...core.program import Atom, Equation, Program, Var
from ...ops.index import Slot
from ...ops.indexing import getitem, scatter_add
from ...ops.shape import transpose
from .steps import Array

FEWEST = 3  # windows that are worth it
Ends = tuple[tuple[int, int], ...]  # start and stop along each axis


class Chain(NamedTuple):
    """Sums one after the other: the array before them, and of each the window and what is added."""

    base: Atom
    windows: list[Ends]
    values: list[Atom]


def sums_of_windows(program: Program, known: dict[Atom, Array]) -> Program:
    """``program`` with chains of sums into windows as one each; ``known`` gets stand-ins for what
    it makes.
    """
    if sum(eqn.primitive is scatter_add for eqn in program.equations) < FEWEST:
        return program
    return _Chains(program, known).program()


class _Chains:
    """A program, and who makes and reads what."""

    def __init__(self, given: Program, known: dict[Atom, Array]) -> None:
        self.given, self.known = given, known
        self.maker: dict[Atom, Equation] = {
            var: eqn for eqn in given.equations for var in eqn.outputs
        }
        self.reads = Counter(atom for eqn in given.equations for atom in eqn.inputs)
        self.reads.update(given.outputs)
        self.constants = dict(given.constants)
        self.gone: set[Equation] = set()

    def program(self) -> Program:
        """The program."""
        made: dict[Equation, list[Equation]] = {}
        for eqn in reversed(self.given.equations):
            if eqn not in self.gone and window_of(eqn) is not None:
                chain, members = self._chain(eqn)
                together = self._together(eqn, chain)
                if together is not None:
                    made[eqn] = together
                    self.gone.update(members)
        kept = (made.get(e, [] if e in self.gone else [e]) for e in self.given.equations)
        equations = tuple(one for some in kept for one in some)
        return replace(self.given, equations=equations, constants=self.constants)

    def _chain(self, eqn: Equation) -> tuple[Chain, list[Equation]]:
        """The chain that ends in ``eqn``, and its equations."""
        members = [eqn]
        while True:
            base = members[-1].inputs[0]
            before = self.maker.get(base)
            if before is None or window_of(before) is None or self.reads[base] != 1:
                break
            members.append(before)
        members.reverse()
        windows = [window for one in members if (window := window_of(one)) is not None]
        return Chain(base, windows, [one.inputs[1] for one in members]), members

    def _together(self, eqn: Equation, chain: Chain) -> list[Equation] | None:
        """The equations that stand for a chain, if it is regular."""
        if len(chain.values) < FEWEST:
            return None
        starts = np.array([[start for start, _ in window] for window in chain.windows])
        lengths = {tuple(stop - start for start, stop in window) for window in chain.windows}
        moving = np.flatnonzero(np.any(starts != starts[0], axis=0))
        source = self._source(chain.values)
        if len(lengths) != 1 or not len(moving) or source is None:
            return None
        (shape,) = lengths
        if any(value.aval.shape != shape for value in chain.values):
            return None
        first, last = int(moving[0]), int(moving[-1])
        equations, value = self._values(source, first, len(shape), eqn.source)
        arrays = self._arrays(starts, shape, range(first, last + 1))
        fixed = [slice(*ends) for ends in chain.windows[0]]
        slots = [Slot(number) for number in range(len(arrays))]
        index = (*fixed[:first], *slots, *fixed[last + 1 :])
        inputs = (chain.base, value, *arrays)
        last_one = Equation(scatter_add, inputs, eqn.outputs, {"index": index}, eqn.source)
        return [*equations, last_one]

    def _source(self, values: Sequence[Atom]) -> tuple[Atom, int, slice] | None:
        """What the values are slices of, along which axis, and in which order."""
        found: list[tuple[Atom, int, int]] = []
        for value in values:
            eqn = self.maker.get(value)
            picked = None if eqn is None else _picked(eqn)
            if eqn is None or picked is None:
                return None
            found.append((eqn.inputs[0], *picked))
        (source, axis, start), stop = found[0], found[-1][2]
        step = 1 if stop > start else -1
        if found != [(source, axis, k) for k in range(start, stop + step, step)]:
            return None
        end = stop + step
        return source, axis, slice(start, end if end >= 0 else None, step)

    def _values(
        self, source: tuple[Atom, int, slice], first: int, rank: int, line: str
    ) -> tuple[list[Equation], Var]:
        """All that is added as one array, whose axis ``first`` counts the windows."""
        atom, axis, order = source
        index = (*(slice(None),) * axis, order)
        view = self.known[atom][index]
        part = Var(Aval(view.shape, view.dtype))
        equations = [Equation(getitem, (atom,), (part,), {"index": index}, line)]
        self.known[part] = view
        if axis == first:
            return equations, part
        axes = [k for k in range(rank + 1) if k != axis]
        axes.insert(first, axis)
        turned = Var(Aval(tuple(view.shape[k] for k in axes), view.dtype))
        self.known[turned] = view.transpose(axes)
        params = {"axes": tuple(axes)}
        return [*equations, Equation(transpose, (part,), (turned,), params, line)], turned

    def _arrays(self, starts: Array, shape: tuple[int, ...], axes: range) -> list[Var]:
        """The index arrays: of every window where it is along each of ``axes``."""
        arrays = []
        for axis in axes:
            around = [1] * (1 + len(axes))
            around[1 + axis - axes[0]] = shape[axis]
            places = starts[:, axis].reshape(-1, *[1] * len(axes))
            value = places + np.arange(shape[axis]).reshape(around)
            var = Var(Aval(value.shape, value.dtype))
            self.constants[var] = self.known[var] = value
            arrays.append(var)
        return arrays


def window_of(eqn: Equation) -> Ends | None:
    """The window that a sum is into; None if it is into something else."""
    if eqn.primitive is not scatter_add or len(eqn.inputs) != 2:
        return None
    shape, index = eqn.outputs[0].aval.shape, eqn.params["index"]
    if Ellipsis in index:
        place = index.index(Ellipsis)
        missing = (slice(None),) * (len(shape) - len(index) + 1)
        index = (*index[:place], *missing, *index[place + 1 :])
    index = (*index, *(slice(None),) * (len(shape) - len(index)))
    ends = []
    for entry, length in zip(index, shape, strict=True):
        if type(entry) is not slice:
            return None
        start, stop, step = entry.indices(length)
        if step != 1 or stop <= start:
            return None
        ends.append((start, stop))
    return tuple(ends)


def _picked(eqn: Equation) -> tuple[int, int] | None:
    """The axis and the place along it that a read picks, if it does nothing else."""
    if eqn.primitive is not getitem or len(eqn.inputs) != 1:
        return None
    index: tuple[Any, ...] = eqn.params["index"]
    numbers = [axis for axis, entry in enumerate(index) if type(entry) is int]
    others = [entry for entry in index if type(entry) is not int]
    if len(numbers) != 1 or any(entry != slice(None) for entry in others):
        return None
    (axis,) = numbers
    return axis, range(eqn.inputs[0].aval.shape[axis])[index[axis]]
