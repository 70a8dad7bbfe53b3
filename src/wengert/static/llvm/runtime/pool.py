"""Threads: a step with a long outer loop is done by several at once.

There is one pool in the process, a block of memory made by ``static/threads.py``; its threads are
started when the first step needs them. Whoever runs a program does his share of each step, and so
does each thread of the pool that is awake in time; one that is not is not waited for. Each has a
range of the loop, takes one piece of it after the other, and then helps with the other ranges.
While a program of another Python thread has the pool, a step is done by its caller alone.

Threads that have nothing to do look for work for a while, for the next step comes soon; after a
moment they give up their turn each time, so that whoever else wants the processor gets it; then
they sleep. None of them touches Python.

A thread adds itself to ACTIVE before it reads OPEN; the caller clears OPEN before he reads ACTIVE.
All these accesses have one order, so either it sees that the step is withdrawn or he waits for it.
Layer: ``static``.
"""

from __future__ import annotations

import os
import sys
import time

from ..lowlevel import (
    address,
    atomic_add,
    atomic_load,
    atomic_store,
    call,
    extern,
    i32,
    i64,
    load,
    low,
    pause,
    ptr,
    stack,
    store,
    swapped,
)

POSIX = os.name == "posix"  # elsewhere there is no pool
EXTENT, GRAIN = 24, 32  # where they stand in a step: see execute.py
MOST = 64  # threads, the caller among them
EVEN = 64  # long ranges start at its multiples: all of them but the last are whole vectors
PIECES = 4  # that a range is cut into, about
SPINS = 500  # looks before a turn is given up: some 10 microseconds
IDLE = 200_000  # nanoseconds until a thread without work sleeps
MONOTONIC = getattr(time, "CLOCK_MONOTONIC", 0)

# the record that slot 0 of a frame points to: how many threads may run a step, and the pool
COUNT, POOL = 0, 8
# the pool: what different threads write stands in lines of its own
BUSY, OPEN, ACTIVE, CODE, GENERATION, SLEEPING, ENDED = 0, 64, 128, 192, 256, 320, 324
FRAME, STEP, SHARES, PIECE, STARTED = 384, 392, 400, 408, 416
BLAS = 448  # see blas.py
MUTEX, CONDITION = 512, 640  # of the C library, at most 128 bytes each
LINES, LINE = 768, 64  # one for each thread, the caller's first
NEXT, STOP, NUMBER, HANDLE = 0, 8, 16, 24  # in a line: the rest of the range, who it is
SIZE = LINES + MOST * LINE

SIGNALS = 128  # bytes of a set of signals, at most
SET_MASK = 3 if sys.platform == "darwin" else 2  # SIG_SETMASK

mutex_init = extern("pthread_mutex_init", "i32", "ptr", "ptr")
mutex_lock = extern("pthread_mutex_lock", "i32", "ptr")
mutex_unlock = extern("pthread_mutex_unlock", "i32", "ptr")
condition_init = extern("pthread_cond_init", "i32", "ptr", "ptr")
condition_wait = extern("pthread_cond_wait", "i32", "ptr", "ptr")
condition_broadcast = extern("pthread_cond_broadcast", "i32", "ptr")
create = extern("pthread_create", "i32", "ptr", "ptr", "ptr", "ptr")
join = extern("pthread_join", "i32", "ptr", "ptr")
signal_mask = extern("pthread_sigmask", "i32", "i32", "ptr", "ptr")
give_way = extern("sched_yield", "i32")
read_clock = extern("clock_gettime", "i32", "i32", "ptr")


@low
def smaller(a: i64, b: i64) -> i64:
    """The smaller one."""
    return a if a < b else b


@low
def larger(a: i64, b: i64) -> i64:
    """The larger one."""
    return a if a > b else b


# --- who runs a program ---------------------------------------------------------------------------


