"""What NumPy's functions take: arrays and lists, axes, sizes; and the plain values of constants."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import DtypeError, ReadOnlyError, ShapeError
from ..ops import inplace
from ..ops.array import Array, View, view

MISSING = np._NoValue


def as_array(x: Any) -> Any:
    """A handle as it is; lists with handles in them stacked; anything else as a NumPy array."""
    if isinstance(x, Box):
        return x
    if isinstance(x, list | tuple) and any(isinstance(item, Box | list | tuple) for item in x):
        return np.stack([as_array(item) for item in x])
    return np.asarray(x)


def plain(x: Any, what: str) -> Any:
    """The NumPy array that ``x`` holds, for counts, positions and shapes, which have no
    derivative.
    """
    return np.asarray(x._read(what) if isinstance(x, Array) else x)


def fresh(x: Any) -> Any:
    """``x``, copied if it is a view: where NumPy gives an array of its own."""
    return x.copy() if isinstance(x, View) else x


def boxed(x: Any) -> Any:
    """A scalar as an array without axes."""
    return np.reshape(np.reshape(x, (1,)), ())


def unboxed(x: Any) -> Any:
    """An array without axes as a scalar, which is what NumPy's reductions give."""
    return x if x.ndim else x[()]


def laid_out(x: Any) -> np.ndarray[Any, Any]:
    """An array with the shape and strides that ``x`` has in the NumPy program, and no memory."""
    strides = inplace.strides_of(x)
    return np.lib.stride_tricks.as_strided(np.zeros((), x.dtype), x.shape, strides, writeable=False)


def in_order(x: Any, like: Any = None) -> Any:
    """``x`` laid out in C order, or in Fortran's if ``like`` is: as NumPy's function leaves it."""
    if not isinstance(x, Array) or not x.shape:
        return x
    if like is not None and isinstance(like, Array) and laid_out(like).flags.fnc:
        return x if laid_out(x).flags.f_contiguous else x.copy(order="F")
    return x if laid_out(x).flags.c_contiguous else x.copy()


def given(option: Any) -> bool:
    """Whether an argument was given that NumPy marks by ``<no value>``."""
    return option is not MISSING


def flag(option: Any) -> bool:
    """``keepdims`` and its like: false where not given."""
    return option is not MISSING and bool(option)


def one_axis(name: str, axis: Any, ndim: int) -> int:
    """``axis`` counted from 0. Raises ``ShapeError`` where there is none."""
    try:
        number = operator.index(axis)
    except TypeError:
        raise DtypeError(f"{name}: axis must be an integer, got {axis!r}") from None
    if not -ndim <= number < ndim:
        raise ShapeError(
            f"{name}: axis {number} is out of bounds for an array of {ndim} dimensions"
        )
    return number % ndim


def some_axes(name: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """``axis``, None for all, an integer or several, counted from 0, each once."""
    if axis is None:
        return tuple(range(ndim))
    several = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(one_axis(name, k, ndim) for k in several)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: an axis is named twice in {axis!r}")
    return axes


def as_shape(shape: Any) -> tuple[int, ...]:
    """The lengths that a user gives: an integer or several."""
    lengths = shape if isinstance(shape, Iterable) and not isinstance(shape, Box) else (shape,)
    return tuple(operator.index(n) for n in lengths)


def at(axis: int, entry: Any) -> tuple[Any, ...]:
    """The index with ``entry`` along ``axis``."""
    return (*(slice(None),) * axis, entry)


# --- views ----------------------------------------------------------------------------------------


def looked_at(
    x: Any,
    primitive: Any,
    params: dict[str, Any],
    function: Any,
    back: Any,
    certain: bool = True,
) -> Any:
    """``primitive`` of ``x`` as a view; ``back(new)`` is its inverse, for writing through it.

    ``function`` does the same to a plain array; where that may have to copy, and then raises
    ``ValueError``, it is not ``certain``.
    """

    def undo(base: Any, new: Any) -> None:
        inplace.replace(base, back(new))

    return view(x, primitive(x, **params), primitive, params, function, undo, certain=certain)


def only_read(name: str, x: Any, primitive: Any, params: dict[str, Any], function: Any) -> Any:
    """``primitive`` of ``x`` as a view that NumPy makes read-only."""

    def refuse(base: Any, new: Any) -> None:
        raise ReadOnlyError(
            f"{name} gives a read-only view: write into the array that it is a view of, or into a "
            "copy of it, x.copy()"
        )

    if inplace.is_scalar(x):
        x = np.reshape(x, (1,)) if params.get("shape") else boxed(x)
    return view(x, primitive(x, **params), primitive, params, function, refuse)
