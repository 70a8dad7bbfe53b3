"""Complex numbers in registers, by NumPy's algorithms.

A product's rounding depends in NumPy on the loop that it takes (its arrays use fused
multiply-adds, its numbers do not), so its bits are nobody's to promise; quotients are R. L.
Smith's (Comm. ACM 5 (1962) 435), of which all loops of NumPy give the same. Layer: ``static``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from .casting import Casts
from .registers import BOOL, NotLowered, Scalar, part_dtype

Pair = tuple[Any, Any]


class Complexes(Casts):
    """Arithmetic of complex numbers; real ones are none of its business but where it says so."""

    def real(self, x: Scalar) -> Scalar:
        """The real part; a real number is itself."""
        return Scalar(x.ir[0], part_dtype(x.dtype)) if x.dtype.kind == "c" else x

    def imag(self, x: Scalar) -> Scalar:
        """The imaginary part; of a real number 0."""
        if x.dtype.kind != "c":
            return self.constant(0, x.dtype)
        return Scalar(x.ir[1], part_dtype(x.dtype))

    def conjugate(self, x: Scalar) -> Scalar:
        """The complex conjugate; a real number is itself."""
        if x.dtype.kind != "c":
            return x
        return x._replace(ir=(x.ir[0], self.builder.fneg(x.ir[1])))

    def from_parts(self, real: Scalar, imag: Scalar, dtype: np.dtype[Any]) -> Scalar:
        """real + i imag."""
        kind = part_dtype(dtype)
        return Scalar((self.cast(real, kind).ir, self.cast(imag, kind).ir), dtype)

    def _each(self, name: str, *xs: Scalar) -> Scalar:
        """An instruction on each part."""
        write = getattr(self.builder, name)
        real, imag = (write(*parts) for parts in zip(*[x.ir for x in xs], strict=True))
        return Scalar((real, imag), xs[0].dtype)

    def complex_product(self, a: Scalar, b: Scalar) -> Scalar:
        """a b, as NumPy's loops over arrays have it; Python's own numbers have no fused
        multiply-add.
        """
        if self.strict and not a.weak:
            raise NotLowered("NumPy's own bits")
        build, (ar, ai), (br, bi) = self.builder, a.ir, b.ir
        if a.weak and b.weak:
            real = build.fsub(build.fmul(ar, br), build.fmul(ai, bi))
            return Scalar((real, build.fadd(build.fmul(ar, bi), build.fmul(ai, br))), a.dtype)
        real = self._intrinsic("fmuladd", ar, br, build.fneg(build.fmul(ai, bi)))
        return Scalar((real, self._intrinsic("fmuladd", ar, bi, build.fmul(ai, br))), a.dtype)

    def complex_quotient(self, a: Scalar, b: Scalar) -> Scalar:
        """a / b: by the larger part of b; by 0 an infinity or NaN."""
        build, (ar, ai), (br, bi) = self.builder, a.ir, b.ir
        size_r, size_i = self._intrinsic("fabs", br), self._intrinsic("fabs", bi)
        by_real = build.fcmp_ordered(">=", size_r, size_i)
        large, small = self._ordered(by_real, br, bi)
        ratio = build.fdiv(small, large)
        scale = build.fdiv(self._one(large), build.fadd(large, build.fmul(small, ratio)))
        straight = build.fadd(ar, build.fmul(ai, ratio)), build.fsub(ai, build.fmul(ar, ratio))
        turned = build.fadd(build.fmul(ar, ratio), ai), build.fsub(build.fmul(ai, ratio), ar)
        real, imag = (
            build.fmul(build.select(by_real, one, other), scale)
            for one, other in zip(straight, turned, strict=True)
        )
        zero = ir.Constant(br.type, 0.0)
        none = build.and_(
            build.fcmp_ordered("==", size_r, zero), build.fcmp_ordered("==", size_i, zero)
        )
        real = build.select(none, build.fdiv(ar, size_r), real)
        return Scalar((real, build.select(none, build.fdiv(ai, size_r), imag)), a.dtype)

    def complex_reciprocal(self, x: Scalar) -> Scalar:
        """1 / x, as NumPy's loop of that name has it."""
        build, (xr, xi) = self.builder, x.ir
        sizes = [self._intrinsic("fabs", part) for part in (xi, xr)]
        by_real = build.fcmp_ordered("<=", *sizes)
        large, small = self._ordered(by_real, xr, xi)
        ratio = build.fdiv(small, large)
        scale = build.fadd(large, build.fmul(small, ratio))
        one = self._one(large)
        real = build.fdiv(build.select(by_real, one, ratio), scale)
        straight, turned = build.fneg(ratio), build.fneg(one)
        imag = build.fdiv(build.select(by_real, straight, turned), scale)
        return Scalar((real, imag), x.dtype)

    def _ordered(self, by_real: Any, real: Any, imag: Any) -> Pair:
        """The larger part and the smaller one."""
        select = self.builder.select
        return select(by_real, real, imag), select(by_real, imag, real)

    def _one(self, like: Any) -> Any:
        return ir.Constant(like.type, 1.0)

    def modulus(self, x: Scalar) -> Scalar:
        """|x| without overflow; an infinite part wins over NaN. The C library's last bits."""
        if self.strict:
            raise NotLowered("NumPy's own bits")
        build, (real, imag) = self.builder, (self._intrinsic("fabs", part) for part in x.ir)
        larger = build.fcmp_ordered(">=", real, imag)
        large, small = self._ordered(larger, real, imag)
        zero, one = ir.Constant(real.type, 0.0), self._one(real)
        nothing = build.fcmp_ordered("==", large, zero)
        ratio = build.fdiv(small, build.select(nothing, one, large))
        size = build.fmul(large, self._intrinsic("sqrt", build.fadd(one, build.fmul(ratio, ratio))))
        infinity = ir.Constant(real.type, float("inf"))
        infinite = build.or_(
            build.fcmp_ordered("==", real, infinity), build.fcmp_ordered("==", imag, infinity)
        )
        return Scalar(build.select(infinite, infinity, size), part_dtype(x.dtype))

    def complex_equal(self, a: Scalar, b: Scalar) -> Scalar:
        """a == b."""
        build = self.builder
        real, imag = (build.fcmp_ordered("==", p, q) for p, q in zip(a.ir, b.ir, strict=True))
        return Scalar(build.and_(real, imag), BOOL)
