"""The emitter of scalar code: one element of an operation, with NumPy's meaning, as LLVM's IR.

The ``lower`` of a primitive's record is written in these words: ``lambda e, a, b: e.add(a, b)``.
A ``Scalar`` carries its NumPy dtype; booleans are ``i1`` here and a byte in memory. Integers wrap
around, division by an integer zero gives 0, floats follow IEEE 754 without contraction, all as
NumPy has it. What can't be said in machine code with NumPy's result raises ``NotLowered``; what
can but for some values is flagged, and the call is run again by NumPy. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

BOOL, F4, F8 = np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64)
DTYPES = frozenset(map(np.dtype, "?bhilqBHILQfd"))
I1 = ir.IntType(1)


class NotLowered(Exception):
    """An operation has no machine code here; the text says why, ``equation`` which if it is
    known.
    """

    def __init__(self, why: str, equation: Any = None) -> None:
        super().__init__(why)
        self.equation = equation


class Scalar(NamedTuple):
    """A value in a register: LLVM's, its NumPy dtype, and whether it is Python's number, which
    gives way.
    """

    ir: Any
    dtype: np.dtype[Any]
    weak: bool = False


def register_type(dtype: np.dtype[Any]) -> Any:
    """LLVM's type of an element in a register."""
    if dtype not in DTYPES:
        raise NotLowered(f"machine code knows no {dtype}")
    if dtype == BOOL:
        return I1
    if dtype.kind == "f":
        return ir.FloatType() if dtype == F4 else ir.DoubleType()
    return ir.IntType(8 * dtype.itemsize)


def memory_type(dtype: np.dtype[Any]) -> Any:
    """LLVM's type of an element in memory."""
    return ir.IntType(8) if dtype == BOOL else register_type(dtype)


