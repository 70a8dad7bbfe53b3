"""Elements between memory and registers: one, or several side by side at equal distances.

A boolean is a byte in memory and a bit in a register; the parts of a complex number lie beside
each other in memory and apart in registers. Layer: ``static``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from .loops import advanced, number
from .registers import BOOL, I32, Scalar, memory_type, part_dtype, wide

I8 = ir.IntType(8)


def load(build: Any, pointer: Any, aval: Any, lanes: int = 1, step: int = 0) -> Scalar:
    """Elements of memory, ``step`` bytes apart; with step 0 the one that stands for all."""
    if lanes == 1 or not step:
        parts = _parts(build, pointer, aval.dtype)
    elif step == aval.dtype.itemsize:
        parts = _row(build, pointer, aval.dtype, lanes)
    else:
        parts = _gathered(build, pointer, aval.dtype, lanes, step)
    if aval.dtype == BOOL:
        parts = [build.icmp_unsigned("!=", part, ir.Constant(part.type, 0)) for part in parts]
    return Scalar(tuple(parts) if aval.dtype.kind == "c" else parts[0], aval.dtype, aval.weak)


def _parts(build: Any, pointer: Any, dtype: np.dtype[Any]) -> list[Any]:
    kind = memory_type(dtype)
    places = [pointer]
    if dtype.kind == "c":
        places.append(advanced(build, pointer, number(1), part_dtype(dtype).itemsize))
    return [build.load(place, typ=kind) for place in places]


def _row(build: Any, pointer: Any, dtype: np.dtype[Any], lanes: int) -> list[Any]:
    """Elements beside each other."""
    kind, align = memory_type(dtype), part_dtype(dtype).itemsize
    if dtype.kind != "c":
        return [build.load(pointer, align=align, typ=ir.VectorType(kind, lanes))]
    both = build.load(pointer, align=align, typ=ir.VectorType(kind, 2 * lanes))
    return [chosen(build, both, range(first, 2 * lanes, 2)) for first in (0, 1)]


def _gathered(build: Any, pointer: Any, dtype: np.dtype[Any], lanes: int, step: int) -> list[Any]:
    kind = ir.VectorType(memory_type(dtype), lanes)
    rows = [_parts(build, advanced(build, pointer, number(i), step), dtype) for i in range(lanes)]
    found = []
    for parts in zip(*rows, strict=True):
        vector = ir.Constant(kind, ir.Undefined)
        for i, part in enumerate(parts):
            vector = build.insert_element(vector, part, ir.Constant(I32, i))
        found.append(vector)
    return found


def store(build: Any, x: Scalar, pointer: Any, lanes: int = 1, step: int = 0) -> None:
    """Write elements ``step`` bytes apart."""
    dtype, align = x.dtype, part_dtype(x.dtype).itemsize
    parts = list(x.parts)
    if dtype == BOOL:
        parts = [build.zext(part, wide(I8, lanes)) for part in parts]
    if lanes == 1:
        for i, part in enumerate(parts):
            build.store(part, advanced(build, pointer, number(i), align))
    elif step == dtype.itemsize:
        build.store(_beside(build, parts, lanes), pointer, align=align)
    else:
        for i in range(lanes):
            place = advanced(build, pointer, number(i), step)
            for k, part in enumerate(parts):
                one = build.extract_element(part, ir.Constant(I32, i))
                build.store(one, advanced(build, place, number(k), align))


def _beside(build: Any, parts: list[Any], lanes: int) -> Any:
    """The parts of complex numbers as they lie in memory."""
    if len(parts) == 1:
        return parts[0]
    order = [one for i in range(lanes) for one in (i, lanes + i)]
    return chosen(build, parts[0], order, parts[1])


def chosen(build: Any, vector: Any, lanes: Any, other: Any = None) -> Any:
    """These lanes of a vector, or of one and another behind it, as a shorter or longer one."""
    mask = ir.Constant(ir.VectorType(I32, len(lanes)), [ir.Constant(I32, lane) for lane in lanes])
    other = ir.Constant(vector.type, ir.Undefined) if other is None else other
    return build.shuffle_vector(vector, other, mask)


def room(build: Any, kind: Any, count: int) -> Any:
    """A pointer to room for ``count`` values on the stack."""
    with build.goto_entry_block():
        pointer = build.alloca(ir.ArrayType(kind, count))
    pointer.type = ir.PointerType()  # llvmlite would hold each use to the type of all of it
    return pointer


class Cells:
    """Room on the stack for ``count`` of each of some values, of the types of ``like``."""

    def __init__(self, build: Any, like: list[Scalar], count: int) -> None:
        self.build, self.like = build, like
        self.rooms: list[list[Any]] = []
        for one in like:
            kind = memory_type(one.dtype)
            self.rooms.append([room(build, kind, count) for _ in one.parts])

    def put(self, place: Any, values: list[Scalar], lanes: int = 1) -> None:
        """Store values from element ``place`` on."""
        for x, rooms in zip(values, self.rooms, strict=True):
            for part, room in zip(x.parts, rooms, strict=True):
                if x.dtype == BOOL:
                    part = self.build.zext(part, wide(I8, lanes))
                address, align = self._address(room, x.dtype, place)
                self.build.store(part, address, align=align)

    def get(self, place: Any, lanes: int = 1) -> list[Scalar]:
        """Load values from element ``place`` on."""
        return [
            one.like(tuple(self._loaded(room, one.dtype, place, lanes) for room in rooms))
            for one, rooms in zip(self.like, self.rooms, strict=True)
        ]

    def _loaded(self, room: Any, dtype: np.dtype[Any], place: Any, lanes: int) -> Any:
        address, align = self._address(room, dtype, place)
        value = self.build.load(address, align=align, typ=wide(memory_type(dtype), lanes))
        if dtype != BOOL:
            return value
        return self.build.icmp_unsigned("!=", value, ir.Constant(value.type, 0))

    def _address(self, room: Any, dtype: np.dtype[Any], place: Any) -> tuple[Any, int]:
        kind = memory_type(dtype)
        return self.build.gep(room, [place], source_etype=kind), part_dtype(dtype).itemsize


def lane_numbers(lanes: int, kind: Any) -> Any:
    """0, 1, 2, … in the lanes of a vector."""
    return ir.Constant(ir.VectorType(kind, lanes), [ir.Constant(kind, i) for i in range(lanes)])


def halves(build: Any, values: list[Scalar], lanes: int) -> tuple[list[Scalar], list[Scalar]]:
    """The even and the odd lanes; of two the one and the other."""

    def every(x: Scalar, first: int) -> Scalar:
        if lanes == 2:
            where = ir.Constant(I32, first)
            return x.like(tuple(build.extract_element(part, where) for part in x.parts))
        order = range(first, lanes, 2)
        return x.like(tuple(chosen(build, part, order) for part in x.parts))

    return [every(x, 0) for x in values], [every(x, 1) for x in values]
