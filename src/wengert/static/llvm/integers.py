"""Whole numbers in registers: they wrap around, and division by zero gives 0, as NumPy has it.

Layer: ``static``.
"""

from __future__ import annotations

from llvmlite import ir

from .complexes import Complexes
from .registers import BOOL, NotLowered, Scalar


class Integers(Complexes):
    """Division, bits and shifts."""

    def _whole(self, a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
        """Quotient and remainder toward zero; where b is 0 both are 0; the quotient of the
        smallest integer by -1 wraps around.
        """
        if a.dtype.kind not in "iu":
            raise NotLowered(f"not of {a.dtype}")
        build = self.builder
        zero, one = self.constant(0, a.dtype).ir, self.constant(1, a.dtype).ir
        by_zero = build.icmp_unsigned("==", b.ir, zero)
        if a.dtype.kind == "u":
            q = build.udiv(a.ir, build.select(by_zero, one, b.ir))
        else:
            minus = build.icmp_signed("==", b.ir, self.constant(-1, a.dtype).ir)
            q = build.sdiv(a.ir, build.select(build.or_(by_zero, minus), one, b.ir))
            q = build.select(minus, build.neg(a.ir), q)
        q = build.select(by_zero, zero, q)
        r = build.select(by_zero, zero, build.sub(a.ir, build.mul(q, b.ir)))
        return Scalar(q, a.dtype), Scalar(r, a.dtype)

    def _wrong_side(self, r: Scalar, b: Scalar) -> Scalar:
        """Whether the remainder is not zero and has the other sign than b."""
        build, zero = self.builder, self.constant(0, b.dtype).ir
        negative = (build.icmp_signed("<", x.ir, zero) for x in (r, b))
        return Scalar(build.and_(self.truth(r).ir, build.xor(*negative)), BOOL)

    def floor_divide(self, a: Scalar, b: Scalar) -> Scalar:
        """a // b of integers."""
        if a.dtype.kind == "f":
            raise NotLowered("NumPy's own loop for floats")
        q, r = self._whole(a, b)
        if a.dtype.kind == "u":
            return q
        less = self.builder.sub(q.ir, self.constant(1, a.dtype).ir)
        return Scalar(self.builder.select(self._wrong_side(r, b).ir, less, q.ir), a.dtype)

    def remainder(self, a: Scalar, b: Scalar) -> Scalar:
        """a % b of integers, with the sign of b."""
        if a.dtype.kind == "f":
            raise NotLowered("NumPy's own loop for floats")
        _, r = self._whole(a, b)
        if a.dtype.kind == "u":
            return r
        more = self.builder.add(r.ir, b.ir)
        return Scalar(self.builder.select(self._wrong_side(r, b).ir, more, r.ir), a.dtype)

    def fmod(self, a: Scalar, b: Scalar) -> Scalar:
        """The remainder of integers with the sign of a."""
        if a.dtype.kind == "f":
            raise NotLowered("NumPy's own loop for floats")
        return self._whole(a, b)[1]

    def bitwise(self, name: str, a: Scalar, b: Scalar) -> Scalar:
        """``and_``, ``or_`` or ``xor`` of the bits."""
        if a.dtype.kind in "fc":
            raise NotLowered(f"not of {a.dtype}")
        return Scalar(getattr(self.builder, name)(a.ir, b.ir), a.dtype)

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
