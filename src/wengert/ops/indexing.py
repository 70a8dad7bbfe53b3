"""Reading and writing elements: ``getitem``, ``setitem``, ``scatter_add``, with every index that
NumPy takes.

An index is split into a template and the arrays in it, which are operands: ``x[1:, rows]`` is
``getitem(x, rows, index=(slice(1, None), Slot(0)))``. The adjoint of a read is a few elements
(``Scattered``), that of a write everything but a few (``Erased``): a sweep adds the first into a
buffer that it owns, and erases in it, so that n reads and writes of an array cost O(n) backwards
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import interpret
from ..core.aval import Aval
from ..core.box import Box, dtype_of, shape_of
from ..core.primitive import Doc, Primitive, keeping
from .families import general
from .fitting import cast, fit
from .index import (
    BatchedIndex,
    Slot,
    Template,
    at_zero,
    has_duplicates,
    is_basic,
    join_index,
    picks,
    result_shape,
    split_index,
)

__all__ = [
    "Erased",
    "Scattered",
    "Slot",
    "Template",
    "at_zero",
    "getitem",
    "is_basic",
    "picks",
    "scatter_add",
    "setitem",
    "split_index",
]

# --- contributions to adjoints that are not whole arrays ------------------------------------------


class Scattered:
    """A contribution of ``g`` at ``index`` and zero elsewhere."""

    __slots__ = ("g", "index")

    def __init__(self, index: Any, g: Any) -> None:
        self.index, self.g = index, g

    def buffer(self, node: Any, present: Any) -> Any:
        """What to add into: zeros like the node, or the adjoint so far in a place of its own."""
        if present is None:
            present = np.zeros(node.shape, node.dtype)
        else:
            present = present.copy() if isinstance(present, Box) else np.array(present)
        return at_current_level(present, self.g, self.index)

    def add_to(self, buffer: Any) -> Any:
        """The buffer with the contribution added, in place where it can be."""
        if not isinstance(buffer, Box | np.ndarray):  # a sum of arrays without axes is a scalar
            buffer = np.array(buffer)
        buffer = at_current_level(buffer, self.g, self.index)
        if isinstance(buffer, Box) or any(
            isinstance(e, np.ndarray) and e.dtype.kind in "iu" for e in entries_of(self.index)
        ):
            np.add.at(buffer, self.index, self.g)
        else:
            buffer[self.index] += self.g
        return buffer


def entries_of(index: Any) -> tuple[Any, ...]:
    """The entries of an index."""
    return index if isinstance(index, tuple) else (index,)


def at_current_level(buffer: Any, value: Any, index: Any) -> Any:
    """``buffer`` as a handle of the current interpreter, if it, what is written into it, or where,
    is a handle; a handle of the current interpreter as it is.
    """
    if not any(isinstance(part, Box) for part in (buffer, value, *entries_of(index))):
        return buffer
    level = interpret.current.get().home((buffer, value, *entries_of(index)))
    return buffer if isinstance(buffer, Box) and buffer._owner is level else level.owned(buffer)


NOWHERE = object()  # the index of no element


class Erased:
    """A contribution of ``g`` with zeros at ``index``, or of all of ``g`` if that is ``NOWHERE``.
    ``number``: of the node whose adjoint ``g`` is.
    """

    __slots__ = ("g", "index", "number")

    def __init__(self, index: Any, g: Any, number: int) -> None:
        self.index, self.g, self.number = index, g, number

    def erase(self, overwrite: bool) -> Any:
        """The contribution as an array; ``overwrite``: in ``g`` itself."""
        g: Any = self.g
        if not overwrite or not isinstance(g, Box | np.ndarray):
            g = g.copy() if isinstance(g, Box) else np.array(g)
        if self.index is not NOWHERE:
            g = at_current_level(g, None, self.index)
            g[self.index] = 0
        return g


# --- reading --------------------------------------------------------------------------------------


def _getitem_value(x: Any, *arrays: Any, index: Template) -> Any:
    if type(x) is not np.ndarray:
        x = np.asarray(x)
    if arrays:
        return x[join_index(index, arrays)]
    result = x[index]
    # a small part is copied, so that it does not hold its whole base: writing into the base stays
    # cheap
    if type(result) is np.ndarray and result.size * 2 < x.size:
        return result.copy("K")
    return result


def _getitem_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    return Scattered(join_index(node.params["index"], node.saved[3:]), gy)


def _getitem_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    x, *arrays = xs
    layout = BatchedIndex(
        shape_of(x)[1:] if batched[0] else shape_of(x),
        batched[0],
        arrays,
        batched[1:],
        size,
        params["index"],
    )
    return layout.to_front(getitem(x, *layout.arrays, index=layout.index))


class KeepArrays(dict[int, Any]):
    """Keeps the index arrays only, from ``first`` on."""

    def __init__(self, first: int, active: int) -> None:
        super().__init__()
        self.first, self.active = first, active

    def __missing__(self, mask: int) -> Any:
        if not mask & self.active:
            return False
        first = self.first
        return lambda full: (
            ((None,) * first + tuple(full[first:])) if len(full) > first else (None,) * first
        )


def _indexed(name: str, count: int, **rules: Any) -> Any:
    """A general primitive whose first ``count`` arguments are active, and whose further ones are
    index arrays.
    """
    primitive = general(name=name, reads=(), **rules)
    return keeping(primitive, KeepArrays(2 + count, (1 << count) - 1))


getitem: Primitive = _indexed(
    "getitem",
    1,
    value=_getitem_value,
    jvp=lambda y, xs, dxs, params: getitem(dxs[0], *xs[1:], **params),
    pull=_getitem_pull,
    batch=_getitem_batch,
    infer=lambda x, *arrays, index: Aval(
        result_shape(x.shape, index, [np.zeros(a.shape, a.dtype) for a in arrays]), x.dtype
    ),
    selects=True,
    doc=Doc("x[index]: a part of x, or a gathering of its elements."),
    samples=lambda rng: [
        ((rng.standard_normal((4, 3)),), {"index": (slice(1, None, 2), None, -1)}),
        ((rng.standard_normal((4, 3)),), {"index": (slice(None), slice(None, None, -1))}),
        (
            (rng.standard_normal((4, 3)), np.array([0, 0, 3]), np.array([1, 1, 2])),
            {"index": (Slot(0), Slot(1))},
        ),
        (
            (rng.standard_normal((2, 3, 4)), np.array([[0, 1], [1, 1]])),
            {"index": (0, slice(None), Slot(0))},
        ),
        (
            (rng.standard_normal(5), np.array([True, False, True, True, False])),
            {"index": (Slot(0),)},
        ),
    ],
    notation="{0}[…]",
)


# --- writing --------------------------------------------------------------------------------------


def _setitem_value(x: Any, v: Any, *arrays: Any, index: Template, donate: bool = False) -> Any:
    result = x if donate else np.array(x, order="K")
    result[join_index(index, arrays)] = v
    return result


def _setitem_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    dx, dv = dxs[0], dxs[1]
    if dx is None:
        dx, params = _owned_zeros(xs[0]), {**params, "donate": True}
    return setitem(dx, 0 if dv is None else dv, *xs[2:], **params)


def _owned_zeros(x: Any) -> Any:
    return np.zeros(shape_of(x), x.dtype)


def _setitem_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    index, arrays = node.params["index"], node.saved[4:]
    if i == 0:
        return Erased(join_index(index, arrays), gy, node.number)
    if _is_mask(index, arrays) and isinstance(arrays[0], Box) and not node.parents[1].shape:
        from .comparison import where

        return fit(np.sum(where(_trailing(arrays[0], len(shape_of(gy))), gy, 0)), node.parents[1])
    g = getitem(gy, *arrays, index=index)
    if not arrays and not isinstance(g, Box):
        g = np.array(g)  # what follows may erase gy in place
    if has_duplicates(arrays):
        g = g * _last_writers(shape_of(gy), index, arrays)
    return fit(g, node.parents[1])


def _last_writers(shape: tuple[int, ...], index: Template, arrays: Sequence[Any]) -> Any:
    """1 where an element of the written value is still there at the end, 0 where a later one came
    over it.
    """
    at = join_index(index, arrays)
    plain = [np.zeros(a.shape, a.dtype) if isinstance(a, Box) else a for a in arrays]
    target = result_shape(shape, index, plain)
    order = np.arange(int(np.prod(target))).reshape(target)
    if any(isinstance(a, Box) for a in arrays):
        written = setitem(np.zeros(shape, np.intp), order, *arrays, index=index)
        return np.equal(getitem(written, *arrays, index=index), order)
    written = np.empty(shape, np.intp)
    written[at] = order
    return written[at] == order


def _is_mask(index: Template, arrays: Sequence[Any]) -> bool:
    """Whether the index is one boolean array."""
    return len(arrays) == 1 and len(index) == 1 and arrays[0].dtype.kind == "b"


def _trailing(mask: Any, ndim: int) -> Any:
    """``mask``, which is for the leading axes, with ones behind them: ``ndim`` axes in all."""
    return np.reshape(mask, (*shape_of(mask), *(1,) * (ndim - len(shape_of(mask)))))


def _setitem_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    x, v, *arrays = xs
    shape = shape_of(x)[1:] if batched[0] else shape_of(x)
    index = params["index"]
    if _is_mask(index, arrays) and batched[2] and len(shape_of(v)) == batched[1]:
        from .comparison import where  # y[mask] = number: a selection

        mask, v = _trailing(arrays[0], len(shape) + 1), cast(v, dtype_of(x))
        return where(mask, np.reshape(v, (size,) + (1,) * len(shape)) if batched[1] else v, x)
    if not batched[0]:
        x, params = np.broadcast_to(x, (size, *shape)), {**params, "donate": False}
    layout = BatchedIndex(shape, True, arrays, batched[2:], size, index)
    v_shape = shape_of(v)[1:] if batched[1] else shape_of(v)
    if batched[1]:
        v = np.reshape(v, (size,) + (1,) * (len(layout.example_shape) - len(v_shape)) + v_shape)
    v = layout.from_front(np.broadcast_to(v, (size, *layout.example_shape)))
    return setitem(x, v, *layout.arrays, index=layout.index, donate=params.get("donate", False))


setitem: Primitive = _indexed(
    "setitem",
    2,
    value=_setitem_value,
    jvp=_setitem_jvp,
    pull=_setitem_pull,
    batch=_setitem_batch,
    infer=lambda x, *rest, **params: Aval(x.shape, x.dtype),
    fresh=True,
    donates=True,
    selects=True,
    doc=Doc("x with x[index] = v; with an index named twice the last writer wins."),
    samples=lambda rng: [
        ((rng.standard_normal((4, 3)), rng.standard_normal(3)), {"index": (slice(1, None, 2),)}),
        ((rng.standard_normal((4, 3)), rng.standard_normal(())), {"index": (2, -1)}),
        (
            (
                rng.standard_normal((4, 3)),
                rng.standard_normal(2),
                np.array([0, 3]),
                np.array([1, 2]),
            ),
            {"index": (Slot(0), Slot(1))},
        ),
        (
            (rng.standard_normal(5), rng.standard_normal(3), np.array([1, 1, 4])),
            {"index": (Slot(0),)},
        ),
        (
            (
                rng.standard_normal(5),
                rng.standard_normal(3),
                np.array([True, False, True, True, False]),
            ),
            {"index": (Slot(0),)},
        ),
    ],
    notation="{0} with […] = {1}",
)


def _scatter_value(x: Any, v: Any, *arrays: Any, index: Template, donate: bool = False) -> Any:
    result = x if donate else np.array(x, order="K")
    np.add.at(result, join_index(index, arrays), v)
    return result


def _scatter_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    dx, dv = dxs[0], dxs[1]
    if dx is None:
        dx, params = _owned_zeros(xs[0]), {**params, "donate": True}
    return dx if dv is None else scatter_add(dx, dv, *xs[2:], **params)


def _scatter_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    if i == 0:  # the buffer itself, if the sweep owns it: further back it may be written into
        return Erased(NOWHERE, gy, node.number)
    g = getitem(gy, *node.saved[4:], index=node.params["index"])
    if not node.saved[4:] and not isinstance(g, Box):
        g = np.array(g)
    return fit(g, node.parents[1])


def _scatter_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    x, v, *arrays = xs
    shape = shape_of(x)[1:] if batched[0] else shape_of(x)
    if not batched[0]:
        x, params = np.broadcast_to(x, (size, *shape)), {**params, "donate": False}
    layout = BatchedIndex(shape, True, arrays, batched[2:], size, params["index"])
    v_shape = shape_of(v)[1:] if batched[1] else shape_of(v)
    if batched[1]:
        v = np.reshape(v, (size,) + (1,) * (len(layout.example_shape) - len(v_shape)) + v_shape)
    v = layout.from_front(np.broadcast_to(v, (size, *layout.example_shape)))
    return scatter_add(x, v, *layout.arrays, index=layout.index, donate=params.get("donate", False))


scatter_add: Primitive = _indexed(
    "scatter_add",
    2,
    value=_scatter_value,
    jvp=_scatter_jvp,
    pull=_scatter_pull,
    batch=_scatter_batch,
    infer=lambda x, *rest, **params: Aval(x.shape, x.dtype),
    fresh=True,
    donates=True,
    doc=Doc("x with v added at x[index]; an index named twice adds twice (``np.add.at``)."),
    samples=lambda rng: [
        (
            (rng.standard_normal(5), rng.standard_normal(3), np.array([1, 1, 4])),
            {"index": (Slot(0),)},
        ),
        ((rng.standard_normal((4, 3)), rng.standard_normal(3)), {"index": (slice(1, None, 2),)}),
    ],
    notation="{0} with […] += {1}",
)
