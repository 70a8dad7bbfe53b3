"""sin and cos of huge arguments, out of the way of the loop that is to be vectorised.

A loop with a branch to a slow path would not be vectorised. So the slow path is a function that is
called for every element and hands the fast result back where that is right; to LLVM it has vector
variants (its attribute ``vector-function-abi-variant``) that the vectoriser calls instead, and
these look at all their lanes at once. They keep their caller's registers, so that the loop's
constants stay where they are. The functions are ``weak_odr``: nothing but the attribute mentions
the variants, and no pass may drop them.

Layer: ``static``.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from . import payne_hanek, quarters
from .exact import PI
from .lanes import FLOAT64, Lanes, Mask, Real

DOUBLE = ir.DoubleType()
WIDTHS = (2, 4, 8, 16)  # float64 with AVX-512 has 8 lanes, float32 has 16
ATTRIBUTES = ("noinline", "nounwind", "readnone")


def fixed(x: Real, fast: Real, name: str, shift: int) -> Real:
    """``fast``, or sin(x + shift π/2) where x >= 0 is too large for the fast reduction."""
    callee = function(x.lanes.builder.module, name, shift, x.lanes.type)
    return Real(x.lanes, x.lanes.builder.call(callee, [x.ir, fast.ir]))


def define(module: Any, name: str, kind: Any) -> Any:
    """A new function ``name`` (kind, kind) -> kind."""
    made = ir.Function(module, ir.FunctionType(kind, [kind, kind]), name)
    made.linkage = "weak_odr"
    for attribute in ATTRIBUTES:
        made.attributes.add(attribute)
    return made


def function(module: Any, name: str, shift: int, kind: Any) -> Any:
    """The function for one type, with its variants; made where the module has none yet."""
    element = getattr(kind, "element", kind)
    base = f"wengert.{name}.{'f64' if element == DOUBLE else 'f32'}"
    scalar = module.globals.get(base)
    if scalar is None:
        scalar = define(module, base, element)
        variants = ",".join(f"_ZGV_LLVM_N{n}vv_{base}({base}.{n})" for n in WIDTHS)
        # llvmlite lets only attributes without a value through
        set.add(scalar.attributes, f'"vector-function-abi-variant"="{variants}"')
        write_scalar(scalar, name, shift)
        for count in WIDTHS:
            write_vector(scalar, ir.VectorType(element, count))
    return scalar if element is kind else vector(scalar, kind)


def vector(scalar: Any, kind: Any) -> Any:
    """The variant for vectors of ``kind``; made where it is of an unusual width."""
    made = scalar.module.globals.get(f"{scalar.name}.{kind.count}")
    return made or write_vector(scalar, kind)


def write_scalar(into: Any, name: str, shift: int) -> None:
    """For one number: the fast result, or the slow one."""
    x, fast = into.args
    builder = ir.IRBuilder(into.append_basic_block())
    lanes = Lanes(builder, x.type)
    argument = Real(lanes, x)
    with builder.if_then(fits(argument).ir):
        builder.ret(fast)
    if lanes.format is FLOAT64:
        r, turns = payne_hanek.reduce(argument)
        builder.ret(quarters.kernel(r, turns + shift).ir)
        return
    wide = Real(Lanes(builder, DOUBLE), builder.fpext(x, DOUBLE))
    exact = fixed(wide, quarters.moderate(wide, shift), name, shift)
    builder.ret(builder.fptrunc(exact.ir, x.type))


def fits(x: Real) -> Mask:
    """Where the fast result is right: it is, too, for inf and NaN, of which it makes NaN."""
    limit = x.format.turns * float(PI / 2)
    beyond = (x > limit) & (x < float("inf"))
    return ~beyond


def write_vector(scalar: Any, kind: Any) -> Any:
    """For a vector: the fast results, unless a lane needs the slow one."""
    name, module = f"{scalar.name}.{kind.count}", scalar.module
    slow = define(module, f"{name}.slow", kind)
    made = define(module, name, kind)
    made.calling_convention = slow.calling_convention = "preserve_allcc"
    write_lanes(scalar, slow)
    builder = ir.IRBuilder(made.append_basic_block())
    x, fast = made.args
    every = builder.bitcast(fits(Real(Lanes(builder, kind), x)).ir, ir.IntType(kind.count))
    with builder.if_then(builder.icmp_unsigned("==", every, ir.Constant(every.type, -1))):
        builder.ret(fast)
    builder.ret(builder.call(slow, [x, fast], cconv="preserve_allcc"))
    return made


def write_lanes(scalar: Any, into: Any) -> None:
    """The scalar function for one lane after the other."""
    x, fast = into.args
    index = ir.IntType(32)
    entry, body, leave = (into.append_basic_block(name) for name in ("entry", "body", "leave"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    i, so_far = builder.phi(index), builder.phi(x.type)
    element = builder.call(scalar, [builder.extract_element(v, i) for v in (x, fast)])
    result = builder.insert_element(so_far, element, i)
    following = builder.add(i, ir.Constant(index, 1))
    i.add_incoming(ir.Constant(index, 0), entry)
    i.add_incoming(following, body)
    so_far.add_incoming(fast, entry)
    so_far.add_incoming(result, body)
    last = builder.icmp_unsigned("==", following, ir.Constant(index, x.type.count))
    builder.cbranch(last, leave, body)
    ir.IRBuilder(leave).ret(result)
