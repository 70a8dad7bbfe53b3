"""Arithmetic, elementwise: sums, products, powers, absolute values, complex parts, extrema,
rounding.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import PYTHON_SCALARS, dtype_of
from ..core.primitive import NOT_LOWERED, Doc, Interval, NoLowering, NotDifferentiable, Primitive
from .families import MINUS_ONE, ONE, absorb, broadcast_infer, elementwise, general, linear
from .fitting import fit, is_complex

ANY, POSITIVE, AWAY = Interval(), Interval(0.2, 3.0), Interval(0.3, 3.0)

add = elementwise(
    name="add",
    tame=True,
    value=operator.add,
    ufunc=np.add,
    lower=lambda e, a, b: e.add(a, b),
    partials=(ONE, ONE),
    doc=Doc("Sum, elementwise.", (ANY, ANY)),
    notation="{0} + {1}",
)
subtract = elementwise(
    name="subtract",
    tame=True,
    value=operator.sub,
    ufunc=np.subtract,
    lower=lambda e, a, b: e.subtract(a, b),
    partials=(ONE, MINUS_ONE),
    doc=Doc("Difference, elementwise.", (ANY, ANY)),
    notation="{0} - {1}",
)
multiply = elementwise(
    name="multiply",
    tame=True,
    value=operator.mul,
    ufunc=np.multiply,
    lower=lambda e, a, b: e.multiply(a, b),
    partials=(lambda b: b, lambda a: a),
    doc=Doc("Product, elementwise.", (ANY, ANY)),
    notation="{0} * {1}",
)


def _inverse(b: Any) -> Any:
    """1 / b; of a Python zero NumPy's infinity, which the value had, not Python's error."""
    return 1 / b if type(b) not in PYTHON_SCALARS or b else np.divide(1.0, b)


divide = elementwise(
    name="divide",
    value=operator.truediv,
    ufunc=np.divide,
    lower=lambda e, a, b: e.divide(a, b),
    partials=(lambda b: _inverse(b), lambda y, b: -y / b),
    doc=Doc("Quotient, elementwise.", (ANY, AWAY)),
    notation="{0} / {1}",
)
negative = elementwise(
    name="negative",
    tame=True,
    value=operator.neg,
    ufunc=np.negative,
    lower=lambda e, x: e.negative(x),
    partials=(MINUS_ONE,),
    doc=Doc("Negative, elementwise."),
    notation="-{0}",
)
positive = elementwise(
    name="positive",
    tame=True,
    value=operator.pos,
    ufunc=np.positive,
    lower=lambda e, x: x,
    partials=(ONE,),
    doc=Doc("Copy, elementwise."),
    notation="+{0}",
)
floor_divide = elementwise(
    name="floor_divide",
    value=operator.floordiv,
    ufunc=np.floor_divide,
    lower=lambda e, a, b: e.floor_divide(a, b),
    partials=(None, None),
    complex=False,
    doc=Doc(
        "Largest integer at most a / b; its derivative is zero.",
        (ANY, AWAY),
        kinks="0 at the steps",
    ),
    notation="{0} // {1}",
)
remainder = elementwise(
    name="remainder",
    value=operator.mod,
    ufunc=np.remainder,
    lower=lambda e, a, b: e.remainder(a, b),
    partials=(ONE, lambda a, b: -np.floor_divide(a, b)),
    complex=False,
    doc=Doc(
        "a - b * floor(a / b), elementwise.",
        (Interval(0.3, 0.9), Interval(1.1, 1.9)),
        kinks="that of the right side",
    ),
    notation="{0} % {1}",
)
fmod = elementwise(
    name="fmod",
    value=np.fmod,
    ufunc=np.fmod,
    lower=lambda e, a, b: e.fmod(a, b),
    partials=(ONE, lambda a, b: -np.trunc(a / b)),
    complex=False,
    doc=Doc(
        "a - b * trunc(a / b), elementwise.",
        (Interval(0.3, 0.9), Interval(1.1, 1.9)),
        kinks="1 and -trunc(a / b)",
    ),
)


def _power_base(a: Any, b: Any) -> Any:
    """∂(a ** b)/∂a = b a^(b-1), and 0 where b is 0, whatever a is."""
    if type(b) in (int, float):
        if b == 2:
            return 2 * a
        return b * np.power(a, b - 1.0 if type(a) in PYTHON_SCALARS else b - 1) if b else 0.0
    nothing = np.logical_and(np.equal(a, 0), np.equal(b, 0))  # 0 · 0^(-1)
    return absorb(b, np.power(a, np.where(nothing, 1.0, np.subtract(b, 1.0))))


def _power_exponent(y: Any, a: Any) -> Any:
    """∂(a ** b)/∂b = a^b ln a, and 0 where a is 0."""
    return absorb(y, np.log(np.where(np.equal(a, 0), 1.0, a)))


power = elementwise(
    name="power",
    value=operator.pow,
    ufunc=np.power,
    lower=lambda e, a, b: e.power(a, b),
    partials=(_power_base, _power_exponent),
    doc=Doc(
        "a to the power b, elementwise.",
        (POSITIVE, Interval(-2.0, 2.0)),
        source="DLMF 4.2.26",
        kinks="0 at a = 0 for b",
    ),
    notation="{0} ** {1}",
)
float_power = elementwise(
    name="float_power",
    value=np.float_power,
    ufunc=np.float_power,
    partials=(_power_base, _power_exponent),
    doc=Doc("a to the power b in at least double precision.", (POSITIVE, Interval(-2.0, 2.0))),
)
square = elementwise(
    name="square",
    tame=True,
    value=np.square,
    ufunc=np.square,
    lower=lambda e, x: e.multiply(x, x),
    partials=(lambda x: 2 * x,),
    doc=Doc("x * x, elementwise."),
    notation="{0} ** 2",
)
reciprocal = elementwise(
    name="reciprocal",
    value=np.reciprocal,
    ufunc=np.reciprocal,
    lower=lambda e, x: e.reciprocal(x),
    partials=(lambda y: -y * y,),
    doc=Doc("1 / x, elementwise.", (AWAY,)),
    notation="1 / {0}",
)

# --- absolute values and complex parts ------------------------------------------------------------

absolute = elementwise(
    name="absolute",
    value=operator.abs,
    ufunc=np.absolute,
    lower=lambda e, x: e.absolute(x),
    partials=(lambda x: np.sign(x),),
    to_real=True,
    doc=Doc("Modulus, elementwise.", (AWAY,), kinks="0 at 0"),
    notation="|{0}|",
)
fabs = elementwise(
    name="fabs",
    value=np.fabs,
    ufunc=np.fabs,
    lower=lambda e, x: e.absolute(x),
    partials=(lambda x: np.sign(x),),
    complex=False,
    doc=Doc("Absolute value of a real array, elementwise.", (AWAY,), kinks="0 at 0"),
)


def _turned(y: Any, x: Any, z: Any) -> Any:
    """What a change z of x does to x/|x|: it turns it, and a real x not at all. Its own adjoint."""
    return 1j * y * np.imag(np.conj(y) * z) * np.divide(1, np.abs(x)) if is_complex(x) else None


def _sign_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    _, y, x = node.saved
    g = _turned(y, x, gy)
    return None if g is None else fit(g, node.parents[0])


sign: Primitive = general(
    name="sign",
    value=np.sign,
    ufunc=np.sign,
    lower=lambda e, x: e.sign(x),
    jvp=lambda y, xs, dxs, params: _turned(y, xs[0], dxs[0]),
    pull=_sign_pull,
    reads=(frozenset({1, 2}),),
    batch=lambda xs, batched, size, params: sign(*xs),
    infer=broadcast_infer(np.sign),
    fresh=True,
    doc=Doc("-1, 0 or 1; z / |z| of a complex z.", (AWAY,), kinks="0 at 0"),
)
real: Primitive = linear(
    name="real",
    value=np.real,
    lower=lambda e, x: e.real(x),
    transpose=lambda i, gy, into, params: gy,  # the cast to the argument's dtype makes it complex
    batch=lambda xs, batched, size, params: real(*xs),
    infer=broadcast_infer(np.real),
    doc=Doc("Real part."),
)
imag: Primitive = linear(
    name="imag",
    value=np.imag,
    lower=lambda e, x: e.imag(x),
    transpose=lambda i, gy, into, params: 1j * gy,  # of a real argument the cast leaves 0
    batch=lambda xs, batched, size, params: imag(*xs),
    infer=broadcast_infer(np.imag),
    doc=Doc("Imaginary part."),
)
conjugate: Primitive = linear(
    name="conjugate",
    value=np.conjugate,
    ufunc=np.conjugate,
    lower=lambda e, x: e.conjugate(x),
    transpose=lambda i, gy, into, params: np.conjugate(gy),
    batch=lambda xs, batched, size, params: conjugate(*xs),
    infer=broadcast_infer(np.conjugate),
    fresh=True,
    doc=Doc("Complex conjugate."),
)


def _angle_partial(x: Any) -> Any:
    if not is_complex(x):
        return 0.0 * x
    modulus = np.abs(x)
    return 1j * x / np.where(modulus == 0, 1, modulus * modulus)


angle = elementwise(
    name="angle",
    value=np.angle,
    partials=(_angle_partial,),
    to_real=True,
    doc=Doc("Argument of a complex number, in radians.", (AWAY,), kinks="0 at 0"),
)

# --- extrema --------------------------------------------------------------------------------------


def _larger(a: Any, b: Any) -> Any:
    return np.where(np.equal(a, b), _half(a, b), np.greater(a, b))


def _half(a: Any, b: Any) -> Any:
    """1/2 in the dtype of ``a`` and ``b``: with Python's the partial would be float64."""
    kinds = [kind(0) if isinstance(kind, type) else kind for kind in map(dtype_of, (a, b))]
    dtype = np.result_type(*kinds)
    return dtype.type(0.5) if dtype.kind == "f" else 0.5


