"""NumPy's covariances and correlations, for handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import DtypeError, ShapeError
from ..ops import reduction
from ..ops.array import implements
from .arguments import as_array, plain
from .reductions import as_float


def _observations(name: str, m: Any, y: Any, rowvar: bool, dtype: Any) -> Any:
    """A row for each variable."""
    m = as_array(m)
    if m.ndim > 2 or (y is not None and as_array(y).ndim > 2):
        raise ShapeError(f"{name}: got an array of shape {m.shape}, expected 1 or 2 axes")
    rows = np.atleast_2d(as_float(m, dtype))
    if not rowvar and m.ndim == 2:
        rows = rows.T
    if y is None:
        return rows
    others = np.atleast_2d(as_float(y, dtype))
    if not rowvar and others.shape[0] != 1:
        others = others.T
    return np.concatenate([rows, others], axis=0)


def _frequencies(fweights: Any, count: int) -> Any:
    counts = plain(fweights, "np.cov's fweights")
    if counts.shape != (count,) or counts.min(initial=0) < 0 or np.any(counts != np.floor(counts)):
        raise DtypeError(f"cov: fweights must be {count} counts, got {fweights!r}")
    return counts.astype(np.float64)


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    rows = _observations("cov", m, y, rowvar, dtype)
    if ddof is None:
        ddof = 0 if bias else 1
    weights: Any = None if fweights is None else _frequencies(fweights, rows.shape[1])
    if aweights is not None:
        given = as_array(aweights)
        weights = given if weights is None else weights * given
    average, total = np.average(rows, axis=1, weights=weights, returned=True)
    total = total[0]
    if weights is None:
        factor = rows.shape[1] - ddof
    elif ddof == 0:
        factor = total
    elif aweights is None:
        factor = total - ddof
    else:
        factor = total - ddof * np.sum(weights * as_array(aweights)) / total
    centred = rows - np.expand_dims(average, 1)
    weighted = centred if weights is None else centred * weights
    result = np.dot(centred, np.conj(weighted.T) if rows.dtype.kind == "c" else weighted.T)
    result = result * np.true_divide(1, np.maximum(factor, 0))
    return result[0, 0] if result.shape == (1, 1) else result


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    covariance = cov(x, y, rowvar, dtype=dtype)
    if not covariance.ndim:
        return covariance / covariance
    deviation = reduction.root(np.real(np.diagonal(covariance)))
    result = covariance / np.expand_dims(deviation, 1) / np.expand_dims(deviation, 0)
    return np.clip(result, -1, 1) if result.dtype.kind == "f" else result
