"""The families: what an author writes of a primitive, and what follows from it.

Two things are stated here and nowhere else. *Un-broadcasting*: the adjoint of a broadcast argument
is summed back to its shape, and cast back to its dtype (``fit``). *The complex convention*: for a
real loss L of z = a + ib the gradient is ∂L/∂a + i ∂L/∂b, so that ``z -= lr * grad`` descends; a
holomorphic y = f(z) hence has dy = f'(z) dz and gz = conj(f'(z)) gy, and a real argument of a
complex function takes the real part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.interpret import bind
from ..core.primitive import Doc, Interval, Keep, KeepNothing, NotDifferentiable, Primitive, define
from .fitting import Like, cast, fit, fit_like, is_complex, zeros_like

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
ONE = "the partial derivative is 1"
MINUS_ONE = "the partial derivative is -1"
Partial = Callable[..., Any] | str | None


# --- elementwise ----------------------------------------------------------------------------------


def broadcast_infer(value: Callable[..., Any]) -> Callable[..., Aval]:
    """The shape rule of a broadcasting ``value``: NumPy says the dtype on arrays without
    elements.
    """

    def infer(*avals: Aval, **params: Any) -> Aval:
        with np.errstate(all="ignore"):
            result = value(*[aval.empty() for aval in avals], **params)
        weak = all(aval.weak for aval in avals) and type(result) in (bool, int, float, complex)
        return Aval(
            np.broadcast_shapes(*[aval.shape for aval in avals]), np.result_type(result), weak
        )

    return infer


def align(xs: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """The values with ones between example axis and shape, so that all broadcast against each other
    behind it.
    """
    rank = max(len(shape_of(x)) - b for x, b in zip(xs, batched, strict=True))
    aligned = []
    for x, b in zip(xs, batched, strict=True):
        shape = shape_of(x)
        missing = rank - len(shape) + 1
        aligned.append(
            np.reshape(x, (shape[0], *(1,) * missing, *shape[1:])) if b and missing else x
        )
    return aligned


def names_read(partial: Callable[..., Any], names: Sequence[str]) -> tuple[int, ...]:
    """Positions in ``(None, y, *xs)`` of what ``partial`` names as its parameters."""
    if isinstance(partial, NotDifferentiable):
        return ()
    code = getattr(partial, "__code__", None)  # faster than inspect, which import time would feel
    own = code.co_varnames[: code.co_argcount] if code else tuple(signature(partial).parameters)
    return tuple(1 if name == "y" else 2 + names.index(name) for name in own)


def _reader(partial: Callable[..., Any], reads: tuple[int, ...]) -> Callable[[Any], Any]:
    """``partial`` as a function of ``(None, y, *xs)``."""
    if len(reads) == 1:
        (p,) = reads
        return lambda saved: partial(saved[p])
    if len(reads) == 2:
        p, q = reads
        return lambda saved: partial(saved[p], saved[q])
    return lambda saved: partial(*[saved[p] for p in reads])


def elementwise(
    *,
    name: str,
    value: Callable[..., Any],
    partials: Sequence[Partial],
    ufunc: Any = None,
    doc: Doc,
    to_real: bool = False,
    **more: Any,
) -> Primitive:
    """An operation on each element, with NumPy's broadcasting.

    ``partials``: for each argument ∂y/∂x as a function in plain NumPy that names, as its
    parameters, what it reads: ``y``, and ``x`` (or ``a``, ``b``, ``c``); ``ONE``; ``MINUS_ONE``; or
    None where the derivative is zero or not meant. ``to_real``: it maps complex to real numbers, so
    that its partials are gradients ∂y/∂a + i ∂y/∂b.
    """
    names = ("x",) if len(partials) == 1 else ("a", "b", "c", "d")[: len(partials)]
    reads = [None if p is None else names_read(p, names) if callable(p) else () for p in partials]
    rules = [
        _reader(p, r or ()) if callable(p) else p for p, r in zip(partials, reads, strict=True)
    ]

    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        rule = rules[i]
        parent = node.parents[i]
        if rule is ONE:
            g = gy
        elif rule is MINUS_ONE:
            g = -gy
        elif rule is None:
            return None
        else:
            p = rule(node.saved)  # type: ignore[operator]
            dtype = node.dtype
            if (
                dtype is not F8
                and dtype is not F4
                and dtype is not float
                and not to_real
                and is_complex(p)
            ):
                p = np.conj(p)
            g = absorb(gy, p) if masked else gy * p
        kind = type(g)
        if kind is np.ndarray:
            if g.dtype is parent.dtype and g.shape == parent.shape:
                return g
        elif (
            (kind is float or kind is np.float64)
            and (parent.dtype is float or parent.dtype is F8)
            and not parent.shape
        ):
            return g
        return fit(g, parent)

    def jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
        total, full = None, (None, y, *xs)
        for rule, dx in zip(rules, dxs, strict=True):
            if dx is None or rule is None:
                continue
            if rule is ONE or rule is MINUS_ONE:
                term = dx if rule is ONE else -dx
            else:
                p = rule(full)  # type: ignore[operator]
                if to_real and is_complex(p):
                    term = np.real(np.conj(p) * dx)
                else:
                    term = absorb(p, dx) if primitive.selects else dx * p
            total = term if total is None else total + term
        return None if total is None else fit_like(total, y)

    def batch(xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]) -> Any:
        return bind(primitive, *align(xs, batched), **params)

    primitive = define(
        Primitive(
            name=name,
            family="elementwise",
            value=value,
            infer=broadcast_infer(value),
            jvp=jvp,
            pull=pull,
            keep=Keep([None if r is None else frozenset(r) for r in reads], len(partials)),
            batch=batch,
            doc=doc,
            ufunc=ufunc,
            **{"fresh": True, **more},
        )
    )
    return primitive


# --- linear ---------------------------------------------------------------------------------------


def linear(
    *,
    name: str,
    value: Callable[..., Any],
    transpose: Callable[..., Any],
    batch: Callable[..., Any],
    doc: Doc,
    infer: Callable[..., Aval],
    **more: Any,
) -> Primitive:
    """An operation linear in its arrays together: reshape, transpose, sum, concatenate.

    ``value(*xs, **params)``; ``transpose(i, gy, into, params)``: the adjoint of input i, which had
    ``into.shape`` and ``into.dtype``; ``batch(xs, batched, size, params)``. Tangents go through the
    operation itself.
    """

    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        return cast(transpose(i, gy, node.parents[i], node.params), node.parents[i].dtype)

    def jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
        if len(dxs) == 1:
            return bind(primitive, dxs[0], **params)
        filled = [zeros_like(x) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]
        return fit_like(bind(primitive, *filled, **params), y)

    primitive = define(
        Primitive(
            name=name,
            family="linear",
            value=value,
            infer=infer,
            jvp=jvp,
            pull=pull,
            keep=KeepNothing(),
            batch=batch,
            doc=doc,
            tame=True,
            **more,
        )
    )
    return primitive


# --- bilinear -------------------------------------------------------------------------------------


def bilinear(
    *,
    name: str,
    value: Callable[..., Any],
    transposes: Sequence[Callable[..., Any]],
    batch: Callable[..., Any],
    doc: Doc,
    infer: Callable[..., Aval],
    **more: Any,
) -> Primitive:
    """A product: linear in each of two arrays. ``transposes[i](gy, other, into, params)`` is the
    adjoint of argument i.

    The complex convention conjugates ``other`` before it is handed over.
    """

    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        other = node.saved[3 - i]
        if is_complex(other):
            other = np.conj(other)
        return fit(transposes[i](gy, other, node.parents[i], node.params), node.parents[i])

    def jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
        terms = []
        if dxs[0] is not None:
            terms.append(bind(primitive, dxs[0], xs[1], **params))
        if dxs[1] is not None:
            terms.append(bind(primitive, xs[0], dxs[1], **params))
        return fit_like(terms[0] if len(terms) == 1 else terms[0] + terms[1], y)

    primitive = define(
        Primitive(
            name=name,
            family="bilinear",
            value=value,
            infer=infer,
            jvp=jvp,
            pull=pull,
            keep=Keep([frozenset({3}), frozenset({2})], 2),
            batch=batch,
            doc=doc,
            fresh=True,
            tame=True,
            spreads=False,
            **more,
        )
    )
    return primitive


# --- reduction ------------------------------------------------------------------------------------


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """``axis`` (None, an int, a tuple) as a tuple of numbers from 0."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(np.lib.array_utils.normalize_axis_tuple(axes, ndim, argname="axis"))


