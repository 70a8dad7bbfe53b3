"""The discrete convolution of two sequences. Layer: ``ops``, NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.primitive import Doc, Interval
from .families import bilinear


def _transpose(i: int) -> Any:
    """The adjoint of one sequence: that of the result, correlated with the other."""
    return lambda gy, other, into, params: np.convolve(gy, other[::-1], "valid")


def _convolve_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    """Each result element is a product of a window of ``a`` and ``v`` reversed."""
    a, v = xs
    if not batched[0]:
        (a, v), batched = (v, a), (True, batched[0])
    n, m = shape_of(a)[-1], shape_of(v)[-1]
    zeros = np.zeros((size, m - 1), a.dtype)
    padded = np.concatenate([zeros, a, zeros], axis=1)
    windows = padded[:, np.add.outer(np.arange(n + m - 1), np.arange(m))]
    if batched[1]:
        return np.matmul(windows, v[:, ::-1, None])[..., 0]
    return np.matmul(windows, v[::-1])


def _convolve_infer(a: Aval, v: Aval) -> Aval:
    dtype = np.result_type(a.dtype, v.dtype)
    return Aval((a.shape[0] + v.shape[0] - 1,), dtype)


convolve = bilinear(
    name="convolve",
    value=lambda a, v: np.convolve(a, v),
    transposes=(_transpose(0), _transpose(1)),
    batch=_convolve_batch,
    infer=_convolve_infer,
    doc=Doc("Full discrete convolution of two sequences.", (Interval(), Interval())),
    samples=lambda rng: [
        ((rng.standard_normal(n), rng.standard_normal(m)), {}) for n, m in ((4, 3), (1, 5), (3, 3))
    ],
)
