"""The jobs that BLAS gives to several threads, in ours: so there is one pool in the process.

OpenBLAS's own threads keep their processors busy for 27 milliseconds after each product, without
giving way: threads of ours that follow a product of NumPy's would get half of them at best. It lets
a program run its jobs in the program's own threads; that is what this does. Products have the same
bits as before, for the jobs are the same. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import (
    Room,
    address,
    atomic_store,
    call,
    cast,
    i32,
    i64,
    load,
    low,
    ptr,
    stack,
    store,
    swapped,
)
from .execute import OPERANDS
from .pool import BUSY, EXTENT, GRAIN, MOST, create, join, start, together

JOB, DATA, SIZE, EXTRA, NUMBER = 0, 8, 16, 24, 32  # in their frame; NUMBER: for a new thread
JOBS = 40  # bytes of that
OURS = Room("pool", 8)  # the address of the pool


@low
def lend(pool: ptr) -> None:
    """Take this pool for the jobs of BLAS."""
    store(ptr, pool, OURS)


@low
def run_jobs(wait: i32, job: ptr, number: i32, size: i64, data: ptr, extra: i32) -> None:
    """Run jobs that wait for one another, so each in a thread of its own: in the pool, else in new
    threads. Each is called with its number, its data (``size`` bytes each) and ``extra``.
    """
    pool = load(ptr, OURS)
    count = cast(i64, number)
    frame = stack(JOBS)
    store(ptr, job, frame, JOB)
    store(ptr, data, frame, DATA)
    store(i64, size, frame, SIZE)
    store(i32, extra, frame, EXTRA)
    if count <= MOST and swapped(pool + BUSY, 0, 1):
        if start(pool, count) == count:
            step = stack(OPERANDS)
            store(ptr, address(jobs), step)
            store(i64, count, step, EXTENT)
            store(i64, 1, step, GRAIN)
            together(pool, frame, step, count)
            return
        atomic_store(i32, 0, pool, BUSY)
    in_new_threads(frame, 1, count)


@low
def jobs(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Some of the jobs, as a step."""
    for number in range(low, high):
        do_job(frame, number)
    return 0


@low
def do_job(frame: ptr, number: i64) -> None:
    """One of the jobs."""
    data = load(ptr, frame, DATA) + number * load(i64, frame, SIZE)
    call(None, load(ptr, frame, JOB), cast(i32, number), data, load(i32, frame, EXTRA))


@low
def in_new_threads(frame: ptr, number: i64, count: i64) -> None:
    """The jobs from ``number`` on in threads of their own, and the first one here."""
    if number == count:
        do_job(frame, 0)
        return
    handle = stack(8)
    own = stack(JOBS)
    for i in range(JOBS // 8 - 1):
        store(i64, load(i64, frame, 8 * i), own, 8 * i)
    store(i64, number, own, NUMBER)
    made = create(handle, 0, address(new_thread), own)
    in_new_threads(frame, number + 1, count)
    if made == 0:
        join(load(ptr, handle), 0)
    else:
        do_job(frame, number)


@low
def new_thread(frame: ptr) -> ptr:
    """What such a thread does."""
    do_job(frame, load(i64, frame, NUMBER))
    return 0
