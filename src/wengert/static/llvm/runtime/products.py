"""Products of stacks of matrices: NumPy's BLAS by pointer, and plain loops for what it has not.

Each function takes a stack of up to two axes; its parameters say how the matrices lie. Layer:
``static``.
"""

from __future__ import annotations

from typing import TypeAlias

from ..lowlevel import bits, call, cast, f64, i32, i64, load, low, ptr, sizeof, store, typed
from .execute import DONE, OPERANDS, operand
from .pool import smaller

real: TypeAlias = float
ROWS, COLUMNS, NO, TURNED = 101, 102, 111, 112  # CBLAS's names


@low
def word(step: ptr, operands: i64, number: i64) -> i64:
    """A parameter of a step with so many operands."""
    return load(i64, step + (OPERANDS + 16 * operands), 8 * number)


@low
def stacked(step: ptr, operands: i64, first: i64, which: i64, number: i64) -> i64:
    """The offset of the matrices of operand ``which`` of three, by their number in the stack.

    Parameters from ``first`` on: the length of the inner axis, then two strides an operand.
    """
    inner = word(step, operands, first)
    outer_stride = word(step, operands, first + 1 + 2 * which)
    inner_stride = word(step, operands, first + 2 + 2 * which)
    return number // inner * outer_stride + number % inner * inner_stride


def _multiply(frame: ptr, step: ptr, m: i64, n: i64, a: ptr, b: ptr, c: ptr) -> None:
    """C = alpha A B + beta C for one of the step's products, or a tile of it."""
    turn_a = cast(i32, word(step, 4, 3))
    turn_b = cast(i32, word(step, 4, 4))
    alpha = cast(real, bits(f64, word(step, 4, 8)))
    beta = cast(real, bits(f64, word(step, 4, 9)))
    call(
        None, operand(frame, step, 3), cast(i32, ROWS), turn_a, turn_b, m, n, word(step, 4, 2),
        alpha, a, word(step, 4, 5), b, word(step, 4, 6), beta, c, word(step, 4, 7),
    )  # fmt: skip


