"""Adjoints and tangents that fit: un-broadcasting and casting, stated once for every family."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import Box, dtype_of, shape_of

REAL_SCALARS = frozenset({float, np.float64})


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """``g`` summed to ``shape``, from which it was broadcast; broadcast to it where it is
    smaller.
    """
    have = shape_of(g)
    extra = len(have) - len(shape)
    if extra < 0 or any(h == 1 and n != 1 for h, n in zip(have[extra:], shape, strict=True)):
        g = np.broadcast_to(g, np.broadcast_shapes(have, shape))
        have, extra = g.shape, len(g.shape) - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and have[i + extra] != 1
    )
    if axes:
        g = np.sum(g, axis=axes)
    return g if shape_of(g) == shape else np.reshape(g, shape)


def cast(g: Any, dtype: Any) -> Any:
    """``g`` in ``dtype`` (a Python type: of a weak scalar, which only loses an imaginary part)."""
    have = dtype_of(g)
    if have is dtype or have == dtype:
        return g
    weak = isinstance(dtype, type)
    is_complex = have is complex or (not isinstance(have, type) and have.kind == "c")
    if is_complex and (dtype is float if weak else dtype.kind != "c"):
        g = np.real(g)
        have = dtype_of(g)
    if weak or have == dtype:
        return g
    plain = isinstance(have, type) and not isinstance(g, Box)
    return dtype.type(g) if plain else g.astype(dtype)


def fit(g: Any, like: Any) -> Any:
    """``g`` with the shape and dtype of ``like``, a node or an array: the adjoint of a broadcast or
    promoted argument.
    """
    if type(g) is np.ndarray and g.shape == like.shape and g.dtype is like.dtype:
        return g
    if shape_of(g) != like.shape:
        g = unbroadcast(g, like.shape)
    return cast(g, like.dtype)


def fit_like(g: Any, y: Any) -> Any:
    """``g`` with the shape and dtype of the value ``y``: the tangent of an output."""
    kind = type(g)
    if kind is np.ndarray:
        if type(y) is np.ndarray and g.dtype is y.dtype and g.shape == y.shape:
            return g
    elif kind in REAL_SCALARS and type(y) in REAL_SCALARS:
        return g
    return fit(g, Like(y))


class Like:
    """A shape and a dtype to fit to."""

    __slots__ = ("dtype", "shape")

    def __init__(self, value: Any) -> None:
        self.shape, self.dtype = shape_of(value), dtype_of(value)


def zeros_like(x: Any) -> Any:
    """Plain zeros with the shape and dtype of ``x``; what they are written into makes them its
    own.
    """
    dtype = dtype_of(x)
    if isinstance(dtype, type):
        return dtype(0)
    return np.zeros(shape_of(x), dtype)


def is_complex(value: Any) -> bool:
    """Whether an array, a handle or a scalar is complex."""
    dtype = dtype_of(value)
    return dtype is complex or (not isinstance(dtype, type) and dtype.kind == "c")
