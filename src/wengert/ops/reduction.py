"""Reductions and cumulative operations along axes.

``prod`` and ``cumprod`` divide by nothing, so zeros are no special case in any order: the partial
derivative of a product is the product of the others, and the tangent of a cumulative product obeys
a linear recurrence, which is a primitive whose derivatives are recurrences again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import dtype_of, shape_of
from ..core.interpret import bind
from ..core.primitive import Doc, Interval, NotDifferentiable, Primitive
from .families import (
    absorb,
    elementwise,
    expanded,
    general,
    linear,
    normal_axes,
    reduce_batch,
    reduced_shape,
    reduction,
)
from .fitting import Like, cast, fit

AXES = ({"axis": None}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1})


def _draws(rng: Any) -> Any:
    return [((rng.standard_normal((3, 4)),), params) for params in AXES]


# --- sums and extrema -----------------------------------------------------------------------------


def _sum_value(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]


sum: Primitive = linear(
    name="sum",
    value=_sum_value,
    lower=lambda e, a, b: e.add(a, b),
    transpose=lambda i, gy, into, params: np.broadcast_to(
        expanded(gy, into.shape, params.get("axis")), into.shape
    ),
    batch=reduce_batch(lambda: sum),
    infer=lambda x, axis=None, keepdims=False: Aval(
        reduced_shape(x.shape, axis, keepdims), np.add.reduce(np.ones(1, x.dtype)).dtype
    ),
    fresh=True,
    doc=Doc("Sum of the elements along axes."),
    samples=_draws,
)


def _ties(y: Any, x: Any, axis: Any) -> Any:
    """1 at the extremum, shared equally where it is reached more than once."""
    hit = np.equal(x, y)
    count = np.sum(hit, axis=normal_axes(axis, len(shape_of(x))), keepdims=True)
    return hit * cast(1 / count, dtype_of(x))


max: Primitive = reduction(
    name="max",
    value=np.maximum.reduce,
    lower=lambda e, a, b: e.largest(a, b),
    partial=_ties,
    selects=True,
    complex=False,
    doc=Doc("Largest element along axes.", kinks="shared equally between equal elements"),
    samples=_draws,
)
min: Primitive = reduction(
    name="min",
    value=np.minimum.reduce,
    lower=lambda e, a, b: e.smallest(a, b),
    partial=_ties,
    selects=True,
    complex=False,
    doc=Doc("Smallest element along axes.", kinks="shared equally between equal elements"),
    samples=_draws,
)


def _inverse_of_double(y: Any) -> Any:
    zero = np.equal(y, 0)
    return np.where(zero, 0.0, 0.5 / np.where(zero, 1.0, y))


root = elementwise(
    name="root",
    value=np.sqrt,
    lower=lambda e, x: e.intrinsic("sqrt", e.cast(x, e.dtype)),
    partials=(_inverse_of_double,),
    complex=False,
    doc=Doc(
        "Square root of a sum of squares: what `norm` and `std` end with.",
        (Interval(0.3, 3.0),),
        kinks="0 at 0, so that norm'(0) = 0",
    ),
)

# --- cumulative sums and linear recurrences -------------------------------------------------------


def _cumulative(ufunc: Any) -> Callable[..., Any]:
    """``ufunc`` accumulated along an axis, from its end if ``reverse``."""

    def value(x: Any, axis: int, reverse: bool = False) -> Any:
        if reverse:
            return np.flip(ufunc(np.flip(x, axis), axis=axis), axis).copy()
        return ufunc(x, axis=axis)

    return value


def _moved(xs: Sequence[Any], batched: Sequence[bool], size: int, params: Any) -> Any:
    """Operands all with an example axis in front, and the parameters with ``axis`` behind it."""
    same = [
        x if b else np.broadcast_to(x, (size, *shape_of(x)))
        for x, b in zip(xs, batched, strict=True)
    ]
    return same, {**params, "axis": params["axis"] + 1}


def along_batch(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    """Batching of what works along one ``axis``, counted from 0."""

    def batch(xs: Any, batched: Any, size: int, params: Any) -> Any:
        same, moved = _moved(xs, batched, size, params)
        return bind(primitive(), *same, **moved)

    return batch


def _along_draws(rng: Any, count: int = 1) -> Any:
    shapes = [((3, 4), 0), ((3, 4), 1), ((5,), 0), ((2, 1, 3), 1), ((0, 2), 0)]
    return [
        (tuple(rng.standard_normal((count, *shape))), {"axis": axis, "reverse": reverse})
        for shape, axis in shapes
        for reverse in (False, True)
    ]


cumsum: Primitive = linear(
    name="cumsum",
    value=_cumulative(np.cumsum),
    lower=lambda e, before, x: e.add(before, x),
    transpose=lambda i, gy, into, params: cumsum(
        gy, axis=params["axis"], reverse=not params.get("reverse", False)
    ),
    batch=along_batch(lambda: cumsum),
    infer=lambda x, axis, reverse=False: Aval(x.shape, np.cumsum(np.ones(1, x.dtype)).dtype),
    fresh=True,
    doc=Doc("Sums of the elements up to each one along an axis; from each one on if `reverse`."),
    samples=_along_draws,
)


def neighbour(x: Any, axis: int, edge: Any, reverse: bool) -> Any:
    """For each element of ``x`` the one before it (after it, if ``reverse``); ``edge`` at the
    border.
    """
    shape = shape_of(x)
    if not shape[axis]:
        return x
    border = np.full((*shape[:axis], 1, *shape[axis + 1 :]), edge, dtype_of(x))
    part = x[(slice(None),) * axis + (slice(1, None) if reverse else slice(None, -1),)]
    return np.concatenate([part, border] if reverse else [border, part], axis=axis)


def _recurrence_value(
    a: Any, b: Any, axis: int, reverse: bool = False, absorbs: bool = False
) -> Any:
    result = np.empty(b.shape, np.result_type(a, b))
    factors, terms, h = (np.moveaxis(x, axis, 0)[:: -1 if reverse else 1] for x in (a, b, result))
    if result.ndim == 1:
        h[...] = _recurrence_of_numbers(factors.tolist(), terms.tolist(), absorbs)
        return result
    h[:1] = terms[:1]
    for k in range(1, len(h)):
        step = factors[k] * h[k - 1]
        h[k] = (np.where(np.equal(h[k - 1], 0), 0, step) if absorbs else step) + terms[k]
    return result


def _recurrence_of_numbers(factors: list[Any], terms: list[Any], absorbs: bool) -> list[Any]:
    """On Python's numbers, which for a single sequence are much faster than arrays without axes."""
    steps = terms[:1]
    for a, b in zip(factors[1:], terms[1:], strict=True):
        h = steps[-1]
        steps.append(b if absorbs and h == 0 else a * h + b)
    return steps


