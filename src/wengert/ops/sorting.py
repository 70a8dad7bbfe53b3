"""Orders and positions: constants to derivatives, with which sorted values are gathered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.errors import UnsupportedError
from ..core.interpret import bind
from ..core.primitive import Doc, Interval, NotDifferentiable, Primitive
from .families import general
from .reduction import along_batch

POSITIONS = np.dtype(np.intp)


def _constant(name: str, value: Callable[..., Any], summary: str, **more: Any) -> Primitive:
    """A primitive that gives positions or counts."""
    arity = more.pop("arity", 1)
    return general(
        name=name,
        value=value,
        jvp=lambda y, xs, dxs, params: None,
        pull=NotDifferentiable(f"{name} gives positions, which have no derivative"),
        reads=(None,) * arity,
        doc=Doc(summary, (Interval(),) * arity),
        **more,
    )


def _rows(rng: Any) -> Any:
    return rng.standard_normal((3, 4))


argsort: Primitive = _constant(
    "argsort",
    lambda x, axis, kind=None, stable=None: np.argsort(x, axis=axis, kind=kind, stable=stable),
    "The positions that sort the elements along an axis.",
    batch=along_batch(lambda: argsort),
    infer=lambda x, axis, **params: Aval(x.shape, POSITIONS),
    samples=lambda rng: [((_rows(rng),), {"axis": axis}) for axis in (0, 1)],
)
argpartition: Primitive = _constant(
    "argpartition",
    lambda x, axis, kth: np.argpartition(x, kth, axis=axis),
    "The positions that put the elements `kth` of an axis in their sorted place, smaller ones "
    "before them.",
    batch=along_batch(lambda: argpartition),
    infer=lambda x, axis, kth: Aval(x.shape, POSITIONS),
    samples=lambda rng: [((_rows(rng),), {"axis": 1, "kth": 2})],
)


def _searchsorted_value(a: Any, v: Any, side: str, stacked: int = 0) -> Any:
    if not stacked:
        return np.searchsorted(a, v, side=side)  # type: ignore[call-overload]
    result = np.empty(v.shape, np.intp)
    for index in np.ndindex(v.shape[:stacked]):
        result[index] = np.searchsorted(a[index], v[index], side=side)  # type: ignore[call-overload]
    return result


def _searchsorted_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    same = [
        x if b else np.broadcast_to(x, (size, *shape_of(x)))
        for x, b in zip(xs, batched, strict=True)
    ]
    return bind(searchsorted, *same, **{**params, "stacked": params.get("stacked", 0) + 1})


searchsorted: Primitive = _constant(
    "searchsorted",
    _searchsorted_value,
    "Where the elements of v would stand in the sorted a; both with `stacked` leading axes in "
    "common.",
    batch=_searchsorted_batch,
    infer=lambda a, v, **params: Aval(v.shape, POSITIONS),
    samples=lambda rng: [
        ((np.sort(rng.standard_normal(5)), _rows(rng)), {"side": "left"}),
        ((np.sort(_rows(rng)), _rows(rng)), {"side": "right", "stacked": 1}),
    ],
    arity=2,
)


# --- results whose length depends on the values ---------------------------------------------------


def _no_batch(name: str, remedy: str) -> Callable[..., Any]:
    def batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
        raise UnsupportedError(
            f"{name} under vmap: every example has a result of its own length. {remedy}"
        )

    return batch


def _no_shape(*avals: Aval, **params: Any) -> tuple[Aval, ...]:
    raise UnsupportedError("the shape of this result depends on the values")


nonzero: Primitive = _constant(
    "nonzero",
    lambda x: np.nonzero(x),
    "The positions of the elements that are not zero: an array for each axis.",
    batch=_no_batch("nonzero", "Write np.where(mask, a, b), or np.sum(x, where=mask)"),
    infer=_no_shape,
    multiple=True,
    samples=lambda rng: [((rng.integers(0, 2, (3, 4)),), {})],
)


def _unique_value(
    x: Any, axis: int | None = None, equal_nan: bool = True
) -> Sequence[np.ndarray[Any, Any]]:
    return np.unique(
        x,
        return_index=True,
        return_inverse=True,
        return_counts=True,
        axis=axis,
        equal_nan=equal_nan,
    )[1:]


unique_positions: Primitive = _constant(
    "unique_positions",
    _unique_value,
    "Of the sorted distinct elements: where each comes first, which one every element is, and how "
    "often each comes.",
    batch=_no_batch("unique", "Sort the elements instead"),
    infer=_no_shape,
    multiple=True,
    samples=lambda rng: [
        ((rng.integers(0, 3, 6),), {}),
        ((rng.integers(0, 2, (6, 2)),), {"axis": 0}),
    ],
)
