"""BLAS held at one thread while our own do parts of a product.

OpenBLAS has one number of threads for the process. It is set to one as long as anybody is between
``hold`` and ``release``, and put back by the last: a store, no thread is started or ended. Products
that NumPy computes meanwhile for other threads of Python run on one thread too. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import atomic_store, call, cast, i32, i64, load, low, pause, ptr, store, swapped
from .execute import OPERANDS, execute
from .pool import BLAS, POOL

LOCK, USERS, BEFORE, GET, SET = BLAS, BLAS + 4, BLAS + 8, BLAS + 16, BLAS + 24  # in the pool


@low
def on_one_thread(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Run steps that call BLAS. Parameter: their address."""
    hold(frame)
    code = execute(frame, load(ptr, step, OPERANDS))
    release(frame)
    return code


@low
def hold(frame: ptr) -> None:
    """Let BLAS use one thread until ``release``."""
    pool = load(ptr, load(ptr, frame), POOL)
    lock(pool)
    users = load(i32, pool, USERS)
    if users == 0:
        store(i32, call(i32, load(ptr, pool, GET)), pool, BEFORE)
        set_threads(pool, 1)
    store(i32, users + 1, pool, USERS)
    atomic_store(i32, 0, pool, LOCK)


@low
def release(frame: ptr) -> None:
    """The end of what ``hold`` began."""
    pool = load(ptr, load(ptr, frame), POOL)
    lock(pool)
    users = load(i32, pool, USERS) - 1
    store(i32, users, pool, USERS)
    if users == 0:
        put_back(pool)
    atomic_store(i32, 0, pool, LOCK)


@low
def put_back(pool: ptr) -> None:
    """Give BLAS its threads again, unless somebody has chosen another number meanwhile."""
    if call(i32, load(ptr, pool, GET)) == 1:
        set_threads(pool, load(i32, pool, BEFORE))


@low
def set_threads(pool: ptr, count: i32) -> None:
    """Set BLAS's number of threads."""
    call(None, load(ptr, pool, SET), cast(i32, count))


@low
def lock(pool: ptr) -> None:
    """Wait until nobody else is here: for some nanoseconds."""
    while not swapped(pool + LOCK, 0, 1):
        pause()
