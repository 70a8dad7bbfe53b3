"""Comparisons, logic, bits, and the selection ``where``: constants to derivatives, but for what
``where`` lets through.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.primitive import NOT_LOWERED, Doc, Interval, Primitive
from .families import align, broadcast_infer, elementwise, general
from .fitting import Like, fit


def _constant(
    name: str,
    value: Callable[..., Any],
    ufunc: Any,
    summary: str,
    notation: str = "",
    bits: bool = False,
    complex: bool = True,
    lower: Any = NOT_LOWERED,
) -> Primitive:
    """A primitive whose result is a boolean or an integer."""
    return elementwise(
        name=name,
        value=value,
        ufunc=ufunc,
        partials=(None,) * ufunc.nin,
        doc=Doc(summary, (Interval(),) * ufunc.nin),
        notation=notation,
        complex=complex,
        lower=lower,
        extra={"integers": True} if bits else {},
    )


less = _constant(
    "less",
    operator.lt,
    np.less,
    "a < b, elementwise.",
    "{0} < {1}",
    lower=lambda e, a, b: e.less(a, b),
)
less_equal = _constant(
    "less_equal",
    operator.le,
    np.less_equal,
    "a <= b, elementwise.",
    "{0} <= {1}",
    lower=lambda e, a, b: e.less_equal(a, b),
)
greater = _constant(
    "greater",
    operator.gt,
    np.greater,
    "a > b, elementwise.",
    "{0} > {1}",
    lower=lambda e, a, b: e.less(b, a),
)
greater_equal = _constant(
    "greater_equal",
    operator.ge,
    np.greater_equal,
    "a >= b, elementwise.",
    "{0} >= {1}",
    lower=lambda e, a, b: e.less_equal(b, a),
)
equal = _constant(
    "equal",
    operator.eq,
    np.equal,
    "a == b, elementwise.",
    "{0} == {1}",
    lower=lambda e, a, b: e.equal(a, b),
)
not_equal = _constant(
    "not_equal",
    operator.ne,
    np.not_equal,
    "a != b, elementwise.",
    "{0} != {1}",
    lower=lambda e, a, b: e.not_equal(a, b),
)

isnan = _constant(
    "isnan", np.isnan, np.isnan, "Whether an element is NaN.", lower=lambda e, x: e.isnan(x)
)
isfinite = _constant(
    "isfinite",
    np.isfinite,
    np.isfinite,
    "Whether an element is neither infinite nor NaN.",
    lower=lambda e, x: e.isfinite(x),
)
isinf = _constant(
    "isinf", np.isinf, np.isinf, "Whether an element is infinite.", lower=lambda e, x: e.isinf(x)
)
signbit = _constant(
    "signbit",
    np.signbit,
    np.signbit,
    "Whether the sign bit is set.",
    complex=False,
    lower=lambda e, x: e.signbit(x),
)

logical_and = _constant(
    "logical_and",
    np.logical_and,
    np.logical_and,
    "Truth of a and b, elementwise.",
    lower=lambda e, a, b: e.logical_and(a, b),
)
logical_or = _constant(
    "logical_or",
    np.logical_or,
    np.logical_or,
    "Truth of a or b, elementwise.",
    lower=lambda e, a, b: e.logical_or(a, b),
)
logical_xor = _constant(
    "logical_xor",
    np.logical_xor,
    np.logical_xor,
    "Truth of either, elementwise.",
    lower=lambda e, a, b: e.logical_xor(a, b),
)
logical_not = _constant(
    "logical_not",
    np.logical_not,
    np.logical_not,
    "Truth of not x, elementwise.",
    lower=lambda e, x: e.logical_not(x),
)

invert = _constant(
    "invert",
    np.invert,
    np.invert,
    "Bits inverted; not of booleans.",
    "~{0}",
    bits=True,
    lower=lambda e, x: e.invert(x),
)
bitwise_and = _constant(
    "bitwise_and",
    operator.and_,
    np.bitwise_and,
    "Bits of both; and of booleans.",
    "{0} & {1}",
    bits=True,
    lower=lambda e, a, b: e.bitwise("and_", a, b),
)
bitwise_or = _constant(
    "bitwise_or",
    operator.or_,
    np.bitwise_or,
    "Bits of either; or of booleans.",
    "{0} | {1}",
    bits=True,
    lower=lambda e, a, b: e.bitwise("or_", a, b),
)
bitwise_xor = _constant(
    "bitwise_xor",
    operator.xor,
    np.bitwise_xor,
    "Bits of one.",
    "{0} ^ {1}",
    bits=True,
    lower=lambda e, a, b: e.bitwise("xor", a, b),
)
left_shift = _constant(
    "left_shift",
    operator.lshift,
    np.left_shift,
    "Bits moved left.",
    "{0} << {1}",
    bits=True,
    lower=lambda e, a, b: e.shift(a, b, left=True),
)
right_shift = _constant(
    "right_shift",
    operator.rshift,
    np.right_shift,
    "Bits moved right.",
    "{0} >> {1}",
    bits=True,
    lower=lambda e, a, b: e.shift(a, b, left=False),
)
gcd = _constant("gcd", np.gcd, np.gcd, "Greatest common divisor.", bits=True)
lcm = _constant("lcm", np.lcm, np.lcm, "Least common multiple.", bits=True)


# --- selection ------------------------------------------------------------------------------------


def _where_value(a: Any, b: Any, c: Any) -> Any:
    return np.where(a, b, c)


def _where_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    _, db, dc = dxs
    if db is None and dc is None:
        return None
    return fit(where(xs[0], 0 if db is None else db, 0 if dc is None else dc), Like(y))


def _where_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    if i == 0:
        return None
    condition = node.saved[2]
    return fit(where(condition, gy, 0) if i == 1 else where(condition, 0, gy), node.parents[i])


where: Primitive = general(
    name="where",
    value=_where_value,
    lower=lambda e, a, b, c: e.select(a, e.cast(b, e.dtype), e.cast(c, e.dtype)),
    jvp=_where_jvp,
    pull=_where_pull,
    reads=(None, frozenset({2}), frozenset({2})),
    batch=lambda xs, batched, size, params: where(*align(xs, batched)),
    infer=broadcast_infer(_where_value),
    fresh=True,
    selects=True,
    doc=Doc("b where a is true, else c.", (Interval(), Interval(), Interval())),
)
