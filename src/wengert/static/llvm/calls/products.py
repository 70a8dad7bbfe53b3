"""Products of matrices: the routine of BLAS that NumPy would take, called by pointer.

Which one that is (``gemm``, ``gemv``, ``dot``, or plain loops), and how the operands are described
to it, decides about the last bits; so it is decided as in NumPy's ``matmul``. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ....core.program import Equation, Literal
from ....ops.blas import address
from ..nest import nest_of
from ..scalars import NotLowered
from ..steps import Address, Array, Operand, Step
from . import CALLS, OVER, WHY_NOT, Given
from .tiles import in_tiles, on_one_thread, part_of

LETTERS = {"f": ("s", "f32"), "d": ("d", "f64")}
INTEGERS = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}
ROWS, COLUMNS, NO, TURNED = 101, 102, 111, 112  # CBLAS's names
TOO_BIG = 1 << 30


class Matrices(NamedTuple):
    """A stack of matrices in memory: where, and how they lie; the last two axes are theirs."""

    operand: Operand
    view: Array

    @property
    def rows(self) -> int:
        """Elements from row to row."""
        return self.view.strides[-2]

    @property
    def columns(self) -> int:
        """Bytes from column to column."""
        return self.view.strides[-1]

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return self.view.itemsize

    @property
    def turned(self) -> Matrices:
        """Their transposes."""
        return Matrices(self.operand, self.view.swapaxes(-1, -2))

    @property
    def follows(self) -> bool:
        """Whether each matrix of a stack starts where the rows of the one before end."""
        return bool(self.view.strides[0] == self.rows * self.view.shape[-2])

    @property
    def as_one(self) -> Matrices:
        """The rows of all matrices of a stack as those of one."""
        stack, rows, columns = self.view.shape
        shape, strides = (stack * rows, columns), self.view.strides[1:]
        return Matrices(self.operand, as_strided(self.view, shape, strides))

    @property
    def blasable(self) -> bool:
        """Whether BLAS can read them, as they are or turned."""
        m, n = self.view.shape[-2:]
        return fits(self.rows, self.columns, n, self.size) or fits(
            self.columns, self.rows, m, self.size
        )


def fits(outer: int, inner: int, length: int, size: int) -> bool:
    """Whether rows of ``length`` elements lie so that BLAS has a leading dimension for them."""
    return inner == size and outer % size == 0 and length <= outer // size < TOO_BIG


def stack_of(matrices: list[Matrices]) -> tuple[int, list[int]]:
    """How many matrices there are, and the parameters of the stack: see the runtime."""
    shape = np.broadcast_shapes(*(one.view.shape[:-2] for one in matrices))
    strides = []
    for one in matrices:
        wide = np.broadcast_to(one.view, (*shape, *one.view.shape[-2:]))
        strides.append(wide.strides[:-2])
    order = [strides[-1], *strides[:-1]]  # in the order of the results
    lengths, merged = nest_of(shape, order)
    steps = [*merged[1:], merged[0]]
    if len(lengths) > 2:
        raise NotLowered("a stack of matrices with more than two axes")
    inner = lengths[-1] if lengths else 1
    params = [inner]
    for own in steps:
        both = [0, 0, *own][-2:]
        params += both
    return prod(lengths), params


def why_not_product(eqn: Equation, strict: bool) -> str:
    """Why a product can't be machine code."""
    dtypes = {atom.aval.dtype for atom in (*eqn.inputs, *eqn.outputs)}
    if len(dtypes) != 1:
        return "factors of different dtypes"
    (dtype,) = dtypes
    if dtype.char not in LETTERS and dtype.kind not in "iu":
        return f"products of {dtype} are NumPy's"
    if not address("sgemm"):
        return "NumPy's BLAS is not found"
    return ""


