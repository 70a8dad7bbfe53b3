"""The accumulating product c + s a b of matrices: a step of gradient descent in one operation.

``W - lr * (Xᵀ @ D)`` written with NumPy makes the product, scales it, and subtracts it: three walks
over an array of the size of W. BLAS's ``gemm`` does all in the walk that the product needs anyway.
Passes over static graphs put it in place; it is an operation as any other. Layer: ``ops``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.primitive import Doc, Interval
from .blas import add_product
from .families import general
from .fitting import Like, fit
from .products import swap

LARGE = 1 << 14  # elements of the result from which gemm's fixed cost is worth it


def _accumulate_value(c: Any, a: Any, b: Any, s: Any, donate: bool = False) -> Any:
    result = c if donate else np.array(c, order="C")
    if result.size < LARGE or not add_product(result, a, b, s):
        result += s * np.matmul(a, b)
    return result


def _terms(xs: Sequence[Any], dxs: Sequence[Any]) -> list[Any]:
    """The parts of the tangent: c + s a b is linear in each."""
    (_, a, b, s), (dc, da, db, ds) = xs, dxs
    terms = [] if dc is None else [dc]
    if da is not None:
        terms.append(s * np.matmul(da, b))
    if db is not None:
        terms.append(s * np.matmul(a, db))
    if ds is not None:
        terms.append(ds * np.matmul(a, b))
    return terms


def _accumulate_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    first, *rest = _terms(xs, dxs)
    for term in rest:
        first = first + term
    return fit(first, Like(y))


def _accumulate_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    into = node.parents[i]
    if i == 0:
        return fit(gy, into)
    _, _, _, a, b, s = node.saved
    if i == 1:
        return fit(s * np.matmul(gy, swap(b)), into)
    if i == 2:
        return fit(s * np.matmul(swap(a), gy), into)
    return fit(np.sum(gy * np.matmul(a, b)), into)


def _accumulate_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    c, a, b, s = xs
    if batched[3]:
        s = np.reshape(s, (size, 1, 1))
    if not any(batched[:1]):
        c = np.broadcast_to(c, (size, *shape_of(c)))
    return c + s * np.matmul(a, b)


def _accumulate_samples(rng: np.random.Generator) -> list[Any]:
    draw = rng.standard_normal
    return [
        ((draw((m, n)), draw((m, k)), draw((k, n)), draw(())), {})
        for m, k, n in [(2, 3, 4), (3, 1, 2), (1, 2, 1), (2, 0, 3)]
    ]


accumulate = general(
    name="accumulate",
    value=_accumulate_value,
    jvp=_accumulate_jvp,
    pull=_accumulate_pull,
    reads=(frozenset(), frozenset({4, 5}), frozenset({3, 5}), frozenset({3, 4})),
    batch=_accumulate_batch,
    infer=lambda c, a, b, s, donate=False: Aval(c.shape, c.dtype),
    complex=False,
    fresh=True,
    donates=True,
    spreads=False,
    doc=Doc(
        "c + s a b of matrices (m, n), (m, k), (k, n) and a number s.",
        (Interval(), Interval(), Interval(), Interval()),
        source="J. Dongarra et al., ACM TOMS 16 (1990) 1, doi:10.1145/77626.79170",
    ),
    samples=_accumulate_samples,
    notation="{0} + {3} * ({1} @ {2})",
)
