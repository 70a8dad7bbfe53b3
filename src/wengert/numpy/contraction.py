"""``np.einsum`` for handles: two operands at a time, in the order that ``np.einsum_path`` finds.

Before a contraction each operand loses what needs no other: repeated labels become a diagonal, axes
of length 1 against longer ones are dropped, labels that nothing else needs are summed.
"""

from __future__ import annotations

from functools import lru_cache
from string import ascii_letters
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import ShapeError
from ..ops import products
from ..ops.array import implements
from .arguments import as_array
from .diagonals import writable_diagonal
from .reductions import finished


class Plan(NamedTuple):
    """How subscripts are contracted: the labels of each operand and of the result, ellipses spelled
    out, the length of each label, the pairs in their order, and whether one product is all.
    """

    terms: tuple[str, ...]
    result: str
    lengths: dict[str, int]
    path: tuple[tuple[int, ...], ...]
    direct: bool


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Any:
    dtype = kwargs.pop("dtype", None)
    subscripts, arrays = _written(operands)
    parts = [as_array(x) for x in arrays]
    if dtype is not None:
        parts = [x.astype(dtype) for x in parts]
    way = tuple(tuple(k) for k in optimize[1:]) if isinstance(optimize, list | tuple) else optimize
    plan = _plan(subscripts, tuple([x.shape for x in parts]), way)
    if plan.direct:
        a, b = plan.terms
        return finished("einsum", out, products.einsum(*parts, a=a, b=b, out=plan.result))
    pairs = [_simplified(t, x, plan.lengths) for t, x in zip(plan.terms, parts, strict=True)]
    return finished("einsum", out, _contracted(pairs, plan.result, plan.path))


def _written(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The subscripts and the arrays, from either way of calling."""
    if not operands:
        raise ShapeError("einsum: no operands")
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    pairs = len(operands) // 2
    arrays, lists = list(operands[: 2 * pairs : 2]), list(operands[1 : 2 * pairs : 2])
    text = ",".join(_letters(numbers) for numbers in lists)
    if len(operands) % 2:
        text += "->" + _letters(operands[-1])
    return text, arrays


def _letters(numbers: Any) -> str:
    return "".join("..." if k is Ellipsis else sorted(ascii_letters)[int(k)] for k in numbers)


@lru_cache(maxsize=1024)
def _plan(subscripts: str, shapes: tuple[tuple[int, ...], ...], optimize: Any) -> Plan:
    """The plan for operands of these shapes."""
    dummies = [np.broadcast_to(np.empty(()), shape) for shape in shapes]
    if isinstance(optimize, tuple):
        way: Any = ["einsum_path", *optimize]
    else:
        way = optimize if isinstance(optimize, str) else "greedy"
    try:
        path = np.einsum_path(subscripts, *dummies, optimize=way)[0][1:]
        terms, result = _spelled_out(subscripts, shapes)
        lengths = _lengths(terms, shapes)
    except (ValueError, TypeError, KeyError) as error:
        raise ShapeError(
            f"einsum({subscripts!r}, {', '.join(map(str, shapes))}): {error}"
        ) from error
    direct = (
        len(terms) == 2
        and all(len(set(term)) == len(term) for term in terms)
        and all(
            lengths[k] == n
            for term, shape in zip(terms, shapes, strict=True)
            for k, n in zip(term, shape, strict=True)
        )
        and set(terms[0]) ^ set(terms[1]) <= set(result)
    )
    return Plan(terms, result, lengths, tuple(tuple(pair) for pair in path), direct)


def _spelled_out(
    subscripts: str, shapes: tuple[tuple[int, ...], ...]
) -> tuple[tuple[str, ...], str]:
    """The labels of each operand and of the result, with letters for the axes of an ellipsis."""
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    counts = [
        len(shape) - len(term.replace("...", "")) if "..." in term else 0
        for term, shape in zip(terms, shapes, strict=True)
    ]
    dots = "".join([k for k in ascii_letters if k not in subscripts][: max(counts)])
    named = inputs.replace(",", "").replace("...", "")
    result = output.replace("...", dots)
    if not arrow:
        result = dots + "".join(k for k in sorted(set(named)) if named.count(k) == 1)
    if len(set(result)) < len(result) or not set(dots) <= set(result):
        raise ValueError(
            "the result has a label twice, or lacks the '...' for axes without a label"
        )
    ends = (dots[len(dots) - n :] for n in counts)
    return tuple(t.replace("...", end) for t, end in zip(terms, ends, strict=True)), result


def _lengths(terms: tuple[str, ...], shapes: tuple[tuple[int, ...], ...]) -> dict[str, int]:
    """The length of each label; axes of length 1 stand for any, except beside one of their own."""
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for label, n in zip(term, shape, strict=True):
            if own.setdefault(label, n) != n:
                raise ValueError(f"the axes labelled {label!r} of {shape} differ in length")
            if lengths.get(label, 1) == 1:
                lengths[label] = n
    return lengths


def _simplified(term: str, x: Any, lengths: dict[str, int]) -> tuple[str, Any]:
    """An operand without axes of length 1 that stand for longer ones, and without repeated
    labels.
    """
    kept = [k for k, label in enumerate(term) if x.shape[k] == lengths[label]]
    if len(kept) < len(term):
        x = np.reshape(x, tuple(x.shape[k] for k in kept))
        term = "".join(term[k] for k in kept)
    for label in sorted(set(term)):
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            x = writable_diagonal(x, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + label
    return term, x


def _reduced(term: str, x: Any, needed: str) -> tuple[str, Any]:
    """An operand with the labels summed that nothing else needs."""
    alone = tuple(k for k, label in enumerate(term) if label not in needed)
    if alone:
        x = np.sum(x, axis=alone)
        term = "".join(label for label in term if label in needed)
    return term, x


def _contracted(
    pairs: list[tuple[str, Any]], result: str, path: tuple[tuple[int, ...], ...]
) -> Any:
    for places in path:
        chosen = [pairs[k] for k in sorted(places)]
        pairs = [pair for k, pair in enumerate(pairs) if k not in places]
        while len(chosen) > 1:
            (a, x), (b, y), *chosen = chosen
            others = result + "".join(term for term, _ in (*pairs, *chosen))
            chosen.insert(0, _pair(a, x, b, y, others, not (pairs or chosen) and result))
        pairs += chosen
    while len(pairs) > 1:
        (a, x), (b, y), *pairs = pairs
        others = result + "".join(term for term, _ in pairs)
        pairs.insert(0, _pair(a, x, b, y, others, not pairs and result))
    term, x = _reduced(*pairs[0], result)
    return x if term == result else np.transpose(x, [term.index(k) for k in result])


def _pair(a: str, x: Any, b: str, y: Any, others: str, last: Any) -> tuple[str, Any]:
    """The product of two operands, with what is needed later; ``last``: the order of the result."""
    a, x = _reduced(a, x, b + others)
    b, y = _reduced(b, y, a + others)
    kept = last or "".join(dict.fromkeys(k for k in a + b if k in others))
    return kept, products.einsum(x, y, a=a, b=b, out=kept)
