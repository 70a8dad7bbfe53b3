"""Exponentials, logarithms, roots, and the sums of exponentials that they stabilise.

Layer: ``ops``, NumPy only. The sources name the section of the Digital Library of Mathematical
Functions (https://dlmf.nist.gov) that has the derivative.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.box import PYTHON_SCALARS, shape_of
from ..core.primitive import Doc, Interval
from .activation import sigmoid
from .families import elementwise, normal_axes, reduction

LN2, LN10 = math.log(2.0), math.log(10.0)
ANY, POSITIVE, AWAY = Interval(), Interval(0.2, 3.0), Interval(0.3, 3.0)


def inverse(x: Any) -> Any:
    """1 / x; infinite, as NumPy has it, for a Python number that is 0, where Python raises."""
    return np.reciprocal(x) if type(x) in PYTHON_SCALARS and not x else 1 / x


exp = elementwise(
    name="exp",
    value=np.exp,
    ufunc=np.exp,
    lower=lambda e, x: e.function("exp", x),
    partials=(lambda y: y,),
    doc=Doc("e to the power x, elementwise.", source="DLMF 4.7.5"),
    notation="exp {0}",
)
exp2 = elementwise(
    name="exp2",
    value=np.exp2,
    ufunc=np.exp2,
    partials=(lambda y: y * LN2,),
    doc=Doc("2 to the power x, elementwise.", source="DLMF 4.7.6"),
    notation="2 ** {0}",
)
expm1 = elementwise(
    name="expm1",
    value=np.expm1,
    ufunc=np.expm1,
    partials=(lambda y: y + 1,),
    doc=Doc("exp(x) - 1, exact near 0, elementwise.", source="DLMF 4.7.5"),
)
log = elementwise(
    name="log",
    value=np.log,
    ufunc=np.log,
    lower=lambda e, x: e.function("log", x),
    partials=(lambda x: inverse(x),),
    doc=Doc("Natural logarithm, elementwise.", (POSITIVE,), source="DLMF 4.7.1"),
    notation="ln {0}",
)
log2 = elementwise(
    name="log2",
    value=np.log2,
    ufunc=np.log2,
    partials=(lambda x: inverse(LN2 * x),),
    doc=Doc("Logarithm to base 2, elementwise.", (POSITIVE,), source="DLMF 4.7.1"),
)
log10 = elementwise(
    name="log10",
    value=np.log10,
    ufunc=np.log10,
    partials=(lambda x: inverse(LN10 * x),),
    doc=Doc("Logarithm to base 10, elementwise.", (POSITIVE,), source="DLMF 4.7.1"),
)
log1p = elementwise(
    name="log1p",
    value=np.log1p,
    ufunc=np.log1p,
    partials=(lambda x: inverse(1 + x),),
    doc=Doc("ln(1 + x), exact near 0, elementwise.", (Interval(-0.8, 3.0),), source="DLMF 4.7.1"),
)
sqrt = elementwise(
    name="sqrt",
    value=np.sqrt,
    ufunc=np.sqrt,
    lower=lambda e, x: e.intrinsic("sqrt", x),
    partials=(lambda y: 0.5 / y,),
    doc=Doc("Square root, elementwise.", (POSITIVE,), source="DLMF 4.7.11"),
    notation="√{0}",
)
cbrt = elementwise(
    name="cbrt",
    value=np.cbrt,
    ufunc=np.cbrt,
    partials=(lambda y: 1 / (3 * (y * y)),),
    complex=False,
    doc=Doc("Real cube root, elementwise.", (AWAY,), source="DLMF 4.7.11"),
)


# --- sums of exponentials -------------------------------------------------------------------------


def _gap(a: Any, b: Any) -> Any:
    """a - b, and 0 between equal infinities, which share the derivative as equal numbers do."""
    return np.where(np.isinf(a) & np.equal(a, b), 0.0, np.subtract(a, b))


logaddexp = elementwise(
    name="logaddexp",
    value=np.logaddexp,
    ufunc=np.logaddexp,
    partials=(lambda a, b: sigmoid(_gap(a, b)), lambda a, b: sigmoid(_gap(b, a))),
    complex=False,
    doc=Doc("ln(exp(a) + exp(b)), elementwise.", (ANY, ANY), source="DLMF 4.7.1, 4.7.5"),
)
logaddexp2 = elementwise(
    name="logaddexp2",
    value=np.logaddexp2,
    ufunc=np.logaddexp2,
    partials=(lambda a, b: sigmoid(LN2 * _gap(a, b)), lambda a, b: sigmoid(LN2 * _gap(b, a))),
    complex=False,
    doc=Doc("log2(2 ** a + 2 ** b), elementwise.", (ANY, ANY), source="DLMF 4.7.1, 4.7.6"),
)
softplus = elementwise(
    name="softplus",
    value=lambda x: np.logaddexp(x, 0.0),
    partials=(lambda x: sigmoid(x),),
    complex=False,
    doc=Doc("ln(1 + exp(x)) without overflow, elementwise.", source="DLMF 4.7.1, 4.7.5"),
)


def _logsumexp_value(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element is taken off, and its own 1 out of the sum, which log1p then gets.

    So a result near 0 keeps its digits. Infinite and NaN elements behave as in SciPy.
    """
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    axes = normal_axes(axis, x.ndim)
    top = np.maximum.reduce(x, axis=axes, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        terms = x - np.where(np.isfinite(top), top, x.dtype.type(0))
        hit = terms == 0 if x.size else np.zeros(x.shape, bool)
        terms = np.exp(terms)
        hit &= np.isfinite(top)
        terms -= hit
        count = np.maximum(np.add.reduce(hit, axis=axes, keepdims=True, dtype=x.dtype), 1)
        rest = np.add.reduce(terms, axis=axes, keepdims=True)
        y = np.log1p(rest / count) + np.log(count) + top
    return y if keepdims else np.squeeze(y, axes)[()]


def _logsumexp_partial(y: Any, x: Any, axis: Any) -> Any:
    """The softmax, exp(x - y), with the rounding of y divided out; where y is infinite, equal
    shares for what makes it so.
    """
    infinite = np.isinf(y)
    hit = np.equal(x, y) & np.greater(y, 0)
    axes = normal_axes(axis, len(shape_of(x)))
    count = np.maximum(np.sum(hit, axis=axes, keepdims=True, dtype=y.dtype), 1)
    share = np.exp(np.subtract(x, np.where(infinite, 0.0, y)))
    return np.where(infinite, hit / count, share / np.sum(share, axis=axes, keepdims=True))


logsumexp = reduction(
    name="logsumexp",
    value=_logsumexp_value,
    partial=_logsumexp_partial,
    complex=False,
    doc=Doc(
        "ln of the sum of exp(x) along axes, without overflow.",
        source="P. Blanchard, D. J. Higham, N. J. Higham, IMA J. Numer. Anal. 41 (2021) 2311",
        kinks="0 where all elements are -inf",
    ),
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), {"axis": axis, "keepdims": keepdims})
        for axis, keepdims in ((None, False), (0, False), ((0, 1), True), (-1, False))
    ],
)
