"""Reductions over arrays that lie in C order, added up in NumPy's order, so with its bits.

NumPy sums what lies in a row pairwise: in halves down to 128 elements, those in eight sums side by
side (N. J. Higham, SIAM J. Sci. Comput. 14 (1993) 783, has the error); over leading axes it adds
row after row. Here are both, and the plain loops of what can be combined in any order or is
combined in one. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ...core.program import Equation
from ...ops.families import normal_axes
from ..views import REDUCTIONS
from .machine import NAME
from .scalars import F4, Emitter, NotLowered, Scalar, register_type

I64, POINTER = ir.IntType(64), ir.PointerType()
LANES, BLOCK = 8, 128  # NumPy's
WIDTH = 16  # columns added side by side


class Rows(NamedTuple):
    """How a reduction walks: ``kept`` results of ``reduced`` elements each, which lie in rows, or
    in columns.
    """

    kept: int
    reduced: int
    columns: bool


def rows_of(eqn: Equation, view: np.ndarray[Any, Any]) -> Rows:
    """Raises ``NotLowered`` where the array does not lie in C order, or the axes are mixed."""
    axes = normal_axes(eqn.params.get("axis"), view.ndim)
    if not view.flags.c_contiguous:
        raise NotLowered("the array is not in C order")
    long = [axis for axis in range(view.ndim) if view.shape[axis] != 1]
    reduced = [axis in axes for axis in long]
    kept = prod(view.shape[axis] for axis in range(view.ndim) if axis not in axes)
    count = prod(view.shape[axis] for axis in axes)
    if reduced == sorted(reduced):
        return Rows(kept, count, False)
    if reduced == sorted(reduced, reverse=True):
        return Rows(kept, count, True)
    raise NotLowered("the axes are not side by side")


class Reducer:
    """Writes reductions where ``emitter`` stands."""

    def __init__(self, module: Any, emitter: Emitter) -> None:
        self.module, self.emitter = module, emitter

    @property
    def build(self) -> Any:
        """The builder."""
        return self.emitter.builder

    def write(
        self,
        eqn: Equation,
        rows: Rows,
        element: Callable[[Any], Scalar],
        start: Any,
        store: Callable[[Any, Scalar], None],
    ) -> None:
        """Reduce: ``element(i)`` is the ith of the array, which starts at ``start``;
        ``store(k, x)`` takes the kth result.
        """
        combine: Any = eqn.primitive.lower
        made = eqn.outputs[0].aval.dtype
        pairwise = eqn.primitive.name == "sum" and made.kind == "f"
        if pairwise and eqn.inputs[0].aval.dtype != made:
            raise NotLowered("a sum in another dtype")
        empty = self.emitter.constant(REDUCTIONS[eqn.primitive.name], made)

        def row(k: Any) -> None:
            begin = self.build.mul(k, ir.Constant(I64, rows.reduced))
            if pairwise:
                place = self.build.gep(start, [begin], source_etype=register_type(made))
                count = ir.Constant(I64, rows.reduced)
                total = Scalar(self.build.call(self._pairwise(made), [place, count]), made)
                store(k, self.emitter.add(empty, total))
            else:
                store(k, self._along(begin, 1, rows.reduced, element, combine, empty))

        def column(k: Any) -> None:
            store(k, self._along(k, rows.kept, rows.reduced, element, combine, empty))

        first_column = self._columns(rows, made, start, store, empty) if pairwise else 0
        loop(self.build, first_column, rows.kept, column if rows.columns else row)

    def _columns(
        self,
        rows: Rows,
        dtype: np.dtype[Any],
        start: Any,
        store: Callable[[Any, Scalar], None],
        empty: Scalar,
    ) -> int:
        """Sums of columns, as many side by side as vectors hold; how many were taken."""
        if not rows.columns:
            return 0
        build, kind = self.build, register_type(dtype)
        vector = ir.VectorType(kind, WIDTH)

        def block(number: Any) -> None:
            begin = build.mul(number, ir.Constant(I64, WIDTH))

            def more(i: Any, sums: Any) -> Any:
                place = build.add(begin, build.mul(i, ir.Constant(I64, rows.kept)))
                address = build.gep(start, [place], source_etype=kind)
                return build.fadd(sums, build.load(address, align=dtype.itemsize, typ=vector))

            zeros = ir.Constant(vector, [empty.ir.constant] * WIDTH)
            sums = loop_with(build, ir.Constant(I64, rows.reduced), zeros, more)
            for j in range(WIDTH):
                one = build.extract_element(sums, ir.Constant(ir.IntType(32), j))
                store(build.add(begin, ir.Constant(I64, j)), Scalar(one, dtype))

        loop(build, 0, rows.kept // WIDTH, block)
        return rows.kept // WIDTH * WIDTH

    def _along(
        self,
        begin: Any,
        step: int,
        count: int,
        element: Callable[[Any], Scalar],
        combine: Callable[..., Scalar],
        empty: Scalar,
    ) -> Scalar:
        """One after the other."""
        dtype = empty.dtype

        def more(i: Any, total: Any) -> Any:
            place = self.build.add(begin, self.build.mul(i, ir.Constant(I64, step)))
            x = self.emitter.cast(element(place), dtype)
            return combine(self.emitter, Scalar(total, dtype), x).ir

        if not count:
            return empty
        return Scalar(loop_with(self.build, ir.Constant(I64, count), empty.ir, more), dtype)

    # --- NumPy's pairwise sum --------------------------------------------------------------------

    def _pairwise(self, dtype: np.dtype[Any]) -> Any:
        """The function ``(start, count) -> sum`` of this module."""
        name = f"{NAME}_pairwise_{dtype.char}"
        if name in self.module.globals:
            return self.module.globals[name]
        kind = ir.FloatType() if dtype == F4 else ir.DoubleType()
        function = ir.Function(self.module, ir.FunctionType(kind, [POINTER, I64]), name)
        function.linkage = "internal"
        start, count = function.args
        build = ir.IRBuilder(function.append_basic_block("start"))
        with build.if_then(build.icmp_signed("<", count, ir.Constant(I64, LANES))):
            build.ret(_few(build, start, count, kind, ir.Constant(kind, -0.0)))
        with build.if_then(build.icmp_signed("<=", count, ir.Constant(I64, BLOCK))):
            build.ret(_block(build, start, count, kind))
        half = build.lshr(count, ir.Constant(I64, 1))
        half = build.and_(half, ir.Constant(I64, -LANES))
        left = build.call(function, [start, half])
        place = build.gep(start, [half], source_etype=kind)
        right = build.call(function, [place, build.sub(count, half)])
        build.ret(build.fadd(left, right))
        return function


def _few(build: Any, start: Any, count: Any, kind: Any, total: Any) -> Any:
    """``total`` and ``count`` elements, one after the other."""

    def more(i: Any, total: Any) -> Any:
        return build.fadd(total, build.load(build.gep(start, [i], source_etype=kind), typ=kind))

    return loop_with(build, count, total, more)


def _block(build: Any, start: Any, count: Any, kind: Any) -> Any:
    """Eight sums side by side, then their sum, then what is left."""
    vector = ir.VectorType(kind, LANES)
    align = 4 if isinstance(kind, ir.FloatType) else 8

    def eight(i: Any) -> Any:
        place = build.gep(start, [i], source_etype=kind)
        return build.load(place, align=align, typ=vector)

    whole = build.lshr(count, ir.Constant(I64, 3))

    def more(i: Any, sums: Any) -> Any:
        following = build.add(i, ir.Constant(I64, 1))
        return build.fadd(sums, eight(build.shl(following, ir.Constant(I64, 3))))

    rest = build.sub(whole, ir.Constant(I64, 1))
    sums = loop_with(build, rest, eight(ir.Constant(I64, 0)), more)
    parts = [build.extract_element(sums, ir.Constant(ir.IntType(32), j)) for j in range(LANES)]
    while len(parts) > 1:
        parts = [build.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    done = build.shl(whole, ir.Constant(I64, 3))
    place = build.gep(start, [done], source_etype=kind)
    return _few(build, place, build.sub(count, done), kind, parts[0])


# --- loops ----------------------------------------------------------------------------------------


def loop(build: Any, first: int, stop: int, body: Callable[[Any], None]) -> None:
    """``body(i)`` for i from ``first`` to below ``stop``."""
    if first < stop:
        shift, count = ir.Constant(I64, first), ir.Constant(I64, stop - first)
        loop_with(build, count, None, lambda i, _: body(build.add(i, shift)))


def loop_with(build: Any, count: Any, first: Any, body: Callable[[Any, Any], Any]) -> Any:
    """``x = body(i, x)`` for i below ``count``, which may be 0; ``first`` is the first x, or
    None.
    """
    function, before = build.function, build.block
    head, inside, after = (function.append_basic_block(name) for name in ("head", "loop", "after"))
    build.branch(head)
    build.position_at_end(head)
    i = build.phi(I64)
    i.add_incoming(ir.Constant(I64, 0), before)
    carried = None
    if first is not None:
        carried = build.phi(first.type)
        carried.add_incoming(first, before)
    build.cbranch(build.icmp_signed("<", i, count), inside, after)
    build.position_at_end(inside)
    result = body(i, carried)
    i.add_incoming(build.add(i, ir.Constant(I64, 1), flags=("nsw", "nuw")), build.block)
    if carried is not None:
        carried.add_incoming(result, build.block)
    build.branch(head)
    build.position_at_end(after)
    return carried
