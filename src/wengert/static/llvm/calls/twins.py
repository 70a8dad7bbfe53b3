"""A large matrix that is multiplied with one vector, and its transpose with another: read once.

Such products take as long as the matrix takes to come from memory. A function of quadratic forms
has ``A x`` in it and ``Aᵀ w`` in its gradient; where neither vector waits for the other product,
both are computed panel by panel: some rows that fit into the cache, for one and then for the other.
The rows are dealt out in parts that follow from their number alone, each with a sum of its own, so
the bits are the same for any number of threads. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from ....core.primitive import Doc, NotDifferentiable, Primitive
from ....core.program import Atom, Equation, Program, Var
from ....ops.products import matmul
from ....ops.shape import transpose
from ..scalars import NotLowered
from ..steps import Address, Array, Operand, Step
from . import CALLS, WHY_NOT, Given
from .products import LETTERS, fits, why_not_product
from .tiles import on_one_thread

LARGE = 1 << 25  # bytes of a matrix that no cache keeps
LEAST = 4  # rows of a panel, and parts of a row that are a line of the cache
PANEL = 1 << 18  # bytes of the rows that are taken at a time
PARTS = 4  # of the rows, each for one thread
RUN = NotDifferentiable("what it was made of has derivatives")


def _value(a: Any, x: Any, w: Any) -> Any:
    return np.matmul(a, x), np.matmul(np.transpose(a), w)


twin_products = Primitive(
    name="twin_products",
    family="general",
    value=_value,
    infer=lambda a, x, w: (x, w),
    jvp=RUN,
    pull=RUN,
    keep=[],
    batch=RUN,
    doc=Doc("A x and Aᵀ w."),
    multiple=True,
)


def with_twins(program: Program) -> Program:
    """The program with each pair of such products as one equation."""
    turned = {
        eqn.outputs[0]: eqn.inputs[0]
        for eqn in program.equations
        if eqn.primitive is transpose and eqn.outputs[0].aval.shape != ()
    }
    large = [i for i, eqn in enumerate(program.equations) if _matrix(eqn) is not None]
    for first, second in combinations(large, 2):
        pair = _twins(program.equations[first], program.equations[second], turned)
        merged = _merged(program, first, second, pair) if pair else None
        if merged is not None:
            return with_twins(merged)
    return program


def _matrix(eqn: Equation) -> Atom | None:
    """The large matrix that an equation multiplies with a vector, or a column."""
    if eqn.primitive is not matmul or why_not_product(eqn, False):
        return None
    a, x = (atom.aval for atom in eqn.inputs)
    size = a.dtype.itemsize * int(np.prod(a.shape))
    column = len(x.shape) == 1 or (len(x.shape) == 2 and x.shape[1] == 1)
    large = len(a.shape) == 2 and size >= LARGE and a.dtype.char in LETTERS
    return eqn.inputs[0] if large and column else None


def _twins(one: Equation, other: Equation, turned: dict[Var, Atom]) -> tuple[Equation, ...] | None:
    """The two equations, that of the transpose last, if they are such products."""
    a, b = _matrix(one), _matrix(other)
    if a is None or b is None:
        return None
    if isinstance(b, Var) and turned.get(b) is a:
        return one, other
    return (other, one) if isinstance(a, Var) and turned.get(a) is b else None


def _merged(
    program: Program, first: int, second: int, pair: tuple[Equation, ...]
) -> Program | None:
    """Both at the place of the second, what waits for the first behind it; None where the second
    waits for it as well.
    """
    straight, turned = pair
    row = straight.inputs[0].aval.shape[1] * straight.inputs[0].aval.dtype.itemsize
    if not 64 * LEAST <= row <= PANEL // LEAST:
        return None
    before, after = program.equations[:first], program.equations[second + 1 :]
    waiting: set[Atom] = set(program.equations[first].outputs)
    between, behind = [], []
    for eqn in program.equations[first + 1 : second]:
        if waiting.intersection(eqn.inputs):
            waiting.update(eqn.outputs)
            behind.append(eqn)
        else:
            between.append(eqn)
    if waiting.intersection(program.equations[second].inputs):
        return None
    inputs = (straight.inputs[0], straight.inputs[1], turned.inputs[1])
    outputs = (*straight.outputs, *turned.outputs)
    both = Equation(twin_products, inputs, outputs, {}, straight.source)
    equations = (*before, *between, both, *behind, *after)
    return Program(program.inputs, equations, program.outputs, program.constants, program.name)


def twins(eqn: Equation, operands: Given, results: Given, draft: Any) -> Iterator[Step]:
    """The steps: the panels of each part, then the sum of the parts."""
    (a, matrix), (x, across), (w, down) = operands
    (y, made), (z, summed) = results
    m, n = matrix.shape
    size = matrix.itemsize
    if not fits(matrix.strides[0], matrix.strides[1], n, size):
        raise NotLowered("a matrix that does not lie in rows")
    letter, real = LETTERS[matrix.dtype.char]
    sums = draft.scratch(PARTS * n * size)
    vectors = [_step(one, size) for one in (across, down, made)]
    rows = max(1, PANEL // (n * size))
    params = (m, n, matrix.strides[0] // size, *vectors, rows, -(-m // PARTS))
    gemv = Operand(Address(f"blas:{letter}gemv"))
    panels = Step(f"panels_{real}", (a, x, w, y, sums, gemv), params, PARTS, 1, runtime=True)
    yield on_one_thread("gemv", m * n, panels)
    last = (n, PARTS, _step(summed, size) * size)
    yield Step(f"add_parts_{real}", (sums, z), last, runtime=True)


def _step(vector: Array, size: int) -> int:
    """Elements from one element of a vector, or a column, to the next."""
    stride = vector.strides[0]
    if stride % size or stride <= 0:
        raise NotLowered("a vector that BLAS can't read")
    return stride // size


CALLS["twin_products"] = twins
WHY_NOT["twin_products"] = lambda eqn, strict: ""
