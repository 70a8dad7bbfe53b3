"""Arithmetic that is written once and emitted for scalars and for vectors of any width.

A formula of this package takes and returns ``Real``: one float32 or float64 in each lane, with
Python's operators. ``Bits`` are the same lanes seen as whole numbers, ``Mask`` as truths. There is
no branch and no call in what they emit, so LLVM's loop vectoriser can widen it. Nothing here needs
a fused multiply-add: ``fma`` rounds once where the processor can and twice where it can't (LLVM's
``fmuladd``; ``llvm.fma`` would call the C library there), and the formulas stand both.
Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from llvmlite import ir

from .coefficients import DOUBLE, SINGLE, Coefficients
from .exact import LN2, PI, Parts, split

Formula = Callable[..., "Real"]


@dataclass(frozen=True)
class Format:
    """What a formula must know of a floating-point format (IEEE 754-2019, table 3.5).

    Attributes:
        width: bits in all.
        fraction: bits of the fraction, without the hidden one.
        bias: of the exponent.
        polynomials: the minimax fits.
        ln2: log 2 in two parts; multiples of the first by an exponent are exact.
        half_pi: π/2 in parts; multiples of all but the last by up to ``turns`` are exact.
        turns: the largest number of quarter turns that the fast reduction takes off.
        ones: where 2 x is larger, tanh(x) rounds to 1; where x is, sigmoid(x) does.
        erf_ones: where x is larger, erf(x) rounds to 1.
    """

    width: int
    fraction: int
    bias: int
    polynomials: Coefficients
    ln2: Parts
    half_pi: Parts
    turns: int
    ones: float
    erf_ones: float

    @property
    def smallest(self) -> float:
        """The smallest normal number."""
        return float(2.0 ** (1 - self.bias))

    @property
    def lowest(self) -> float:
        """The exponent of 2 below which a power rounds to 0: half of the smallest subnormal."""
        return -float(self.bias + self.fraction)

    def bits(self, value: float) -> int:
        """The bits of ``value`` in this format, as a whole number."""
        if self.width == 64:
            return int(np.float64(value).view(np.uint64))
        return int(np.float32(value).view(np.uint32))


FLOAT64 = Format(64, 52, 1023, DOUBLE, split(LN2, 40), split(PI / 2, 32, 32, 32), 2**20, 40.0, 5.95)
FLOAT32 = Format(
    32, 23, 127, SINGLE, split(LN2, 14), split(PI / 2, 10, 10, 10, 10), 2**13, 20.0, 3.95
)


class Lanes:
    """Where instructions are written, and for which lanes.

    Attributes:
        builder: llvmlite's, at the place to write.
        type: of a ``Real``: float, double or a vector of them.
        format: that of one lane.
    """

    def __init__(self, builder: Any, kind: Any) -> None:
        element = getattr(kind, "element", kind)
        if not isinstance(element, ir.FloatType | ir.DoubleType):
            raise TypeError(f"a polynomial of {kind}: it takes float or double, or vectors of them")
        self.builder, self.type = builder, kind
        self.format = FLOAT64 if element == ir.DoubleType() else FLOAT32
        whole = ir.IntType(self.format.width)
        self.whole = whole if element is kind else ir.VectorType(whole, kind.count)

    def real(self, value: float | Fraction) -> Real:
        """A constant in every lane."""
        return Real(self, ir.Constant(self.type, float(value)))

    def bits(self, value: int) -> Bits:
        """A whole number in every lane, modulo 2 to the width."""
        return Bits(self, ir.Constant(self.whole, value % 2**self.format.width))

    def intrinsic(self, name: str, *xs: Any) -> Any:
        """LLVM's own function ``name`` of values of type ``type``."""
        element = "f64" if self.format.width == 64 else "f32"
        lanes = f"v{self.type.count}" if isinstance(self.type, ir.VectorType) else ""
        full, module = f"llvm.{name}.{lanes}{element}", self.builder.module
        function = module.globals.get(full)
        if function is None:
            function = ir.Function(module, ir.FunctionType(self.type, [self.type] * len(xs)), full)
        return self.builder.call(function, xs)


