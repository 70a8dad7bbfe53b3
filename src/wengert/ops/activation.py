"""Activations of networks: sigmoid, softmax, log-softmax. Layer: ``ops``; NumPy only, no SciPy.

Each is one line of the Wengert list and saves its output alone. ``relu`` stands in ``arithmetic``,
``tanh`` among the hyperbolic functions. ``axis`` is an int; a softmax is taken along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.interpret import bind
from ..core.primitive import Doc, Primitive
from ..core.quiet import hush, quiet, restore
from .families import elementwise, general
from .fitting import fit


def _sigmoid_value(x: Any) -> Any:
    """1 / (1 + exp(-x)). Where exp overflows the quotient is 0, which is right to rounding."""
    if type(x) is np.ndarray and x.dtype.kind in "bu":
        x = x.astype(np.float64)
    if type(x) is not np.ndarray or not x.ndim:
        with quiet():
            return 1 / (1 + np.exp(-x))
    e = np.negative(x)
    token = hush()
    try:
        e = np.exp(e, e if e.dtype in ONES else None)
    finally:
        restore(token)
    e += ONES.get(e.dtype, 1)
    return np.reciprocal(e, e)


ONES = {np.dtype(kind): np.ones((), kind) for kind in (np.float32, np.float64)}  # cheaper than 1


def _sigmoid_slope(y: Any) -> Any:
    """σ′ = σ (1 - σ)."""
    one = ONES.get(y.dtype) if type(y) is np.ndarray else None
    if one is None:
        return y * (1 - y)
    slope = np.subtract(one, y)
    slope *= y
    return slope


sigmoid: Primitive = elementwise(
    name="sigmoid",
    value=_sigmoid_value,
    lower=lambda e, x: e.function("sigmoid", e.cast(x, e.dtype)),
    partials=(lambda y: _sigmoid_slope(y),),
    doc=Doc("1 / (1 + exp(-x)), elementwise, without overflow.", source="DLMF 4.2"),
)


def _softmax_value(x: Any, axis: int = -1) -> Any:
    e = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    e = np.exp(e, out=e if e.dtype.kind == "f" else None)
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


def _softmax_expanded(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _softmax_push(y: Any, dx: Any, axis: int) -> Any:
    """p · (dx - Σ p dx): the Jacobian diag(p) - p pᵀ, which is its own transpose."""
    weighted = y * dx
    return weighted - y * np.sum(weighted, axis=axis, keepdims=True)


def _softmax_samples(rng: np.random.Generator) -> list[Any]:
    draw = rng.standard_normal
    return [
        ((draw((3, 4)),), {"axis": -1}),
        ((draw((3, 4)),), {"axis": 0}),
        ((draw((2, 3, 4)),), {"axis": -2}),
        ((draw(5),), {"axis": 0}),
        ((draw((2, 1)),), {"axis": 1}),
        ((draw((0, 4)),), {"axis": 1}),
    ]


def _float_infer(x: Aval, **params: Any) -> Aval:
    return Aval(x.shape, np.exp(np.empty(0, x.dtype)).dtype)


softmax: Primitive = general(
    name="softmax",
    value=_softmax_value,
    expand=_softmax_expanded,
    jvp=lambda y, xs, dxs, params: _softmax_push(y, dxs[0], params.get("axis", -1)),
    pull=lambda i, gy, node, masked: fit(
        _softmax_push(node.saved[1], gy, node.params.get("axis", -1)), node.parents[0]
    ),
    reads=(frozenset({1}),),
    batch=lambda xs, batched, size, params: _batched(softmax, xs, params),
    infer=_float_infer,
    fresh=True,
    complex=False,
    spreads=False,
    doc=Doc(
        "exp(x) / Σ exp(x) along an axis; the largest element is taken off first.",
        source="I. Goodfellow et al., Deep Learning, MIT Press 2016, section 6.2.2.3",
    ),
    samples=_softmax_samples,
)


def _log_softmax_value(x: Any, axis: int = -1) -> Any:
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    total = np.add.reduce(np.exp(shifted), axis=axis, keepdims=True)
    if shifted.dtype.kind != "f":
        return shifted - np.log(total)
    shifted -= np.log(total, out=total)
    return shifted


def _log_softmax_expanded(x: Any, axis: int = -1) -> Any:
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    (dx,) = dxs
    return dx - np.sum(np.exp(y) * dx, axis=params.get("axis", -1), keepdims=True)


def _log_softmax_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    y, axis = node.saved[1], node.params.get("axis", -1)
    return fit(gy - np.exp(y) * np.sum(gy, axis=axis, keepdims=True), node.parents[0])


log_softmax: Primitive = general(
    name="log_softmax",
    value=_log_softmax_value,
    expand=_log_softmax_expanded,
    jvp=_log_softmax_jvp,
    pull=_log_softmax_pull,
    reads=(frozenset({1}),),
    batch=lambda xs, batched, size, params: _batched(log_softmax, xs, params),
    infer=_float_infer,
    fresh=True,
    complex=False,
    spreads=False,
    doc=Doc(
        "x - log Σ exp(x) along an axis; the largest element is taken off first.",
        source="P. Blanchard, D. J. Higham, N. J. Higham, IMA J. Numer. Anal. 41 (2021) 2311",
    ),
    samples=_softmax_samples,
)


def _batched(primitive: Primitive, xs: Sequence[Any], params: dict[str, Any]) -> Any:
    axis = params.get("axis", -1)
    return bind(primitive, xs[0], axis=axis if axis < 0 else axis + 1)
