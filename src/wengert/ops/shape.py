"""Shapes: everything that moves elements without computing: linear, its adjoint moves them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.interpret import bind
from ..core.primitive import Doc
from .families import linear, unbroadcast



reshape = linear(
    name="reshape",
    value=lambda x, shape: np.reshape(x, shape),
    transpose=lambda i, gy, into, params: np.reshape(gy, into.shape),
    batch=lambda xs, batched, size, params: reshape(xs[0], shape=(size, *params["shape"])),
    infer=lambda x, shape: Aval(shape, x.dtype),
    doc=Doc("The same elements in another shape, in C order."),
    samples=lambda rng: [((rng.standard_normal((2, 6)),), {"shape": (3, 4)}), ((rng.standard_normal(()),), {"shape": (1, 1)})],
)
transpose = linear(
    name="transpose",
    value=lambda x, axes: np.transpose(x, axes),
    transpose=lambda i, gy, into, params: np.transpose(gy, tuple(int(k) for k in np.argsort(params["axes"]))),
    batch=lambda xs, batched, size, params: transpose(xs[0], axes=(0, *[k + 1 for k in params["axes"]])),
    infer=lambda x, axes: Aval(tuple(x.shape[k] for k in axes), x.dtype),
    doc=Doc("Axes permuted."),
    samples=lambda rng: [((rng.standard_normal((2, 3, 4)),), {"axes": (2, 0, 1)})],
    notation="{0}ᵀ",
)
broadcast_to = linear(
    name="broadcast_to",
    value=lambda x, shape: np.broadcast_to(x, shape),
    transpose=lambda i, gy, into, params: unbroadcast(gy, into.shape),
    batch=lambda xs, batched, size, params: _broadcast_examples(xs[0], size, params["shape"]),
    infer=lambda x, shape: Aval(shape, x.dtype),
    doc=Doc("x repeated along new axes and axes of length 1."),
    samples=lambda rng: [((rng.standard_normal((2, 1)),), {"shape": (4, 2, 3)})],
)


def _broadcast_examples(x: Any, size: int, shape: tuple[int, ...]) -> Any:
    own = shape_of(x)[1:]
    x = np.reshape(x, (size, *(1,) * (len(shape) - len(own)), *own))
    return broadcast_to(x, shape=(size, *shape))


def _concatenate_transpose(i: int, gy: Any, into: Any, params: dict[str, Any]) -> Any:
    axis, starts = params["axis"], params["starts"]
    index = (slice(None),) * axis + (slice(starts[i], starts[i] + into.shape[axis]),)
    return gy[index]


def _concatenate_batch(xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]) -> Any:
    same = [x if b else np.broadcast_to(x, (size, *shape_of(x))) for x, b in zip(xs, batched, strict=True)]
    return bind(concatenate, *same, axis=params["axis"] + 1, starts=params["starts"])


concatenate = linear(
    name="concatenate",
    value=lambda *xs, axis, starts: np.concatenate(xs, axis=axis),
    transpose=_concatenate_transpose,
    batch=_concatenate_batch,
    infer=lambda *xs, axis, starts: Aval(
        (*xs[0].shape[:axis], sum(x.shape[axis] for x in xs), *xs[0].shape[axis + 1 :]), np.result_type(*[x.dtype for x in xs])
    ),
    doc=Doc("Arrays one after the other along an axis."),
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)), rng.standard_normal((2, 2))), {"axis": 1, "starts": (0, 3)}),
    ],
)
