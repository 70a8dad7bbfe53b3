"""Comparisons, logic, bits, and the selection ``where``: constants to derivatives, but for what
``where`` lets through.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.primitive import Doc, Interval, Primitive
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
        extra={"integers": True} if bits else {},
    )


less = _constant("less", operator.lt, np.less, "a < b, elementwise.", "{0} < {1}")
less_equal = _constant(
    "less_equal", operator.le, np.less_equal, "a <= b, elementwise.", "{0} <= {1}"
)
greater = _constant("greater", operator.gt, np.greater, "a > b, elementwise.", "{0} > {1}")
greater_equal = _constant(
    "greater_equal", operator.ge, np.greater_equal, "a >= b, elementwise.", "{0} >= {1}"
)
equal = _constant("equal", operator.eq, np.equal, "a == b, elementwise.", "{0} == {1}")
not_equal = _constant("not_equal", operator.ne, np.not_equal, "a != b, elementwise.", "{0} != {1}")

isnan = _constant("isnan", np.isnan, np.isnan, "Whether an element is NaN.")
isfinite = _constant(
    "isfinite", np.isfinite, np.isfinite, "Whether an element is neither infinite nor NaN."
)
isinf = _constant("isinf", np.isinf, np.isinf, "Whether an element is infinite.")
signbit = _constant(
    "signbit", np.signbit, np.signbit, "Whether the sign bit is set.", complex=False
)

logical_and = _constant(
    "logical_and", np.logical_and, np.logical_and, "Truth of a and b, elementwise."
)
logical_or = _constant("logical_or", np.logical_or, np.logical_or, "Truth of a or b, elementwise.")
logical_xor = _constant(
    "logical_xor", np.logical_xor, np.logical_xor, "Truth of either, elementwise."
)
logical_not = _constant(
    "logical_not", np.logical_not, np.logical_not, "Truth of not x, elementwise."
)

invert = _constant(
    "invert", np.invert, np.invert, "Bits inverted; not of booleans.", "~{0}", bits=True
)
bitwise_and = _constant(
    "bitwise_and",
    operator.and_,
    np.bitwise_and,
    "Bits of both; and of booleans.",
    "{0} & {1}",
    bits=True,
)
bitwise_or = _constant(
    "bitwise_or",
    operator.or_,
    np.bitwise_or,
    "Bits of either; or of booleans.",
    "{0} | {1}",
    bits=True,
)
bitwise_xor = _constant(
    "bitwise_xor", operator.xor, np.bitwise_xor, "Bits of one.", "{0} ^ {1}", bits=True
)
left_shift = _constant(
    "left_shift", operator.lshift, np.left_shift, "Bits moved left.", "{0} << {1}", bits=True
)
right_shift = _constant(
    "right_shift", operator.rshift, np.right_shift, "Bits moved right.", "{0} >> {1}", bits=True
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
    jvp=_where_jvp,
    pull=_where_pull,
    reads=(None, frozenset({2}), frozenset({2})),
    batch=lambda xs, batched, size, params: where(*align(xs, batched)),
    infer=broadcast_infer(_where_value),
    fresh=True,
    selects=True,
    doc=Doc("b where a is true, else c.", (Interval(), Interval(), Interval())),
)
