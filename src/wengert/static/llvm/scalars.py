"""The emitter of scalar code: one element of an operation, with NumPy's meaning, as LLVM's IR.

The ``lower`` of a primitive's record is written in these words: ``lambda e, a, b: e.add(a, b)``.
Integers wrap around, floats follow IEEE 754 without contraction, all as NumPy has it. What can't be
said in machine code with NumPy's result raises ``NotLowered``; what can but for some values is
flagged, and the call is run again by NumPy. Layer: ``static``.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from .integers import Integers
from .registers import (
    BOOL,
    DTYPES,
    F4,
    F8,
    NotLowered,
    Scalar,
    known_value,
    memory_type,
    register_type,
    wide,
)

__all__ = [
    "BOOL",
    "DTYPES",
    "F4",
    "F8",
    "Emitter",
    "NotLowered",
    "Scalar",
    "memory_type",
    "register_type",
]


class Emitter(Integers):
    """Writes scalar instructions, or those of several elements side by side."""

    # --- arithmetic ------------------------------------------------------------------------------

    def _binary(self, a: Scalar, b: Scalar, integer: str, floating: str, truth: str) -> Scalar:
        kind = a.dtype.kind
        name = floating if kind in "fc" else truth if kind == "b" else integer
        if not name:
            raise NotLowered(f"not of {a.dtype}")
        if kind == "c":
            return self._each(name, a, b)
        return Scalar(getattr(self.builder, name)(a.ir, b.ir), a.dtype)

    def add(self, a: Scalar, b: Scalar) -> Scalar:
        """a + b."""
        return self._binary(a, b, "add", "fadd", "or_")

    def subtract(self, a: Scalar, b: Scalar) -> Scalar:
        """a - b."""
        return self._binary(a, b, "sub", "fsub", "")

    def multiply(self, a: Scalar, b: Scalar) -> Scalar:
        """a * b."""
        if a.dtype.kind == "c":
            return self.complex_product(a, b)
        return self._binary(a, b, "mul", "fmul", "and_")

    def divide(self, a: Scalar, b: Scalar) -> Scalar:
        """a / b of floats and complex numbers."""
        if a.dtype.kind == "c":
            return self.complex_quotient(a, b)
        return self._binary(a, b, "", "fdiv", "")

    def negative(self, x: Scalar) -> Scalar:
        """-x."""
        if x.dtype == BOOL:
            raise NotLowered("not of booleans")
        if x.dtype.kind == "c":
            return self._each("fneg", x)
        if x.dtype.kind == "f":
            return Scalar(self.builder.fneg(x.ir), x.dtype)
        return Scalar(self.builder.neg(x.ir), x.dtype)

    def absolute(self, x: Scalar) -> Scalar:
        """|x|; that of the smallest integer is itself."""
        if x.dtype.kind == "c":
            return self.modulus(x)
        if x.dtype.kind == "f":
            return self.intrinsic("fabs", x)
        if x.dtype.kind in "bu":
            return x
        return self.select(self.less(x, self.constant(0, x.dtype)), self.negative(x), x)

    def sign(self, x: Scalar) -> Scalar:
        """-1, 0 or 1; NaN stays."""
        zero, one = self.constant(0, x.dtype), self.constant(1, x.dtype)
        if x.dtype.kind in "bc":
            raise NotLowered(f"not of {x.dtype}")
        positive, rest = self.less(zero, x), zero
        if x.dtype.kind == "f":
            rest = self.select(self.isnan(x), x, zero)
        if x.dtype.kind != "u":
            rest = self.select(self.less(x, zero), self.constant(-1, x.dtype), rest)
        return self.select(positive, one, rest)

    def reciprocal(self, x: Scalar) -> Scalar:
        """1 / x of floats and complex numbers."""
        if x.dtype.kind == "c":
            return self.complex_reciprocal(x)
        if x.dtype.kind != "f":
            raise NotLowered("not of integers")
        return self.divide(self.constant(1, x.dtype), x)

    def power(self, a: Scalar, b: Scalar) -> Scalar:
        """a ** b of floats: squares, roots and reciprocals as NumPy takes them, else a polynomial's
        last bits.
        """
        exponent = known_value(b)
        if self.strict:
            raise NotLowered("NumPy's own bits")
        if a.dtype.kind != "f":
            raise NotLowered(f"NumPy's own loop for {a.dtype}")
        if exponent == 2.0:
            return self.multiply(a, a)
        if exponent == 0.5:
            return self.intrinsic("sqrt", a)
        return self.function("pow", a, b)

    # --- comparisons and logic -------------------------------------------------------------------

    def _compare(self, sign: str, a: Scalar, b: Scalar) -> Scalar:
        if a.dtype != b.dtype:
            raise NotLowered(f"{a.dtype} beside {b.dtype}")
        if a.dtype.kind == "c":
            raise NotLowered("complex numbers have no order")
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
        if a.dtype.kind == "c" and a.dtype == b.dtype:
            return self.complex_equal(a, b)
        return self._compare("==", a, b)

    def not_equal(self, a: Scalar, b: Scalar) -> Scalar:
        """a != b."""
        if a.dtype.kind == "c":
            return self.logical_not(self.equal(a, b))
        return self._compare("!=", a, b)

    def isnan(self, x: Scalar) -> Scalar:
        """Whether x is NaN."""
        if x.dtype.kind == "c":
            return self.logical_or(self.isnan(self.real(x)), self.isnan(self.imag(x)))
        if x.dtype.kind != "f":
            return self.constant(False, BOOL)
        return Scalar(self.builder.fcmp_unordered("uno", x.ir, x.ir), BOOL)

    def isfinite(self, x: Scalar) -> Scalar:
        """Whether x is neither infinite nor NaN."""
        if x.dtype.kind == "c":
            return self.logical_and(self.isfinite(self.real(x)), self.isfinite(self.imag(x)))
        if x.dtype.kind != "f":
            return self.constant(True, BOOL)
        return self.less(self.absolute(x), self.constant(np.inf, x.dtype))

    def isinf(self, x: Scalar) -> Scalar:
        """Whether x is infinite."""
        if x.dtype.kind == "c":
            return self.logical_or(self.isinf(self.real(x)), self.isinf(self.imag(x)))
        if x.dtype.kind != "f":
            return self.constant(False, BOOL)
        return self.equal(self.absolute(x), self.constant(np.inf, x.dtype))

    def signbit(self, x: Scalar) -> Scalar:
        """Whether the sign bit of a float is set."""
        if x.dtype.kind != "f":
            raise NotLowered("not of integers")
        bits = self.builder.bitcast(x.ir, wide(ir.IntType(8 * x.dtype.itemsize), self.lanes))
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

    # --- selection -------------------------------------------------------------------------------

    def select(self, condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
        """a where the condition holds, else b."""
        truth = self.truth(condition).ir
        return a.like(
            tuple(
                self.builder.select(truth, one, other)
                for one, other in zip(a.parts, b.parts, strict=True)
            )
        )

    def absorb(self, g: Scalar, p: Scalar) -> Scalar:
        """g * p, and 0 where g is 0 and the product is no number."""
        product, zero = self.multiply(g, p), self.constant(0, g.dtype)
        if g.dtype.kind not in "fc":
            return product
        lost = self.logical_not(self.isfinite(product))
        absorbed = self.logical_and(self.equal(g, zero), lost)
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

    def largest(self, a: Scalar, b: Scalar) -> Scalar:
        """The larger; NaN wins, of zeros with different signs either."""
        return self._edge("max", a, b)

    def smallest(self, a: Scalar, b: Scalar) -> Scalar:
        """The smaller; NaN wins, of zeros with different signs either."""
        return self._edge("min", a, b)

    def _edge(self, name: str, a: Scalar, b: Scalar) -> Scalar:
        if a.dtype.kind == "f":
            y = self._intrinsic(f"{name}imum", a.ir, b.ir)
            y.fastmath.add("nsz")
        else:
            y = self._intrinsic(f"{'s' if a.dtype.kind == 'i' else 'u'}{name}", a.ir, b.ir)
        return Scalar(y, a.dtype)

    def round_to(self, x: Scalar, decimals: int) -> Scalar:
        """A float rounded to an integer; to decimals NumPy does it."""
        if decimals or x.dtype.kind == "c":
            raise NotLowered("NumPy's own bits")
        return self.intrinsic("rint", x)

    # --- functions -------------------------------------------------------------------------------

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
