"""What ``check_grads`` checks: a function of flat leaves at a point, and derivatives of it as such.

A ``Subject`` has the differentiable leaves of the arguments one by one, and gives the
differentiable leaves of the result as a list. ``derived`` makes of it the subject "its forward (or
reverse) mode", with the tangents (adjoints) among the leaves, so that orders follow from one
another. Layer: the two modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core import tree
from ...core.box import Box, is_inexact
from ...core.errors import DtypeError, describe
from ..forward import jvp
from ..reverse import differentiable, lists_meant_as_arrays, vjp
from .jitter import plain
from .ladder import Vector

FORWARD, REVERSE = "forward", "reverse"
Function = Callable[..., list[Any]]


@dataclass(frozen=True)
class Subject:
    """``f(*leaves)``, a list of arrays, at ``leaves``.

    ``low``: the leaves in their own, lower precision, where ``leaves`` are copies of them in
    float64; else None.
    """

    f: Function
    leaves: list[Any]
    low: list[Any] | None = None

    def derived(self, mode: str, seeds: list[Any]) -> Subject:
        """The derivative in ``mode`` as a function of the leaves and of ``seeds``, at both."""
        count, f = len(self.leaves), self.f

        def forward(*leaves: Any) -> list[Any]:
            result: list[Any] = jvp(f, leaves[:count], leaves[count:])[1]
            return result

        def reverse(*leaves: Any) -> list[Any]:
            _, pullback = vjp(f, *leaves[:count])
            return list(pullback(list(leaves[count:])))

        low = None
        if self.low is not None:
            likes = self.low if mode == FORWARD else self.f(*copies(self.low))
            low = [*self.low, *[cast_like(s, x) for s, x in zip(seeds, likes, strict=True)]]
        return Subject(forward if mode == FORWARD else reverse, [*self.leaves, *seeds], low)

    def seeded(self, mode: str, rng: np.random.Generator) -> Subject:
        """The derivative in ``mode`` at random tangents or adjoints."""
        if mode == FORWARD:
            v, _ = shortened(direction(rng, self.leaves, False))
            return self.derived(mode, as_leaves(v, self.leaves))
        with np.errstate(all="ignore"):
            ys = self.value(self.leaves)
        scales = [np.full(n, weight(y)) for y, n in zip(ys, lengths(ys), strict=True)]
        return self.derived(mode, as_leaves(short(rng, np.concatenate(scales)), ys))

    def at(self, leaves: list[Any], low: list[Any] | None) -> Subject:
        """The same function elsewhere."""
        return Subject(self.f, leaves, low)

    def value(self, leaves: Sequence[Any]) -> list[Any]:
        """The result on plain copies of ``leaves``, as plain arrays."""
        return [plain(y) for y in self.f(*copies(leaves))]


def flat_function(f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Function, list[Any]]:
    """``f`` as a function of the differentiable leaves of ``args``, and these leaves.

    Raises:
        DtypeError: no leaf has a derivative; NaN or infinite ones; lists in place of arrays.
    """
    for arg in args:
        lists_meant_as_arrays(arg, "check_grads")
    given, treedef = tree.flatten(args)
    given = [plain(differentiable(leaf, "check_grads")) for leaf in given]
    active = [k for k, leaf in enumerate(given) if is_inexact(leaf)]
    if not active:
        got = ", ".join(map(describe, args)) or "none"
        raise DtypeError(
            f"check_grads: no argument has a derivative (got {got}); give floats: 3.0 instead of "
            "3, x.astype(float)"
        )
    for k in active:
        if not np.isfinite(given[k]).all():
            where = tree.names(args)[k]
            raise DtypeError(f"check_grads: args{where} is not finite; give finite numbers")

    def flat(*leaves: Any) -> list[Any]:
        full = copies(given)
        for k, leaf in zip(active, leaves, strict=True):
            full[k] = leaf
        result = f(*tree.unflatten(treedef, full))
        found = [leaf for leaf in tree.flatten(result)[0] if _is_number(leaf) and is_inexact(leaf)]
        if not found:
            raise DtypeError(
                f"check_grads: f gives {describe(result)}, expected a float or complex array, or a "
                "container with one: there is nothing to differentiate"
            )
        return found

    flat.__wrapped__ = f  # type: ignore[attr-defined]
    return flat, [given[k] for k in active]


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, Box | np.ndarray | np.generic | int | float | complex)


def copies(leaves: Sequence[Any]) -> list[Any]:
    """The leaves, arrays copied: f may write into them."""
    return [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]


def promoted(leaves: Sequence[Any]) -> list[Any] | None:
    """The leaves in double precision, or None if they have it."""
    wide = [_wide(leaf) for leaf in leaves]
    same = all(a is b for a, b in zip(leaves, wide, strict=True))
    return None if same else wide


def _wide(leaf: Any) -> Any:
    dtype = np.asarray(leaf).dtype
    target = np.result_type(dtype, np.float64)
    return leaf if dtype == target else leaf.astype(target)


def cast_like(value: Any, like: Any) -> Any:
    """``value`` in the dtype, and of the kind (array, NumPy's or Python's number), of ``like``."""
    dtype = np.asarray(like).dtype
    array = np.asarray(value)
    array = (array if dtype.kind == "c" else array.real).astype(dtype)
    if isinstance(like, np.ndarray):
        return array
    return array[()] if isinstance(like, np.generic) else array.item()


def same_field(value: Any, like: Any) -> Any:
    """``value`` as complex numbers where ``like`` is complex: a real adjoint of one may be."""
    both = np.asarray(value), np.asarray(like)
    return value if both[0].dtype.kind == both[1].dtype.kind else cast_like(value, like)


# --- leaves as real vectors --------------------------------------------------------------------


def as_vector(leaves: Sequence[Any]) -> Vector:
    """All numbers of plain ``leaves`` as one real vector; a complex one is two."""
    parts = [np.ravel(np.asarray(leaf)) for leaf in leaves]
    wide = [p.astype(np.complex128 if p.dtype.kind == "c" else np.float64) for p in parts]
    return np.concatenate([p.view(np.float64) for p in wide]) if wide else np.zeros(0)


def lengths(leaves: Sequence[Any]) -> list[int]:
    """How many entries of ``as_vector`` are each leaf's."""
    return [np.size(leaf) * (2 if np.asarray(leaf).dtype.kind == "c" else 1) for leaf in leaves]


