"""Shapes: everything that moves elements without computing: linear, its adjoint moves them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.interpret import bind
from ..core.primitive import Doc, Primitive
from .families import linear
from .fitting import unbroadcast


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes ``axes``."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


reshape: Primitive = linear(
    name="reshape",
    value=lambda x, shape: np.reshape(x, shape),
    transpose=lambda i, gy, into, params: np.reshape(gy, into.shape),
    batch=lambda xs, batched, size, params: reshape(xs[0], shape=(size, *params["shape"])),
    infer=lambda x, shape: Aval(shape, x.dtype),
    doc=Doc("The same elements in another shape, in C order."),
    samples=lambda rng: [
        ((rng.standard_normal((2, 6)),), {"shape": (3, 4)}),
        ((rng.standard_normal(()),), {"shape": (1, 1)}),
    ],
)
transpose: Primitive = linear(
    name="transpose",
    value=lambda x, axes: np.transpose(x, axes),
    transpose=lambda i, gy, into, params: np.transpose(gy, inverse(params["axes"])),
    batch=lambda xs, batched, size, params: transpose(
        xs[0], axes=(0, *[k + 1 for k in params["axes"]])
    ),
    infer=lambda x, axes: Aval(tuple(x.shape[k] for k in axes), x.dtype),
    doc=Doc("Axes permuted."),
    samples=lambda rng: [((rng.standard_normal((2, 3, 4)),), {"axes": (2, 0, 1)})],
    notation="{0}ᵀ",
)
broadcast_to: Primitive = linear(
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


def _part(gy: Any, axis: int, entry: Any) -> Any:
    """``gy`` with ``entry`` as its index along ``axis``."""
    return gy[(slice(None),) * axis + (entry,)]


def _concatenate_transpose(i: int, gy: Any, into: Any, params: dict[str, Any]) -> Any:
    start = params["starts"][i]
    return _part(gy, params["axis"], slice(start, start + into.shape[params["axis"]]))


def _examples(xs: Sequence[Any], batched: Sequence[bool], size: int) -> list[Any]:
    """The operands, all with an example axis in front."""
    return [
        x if b else np.broadcast_to(x, (size, *shape_of(x)))
        for x, b in zip(xs, batched, strict=True)
    ]


concatenate: Primitive = linear(
    name="concatenate",
    value=lambda *xs, axis, starts: np.concatenate(xs, axis=axis),
    transpose=_concatenate_transpose,
    batch=lambda xs, batched, size, params: bind(
        concatenate,
        *_examples(xs, batched, size),
        axis=params["axis"] + 1,
        starts=params["starts"],
    ),
    infer=lambda *xs, axis, starts: Aval(
        (*xs[0].shape[:axis], sum(x.shape[axis] for x in xs), *xs[0].shape[axis + 1 :]),
        np.result_type(*[x.dtype for x in xs]),
    ),
    fresh=True,
    doc=Doc("Arrays one after the other along an axis."),
    samples=lambda rng: [
        (
            (rng.standard_normal((2, 3)), rng.standard_normal((2, 2))),
            {"axis": 1, "starts": (0, 3)},
        ),
        ((rng.standard_normal(0), rng.standard_normal(2)), {"axis": 0, "starts": (0, 0)}),
    ],
)
stack: Primitive = linear(
    name="stack",
    value=lambda *xs, axis: np.stack(xs, axis=axis),
    transpose=lambda i, gy, into, params: _part(gy, params["axis"], i),
    batch=lambda xs, batched, size, params: bind(
        stack, *_examples(xs, batched, size), axis=params["axis"] + 1
    ),
    infer=lambda *xs, axis: Aval(
        (*xs[0].shape[:axis], len(xs), *xs[0].shape[axis:]),
        np.result_type(*[x.dtype for x in xs]),
    ),
    fresh=True,
    doc=Doc("Arrays of one shape side by side along a new axis."),
    samples=lambda rng: [
        (tuple(rng.standard_normal((3, 2, 4))), {"axis": 1}),
        ((rng.standard_normal(()), rng.standard_normal(())), {"axis": 0}),
    ],
)

# --- diagonals ------------------------------------------------------------------------------------


def _embed_value(x: Any, offset: int, shape: tuple[int, int]) -> Any:
    x = np.asarray(x)
    result = np.zeros((*x.shape[:-1], *shape), x.dtype)
    rows = np.arange(x.shape[-1]) - min(offset, 0)
    result[..., rows, rows + offset] = x
    return result


def _diagonal_infer(x: Aval, offset: int) -> Aval:
    n, m = x.shape[-2:]
    return Aval((*x.shape[:-2], max(0, min(n + min(offset, 0), m - max(offset, 0)))), x.dtype)


diagonal: Primitive = linear(
    name="diagonal",
    value=lambda x, offset: np.diagonal(x, offset, -2, -1).copy(),
    transpose=lambda i, gy, into, params: embed_diagonal(gy, shape=into.shape[-2:], **params),
    batch=lambda xs, batched, size, params: diagonal(xs[0], **params),
    infer=_diagonal_infer,
    fresh=True,
    doc=Doc("The diagonals of matrices, `offset` columns to the right: (…, n, m) gives (…, k)."),
    samples=lambda rng: [
        ((rng.standard_normal(shape),), {"offset": offset})
        for shape, offset in [((3, 3), 0), ((2, 3, 4), 1), ((4, 2), -1), ((2, 3), -2)]
    ],
)
embed_diagonal: Primitive = linear(
    name="embed_diagonal",
    value=_embed_value,
    transpose=lambda i, gy, into, params: diagonal(gy, offset=params["offset"]),
    batch=lambda xs, batched, size, params: embed_diagonal(xs[0], **params),
    infer=lambda x, offset, shape: Aval((*x.shape[:-1], *shape), x.dtype),
    fresh=True,
    doc=Doc("Matrices of `shape` with x on a diagonal, `offset` columns to the right, else zero."),
    samples=lambda rng: [
        ((rng.standard_normal((3,)),), {"offset": 0, "shape": (3, 3)}),
        ((rng.standard_normal((2, 2)),), {"offset": -1, "shape": (4, 2)}),
    ],
)

# --- complex numbers ------------------------------------------------------------------------------


def _from_parts_value(x: Any, y: Any) -> Any:
    result = np.empty(np.shape(x), np.result_type(x, y, np.complex64))
    result.real, result.imag = x, y
    return result[()]


from_parts: Primitive = linear(
    name="from_parts",
    value=_from_parts_value,
    lower=lambda e, x, y: e.from_parts(x, y, e.dtype),
    transpose=lambda i, gy, into, params: np.imag(gy) if i else np.real(gy),
    batch=lambda xs, batched, size, params: bind(from_parts, *_examples(xs, batched, size)),
    infer=lambda x, y: Aval(x.shape, np.result_type(x.dtype, y.dtype, np.complex64)),
    fresh=True,
    doc=Doc("Complex numbers of their real and imaginary parts, two arrays of one shape."),
    samples=lambda rng: [(tuple(rng.standard_normal((2, 3))), {})],
)