def reduced_shape(shape: tuple[int, ...], axis: Any, keepdims: bool) -> tuple[int, ...]:
    """The shape after a reduction over ``axis``."""
    axes = normal_axes(axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def expanded(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """The reduced ``g`` with ones where the axes of ``shape`` were."""
    return np.reshape(g, reduced_shape(shape, axis, True))


def shifted_axis(axis: Any, ndim: int) -> Any:
    """``axis`` of an example with ``ndim`` axes, as axes behind the example axis."""
    return tuple(i + 1 for i in normal_axes(axis, ndim))


def reduce_batch(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    """Batching of anything with ``axis`` and ``keepdims``."""

    def batch(xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]) -> Any:
        axis = shifted_axis(params.get("axis"), len(shape_of(xs[0])) - 1)
        return bind(primitive(), xs[0], **{**params, "axis": axis})

    return batch


def reduction(
    *,
    name: str,
    value: Callable[..., Any],
    partial: Callable[..., Any] | None,
    doc: Doc,
    **more: Any,
) -> Primitive:
    """An operation that combines the elements along ``axis`` (None, int or tuple), with
    ``keepdims``.

    ``partial(y, x, axis)`` is ∂y/∂x, of the shape of ``x``, ``y`` having ones where it was reduced;
    None where the result is a constant to derivatives (``any``, ``argmax``).
    """

    def infer(x: Aval, *, axis: Any = None, keepdims: bool = False, **params: Any) -> Aval:
        dtype = value(np.ones((1,) * max(len(x.shape), 1), x.dtype), axis=None, **params).dtype
        return Aval(reduced_shape(x.shape, axis, keepdims), dtype)

    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        _, y, x = node.saved
        axis = node.params.get("axis")
        p = partial(expanded(y, shape_of(x), axis), x, axis)  # type: ignore[misc]
        p = np.conj(p) if is_complex(p) else p
        g = expanded(gy, shape_of(x), axis)
        return fit(absorb(g, p) if masked else g * p, node.parents[i])

    def jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
        if partial is None:
            return None
        axis = params.get("axis")
        p = partial(expanded(y, shape_of(xs[0]), axis), xs[0], axis)
        term = absorb(p, dxs[0]) if primitive.selects else p * dxs[0]
        return fit(
            np.sum(
                term,
                axis=normal_axes(axis, len(shape_of(term))),
                keepdims=params.get("keepdims", False),
            ),
            Like(y),
        )

    primitive = define(
        Primitive(
            name=name,
            family="reduction",
            value=value,
            infer=infer,
            jvp=jvp,
            pull=pull,
            keep=Keep([None if partial is None else frozenset({1, 2})], 1),
            batch=reduce_batch(lambda: primitive),
            doc=doc,
            fresh=True,
            **more,
        )
    )
    return primitive


# --- general --------------------------------------------------------------------------------------


def general(
    *,
    name: str,
    value: Callable[..., Any],
    jvp: Callable[..., Any],
    pull: Callable[..., Any],
    reads: Sequence[frozenset[int] | None],
    batch: Callable[..., Any],
    doc: Doc,
    infer: Callable[..., Any],
    **more: Any,
) -> Primitive:
    """Everything written out: rules in the form that ``Primitive`` has them; ``reads`` as in
    ``Keep``.
    """
    return define(
        Primitive(
            name=name,
            family="general",
            value=value,
            infer=infer,
            jvp=jvp,
            pull=pull,
            keep=Keep(reads, len(reads)),
            batch=batch,
            doc=doc,
            **more,
        )
    )


# --- multiplication below a selection -------------------------------------------------------------


def _absorb_value(g: Any, p: Any) -> Any:
    product = np.multiply(g, p)
    finite = np.isfinite(product)
    return product if finite.all() else np.where(finite | np.not_equal(g, 0), product, 0)[()]


def _absorb_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    (g, p), (dg, dp) = xs, dxs
    terms = [absorb(dg, p)] if dg is not None else []
    if dp is not None:
        terms.append(absorb(g, dp))
    return fit_like(terms[0] if len(terms) == 1 else terms[0] + terms[1], y)


def _absorb_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    _, _, g, p = node.saved
    if i == 0:
        return fit(absorb(gy, np.conj(p) if is_complex(p) else p), node.parents[0])
    g = np.conj(g) if is_complex(g) else g
    return fit(absorb(gy, g) if masked else absorb(g, gy), node.parents[1])


absorb: Primitive = general(
    name="absorb",
    value=_absorb_value,
    lower=lambda e, g, p: e.absorb(e.cast(g, e.dtype), e.cast(p, e.dtype)),
    jvp=_absorb_jvp,
    pull=_absorb_pull,
    reads=(frozenset({3}), frozenset({2})),
    batch=lambda xs, batched, size, params: absorb(*align(xs, batched)),
    infer=broadcast_infer(_absorb_value),
    fresh=True,
    selects=True,
    doc=Doc(
        "g * p, in which an exact zero of g absorbs any p, NaN and infinity included; in its "
        "derivatives as well.",
        (Interval(), Interval()),
    ),
)