PLACE_DECIDES = NoLowering("which of two zeros NumPy gives depends on their place")


def _extremum(
    name: str,
    ufunc: Any,
    first: Any,
    second: Any,
    summary: str,
    lower: Any = PLACE_DECIDES,
) -> Any:
    return elementwise(
        name=name,
        value=ufunc,
        ufunc=ufunc,
        partials=(first, second),
        lower=lower,
        selects=True,
        complex=False,
        doc=Doc(summary, (ANY, ANY), kinks="1/2 to each side of a tie"),
    )


def _larger_or_number(a: Any, b: Any) -> Any:
    return np.where(np.isnan(b), 1.0, _larger(a, b))


maximum = _extremum(
    "maximum",
    np.maximum,
    lambda a, b: _larger(a, b),
    lambda a, b: _larger(b, a),
    "The larger element; NaN wins.",
    lambda e, a, b: e.maximum(a, b),
)
minimum = _extremum(
    "minimum",
    np.minimum,
    lambda a, b: _larger(b, a),
    lambda a, b: _larger(a, b),
    "The smaller element; NaN wins.",
    lambda e, a, b: e.minimum(a, b),
)
fmax = _extremum(
    "fmax",
    np.fmax,
    lambda a, b: _larger_or_number(a, b),
    lambda a, b: _larger_or_number(b, a),
    "The larger element; NaN gives way.",
)
fmin = _extremum(
    "fmin",
    np.fmin,
    lambda a, b: np.where(np.isnan(b), 1.0, _larger(b, a)),
    lambda a, b: np.where(np.isnan(a), 1.0, _larger(a, b)),
    "The smaller element; NaN gives way.",
)


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


