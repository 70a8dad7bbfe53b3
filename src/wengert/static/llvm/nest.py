"""One nest as machine code: loops over elements, with everything that is computed for one of them.

A nest holds elementwise equations of one shape, with the numbers without axes that go with them;
or a reduction. What it reads and writes in memory are its operands; all else stays in registers.
How the arrays lie in memory is known and written into the code; LLVM makes vectors of the
innermost loop. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ...core.aval import aval_of
from ...core.program import Atom, Equation, Literal, Var
from ...ops.arithmetic import copy
from ..views import is_reduction, is_view
from .lowering import lower
from .machine import NAME
from .reductions import Reducer, rows_of
from .runtime.execute import OPERANDS
from .scalars import BOOL, Emitter, NotLowered, Scalar, memory_type
from .steps import GRAIN, Array, Operand, Seen, Step

I8, I32, I64, POINTER = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.PointerType()
SMALL = 1 << 12  # elements up to which a loop is written with its length, and never split


class Walked(NamedTuple):
    """What the loops walk over: the number of an operand, and the strides in bytes."""

    operand: int
    strides: tuple[int, ...]


class Nest:
    """Makes the step of a nest.

    ``equations``: the nest; ``seen``: what it reads lies there; ``stored``: a stand-in for each
    value that is to be written; ``where``: the memory of a value. Raises ``NotLowered``.
    """

    def __init__(
        self,
        equations: Sequence[Equation],
        seen: Mapping[Atom, Seen],
        stored: Mapping[Var, Array],
        where: Callable[[Atom], Operand],
        strict: bool,
    ) -> None:
        self.equations, self.seen, self.stored, self.where = equations, seen, stored, where
        self.strict = strict
        self.operands: dict[Operand, int] = {}
        self.values: dict[Atom, Scalar] = {}
        self.extent, self.grain, self.fails = 1, 0, False

    def step(self) -> Step:
        """The step."""
        self._open()
        if is_reduction(self.equations[-1]):
            self._reduce(self.equations[-1])
        else:
            self._map()
        self._close()
        operands = tuple(self.operands)
        return Step(
            self._text(), operands, (), self.extent, self.grain, fails=self.fails
        )

    # --- the function ----------------------------------------------------------------------------

    def _open(self) -> None:
        self.module = ir.Module(NAME)
        self.reads = self._operands()
        kind = ir.FunctionType(I32, [POINTER] * len(self.operands) + [I64, I64])
        self.function = ir.Function(self.module, kind, f"{NAME}_body")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        *self.pointers, self.low, self.high = self.function.args
        for pointer in self.pointers:
            pointer.add_attribute("noalias")
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.flag_byte = self.builder.alloca(I8, name="flag")
        self.builder.store(ir.Constant(I8, 0), self.flag_byte)
        self.emitter = Emitter(self.builder, self.strict, self._flag)

    def _close(self) -> None:
        flag = self.builder.load(self.flag_byte, typ=I8)
        self.builder.ret(self.builder.zext(flag, I32))

    def _operands(self) -> dict[Atom, int]:
        """What is read of memory, by the number of its operand; ``operands`` are numbered."""
        for var in self.stored:
            self._operand(var, 0)
        made = {var for eqn in self.equations for var in eqn.outputs}
        reads: dict[Atom, int] = {}
        for eqn in self.equations:
            for atom in eqn.inputs:
                if not isinstance(atom, Literal) and (atom not in made or atom in self.seen):
                    if atom not in self.seen:
                        raise NotLowered("it reads elements in another order", eqn)
                    one = self.seen[atom]
                    if not is_view(eqn) or eqn.outputs[0] not in self.seen:
                        reads[atom] = self._operand(one.base, one.offset)
        return reads

    def _operand(self, base: Atom, offset: int) -> int:
        place, start = self.where(base)
        one = Operand(place, start + offset)
        return self.operands.setdefault(one, len(self.operands))

    def _text(self) -> str:
        """The body, and the function that fetches its operands from the frame."""
        lines = str(self.module).splitlines()
        body = [line for line in lines if not line.startswith(("target ", ";")) and line]
        wrapper = [f"define i32 @{NAME}_entry(ptr %frame, ptr %step, i64 %low, i64 %high) {{"]
        for i in range(len(self.operands)):
            at = OPERANDS + 16 * i
            wrapper += [
                f"  %a{i} = getelementptr i8, ptr %step, i64 {at}",
                f"  %b{i} = getelementptr i8, ptr %step, i64 {at + 8}",
                f"  %slot{i} = load i64, ptr %a{i}",
                f"  %offset{i} = load i64, ptr %b{i}",
                f"  %place{i} = getelementptr i64, ptr %frame, i64 %slot{i}",
                f"  %base{i} = load ptr, ptr %place{i}",
                f"  %p{i} = getelementptr i8, ptr %base{i}, i64 %offset{i}",
            ]
        given = "".join(f"ptr %p{i}, " for i in range(len(self.operands)))
        wrapper += [
            f"  %code = call i32 @{NAME}_body({given}i64 %low, i64 %high)",
            "  ret i32 %code",
            "}",
        ]
        return "\n".join([*body, *wrapper, ""])

    # --- reductions ------------------------------------------------------------------------------

    def _reduce(self, eqn: Equation) -> None:
        source, (made,) = eqn.inputs[0], eqn.outputs
        view, start = self.seen[source].view, self.pointers[self.reads[source]]
        kind = memory_type(source.aval.dtype)
        target = self.pointers[self._operand(made, 0)]
        size = made.aval.dtype.itemsize

        def element(i: Any) -> Scalar:
            place = self.builder.gep(start, [i], inbounds=True, source_etype=kind)
            return self._load(place, source.aval)

        def store(k: Any, x: Scalar) -> None:
            place = self.builder.mul(k, ir.Constant(I64, size))
            self._store(x, self._moved(target, place) if made.aval.shape else target)

        if not self.stored[made].flags.c_contiguous:
            raise NotLowered("the result is not in C order")
        reducer = Reducer(self.module, self.emitter)
        reducer.write(eqn, rows_of(eqn, view), element, start, store)

    # --- elementwise -----------------------------------------------------------------------------

    def _map(self) -> None:
        """Elementwise equations of one shape, and the numbers and views that go with them."""
        shapes = {eqn.outputs[0].aval.shape for eqn in self.equations if not is_view(eqn)}
        self.shape = max(shapes, key=len)
        if shapes - {(), self.shape}:
            raise NotLowered("more than one shape")
        for atom, number in self.reads.items():
            if not atom.aval.shape:
                self.values[atom] = self._load(self.pointers[number], atom.aval)
        inside = [eqn for eqn in self.equations if not self._before(eqn)]
        stored = [var for var in self.stored if var.aval.shape]
        if stored and 0 not in self.shape:
            self._nest(inside, stored)

    def _before(self, eqn: Equation) -> bool:
        """Do what is done before the loops: numbers without axes, and views of those."""
        (var,) = eqn.outputs
        if is_view(eqn):
            known = eqn.inputs[0] in self.values
            if known:
                self.values[var] = self.values[eqn.inputs[0]]
            return known or var in self.seen
        if var.aval.shape:
            return False
        self._compute(eqn)
        if var in self.stored:
            self._store(self.values[var], self.pointers[self._operand(var, 0)])
        return True

    def _nest(self, inside: list[Equation], stored: list[Var]) -> None:
        walked: dict[tuple[str, Atom], Walked] = {}
        for var in stored:
            walked["write", var] = Walked(self._operand(var, 0), self.stored[var].strides)
        for atom, number in self.reads.items():
            if atom.aval.shape:
                strides = np.broadcast_to(self.seen[atom].view, self.shape).strides
                walked["read", atom] = Walked(number, strides)
        order = list(walked)
        lengths, strides_by = nest_of(self.shape, [walked[one].strides for one in order])
        pointers = [self.pointers[walked[one].operand] for one in order]

        def element(places: list[Any]) -> None:
            self._element(dict(zip(order, places, strict=True)), inside)

        self._outermost(lengths, strides_by, pointers, element)

    def _outermost(
        self, lengths: list[int], strides: Any, pointers: list[Any], element: Any
    ) -> None:
        """The loops; where they are long, of a part of the outermost one."""
        total = prod(lengths)
        if total <= SMALL or not lengths:
            self._level(lengths, strides, pointers, element)
            return
        self.extent = lengths[0]
        self.grain = max(1, GRAIN * lengths[0] // total)
        loop, after = (self.builder.append_basic_block(name) for name in ("some", "none"))
        some = self.builder.icmp_signed("<", self.low, self.high)
        self.builder.cbranch(some, loop, after)
        self.builder.position_at_end(loop)
        self._level(lengths, strides, pointers, element, (self.low, self.high))
        self.builder.branch(after)
        self.builder.position_at_end(after)

    def _moved(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset], inbounds=True, source_etype=I8)

    def _level(
        self,
        lengths: Sequence[int],
        strides: Sequence[Sequence[int]],
        pointers: list[Any],
        element: Callable[[list[Any]], None],
        part: tuple[Any, Any] | None = None,
    ) -> None:
        """The loop over the first of ``lengths``, or a part of it that is not empty, and those
        inside it; ``strides``: by operand.
        """
        if not lengths:
            element(pointers)
            return
        build, before = self.builder, self.builder.block
        first, stop = part or (ir.Constant(I64, 0), ir.Constant(I64, lengths[0]))
        block, after = build.append_basic_block("loop"), build.append_basic_block("after")
        build.branch(block)
        build.position_at_end(block)
        i = build.phi(I64)
        i.add_incoming(first, before)
        here = [
            self._moved(pointer, build.mul(i, ir.Constant(I64, own[0]), flags=("nsw",)))
            if own[0]
            else pointer
            for pointer, own in zip(pointers, strides, strict=True)
        ]
        self._level(lengths[1:], [own[1:] for own in strides], here, element)
        following = build.add(i, ir.Constant(I64, 1), flags=("nsw", "nuw"))
        i.add_incoming(following, build.block)
        build.cbranch(build.icmp_signed("<", following, stop), block, after)
        build.position_at_end(after)

    def _element(self, at: dict[tuple[str, Atom], Any], inside: list[Equation]) -> None:
        """One element of everything."""
        for (way, atom), place in at.items():
            if way == "read":
                self.values[atom] = self._load(place, atom.aval)
        for eqn in inside:
            if is_view(eqn):
                self.values[eqn.outputs[0]] = self.values[eqn.inputs[0]]
            else:
                self._compute(eqn)
        for (way, atom), place in at.items():
            if way == "write":
                self._store(self.values[atom], place)

    # --- elements --------------------------------------------------------------------------------

    def _compute(self, eqn: Equation) -> None:
        operands = [None if isinstance(atom, Literal) else self.values[atom] for atom in eqn.inputs]
        try:
            self.values[eqn.outputs[0]] = lower(self.emitter, eqn, operands)
        except NotLowered as reason:
            raise NotLowered(str(reason), eqn) from None

    def _load(self, pointer: Any, aval: Any) -> Scalar:
        kind = memory_type(aval.dtype)
        value = self.builder.load(pointer, typ=kind)
        if aval.dtype == BOOL:
            value = self.builder.icmp_unsigned("!=", value, ir.Constant(I8, 0))
        return Scalar(value, aval.dtype, aval.weak)

    def _store(self, x: Scalar, pointer: Any) -> None:
        value = self.builder.zext(x.ir, I8) if x.dtype == BOOL else x.ir
        self.builder.store(value, pointer)

    def _flag(self, condition: Any) -> None:
        self.fails = True
        known = self.builder.load(self.flag_byte, typ=I8)
        byte = self.builder.zext(condition, I8)
        self.builder.store(self.builder.or_(known, byte), self.flag_byte)


def copying(source: Operand, view: Array, target: Operand, known: Array, strict: bool) -> Step:
    """The step that copies what lies as ``view`` to what lies as ``known``."""
    x, y = Var(aval_of(view)), Var(aval_of(known))
    where = {x: source, y: target}
    eqn = Equation(copy, (x,), (y,), {}, "")
    return Nest([eqn], {x: Seen(x, 0, view)}, {y: known}, where.__getitem__, strict).step()


def nest_of(
    shape: tuple[int, ...], strides: Sequence[tuple[int, ...]]
) -> tuple[list[int], list[list[int]]]:
    """The lengths of the loops, outermost first, and each operand's strides along them.

    Axes are taken in the order of the first operand in memory; what lies without gaps in all
    operands is one loop.
    """
    axes = [axis for axis, length in enumerate(shape) if length != 1]
    axes.sort(key=lambda axis: -abs(strides[0][axis]) if strides else 0)
    lengths: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis in axes:
        length = shape[axis]
        if lengths and all(
            own[-1] == stride[axis] * length for own, stride in zip(steps, strides, strict=True)
        ):
            lengths[-1] *= length
            for own, stride in zip(steps, strides, strict=True):
                own[-1] = stride[axis]
        else:
            lengths.append(length)
            for own, stride in zip(steps, strides, strict=True):
                own.append(stride[axis])
    return lengths, steps