def as_leaves(vector: Vector, likes: Sequence[Any]) -> list[Any]:
    """The inverse of ``as_vector``: leaves of the shapes, dtypes and kinds of ``likes``."""
    leaves, start = [], 0
    for like, count in zip(likes, lengths(likes), strict=True):
        part = vector[start : start + count]
        start += count
        numbers = part.view(np.complex128) if np.asarray(like).dtype.kind == "c" else part
        leaves.append(cast_like(numbers.reshape(np.shape(like)), like))
    return leaves


def units(leaves: Sequence[Any]) -> Vector:
    """The rounding unit of each entry of ``as_vector(leaves)``."""
    eps = [float(np.finfo(np.asarray(leaf).dtype).eps) for leaf in leaves]
    return np.repeat(eps, lengths(leaves))


def short(rng: np.random.Generator, scale: Vector) -> Vector:
    """Random numbers about ``scale``, of either sign and with four bits: x + t v does not round."""
    _, exponent = np.frexp(np.where((scale > 0) & np.isfinite(scale), scale, 1.0))
    bits = rng.integers(9, 16, scale.shape) / 16 * rng.choice([-1.0, 1.0], scale.shape)
    result: Vector = np.ldexp(bits, np.clip(exponent, -100, 100))
    return result


def weight(leaf: Any) -> float:
    """What brings the numbers of ``leaf`` to about 1."""
    size = np.abs(as_vector([leaf]))
    largest = float(np.max(np.where(np.isfinite(size), size, 0.0), initial=0.0))
    return 1 / largest if 2.0**-90 < largest < 2.0**90 else 1.0


def direction(rng: np.random.Generator, leaves: Sequence[Any], relative: bool) -> Vector:
    """A direction v for the leaves together: about max(1, |x|), or about |x| if ``relative``."""
    parts = []
    for leaf in leaves:
        size = np.abs(as_vector([leaf]))
        typical = float(np.median(size[size > 0])) if (size > 0).any() else 1.0
        parts.append(np.where(size > 0, size, typical) if relative else np.maximum(size, 1.0))
    return short(rng, np.concatenate(parts)) if parts else np.zeros(0)


def room(leaves: Sequence[Any], v: Vector) -> float:
    """How many times ``v`` goes into the leaves before a number has moved by its own size."""
    parts = []
    for leaf in leaves:
        array = np.asarray(leaf)
        parts.append(np.repeat(np.abs(array).ravel(), 2 if array.dtype.kind == "c" else 1))
    size = np.concatenate(parts).astype(np.float64)
    moves = (size > 0) & (v != 0)
    return float(np.min(size[moves] / np.abs(v[moves]), initial=np.inf))


def shortened(v: Vector) -> tuple[Vector, float]:
    """``v`` divided by a power of two to lengths of at most 1, so that J v overflows only where
    the derivative does; and that power.
    """
    _, exponent = np.frexp(np.max(np.abs(v), initial=0.0))
    length = 2.0 ** max(int(exponent), 0)
    return v / length, length


def is_uneven(leaves: Sequence[Any]) -> bool:
    """Whether some numbers are far from 1: then the two kinds of directions see other things."""
    size = np.abs(as_vector(leaves))
    return bool(np.any((size > 0) & (size < 2.0**-6)) or np.any(size > 2.0**6))
