"""Results of different libraries as plain NumPy arrays, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DisagreementError(Exception):
    """Two libraries were asked the same and answered differently."""


def plain(value: Any) -> NDArray[Any]:
    """Return the numbers in `value`, which may belong to any of the libraries measured."""
    if isinstance(value, np.ndarray | np.generic | float | int):
        return np.asarray(value)
    if hasattr(value, "block_until_ready"):  # JAX
        return np.asarray(value)
    if hasattr(value, "detach"):  # PyTorch and wengert
        return np.asarray(value.detach().numpy())
    if hasattr(value, "_value"):  # a box of autograd
        return plain(value._value)
    if isinstance(getattr(value, "data", None), np.ndarray):  # MyGrad
        return np.asarray(value.data)
    raise TypeError(f"no plain numbers known in a {type(value).__name__}")


def flat(value: Any) -> list[NDArray[Any]]:
    """Return every array in nested tuples and lists, in order."""
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in flat(item)]
    return [plain(value)]


def require_agreement(
    expected: Sequence[NDArray[Any]], got: Iterable[NDArray[Any]], tolerance: float
) -> None:
    """Raise `DisagreementError` unless the arrays agree.

    `tolerance` is the difference allowed, relative to the largest number of each array.
    """
    got = list(got)
    if len(expected) != len(got):
        raise DisagreementError(f"{len(got)} results, expected {len(expected)}")
    for number, (want, have) in enumerate(zip(expected, got, strict=True)):
        if want.shape != have.shape:
            raise DisagreementError(
                f"result {number} has shape {have.shape}, expected {want.shape}"
            )
        if not (np.isfinite(want).all() and np.isfinite(have).all()):
            raise DisagreementError(f"result {number} is not finite")
        largest = float(np.max(np.abs(want), initial=0.0))
        difference = float(np.max(np.abs(want.astype(np.float64) - have), initial=0.0))
        if difference > tolerance * largest:
            raise DisagreementError(
                f"result {number} differs by {difference:.2e} where the largest number is "
                f"{largest:.2e}; allowed is {tolerance:.0e} of it"
            )
