"""Large products in tiles, so that several threads can share them.

OpenBLAS gives other bits with two threads than with one. So where bits need not be NumPy's, a large
product is cut into tiles whose shape follows from its own shape alone, and BLAS computes each with
one thread: the bits are the same for any number of threads. Two threads of our own are as fast as
two of OpenBLAS's (the products of perceptrons with 128 to 512 units; one thread loses 1 to 5 % by
the tiles), and they do not stand still when another process has one of the processors. Layer:
``static``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ....ops.blas import threads_address
from ..steps import Step

SHARED = 1 << 19  # multiplications of float32 from which a product is cut: some 10 microseconds
QUARTERED = 48 * SHARED  # from which it is cut into four; from there on see ``tile_of``
PARTS = 8  # that a large matrix is cut into for its product with a vector
ALIGNED = 16  # rows and columns of a tile are multiples: BLAS computes blocks of that size
PIECE = 1 << 18  # multiplications that a thread should have at least
THREADED = {"gemm": 1 << 18, "gemv": 1 << 13, "dot": 1 << 13}  # OpenBLAS uses threads from here on


class Tile(NamedTuple):
    """How a product is cut."""

    rows: int
    columns: int
    number: int


def tile_of(m: int, n: int, k: int, size: int) -> Tile:
    """The tiles of a product of an (m, k) and a (k, n) matrix whose elements have ``size`` bytes.

    The tiles are as near to squares as halving makes them, so that BLAS copies the least. Four
    times the work is cut into twice as many.
    """
    work, rows, columns = m * n * k * size // 4, m, n
    bound = SHARED
    while work >= bound and max(rows, columns) > ALIGNED:
        if rows >= columns:
            rows = _half(rows)
        else:
            columns = _half(columns)
        bound = QUARTERED if bound == SHARED else 4 * bound
    return Tile(rows, columns, -(-m // rows) * -(-n // columns))


def _half(length: int) -> int:
    """Half of a length, rounded up."""
    return -(-length // (2 * ALIGNED)) * ALIGNED


def part_of(m: int, n: int) -> tuple[int, int]:
    """How many rows of an (m, n) matrix are multiplied with a vector at a time, and how many such
    parts a thread should have at least; 0 where it is not worth to be shared.
    """
    if m * n < SHARED:
        return m, 0
    rows = max(ALIGNED, _half(-(-m // PARTS) * 2))
    return rows, max(1, PIECE // (rows * n))


def on_one_thread(kind: str, work: int, step: Step) -> Step:
    """A step that calls BLAS for so many multiplications, with BLAS at one thread."""
    if work < THREADED[kind] or not threads_address("set"):
        return step
    return Step("on_one_thread", (), (), inner=((step,),), runtime=True)


def in_tiles(step: Step, mnk: tuple[int, int, int], strides: tuple[int, ...], size: int) -> Step:
    """The step of a product, or of a stack of them, as one that threads can share.

    ``strides``: in bytes from row to row of A, from column to column of B, from row to row and from
    column to column of C.
    """
    m, n, k = mnk
    tile = tile_of(m, n, k, size)
    extent = step.extent * tile.number
    work = m * n * k // tile.number
    if extent * work < SHARED:
        return on_one_thread("gemm", m * n * k, step)
    shared = replace(
        step,
        code=step.code.replace("gemm", "tiles"),
        params=(*step.params, tile.rows, tile.columns, *strides),
        extent=extent,
        grain=max(1, PIECE // work),
    )
    return on_one_thread("gemm", THREADED["gemm"], shared)
