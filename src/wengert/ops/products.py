"""Products: ``matmul`` and ``einsum`` of two arrays; the other products of NumPy are written with
them.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.primitive import Doc, Primitive
from .families import bilinear
from .fitting import unbroadcast

# --- matmul ---------------------------------------------------------------------------------------


def swap(x: Any) -> Any:
    """The last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def _adjoint_of_left(gy: Any, b: Any, into: Any, params: dict[str, Any]) -> Any:
    rank = len(into.shape)
    if rank == 2 and b.ndim == 2:
        return np.matmul(gy, b.T)
    if b.ndim == 1:
        return unbroadcast(np.expand_dims(gy, -1) * b, into.shape)
    if rank == 1:
        return unbroadcast(np.matmul(b, np.expand_dims(gy, -1))[..., 0], into.shape)
    return unbroadcast(np.matmul(gy, swap(b)), into.shape)


def _adjoint_of_right(gy: Any, a: Any, into: Any, params: dict[str, Any]) -> Any:
    rank = len(into.shape)
    if rank == 2 and a.ndim == 2:
        return np.matmul(a.T, gy)
    if a.ndim == 1:
        if rank == 1:
            return gy * a
        return unbroadcast(np.expand_dims(a, -1) * np.expand_dims(gy, -2), into.shape)
    if rank == 1:
        return unbroadcast(np.matmul(swap(a), np.expand_dims(gy, -1))[..., 0], into.shape)
    return unbroadcast(np.matmul(swap(a), gy), into.shape)


def _matmul_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    """Vectors become matrices of one row or column, then every operand has its example axis in
    front.
    """
    shapes = [shape_of(x)[b:] for x, b in zip(xs, batched, strict=True)]
    vectors = [len(shape) == 1 for shape in shapes]
    full = [
        (1, *shapes[0]) if vectors[0] else shapes[0],
        (*shapes[1], 1) if vectors[1] else shapes[1],
    ]
    rank = max(len(shape) for shape in full)
    a, b = (
        np.reshape(x, (size, *(1,) * (rank - len(shape)), *shape) if is_batched else shape)
        for x, shape, is_batched in zip(xs, full, batched, strict=True)
    )
    y = matmul(a, b)
    lengths = list(shape_of(y))
    if vectors[1]:
        del lengths[-1]
    if vectors[0]:
        del lengths[-1 if vectors[1] else -2]
    return np.reshape(y, tuple(lengths)) if any(vectors) else y


def _matmul_infer(a: Aval, b: Aval) -> Aval:
    one = np.zeros(())
    shape = np.matmul(np.broadcast_to(one, a.shape), np.broadcast_to(one, b.shape)).shape
    return Aval(shape, np.result_type(a.dtype, b.dtype))


matmul: Primitive = bilinear(
    name="matmul",
    value=np.matmul,
    ufunc=np.matmul,
    transposes=(_adjoint_of_left, _adjoint_of_right),
    batch=_matmul_batch,
    infer=_matmul_infer,
    doc=Doc(
        "Product of matrices, or of stacks of matrices: (…, m, k) and (…, k, n) give (…, m, n). A "
        "vector on the left is a row, on the right a column."
    ),
    samples=lambda rng: [
        ((rng.standard_normal(a), rng.standard_normal(b)), {})
        for a, b in [
            ((2, 3), (3, 4)),
            ((5, 2, 3), (3, 4)),
            ((5, 1, 2, 3), (2, 3, 1)),
            ((3,), (3,)),
            ((3,), (3, 4)),
            ((2, 3), (3,)),
            ((5, 2, 3), (3,)),
            ((3,), (5, 3, 2)),
            ((2, 0), (0, 3)),
        ]
    ],
    notation="{0} @ {1}",
)

