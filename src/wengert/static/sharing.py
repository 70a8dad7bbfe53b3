"""Looks at memory: which objects are one, which arrays share memory, which may be written into.

They matter where a call writes. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .looks import Look, Native, NotNative


@dataclass(slots=True, eq=False)
class Distinct(Look):
    """Objects of which no two are one."""

    names: tuple[str, ...]

    @property
    def differs(self) -> str:
        ids = ", ".join(f"id({name})" for name in self.names)
        return f"len({{{ids}}}) != {len(self.names)}"

    def native(self, into: Native) -> None:
        places = map(into.place, self.names)
        last = [0] * len(self.names)  # where they were in the call before
        into.operation("check_distinct", len(self.names), *places, *last)


@dataclass(slots=True, eq=False)
class Unbased(Look):
    """Arrays that are no views, and so share no memory."""

    names: tuple[str, ...]

    @property
    def differs(self) -> str:
        return " or ".join(f"{name}.base is not None" for name in self.names)

    def native(self, into: Native) -> None:
        into.operation("check_unbased", len(self.names), *map(into.place, self.names))


@dataclass(slots=True, eq=False)
class Overlaps(Look):
    """Which arrays share memory: pairs of their numbers."""

    names: tuple[str, ...]
    known: str
    pairs: frozenset[tuple[int, int]]

    @property
    def differs(self) -> str:
        return f"overlapping(({''.join(f'{name}, ' for name in self.names)})) != {self.known}"

    def native(self, into: Native) -> None:
        if self.pairs:
            raise NotNative("arrays share memory, and some are written into")
        into.operation("check_apart", len(self.names), *map(into.place, self.names))


@dataclass(slots=True, eq=False)
class Writeable(Look):
    """An array that may be written into."""

    name: str

    @property
    def differs(self) -> str:
        return f"not {self.name}.flags.writeable"

    def native(self, into: Native) -> None:
        into.operation("check_writeable", into.place(self.name))


def overlapping(arrays: Sequence[np.ndarray[Any, Any]]) -> frozenset[tuple[int, int]]:
    """The pairs of arrays that share memory, by number; exact where that is quick to say."""
    return frozenset(
        (i, k)
        for k, b in enumerate(arrays)
        for i, a in enumerate(arrays[:k])
        if np.may_share_memory(a, b) and _share(a, b)
    )


def _share(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=1000)  # type: ignore[arg-type]
    except (np.exceptions.TooHardError, MemoryError):
        return True
