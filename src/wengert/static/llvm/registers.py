"""What machine code holds in registers: numbers of NumPy's dtypes, one or several side by side.

A ``Scalar`` carries its NumPy dtype; booleans are ``i1`` here and a byte in memory, a complex
number is the pair of its parts. With ``lanes`` it stands for that many elements at once, in
vectors. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

BOOL, F4, F8 = np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64)
C8, C16 = np.dtype(np.complex64), np.dtype(np.complex128)
DTYPES = frozenset(map(np.dtype, "?bhilqBHILQfdFD"))
I1, I32 = ir.IntType(1), ir.IntType(32)


class NotLowered(Exception):
    """An operation has no machine code here; the text says why, ``equation`` which if it is
    known, ``refused`` which others there are, with their reasons.
    """

    def __init__(
        self, why: str, equation: Any = None, refused: dict[Any, str] | None = None
    ) -> None:
        super().__init__(why)
        self.equation = equation
        self.refused = refused or ({} if equation is None else {equation: why})


class Scalar(NamedTuple):
    """A value in a register: LLVM's (a pair of them if it is complex), its NumPy dtype, and whether
    it is Python's number, which gives way.
    """

    ir: Any
    dtype: np.dtype[Any]
    weak: bool = False

    @property
    def parts(self) -> tuple[Any, ...]:
        """LLVM's values: of a complex number two, else one."""
        return self.ir if self.dtype.kind == "c" else (self.ir,)

    def like(self, parts: tuple[Any, ...]) -> Scalar:
        """The same with other values."""
        return self._replace(ir=tuple(parts) if self.dtype.kind == "c" else parts[0])


def part_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """That of the parts of a complex number; any other is itself."""
    if dtype.kind != "c":
        return dtype
    return F4 if dtype == C8 else F8


def register_type(dtype: np.dtype[Any]) -> Any:
    """LLVM's type of an element in a register; of a complex number that of a part."""
    if dtype not in DTYPES:
        raise NotLowered(f"machine code knows no {dtype}")
    dtype = part_dtype(dtype)
    if dtype == BOOL:
        return I1
    if dtype.kind == "f":
        return ir.FloatType() if dtype == F4 else ir.DoubleType()
    return ir.IntType(8 * dtype.itemsize)


def memory_type(dtype: np.dtype[Any]) -> Any:
    """LLVM's type of an element in memory; of a complex number that of a part."""
    return ir.IntType(8) if dtype == BOOL else register_type(dtype)


def wide(kind: Any, lanes: int) -> Any:
    """The type of so many values side by side."""
    return kind if lanes == 1 else ir.VectorType(kind, lanes)


class Registers:
    """Where instructions are written, and for how many elements at once.

    Attributes:
        builder: llvmlite's, at the place to write.
        lanes: how many elements a ``Scalar`` stands for.
        dtype: of the result of the operation that is being lowered.
        strict: only what gives NumPy's bits.
    """

    def __init__(self, builder: Any, strict: bool, flag: Callable[[Any], None]) -> None:
        self.builder, self.strict, self._tell = builder, strict, flag
        self.lanes, self.dtype = 1, F8

    def type(self, dtype: np.dtype[Any]) -> Any:
        """LLVM's type of what is in a register."""
        return wide(register_type(dtype), self.lanes)

    def constant(self, value: Any, dtype: np.dtype[Any]) -> Scalar:
        """A number of the user's as ``dtype``."""
        if dtype.kind == "c":
            with np.errstate(all="ignore"):
                both = dtype.type(value)
            real, imag = (self.constant(one, part_dtype(dtype)) for one in (both.real, both.imag))
            return Scalar((real.ir, imag.ir), dtype)
        if dtype.kind == "f":
            with np.errstate(all="ignore"):
                value = float(dtype.type(value))
        elif dtype == BOOL:
            value = int(bool(value))
        else:
            limits = np.iinfo(dtype)
            if not limits.min <= value <= limits.max:
                raise NotLowered(f"{value} is no {dtype}")
            value = int(value)
        return Scalar(ir.Constant(self.type(dtype), value), dtype)

    def spread(self, x: Scalar) -> Scalar:
        """What stands for one element in every lane."""
        if self.lanes == 1 or isinstance(x.parts[0].type, ir.VectorType):
            return x
        return x.like(tuple([self._spread(part) for part in x.parts]))

    def _spread(self, part: Any) -> Any:
        kind = ir.VectorType(part.type, self.lanes)
        empty = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(empty, part, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), 0)
        return self.builder.shuffle_vector(first, empty, zeros)

    def _flag(self, condition: Any) -> None:
        """NumPy must run the call if the condition holds in some lane."""
        if isinstance(condition.type, ir.VectorType):
            bits = self.builder.bitcast(condition, ir.IntType(condition.type.count))
            condition = self.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))
        self._tell(condition)

    def never(self, condition: Scalar) -> None:
        """Where ``condition`` holds, NumPy runs the call: it raises, or does something else."""
        self._flag(condition.ir)

    def intrinsic(self, name: str, *xs: Scalar) -> Scalar:
        """LLVM's own, where it is exact: sqrt, fabs, copysign, floor, ceil, trunc, rint."""
        if xs[0].dtype.kind != "f":
            raise NotLowered(f"not of {xs[0].dtype}")
        return Scalar(self._intrinsic(name, *[x.ir for x in xs]), xs[0].dtype)

    def _intrinsic(self, name: str, *xs: Any) -> Any:
        kind, module = xs[0].type, self.builder.module
        element = getattr(kind, "element", kind).intrinsic_name
        lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
        full = f"llvm.{name}.{lanes}{element}"
        function = module.globals.get(full)
        if function is None:
            function = ir.Function(module, ir.FunctionType(kind, [kind] * len(xs)), full)
        return self.builder.call(function, xs)


def known_value(x: Scalar) -> float | None:
    """The value of a real constant; None of anything else."""
    value = getattr(x.ir, "constant", None)
    while isinstance(value, list | tuple):
        value = value[0].constant
    return value if isinstance(value, int | float) else None
