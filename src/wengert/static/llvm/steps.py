"""What a native program is made of, as data: steps, their operands, and where values lie.

Nothing here is an address: a program can be written to disk as it is. Layer: ``static``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...core.program import Atom

Array = np.ndarray[Any, Any]
GRAIN = 1 << 15  # elements that a thread should have at least


class Address(NamedTuple):
    """The address of a function or object of another library, by name: see ``objects.py``."""

    name: str


THREADS = Address("threads")


class Place(NamedTuple):
    """A piece of memory: ``kind`` is ``input``, ``output`` (by number), ``constant`` (by number),
    ``arena`` (by its offset), or ``moving`` (by number): where a slot points that a loop changes.
    """

    kind: str
    number: int


class Operand(NamedTuple):
    """What a step reads or writes: an address, or bytes at ``offset`` in a place."""

    base: Place | Address
    offset: int = 0


class Seen(NamedTuple):
    """A value in memory: where, and a stand-in that lies there as it does; for what is read through
    a view the view.
    """

    base: Atom
    offset: int
    view: Array


@dataclass(frozen=True)
class Step:
    """One call of machine code.

    Attributes:
        code: the text of a nest, or the name of a function of the runtime.
        operands: what it reads and writes.
        params: further words: integers, or floats as their bits.
        extent: the length of its outer loop, if that may be split; else 1.
        grain: how much of that a thread should have at least; 0 if it must not be split.
        inner: the steps that it runs itself, by its parameters' names for them.
        fails: whether it may find that NumPy must run the call.
    """

    code: str
    operands: tuple[Operand, ...]
    params: tuple[int | float, ...] = ()
    extent: int = 1
    grain: int = 0
    inner: tuple[tuple[Step, ...], ...] = ()
    fails: bool = False
    runtime: bool = False


@dataclass
class Layout:
    """Gives out slots of the frame; the first says how many threads may run the steps."""

    slots: dict[Place | Address, int] = field(default_factory=lambda: {THREADS: 0})
    moved: int = 0  # how many slots move

    def moving(self) -> Place:
        """A slot of its own, whose pointer a loop changes from trip to trip."""
        self.moved += 1
        return Place("moving", self.moved)

    def slot(self, one: Place | Address) -> int:
        """The slot of a place or an address."""
        return self.slots.setdefault(one, len(self.slots))


def words(values: Sequence[int | float]) -> bytes:
    """Parameters as they stand in a step."""
    return b"".join(
        struct.pack("d", one) if isinstance(one, float) else struct.pack("q", one) for one in values
    )


class Arena:
    """Gives out pieces of one block of memory, and takes them back."""

    ALIGNMENT = 64  # bytes: a line of the cache

    def __init__(self) -> None:
        self.size = 0
        self.free: list[tuple[int, int]] = []  # start and length, in order

    def take(self, size: int) -> int:
        """The offset of ``size`` bytes: the smallest free piece that holds them."""
        need = max(1, -(-size // self.ALIGNMENT)) * self.ALIGNMENT
        fitting = [(length, start) for start, length in self.free if length >= need]
        if fitting:
            length, start = min(fitting)
            self.free.remove((start, length))
            if length > need:
                self._add(start + need, length - need)
            return start
        start = self.size
        if self.free and sum(self.free[-1]) == self.size:  # the last piece grows
            start, _ = self.free.pop()
        self.size = start + need
        return start

    def give(self, start: int, size: int) -> None:
        """Take ``size`` bytes back."""
        self._add(start, max(1, -(-size // self.ALIGNMENT)) * self.ALIGNMENT)

    def _add(self, start: int, length: int) -> None:
        merged: list[tuple[int, int]] = []
        for piece in sorted([*self.free, (start, length)]):
            if merged and sum(merged[-1]) == piece[0]:
                merged[-1] = merged[-1][0], merged[-1][1] + piece[1]
            else:
                merged.append(piece)
        self.free = merged
