"""Reading and writing elements: ``getitem``, ``setitem``, ``scatter_add``, with every index that
NumPy takes.

An index is split into a template and the arrays in it, which are operands: ``x[1:, rows]`` is
``getitem(x, rows, index=(slice(1, None), Slot(0)))``. The adjoint of a read is a few elements
(``Scattered``), that of a write everything but a few (``Erased``): a sweep adds the first into a
buffer that it owns, and erases in it, so that n reads and writes of an array cost O(n) backwards
too.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import BATCHED, Box, shape_of
from ..core.errors import BoundsError, UnsupportedError
from ..core.primitive import Doc
from .families import fit, general


@dataclass(frozen=True)
class Slot:
    """The place of index array ``number`` in a template."""

    number: int


Template = tuple[Any, ...]


def split_index(index: Any) -> tuple[Template, tuple[Any, ...]]:
    """``(template, arrays)`` of a user's index. Raises ``BoundsError`` for what can't index."""
    entries = index if isinstance(index, tuple) else (index,)
    template: list[Any] = []
    arrays: list[Any] = []
    for entry in entries:
        kind = type(entry)
        if kind is int or entry is None or entry is Ellipsis:
            template.append(entry)
        elif kind is slice:
            template.append(slice(_count(entry.start), _count(entry.stop), _count(entry.step)))
        elif kind is bool or isinstance(entry, np.bool_):
            template.append(Slot(len(arrays)))
            arrays.append(np.asarray(entry))
        elif isinstance(entry, Box):
            _index_array(entry, template, arrays)
        elif isinstance(entry, np.ndarray | list | tuple):
            array = np.array(
                entry,
                dtype=np.intp if not len(entry) and not isinstance(entry, np.ndarray) else None,
            )
            if array.dtype.kind not in "iub":
                raise BoundsError(
                    "an index array must hold integers or booleans, got "
                    f"{array.dtype}{list(array.shape)}"
                )
            template.append(Slot(len(arrays)))
            arrays.append(array)
        elif hasattr(entry, "__index__"):
            template.append(operator.index(entry))
        else:
            raise BoundsError(
                "an index must be an integer, a slice, None, ... or an array of integers or "
                f"booleans, got {entry!r}"
            )
    return tuple(template), tuple(arrays)


def _count(entry: Any) -> Any:
    return entry if entry is None or type(entry) is int else operator.index(entry)


def _index_array(entry: Any, template: list[Any], arrays: list[Any]) -> None:
    """A handle used as an index: the number that it holds, or an operand where examples differ."""
    entry.refresh()
    if entry.dtype.kind not in "iub":
        raise BoundsError(
            f"an index array must hold integers or booleans, got {entry.dtype}{list(entry.shape)}"
        )
    box: Any = entry
    while isinstance(box, Box) and box._node is not BATCHED:
        box = box._value
    if isinstance(box, Box):
        template.append(Slot(len(arrays)))
        arrays.append(entry)
    elif np.ndim(box) == 0 and np.asarray(box).dtype.kind in "iu":
        template.append(int(box))
    else:
        template.append(Slot(len(arrays)))
        arrays.append(np.array(box))


def join_index(template: Template, arrays: Sequence[Any]) -> Any:
    """The index that NumPy takes."""
    if not arrays:
        return template
    return tuple(arrays[entry.number] if type(entry) is Slot else entry for entry in template)


def is_basic(template: Template) -> bool:
    """Whether the index makes a view in NumPy."""
    return not any(type(entry) is Slot for entry in template)


def has_duplicates(arrays: Sequence[Any]) -> bool:
    """Whether an index may name an element twice: with integer arrays it may."""
    return any(
        np.asarray(a).dtype.kind in "iu" if not isinstance(a, Box) else a.dtype.kind in "iu"
        for a in arrays
    )


def result_shape(shape: tuple[int, ...], index: Template, arrays: Sequence[Any]) -> tuple[int, ...]:
    """The shape of ``x[index]`` for an x of ``shape``."""
    return np.broadcast_to(np.empty(()), shape)[join_index(index, arrays)].shape


# --- contributions to adjoints that are not whole arrays ------------------------------------------


class Scattered:
    """A contribution of ``g`` at ``index`` and zero elsewhere."""

    __slots__ = ("g", "index")

    def __init__(self, index: Any, g: Any) -> None:
        self.index, self.g = index, g

    def buffer(self, node: Any, present: Any) -> Any:
        """What to add into: zeros like the node, or a copy of the adjoint so far, that may be
        overwritten.
        """
        if present is not None:
            return np.array(present) if not isinstance(present, Box) else present.copy()
        buffer = np.zeros(node.shape, node.dtype)
        return buffer if not isinstance(self.g, Box) else self.g._owner.owned(buffer)

    def add_to(self, buffer: Any) -> Any:
        """The buffer with the contribution added, in place where it can be."""
        if isinstance(self.g, Box) and not isinstance(buffer, Box):
            buffer = self.g._owner.owned(buffer)
        entries = self.index if isinstance(self.index, tuple) else (self.index,)
        if isinstance(buffer, Box) or any(
            isinstance(e, np.ndarray) and e.dtype.kind in "iu" for e in entries
        ):
            np.add.at(buffer, self.index, self.g)
        else:
            buffer[self.index] += self.g
        return buffer


class Erased:
    """A contribution of ``g`` with zeros at ``index``. ``number``: of the node whose adjoint ``g``
    is.
    """

    __slots__ = ("g", "index", "number")

    def __init__(self, index: Any, g: Any, number: int) -> None:
        self.index, self.g, self.number = index, g, number

    def erase(self, overwrite: bool) -> Any:
        """The contribution as an array; ``overwrite``: in ``g`` itself."""
        g = self.g
        if not overwrite:
            g = g.copy() if isinstance(g, Box) else np.array(g)
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
    object.__setattr__(primitive, "keep", KeepArrays(2 + count, (1 << count) - 1))
    return primitive


getitem = _indexed(
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
    target = result_shape(shape, index, arrays)
    order = np.arange(int(np.prod(target))).reshape(target)
    written = np.empty(shape, np.intp)
    written[at] = order
    return written[at] == order


def _setitem_batch(xs: Any, batched: Any, size: int, params: dict[str, Any]) -> Any:
    x, v, *arrays = xs
    shape = shape_of(x)[1:] if batched[0] else shape_of(x)
    index = params["index"]
    mask = (
        arrays[0]
        if len(arrays) == 1 and len(index) == 1 and batched[2] and arrays[0].dtype.kind == "b"
        else None
    )
    if mask is not None and len(shape_of(v)) - batched[1] == 0:  # y[mask] = number: a selection
        from .comparison import where

        return where(mask, np.reshape(v, (size,) + (1,) * len(shape)) if batched[1] else v, x)
    if not batched[0]:
        x, params = np.broadcast_to(x, (size, *shape)), {**params, "donate": False}
    layout = BatchedIndex(shape, True, arrays, batched[2:], size, index)
    v_shape = shape_of(v)[1:] if batched[1] else shape_of(v)
    if batched[1]:
        v = np.reshape(v, (size,) + (1,) * (len(layout.example_shape) - len(v_shape)) + v_shape)
    v = layout.from_front(np.broadcast_to(v, (size, *layout.example_shape)))
    return setitem(x, v, *layout.arrays, index=layout.index, donate=params.get("donate", False))


setitem = _indexed(
    "setitem",
    2,
    value=_setitem_value,
    jvp=_setitem_jvp,
    pull=_setitem_pull,
    batch=_setitem_batch,
    infer=lambda x, *rest, **params: Aval(x.shape, x.dtype),
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
    if i == 0:
        return gy
    return fit(getitem(gy, *node.saved[4:], index=node.params["index"]), node.parents[1])


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


scatter_add = _indexed(
    "scatter_add",
    2,
    value=_scatter_value,
    jvp=_scatter_jvp,
    pull=_scatter_pull,
    batch=_scatter_batch,
    infer=lambda x, *rest, **params: Aval(x.shape, x.dtype),
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


# --- batching of an index -------------------------------------------------------------------------


class BatchedIndex:
    """An index on examples of ``shape``, as one on all examples at once.

    ``index`` and ``arrays`` are those to use; ``to_front`` brings the example axis of the result to
    the front and the rest in the order that one example has; ``from_front`` is its inverse.
    ``example_shape``: the result's for one example.
    """

    def __init__(
        self,
        shape: Any,
        x_batched: bool,
        arrays: Sequence[Any],
        batched: Sequence[bool],
        size: int,
        index: Template,
    ) -> None:
        examples = [
            np.zeros(
                shape_of(a)[1:] if b else shape_of(a), np.intp if a.dtype.kind != "b" else bool
            )
            for a, b in zip(arrays, batched, strict=True)
        ]
        if any(b and a.dtype.kind == "b" for a, b in zip(arrays, batched, strict=True)):
            raise UnsupportedError(
                "an index by a boolean mask under vmap: every example has its own number of "
                "elements. Write np.where(mask, a, b), or np.sum(x, where=mask)"
            )
        self.example_shape = result_shape(
            shape,
            index,
            [
                a if not isinstance(a, Box) and not b else e
                for a, b, e in zip(arrays, batched, examples, strict=True)
            ],
        )
        self.order: list[int] | None = None
        if not any(batched):
            self.arrays = tuple(arrays)
            self.index = (slice(None), *index) if x_batched else index
            if x_batched and arrays and self._separated(index):
                front = np.broadcast_shapes(
                    *[np.shape(a) for a in arrays if a.dtype.kind != "b"] or [()]
                )
                rank = len(self.example_shape) + 1
                lead = len(front)
                self.order = [lead, *range(lead), *range(lead + 1, rank)]
            return
        rank = max(e.ndim for e in examples)
        self.arrays = tuple(
            np.reshape(a, (size,) + (1,) * (rank - (len(shape_of(a)) - 1)) + tuple(shape_of(a)[1:]))
            if b
            else a
            for a, b in zip(arrays, batched, strict=True)
        )
        self.index = index
        if x_batched:
            self.index = (Slot(len(arrays)), *index)
            self.arrays = (*self.arrays, np.arange(size).reshape((size,) + (1,) * rank))
        before = 0 if self._separated(index) else self._axes_before(index, len(shape))
        total = len(self.example_shape) + 1
        gathered = [*range(1, 1 + rank)]
        rest = [*range(1 + rank, total)]
        if (
            not x_batched and before
        ):  # NumPy leaves the gathered axes, the examples first among them, in their place
            sliced = [*range(before)]
            self.order = [before, *sliced, *range(before + 1, total)]
        elif before:
            self.order = [0, *rest[:before], *gathered, *rest[before:]]

    @staticmethod
    def _separated(index: Template) -> bool:
        """Whether NumPy puts the gathered axes first, because slices stand between the arrays (an
        int counts as one).
        """
        kinds = ["a" if type(e) in (Slot, int) else "s" for e in index]
        if "a" not in kinds:
            return False
        first, last = kinds.index("a"), len(kinds) - 1 - kinds[::-1].index("a")
        return "s" in kinds[first:last]

    @staticmethod
    def _axes_before(index: Template, ndim: int) -> int:
        """How many axes of the result come before the gathered ones."""
        count = 0
        for entry in index:
            if type(entry) in (Slot, int):
                break
            if entry is Ellipsis:
                count += ndim - sum(1 for e in index if e is not None and e is not Ellipsis)
            else:
                count += 1
        return count

    def to_front(self, y: Any) -> Any:
        """The result with its example axis in front."""
        return y if self.order is None else np.transpose(y, self.order)

    def from_front(self, y: Any) -> Any:
        """A value with the example axis in front, laid out as the indexed array is."""
        return y if self.order is None else np.transpose(y, np.argsort(self.order))
