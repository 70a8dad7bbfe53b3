"""Runs of elements that are reduced, in blocks that are joined as NumPy's pairwise sum joins them.

NumPy adds up to 128 numbers as eight sums side by side, and the sums of halves of what is longer.
Here any reductions are made so, their elements computed as they are needed; where those do not lie
at equal distances in all that they are computed from, a block of them is laid side by side first.
Layer: ``static``.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from .elements import Cells, halves, room
from .loops import I64, Axes, Values, advanced, loop, number
from .reductions import Accumulated, Index, flat, like
from .registers import Scalar

if TYPE_CHECKING:
    from .folds import Folds

WHOLE = 16  # rows of lanes in a block: NumPy's 128 numbers are 16 times 8


class Run:
    """The run at ``pointers``, whose elements are those of the loops ``axes``."""

    def __init__(self, folds: Folds, axes: Axes, pointers: Values) -> None:
        self.folds, self.build, self.axes, self.pointers = folds, folds.build, axes, pointers
        self.lanes, self.block = folds.lanes, folds.lanes * WHOLE
        self.buffers: dict[Any, Cells] = {}

    def total(self) -> list[Accumulated]:
        """What the reductions make of it."""
        count = prod(self.axes[0])
        if count <= self.block:
            return self.leaf(number(0), count)
        return Tree(self, count).total()

    def leaf(self, first: Any, count: Any) -> list[Accumulated]:
        """``count`` elements from ``first`` on, at most ``block``; at least ``lanes``, if that is
        not known beforehand.
        """
        if len(self.axes[0]) > 1:
            self._fill(first, count)
        if isinstance(count, int) and count < self.lanes:
            return self._rest(first, 1, count, self._start(first))
        if isinstance(count, int):
            whole: Any = count // self.lanes
            done: Any = whole * self.lanes
        else:
            whole = self.build.sdiv(count, number(self.lanes))
            done = self.build.mul(whole, number(self.lanes))
        so_far = self._side_by_side(first, whole)
        return self._rest(first, done, count, so_far)

    def _start(self, first: Any) -> list[Accumulated]:
        return self.folds.take(None, self._elements(first, number(0), 1), Index(first))

    def _rest(
        self, first: Any, done: Any, count: Any, so_far: list[Accumulated]
    ) -> list[Accumulated]:
        """What is left, one after the other."""

        def turn(i: Any, carried: Values) -> Values:
            xs = self._elements(first, i, 1)
            index = Index(self.build.add(first, i))
            return flat(self.folds.take(like(so_far, carried), xs, index))

        return like(so_far, loop(self.build, done, count, flat(so_far), turn))

    def _side_by_side(self, first: Any, rows: Any) -> list[Accumulated]:
        """Rows of elements side by side, then those together."""

        def row(i: Any, so_far: list[Accumulated] | None) -> list[Accumulated]:
            place = self.build.mul(i, number(self.lanes))
            xs = self._elements(first, place, self.lanes)
            return self.folds.take(so_far, xs, Index(self.build.add(first, place)))

        begun = row(number(0), None)
        all_rows = loop(
            self.build, 1, rows, flat(begun), lambda i, carried: flat(row(i, like(begun, carried)))
        )
        so_far, lanes = like(begun, all_rows), self.lanes
        while lanes > 1:
            both = [halves(self.build, one, lanes) for one in so_far]
            lanes //= 2
            self.folds.emitter.lanes = lanes
            so_far = self.folds.join([even for even, _ in both], [odd for _, odd in both])
        return so_far

    # --- elements --------------------------------------------------------------------------------

    def _elements(self, first: Any, place: Any, lanes: int) -> list[Scalar]:
        """Elements from ``place`` behind ``first`` on."""
        self.folds.emitter.lanes = lanes
        if len(self.axes[0]) > 1:
            return [self.buffers[fold.source].get(place, lanes)[0] for fold in self.folds.folds]
        steps = [own[0] for own in self.axes[1]] if self.axes[0] else [0] * len(self.pointers)
        index = self.build.add(first, place)
        pairs = zip(self.pointers, steps, strict=True)
        here = [advanced(self.build, pointer, index, step) for pointer, step in pairs]
        return self.folds.elements(here, steps, lanes)

    def _fill(self, first: Any, count: Any) -> None:
        """Lay a block side by side: the elements of a row of the innermost loop up to its end, then
        of the next.
        """
        build, length = self.build, number(self.axes[0][-1])
        filled = room(build, I64, 1)
        build.store(number(0), filled)
        head, after = (build.append_basic_block(name) for name in ("fill", "full"))
        build.branch(head)
        build.position_at_end(head)
        done = build.load(filled, typ=I64)
        place = build.add(first, done)
        row, column = build.sdiv(place, length), build.srem(place, length)
        left, wanted = build.sub(length, column), build.sub(number(count), done)
        part = build.select(build.icmp_signed("<", left, wanted), left, wanted)
        self._fill_row(self._row_pointers(row, column), done, part)
        following = build.add(done, part)
        build.store(following, filled)
        build.cbranch(build.icmp_signed("<", following, number(count)), head, after)
        build.position_at_end(after)

    def _row_pointers(self, row: Any, column: Any) -> Values:
        """Pointers to an element of a row of the innermost loop."""
        lengths, strides = self.axes
        places, build = [column], self.build
        for length in reversed(lengths[1:-1]):
            places.insert(0, build.srem(row, number(length)))
            row = build.sdiv(row, number(length))
        places.insert(0, row)
        moved = []
        for pointer, own in zip(self.pointers, strides, strict=True):
            for place, step in zip(places, own, strict=True):
                pointer = advanced(build, pointer, place, step)
            moved.append(pointer)
        return moved

    def _fill_row(self, pointers: Values, done: Any, part: Any) -> None:
        """``part`` elements into the buffers, from ``done`` on."""
        build, steps = self.build, [own[-1] for own in self.axes[1]]

        def some(lanes: int, start: Any, stop: Any) -> None:
            def turn(i: Any, carried: Values) -> Values:
                place = build.mul(i, number(lanes))
                pairs = zip(pointers, steps, strict=True)
                here = [advanced(build, p, place, step) for p, step in pairs]
                self.folds.emitter.lanes = lanes
                xs = self.folds.elements(here, steps, lanes)
                for fold, x in zip(self.folds.folds, xs, strict=True):
                    self._buffer(fold.source, x).put(build.add(done, place), [x], lanes)
                return carried

            loop(build, start, stop, [], turn)

        whole = build.sdiv(part, number(self.lanes))
        some(self.lanes, number(0), whole)
        some(1, build.mul(whole, number(self.lanes)), part)

    def _buffer(self, source: Any, x: Scalar) -> Cells:
        if source not in self.buffers:
            self.buffers[source] = Cells(self.build, [x], self.block)
        return self.buffers[source]


class Tree:
    """The halves of a long run, their halves, and so on, down to blocks: taken from left to right,
    with what waits for its other half on the stack.

    ``level`` is the depth of the piece that is looked at; ``sizes`` and ``turned`` have, for it and
    those above, how long they are and whether their first half is done.
    """

    def __init__(self, run: Run, count: int) -> None:
        self.run, self.build, self.count = run, run.build, count
        self.depth = 1
        while count > run.block:
            count -= count // 2 // run.lanes * run.lanes
            self.depth += 1
        self.sizes, self.turned = (room(self.build, I64, self.depth) for _ in range(2))
        self.level, self.place = (room(self.build, I64, 1) for _ in range(2))

    def total(self) -> list[Accumulated]:
        """What the reductions make of it."""
        build = self.build
        down, leaf, up, after = (
            build.append_basic_block(name) for name in ("down", "leaf", "up", "done")
        )
        build.store(number(0), self.level)
        build.store(number(0), self.place)
        self._set(self.sizes, number(0), number(self.count))
        build.branch(down)
        self._down(down, leaf)
        self._leaf(leaf, up)
        self._up(up, down, after)
        build.position_at_end(after)
        return [cells.get(number(0)) for cells in self.now]

    def _down(self, down: Any, leaf: Any) -> None:
        """To the first half, until it is a block."""
        build = self.build
        split = build.append_basic_block("split")
        build.position_at_end(down)
        level = build.load(self.level, typ=I64)
        size = self._get(self.sizes, level)
        build.cbranch(build.icmp_signed("<", number(self.run.block), size), split, leaf)
        build.position_at_end(split)
        deeper = build.add(level, number(1))
        self._set(self.sizes, deeper, self._half(size))
        self._set(self.turned, level, number(0))
        build.store(deeper, self.level)
        build.branch(down)

    def _leaf(self, leaf: Any, up: Any) -> None:
        """A block: ``now`` has what is done last, ``waiting`` what waits, by level."""
        build = self.build
        build.position_at_end(leaf)
        place = build.load(self.place, typ=I64)
        size = self._get(self.sizes, build.load(self.level, typ=I64))
        value = self.run.leaf(place, size)
        build.store(build.add(place, size), self.place)
        self.now = [Cells(build, one, 1) for one in value]
        self.waiting = [Cells(build, one, self.depth) for one in value]
        self._put(value)
        build.branch(up)

    def _up(self, up: Any, down: Any, after: Any) -> None:
        """Join what is done with the first half that waits for it, or let it wait for the second
        one and turn to that.
        """
        build = self.build
        higher, joining, turn = (
            build.append_basic_block(name) for name in ("higher", "join", "turn")
        )
        build.position_at_end(up)
        level = build.load(self.level, typ=I64)
        build.cbranch(build.icmp_signed("==", level, number(0)), after, higher)
        build.position_at_end(higher)
        above = build.sub(level, number(1))
        second = build.icmp_signed("!=", self._get(self.turned, above), number(0))
        build.cbranch(second, joining, turn)

        build.position_at_end(joining)
        first = [cells.get(above) for cells in self.waiting]
        self._put(self.run.folds.join(first, [cells.get(number(0)) for cells in self.now]))
        build.store(above, self.level)
        build.branch(up)

        build.position_at_end(turn)
        for cells, waits in zip(self.now, self.waiting, strict=True):
            waits.put(above, cells.get(number(0)))
        self._set(self.turned, above, number(1))
        whole = self._get(self.sizes, above)
        self._set(self.sizes, level, build.sub(whole, self._half(whole)))
        build.branch(down)

    def _put(self, value: list[Accumulated]) -> None:
        for cells, one in zip(self.now, value, strict=True):
            cells.put(number(0), one)

    def _half(self, size: Any) -> Any:
        """The first half, a multiple of the lanes."""
        half = self.build.lshr(size, number(1))
        return self.build.and_(half, number(-self.run.lanes))

    def _get(self, cells: Any, place: Any) -> Any:
        return self.build.load(self.build.gep(cells, [place], source_etype=I64), typ=I64)

    def _set(self, cells: Any, place: Any, value: Any) -> None:
        self.build.store(value, self.build.gep(cells, [place], source_etype=I64))