@dataclass(frozen=True, eq=False)
class Real:
    """A floating-point number in every lane."""

    lanes: Lanes
    ir: Any

    @property
    def format(self) -> Format:
        """That of one lane."""
        return self.lanes.format

    def constant(self, value: float | Fraction) -> Real:
        """``value`` in the lanes of this one."""
        return self.lanes.real(value)

    def _value(self, other: Real | float) -> Any:
        return other.ir if isinstance(other, Real) else self.constant(other).ir

    def __add__(self, other: Real | float) -> Real:
        return Real(self.lanes, self.lanes.builder.fadd(self.ir, self._value(other)))

    def __sub__(self, other: Real | float) -> Real:
        return Real(self.lanes, self.lanes.builder.fsub(self.ir, self._value(other)))

    def __rsub__(self, other: float) -> Real:
        return Real(self.lanes, self.lanes.builder.fsub(self._value(other), self.ir))

    def __mul__(self, other: Real | float) -> Real:
        return Real(self.lanes, self.lanes.builder.fmul(self.ir, self._value(other)))

    def __truediv__(self, other: Real | float) -> Real:
        return Real(self.lanes, self.lanes.builder.fdiv(self.ir, self._value(other)))

    def __rtruediv__(self, other: float) -> Real:
        return Real(self.lanes, self.lanes.builder.fdiv(self._value(other), self.ir))

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Real:
        return Real(self.lanes, self.lanes.builder.fneg(self.ir))

    def __abs__(self) -> Real:
        return Real(self.lanes, self.lanes.intrinsic("fabs", self.ir))

    def _compare(self, sign: str, other: Real | float) -> Mask:
        compared = self.lanes.builder.fcmp_ordered(sign, self.ir, self._value(other))
        return Mask(self.lanes, compared)

    def __lt__(self, other: Real | float) -> Mask:
        return self._compare("<", other)

    def __gt__(self, other: Real | float) -> Mask:
        return self._compare(">", other)

    def __ge__(self, other: Real | float) -> Mask:
        return self._compare(">=", other)

    def equals(self, other: Real | float) -> Mask:
        """Where both are the same number; NaN is none."""
        return self._compare("==", other)

    def copysign(self, other: Real) -> Real:
        """This magnitude with the sign of ``other``."""
        return Real(self.lanes, self.lanes.intrinsic("copysign", self.ir, other.ir))

    def clamp(self, low: float, high: float) -> Real:
        """The nearest number between ``low`` and ``high``; NaN stays."""
        raised = select(self < low, self.constant(low), self)
        return select(raised > high, self.constant(high), raised)

    def at_most(self, high: float) -> Real:
        """This, or ``high`` where that is less; NaN stays."""
        return select(self > high, self.constant(high), self)

    def bits(self) -> Bits:
        """The same bits as a whole number."""
        return Bits(self.lanes, self.lanes.builder.bitcast(self.ir, self.lanes.whole))


@dataclass(frozen=True, eq=False)
class Bits:
    """A whole number in every lane; it wraps around."""

    lanes: Lanes
    ir: Any

    def _value(self, other: Bits | int) -> Any:
        return other.ir if isinstance(other, Bits) else self.lanes.bits(other).ir

    def __add__(self, other: Bits | int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.add(self.ir, self._value(other)))

    def __sub__(self, other: Bits | int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.sub(self.ir, self._value(other)))

    def __rsub__(self, other: int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.sub(self._value(other), self.ir))

    def __and__(self, other: Bits | int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.and_(self.ir, self._value(other)))

    def __or__(self, other: Bits | int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.or_(self.ir, self._value(other)))

    def __xor__(self, other: Bits | int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.xor(self.ir, self._value(other)))

    def __lshift__(self, places: int) -> Bits:
        return Bits(self.lanes, self.lanes.builder.shl(self.ir, self._value(places)))

    def __rshift__(self, places: int) -> Bits:
        """Zeros come in from the left."""
        return Bits(self.lanes, self.lanes.builder.lshr(self.ir, self._value(places)))

    def equals(self, other: int) -> Mask:
        """Where it is ``other``."""
        compared = self.lanes.builder.icmp_unsigned("==", self.ir, self._value(other))
        return Mask(self.lanes, compared)

    def real(self) -> Real:
        """The floating-point number of these bits."""
        return Real(self.lanes, self.lanes.builder.bitcast(self.ir, self.lanes.type))


@dataclass(frozen=True, eq=False)
class Mask:
    """A truth in every lane."""

    lanes: Lanes
    ir: Any

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.lanes, self.lanes.builder.and_(self.ir, other.ir))

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.lanes, self.lanes.builder.or_(self.ir, other.ir))

    def __invert__(self) -> Mask:
        return Mask(self.lanes, self.lanes.builder.not_(self.ir))


def select(condition: Mask, a: Real, b: Real) -> Real:
    """``a`` where the condition holds, else ``b``."""
    return Real(a.lanes, a.lanes.builder.select(condition.ir, a.ir, b.ir))


def ordered(a: Real, b: Real) -> tuple[Real, Real]:
    """The smaller and the larger of two numbers."""
    return select(a < b, a, b), select(a > b, a, b)


def fma(a: Real, b: Real | float, c: Real | float) -> Real:
    """a b + c, rounded once or twice, whichever is the faster."""
    lanes = a.lanes
    return Real(lanes, lanes.intrinsic("fmuladd", a.ir, a._value(b), a._value(c)))


def polynomial(x: Real, coefficients: Sequence[float]) -> Real:
    """Σ coefficients[i] xⁱ by Estrin's scheme, whose chain of dependent steps is logarithmic.

    G. Estrin (1960); Muller, Handbook of Floating-Point Arithmetic (2018), section 5.1.
    """
    terms: list[Real | float] = list(coefficients)
    power = x
    while len(terms) > 1:
        pairs: list[Real | float] = [
            fma(power, terms[i + 1], terms[i]) for i in range(0, len(terms) - 1, 2)
        ]
        terms = pairs + (terms[-1:] if len(terms) % 2 else [])
        if len(terms) > 1:
            power = power * power
    return terms[0] if isinstance(terms[0], Real) else x.constant(terms[0])


def function(formula: Formula) -> Callable[..., Any]:
    """``formula`` as a function of an llvmlite builder and of values."""

    def emit(builder: Any, *xs: Any) -> Any:
        lanes = Lanes(builder, xs[0].type)
        if any(x.type != lanes.type for x in xs):
            types = ", ".join(str(x.type) for x in xs)
            raise TypeError(f"{formula.__name__} of {types}: cast both to one type first")
        return formula(*[Real(lanes, x) for x in xs]).ir

    emit.__name__, emit.__doc__ = formula.__name__, formula.__doc__
    return emit
