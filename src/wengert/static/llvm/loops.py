"""What a kernel computes, element by element: loop nests over arrays, one after the other.

A nest holds elementwise equations of one shape; numbers without axes are computed before it, and
a reduction is a nest of its own. Values of one nest that a later one reads are written to memory,
all others stay in registers. Operands are pointers: those of the results, of arrays in between, of
the arguments, and of a byte that is set where a result must come from NumPy instead. How the
arrays lie in memory is known here and written into the code; LLVM makes vectors of the innermost
loop. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ...core.program import Atom, Equation, Literal, Program, Var
from ..plan import inputs_of, nests
from ..views import is_reduction, is_view, keeps_order, view_of
from .lowering import lower
from .machine import NAME
from .reductions import Reducer, rows_of
from .scalars import BOOL, Emitter, NotLowered, Scalar, memory_type

I8, I64, POINTER = ir.IntType(8), ir.IntType(64), ir.PointerType()
Array = np.ndarray[Any, Any]


class Seen(NamedTuple):
    """An array in memory: the pointer, the variable that lies there, and the view of it that is
    read.
    """

    pointer: Any
    base: Atom
    view: Array


class Walked(NamedTuple):
    """What the loops walk over: a pointer, and the strides in bytes."""

    pointer: Any
    strides: tuple[int, ...]


class Loops:
    """Writes the function ``loops`` of one kernel into ``module``.

    ``program``: the group; ``values``: of all its variables, arrays that lie as NumPy's do.
    ``between``: for each array that is needed in between, a variable that lies in it.
    """

    def __init__(
        self, module: Any, program: Program, values: Mapping[Atom, Any], strict: bool
    ) -> None:
        self.program, self.known = program, values
        self.nests = nests(program, is_reduction)
        places = self._places()
        self.between = list(dict.fromkeys(places.values()))
        memory = [*program.outputs, *self.between, *program.inputs]
        kind = ir.FunctionType(ir.VoidType(), [POINTER] * (len(memory) + 1))
        self.function = ir.Function(module, kind, f"{NAME}_loops")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        for argument in self.function.args:
            argument.add_attribute("noalias")
        self.pointers = dict(zip(memory, self.function.args, strict=False))
        self.pointers.update((var, self.pointers[place]) for var, place in places.items())
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.emitter = Emitter(self.builder, strict, self._flag)
        self.reducer = Reducer(module, self.emitter)
        self.seen: dict[Atom, Seen] = {}
        self.values: dict[Atom, Scalar] = {}
        self.shape: tuple[int, ...] = ()
        self._write()

    def _places(self) -> dict[Var, Var]:
        """What one nest makes and another one reads, if it has axes and is no result: for each the
        first variable that lies in the same array, which is dead by then.
        """
        last = {var: i for i, nest in enumerate(self.nests) for var in inputs_of(nest)}
        places: dict[Var, Var] = {}
        busy: dict[Var, int] = {}  # until which nest
        for number, nest in enumerate(self.nests):
            for var in (eqn.outputs[0] for eqn in nest if not is_view(eqn)):
                if var not in last or not var.aval.shape or var in self.program.outputs:
                    continue
                size = self.known[var].nbytes
                free = (p for p in busy if busy[p] < number and self.known[p].nbytes == size)
                places[var] = next(free, var)
                busy[places[var]] = last[var]
        return places

    def _write(self) -> None:
        self.flag_byte = self.builder.alloca(I8, name="flag")
        self.builder.store(ir.Constant(I8, 0), self.flag_byte)
        for var in self.program.inputs:
            self._enter(var, self.pointers[var])
        for nest in self.nests:
            try:
                self._write_nest(nest)
            except NotLowered as reason:
                raise NotLowered(str(reason), reason.equation or nest[-1]) from None
        self.builder.store(self.builder.load(self.flag_byte, typ=I8), self.function.args[-1])
        self.builder.ret_void()

    def _write_nest(self, nest: list[Equation]) -> None:
        if not is_reduction(nest[-1]):
            self._map(nest)
            return
        for eqn in nest[:-1]:
            self._look(eqn, eqn.outputs[0])
        self._reduce(nest[-1])

    def _enter(self, var: Var, pointer: Any) -> None:
        """Note what lies in memory; a number is loaded."""
        value = self.known[var]
        if isinstance(value, np.ndarray) and value.ndim:
            self.seen[var] = Seen(pointer, var, value)
        else:
            self.values[var] = self._load(pointer, var.aval)

    # --- reductions ------------------------------------------------------------------------------

    def _reduce(self, eqn: Equation) -> None:
        source, (made,) = eqn.inputs[0], eqn.outputs
        if source not in self.seen:
            raise NotLowered("of a number")
        if made.aval.shape and made not in self.pointers:
            return  # dead code
        seen = self.seen[source]
        rows, start = rows_of(eqn, seen.view), self._pointer(seen)
        kind = memory_type(source.aval.dtype)
        number = None
        if not made.aval.shape:
            number = self.builder.alloca(memory_type(made.aval.dtype), name="number")
        target = self.pointers.get(made, number)
        size = made.aval.dtype.itemsize

        def element(i: Any) -> Scalar:
            place = self.builder.gep(start, [i], inbounds=True, source_etype=kind)
            return self._load(place, source.aval)

        def store(k: Any, x: Scalar) -> None:
            place = self.builder.mul(k, ir.Constant(I64, size))
            self._store(x, self._moved(target, place) if made.aval.shape else target)

        self.reducer.write(eqn, rows, element, start, store)
        if made.aval.shape:
            if not self.known[made].flags.c_contiguous:
                raise NotLowered("the result is not in C order")
            self._enter(made, target)
        else:
            self.values[made] = self._load(target, made.aval)

    # --- what a nest reads -----------------------------------------------------------------------

    def _map(self, nest: list[Equation]) -> None:
        """Elementwise equations of one shape, and the numbers and views that go with them."""
        shapes = {eqn.outputs[0].aval.shape for eqn in nest if not is_view(eqn)}
        self.shape = max(shapes, key=len)
        if shapes - {(), self.shape}:
            raise NotLowered("more than one shape")
        inside = [eqn for eqn in nest if not self._before(eqn)]
        outer = dict(self.values)
        stored = [
            eqn.outputs[0] for eqn in inside if not is_view(eqn) and eqn.outputs[0] in self.pointers
        ]
        if stored and 0 not in self.shape:
            self._nest(inside, stored)
        self.values = outer
        for var in stored:
            self._enter(var, self.pointers[var])

    def _before(self, eqn: Equation) -> bool:
        """Do what is done before the loops: views, and numbers without axes."""
        (var,) = eqn.outputs
        if is_view(eqn):
            return self._look(eqn, var)
        if var.aval.shape:
            return False
        self._compute(eqn)
        if var in self.pointers:
            self._store(self.values[var], self.pointers[var])
        return True

    def _look(self, eqn: Equation, var: Var) -> bool:
        """A view of what is in memory, of a number, or of what is computed in the loops as it
        is.
        """
        source = eqn.inputs[0]
        known = self.seen.get(source)
        if known is None:
            if source in self.values:
                self.values[var] = self.values[source]
                return True
            if var.aval.shape != source.aval.shape or not keeps_order(eqn):
                raise NotLowered("it reads elements in another order", eqn)
            return False
        view = view_of(eqn, known.view)
        if view is None:
            raise NotLowered("it copies", eqn)
        self.seen[var] = Seen(known.pointer, known.base, view)
        if not view.ndim:
            self.values[var] = self._load(self._pointer(self.seen.pop(var)), var.aval)
        return True

    def _pointer(self, seen: Seen) -> Any:
        """Where the elements of a view start."""
        base = self.known[seen.base]
        offset = seen.view.ctypes.data - base.ctypes.data if seen.view.size else 0
        return self._moved(seen.pointer, ir.Constant(I64, offset)) if offset else seen.pointer

    def _moved(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset], inbounds=True, source_etype=I8)

    # --- the loops -------------------------------------------------------------------------------

    def _nest(self, inside: list[Equation], stored: list[Var]) -> None:
        walked: dict[Atom, Walked] = {}
        for var in stored:
            walked[var] = Walked(self.pointers[var], self.known[var].strides)
        for eqn in inside:
            for atom in eqn.inputs:
                if atom in self.seen:
                    seen = self.seen[atom]
                    strides = np.broadcast_to(seen.view, self.shape).strides
                    walked[atom] = Walked(self._pointer(seen), strides)
        order = list(walked)
        lengths, strides_by = nest_of(self.shape, [walked[atom].strides for atom in order])
        pointers = [walked[atom].pointer for atom in order]

        def element(places: list[Any]) -> None:
            self._element(dict(zip(order, places, strict=True)), inside, stored)

        self._level(lengths, strides_by, pointers, element)

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

    def _element(self, at: dict[Atom, Any], inside: list[Equation], stored: list[Var]) -> None:
        """One element of everything."""
        for atom, place in at.items():
            if atom in self.seen:
                self.values[atom] = self._load(place, atom.aval)
        for eqn in inside:
            if is_view(eqn):
                self.values[eqn.outputs[0]] = self.values[eqn.inputs[0]]
            else:
                self._compute(eqn)
        for var in stored:
            self._store(self.values[var], at[var])

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