relu = elementwise(
    name="relu",
    value=_relu,
    lower=lambda e, x: e.maximum(e.cast(x, e.dtype), e.constant(0, e.dtype)),
    partials=(lambda y: np.greater(y, 0),),  # of y, which the next layer saves anyway
    selects=True,
    complex=False,
    doc=Doc("max(x, 0), elementwise.", (AWAY,), kinks="0 at 0"),
)
copysign = elementwise(
    name="copysign",
    value=np.copysign,
    ufunc=np.copysign,
    lower=lambda e, a, b: e.copysign(a, b),
    partials=(lambda a, b: np.copysign(1.0, a) * np.copysign(1.0, b), None),
    complex=False,
    doc=Doc(
        "|a| with the sign of b.", (AWAY, AWAY), kinks="that of the side given by the sign bit of a"
    ),
)


# --- steps: zero derivative -----------------------------------------------------------------------


def _step(ufunc: Any, summary: str, lower: Any = NOT_LOWERED) -> Any:
    return elementwise(
        name=ufunc.__name__,
        value=ufunc,
        ufunc=ufunc,
        partials=(None,) * ufunc.nin,
        lower=lower,
        complex=False,
        doc=Doc(summary, (Interval(0.1, 0.4),) * ufunc.nin, kinks="0 at the steps"),
    )