def _product(g: Any, p: Any, absorbs: bool) -> Any:
    return absorb(g, p) if absorbs else g * p


def _conj(x: Any) -> Any:
    return np.conj(x) if np.dtype(dtype_of(x)).kind == "c" else x


def _recurrence_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    (a, _), (da, db) = xs, dxs
    total = db
    if da is not None:
        before = neighbour(y, params["axis"], 0, params.get("reverse", False))
        term = _product(before, da, params.get("absorbs", False))
        total = term if db is None else term + db
    return fit(recurrence(a, fit(total, Like(y)), **params), Like(y))


def _recurrence_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    _, y, a, _ = node.saved
    axis, reverse = node.params["axis"], node.params.get("reverse", False)
    absorbs = masked or node.params.get("absorbs", False)
    factors = _conj(neighbour(a, axis, 0, not reverse))
    gb = recurrence(factors, gy, axis=axis, reverse=not reverse, absorbs=absorbs)
    if i == 1:
        return fit(gb, node.parents[1])
    before = _conj(neighbour(y, axis, 0, reverse))
    if node.params.get("absorbs", False):  # here it is the zeros of h that absorb
        return fit(absorb(before, gb), node.parents[0])
    return fit(_product(gb, before, absorbs), node.parents[0])


def _recurrence_lower(e: Any, before: Any, a: Any, b: Any, absorbs: bool = False) -> Any:
    step = e.multiply(a, before)
    if absorbs:
        zero = e.constant(0, before.dtype)
        step = e.select(e.equal(before, zero), zero, step)
    return e.add(step, b)


recurrence: Primitive = general(
    name="recurrence",
    value=_recurrence_value,
    lower=_recurrence_lower,
    jvp=_recurrence_jvp,
    pull=_recurrence_pull,
    reads=(frozenset({1, 2}), frozenset({2})),
    batch=along_batch(lambda: recurrence),
    infer=lambda a, b, axis, **params: Aval(b.shape, np.result_type(a.dtype, b.dtype)),
    fresh=True,
    doc=Doc(
        "h[k] = a[k] h[k-1] + b[k] along an axis, from h[-1] = 0; downwards if `reverse`. With "
        "`absorbs` an exact zero of h absorbs any a.",
        (Interval(), Interval()),
    ),
    samples=lambda rng: _along_draws(rng, 2),
)

