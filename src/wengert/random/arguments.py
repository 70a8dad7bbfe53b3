"""What the methods of a generator take: sizes, parameters, dtypes. Layer: ``random``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.box import PYTHON_SCALARS, Box, shape_of
from ..core.errors import DataError, DtypeError, ShapeError, describe
from ..numpy.arguments import as_array, as_shape

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
Rule = tuple[Callable[[Any], Any], str]
NOT_NEGATIVE: Rule = (lambda x: np.less(x, 0), "must not be negative")
POSITIVE: Rule = (lambda x: np.less_equal(x, 0), "must be positive")
PROBABILITY: Rule = (
    lambda x: np.logical_not((x >= 0) & (x <= 1)),
    "must be a probability, between 0 and 1",
)
FINITE: Rule = (lambda x: ~np.isfinite(x), "must be finite")


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """``dtype``, which must be float32 or float64."""
    known: np.dtype[Any] = np.dtype(dtype)
    if known not in (F4, F8):
        raise DtypeError(f"random numbers of dtype {known}: expected float32 or float64")
    return known


def number(name: str, what: str, x: Any, dtype: Any) -> Any:
    """A real parameter in ``dtype``; a Python number as it is."""
    if type(x) in PYTHON_SCALARS and type(x) is not complex:
        return x
    x = as_array(x)
    if x.dtype.kind not in "biuf":
        raise DtypeError(f"{name}: {what} is {describe(x)}, expected real numbers")
    return x if x.dtype == dtype else x.astype(dtype)


def check(name: str, what: str, x: Any, rule: Rule) -> None:
    """Raise ``DataError`` where a plain parameter breaks ``rule``. What a transformation knows of
    has no value that could be read everywhere, and is not checked.
    """
    broken, said = rule
    if not isinstance(x, Box) and np.any(broken(x)):
        raise DataError(f"{name}: {what} {said}, got {x}")


def sample_shape(name: str, size: Any, *parameters: Any) -> tuple[int, ...]:
    """The shape of what is drawn: ``size``, to which the parameters must broadcast, or else their
    shape.
    """
    if size is None and not parameters:
        return ()
    shapes = [shape_of(x) for x in parameters]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"{name}: parameters of shapes {listed(shapes)} do not fit") from None
    if size is None:
        return common
    shape = as_shape(size)
    if min(shape, default=0) < 0:
        raise ShapeError(f"{name}: size must not be negative, got {size!r}")
    try:
        fits = np.broadcast_shapes(shape, common) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{name}: parameters of shapes {listed(shapes)} do not broadcast to size={shape}"
        )
    return shape


def listed(shapes: Sequence[Any]) -> str:
    """Shapes in words."""
    return " and ".join(map(str, shapes))
