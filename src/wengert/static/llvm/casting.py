"""Casts as NumPy's ``astype`` has them. Layer: ``static``."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from .registers import BOOL, F8, NotLowered, Registers, Scalar, part_dtype


class Casts(Registers):
    """Casts of what is in registers."""

    def cast(self, x: Scalar, dtype: np.dtype[Any]) -> Scalar:
        """``x`` as NumPy's ``astype`` gives it."""
        if x.dtype == dtype:
            return x
        if dtype == BOOL:
            return self.truth(x)
        if dtype.kind == "c":
            return self._to_complex(x, dtype)
        if x.dtype.kind == "c":
            raise NotLowered("NumPy warns where an imaginary part is lost")
        return Scalar(self._converted(x, dtype), dtype)

    def _to_complex(self, x: Scalar, dtype: np.dtype[Any]) -> Scalar:
        kind = part_dtype(dtype)
        if x.dtype.kind != "c":
            return Scalar((self.cast(x, kind).ir, self.constant(0, kind).ir), dtype)
        own = part_dtype(x.dtype)
        real, imag = (self.cast(Scalar(part, own), kind).ir for part in x.parts)
        return Scalar((real, imag), dtype)

    def _converted(self, x: Scalar, dtype: np.dtype[Any]) -> Any:
        b, into = self.builder, self.type(dtype)
        if x.dtype.kind == "f" and dtype.kind == "f":
            return b.fpext(x.ir, into) if dtype == F8 else b.fptrunc(x.ir, into)
        if x.dtype.kind == "f":
            return self._to_integer(x, dtype)
        unsigned = x.dtype.kind in "bu"
        if dtype.kind == "f":
            return b.uitofp(x.ir, into) if unsigned else b.sitofp(x.ir, into)
        if x.weak:
            self._must_fit(x, dtype)
        own = 0 if x.dtype == BOOL else x.dtype.itemsize
        if dtype.itemsize > own:
            return b.zext(x.ir, into) if unsigned else b.sext(x.ir, into)
        return b.trunc(x.ir, into) if dtype.itemsize < own else x.ir

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
        low, high = float(x.dtype.type(float(limits.min) - 1)), float(limits.max) + 1
        low_sign = ">" if low < float(limits.min) else ">="
        build = self.builder
        inside = build.and_(
            build.fcmp_ordered(low_sign, x.ir, self.constant(low, x.dtype).ir),
            build.fcmp_ordered("<", x.ir, self.constant(high, x.dtype).ir),
        )
        self._flag(build.not_(inside))
        safe = build.select(inside, x.ir, ir.Constant(x.ir.type, 0.0))
        into = self.type(dtype)
        return build.fptoui(safe, into) if dtype.kind == "u" else build.fptosi(safe, into)

    def truth(self, x: Scalar) -> Scalar:
        """Whether ``x`` is not zero; NaN is true."""
        if x.dtype == BOOL:
            return x
        build, zero = self.builder, self.constant(0, part_dtype(x.dtype)).ir
        if x.dtype.kind == "c":
            real, imag = (build.fcmp_unordered("!=", part, zero) for part in x.parts)
            return Scalar(build.or_(real, imag), BOOL)
        if x.dtype.kind == "f":
            return Scalar(build.fcmp_unordered("!=", x.ir, zero), BOOL)
        return Scalar(build.icmp_unsigned("!=", x.ir, zero), BOOL)
