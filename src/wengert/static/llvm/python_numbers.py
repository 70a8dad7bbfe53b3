"""Arithmetic of Python's own numbers, where it can be done in 64 bits.

Floats are NumPy's but for a division by zero, which raises. Integers have no bounds: where a result
needs more than 64 bits, or an integer that meets a float more than the 53 of a float, the call is
run by NumPy and Python. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from ...core.primitive import NoLowering
from ...core.program import Equation
from .scalars import BOOL, F8, Emitter, NotLowered, Scalar

COMPARISONS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
SAME = frozenset({"add", "subtract", "multiply", "divide", "negative", "positive", "absolute"})
CHECKED = {"add": "sadd", "subtract": "ssub", "multiply": "smul"}
EXACT = 1 << 53  # up to which every integer is a float


def lower_python(emitter: Emitter, eqn: Equation, xs: Sequence[Scalar]) -> Scalar:
    """The output of ``eqn``, a number of Python's, as are its inputs but for ``weaken``."""
    name = eqn.primitive.name
    kinds = {x.dtype.kind for x in xs}
    if name == "weaken" and kinds == {"f"}:
        return emitter.cast(xs[0], F8)._replace(weak=True)
    if name not in SAME | COMPARISONS or not kinds <= {"i", "f"}:
        raise NotLowered("Python's own arithmetic")
    if kinds == {"i"} and name != "divide":
        return _integers(emitter, eqn, xs)._replace(weak=True)
    return _applied(emitter, eqn, [_exact(emitter, x) for x in xs])


def _applied(emitter: Emitter, eqn: Equation, xs: Sequence[Scalar]) -> Scalar:
    if eqn.primitive.name == "divide":
        emitter.never(emitter.equal(xs[1], emitter.constant(0.0, F8)))
    assert not isinstance(eqn.primitive.lower, NoLowering)
    y: Scalar = eqn.primitive.lower(emitter, *xs)
    return y._replace(weak=True)


def _exact(emitter: Emitter, x: Scalar) -> Scalar:
    """A number as a float of the same value."""
    if x.dtype.kind == "f":
        return emitter.cast(x, F8)
    if not (isinstance(x.ir, ir.Constant) and abs(x.ir.constant) <= EXACT):
        build = emitter.builder
        below = build.icmp_signed("<", x.ir, ir.Constant(x.ir.type, -EXACT))
        above = build.icmp_signed(">", x.ir, ir.Constant(x.ir.type, EXACT))
        emitter.never(Scalar(build.or_(below, above), BOOL))
    return emitter.cast(x, F8)


def _integers(emitter: Emitter, eqn: Equation, xs: Sequence[Scalar]) -> Scalar:
    name, dtype = eqn.primitive.name, xs[0].dtype
    zero = Scalar(ir.Constant(xs[0].ir.type, 0), dtype)
    if name in COMPARISONS:
        return _applied(emitter, eqn, xs)
    if name == "positive":
        return xs[0]
    if name in CHECKED:
        return _checked(emitter, CHECKED[name], *xs)
    negative = _checked(emitter, "ssub", zero, xs[0])
    if name == "negative":
        return negative
    less = emitter.builder.icmp_signed("<", xs[0].ir, zero.ir)
    return Scalar(emitter.builder.select(less, negative.ir, xs[0].ir), dtype)


def _checked(emitter: Emitter, name: str, a: Scalar, b: Scalar) -> Scalar:
    """An operation of 64 bits; NumPy runs the call where they are too few."""
    build = emitter.builder
    both = getattr(build, f"{name}_with_overflow")(a.ir, b.ir)
    emitter.never(Scalar(build.extract_value(both, 1), BOOL))
    return Scalar(build.extract_value(both, 0), a.dtype)
