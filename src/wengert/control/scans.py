"""``scan`` and ``fori_loop``: a known number of steps. Layer: ``control``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval, aval_of
from ..core.box import Box, shape_of
from ..core.errors import DtypeError, ShapeError, describe
from .bodies import Body, body_of, check_leaves, reordered
from .carry import settled
from .legs import Leg, Loop
from .loops import loop_p


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """``carry, y = f(carry, x)`` for each ``x`` in ``xs``, as one equation.

    ``f`` is recorded once, from types alone, however many steps there are. Reverse mode saves what
    it needs at each step and is a scan in the other direction.

    Args:
        f: gives ``(carry, y)``: a carry of the structure, shapes and dtypes of ``init``, and
            anything, or None.
        init: the carry to start from: an array, a number, or a container of them.
        xs: arrays ``(length, …)``, or a container of them; None if there are none.
        length: the number of steps; may be left out if ``xs`` says it.
        reverse: from the last element to the first; what is stacked keeps the order of ``xs``.

    Returns:
        ``(carry, ys)``: the last carry, and the results of all steps, stacked ``(length, …)``.

    Raises:
        ShapeError: lengths that differ; a carry that changes its structure or its shapes.
        DtypeError: a carry that changes its dtypes; no pair given by ``f``.
        UnsupportedError: ``f`` reads a value (``if x > 0``).

    >>> import numpy as np, wengert as wg
    >>> total, sums = wg.scan(lambda c, x: (c + x, c + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> sums, wg.grad(lambda x: wg.scan(lambda c, x: (c * x, None), 1.0, x)[0])(sums)
    (array([1., 3., 6.]), array([18.,  6.,  3.]))
    """
    elements, x_def = tree.flatten(xs)
    check_leaves("scan", elements, [f"xs{path}" for path in tree.names(xs)])
    steps = _length(elements, tree.names(xs), length)
    avals = [Aval(shape_of(x)[1:], aval_of(x).dtype) for x in elements]
    leaves, treedef = tree.flatten(init)
    check_leaves("scan", leaves, [f"init{path}" for path in tree.names(init)])
    y_defs: list[Any] = []

    def pair(carry: Any, x: Any) -> Any:
        result = f(carry, x)
        if not isinstance(result, tuple) or len(result) != 2:
            raise DtypeError(
                f"scan: f must give a pair (carry, y), got {describe(result)}; write "
                "return carry, None where there is no y"
            )
        y_defs[:] = [tree.flatten(part)[1] for part in result]
        return result

    pair.__wrapped__ = f  # type: ignore[attr-defined]
    pair.__name__ = getattr(f, "__name__", type(f).__name__)
    body, leaves = settled(
        "scan",
        leaves,
        treedef,
        lambda carry: body_of(
            pair, (tree.unflatten(treedef, carry), tree.unflatten(x_def, avals)), "scan"
        ),
        lambda body: y_defs[0],
    )
    carry, ys = _loop(
        body,
        leaves,
        [np.asarray(x) if not isinstance(x, Box) else x for x in elements],
        steps,
        reverse,
    )
    return tree.unflatten(treedef, carry), tree.unflatten(y_defs[1], ys)


def _length(elements: Sequence[Any], names: Sequence[str], length: int | None) -> int:
    """The number of steps."""
    if length is not None:
        length = operator.index(length)
        if length < 0:
            raise ShapeError(f"scan: length is {length}, expected at least 0")
    for x, name in zip(elements, names, strict=True):
        if not shape_of(x):
            raise ShapeError(f"scan: xs{name} is {describe(x)}, expected an array (length, …)")
        if length is not None and shape_of(x)[0] != length:
            raise ShapeError(
                f"scan: xs{name} has {shape_of(x)[0]} elements along its first axis, expected "
                f"{length}, as length or another array of xs says"
            )
        length = shape_of(x)[0]
    if length is None:
        raise ShapeError("scan: there is no array in xs; give length=, the number of steps")
    return length


def _loop(
    body: Body, leaves: Sequence[Any], elements: Sequence[Any], steps: Any, reverse: bool = False
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Run the loop of one leg; ``steps`` is a number, or an operand if it is a handle."""
    consts, width, count = len(body.captured), len(leaves), len(elements)
    total = len(body.program.outputs)
    # recorded as (carry, elements, captured)
    order = [*range(width + count, width + count + consts), *range(width + count)]
    program = reordered(body.program, order, range(total))
    writes = tuple(range(count, count + total - width))
    leg = Leg(
        tuple(range(consts)),
        tuple(range(consts, consts + width)),
        tuple(range(count)),
        writes,
        reverse,
    )
    known = not isinstance(steps, Box)
    plan = Loop((program,), (leg,), steps if known else None, tuple(range(count)), writes)
    given = (*body.captured, *leaves, *elements)
    results = loop_p(*given, plan=plan) if known else loop_p(steps, *given, plan=plan)
    return results[:width], results[width:]


def fori_loop(lower: Any, upper: Any, body_fn: Callable[[Any, Any], Any], init: Any) -> Any:
    """``carry = body_fn(i, carry)`` for ``i`` from ``lower`` to ``upper - 1``, as one equation.

    The body is recorded once, from types alone; ``i`` is an integer that it may compute and index
    with. Reverse mode saves what it needs at each step; where ``upper`` or ``lower`` is not known
    while a graph is built, or differs between the examples of ``vmap``, it goes the way there
    again.

    Args:
        lower, upper: integers ``()``.
        body_fn: gives a carry of the structure, shapes and dtypes of ``init``.
        init: the carry to start from: an array, a number, or a container of them.

    Returns:
        The carry after the last step; ``init`` if ``upper <= lower``.

    Raises:
        ShapeError, DtypeError: bounds that are no integers; a carry that changes its type.
        UnsupportedError: ``body_fn`` reads a value (``if x > 0``).

    >>> import wengert as wg
    >>> wg.fori_loop(0, 5, lambda i, c: c + i, 0)
    10
    """
    for bound, name in ((lower, "lower"), (upper, "upper")):
        check_leaves("fori_loop", [bound], [name])
        if shape_of(bound) != () or aval_of(bound).dtype.kind not in "iu":
            raise DtypeError(
                f"fori_loop: {name} is {describe(bound)}, expected an integer; round it first, "
                "with int(...) or .astype(int)"
            )
    leaves, treedef = tree.flatten(init)
    check_leaves("fori_loop", leaves, [f"init{path}" for path in tree.names(init)])

    def step(i: Any, carry: Any) -> Any:
        return i + 1, body_fn(i, carry)

    step.__wrapped__ = body_fn  # type: ignore[attr-defined]
    step.__name__ = getattr(body_fn, "__name__", type(body_fn).__name__)
    start = lower if isinstance(lower, Box) else int(lower)
    inside = tree.flatten((start, init))[1]
    body, both = settled(
        "fori_loop",
        [start, *leaves],
        inside,
        lambda avals: body_of(step, tuple(tree.unflatten(inside, avals)), "fori_loop"),
    )
    known = not isinstance(lower, Box) and not isinstance(upper, Box)
    carry, _ = _loop(body, both, (), max(int(upper) - int(lower), 0) if known else upper - lower)
    return tree.unflatten(treedef, carry[1:])
