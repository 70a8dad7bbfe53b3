"""One nest as machine code: loops over elements, with everything that is computed for one of them.

A nest holds elementwise equations of one shape, with the numbers without axes that go with them,
and reductions of what they compute (``folds.py``); or a cumulative operation (``scans.py``). What
it reads and writes in memory are its operands; all else stays in registers. How the arrays lie in
memory is known and written into the code; LLVM makes vectors of the innermost loop. Layer:
``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ...core.aval import aval_of
from ...core.primitive import NoLowering
from ...core.program import Atom, Equation, Literal, Var
from ...ops.arithmetic import copy
from ...ops.families import normal_axes
from ..views import is_cumulative, is_reduction, is_view
from ..walks import Walk
from .elements import load, store
from .folds import Folds
from .loops import I8, I64, Axes, Values, merged, nested, sorted_axes
from .lowering import lower
from .machine import NAME
from .runtime.execute import OPERANDS
from .scalars import Emitter, NotLowered, Scalar
from .scans import write_scan
from .steps import GRAIN, Array, Operand, Seen, Step

I32, POINTER = ir.IntType(32), ir.PointerType()
SMALL = 1 << 12  # elements up to which a loop is written with its length, and never split


class Walked(NamedTuple):
    """What the loops walk over: the number of an operand, and the strides in bytes."""

    operand: int
    strides: tuple[int, ...]


class Nest:
    """Makes the step of a nest.

    ``equations``: the nest; ``seen``: what it reads lies there; ``stored``: a stand-in for each
    value that is to be written; ``where``: the memory of a value; ``walk``: the order in which
    NumPy takes the elements of a reduction. Raises ``NotLowered``.
    """

    def __init__(
        self,
        equations: Sequence[Equation],
        seen: Mapping[Atom, Seen],
        stored: Mapping[Var, Array],
        where: Callable[[Atom], Operand],
        strict: bool,
        walk: Callable[[Equation], Walk] | None = None,
    ) -> None:
        self.equations, self.seen, self.stored, self.where = equations, seen, stored, where
        self.strict = strict
        self.reductions = [
            eqn for eqn in equations if is_reduction(eqn) and eqn.outputs[0] in stored
        ]
        self.walks = [walk(eqn) for eqn in self.reductions] if walk else []
        self.shape = self._shape()
        self.operands: dict[Operand, int] = {}
        self.values: dict[Atom, Scalar] = {}
        self.extent, self.grain, self.fails = 1, 0, False

    def step(self) -> Step:
        """The step."""
        self._open()
        self._begin()
        self._walk()
        if self.reductions:
            Folds(self).write()
        elif is_cumulative(self.equations[-1]):
            write_scan(self, self.equations[-1])
        else:
            self._map()
        self._close()
        operands = tuple(self.operands)
        return Step(self._text(), operands, (), self.extent, self.grain, fails=self.fails)

    def _shape(self) -> tuple[int, ...]:
        """Of what is computed in the loops."""
        shapes = {
            eqn.inputs[0].aval.shape if is_reduction(eqn) else eqn.outputs[0].aval.shape
            for eqn in self.equations
            if not is_view(eqn)
        }
        shape = max(shapes, key=len)
        if shapes - {(), shape}:
            raise NotLowered("more than one shape")
        return shape

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
        wrapper += fetching(len(self.operands))
        given = "".join(f"ptr %p{i}, " for i in range(len(self.operands)))
        wrapper += [
            f"  %code = call i32 @{NAME}_body({given}i64 %low, i64 %high)",
            "  ret i32 %code",
            "}",
        ]
        return "\n".join([*body, *wrapper, ""])

    # --- what is computed ------------------------------------------------------------------------

    def _begin(self) -> None:
        """What is done before the loops: numbers without axes, and views of those."""
        for atom, number in self.reads.items():
            if not atom.aval.shape:
                self.values[atom] = load(self.builder, self.pointers[number], atom.aval)
        self.inside = [
            eqn for eqn in self.equations if not is_reduction(eqn) and not self._before(eqn)
        ]

    def _before(self, eqn: Equation) -> bool:
        """Do what is done before the loops; whether ``eqn`` is."""
        (var,) = eqn.outputs
        if is_view(eqn):
            known = eqn.inputs[0] in self.values
            if known:
                self._see(eqn)
            return known or var in self.seen
        if var.aval.shape:
            return False
        self._compute(eqn)
        if var in self.stored:
            self.store(self.values[var], self.pointers[self._operand(var, 0)], 1, 0)
        return True

    def _walk(self) -> None:
        """What the loops walk over: ``order`` names it, ``walked`` has its strides, ``starts`` are
        the pointers.
        """
        results = {eqn.outputs[0]: eqn for eqn in self.reductions}
        self.walked: dict[tuple[str, Atom], Walked] = {}
        for var, known in self.stored.items():
            number = self._operand(var, 0)
            if var in results:
                strides = spread_strides(results[var], known)
                self.walked["result", var] = Walked(number, strides)
            elif var.aval.shape:
                self.walked["write", var] = Walked(number, known.strides)
        for atom, number in self.reads.items():
            if atom.aval.shape:
                try:
                    wide = np.broadcast_to(self.seen[atom].view, self.shape)
                except ValueError:  # of what is no loop over elements
                    raise NotLowered("operands of other shapes", self.equations[-1]) from None
                self.walked["read", atom] = Walked(number, wide.strides)
        self.order = list(self.walked)
        self.starts = [self.pointers[one.operand] for one in self.walked.values()]

    def _map(self) -> None:
        """Elementwise equations."""
        if not any(way == "write" for way, _ in self.order) or 0 in self.shape:
            return
        strides = [one.strides for one in self.walked.values()]
        axes = merged(sorted_axes(self.shape, strides[0]), self.shape, strides)
        self.outermost(axes, self.starts, lambda here, indices: self.elements(here, []))

    def outermost(
        self, axes: Axes, pointers: Values, body: Callable[[Values, Values], None]
    ) -> None:
        """The loops outside; where the work is long, of a part of the outermost one."""

        def inside(here: Values, indices: Values, carried: Values) -> Values:
            body(here, indices)
            return carried

        total, lengths = prod(self.shape), axes[0]
        if total <= SMALL or not lengths or lengths[0] == 1:
            nested(self.builder, axes, pointers, [], inside)
            return
        self.extent = lengths[0]
        self.grain = max(1, GRAIN * lengths[0] // total)
        some, after = (self.builder.append_basic_block(name) for name in ("some", "none"))
        self.builder.cbranch(self.builder.icmp_signed("<", self.low, self.high), some, after)
        self.builder.position_at_end(some)
        nested(self.builder, axes, pointers, [], inside, (self.low, self.high))
        self.builder.branch(after)
        self.builder.position_at_end(after)

    # --- elements --------------------------------------------------------------------------------

    def elements(self, pointers: Values, steps: Sequence[int], lanes: int = 1) -> None:
        """One element of everything, or ``lanes`` of them that are ``steps`` bytes apart."""
        at = list(zip(self.order, pointers, steps or [0] * len(pointers), strict=True))
        self.emitter.lanes = lanes
        for (way, atom), place, step in at:
            if way == "read":
                self.values[atom] = load(self.builder, place, atom.aval, lanes, step)
        for eqn in self.inside:
            if is_view(eqn):
                self._see(eqn)
            else:
                self._compute(eqn)
        for (way, atom), place, step in at:
            if way == "write":
                self.store(self.values[atom], place, lanes, step)

    def store(self, x: Scalar, pointer: Any, lanes: int, step: int) -> None:
        """Write elements."""
        store(self.builder, self.emitter.spread(x), pointer, lanes, step)

    def _see(self, eqn: Equation) -> None:
        """A view of what is in registers: the same elements, or a part of each."""
        if isinstance(eqn.primitive.lower, NoLowering):
            self.values[eqn.outputs[0]] = self.values[eqn.inputs[0]]
        else:
            self._compute(eqn)

    def _compute(self, eqn: Equation) -> None:
        operands = [
            None if isinstance(atom, Literal) else self.emitter.spread(self.values[atom])
            for atom in eqn.inputs
        ]
        try:
            self.values[eqn.outputs[0]] = lower(self.emitter, eqn, operands)
        except NotLowered as reason:
            raise NotLowered(str(reason), eqn) from None

    def _flag(self, condition: Any) -> None:
        self.fails = True
        known = self.builder.load(self.flag_byte, typ=I8)
        byte = self.builder.zext(condition, I8)
        self.builder.store(self.builder.or_(known, byte), self.flag_byte)


def spread_strides(eqn: Equation, known: Array) -> tuple[int, ...]:
    """The strides of a reduction's result along the axes of what is reduced."""
    shape = eqn.inputs[0].aval.shape
    reduced = normal_axes(eqn.params.get("axis"), len(shape))
    own = list(known.strides)
    if eqn.params.get("keepdims", False):
        return tuple(0 if axis in reduced else own[axis] for axis in range(len(shape)))
    return tuple(0 if axis in reduced else own.pop(0) for axis in range(len(shape)))


