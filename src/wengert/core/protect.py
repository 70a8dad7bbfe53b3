"""Arrays of the user's that a derivative needs later: copied when small, locked against writing
when large.

A silent wrong gradient is the worst bug there is: ``y = x * buffer; buffer[:] = 0; backward`` must
not use the zeros. Up to 4 KiB an array is copied; beyond, its memory is made read-only until the
graph that saved it is gone, so that the write raises NumPy's ``assignment destination is
read-only``. One hole is left: NumPy lets a writable view that was taken before the lock write on.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

COPY_UP_TO = 4096  # bytes
_counts: dict[int, list[Any]] = {}  # id(array) -> [array, how many locks, views that wait for it]
_lock = threading.RLock()


class Locked:
    """Holds the memory of ``array`` read-only for as long as this object lives."""

    __slots__ = ("array", "chain")

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.chain: list[np.ndarray] = []
        link: Any = array
        with _lock:
            if link.base is None and id(link) not in _counts:  # the common case
                if link.flags.writeable:
                    link.setflags(write=False)
                    _counts[id(link)] = [link, 1, []]
                    self.chain.append(link)
                return
            while isinstance(link, np.ndarray):
                if id(link) in _counts:
                    _counts[id(link)][1] += 1
                    self.chain.append(link)
                elif link.flags.writeable:
                    link.flags.writeable = False
                    _counts[id(link)] = [link, 1, []]
                    self.chain.append(link)
                link = link.base

    def __del__(self) -> None:
        with _lock:
            for link in reversed(self.chain):  # bases first
                entry = _counts[id(link)]
                entry[1] -= 1
                if not entry[1]:
                    del _counts[id(link)]
                    _unlock(link, entry[2])


def _unlock(array: np.ndarray, waiting: list[np.ndarray]) -> None:
    """Make ``array`` writeable, and the views that waited for it. A view of memory that another
    lock still holds can't be: it waits for that one.
    """
    base: Any = array.base
    while isinstance(base, np.ndarray):
        if id(base) in _counts:
            _counts[id(base)][2] += [array, *waiting]
            return
        base = base.base
    array.flags.writeable = True
    for view in waiting:
        view.flags.writeable = True


def own(value: Any, locks: list[Locked]) -> Any:
    """``value`` as a derivative may keep it: an array copied, or locked with its lock added to
    ``locks``.
    """
    if type(value) is not np.ndarray:
        return value
    if value.nbytes <= COPY_UP_TO:
        flags = value.flags
        if flags.c_contiguous:
            return value.copy()
        if flags.forc:  # a copy of a strided one has other strides
            return value.copy("K")
    locks.append(Locked(value))
    return value


class Protected(tuple[Any, ...]):
    """What a node has saved, with the locks on it."""

    locks: list[Locked]


def protect(saved: Any, foreign: list[Any]) -> tuple[Any, ...]:
    """``saved`` with the arrays of ``foreign`` in it copied, or locked for as long as it lives."""
    locks: list[Locked] = []
    kept = list(saved)
    for array in foreign:
        for place, value in enumerate(saved):
            if value is array:
                kept[place] = own(array, locks)
    if not locks:
        return tuple(kept)
    protected = Protected(kept)
    protected.locks = locks
    return protected
