"""Applying a primitive in a case, and comparing what comes out: what all checks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

from wengert.core.box import is_inexact
from wengert.core.primitive import Primitive

from .cases import Case, directions, like
from .differences import FIRST_STEP, richardson

ROUNDING = 2**12  # of the coarsest dtype: what sums of rounded products may differ by


# --- applications ---------------------------------------------------------------------------------


def evaluated(primitive: Primitive, case: Case) -> Any:
    """The plain value; floating-point warnings are not the subject here."""
    with np.errstate(all="ignore"):
        return primitive(*case.args, **case.params)


def bound(primitive: Primitive, case: Case, positions: Sequence[int]) -> Callable[..., Any]:
    """The application as a function of the arguments at ``positions``."""
    return lambda *xs: primitive(*case.with_args(positions, xs).args, **case.params)


def at(case: Case, positions: Sequence[int]) -> tuple[Any, ...]:
    return tuple(case.args[i] for i in positions)


def as_tuple(y: Any) -> tuple[Any, ...]:
    """The outputs of an application: most primitives have one."""
    return y if isinstance(y, tuple) else (y,)


def directions_of(case: Case, seed: int = 0) -> tuple[Any, ...]:
    """A tangent for each active argument."""
    return tuple(directions(case, case.active, seed))


def subsets(positions: Sequence[int]) -> list[tuple[int, ...]]:
    """All choices of at least one position, the largest first."""
    every = chain.from_iterable(combinations(positions, n) for n in range(len(positions), 0, -1))
    return list(every)


def parts(y: Any) -> list[Any]:
    """The outputs that have derivatives."""
    return [part for part in as_tuple(y) if is_inexact(part)]


def adjoints_like(y: Any, seed: int = 0) -> Any:
    """A random adjoint of each output; zeros for those that are not floating."""
    rng = np.random.default_rng([11, seed])

    def one(part: Any) -> Any:
        return like(rng, part) if is_inexact(part) else np.zeros(np.shape(part))

    return tuple(one(part) for part in y) if isinstance(y, tuple) else one(y)


def flat(values: Any) -> np.ndarray:
    """All numbers in one real vector: real and imaginary parts."""
    arrays = [np.ravel(np.asarray(v)) for v in as_tuple(values)]
    wide = [a.astype(complex).view(float) if a.dtype.kind == "c" else a for a in arrays]
    return np.concatenate([np.asarray(w, float) for w in wide] or [np.zeros(0)])


def products(gs: Sequence[Any], xs: Sequence[Any]) -> np.ndarray:
    """The terms of the real inner product Re ⟨g, x⟩, before they are summed."""
    terms = [
        np.ravel(np.real(np.conj(np.asarray(g, np.result_type(np.asarray(g), 0.0))) * x))
        for g, x in zip(gs, xs, strict=True)
    ]
    return np.concatenate(terms or [np.zeros(0)])


def eps_of(case: Case, *values: Any) -> float:
    """The rounding unit of the coarsest dtype in the case or in ``values``."""
    floats = [np.asarray(v).dtype for v in values if type(v) not in (float, complex)]
    kinds = [case.dtype, *[dtype for dtype in floats if dtype.kind in "fc"]]
    return max(float(np.finfo(dtype).eps) for dtype in kinds)


def assert_near(got: Any, want: Any, tolerance: Any, what: str, case: Case) -> None:
    """Elementwise |got − want| ≤ tolerance; NaN is never near."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}; {case}"
    gap = np.abs(got.astype(want.dtype if want.dtype.kind == "c" else float) - want)
    fine = (gap <= tolerance) | (got == want)
    worst = np.max(gap, initial=0)
    assert np.all(fine), f"{what}: {got} differs from {want} by {worst}, not {tolerance}; {case}"


def assert_same(got: Any, want: Any, what: str, case: Case) -> None:
    """Equal in shape, dtype and every bit that counts."""
    for ours, theirs in zip(
        *[v if isinstance(v, tuple) else (v,) for v in (got, want)], strict=True
    ):
        a, b = np.asarray(ours), np.asarray(theirs)
        assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}; {case}"
        assert a.dtype == b.dtype, f"{what}: dtype {a.dtype}, expected {b.dtype}; {case}"
        same = np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        assert same, f"{what}: {a}, expected {b}; {case}"


def slope_of(function: Callable[[float], Any], case: Case) -> tuple[Any, Any]:
    """Differences with their error, by smaller steps where a kink lies within the first ones."""
    for step in (FIRST_STEP, FIRST_STEP / 32, FIRST_STEP / 1024):
        slope, error = richardson(function, step)
        if np.all(error <= 1e-5 * (1 + np.abs(slope))):
            return slope, error
    raise AssertionError(f"differences too rough to check with: {error}; {case}")
