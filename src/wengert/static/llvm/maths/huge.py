"""sin and cos of huge arguments, out of the way of the loop that is to be vectorised.

A loop with a branch to a slow path would not be vectorised. So a function ``wengert.sine`` is
called for every element, which hands the fast result back where that is right. To LLVM it has
vector variants (its attribute ``vector-function-abi-variant``) that the vectoriser calls instead,
and these look at all their lanes at once. The functions are ``weak_odr``: nothing but the attribute
mentions the variants, and no pass may drop them. Layer: ``static``.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from . import payne_hanek, quarters
from .exact import PI
from .lanes import Bits, Lanes, Mask, Real

DOUBLE, I64 = ir.DoubleType(), ir.IntType(64)
WIDTHS = {"f64": (2, 4, 8), "f32": (4, 8, 16)}  # registers of 128, 256 and 512 bits
RARE = ("cold", "optnone")  # compiled fast rather than to be fast
ALIGN = 4  # of what a variant keeps in its frame: nothing that the frame must be aligned for


def fixed(x: Real, fast: Real, shift: int) -> Real:
    """``fast``, or sin(x + shift π/2) where x >= 0 is too large for the fast reduction."""
    builder, kind = x.lanes.builder, x.lanes.type
    element = getattr(kind, "element", kind)
    callee = scalar_function(builder.module, element)
    for count in WIDTHS[suffix(element)]:
        vector_function(builder.module, element, count)
    if kind is not element:
        callee = vector_function(builder.module, element, kind.count)
    return Real(x.lanes, builder.call(callee, [x.ir, fast.ir, ir.Constant(I64, shift)]))


def beyond(x: Real) -> Mask:
    """Where the fast result is wrong; it is right for inf, too, of which it makes NaN."""
    return (x > x.format.turns * float(PI / 2)) & (x < float("inf"))


def suffix(element: Any) -> str:
    """What LLVM's names have for a format."""
    return "f64" if element == DOUBLE else "f32"


def define(module: Any, name: str, result: Any, arguments: list[Any], *attributes: str) -> Any:
    """A new function, which is neither inlined nor dropped."""
    made = ir.Function(module, ir.FunctionType(result, arguments), name)
    made.linkage = "weak_odr"
    for attribute in ("noinline", "nounwind", *attributes):
        made.attributes.add(attribute)
    return made


def scalar_function(module: Any, element: Any) -> Any:
    """(x, fast, shift) -> result for one number; made where the module has none yet."""
    name = f"wengert.sine.{suffix(element)}"
    if name in module.globals:
        return module.globals[name]
    made = define(module, name, element, [element, element, I64], "readnone")
    variants = [f"_ZGV_LLVM_N{n}vvu_{name}({name}.{n})" for n in WIDTHS[suffix(element)]]
    # llvmlite's own method knows only attributes without a value
    set.add(made.attributes, f'"vector-function-abi-variant"="{",".join(variants)}"')
    x, fast, shift = made.args
    builder = ir.IRBuilder(made.append_basic_block())
    with builder.if_then(beyond(Real(Lanes(builder, element), x)).ir):
        builder.ret(builder.call(slow_function(module, element), [x, shift]))
    builder.ret(fast)
    return made


def vector_function(module: Any, element: Any, count: int) -> Any:
    """The variant for ``count`` lanes: the fast results, unless one of them is wrong."""
    name = f"wengert.sine.{suffix(element)}.{count}"
    if name in module.globals:
        return module.globals[name]
    kind = ir.VectorType(element, count)
    made = define(module, name, kind, [kind, kind, I64], "readnone")
    x, fast, shift = made.args
    builder = ir.IRBuilder(made.append_basic_block())
    places = [builder.alloca(ir.ArrayType(element, count)) for _ in range(2)]
    wrong = builder.bitcast(beyond(Real(Lanes(builder, kind), x)).ir, ir.IntType(count))
    with builder.if_then(builder.icmp_unsigned("==", wrong, ir.Constant(wrong.type, 0))):
        builder.ret(fast)
    vectors = [builder.bitcast(place, kind.as_pointer()) for place in places]
    for value, place in zip((x, fast), vectors, strict=True):
        builder.store(value, place, align=ALIGN)
    first = [builder.bitcast(place, element.as_pointer()) for place in places]
    builder.call(lanes_function(module, element), [*first, ir.Constant(I64, count), shift])
    builder.ret(builder.load(vectors[1], align=ALIGN))
    return made


def lanes_function(module: Any, element: Any) -> Any:
    """(xs, results, count, shift): one element after the other, of arrays in a variant's frame."""
    name = f"wengert.sine.{suffix(element)}.lanes"
    if name in module.globals:
        return module.globals[name]
    pointer = element.as_pointer()
    made = define(module, name, ir.VoidType(), [pointer, pointer, I64, I64], *RARE, "argmemonly")
    xs, results, count, shift = made.args
    entry, body, leave = (made.append_basic_block(part) for part in ("entry", "body", "leave"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    i = builder.phi(I64)
    x = builder.load(builder.gep(xs, [i]))
    with builder.if_then(beyond(Real(Lanes(builder, element), x)).ir):
        value = builder.call(slow_function(module, element), [x, shift])
        builder.store(value, builder.gep(results, [i]))
    following = builder.add(i, ir.Constant(I64, 1))
    i.add_incoming(ir.Constant(I64, 0), entry)
    i.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_unsigned("<", following, count), body, leave)
    ir.IRBuilder(leave).ret_void()
    return made


def slow_function(module: Any, element: Any) -> Any:
    """(x, shift) -> sin(x + shift π/2) of a finite x >= 0; that of a float32 through float64."""
    name = f"wengert.sine.{suffix(element)}.slow"
    if name in module.globals:
        return module.globals[name]
    made = define(module, name, element, [element, I64], *RARE, "readnone")
    builder = ir.IRBuilder(made.append_basic_block())
    x, shift = made.args
    if element == DOUBLE:
        r, n = payne_hanek.reduce(Real(Lanes(builder, element), x))
        builder.ret(quarters.kernel(r, n + Bits(r.lanes, shift)).ir)
        return made
    wide = Real(Lanes(builder, DOUBLE), builder.fpext(x, DOUBLE))
    with builder.if_then(beyond(wide).ir):
        callee = slow_function(module, DOUBLE)
        builder.ret(builder.fptrunc(builder.call(callee, [wide.ir, shift]), element))
    r, n = quarters.reduce(wide)
    builder.ret(builder.fptrunc(quarters.kernel(r, n + Bits(r.lanes, shift)).ir, element))
    return made