# --- einsum ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _layout(a: str, b: str, out: str) -> tuple[Any, ...]:
    """How a product of labelled axes is one of stacks of matrices: the axes to move, and how many
    of each kind.
    """
    both = [k for k in out if k in a and k in b]
    summed = [k for k in a if k in b and k not in out]
    left = [k for k in a if k not in b]
    right = [k for k in b if k not in a]
    found = both + left + right
    return (
        tuple(a.index(k) for k in both + left + summed),
        tuple(b.index(k) for k in both + summed + right),
        tuple(found.index(k) for k in out),
        len(both),
        len(left),
        len(summed),
    )


def _einsum_value(x: Any, y: Any, a: str, b: str, out: str) -> Any:
    of_x, of_y, order, both, left, summed = _layout(a, b, out)
    x, y = np.asarray(x).transpose(of_x), np.asarray(y).transpose(of_y)
    stack, rows, columns = x.shape[:both], x.shape[both : both + left], y.shape[both + summed :]
    if summed:
        inner = prod(x.shape[both + left :])
        x = x.reshape((*stack, prod(rows), inner))
        y = y.reshape((*stack, inner, prod(columns)))
        product = np.matmul(x, y).reshape((*stack, *rows, *columns))
    else:
        product = x.reshape((*stack, *rows, *(1,) * len(columns))) * y.reshape(
            (*stack, *(1,) * len(rows), *columns)
        )
    return np.ascontiguousarray(product.transpose(order)) if order else product[()]


def _einsum_expanded(x: Any, y: Any, a: str, b: str, out: str) -> Any:
    of_x, of_y, order, both, left, summed = _layout(a, b, out)
    x, y = np.transpose(x, of_x), np.transpose(y, of_y)
    x_shape, y_shape = shape_of(x), shape_of(y)
    stack, rows, columns = x_shape[:both], x_shape[both : both + left], y_shape[both + summed :]
    if summed:
        inner = prod(x_shape[both + left :])
        product = np.matmul(
            np.reshape(x, (*stack, prod(rows), inner)),
            np.reshape(y, (*stack, inner, prod(columns))),
        )
    else:
        product = np.reshape(x, (*stack, *rows, *(1,) * len(columns))) * np.reshape(
            y, (*stack, *(1,) * len(rows), *columns)
        )
    return np.copy(np.transpose(np.reshape(product, (*stack, *rows, *columns)), order))


def _einsum_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    a, b, out = params["a"], params["b"], params["out"]
    fresh = next(k for k in ascii_letters if k not in a + b + out)
    a, b = (fresh + k if is_batched else k for k, is_batched in zip((a, b), batched, strict=True))
    return einsum(*xs, a=a, b=b, out=fresh + out)


def _einsum_infer(x: Aval, y: Aval, a: str, b: str, out: str) -> Aval:
    lengths = dict(zip(a + b, x.shape + y.shape, strict=True))
    return Aval(tuple(lengths[k] for k in out), np.result_type(x.dtype, y.dtype))


einsum: Primitive = bilinear(
    name="einsum",
    value=_einsum_value,
    expand=_einsum_expanded,
    transposes=(
        lambda gy, y, into, p: einsum(gy, y, a=p["out"], b=p["b"], out=p["a"]),
        lambda gy, x, into, p: einsum(gy, x, a=p["out"], b=p["a"], out=p["b"]),
    ),
    batch=_einsum_batch,
    infer=_einsum_infer,
    doc=Doc(
        "Sum of products of two arrays with labelled axes: `a`, `b` label theirs, each label once, "
        "`out` those of the result; the others are summed, and stand in both."
    ),
    samples=lambda rng: [
        (
            (rng.standard_normal(s), rng.standard_normal(t)),
            dict(zip(("a", "b", "out"), labels, strict=True)),
        )
        for s, t, labels in [
            ((2, 3), (3, 4), ("ij", "jk", "ik")),
            ((2, 3, 4), (4, 2, 5), ("ijk", "kil", "lji")),
            ((2, 3), (4,), ("ij", "k", "kji")),
            ((3,), (3,), ("i", "i", "")),
            ((2, 3), (2, 3), ("ij", "ij", "ij")),
        ]
    ],
)