class Emitter:
    """Writes scalar instructions.

    Attributes:
        builder: llvmlite's, at the place to write.
        dtype: of the result of the operation that is being lowered.
        strict: only what gives NumPy's bits.
    """

    def __init__(self, builder: Any, strict: bool, flag: Callable[[Any], None]) -> None:
        self.builder, self.strict, self._flag = builder, strict, flag
        self.dtype = F8

    # --- constants and casts ---------------------------------------------------------------------

    def constant(self, value: Any, dtype: np.dtype[Any]) -> Scalar:
        """A number of the user's as ``dtype``."""
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
        return Scalar(ir.Constant(register_type(dtype), value), dtype)

    def cast(self, x: Scalar, dtype: np.dtype[Any]) -> Scalar:
        """``x`` as NumPy's ``astype`` gives it."""
        if x.dtype == dtype:
            return x
        if dtype == BOOL:
            return self.truth(x)
        return Scalar(self._converted(x, dtype), dtype)

    def _converted(self, x: Scalar, dtype: np.dtype[Any]) -> Any:
        b, into = self.builder, register_type(dtype)
        if x.dtype.kind == "f" and dtype.kind == "f":
            return b.fpext(x.ir, into) if dtype == F8 else b.fptrunc(x.ir, into)
        if x.dtype.kind == "f":
            return self._to_integer(x, dtype)
        unsigned = x.dtype.kind in "bu"
        if dtype.kind == "f":
            return b.uitofp(x.ir, into) if unsigned else b.sitofp(x.ir, into)
        width = 1 if x.dtype == BOOL else 8 * x.dtype.itemsize
        if x.weak:
            self._must_fit(x, dtype)
        if into.width > width:
            return b.zext(x.ir, into) if unsigned else b.sext(x.ir, into)
        return b.trunc(x.ir, into) if into.width < width else x.ir

    def _must_fit(self, x: Scalar, dtype: np.dtype[Any]) -> None:
        """NumPy raises where one of Python's integers does not fit."""
        if dtype == np.dtype(np.int64) or x.dtype == BOOL:
            return
        limits = np.iinfo(dtype)
        high = min(int(limits.max), np.iinfo(np.int64).max)
        low, top = (ir.Constant(x.ir.type, int(end)) for end in (limits.min, high))
        below = self.builder.icmp_signed("<", x.ir, low)
        self._flag(self.builder.or_(below, self.builder.icmp_signed(">", x.ir, top)))

    def _to_integer(self, x: Scalar, dtype: np.dtype[Any]) -> Any:
        """Toward zero; outside of the range C leaves the result open, and NumPy to the machine."""
        limits = np.iinfo(dtype)
        low = self.constant(float(limits.min) - 1, x.dtype)
        high = self.constant(float(limits.max) + 1, x.dtype)
        low_sign = ">" if float(low.ir.constant) < float(limits.min) else ">="
        inside = self.builder.and_(
            self.builder.fcmp_ordered(low_sign, x.ir, low.ir),
            self.builder.fcmp_ordered("<", x.ir, high.ir),
        )
        self._flag(self.builder.not_(inside))
        safe = self.builder.select(inside, x.ir, ir.Constant(x.ir.type, 0.0))
        into = register_type(dtype)
        unsigned = dtype.kind == "u"
        return self.builder.fptoui(safe, into) if unsigned else self.builder.fptosi(safe, into)

    def truth(self, x: Scalar) -> Scalar:
        """Whether ``x`` is not zero; NaN is true."""
        if x.dtype == BOOL:
            return x
        zero = self.constant(0, x.dtype)
        if x.dtype.kind == "f":
            return Scalar(self.builder.fcmp_unordered("!=", x.ir, zero.ir), BOOL)
        return Scalar(self.builder.icmp_unsigned("!=", x.ir, zero.ir), BOOL)

    def never(self, condition: Scalar) -> None:
        """Where ``condition`` holds, NumPy runs the call: it raises, or does something else."""
        self._flag(condition.ir)

    # --- arithmetic ------------------------------------------------------------------------------

    def _binary(self, a: Scalar, b: Scalar, integer: str, floating: str, truth: str) -> Scalar:
        kind = a.dtype.kind
        name = floating if kind == "f" else truth if kind == "b" else integer
        if not name:
            raise NotLowered(f"not of {a.dtype}")
        return Scalar(getattr(self.builder, name)(a.ir, b.ir), a.dtype)

    def add(self, a: Scalar, b: Scalar) -> Scalar:
        """a + b."""
        return self._binary(a, b, "add", "fadd", "or_")

    def subtract(self, a: Scalar, b: Scalar) -> Scalar:
        """a - b."""
        return self._binary(a, b, "sub", "fsub", "")

    def multiply(self, a: Scalar, b: Scalar) -> Scalar:
        """a * b."""
        return self._binary(a, b, "mul", "fmul", "and_")

    def divide(self, a: Scalar, b: Scalar) -> Scalar:
        """a / b of floats."""
        return self._binary(a, b, "", "fdiv", "")

    def negative(self, x: Scalar) -> Scalar:
        """-x."""
        if x.dtype == BOOL:
            raise NotLowered("not of booleans")
        if x.dtype.kind == "f":
            return Scalar(self.builder.fneg(x.ir), x.dtype)
        return Scalar(self.builder.neg(x.ir), x.dtype)

    def absolute(self, x: Scalar) -> Scalar:
        """|x|; that of the smallest integer is itself."""
        if x.dtype.kind == "f":
            return self.intrinsic("fabs", x)
        if x.dtype.kind in "bu":
            return x
        return self.select(self.less(x, self.constant(0, x.dtype)), self.negative(x), x)

    def sign(self, x: Scalar) -> Scalar:
        """-1, 0 or 1; NaN stays."""
        zero, one = self.constant(0, x.dtype), self.constant(1, x.dtype)
        if x.dtype == BOOL:
            raise NotLowered("not of booleans")
        positive, rest = self.less(zero, x), zero
        if x.dtype.kind == "f":
            rest = self.select(self.isnan(x), x, zero)
        if x.dtype.kind != "u":
            rest = self.select(self.less(x, zero), self.constant(-1, x.dtype), rest)
        return self.select(positive, one, rest)

    def reciprocal(self, x: Scalar) -> Scalar:
        """1 / x of floats."""
        if x.dtype.kind != "f":
            raise NotLowered("not of integers")
        return self.divide(self.constant(1, x.dtype), x)

    def power(self, a: Scalar, b: Scalar) -> Scalar:
        """a ** b of floats: squares, roots and reciprocals as NumPy takes them, else a polynomial's
        last bits.
        """
        exponent = getattr(b.ir, "constant", None)
        if self.strict:
            raise NotLowered("NumPy's own bits")
        if a.dtype.kind != "f":
            raise NotLowered("NumPy's own loop for integers")
        if exponent == 2.0:
            return self.multiply(a, a)
        if exponent == 0.5:
            return self.intrinsic("sqrt", a)
        return self.function("pow", a, b)

    # --- division of whole numbers ---------------------------------------------------------------

    def _whole(self, a: Scalar, b: Scalar) -> tuple[Scalar, Scalar, Scalar]:
        """Quotient and remainder toward zero, and whether b is 0, where both are 0; the quotient
        of the smallest integer by -1 wraps around.
        """
        if a.dtype == BOOL:
            raise NotLowered("not of booleans")
        signed, build = a.dtype.kind == "i", self.builder
        zero, one = self.constant(0, a.dtype), self.constant(1, a.dtype)
        by_zero = self.equal(b, zero)
        if not signed:
            safe = self.select(by_zero, one, b)
            q = Scalar(build.udiv(a.ir, safe.ir), a.dtype)
        else:
            minus = self.equal(b, self.constant(-1, a.dtype))
            safe = self.select(self.logical_or(by_zero, minus), one, b)
            q = Scalar(build.sdiv(a.ir, safe.ir), a.dtype)
            q = self.select(minus, self.negative(a), q)
        q = self.select(by_zero, zero, q)
        r = self.select(by_zero, zero, self.subtract(a, self.multiply(q, b)))
        return q, r, by_zero

    def _wrong_side(self, r: Scalar, b: Scalar) -> Scalar:
        """Whether the remainder is not zero and has the other sign than b."""
        zero = self.constant(0, b.dtype)
        differ = Scalar(self.builder.xor(self.less(r, zero).ir, self.less(b, zero).ir), BOOL)
        return self.logical_and(self.truth(r), differ)

    def floor_divide(self, a: Scalar, b: Scalar) -> Scalar:
        """a // b of integers."""
        if a.dtype.kind == "f":
            raise NotLowered("NumPy's own loop for floats")
        q, r, _ = self._whole(a, b)
        if a.dtype.kind == "u":
            return q
        less = self.subtract(q, self.constant(1, a.dtype))
        return self.select(self._wrong_side(r, b), less, q)

    def remainder(self, a: Scalar, b: Scalar) -> Scalar:
        """a % b of integers, with the sign of b."""
        if a.dtype.kind == "f":
            raise NotLowered("NumPy's own loop for floats")
        _, r, _ = self._whole(a, b)
        if a.dtype.kind == "u":
            return r
        return self.select(self._wrong_side(r, b), self.add(r, b), r)

    def fmod(self, a: Scalar, b: Scalar) -> Scalar:
        """The remainder of integers with the sign of a."""
        if a.dtype.kind == "f":
            raise NotLowered("NumPy's own loop for floats")
        return self._whole(a, b)[1]

    # --- comparisons and logic -------------------------------------------------------------------

    def _compare(self, sign: str, a: Scalar, b: Scalar) -> Scalar:
        if a.dtype != b.dtype:
            raise NotLowered(f"{a.dtype} beside {b.dtype}")
        if a.dtype.kind == "f":
            compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        else:
            signed = a.dtype.kind == "i"
            compare = self.builder.icmp_signed if signed else self.builder.icmp_unsigned
        return Scalar(compare(sign, a.ir, b.ir), BOOL)

    def less(self, a: Scalar, b: Scalar) -> Scalar:
        """a < b."""
        return self._compare("<", a, b)

    def less_equal(self, a: Scalar, b: Scalar) -> Scalar:
        """a <= b."""
        return self._compare("<=", a, b)

    def equal(self, a: Scalar, b: Scalar) -> Scalar:
        """a == b."""
        return self._compare("==", a, b)

    def not_equal(self, a: Scalar, b: Scalar) -> Scalar:
        """a != b."""
        return self._compare("!=", a, b)

    def isnan(self, x: Scalar) -> Scalar:
        """Whether x is NaN."""
        if x.dtype.kind != "f":
            return self.constant(False, BOOL)
        return Scalar(self.builder.fcmp_unordered("uno", x.ir, x.ir), BOOL)

    def isfinite(self, x: Scalar) -> Scalar:
        """Whether x is neither infinite nor NaN."""
        if x.dtype.kind != "f":
            return self.constant(True, BOOL)
        return self.less(self.absolute(x), self.constant(np.inf, x.dtype))

    def isinf(self, x: Scalar) -> Scalar:
        """Whether x is infinite."""
        if x.dtype.kind != "f":
            return self.constant(False, BOOL)
        return self.equal(self.absolute(x), self.constant(np.inf, x.dtype))

    def signbit(self, x: Scalar) -> Scalar:
        """Whether the sign bit of a float is set."""
        if x.dtype.kind != "f":
            raise NotLowered("not of integers")
        width = 8 * x.dtype.itemsize
        bits = self.builder.bitcast(x.ir, ir.IntType(width))
        return Scalar(self.builder.icmp_signed("<", bits, ir.Constant(bits.type, 0)), BOOL)

    def copysign(self, a: Scalar, b: Scalar) -> Scalar:
        """|a| with the sign of b."""
        return self.intrinsic("copysign", a, b)

    def logical_and(self, a: Scalar, b: Scalar) -> Scalar:
        """Truth of both."""
        return Scalar(self.builder.and_(self.truth(a).ir, self.truth(b).ir), BOOL)

    def logical_or(self, a: Scalar, b: Scalar) -> Scalar:
        """Truth of either."""
        return Scalar(self.builder.or_(self.truth(a).ir, self.truth(b).ir), BOOL)

    def logical_xor(self, a: Scalar, b: Scalar) -> Scalar:
        """Truth of one."""
        return Scalar(self.builder.xor(self.truth(a).ir, self.truth(b).ir), BOOL)

    def logical_not(self, x: Scalar) -> Scalar:
        """Truth of not x."""
        return Scalar(self.builder.not_(self.truth(x).ir), BOOL)

    def bitwise(self, name: str, a: Scalar, b: Scalar) -> Scalar:
        """``and_``, ``or_`` or ``xor`` of the bits."""
        return self._binary(a, b, name, "", name)

    def invert(self, x: Scalar) -> Scalar:
        """The bits inverted."""
        return Scalar(self.builder.not_(x.ir), x.dtype)

    def shift(self, a: Scalar, b: Scalar, left: bool) -> Scalar:
        """Bits moved by ``b`` places; by the width or more, or less than none, all of them."""
        if a.dtype == BOOL:
            raise NotLowered("not of booleans")
        build, width = self.builder, 8 * a.dtype.itemsize
        last = ir.Constant(a.ir.type, width - 1)
        inside = build.icmp_unsigned("<=", b.ir, last)
        places = build.select(inside, b.ir, last)
        if not left and a.dtype.kind == "i":
            return Scalar(build.ashr(a.ir, places), a.dtype)
        moved = build.shl(a.ir, places) if left else build.lshr(a.ir, places)
        return Scalar(build.select(inside, moved, ir.Constant(a.ir.type, 0)), a.dtype)

    # --- selection -------------------------------------------------------------------------------

    def select(self, condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
        """a where the condition holds, else b."""
        return Scalar(self.builder.select(self.truth(condition).ir, a.ir, b.ir), a.dtype)

    def absorb(self, g: Scalar, p: Scalar) -> Scalar:
        """g * p, and 0 where g is 0 and the product is no number."""
        product, zero = self.multiply(g, p), self.constant(0, g.dtype)
        if g.dtype.kind != "f":
            return product
        absorbed = self.logical_and(self.equal(g, zero), self.isnan(product))
        return self.select(absorbed, zero, product)

    def maximum(self, a: Scalar, b: Scalar) -> Scalar:
        """The larger; NaN wins, of equal zeros the second."""
        return self._extremum(self.less(b, a), a, b)

    def minimum(self, a: Scalar, b: Scalar) -> Scalar:
        """The smaller; NaN wins, of equal zeros the second."""
        return self._extremum(self.less(a, b), a, b)

    def _extremum(self, first: Scalar, a: Scalar, b: Scalar) -> Scalar:
        if a.dtype.kind == "f":
            first = self.logical_or(first, self.isnan(a))
        return self.select(first, a, b)

    def round_to(self, x: Scalar, decimals: int) -> Scalar:
        """A float rounded to an integer; to decimals NumPy does it."""
        if decimals:
            raise NotLowered("NumPy's own bits")
        return self.intrinsic("rint", x)

    # --- functions -------------------------------------------------------------------------------

    def intrinsic(self, name: str, *xs: Scalar) -> Scalar:
        """LLVM's own, where it is exact: sqrt, fabs, copysign, floor, ceil, trunc, rint."""
        if xs[0].dtype.kind != "f":
            raise NotLowered(f"not of {xs[0].dtype}")
        kind = xs[0].ir.type
        function = self.builder.module.declare_intrinsic(
            f"llvm.{name}", (kind,), ir.FunctionType(kind, [kind] * len(xs))
        )
        return Scalar(self.builder.call(function, [x.ir for x in xs]), xs[0].dtype)

    def rounded(self, name: str, x: Scalar) -> Scalar:
        """floor, ceil, trunc or rint; an integer is itself."""
        return self.intrinsic(name, x) if x.dtype.kind == "f" else x

    def function(self, name: str, *xs: Scalar) -> Scalar:
        """A polynomial of ``maths``, at most 2 ulp off; its bits are not NumPy's."""
        if self.strict:
            raise NotLowered("NumPy's own bits")
        if xs[0].dtype.kind != "f":
            raise NotLowered(f"not of {xs[0].dtype}")
        from .maths import FUNCTIONS

        if name not in FUNCTIONS:
            raise NotLowered(f"no polynomial for {name}")
        return Scalar(FUNCTIONS[name](self.builder, *[x.ir for x in xs]), xs[0].dtype)