@low
def split(frame: ptr, step: ptr) -> i32:
    """Do a step together with the pool, or alone; the highest code that any part of it gave."""
    extent = load(i64, step, EXTENT)
    if POSIX:
        record = load(ptr, frame)
        pool = load(ptr, record, POOL)
        shares = smaller(load(i64, record, COUNT), extent // load(i64, step, GRAIN))
        if shares > 1 and swapped(pool + BUSY, 0, 1):
            shares = start(pool, shares)
            offer(pool, frame, step, shares)
            work(pool, 0)
            withdraw(pool)
            code = load(i32, pool, CODE)
            atomic_store(i32, 0, pool, BUSY)
            return code
    return call(i32, load(ptr, step), frame, step, 0, extent)


@low
def start(pool: ptr, shares: i64) -> i64:
    """See that there are threads for so many shares; how many shares there are threads for."""
    started = load(i64, pool, STARTED)
    if started + 1 < shares:
        all_signals = stack(SIGNALS)  # are Python's: none of them may interrupt such a thread
        before = stack(SIGNALS)
        for i in range(SIGNALS // 8):
            store(i64, -1, all_signals, 8 * i)
        signal_mask(SET_MASK, all_signals, before)
        while started + 1 < shares:
            line = pool + (LINES + LINE * (started + 1))
            store(i64, started + 1, line, NUMBER)
            if create(line + HANDLE, 0, address(serve), line) != 0:
                break  # the system gives no more
            started += 1
        signal_mask(SET_MASK, before, 0)
        store(i64, started, pool, STARTED)
    return smaller(shares, started + 1)


@low
def offer(pool: ptr, frame: ptr, step: ptr, shares: i64) -> None:
    """Hand out a step in so many ranges."""
    extent = load(i64, step, EXTENT)
    unit = EVEN if extent >= EVEN * PIECES * shares else 1
    piece = larger(load(i64, step, GRAIN), extent // (PIECES * shares))
    store(ptr, frame, pool, FRAME)
    store(ptr, step, pool, STEP)
    store(i64, shares, pool, SHARES)
    store(i64, (piece + unit - 1) // unit * unit, pool, PIECE)
    store(i32, 0, pool, CODE)
    first = 0
    for i in range(shares):
        line = pool + (LINES + LINE * i)
        stop = extent * (i + 1) // shares // unit * unit
        if i == shares - 1:
            stop = extent
        store(i64, first, line, NEXT)
        store(i64, stop, line, STOP)
        first = stop
    atomic_store(i32, 1, pool, OPEN)
    tell(pool)


@low
def tell(pool: ptr) -> None:
    """Let the threads of the pool see that there is something new."""
    atomic_add(i32, pool + GENERATION, 1)
    if atomic_load(i32, pool, SLEEPING) > 0:
        mutex_lock(pool + MUTEX)
        condition_broadcast(pool + CONDITION)
        mutex_unlock(pool + MUTEX)


@low
def withdraw(pool: ptr) -> None:
    """Let nobody begin with the step any more, and wait for those that have."""
    atomic_store(i32, 0, pool, OPEN)
    turns = 0
    while atomic_load(i32, pool, ACTIVE) != 0:
        rest(turns)
        turns += 1


@low
def rest(turns: i64) -> None:
    """Wait a moment, for who has looked so often."""
    if turns < SPINS:
        pause()
    else:
        give_way()


# --- everyone -------------------------------------------------------------------------------------


@low
def work(pool: ptr, number: i64) -> None:
    """Do pieces of the step, of one's own range first, until there are no more."""
    frame = load(ptr, pool, FRAME)
    step = load(ptr, pool, STEP)
    shares = load(i64, pool, SHARES)
    piece = load(i64, pool, PIECE)
    for i in range(number, number + shares):
        line = pool + (LINES + LINE * (i % shares))
        stop = load(i64, line, STOP)
        first = atomic_add(i64, line + NEXT, piece)
        while first < stop:
            code = call(i32, load(ptr, step), frame, step, first, smaller(first + piece, stop))
            report(pool, code)
            first = atomic_add(i64, line + NEXT, piece)


@low
def report(pool: ptr, code: i32) -> None:
    """Keep the highest code."""
    known = atomic_load(i32, pool, CODE)
    while code > known and not swapped(pool + CODE, known, code):
        known = atomic_load(i32, pool, CODE)


# --- the threads of the pool ----------------------------------------------------------------------


@low
def serve(line: ptr) -> ptr:
    """What a thread of the pool does until the pool ends."""
    number = load(i64, line, NUMBER)
    pool = line - (LINES + LINE * number)
    while atomic_load(i32, pool, ENDED) == 0:
        seen = atomic_load(i32, pool, GENERATION)
        atomic_add(i32, pool + ACTIVE, 1)
        if atomic_load(i32, pool, OPEN) != 0 and number < load(i64, pool, SHARES):
            work(pool, number)
        atomic_add(i32, pool + ACTIVE, -1)
        wait_for_work(pool, seen)
    return 0


@low
def now() -> i64:
    """The time in nanoseconds."""
    time = stack(16)
    read_clock(MONOTONIC, time)
    return load(i64, time) * 1_000_000_000 + load(i64, time, 8)


@low
def wait_for_work(pool: ptr, seen: i32) -> None:
    """Wait until there is something newer than what was seen."""
    turns = 0
    until = now() + IDLE
    while turns <= SPINS or now() < until:
        if atomic_load(i32, pool, GENERATION) != seen:
            return
        rest(turns)
        turns += 1
    mutex_lock(pool + MUTEX)
    atomic_add(i32, pool + SLEEPING, 1)
    while atomic_load(i32, pool, GENERATION) == seen:
        condition_wait(pool + CONDITION, pool + MUTEX)
    atomic_add(i32, pool + SLEEPING, -1)
    mutex_unlock(pool + MUTEX)


# --- its beginning and its end --------------------------------------------------------------------


@low
def open_pool(pool: ptr) -> None:
    """Make a pool of a block of zeros."""
    if POSIX:
        mutex_init(pool + MUTEX, 0)
        condition_init(pool + CONDITION, 0)


@low
def end_pool(pool: ptr) -> None:
    """End the threads of the pool; from now on every step is done by its caller alone."""
    if POSIX:
        while not swapped(pool + BUSY, 0, 1):
            give_way()
        atomic_store(i32, 1, pool, ENDED)
        tell(pool)
        for i in range(1, load(i64, pool, STARTED) + 1):
            join(load(ptr, pool, LINES + LINE * i + HANDLE), 0)
        store(i64, 0, pool, STARTED)
