"""How many threads compiled programs use, and the pool of them.

A number for the process (``set_num_threads``) and one for a function (``compile(threads=…)``). What
runs a program reads its number from a record in memory, by address, each time; so a new number
holds at once. The pool is a block of memory that ``llvm/runtime/pool.py`` works in. A child that
is forked has the memory but none of the threads: there the pool begins anew. Layer: ``static``.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import warnings
from threading import Lock
from typing import Any

from ..core.errors import DataError, DtypeError, describe
from ..ops.blas import threads_address

MOST = 64
VARIABLE = "WENGERT_NUM_THREADS"


def set_num_threads(n: int) -> None:
    """Let compiled functions use ``n`` threads each, the calling one among them; 1: no others.

    Long loops and large products are shared out among them. Results have the same bits for any
    number. It holds for all functions that were not compiled with a number of their own, from the
    next operation on.

    Args:
        n: 1 to 64. At the start it is the environment's ``WENGERT_NUM_THREADS``, else the number of
            processors that the process may use.

    Raises:
        DtypeError: ``n`` is no int.
        DataError: ``n`` is not from 1 to 64.

    >>> import wengert
    >>> before = wengert.get_num_threads()
    >>> wengert.set_num_threads(2)
    >>> wengert.get_num_threads()
    2
    >>> wengert.set_num_threads(before)
    """
    _SETTING[0] = checked("set_num_threads", "n", n)


def get_num_threads() -> int:
    """How many threads a compiled function uses that was not given a number of its own.

    >>> import wengert
    >>> wengert.get_num_threads() >= 1
    True
    """
    return int(_SETTING[0])


def checked(operation: str, argument: str, n: Any) -> int:
    """``n`` if it can be a number of threads."""
    expected = f"expected an int from 1 to {MOST}"
    if not isinstance(n, int) or isinstance(n, bool):
        raise DtypeError(f"{operation}: {argument} is {describe(n)}, {expected}")
    if not 1 <= n <= MOST:
        raise DataError(f"{operation}: {argument} is {n}, {expected}")
    return n


def _at_start() -> int:
    """The environment's number, else that of the processors this process may use."""
    given = os.environ.get(VARIABLE, "")
    if given.isdecimal() and 1 <= int(given) <= MOST:
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)
    count = min(len(affinity(0)) if affinity else os.cpu_count() or 1, MOST)
    if given:
        text = f"{VARIABLE} is {given!r}, expected a number from 1 to {MOST}: {count} it is"
        warnings.warn(f"wengert: {text}", RuntimeWarning, stacklevel=2)
    return count


# --- what machine code reads ----------------------------------------------------------------------


def _words(count: int) -> Any:
    """A record: the number of threads, and the address of the pool."""
    return (ctypes.c_int64 * 2)(count, 0)


_SETTING = _words(_at_start())
_FIXED: dict[int, Any] = {}  # records of functions that have a number of their own


def record(count: int | None) -> int:
    """The address of the record for ``count`` threads, or for as many as the setting says."""
    global _pool
    with _lock:
        _pool = _pool or Pool()
        words = _SETTING if count is None else _FIXED.setdefault(count, _words(count))
        words[1] = _pool.address
    return ctypes.addressof(words)


class Pool:
    """The pool of the process.

    Attributes:
        address: of its memory, which stays when its threads have ended.
    """

    def __init__(self) -> None:
        from .llvm.runtime import blas, pool

        self._memory = ctypes.create_string_buffer(pool.SIZE + pool.LINE)
        self.address = -(-ctypes.addressof(self._memory) // pool.LINE) * pool.LINE
        self._users = ctypes.c_int32.from_address(self.address + blas.USERS)
        self._functions = [(blas.GET, threads_address("get")), (blas.SET, threads_address("set"))]
        self.start()
        if pool.POSIX:  # else nobody has more than one thread
            atexit.register(self.end)

    def start(self) -> None:
        """Make it as new."""
        from .llvm.runtime import pool

        ctypes.memset(self._memory, 0, len(self._memory))
        for place, function in self._functions:
            ctypes.c_int64.from_address(self.address + place).value = function
        if pool.POSIX:
            _call("open_pool", self.address)

    def in_child(self) -> None:
        """What a process needs that was forked: another thread may have held BLAS."""
        if self._users.value:
            _call("put_back", self.address)
        self.start()

    def end(self) -> None:
        """End the threads: their code goes when the interpreter does."""
        _call("end_pool", self.address)


def _call(name: str, pool: int) -> None:
    """Call a function of the runtime."""
    from .llvm.runtime.library import address_of_function

    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address_of_function(name))(pool)


_pool: Pool | None = None
_lock = Lock()


def _in_child() -> None:
    global _lock
    _lock = Lock()
    if _pool is not None:
        _pool.in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
