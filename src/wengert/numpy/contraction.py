"""``np.einsum`` for handles: two operands at a time, in the order that ``np.einsum_path`` finds.

Before a contraction each operand loses what needs no other: repeated labels become a diagonal, axes
of length 1 against longer ones are dropped, labels that nothing else needs are summed.
"""

from __future__ import annotations

from functools import lru_cache
from string import ascii_letters
from typing import Any

import numpy as np

from ..core.errors import ShapeError
from ..ops import products
from ..ops.array import implements
from .arguments import as_array
from .diagonals import writable_diagonal
from .reductions import finished

Labels = tuple[tuple[str, ...], str, tuple[tuple[int, ...], ...]]


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Any:
    dtype = kwargs.pop("dtype", None)
    subscripts, arrays = _written(operands)
    parts = [as_array(x) for x in arrays]
    if dtype is not None:
        parts = [x.astype(dtype) for x in parts]
    way = tuple(tuple(k) for k in optimize[1:]) if isinstance(optimize, list | tuple) else optimize
    shapes = tuple(x.shape for x in parts)
    terms, result, path = _plan(subscripts, shapes, way)
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, n in zip(term, shape, strict=True):
            if lengths.get(label, 1) == 1:
                lengths[label] = n
    pairs = [_simplified(t, x, lengths) for t, x in zip(terms, parts, strict=True)]
    return finished("einsum", out, _contracted(pairs, result, path))


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
def _plan(subscripts: str, shapes: tuple[tuple[int, ...], ...], optimize: Any) -> Labels:
    """The labels of each operand and of the result, ellipses spelled out, and the pairs to
    contract.
    """
    dummies = [np.broadcast_to(np.empty(()), shape) for shape in shapes]
    if isinstance(optimize, tuple):
        way: Any = ["einsum_path", *optimize]
    else:
        way = optimize if isinstance(optimize, str) else "greedy"
    try:
        path = np.einsum_path(subscripts, *dummies, optimize=way)[0][1:]
    except (ValueError, TypeError, KeyError) as error:
        raise ShapeError(
            f"einsum({subscripts!r}, {', '.join(map(str, shapes))}): {error}"
        ) from error
    inputs, _, output = subscripts.partition("->")
    terms = inputs.split(",")
    free = [k for k in ascii_letters if k not in subscripts]
    counts = [
        len(shape) - len(term.replace("...", "")) if "..." in term else 0
        for term, shape in zip(terms, shapes, strict=True)
    ]
    dots = "".join(free[: max(counts)])
    terms = [
        term.replace("...", dots[len(dots) - n :]) for term, n in zip(terms, counts, strict=True)
    ]
    if "->" in subscripts:
        result = output.replace("...", dots)
    else:
        named = inputs.replace(",", "").replace("...", "")
        result = dots + "".join(k for k in sorted(set(named)) if named.count(k) == 1)
    if len(set(result)) < len(result) or not set(dots) <= set(result):
        raise ShapeError(
            f"einsum({subscripts!r}): the result has a label twice, or lacks the '...' for the "
            "axes that the subscripts do not name"
        )
    return tuple(terms), result, tuple(tuple(pair) for pair in path)


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
