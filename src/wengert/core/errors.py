"""Every exception of wengert.

A message says the operation, the argument, what came, what was expected and what to do. Each class
also derives from the built-in exception that NumPy would have raised, so that ``except ValueError``
keeps working.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


class WengertError(Exception):
    """The base of every error that wengert raises on purpose."""


class ShapeError(WengertError, ValueError):
    """Shapes, axes or sizes that do not fit."""


class DtypeError(WengertError, TypeError):
    """A dtype or a type that the operation does not take: integers to differentiate, a list for an
    array.
    """


class BoundsError(WengertError, IndexError):
    """An index outside of an array, or of a kind that arrays do not take."""


class DataError(WengertError, ValueError):
    """Data that can't be used: unreadable files, NaN, labels that do not fit."""


class UnsupportedError(WengertError, NotImplementedError):
    """An operation that wengert does not have, or that has no derivative; the message names the way
    around it.
    """


class MissingAttribute(UnsupportedError, AttributeError):
    """An attribute that NumPy's arrays have and a differentiated array can't; the message names the
    way around it.
    """


class EscapedValue(WengertError, RuntimeError):
    """A value used after, or outside of, the transformation that made it."""


class ConversionError(WengertError):
    """A conversion that would lose the derivative: ``float(x)``, ``np.asarray(x)``, ``plain[i] =
    x``.
    """


class InPlaceError(WengertError, RuntimeError):
    """A change in place that would make a derivative wrong."""


class ReadOnlyError(InPlaceError, ValueError):
    """A write through a view that NumPy makes read-only: of ``broadcast_to``, ``diagonal``."""


class GraphReleased(WengertError, RuntimeError):
    """``backward`` through a graph whose saved values an earlier ``backward`` released."""


class GradientError(WengertError, AssertionError):
    """Derivatives that disagree with each other or with differences (``check_grads``)."""


class ProgramError(WengertError, ValueError):
    """A program that is not one: a variable without definition, a type that does not fit."""


class CaptureWarning(UserWarning):
    """A compiled function that runs eagerly, and why."""


BUILTIN = {ValueError: ShapeError, TypeError: DtypeError, IndexError: BoundsError}


def describe(value: Any) -> str:
    """``value`` in a few words for a message: ``float64[3, 4]``, ``float 2.0``, ``list``."""
    if isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic):
        return f"{type(value).__name__} {value!r}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return f"{dtype}[{', '.join(map(str, shape))}]"
    return type(value).__name__


def operation_error(name: str, args: Sequence[Any], error: Exception) -> WengertError:
    """``error``, which NumPy raised in operation ``name``, with the operation and its arguments
    named.
    """
    kind = next(ours for builtin, ours in BUILTIN.items() if isinstance(error, builtin))
    return kind(f"{name}({', '.join(map(describe, args))}): {error}")
