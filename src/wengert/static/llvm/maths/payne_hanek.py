"""x modulo π/2 for huge x.

Of the product of a 53-bit number and 2/π only the bits around the binary point matter: M. Payne and
R. Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18 (1983), 19-24,
doi:10.1145/1057600.1057602. Layer: ``static``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from llvmlite import ir

from .exact import PI, split
from .lanes import FLOAT64, Bits, Lanes, Real

DOUBLE, I64, I128 = ir.DoubleType(), ir.IntType(64), ir.IntType(128)
BEFORE = 64  # zero bits in front of the table's binary point, for arguments below 2^53
WORDS = 20
TABLE = "wengert.two_over_pi"
HALF_PI = split(PI / 2, 21)


def table(module: Any) -> Any:
    """The bits of 2/π in words of 64, the binary point after ``BEFORE`` of them."""
    if TABLE in module.globals:
        return module.globals[TABLE]
    bits = int((2 / PI) * (1 << (64 * WORDS - BEFORE)))
    words = [bits >> (64 * (WORDS - 1 - i)) & (2**64 - 1) for i in range(WORDS)]
    made = ir.GlobalVariable(module, ir.ArrayType(I64, WORDS), TABLE)
    made.linkage, made.global_constant = "private", True
    made.initializer = ir.Constant(made.value_type, words)
    return made


def reduce(x: Real) -> tuple[Real, Bits]:
    """r and n modulo 4, such that x = r + n π/2, for a float64 x of at least 2^20.

    x is M 2^e with a whole number M. The bits of 2/π from the one on that M 2^e makes a 2 are a
    fraction w of 192 bits, and M w, of which the 4s are dropped, is n and what is left of a turn.
    """
    builder = x.lanes.builder
    bits = x.bits()
    exponent = bits >> FLOAT64.fraction
    hidden = 1 << FLOAT64.fraction
    M = builder.zext(((bits & (hidden - 1)) | hidden).ir, I128)
    first = exponent + (BEFORE - 2 - FLOAT64.bias - FLOAT64.fraction)
    words = window(builder, first)
    low, middle = (builder.mul(M, builder.zext(word, I128)) for word in (words[2], words[1]))
    high = builder.shl(builder.mul(M, builder.zext(words[0], I128)), ir.Constant(I128, 64))
    product = builder.add(builder.add(high, middle), builder.lshr(low, ir.Constant(I128, 64)))
    turns = builder.add(product, ir.Constant(I128, 1 << 125))
    quarters = builder.trunc(builder.lshr(turns, ir.Constant(I128, 126)), I64)
    part = builder.and_(turns, ir.Constant(I128, (1 << 126) - 1))
    rest = builder.sub(part, ir.Constant(I128, 1 << 125))
    return quarter(x.lanes, rest), Bits(x.lanes, quarters)


def window(builder: Any, first: Bits) -> list[Any]:
    """Three words of the table from bit ``first`` on."""
    words = table(builder.module)
    index, offset = first >> 6, first & 63
    loaded = []
    for i in range(4):
        address = builder.gep(words, [ir.Constant(I64, 0), (index + i).ir], inbounds=True)
        loaded.append(builder.load(address))
    shift = shifted(builder.module)
    return [builder.call(shift, [*two, offset.ir]) for two in pairwise(loaded)]


def shifted(module: Any) -> Any:
    """LLVM's function that shifts two words to the left and keeps the first."""
    name = "llvm.fshl.i64"
    found = module.globals.get(name)
    return found or ir.Function(module, ir.FunctionType(I64, [I64, I64, I64]), name)


def quarter(lanes: Lanes, rest: Any) -> Real:
    """rest 2^-126 π/2: the first 64 bits after the leading zeros, in two numbers of 32.

    There are less than 64 leading zeros: no float64 is nearer than 2^-61 to a multiple of π/2
    (J.-M. Muller, Elementary Functions, 2016, chapter 11).
    """
    builder = lanes.builder
    negative = builder.icmp_signed("<", rest, ir.Constant(I128, 0))
    magnitude = builder.select(negative, builder.neg(rest), rest)
    first = builder.trunc(builder.lshr(magnitude, ir.Constant(I128, 64)), I64)
    zeros = builder.ctlz(first, ir.Constant(ir.IntType(1), 0))
    second = builder.trunc(magnitude, I64)
    word = Bits(lanes, builder.call(shifted(builder.module), [first, second, zeros]))
    high, low = (
        Real(lanes, builder.uitofp(half.ir, DOUBLE))
        for half in ((word >> 32) << 32, word & (2**32 - 1))
    )
    leading, trailing = HALF_PI
    r = high * leading + (high * trailing + low * float(PI / 2))
    scale = FLOAT64.bias + 64 - 126 - Bits(lanes, zeros)
    r = r * (scale << FLOAT64.fraction).real()
    return Real(lanes, builder.select(negative, (-r).ir, r.ir))
