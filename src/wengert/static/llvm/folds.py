"""Nests with reductions: the elements they reduce are computed where they are needed.

The axes that stay are the loops outside. Inside, where the innermost axis in memory is reduced,
elements that follow one another are taken several side by side, and their blocks joined as NumPy's
pairwise sum joins them (N. J. Higham, SIAM J. Sci. Comput. 14 (1993) 783, has its error). Where
the innermost axis stays, results are accumulated side by side, row after row. Both add up in
NumPy's order, so with its bits. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .elements import Cells
from .loops import Values, advanced, loop, merged, nested, number
from .reductions import Accumulated, Index, Position, flat, fold_of, lanes_of, like
from .registers import NotLowered, Scalar
from .runs import Run

if TYPE_CHECKING:
    from .nest import Nest

GROUP = 32  # blocks of columns that are accumulated together


class Folds:
    """Writes the loops of ``nest``, whose ``equations`` reduce along the same axes of arrays of one
    shape.
    """

    def __init__(self, nest: Nest) -> None:
        self.nest, self.build, self.emitter = nest, nest.builder, nest.emitter
        self.folds = [fold_of(eqn) for eqn in nest.reductions]
        self.walk = nest.walks[0]
        if any(walk != self.walk for walk in nest.walks):
            raise NotLowered("reductions along different axes")
        for fold in self.folds:
            if nest.strict and fold.paired and not self.walk.even:
                raise NotLowered("NumPy's own bits", fold.eqn)
        self.lanes = lanes_of(self.folds)
        self.results = [fold.made for fold in self.folds]
        self.strides = [nest.walked[one].strides for one in nest.order]

    def write(self) -> None:
        """Write them."""
        if any(not self.walk.shape[axis] for axis in self.walk.kept):
            return  # there are no results
        if self.walk.run and self.walk.reduced:
            self._rows()
        else:
            self._columns()

    # --- accumulating ----------------------------------------------------------------------------

    def first(self) -> list[Accumulated]:
        """Of no elements."""
        return [fold.first(self.emitter) for fold in self.folds]

    def take(
        self, so_far: list[Accumulated] | None, xs: list[Scalar], index: Index
    ) -> list[Accumulated]:
        """One more element for each reduction, or the first."""
        if so_far is None:
            return [
                fold.start(self.emitter, x, index) for fold, x in zip(self.folds, xs, strict=True)
            ]
        return [
            fold.take(self.emitter, one, x, index)
            for fold, one, x in zip(self.folds, so_far, xs, strict=True)
        ]

    def join(self, a: list[Accumulated], b: list[Accumulated]) -> list[Accumulated]:
        """Two parts."""
        pairs = zip(self.folds, a, b, strict=True)
        return [fold.join(self.emitter, one, two) for fold, one, two in pairs]

    def elements(self, pointers: Values, steps: list[int], lanes: int = 1) -> list[Scalar]:
        """Elements of what each reduction reduces, ``steps`` bytes apart in memory."""
        self.nest.elements(pointers, steps, lanes)
        return [self.emitter.spread(self.nest.values[fold.source]) for fold in self.folds]

    def finish(
        self, pointers: Values, so_far: list[Accumulated], steps: list[int], lanes: int = 1
    ) -> None:
        """Store the results."""
        for fold, one in zip(self.folds, so_far, strict=True):
            place = self.nest.order.index(("result", fold.made))
            value = fold.result(self.emitter, one)
            self.nest.store(value, pointers[place], lanes, steps[place])

    def merged(self, axes: tuple[int, ...]) -> Any:
        """The loops over some axes."""
        return merged(axes, self.walk.shape, self.strides)

    # --- rows ------------------------------------------------------------------------------------

    def _rows(self) -> None:
        """The innermost axis is reduced."""
        outer, run = self.merged(self.walk.outer), self.merged(self.walk.run)
        ordered = any(fold.ordered for fold in self.folds)

        def row(pointers: Values, indices: Values) -> None:
            self.emitter.lanes = 1
            start = self.first()

            def part(here: Values, indices: Values, carried: Values) -> Values:
                so_far = like(start, carried)
                if ordered:
                    return flat(self._in_order(run, here, so_far))
                return flat(self.join(so_far, Run(self, run, here).total()))

            end = nested(self.build, outer, pointers, flat(start), part)
            self.finish(pointers, like(start, end), [0] * len(pointers))

        self.nest.outermost(self.merged(self.walk.kept), self.nest.starts, row)

    def _in_order(self, run: Any, pointers: Values, so_far: list[Accumulated]) -> list[Accumulated]:
        """One element after the other."""

        def turn(here: Values, indices: Values, carried: Values) -> Values:
            xs = self.elements(here, [0] * len(here))
            return flat(self.take(like(so_far, carried), xs, Index(indices[-1])))

        return like(so_far, nested(self.build, run, pointers, flat(so_far), turn))

    # --- columns ---------------------------------------------------------------------------------

    def _columns(self) -> None:
        """The innermost axis stays: ``GROUP`` blocks of columns are accumulated together."""
        lengths, strides = self.merged(self.walk.kept)
        count = lengths.pop() if lengths else 1
        steps = [own.pop() if own else 0 for own in strides]
        lanes = min(self.lanes, 1 << (count.bit_length() - 1))
        blocks = -(-count // lanes)
        # where a result is chosen, room on the stack would be written with slow masked stores
        choosing = any(isinstance(fold, Position) for fold in self.folds)
        size = 1 if choosing else min(GROUP, blocks)
        groups = -(-blocks // size)
        kept = [*lengths, groups], [[*own, 0] for own in strides]

        def group(pointers: Values, indices: Values) -> None:
            Columns(self, pointers, steps, lanes, size, count).write(indices[-1])

        self.nest.outermost(kept, self.nest.starts, group)


class Columns:
    """A group of ``size`` blocks of columns, of which there are ``count``.

    The last block of all ends where the columns end, so it may take some of the one before once
    more.
    """

    def __init__(
        self, folds: Folds, pointers: Values, steps: list[int], lanes: int, size: int, count: int
    ) -> None:
        self.folds, self.build, self.pointers, self.steps = folds, folds.build, pointers, steps
        self.lanes, self.size, self.count = lanes, size, count
        folds.emitter.lanes = lanes
        self.start = folds.first()
        self.cells = [Cells(self.build, one, size * lanes) for one in self.start]

    def write(self, group: Any) -> None:
        """Write the loops of one group."""
        build, blocks = self.build, -(-self.count // self.lanes)
        self.first = build.mul(group, number(self.size))
        self.stop: Any = self.size
        if blocks % self.size:
            left = build.sub(number(blocks), self.first)
            full = build.icmp_signed("<", number(self.size), left)
            self.stop = build.select(full, number(self.size), left)
        self._each(lambda cell, pointers: self._put(cell, self.start), self.pointers)
        if self.folds.walk.reduced:
            rows = self.folds.merged(self.folds.walk.outer)
            nested(build, rows, self.pointers, [], self._row)
        self._each(self._finish, self.pointers)

    def _row(self, pointers: Values, indices: Values, carried: Values) -> Values:
        index = Index(indices[-1] if indices else number(0), following=False)

        def more(cell: Any, here: Values) -> None:
            so_far = [room.get(cell, self.lanes) for room in self.cells]
            xs = self.folds.elements(here, self.steps, self.lanes)
            self._put(cell, self.folds.take(so_far, xs, index))

        self._each(more, pointers)
        return carried

    def _put(self, cell: Any, so_far: list[Accumulated]) -> None:
        for room, one in zip(self.cells, so_far, strict=True):
            room.put(cell, one, self.lanes)

    def _finish(self, cell: Any, pointers: Values) -> None:
        so_far = [room.get(cell, self.lanes) for room in self.cells]
        self.folds.finish(pointers, so_far, self.steps, self.lanes)

    def _each(self, body: Callable[[Any, Values], None], pointers: Values) -> None:
        """``body(cell, pointers)`` for each block."""

        def turn(block: Any, carried: Values) -> Values:
            build = self.build
            column = build.mul(build.add(self.first, block), number(self.lanes))
            if self.count % self.lanes:
                last = number(self.count - self.lanes)
                beyond = build.icmp_signed("<", last, column)
                column = build.select(beyond, last, column)
            pairs = zip(pointers, self.steps, strict=True)
            here = [advanced(build, p, column, step) for p, step in pairs]
            self.folds.emitter.lanes = self.lanes
            body(build.mul(block, number(self.lanes)), here)
            return carried

        loop(self.build, 0, self.stop, [], turn, certain=True)