# --- products -------------------------------------------------------------------------------------


def _cumprod_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    before = neighbour(y, params["axis"], 1, params.get("reverse", False))
    return fit(recurrence(xs[0], fit(before * dxs[0], Like(y)), **params), Like(y))


def _cumprod_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    _, y, x = node.saved
    axis, reverse = node.params["axis"], node.params.get("reverse", False)
    factors = _conj(neighbour(x, axis, 0, not reverse))
    g = recurrence(factors, gy, axis=axis, reverse=not reverse, absorbs=masked)
    return fit(_product(g, _conj(neighbour(y, axis, 1, reverse)), masked), node.parents[0])


cumprod: Primitive = general(
    name="cumprod",
    value=_cumulative(np.cumprod),
    lower=lambda e, before, x: e.multiply(before, x),
    jvp=_cumprod_jvp,
    pull=_cumprod_pull,
    reads=(frozenset({1, 2}),),
    batch=along_batch(lambda: cumprod),
    infer=lambda x, axis, reverse=False: Aval(x.shape, np.cumprod(np.ones(1, x.dtype)).dtype),
    fresh=True,
    doc=Doc(
        "Products of the elements up to each one along an axis; from each one on if `reverse`. "
        "Exact at zeros, to any order."
    ),
    samples=_along_draws,
)


def _others(y: Any, x: Any, axis: Any) -> Any:
    """For each element of ``x`` the product of all others along ``axis``."""
    shape = shape_of(x)
    axes = normal_axes(axis, len(shape))
    order = [*(k for k in range(len(shape)) if k not in axes), *axes]
    moved = np.transpose(x, order)
    kept = len(shape) - len(axes)
    lengths = shape_of(moved)
    flat = np.reshape(moved, (*lengths[:kept], int(np.prod(lengths[kept:]))))
    left = neighbour(cumprod(flat, axis=kept), kept, 1, False)
    right = neighbour(cumprod(flat, axis=kept, reverse=True), kept, 1, True)
    return np.transpose(np.reshape(left * right, lengths), tuple(np.argsort(order)))


prod: Primitive = reduction(
    name="prod",
    value=np.multiply.reduce,
    lower=lambda e, a, b: e.multiply(a, b),
    partial=_others,
    doc=Doc("Product of the elements along axes. Exact at zeros, to any order."),
    samples=_draws,
)

# --- constants to derivatives ---------------------------------------------------------------------


def _truth(name: str, ufunc: Any, summary: str, lower: Any) -> Primitive:
    return reduction(
        name=name, value=ufunc.reduce, partial=None, lower=lower, doc=Doc(summary), samples=_draws
    )


any = _truth(
    "any",
    np.logical_or,
    "Whether some element along axes is true.",
    lambda e, a, b: e.logical_or(a, b),
)
all = _truth(
    "all",
    np.logical_and,
    "Whether every element along axes is true.",
    lambda e, a, b: e.logical_and(a, b),
)


def _position(name: str, function: Any, summary: str, lower: Any) -> Primitive:
    """``argmax`` and ``argmin``: ``axis`` is a number from 0."""

    def value(x: Any, axis: int, keepdims: bool = False) -> Any:
        return function(x, axis=axis, keepdims=keepdims)

    primitive = general(
        name=name,
        value=value,
        lower=lower,
        jvp=lambda y, xs, dxs, params: None,
        pull=NotDifferentiable(f"{name} gives positions, which have no derivative"),
        reads=(None,),
        batch=along_batch(lambda: primitive),
        infer=lambda x, axis, keepdims=False: Aval(
            reduced_shape(x.shape, axis, keepdims), np.dtype(np.intp)
        ),
        complex=False,
        doc=Doc(summary),
        samples=lambda rng: [((rng.standard_normal((3, 4)),), {"axis": k}) for k in (0, 1)],
    )
    return primitive


def _better(e: Any, larger: Any, best: Any, x: Any) -> Any:
    """Whether ``x`` is more than ``best``; NaN is more than any number."""
    nan = e.logical_and(e.isnan(x), e.logical_not(e.isnan(best)))
    return e.logical_or(larger, nan)


argmax = _position(
    "argmax",
    np.argmax,
    "Position of the largest element along an axis.",
    lambda e, best, x: _better(e, e.less(best, x), best, x),
)
argmin = _position(
    "argmin",
    np.argmin,
    "Position of the smallest element along an axis.",
    lambda e, best, x: _better(e, e.less(x, best), best, x),
)
