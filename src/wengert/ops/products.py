"""Products: matmul and einsum; the other products of NumPy are written with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.primitive import Doc
from .families import bilinear, unbroadcast


def swap(x: Any) -> Any:
    """The last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def _matmul_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    rank = max(len(shape_of(x)) - b for x, b in zip(xs, batched, strict=True))
    aligned = []
    for x, b in zip(xs, batched, strict=True):
        shape = shape_of(x)
        aligned.append(np.reshape(x, (size, *(1,) * (rank + 1 - len(shape)), *shape[1:])) if b else x)
    return matmul(*aligned)


matmul = bilinear(
    name="matmul",
    value=np.matmul,
    transposes=(
        lambda gy, b, into, params: unbroadcast(np.matmul(gy, swap(b)), into.shape),
        lambda gy, a, into, params: unbroadcast(np.matmul(swap(a), gy), into.shape),
    ),
    batch=_matmul_batch,
    infer=lambda a, b: Aval(
        (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), np.result_type(a.dtype, b.dtype)
    ),
    doc=Doc("Product of matrices, or of stacks of matrices: (…, m, k) and (…, k, n) give (…, m, n)."),
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)), rng.standard_normal((3, 4))), {}),
        ((rng.standard_normal((5, 2, 3)), rng.standard_normal((3, 4))), {}),
        ((rng.standard_normal((5, 1, 2, 3)), rng.standard_normal((2, 3, 1))), {}),
    ],
    notation="{0} @ {1}",
)