def fetching(count: int) -> list[str]:
    """Lines that fetch the operands of a step from the frame: ``%p0``, ``%p1``, …"""
    lines = []
    for i in range(count):
        at = OPERANDS + 16 * i
        lines += [
            f"  %a{i} = getelementptr i8, ptr %step, i64 {at}",
            f"  %b{i} = getelementptr i8, ptr %step, i64 {at + 8}",
            f"  %slot{i} = load i64, ptr %a{i}",
            f"  %offset{i} = load i64, ptr %b{i}",
            f"  %place{i} = getelementptr i64, ptr %frame, i64 %slot{i}",
            f"  %base{i} = load ptr, ptr %place{i}",
            f"  %p{i} = getelementptr i8, ptr %base{i}, i64 %offset{i}",
        ]
    return lines


def copying(source: Operand, view: Array, target: Operand, known: Array, strict: bool) -> Step:
    """The step that copies what lies as ``view`` to what lies as ``known``."""
    x, y = Var(aval_of(view)), Var(aval_of(known))
    where: dict[Atom, Operand] = {x: source, y: target}
    eqn = Equation(copy, (x,), (y,), {}, "")
    return Nest([eqn], {x: Seen(x, 0, view)}, {y: known}, where.__getitem__, strict).step()


def nest_of(shape: tuple[int, ...], strides: Sequence[tuple[int, ...]]) -> Axes:
    """The lengths of loops, outermost first, and each operand's strides along them, in the order of
    the first operand in memory.
    """
    first = strides[0] if strides else (0,) * len(shape)
    return merged(sorted_axes(shape, first), shape, strides)