nextafter = elementwise(
    name="nextafter",
    value=np.nextafter,
    ufunc=np.nextafter,
    partials=(ONE, None),
    complex=False,
    doc=Doc("The next floating-point number after a towards b.", (ANY, ANY)),
)
floor = _step(np.floor, "Largest integer at most x.", lambda e, x: e.rounded("floor", x))
ceil = _step(np.ceil, "Smallest integer at least x.", lambda e, x: e.rounded("ceil", x))
trunc = _step(np.trunc, "x without its fraction.", lambda e, x: e.rounded("trunc", x))
rint = _step(np.rint, "Nearest integer, ties to even.", lambda e, x: e.rounded("rint", x))
heaviside = _step(np.heaviside, "0 for a < 0, b at 0, 1 for a > 0.")
spacing = _step(np.spacing, "The distance to the next floating-point number.")

stop_gradient = elementwise(
    name="stop_gradient",
    value=lambda x: x,
    fresh=False,
    partials=(None,),
    doc=Doc("x as a constant, in every mode and at every level of nesting."),
)


def _weaken_value(x: Any) -> Any:
    return x.item() if isinstance(x, np.generic | np.ndarray) and not x.ndim else x


def _weaken_infer(x: Aval) -> Aval:
    """Python has one type of real and one of complex numbers."""
    if x.shape:
        return x
    return Aval((), np.dtype(complex if x.dtype.kind == "c" else float), weak=True)


weaken: Primitive = linear(
    name="weaken",
    value=_weaken_value,
    lower=lambda e, x: x,
    transpose=lambda i, gy, into, params: gy,
    batch=lambda xs, batched, size, params: xs[0],
    infer=_weaken_infer,
    doc=Doc("A NumPy scalar as Python's number, whose dtype gives way to that of an array."),
    samples=lambda rng: [((np.float64(rng.standard_normal()),), {})],
)


def _astype_value(x: Any, dtype: Any, order: Any = "K") -> Any:
    if isinstance(x, np.ndarray):
        return x.astype(dtype, order=order)
    return np.asarray(x).astype(dtype)[()]


astype: Primitive = linear(
    name="astype",
    value=_astype_value,
    lower=lambda e, x, dtype, **params: e.cast(x, dtype),
    transpose=lambda i, gy, into, params: gy,
    batch=lambda xs, batched, size, params: astype(*xs, **params),
    infer=lambda x, dtype, **params: Aval(x.shape, dtype),
    fresh=True,
    doc=Doc("A copy in another floating dtype."),
    samples=lambda rng: [((rng.standard_normal((2, 3)),), {"dtype": np.dtype(np.float32)})],
)


def _copy_value(x: Any, order: str = "C") -> Any:
    return np.array(x, order=order) if isinstance(x, np.ndarray) else x  # type: ignore[call-overload]


copy: Primitive = linear(
    name="copy",
    value=_copy_value,
    lower=lambda e, x, **params: x,
    transpose=lambda i, gy, into, params: gy,
    batch=lambda xs, batched, size, params: copy(
        *xs, order="K" if params.get("order", "C") in "KA" else "C"
    ),
    infer=lambda x, **params: Aval(x.shape, x.dtype),
    fresh=True,
    doc=Doc("A copy."),
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {}),
        ((rng.standard_normal(4)[::-2],), {"order": "K"}),
    ],
)
to_discrete: Primitive = general(
    name="to_discrete",
    value=_astype_value,
    lower=lambda e, x, dtype, **params: e.cast(x, dtype),
    jvp=lambda y, xs, dxs, params: None,
    pull=NotDifferentiable("a cast to integers or booleans has no derivative"),
    reads=(None,),
    batch=lambda xs, batched, size, params: to_discrete(*xs, **params),
    infer=lambda x, dtype, **params: Aval(x.shape, dtype),
    fresh=True,
    doc=Doc("A copy as integers or booleans: a constant to derivatives."),
    samples=lambda rng: [((rng.standard_normal((2, 3)),), {"dtype": np.dtype(np.int64)})],
)