def _gemm(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """C = alpha A B + beta C. Operands: A, B, C, cblas_?gemm. Parameters: m, n, k, whether A and B
    are turned, their leading dimensions and that of C, alpha and beta as doubles, then the stack.
    """
    for i in range(low, high):
        a = operand(frame, step, 0) + stacked(step, 4, 10, 0, i)
        b = operand(frame, step, 1) + stacked(step, 4, 10, 1, i)
        c = operand(frame, step, 2) + stacked(step, 4, 10, 2, i)
        _multiply(frame, step, word(step, 4, 0), word(step, 4, 1), a, b, c)
    return DONE


def _tiles(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """As ``gemm``, but each number is that of a tile of a product. More parameters:
    rows and columns of a tile; in bytes from row to row of A, from column to column of B, and from
    row to row and from column to column of C.
    """
    m = word(step, 4, 0)
    n = word(step, 4, 1)
    rows = word(step, 4, 17)
    columns = word(step, 4, 18)
    across = (n + columns - 1) // columns
    tiles = (m + rows - 1) // rows * across
    for i in range(low, high):
        row = i % tiles // across * rows
        column = i % tiles % across * columns
        a = operand(frame, step, 0) + stacked(step, 4, 10, 0, i // tiles)
        b = operand(frame, step, 1) + stacked(step, 4, 10, 1, i // tiles)
        c = operand(frame, step, 2) + stacked(step, 4, 10, 2, i // tiles)
        a = a + row * word(step, 4, 19)
        b = b + column * word(step, 4, 20)
        c = c + (row * word(step, 4, 21) + column * word(step, 4, 22))
        _multiply(frame, step, smaller(rows, m - row), smaller(columns, n - column), a, b, c)
    return DONE


def _gemv(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """y = Mᵀ x, the matrix with ``rows`` rows as BLAS has it. Operands: M, x, y, cblas_?gemv.
    Parameters: the order, rows, columns, leading dimension, steps of x and y, then the stack; how
    many columns are taken at a time, and in bytes from column to column, and from y to y.
    """
    a = operand(frame, step, 0)
    x = operand(frame, step, 1)
    y = operand(frame, step, 2)
    function = operand(frame, step, 3)
    order = cast(i32, word(step, 4, 0))
    rows = word(step, 4, 1)
    columns = word(step, 4, 2)
    lda = word(step, 4, 3)
    step_x = word(step, 4, 4)
    step_y = word(step, 4, 5)
    turned = cast(i32, TURNED)
    one = cast(real, 1)
    zero = cast(real, 0)
    width = word(step, 4, 13)
    parts = (columns + width - 1) // width
    for i in range(low, high):
        first = i % parts * width
        at_a = a + stacked(step, 4, 6, 0, i // parts) + first * word(step, 4, 14)
        at_x = x + stacked(step, 4, 6, 1, i // parts)
        at_y = y + stacked(step, 4, 6, 2, i // parts) + first * word(step, 4, 15)
        count = smaller(width, columns - first)
        call(
            None, function, order, turned, rows, count, one, at_a, lda, at_x, step_x, zero,
            at_y, step_y,
        )  # fmt: skip
    return DONE


def _dot(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """z = x · y. Operands: x, y, z, cblas_?dot. Parameters: the length, steps of x and y, then the
    stack.
    """
    x = operand(frame, step, 0)
    y = operand(frame, step, 1)
    z = operand(frame, step, 2)
    function = operand(frame, step, 3)
    count = word(step, 4, 0)
    step_x = word(step, 4, 1)
    step_y = word(step, 4, 2)
    for i in range(low, high):
        at_x = x + stacked(step, 4, 3, 0, i)
        at_y = y + stacked(step, 4, 3, 1, i)
        total = call(real, function, count, at_x, step_x, at_y, step_y)
        store(real, total, z + stacked(step, 4, 3, 2, i))
    return DONE


def _loops(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """C = A B by three loops, in NumPy's order. Operands: A, B, C. Parameters: m, n, k, the strides
    of the three in bytes, then the stack.
    """
    m = word(step, 3, 0)
    n = word(step, 3, 1)
    k = word(step, 3, 2)
    row_a = word(step, 3, 3)
    column_a = word(step, 3, 4)
    row_b = word(step, 3, 5)
    column_b = word(step, 3, 6)
    row_c = word(step, 3, 7)
    column_c = word(step, 3, 8)
    for number in range(low, high):
        a = operand(frame, step, 0) + stacked(step, 3, 9, 0, number)
        b = operand(frame, step, 1) + stacked(step, 3, 9, 1, number)
        c = operand(frame, step, 2) + stacked(step, 3, 9, 2, number)
        for i in range(m):
            for j in range(n):
                total = cast(real, 0)
                for p in range(k):
                    left = load(real, a, i * row_a + p * column_a)
                    total += left * load(real, b, p * row_b + j * column_b)
                store(real, total, c, i * row_c + j * column_c)
    return DONE


def _panels(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """y = A x, and in a row of sums for each part of the rows Aᵀ w, some rows at a time. Operands:
    A, x, w, y, the sums, cblas_?gemv. Parameters: rows and columns of A, from row to row, steps of
    x, w and y, the rows at a time and those of a part.
    """
    function = operand(frame, step, 5)
    m = word(step, 6, 0)
    n = word(step, 6, 1)
    lda = word(step, 6, 2)
    step_x = word(step, 6, 3)
    step_w = word(step, 6, 4)
    step_y = word(step, 6, 5)
    size = sizeof(real)
    order = cast(i32, COLUMNS)
    turned = cast(i32, TURNED)
    straight = cast(i32, NO)
    x = operand(frame, step, 1)
    one = cast(real, 1)
    for part in range(low, high):
        total = operand(frame, step, 4) + part * n * size
        first = part * word(step, 6, 7)
        stop = smaller(first + word(step, 6, 7), m)
        beta = cast(real, 0)
        if first >= stop:
            for j in range(n):
                store(real, beta, total, j * size)
        while first < stop:
            rows = smaller(word(step, 6, 6), stop - first)
            a = operand(frame, step, 0) + first * lda * size
            w = operand(frame, step, 2) + first * step_w * size
            y = operand(frame, step, 3) + first * step_y * size
            call(
                None, function, order, turned, n, rows, one, a, lda, x, step_x,
                cast(real, 0), y, step_y,
            )  # fmt: skip
            call(
                None, function, order, straight, n, rows, one, a, lda, w, step_w,
                beta, total, cast(i64, 1),
            )  # fmt: skip
            beta = one
            first += rows
    return DONE


def _add_parts(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Sums of columns. Operands: rows without gaps, the sums. Parameters: columns, rows, and in
    bytes from sum to sum.
    """
    n = word(step, 2, 0)
    parts = word(step, 2, 1)
    size = sizeof(real)
    sums = operand(frame, step, 0)
    for j in range(n):
        total = load(real, sums, j * size)
        for part in range(1, parts):
            total += load(real, sums, (part * n + j) * size)
        store(real, total, operand(frame, step, 1), j * word(step, 2, 2))
    return DONE


gemm_f32, gemm_f64 = typed(_gemm, real="f32"), typed(_gemm, real="f64")
tiles_f32, tiles_f64 = typed(_tiles, real="f32"), typed(_tiles, real="f64")
gemv_f32, gemv_f64 = typed(_gemv, real="f32"), typed(_gemv, real="f64")
dot_f32, dot_f64 = typed(_dot, real="f32"), typed(_dot, real="f64")
loops_f32, loops_f64 = typed(_loops, real="f32"), typed(_loops, real="f64")
loops_i8, loops_i16 = typed(_loops, real="i8"), typed(_loops, real="i16")
loops_i32, loops_i64 = typed(_loops, real="i32"), typed(_loops, real="i64")
panels_f32, panels_f64 = typed(_panels, real="f32"), typed(_panels, real="f64")
add_parts_f32, add_parts_f64 = typed(_add_parts, real="f32"), typed(_add_parts, real="f64")
