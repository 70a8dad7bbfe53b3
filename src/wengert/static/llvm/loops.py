"""The loop nest of a kernel: what a group of elementwise equations computes, element by element.

All equations have one shape or none; numbers without axes are computed once, before the loops.
Operands are pointers: those of the outputs, of the inputs, and of a byte that is set where a result
must come from NumPy instead. How the arrays lie in memory is known here and written into the
code; LLVM makes vectors of the innermost loop. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ...core.program import Atom, Equation, Program, Var
from ..views import is_view, keeps_order, view_of
from .lowering import lower
from .machine import NAME
from .scalars import BOOL, Emitter, NotLowered, Scalar, memory_type

I8, I64, POINTER = ir.IntType(8), ir.IntType(64), ir.PointerType()
Array = np.ndarray[Any, Any]


class Seen(NamedTuple):
    """An array that comes in: the number of the argument, and the view of it that is read."""

    number: int
    view: Array


class Walked(NamedTuple):
    """What the loops walk over: which pointer, from which byte on, and the strides."""

    number: int
    offset: int
    strides: tuple[int, ...]


class Loops:
    """Writes the function ``loops`` of one kernel into ``module``.

    ``program``: the group; ``args``, ``results``: values that it was run with, for their layout.
    """

    def __init__(
        self,
        module: Any,
        program: Program,
        args: Sequence[Any],
        results: Sequence[Any],
        strict: bool,
    ) -> None:
        self.program, self.args, self.results = program, args, results
        self.places = {var: i for i, var in enumerate(program.outputs)}
        shapes = {eqn.outputs[0].aval.shape for eqn in program.equations if not is_view(eqn)}
        self.shape: tuple[int, ...] = max(shapes, key=len)
        if shapes - {(), self.shape}:
            raise NotLowered("more than one shape")
        count = len(results) + len(args) + 1
        kind = ir.FunctionType(ir.VoidType(), [POINTER] * count)
        self.function = ir.Function(module, kind, f"{NAME}_loops")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        for argument in self.function.args:
            argument.add_attribute("noalias")
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.emitter = Emitter(self.builder, strict, self._flag)
        self.seen: dict[Atom, Seen] = {}
        self.values: dict[Atom, Scalar] = {}
        self._write()

    # --- what is read ----------------------------------------------------------------------------

    def _write(self) -> None:
        self.flag_byte = self.builder.alloca(I8, name="flag")
        self.builder.store(ir.Constant(I8, 0), self.flag_byte)
        for number, (var, value) in enumerate(zip(self.program.inputs, self.args, strict=True)):
            if isinstance(value, np.ndarray) and value.ndim:
                self.seen[var] = Seen(number, value)
            else:
                self.values[var] = self._load(self._argument(number), var.aval)
        inside = [eqn for eqn in self.program.equations if not self._before(eqn)]
        if inside and 0 not in self.shape:
            self._nest(inside)
        self.builder.store(self.builder.load(self.flag_byte, typ=I8), self.function.args[-1])
        self.builder.ret_void()

    def _before(self, eqn: Equation) -> bool:
        """Do what is done before the loops: views, and numbers without axes."""
        (var,) = eqn.outputs
        if is_view(eqn):
            return self._look(eqn, var)
        if var.aval.shape:
            return False
        self._compute(eqn)
        if var in self.places:
            self._store(self.values[var], self.function.args[self.places[var]])
        return True

    def _look(self, eqn: Equation, var: Var) -> bool:
        """A view of an argument, of a number, or of what is computed in the loops as it is."""
        source = eqn.inputs[0]
        known = self.seen.get(source)
        if known is None:
            if source in self.values:
                self.values[var] = self.values[source]
                return True
            if var.aval.shape != source.aval.shape or not keeps_order(eqn):
                raise NotLowered("elements are read in another order than they are computed")
            return False
        view = view_of(eqn, known.view)
        if view is None:
            raise NotLowered(f"{eqn.primitive.name} copies")
        if view.ndim:
            self.seen[var] = Seen(known.number, view)
        else:
            self.values[var] = self._load(self._pointer(self._walked(known.number, view)), var.aval)
        return True

    def _argument(self, number: int) -> Any:
        return self.function.args[len(self.results) + number]

    def _walked(self, number: int, view: Array) -> Walked:
        offset = view.ctypes.data - self.args[number].ctypes.data if view.size else 0
        strides = np.broadcast_to(view, self.shape).strides if view.ndim else ()
        return Walked(len(self.results) + number, offset, strides)

    def _pointer(self, walked: Walked) -> Any:
        pointer = self.function.args[walked.number]
        return self._moved(pointer, ir.Constant(I64, walked.offset)) if walked.offset else pointer

    def _moved(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset], inbounds=True, source_etype=I8)

    # --- the loops -------------------------------------------------------------------------------

    def _nest(self, inside: list[Equation]) -> None:
        walked: dict[Atom, Walked] = {}
        for var, number in self.places.items():
            if var.aval.shape:
                walked[var] = Walked(number, 0, self.results[number].strides)
        for eqn in inside:
            for atom in eqn.inputs:
                if atom in self.seen:
                    walked[atom] = self._walked(*self.seen[atom])
        order = list(walked)
        lengths, strides = nest_of(self.shape, [walked[atom].strides for atom in order])
        pointers = [self._pointer(walked[atom]) for atom in order]
        self._level(lengths, strides, pointers, lambda places: self._element(order, places, inside))

    def _level(
        self,
        lengths: Sequence[int],
        strides: Sequence[Sequence[int]],
        pointers: list[Any],
        element: Callable[[list[Any]], None],
    ) -> None:
        """The loop over the first of ``lengths``, and those inside it; ``strides``: by operand."""
        if not lengths:
            element(pointers)
            return
        build, before = self.builder, self.builder.block
        block, after = build.append_basic_block("loop"), build.append_basic_block("after")
        build.branch(block)
        build.position_at_end(block)
        i = build.phi(I64)
        i.add_incoming(ir.Constant(I64, 0), before)
        here = [
            self._moved(pointer, build.mul(i, ir.Constant(I64, own[0]), flags=("nsw",)))
            if own[0]
            else pointer
            for pointer, own in zip(pointers, strides, strict=True)
        ]
        self._level(lengths[1:], [own[1:] for own in strides], here, element)
        following = build.add(i, ir.Constant(I64, 1), flags=("nsw", "nuw"))
        i.add_incoming(following, build.block)
        build.cbranch(build.icmp_signed("<", following, ir.Constant(I64, lengths[0])), block, after)
        build.position_at_end(after)

    def _element(self, order: list[Atom], places: list[Any], inside: list[Equation]) -> None:
        """One element of everything."""
        at = dict(zip(order, places, strict=True))
        for atom in order:
            if atom in self.seen:
                self.values[atom] = self._load(at[atom], atom.aval)
        for eqn in inside:
            if is_view(eqn):
                self.values[eqn.outputs[0]] = self.values[eqn.inputs[0]]
            else:
                self._compute(eqn)
        for var in self.places:
            if var.aval.shape:
                self._store(self.values[var], at[var])

    # --- elements --------------------------------------------------------------------------------

    def _compute(self, eqn: Equation) -> None:
        operands = [self.values.get(atom) for atom in eqn.inputs]
        self.values[eqn.outputs[0]] = lower(self.emitter, eqn, operands)

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
        known = self.builder.load(self.flag_byte, typ=I8)
        byte = self.builder.zext(condition, I8)
        self.builder.store(self.builder.or_(known, byte), self.flag_byte)


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
