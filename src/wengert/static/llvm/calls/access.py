"""Indexed arrays in memory: what an index selects, as offsets and strides in bytes.

An index is taken apart once, when the program is planned (``Index``): its slices and numbers are a
view; its arrays become offsets, which steps compute, or which are known, where the arrays are
constants. A mask becomes offsets too, and NumPy runs the call if it selects another number of
elements than when it was recorded. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ....core.program import Equation
from ....ops.index import Slot, Template
from ..scalars import NotLowered
from ..steps import Array, Operand, Step
from .walks import Pair, broadcast, cast, constant, merged, regular, seen, walking

POSITION = np.dtype(np.int64)
GAP = object()  # where an ellipsis stood: what is before and after it does not touch
Axis = tuple[int, int]  # length, and stride in bytes


class Picked(NamedTuple):
    """The axes of the indexed array that index array ``number`` is for: a mask is for as many as it
    has, one of integers for one.
    """

    number: int
    axes: tuple[Axis, ...]


class Index:
    """``x[index]`` of an array that lies as ``view``, taken apart; ``ranks``: how many axes each
    index array is for.

    Attributes:
        offset: of what slices and numbers select, in bytes.
        axes: of what they select.
        picked: the index arrays.
        position: where among ``axes`` the result has those of the index arrays.
    """

    def __init__(self, view: Array, template: Template, ranks: Sequence[int]) -> None:
        self.offset = self.position = 0
        self.axes: list[Axis] = []
        self.picked: list[Picked] = []
        fancy = any(type(entry) is Slot for entry in template)
        there = list(zip(view.shape, view.strides, strict=True))
        begun = apart = False
        for entry in _spelled_out(template, view.ndim, ranks):
            if type(entry) is Slot or (fancy and type(entry) is int):
                if not begun or apart:  # with something between them they come first
                    self.position = 0 if begun else len(self.axes)
                begun = True
            else:
                apart = apart or begun
            there = self._take(entry, there, ranks)

    def _take(self, entry: Any, there: list[Axis], ranks: Sequence[int]) -> list[Axis]:
        """One entry of the index; gives the axes that are left."""
        if entry is GAP:
            return there
        if entry is None:
            self.axes.append((1, 0))
            return there
        if type(entry) is Slot:
            rank = ranks[entry.number]
            self.picked.append(Picked(entry.number, tuple(there[:rank])))
            return there[rank:]
        length, stride = there[0]
        if type(entry) is int:
            self.offset += range(length)[entry] * stride
        else:
            places = range(length)[entry]
            self.offset += places.start * stride if len(places) else 0
            self.axes.append((len(places), places.step * stride))
        return there[1:]

    def selected(self, shape: tuple[int, ...]) -> int:
        """How many elements there are along the axis of a mask in what has the shape of the result,
        or is broadcast to it.
        """
        axis = len(shape) - 1 - (len(self.axes) - self.position)
        return shape[axis] if axis >= 0 else 1

    def around(self, inner: Sequence[Any], rest: Sequence[Any]) -> tuple[Any, ...]:
        """What belongs to each axis of the result: ``inner`` to those of the index arrays."""
        return (*rest[: self.position], *inner, *rest[self.position :])


def _spelled_out(template: Template, ndim: int, ranks: Sequence[int]) -> list[Any]:
    """The index with a slice for each axis that its ellipsis stands for."""
    used = sum(ranks[e.number] if type(e) is Slot else 1 for e in template if _counts(e))
    missing = [GAP, *[slice(None)] * (ndim - used)]
    entries = [missing if entry is Ellipsis else [entry] for entry in template]
    if missing not in entries:
        entries.append(missing)
    return [one for some in entries for one in some]


def _counts(entry: Any) -> bool:
    return entry is not None and entry is not Ellipsis


def index_of(eqn: Equation, view: Array, arrays: Sequence[Pair]) -> Index:
    """The index of an equation, for an array that lies as ``view``."""
    ranks = [array.ndim if array.dtype.kind == "b" else 1 for _, array in arrays]
    return Index(view, eqn.params["index"], ranks)


class Access:
    """An indexed array in memory: ``x[index]`` with the offsets that its index arrays come to.

    ``shape``: of the result, or what is broadcast to it: it says how many elements a mask selects.

    Attributes:
        places: the shape of the index arrays together.
        offsets: in bytes, an array of that shape in C order; ``known``, or what ``steps`` compute.
        once: whether no element is named twice.
        ordered: whether NumPy goes through the index arrays in C order.
    """

    def __init__(
        self, eqn: Equation, x: Pair, arrays: Sequence[Pair], shape: tuple[int, ...], draft: Any
    ) -> None:
        (self.operand, self.view), self.arrays, self.draft = x, arrays, draft
        self.index = index_of(eqn, self.view, arrays)
        self.atoms = eqn.inputs[len(eqn.inputs) - len(arrays) :]
        self.masks = [array.dtype.kind == "b" for _, array in arrays]
        self.steps, self.once, self.ordered = list[Step](), False, True
        self.known: Array | None = None
        known = [draft.program.constants.get(atom) for atom in self.atoms]
        if all(value is not None for value in known):
            self._known(known)
        else:
            self._computed(self.index.selected(shape))

    @cached_property
    def offsets(self) -> Pair:
        """Known offsets, as a constant of the program."""
        assert self.known is not None
        return constant(self.draft, self.known)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result."""
        return self.index.around(self.places, [length for length, _ in self.index.axes])

    @property
    def start(self) -> Operand:
        """Where the element stands whose offset is 0."""
        return Operand(self.operand.base, self.operand.offset + self.index.offset)

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the array along the axes of the result."""
        return self.index.around([0] * len(self.places), [s for _, s in self.index.axes])

    @property
    def offset_strides(self) -> tuple[int, ...]:
        """Of the offsets along the axes of the result."""
        return self.index.around(self.offsets[1].strides, [0] * len(self.index.axes))

    def regular(self, other: Array) -> tuple[Pair, Array] | None:
        """Where known offsets lie regularly: the part of the array that they select, and ``other``,
        which has the shape of the result, both with the axes along which they do.
        """
        if self.known is None or not self.known.size:
            return None
        inner = regular(self.known.ravel().tolist())
        if inner is None:
            return None
        axes = self.index.around(inner, self.index.axes)
        lengths, strides = ([axis[i] for axis in axes] for i in (0, 1))
        spread = other.reshape(lengths)
        if not np.may_share_memory(spread, other):
            return None
        place = Operand(self.start.base, self.start.offset + int(self.known.flat[0]))
        return (place, seen(self.view, lengths, strides)), spread

    def _known(self, arrays: Sequence[Any]) -> None:
        """Offsets of constant arrays."""
        parts: list[Array] = []
        for one in self.index.picked:
            value = np.asarray(arrays[one.number])
            masked = self.masks[one.number]
            positions = np.nonzero(value) if masked else (value.astype(POSITION),)
            for places, (length, stride) in zip(positions, one.axes, strict=True):
                parts.append(np.where(places < 0, places + length, places) * stride)
        total = np.asarray(sum(parts[1:], parts[0]), POSITION, order="C")
        self.places = np.broadcast_shapes(*(part.shape for part in parts))
        self.known = total.reshape(self.places)
        self.once = len(np.unique(total)) == total.size

    def _computed(self, selected: int) -> None:
        """Offsets that steps compute; ``selected``: by a mask."""
        shapes = [array.shape for _, array in self.arrays]
        if any(self.masks):
            shapes = [(selected,) if m else s for s, m in zip(shapes, self.masks, strict=True)]
            if sum(map(bool, shapes)) > 1:
                raise NotLowered("a mask beside other index arrays")
            self.once = True
        self.places = np.broadcast_shapes(*shapes)
        known = np.empty(self.places, POSITION)
        self.offsets = self.draft.scratch(max(known.nbytes, 16)), known
        masks_first = sorted(self.index.picked, key=lambda one: not self.masks[one.number])
        for number, one in enumerate(masks_first):
            if self.masks[one.number]:
                self.steps.append(self._from_mask(one))
            else:
                self.steps.append(self._from_integers(one, number > 0))

    def _from_mask(self, one: Picked) -> Step:
        operand, mask = self.arrays[one.number]
        lengths = [length for length, _ in one.axes]
        strides = [mask.strides, [stride for _, stride in one.axes]]
        given, axes = (self.offsets[0], operand), merged(lengths, strides)
        return walking("mask_offsets", given, self.places, *axes, fails=True)

    def _from_integers(self, one: Picked, added: bool) -> Step:
        given = self.arrays[one.number]
        if not _in_order(given[1]):
            self.ordered = False
        operand, array = cast(given, self.atoms[one.number], POSITION, self.draft, self.steps)
        known = self.offsets[1]
        axes = merged(known.shape, [known.strides, broadcast(array, known.shape)])
        before = (*one.axes[0], int(added))
        return walking("offsets", (self.offsets[0], operand), before, *axes, fails=True)


def _in_order(array: Array) -> bool:
    """Whether the axes of an index array lie in memory as they are counted."""
    strides = [s for s, n in zip(array.strides, array.shape, strict=True) if s and n > 1]
    return strides == sorted(strides, reverse=True) and all(s > 0 for s in strides)
