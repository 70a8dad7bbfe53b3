"""The function of a kernel that Python calls: a CPython builtin, written by LLVM.

It takes the arguments as CPython hands them over (METH_FASTCALL), checks that each is what the
kernel was made for (type, dtype, lengths, order in memory, alignment), makes the result arrays,
runs the loops, and gives an array, a number, or a tuple. Where a check fails, or the loops say that
a value is NumPy's to compute, it calls the same group as a Python function with the same arguments.
Every address comes from a table that stands in the builtin's ``self``. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ...core.program import Atom, Program
from . import objects
from .loops import I8, I64, POINTER, Loops
from .machine import NAME
from .scalars import DTYPES, NotLowered

I32 = ir.IntType(32)
DOUBLE = ir.DoubleType()
NULL = ir.Constant(POINTER, None)
LONG_WORK = 50_000  # element operations; beyond, other threads may run meanwhile


class Entry:
    """Writes the function ``entry`` of one kernel; ``names`` says what its table holds."""

    def __init__(
        self,
        module: Any,
        program: Program,
        loops: Loops,
        known: Mapping[Atom, Any],
        work: int,
    ) -> None:
        self.module, self.loops, self.long = module, loops.function, work >= LONG_WORK
        self.args = [known[var] for var in program.inputs]
        self.results = [known[var] for var in program.outputs]
        self.between = [known[var] for var in loops.between]
        self.names: list[str] = ["fallback"]
        function = ir.FunctionType(POINTER, [POINTER, POINTER, I64])
        self.function = ir.Function(module, function, f"{NAME}_entry")
        for attribute in ("noinline", "optnone"):  # as fast, and compiled in half the time
            self.function.attributes.add(attribute)
        self.build = ir.IRBuilder(self.function.append_basic_block("start"))
        self._write()

    # --- small things ----------------------------------------------------------------------------

    def _at(self, pointer: Any, offset: int, kind: Any = POINTER) -> Any:
        """What stands ``offset`` bytes behind a pointer."""
        place = self.build.gep(pointer, [ir.Constant(I64, offset)], source_etype=I8)
        return self.build.load(place, typ=kind)

    def _known(self, name: str, kind: Any = POINTER) -> Any:
        """A pointer from the table."""
        if name not in self.names:
            self.names.append(name)
        return self._at(self.table, 8 * self.names.index(name), kind)

    def _call(self, name: str, result: Any, *given: Any) -> Any:
        kind = ir.FunctionType(result, [one.type for one in given])
        return self.build.call(self._known(name, kind.as_pointer()), given)

    def _unless(self, good: Any, otherwise: Any) -> None:
        """Go on where ``good`` holds."""
        onward = self.function.append_basic_block("on")
        self.build.cbranch(good, onward, otherwise)
        self.build.position_at_end(onward)

    def _same(self, a: Any, b: Any) -> Any:
        return self.build.icmp_unsigned("==", a, b)

    def _number(self, a: Any, value: int) -> Any:
        return self.build.icmp_unsigned("==", a, ir.Constant(a.type, value))

    # --- the whole -------------------------------------------------------------------------------

    def _write(self) -> None:
        build = self.build
        self.slots = [build.alloca(I64, name=f"slot{i}") for i in range(len(self.args))]
        count = len(self.results) + len(self.between)
        self.made = [build.alloca(POINTER, name=f"made{i}") for i in range(count)]
        self.numbers = [build.alloca(I64, name=f"number{i}") for i in range(len(self.results))]
        self.flag, self.failed = build.alloca(I8, name="flag"), build.alloca(I8, name="failed")
        for place in self.made:
            build.store(NULL, place)
        build.store(ir.Constant(I8, 1), self.failed)
        self.table = build.gep(
            self._at(self.function.args[0], objects.ITEMS),
            [ir.Constant(I64, objects.BYTES)],
            source_etype=I8,
        )
        self.miss = self.function.append_basic_block("miss")
        self.undo = self.function.append_basic_block("undo")
        self._unless(self._number(self.function.args[2], len(self.args)), self.miss)
        inputs = [self._argument(i, value) for i, value in enumerate(self.args)]
        memory = [self._output(i, value) for i, value in enumerate(self.results + self.between)]
        self._run([*memory, *inputs, self.flag])
        self._give()
        self._write_undo()
        self._write_miss()

    def _run(self, pointers: list[Any]) -> None:
        """The loops; if they take long, without the lock that keeps other threads waiting."""
        if self.long:
            state = self._call("api:PyEval_SaveThread", POINTER)
        self.build.call(self.loops, pointers)
        if self.long:
            self._call("api:PyEval_RestoreThread", ir.VoidType(), state)
        good = self._number(self.build.load(self.flag, typ=I8), 0)
        self.build.store(
            self.build.select(good, ir.Constant(I8, 1), ir.Constant(I8, 0)), self.failed
        )
        self._unless(good, self.undo)

    def _give(self) -> None:
        """Make objects of the numbers, and hand everything over but the arrays in between."""
        for i, value in enumerate(self.results):
            if not isinstance(value, np.ndarray):
                self._keep(i, self._boxed(i, value))
        count = len(self.results)
        if count == 1:
            self._drop(self.made[1:])
            self.build.ret(self.build.load(self.made[0], typ=POINTER))
            return
        given = self._call("api:PyTuple_New", POINTER, ir.Constant(I64, count))
        self._unless(self.build.icmp_unsigned("!=", given, NULL), self.undo)
        self._drop(self.made[count:])
        for i, place in enumerate(self.made[:count]):
            item = ir.Constant(I64, objects.ITEMS + 8 * i)
            into = self.build.gep(given, [item], source_etype=I8)
            self.build.store(self.build.load(place, typ=POINTER), into)
        self.build.ret(given)

    def _keep(self, i: int, made: Any) -> None:
        """Note a new object; where there is none, an exception is set."""
        self.build.store(made, self.made[i])
        self._unless(self.build.icmp_unsigned("!=", made, NULL), self.undo)

    def _drop(self, places: Sequence[Any]) -> None:
        for place in places:
            made = self.build.load(place, typ=POINTER)
            self._call("api:Py_DecRef", ir.VoidType(), made)  # which takes NULL as well

    def _write_undo(self) -> None:
        """Drop what was made; then give the exception, or have NumPy run the call."""
        build = self.build
        build.position_at_end(self.undo)
        self._drop(self.made)
        raised = self.function.append_basic_block("raised")
        build.cbranch(self._number(build.load(self.failed, typ=I8), 1), raised, self.miss)
        build.position_at_end(raised)
        build.ret(NULL)

    def _write_miss(self) -> None:
        self.build.position_at_end(self.miss)
        _, args, count = self.function.args
        fallback = self._known("fallback")
        self.build.ret(self._call("api:PyObject_Vectorcall", POINTER, fallback, args, count, NULL))

    # --- arguments -------------------------------------------------------------------------------

    def _argument(self, i: int, value: Any) -> Any:
        """Check argument ``i``; a pointer to its elements, or to the number."""
        given = self._at(self.function.args[1], 8 * i)
        kind = self._at(given, objects.TYPE)
        if isinstance(value, np.ndarray):
            return self._array(given, kind, value)
        if type(value) is bool:
            return self._truth(i, given)
        name = type(value).__name__ if type(value) in (int, float) else ""
        name = name or f"type:{_char(value.dtype)}"
        self._unless(self._same(kind, self._known(name)), self.miss)
        if type(value) is int:
            return self._integer(i, given)
        return self.build.gep(given, [ir.Constant(I64, objects.NUMBER)], source_etype=I8)

    def _array(self, given: Any, kind: Any, value: Any) -> Any:
        if type(value) is not np.ndarray or not value.flags.aligned:
            raise NotLowered("an array of another type, or not aligned")
        self._unless(self._same(kind, self._known("ndarray")), self.miss)
        compact = value.flags.c_contiguous
        wanted = objects.ALIGNED | (objects.C_CONTIGUOUS if compact else 0)
        flags = self._at(given, objects.FLAGS, I32)
        dtype = self._known(f"dtype:{_char(value.dtype)}")
        checks = [
            self._same(self._at(given, objects.DTYPE), dtype),
            self._number(self._at(given, objects.RANK, I32), value.ndim),
            self._number(self.build.and_(flags, ir.Constant(I32, wanted)), wanted),
        ]
        self._unless(self._all(checks), self.miss)  # the rank says how many lengths there are
        checks = self._words(given, objects.LENGTHS, value.shape)
        if not compact:
            strides = [
                s if n > 1 else None for s, n in zip(value.strides, value.shape, strict=True)
            ]
            checks += self._words(given, objects.STRIDES, strides)
        if checks:
            self._unless(self._all(checks), self.miss)
        return self._at(given, objects.DATA)

    def _words(self, given: Any, offset: int, expected: Sequence[int | None]) -> list[Any]:
        if not expected:
            return []
        words = self._at(given, offset)
        return [
            self._number(self._at(words, 8 * k, I64), word)
            for k, word in enumerate(expected)
            if word is not None
        ]

    def _all(self, checks: Sequence[Any]) -> Any:
        good = checks[0]
        for check in checks[1:]:
            good = self.build.and_(good, check)
        return good

    def _truth(self, i: int, given: Any) -> Any:
        true = self._same(given, self._known("True"))
        false = self._same(given, self._known("False"))
        self._unless(self.build.or_(true, false), self.miss)
        self.build.store(self.build.zext(true, I64), self.slots[i])
        return self.slots[i]

    def _integer(self, i: int, given: Any) -> Any:
        value = self._call("api:PyLong_AsLongLongAndOverflow", I64, given, self.slots[i])
        beyond = self.build.load(self.slots[i], typ=I32)
        self._unless(self._number(beyond, 0), self.miss)
        self.build.store(value, self.slots[i])
        return self.slots[i]

    # --- results ---------------------------------------------------------------------------------

    def _output(self, i: int, value: Any) -> Any:
        """Where result ``i`` is written: into a new array, or a number's place."""
        if not isinstance(value, np.ndarray):
            return self.numbers[i]
        dtype = self._known(f"dtype:{_char(value.dtype)}")
        self._call("api:Py_IncRef", ir.VoidType(), dtype)  # NumPy takes it over
        strides = None if value.flags.c_contiguous else compact_strides(value)
        made = self._call(
            f"numpy:{objects.NEW_ARRAY}",
            POINTER,
            self._known("ndarray"),
            dtype,
            ir.Constant(I32, value.ndim),
            self._constants(f"lengths{i}", value.shape),
            NULL if strides is None else self._constants(f"strides{i}", strides),
            NULL,
            ir.Constant(I32, 0),
            NULL,
        )
        self._keep(i, made)
        return self._at(made, objects.DATA)

    def _constants(self, name: str, values: Sequence[int]) -> Any:
        if not values:
            return NULL
        kind = ir.ArrayType(I64, len(values))
        words = ir.GlobalVariable(self.module, kind, f"{NAME}_{name}")
        words.linkage, words.global_constant = "internal", True
        words.initializer = ir.Constant(kind, list(values))
        return words

    def _boxed(self, i: int, value: Any) -> Any:
        """The number in its place as an object of the type that NumPy gives."""
        build, place = self.build, self.numbers[i]
        if type(value) is float:
            number = build.load(place, typ=DOUBLE)
            return self._call("api:PyFloat_FromDouble", POINTER, number)
        if type(value) is bool:
            truth = self._number(build.load(place, typ=I8), 0)
            made = build.select(truth, self._known("False"), self._known("True"))
            self._call("api:Py_IncRef", ir.VoidType(), made)
            return made
        dtype = self._known(f"dtype:{_char(value.dtype)}")
        return self._call(f"numpy:{objects.SCALAR}", POINTER, place, dtype, NULL)


def _char(dtype: np.dtype[Any]) -> str:
    """NumPy's letter for a dtype that kernels know; of two that are equal each has its own."""
    if dtype not in DTYPES or not dtype.isnative or dtype is not np.dtype(dtype.char):
        raise NotLowered(f"machine code knows no {dtype}")
    return dtype.char


def compact_strides(array: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The strides of an array without gaps; raises ``NotLowered`` where there are some."""
    expected = array.itemsize
    for axis in sorted(range(array.ndim), key=lambda k: array.strides[k]):
        if array.shape[axis] != 1:
            if array.strides[axis] != expected:
                raise NotLowered("a result with gaps")
            expected *= array.shape[axis]
    return array.strides
