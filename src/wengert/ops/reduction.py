"""Reductions and cumulative operations along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.primitive import Doc, Interval, NotDifferentiable
from .families import (
    broadcast_infer,
    expanded,
    general,
    linear,
    normal_axes,
    reduce_batch,
    reduced_shape,
    reduction,
)

AXES = ({"axis": None}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1})


def _draws(rng: Any) -> Any:
    return [((rng.standard_normal((3, 4)),), params) for params in AXES]


def _sum_value(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


sum = linear(
    name="sum",
    value=_sum_value,
    transpose=lambda i, gy, into, params: np.broadcast_to(expanded(gy, into.shape, params.get("axis")), into.shape),
    batch=reduce_batch(lambda: sum),
    infer=lambda x, axis=None, keepdims=False: Aval(
        reduced_shape(x.shape, axis, keepdims), np.add.reduce(np.ones(1, x.dtype)).dtype
    ),
    doc=Doc("Sum of the elements along axes."),
    samples=_draws,
)


def _ties(y: Any, x: Any, axis: Any) -> Any:
    """1 at the extremum, shared equally where it is reached more than once."""
    hit = np.equal(x, y)
    return hit / np.sum(hit, axis=normal_axes(axis, len(shape_of(x))), keepdims=True)


max = reduction(
    name="max",
    value=np.maximum.reduce,
    partial=_ties,
    selects=True,
    complex=False,
    doc=Doc("Largest element along axes.", kinks="shared equally between equal elements"),
    samples=_draws,
)
min = reduction(
    name="min",
    value=np.minimum.reduce,
    partial=_ties,
    selects=True,
    complex=False,
    doc=Doc("Smallest element along axes.", kinks="shared equally between equal elements"),
    samples=_draws,
)
