"""Windows: what is added into, or written over, slices of a constant array becomes pieces side by
side.

The adjoint of ``x[1:]`` is added into zeros, and so is that of every other slice of ``x``: each
walks over memory once more, and NumPy's ``add.at`` takes its time. Where the slices are along one
axis, the array that comes of it is cut at their ends, and each piece computed on its own::

    zeros with [:-1] += a, [1:] += b    is    concatenate(a[:1], a[1:] + b[:-1], b[-1:])

A piece of what is computed element by element, and read for this alone, is computed of pieces of
its arguments, up to what lies in memory: so that one loop makes the sum of many windows, from the
arrays that the program was given. A window over all of an array is a sum, whatever the array.
Every element comes of the same operations in the same order; but NumPy's may take another path for
pieces, so ``strict`` leaves the program as it is. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Program, Var
from ...ops import arithmetic as ar
from ...ops.comparison import where
from ...ops.families import absorb
from ...ops.indexing import getitem, is_basic, scatter_add, setitem
from ...ops.shape import concatenate, reshape
from .rewrite import Notes, Rewrite

WRITES = (scatter_add, setitem)
OVERLAPPING = 8  # different windows of a chain: what is computed for one is computed in pieces
DISJOINT = 64  # different windows of a chain that do not overlap


@dataclass(frozen=True)
class Window:
    """``[start, stop)`` along ``axis``: ``value`` is added there, or written if ``over``."""

    axis: int
    start: int
    stop: int
    value: Atom
    over: bool


def merge_windows(program: Program, strict: bool = False, notes: Notes | None = None) -> Program:
    """``program`` with chains of writes into slices of a constant as one concatenation each."""
    if strict or not any(eqn.primitive in WRITES for eqn in program.equations):
        return program
    walk = _Windows(program)
    for old in program.equations:
        eqn = walk.rewrite.read(old)
        made = None
        if eqn.primitive in WRITES and not walk.rewrite.storage.seen(eqn.outputs[0]):
            made = walk.whole(eqn) or walk.pieces(eqn)
        if made is not None and notes is not None:
            notes["windows of a constant" if made.primitive is concatenate else "x[:] += y"] += 1
        walk.rewrite.keep(made or eqn)
    return walk.rewrite.finish()


class _Windows:
    """The program as far as it is rewritten, and who reads what."""

    def __init__(self, program: Program) -> None:
        self.rewrite = Rewrite(program)
        self.readers: dict[Atom, list[Equation | None]] = {}
        for eqn in program.equations:
            for atom in dict.fromkeys(eqn.inputs):
                self.readers.setdefault(atom, []).append(eqn)
        for atom in program.outputs:
            self.readers.setdefault(atom, []).append(None)

    def merged(self, eqn: Equation) -> Equation | None:
        """What stands for the last of a chain of writes, if something does."""
        if self.rewrite.storage.seen(eqn.outputs[0]):  # it lies in C order, whatever was there
            return None
        return self.whole(eqn) or self.pieces(eqn)

    def whole(self, eqn: Equation) -> Equation | None:
        """The sum that ``eqn`` is, if its window is all of the array."""
        window = window_of(eqn)
        base, length = eqn.inputs[0], eqn.outputs[0].aval.shape
        if window is None or window.over or (window.start, window.stop) != (0, length[window.axis]):
            return None
        value = self.shaped(window, base.aval, eqn.source)
        number = self.rewrite.number(base)
        first = base if number is None else Literal(number)
        return Equation(ar.add, (first, value), eqn.outputs, {}, eqn.source)

    def pieces(self, eqn: Equation) -> Equation | None:
        """The concatenation that the chain of writes ending in ``eqn`` is."""
        if self._goes_on(eqn):
            return None
        base, results, chain = self._chain(eqn)
        axes = {w.axis for w in chain}
        if len(axes) != 1 or not _few(chain):
            return None
        number = self.rewrite.number(base)
        if number is None or not base.aval.shape:
            return None
        (axis,) = axes
        like, length = base.aval, base.aval.shape[axis]
        values = [self.shaped(window, like, eqn.source) for window in chain]
        cuts = sorted({0, length, *(end for w in chain for end in (w.start, w.stop))})
        parts = _Parts(self, axis - len(like.shape), values, results, eqn.source)
        made = [
            self._piece(chain, values, parts, number, _cut(like, axis, start, stop), start)
            for start, stop in pairwise(cuts)
        ]
        params = {"axis": axis, "starts": tuple(cuts[:-1])}
        return Equation(concatenate, tuple(made), eqn.outputs, params, eqn.source)

    def _piece(
        self,
        chain: Sequence[Window],
        values: Sequence[Atom],
        parts: _Parts,
        number: Any,
        like: Aval,
        start: int,
    ) -> Atom:
        """What the windows leave in the piece of the type ``like`` from ``start`` on."""
        stop = start + like.shape[len(like.shape) + parts.axis]
        found: Atom = Literal(number)
        for window, value in zip(chain, values, strict=True):
            if window.start <= start and stop <= window.stop:
                part = parts.of(value, start - window.start, stop - window.start)
                if window.over:
                    found = part
                else:
                    found = self.rewrite.add(ar.add, (found, part), {}, like, parts.source)
        if isinstance(found, Literal):
            found = Var(like)
            self.rewrite.constants[found] = np.broadcast_to(like.dtype.type(number), like.shape)
        return found

    def shaped(self, window: Window, like: Aval, source: str) -> Atom:
        """The value of a window with as many axes as the array has."""
        wanted = _cut(like, window.axis, window.start, window.stop)
        if window.value.aval.shape == wanted.shape:
            return window.value
        params = {"shape": wanted.shape}
        return self.rewrite.add(reshape, (window.value,), params, wanted, source)

    # --- chains ----------------------------------------------------------------------------------

    def _goes_on(self, eqn: Equation) -> bool:
        """Whether ``eqn`` is read by a further write alone, which then is the end of the chain."""
        readers = self.readers.get(eqn.outputs[0], [])
        if len(readers) != 1 or readers[0] is None or window_of(readers[0]) is None:
            return False
        further = readers[0]
        return further.inputs[0] is eqn.outputs[0] and further.inputs.count(eqn.outputs[0]) == 1

    def _chain(self, eqn: Equation) -> tuple[Atom, set[Var], list[Window]]:
        """What the first of the writes that end in ``eqn`` writes into, the results of all, and
        their windows, the first one first; no windows if one of them is none.
        """
        chain: list[Window] = []
        results: set[Var] = set()
        while (window := window_of(eqn)) is not None:
            chain.append(window)
            results.update(eqn.outputs)
            before = self._before(eqn)
            if before is None:
                return eqn.inputs[0], results, chain[::-1]
            eqn = before
        return eqn.inputs[0], results, []

    def _before(self, eqn: Equation) -> Equation | None:
        """The write whose result ``eqn`` writes into, if nothing else reads that."""
        base = eqn.inputs[0]
        before = self.rewrite.maker.get(base) if isinstance(base, Var) else None
        if before is None or before.primitive not in WRITES:
            return None
        return before if len(self.readers[base]) == 1 else None


def _few(chain: Sequence[Window]) -> bool:
    """Whether the pieces are not more than it is worth."""
    ordered = sorted({(w.start, w.stop) for w in chain})
    disjoint = all(a[1] <= b[0] for a, b in pairwise(ordered))
    return len(ordered) <= (DISJOINT if disjoint else OVERLAPPING)


def _cut(like: Aval, axis: int, start: int, stop: int) -> Aval:
    shape = (*like.shape[:axis], stop - start, *like.shape[axis + 1 :])
    return replace(like, shape=shape, weak=False)


def window_of(eqn: Equation) -> Window | None:
    """The window that a write is, along one axis; None if it is none."""
    if eqn.primitive not in WRITES or len(eqn.inputs) != 2:
        return None
    base, value = eqn.inputs
    index, shape = eqn.params["index"], base.aval.shape
    if not is_basic(index) or value.aval.dtype != base.aval.dtype or isinstance(value, Literal):
        return None
    ranges = list(ranges_of(index, shape))
    cut = [k for k, found in enumerate(ranges) if found != (0, shape[k])]
    empty = any(start >= stop for start, stop in ranges)
    if None in ranges or len(cut) > 1 or not shape or empty:
        return None
    axis = cut[0] if cut else 0
    start, stop = ranges[axis]
    wanted = _cut(base.aval, axis, start, stop).shape
    if [n for n in wanted if n != 1] != [n for n in value.aval.shape if n != 1]:
        return None  # it is broadcast
    return Window(axis, start, stop, value, eqn.primitive is setitem)


def ranges_of(index: Sequence[Any], shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """For each axis what a basic index selects, as a range; an empty one where it is no range."""
    given = sum(entry is not None and entry is not Ellipsis for entry in index)
    axis = 0
    for entry in (*index, *(() if Ellipsis in index else (Ellipsis,))):
        if entry is None:
            continue
        if entry is Ellipsis:
            for _ in range(len(shape) - given):
                yield 0, shape[axis]
                axis += 1
            continue
        if isinstance(entry, slice):
            start, stop, step = entry.indices(shape[axis])
            yield (start, stop) if step == 1 else (0, 0)
        else:
            yield entry % shape[axis], entry % shape[axis] + 1
        axis += 1


# --- pieces of what is computed element by element ------------------------------------------------


class _Parts:
    """Slices of what windows hold, along an axis that is counted from the last one.

    ``chain``: the results of the writes; what nothing else depends on is computed piece by piece.
    """

    def __init__(
        self, walk: _Windows, axis: int, values: Sequence[Atom], chain: set[Var], source: str
    ) -> None:
        self.rewrite, self.axis, self.source = walk.rewrite, axis, source
        self.known: dict[tuple[Atom, int, int], Atom] = {}
        self.private = self._private(values, chain, walk.readers)

    def _private(
        self,
        values: Sequence[Atom],
        chain: set[Var],
        readers: dict[Atom, list[Equation | None]],
    ) -> set[Atom]:
        """What is computed element by element and read for the windows alone."""
        inside: set[Atom] = set(chain)
        queue = list(values)
        while queue:  # what has several readers is met once for each; the last one decides
            atom = queue.pop()
            eqn = self.rewrite.maker.get(atom) if isinstance(atom, Var) else None
            if eqn is None or atom in inside or not _sliceable(eqn):
                continue
            if all(one is not None and one.outputs[0] in inside for one in readers.get(atom, [])):
                inside.add(atom)
                queue += eqn.inputs
        return inside - chain

    def of(self, atom: Atom, start: int, stop: int) -> Atom:
        """``atom`` from ``start`` to ``stop``, counted from its own beginning; what is broadcast
        along the axis as it is.
        """
        shape, place = atom.aval.shape, len(atom.aval.shape) + self.axis
        if place < 0 or shape[place] == 1 or (start, stop) == (0, shape[place]):
            return atom
        key = (atom, start, stop)
        if key not in self.known:
            self.known[key] = self._made(atom, place, start, stop)
        return self.known[key]

    def _made(self, atom: Atom, place: int, start: int, stop: int) -> Atom:
        like = _cut(atom.aval, place, start, stop)
        eqn = self.rewrite.maker.get(atom) if isinstance(atom, Var) else None
        if eqn is not None and atom in self.private:
            inputs = [self.of(x, start, stop) for x in eqn.inputs]
            return self.rewrite.add(eqn.primitive, inputs, eqn.params, like, self.source)
        ranges = [(0, length) for length in atom.aval.shape]
        if eqn is not None and (inner := _plain_slices(eqn)):
            (atom, *_), ranges = eqn.inputs, inner
        first = ranges[place][0]
        ranges[place] = (first + start, first + stop)
        index = tuple(slice(*ends) for ends in ranges)
        return self.rewrite.add(getitem, (atom,), {"index": index}, like, self.source)


def _sliceable(eqn: Equation) -> bool:
    """Whether a piece of the result can be computed of pieces of the inputs."""
    primitive = eqn.primitive
    if len(eqn.outputs) != 1 or not primitive.fresh or primitive.calls_user:
        return False
    return primitive.family == "elementwise" or primitive in (where, absorb, ar.astype)


def _plain_slices(eqn: Equation) -> list[tuple[int, int]]:
    """The ranges along each axis that ``eqn`` reads, axes staying what they are; else none."""
    if eqn.primitive is not getitem or len(eqn.inputs) != 1:
        return []
    index, base = eqn.params["index"], eqn.inputs[0].aval
    if any(not isinstance(entry, slice) and entry is not Ellipsis for entry in index):
        return []
    ranges = list(ranges_of(index, base.shape))
    lengths = tuple(stop - start for start, stop in ranges)
    return ranges if lengths == eqn.outputs[0].aval.shape else []
