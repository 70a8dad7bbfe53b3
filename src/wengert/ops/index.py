"""Indices: NumPy's, split into a template and the arrays in it, and what they become under
``vmap``.

``x[1:, rows]`` has the template ``(slice(1, None), Slot(0))`` and the arrays ``(rows,)``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.box import BATCHED, Box, shape_of
from ..core.errors import BoundsError, UnsupportedError


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
                dtype=np.intp if isinstance(entry, list | tuple) and not entry else None,
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
    """A handle used as an index: the number that it holds, or an operand where there is no one
    number, or a program is to read it anew.
    """
    entry.refresh()
    if entry.dtype.kind not in "iub":
        raise BoundsError(
            f"an index array must hold integers or booleans, got {entry.dtype}{list(entry.shape)}"
        )
    box: Any = entry
    while isinstance(box, Box) and not _varies(box):
        box = box._value
    if isinstance(box, Box):
        template.append(Slot(len(arrays)))
        arrays.append(entry)
    elif np.ndim(box) == 0 and np.asarray(box).dtype.kind in "iu":
        template.append(int(box))
    else:
        template.append(Slot(len(arrays)))
        arrays.append(np.array(box))


def _varies(box: Box) -> bool:
    """Whether a handle stands for more than the number it holds now."""
    return box._node is BATCHED or (box._owner.observes and box._node is not None)


def join_index(template: Template, arrays: Sequence[Any]) -> Any:
    """The index that NumPy takes."""
    if not arrays:
        return template
    return tuple(arrays[entry.number] if type(entry) is Slot else entry for entry in template)


def picks(arrays: Sequence[Any]) -> bool:
    """Whether each index array is a handle on one integer, with which NumPy makes a view."""
    return all(isinstance(a, Box) and not a.shape and a.dtype.kind in "iu" for a in arrays)


def at_zero(template: Template) -> Template:
    """The index with 0 in place of each array: of the same shape where all are single integers."""
    return tuple(0 if type(entry) is Slot else entry for entry in template)


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
    return tuple(np.broadcast_to(np.empty(()), shape)[join_index(index, arrays)].shape)


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
