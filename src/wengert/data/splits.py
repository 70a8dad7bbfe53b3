"""``Split``: rows to train on and rows kept aside; how to make one, and mini-batches of it.

Layer: ``data``; NumPy and ``core.errors`` only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import DataError, describe

Floats = NDArray[np.float32]
Targets = NDArray[Any]  # int64 labels or float32 values


@dataclass(frozen=True, repr=False, eq=False)
class Split:
    """A data set in two parts.

    ``train_x``: (train rows, features) float32; ``train_y``: (train rows,) int64 class labels, or
    float32 values of shape (train rows,) or (train rows, outputs); ``test_x``, ``test_y`` likewise.
    ``image_shape``: (height, width) where a row is an image, its pixels row by row.

    Raises ``DataError`` if the parts do not fit each other or hold NaN or infinities.

    >>> Split(np.zeros((3, 2)), np.array([0, 1, 1]), np.zeros((1, 2)), np.array([0]))
    Split('data': 3 train + 1 test, x float32 (2,) in [0, 0], 2 classes)
    """

    train_x: Floats
    train_y: Targets
    test_x: Floats
    test_y: Targets
    name: str = "data"
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = checked(getattr(self, f"{part}_x"), getattr(self, f"{part}_y"), part)
            object.__setattr__(self, f"{part}_x", x)
            object.__setattr__(self, f"{part}_y", y)
        if self.train_x.shape[1] != self.test_x.shape[1]:
            raise DataError(
                f"Split: train_x has {self.train_x.shape[1]} features, test_x has "
                f"{self.test_x.shape[1]}; both need the same columns"
            )
        if self.train_y.dtype != self.test_y.dtype:
            raise DataError(
                f"Split: train_y is {self.train_y.dtype}, test_y is {self.test_y.dtype}; make both "
                "integers (classes) or both floats (values)"
            )

    @property
    def features(self) -> int:
        """The number of columns of ``x``."""
        return int(self.train_x.shape[1])

    @property
    def classes(self) -> int:
        """The number of classes, one more than the largest label. Raises for float targets."""
        if self.train_y.dtype.kind != "i":
            raise DataError(
                f"{self.name}: the targets are values, not class labels: they have no classes; "
                "for classes give integers from 0 up"
            )
        if (low := min(self.train_y.min(), self.test_y.min())) < 0:
            raise DataError(f"{self.name}: label {low} is negative; class labels count from 0 up")
        return int(max(self.train_y.max(), self.test_y.max())) + 1

    def standardized(self) -> "Split":
        """Each feature shifted and scaled to mean 0 and standard deviation 1 on the training rows.

        The test rows are moved by the same amounts: nothing is learnt from them. A feature that is
        constant over the training rows is only shifted.
        """
        mean = self.train_x.mean(axis=0, dtype=np.float64)
        scale = self.train_x.std(axis=0, dtype=np.float64)
        scale[scale == 0] = 1.0
        train, test = ((x - mean) / scale for x in (self.train_x, self.test_x))
        return replace(self, train_x=train, test_x=test)

    def __repr__(self) -> str:
        x, y = self.train_x, self.train_y
        if y.dtype.kind == "i":
            targets = f"{self.classes} classes" if y.min() >= 0 else "integer targets"
        else:
            targets = f"targets {y.dtype} {y.shape[1:]}"
        images = "" if self.image_shape is None else ", images {}x{}".format(*self.image_shape)
        return (
            f"Split({self.name!r}: {len(x)} train + {len(self.test_x)} test, "
            f"x {x.dtype} {x.shape[1:]} in [{x.min():.4g}, {x.max():.4g}], {targets}{images})"
        )


def checked(x: ArrayLike, y: ArrayLike, name: str) -> tuple[Floats, Targets]:
    """``x`` as float32 (rows, features) and ``y`` as int64 or float32, or a ``DataError``."""
    rows, targets = np.asarray(x), np.asarray(y)
    for which, array in ((f"{name}: x", rows), (f"{name}: y", targets)):
        if array.dtype.kind not in "buif":
            raise DataError(f"{which} is {describe(array)}; real numbers are needed")
    if rows.ndim != 2 or 0 in rows.shape:
        raise DataError(f"{name}: x is {describe(rows)}; expected (rows, features), not empty")
    if targets.ndim not in (1, 2) or len(targets) != len(rows):
        raise DataError(
            f"{name}: y is {describe(targets)} for x of {describe(rows)}; expected one label or "
            f"one row of values for each of the {len(rows)} rows"
        )
    kind = np.float32 if targets.dtype.kind == "f" else np.int64
    return finite(rows, f"{name}: x"), finite(targets, f"{name}: y", kind)


def finite(array: NDArray[Any], name: str, dtype: type = np.float32) -> NDArray[Any]:
    """``array`` as ``dtype``; ``DataError`` names the first entry that is not finite there."""
    with np.errstate(over="ignore"):
        result: NDArray[Any] = array.astype(dtype, copy=False)
    good = np.isfinite(result)
    if not good.all():
        index = tuple(map(int, np.argwhere(~good)[0]))
        raise DataError(
            f"{name}[{', '.join(map(str, index))}] is {array[index]}: {np.sum(~good)} of "
            f"{array.size} entries are no finite {result.dtype}; drop those rows or fill them in"
        )
    return result


def split(
    x: ArrayLike,
    y: ArrayLike,
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
    name: str = "data",
    image_shape: tuple[int, int] | None = None,
) -> Split:
    """Rows in random order, ``test_fraction`` of them kept aside; the same seed, the same split.

    ``x``: (rows, features), ``y``: (rows,) or (rows, outputs). Integer labels are stratified: each
    class keeps its share in both parts. The test part has ``round(rows * test_fraction)`` rows.

    Raises ``DataError`` if the arrays do not fit, hold NaN, or a part would be empty.

    >>> y = np.repeat([0, 1], [80, 20])
    >>> data = split(np.arange(100.0)[:, None], y, test_fraction=0.1)
    >>> np.bincount(data.test_y)
    array([8, 2])
    """
    rows, targets = checked(x, y, name)
    count = round(len(rows) * test_fraction) if 0 < test_fraction < 1 else 0
    if not 0 < count < len(rows):
        raise DataError(
            f"{name}: test_fraction={test_fraction!r} of {len(rows)} rows leaves a part empty; "
            "choose it between 0 and 1 so that both parts get a row"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    labels = targets[order] if targets.ndim == 1 and targets.dtype.kind == "i" else None
    if labels is not None:
        order = order[np.argsort(position_in_class(labels), kind="stable")]
    test, train = rng.permutation(order[:count]), rng.permutation(order[count:])
    return Split(rows[train], targets[train], rows[test], targets[test], name, image_shape)


def position_in_class(labels: Targets) -> NDArray[np.float64]:
    """Where each entry stands among those of its class, from 0 (first) to 1 (last).

    Sorting by it mixes the classes evenly: the first tenth of the rows holds a tenth of each.
    """
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    grouped = np.argsort(inverse, kind="stable")
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels))
    rank[grouped] = np.arange(len(labels)) - np.repeat(starts, counts)
    return np.asarray((rank + 0.5) / counts[inverse])


def batches(
    x: NDArray[Any], y: NDArray[Any], size: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The rows of ``x`` and ``y`` once, in random order, ``size`` at a time; the last may be fewer.

    ``x``: (rows, …), ``y``: (rows, …). ``rng`` draws the order: a generator in the same state gives
    the same batches. Arguments are checked at the call, before the first batch is asked for.

    >>> x = np.arange(5)
    >>> [len(bx) for bx, by in batches(x, x, 2, np.random.default_rng(0))]
    [2, 2, 1]
    """
    if len(x) != len(y):
        raise DataError(f"batches: x has {len(x)} rows, y has {len(y)}; each row needs its target")
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise DataError(f"batches: size is {size!r}; expected a whole number of rows, 1 or more")
    if not isinstance(rng, np.random.Generator):
        raise DataError(
            f"batches: rng is {describe(rng)}; give a generator: numpy.random.default_rng(seed)"
        )
    order = rng.permutation(len(x))
    parts = (order[start : start + size] for start in range(0, len(x), int(size)))
    return ((x[part], y[part]) for part in parts)