def matmul(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of ``a @ b``."""
    a, b = (Matrices(*one) for one in operands)
    c = Matrices(*results[0])
    out = c.view
    if a.view.ndim == 1:
        a = Matrices(a.operand, a.view[None, :])
        out = out[..., None, :] if b.view.ndim > 1 else out[..., None]
    if b.view.ndim == 1:
        b = Matrices(b.operand, b.view[:, None])
        out = out[..., None]
    c = Matrices(c.operand, out)
    if not out.size:
        return
    if not draft.strict:
        a, b, c = folded(a, b, c)
        for one in (a, b):
            if not one.blasable and 1 not in (*one.view.shape[-2:], *out.shape[-2:]):
                steps, operand, view = draft.compact(one.operand, one.view)
                yield from steps
                a, b = (Matrices(operand, view) if one is other else other for other in (a, b))
    yield product(a, b, c, draft.strict)


def folded(a: Matrices, b: Matrices, c: Matrices) -> tuple[Matrices, Matrices, Matrices]:
    """A stack times one matrix as a single product, where the rows of the stack follow each
    other.
    """
    while c.view.ndim > 2 and a.view.ndim == c.view.ndim:
        shared = b.view.ndim == 2 or b.view.strides[0] == 0 or b.view.shape[0] == 1
        if c.view.ndim > 3 or not shared or not (a.follows and c.follows):
            break
        b = b if b.view.ndim == 2 else Matrices(b.operand, b.view[0])
        a, c = a.as_one, c.as_one
    return a, b, c


def product(a: Matrices, b: Matrices, c: Matrices, strict: bool) -> Step:
    """The step for C = A B."""
    (m, k), n = a.view.shape[-2:], b.view.shape[-1]
    readable = a.blasable and b.blasable
    if 0 in (m, n, k) or a.view.dtype.char not in LETTERS:
        return loops(a, b, c)
    if m == 1 and n == 1:
        return _alone(dot(a, b, c), "dot", k, strict)
    if k == 1 and 1 in (m, n):
        return loops(a, b, c)
    if m == 1 and b.blasable and fits(a.columns, a.size, 1, a.size):
        return _alone(gemv(b.turned, a.turned, c.turned, strict), "gemv", n * k, strict)
    if n == 1 and a.blasable and fits(b.rows, b.size, 1, b.size):
        return _alone(gemv(a, b, c, strict), "gemv", m * k, strict)
    if 1 in (m, n, k) and not (readable and not strict):
        return loops(a, b, c)
    if not readable:
        raise NotLowered("factors that BLAS can't read as they lie")
    if strict and a.operand == b.operand and a.view.strides == b.turned.view.strides:
        raise NotLowered("NumPy's own bits: a product with its own transpose")
    if fits(c.rows, c.columns, n, c.size):
        return gemm(a, b, c, strict)
    if fits(c.columns, c.rows, m, c.size):
        return gemm(b.turned, a.turned, c.turned, strict)
    raise NotLowered("a product that does not lie in rows")


def _alone(step: Step, kind: str, work: int, strict: bool) -> Step:
    """A step whose bits must not depend on BLAS's threads; NumPy's do."""
    return step if strict else on_one_thread(kind, work, step)


def turn(one: Matrices) -> tuple[int, int]:
    """Whether BLAS reads a matrix turned, and its leading dimension."""
    if fits(one.rows, one.columns, one.view.shape[-1], one.size):
        return NO, one.rows // one.size
    return TURNED, one.columns // one.size


def gemm(
    a: Matrices,
    b: Matrices,
    c: Matrices,
    strict: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> Step:
    """C = alpha A B + beta C; if not with NumPy's own bits, then for several threads."""
    letter, real = LETTERS[c.view.dtype.char]
    (turn_a, lda), (turn_b, ldb) = turn(a), turn(b)
    (m, k), n = a.view.shape[-2:], b.view.shape[-1]
    count, stack = stack_of([a, b, c])
    params = (m, n, k, turn_a, turn_b, lda, ldb, c.rows // c.size, alpha, beta, *stack)
    operands = (a.operand, b.operand, c.operand, Operand(Address(f"blas:{letter}gemm")))
    step = Step(f"gemm_{real}", operands, params, count, runtime=True)
    if strict:
        return step
    return in_tiles(step, (m, n, k), (a.rows, b.columns, c.rows, c.columns), c.size)


def gemv(a: Matrices, x: Matrices, y: Matrices, strict: bool) -> Step:
    """y = A x, as NumPy describes it to BLAS: the transpose of a matrix in rows or in columns. If
    not with NumPy's own bits, some rows of A at a time.
    """
    letter, real = LETTERS[y.view.dtype.char]
    m, n = a.view.shape[-2:]
    if fits(a.rows, a.columns, n, a.size):
        order, lda = COLUMNS, a.rows // a.size
    else:
        order, lda = ROWS, a.columns // a.size
    count, stack = stack_of([a, x, y])
    # parts of what is added up column by column would be read in pieces of lines
    width, grain = (m, 0) if strict or order == ROWS else part_of(m, n)
    parts = -(-m // width)
    steps = (x.rows // x.size, y.rows // y.size)
    params = (order, n, m, lda, *steps, *stack, width, a.rows, y.rows)
    operands = (a.operand, x.operand, y.operand, Operand(Address(f"blas:{letter}gemv")))
    return Step(f"gemv_{real}", operands, params, count * parts, grain, runtime=True)


def dot(a: Matrices, b: Matrices, c: Matrices) -> Step:
    """One number: a row times a column."""
    letter, real = LETTERS[c.view.dtype.char]
    count, stack = stack_of([a, b, c])
    if a.columns % a.size or b.rows % b.size or min(a.columns, b.rows) <= 0:
        raise NotLowered("NumPy's own loop")
    params = (a.view.shape[-1], a.columns // a.size, b.rows // b.size, *stack)
    operands = (a.operand, b.operand, c.operand, Operand(Address(f"blas:{letter}dot")))
    return Step(f"dot_{real}", operands, params, count, runtime=True)


def loops(a: Matrices, b: Matrices, c: Matrices) -> Step:
    """The product by three loops."""
    dtype = c.view.dtype
    real = LETTERS[dtype.char][1] if dtype.char in LETTERS else INTEGERS[dtype.itemsize]
    (m, k), n = a.view.shape[-2:], b.view.shape[-1]
    count, stack = stack_of([a, b, c])
    strides = (s for one in (a, b, c) for s in (one.rows, one.columns))
    return Step(
        f"loops_{real}",
        (a.operand, b.operand, c.operand),
        (m, n, k, *strides, *stack),
        count,
        runtime=True,
    )


# --- the accumulating product ---------------------------------------------------------------------


def why_not_accumulated(eqn: Equation, strict: bool) -> str:
    """Why c + s a b can't be machine code."""
    c, a, b, s = eqn.inputs
    if strict:
        return "NumPy's own bits"
    if not isinstance(s, Literal):
        return "its factor is no constant"
    if {c.aval.dtype, a.aval.dtype, b.aval.dtype} != {eqn.outputs[0].aval.dtype}:
        return "factors of different dtypes"
    if eqn.outputs[0].aval.dtype.char not in LETTERS:
        return f"products of {eqn.outputs[0].aval.dtype} are NumPy's"
    return "" if address("sgemm") else "NumPy's BLAS is not found"


def accumulate(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps of c + s a b: what is added to lies in the result's place, or is copied there."""
    (old, old_view), a, b = operands[0], Matrices(*operands[1]), Matrices(*operands[2])
    c = Matrices(*results[0])
    if not c.view.size:
        return
    if c.operand != old:
        yield draft.copied(old, old_view, *results[0])
    if not a.view.shape[-1]:
        return
    if not (a.blasable and b.blasable and fits(c.rows, c.columns, c.view.shape[1], c.size)):
        raise NotLowered("factors that BLAS can't read as they lie")
    literal = eqn.inputs[3]
    assert isinstance(literal, Literal)
    yield gemm(a, b, c, False, float(literal.value), 1.0)


CALLS.update(matmul=matmul, accumulate=accumulate)
WHY_NOT.update(matmul=why_not_product, accumulate=why_not_accumulated)
OVER["accumulate"] = 0
