"""NumPy's functions of sets, and of positions and index lists, for handles.

Which elements are in a set is constant; the elements themselves are gathered from where they stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.array import implements
from .arguments import as_array, plain

# --- sets -----------------------------------------------------------------------------------------


@implements(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Any:
    tests, elements = as_array(element), np.ravel(as_array(test_elements))
    found = np.any(np.equal(np.expand_dims(tests, -1), elements), axis=-1)
    return np.logical_not(found) if invert else found


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    return np.unique(np.append(ar1, ar2))


@implements(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    first = np.ravel(as_array(ar1))
    _, places, others = np.intersect1d(
        plain(first, "np.intersect1d"),
        plain(ar2, "np.intersect1d"),
        assume_unique,
        return_indices=True,
    )
    values = np.take(first, places)
    return (values, places, others) if return_indices else values


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    first = np.ravel(as_array(ar1)) if assume_unique else np.unique(as_array(ar1))
    inside = np.isin(plain(first, "np.setdiff1d"), plain(ar2, "np.setdiff1d"))
    return np.take(first, np.flatnonzero(~inside))


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    return np.sort(np.append(setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)))


# --- positions ------------------------------------------------------------------------------------


@implements(np.ix_)
def ix_(*args: Any) -> Any:
    return np.ix_(*[plain(x, "np.ix_") for x in args])


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: Any = "C") -> Any:
    return np.unravel_index(plain(indices, "np.unravel_index"), shape, order)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C") -> Any:
    places = tuple(plain(x, "np.ravel_multi_index") for x in multi_index)
    return np.ravel_multi_index(places, dims, mode, order)


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    return np.tril_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    return np.triu_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    return np.diag_indices_from(np.broadcast_to(np.zeros(()), arr.shape))


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy") -> Any:
    shapes: Any = [
        np.broadcast_to(np.zeros(()), x.shape) if hasattr(x, "shape") else x for x in operands
    ]
    return np.einsum_path(*shapes, optimize=optimize)
