"""What must hold of a primitive to first order, as plain functions of its record and one case.

``test_primitives.py`` runs them over the registry; ``test_the_tests.py`` shows that each fails
for a record with a planted fault. All derivatives are taken through the public transformations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import wengert as wg
from wengert.core.aval import aval_of
from wengert.core.box import is_inexact
from wengert.core.primitive import Primitive

from .apply import (
    ROUNDING,
    adjoints_like,
    as_tuple,
    assert_near,
    assert_same,
    at,
    bound,
    directions_of,
    eps_of,
    evaluated,
    flat,
    parts,
    products,
    slope_of,
    subsets,
)
from .cases import Case, constant_inputs, directions
from .differences import complex_step, is_analytic

# --- value and type -------------------------------------------------------------------------------


def check_value(primitive: Primitive, case: Case) -> None:
    """The value is NumPy's, inputs stay as they are, and no transformation changes it."""
    before = [np.array(arg) for arg in case.args]
    y = evaluated(primitive, case)
    if primitive.ufunc is not None and not all(type(a) in (float, int, complex) for a in case.args):
        with np.errstate(all="ignore"):
            assert_same(y, primitive.ufunc(*case.args, **case.params), "value beside NumPy's", case)
    if case.active:
        f, xs = bound(primitive, case, case.active), at(case, case.active)
        with np.errstate(all="ignore"):
            assert_same(wg.vjp(f, *xs)[0], y, "value in reverse mode", case)
            assert_same(wg.jvp(f, xs, directions_of(case))[0], y, "value in forward mode", case)
    for arg, copy in zip(case.args, before, strict=True):
        assert np.array_equal(arg, copy, equal_nan=copy.dtype.kind in "fc"), (
            f"changed an argument; {case}"
        )


def check_infer(primitive: Primitive, case: Case) -> None:
    """The shape rule says what comes out: shape, dtype, and whether it is weak."""
    y = evaluated(primitive, case)
    ruled = primitive.infer(*[aval_of(arg) for arg in case.args], **case.params)
    for part, aval in zip(as_tuple(y), as_tuple(ruled), strict=True):
        assert aval == aval_of(part), f"infer says {aval}, the result is {aval_of(part)}; {case}"


# --- first order ----------------------------------------------------------------------------------


def check_forward(primitive: Primitive, case: Case) -> None:
    """The JVP is the slope of the value: by extrapolated differences, float64 and complex128."""
    if eps_of(case, *parts(evaluated(primitive, case))) > eps_of(case):
        return  # a cast to less precision, whose differences are steps: the dot test has it
    for positions in subsets(movable(primitive, case)):
        xs, dxs = at(case, positions), directions(case, positions)
        f = bound(primitive, case, positions)
        y, dy = wg.jvp(f, xs, tuple(dxs))
        for part, tangent in zip(
            *[v if isinstance(v, tuple) else (v,) for v in (y, dy)], strict=True
        ):
            assert np.shape(part) == np.shape(tangent), (
                f"tangent of shape {np.shape(tangent)}; {case}"
            )
            assert not is_inexact(part) or np.asarray(part).dtype == np.asarray(tangent).dtype, case
        slope, error = slope_of(lambda t: moved(f, xs, dxs, t), case)
        assert_near(flat(dy), slope, error, f"JVP beside differences, inputs {positions}", case)


def movable(primitive: Primitive, case: Case) -> list[int]:
    """The inputs to take differences in: not a condition, which is at its kink."""
    constants = constant_inputs(primitive)
    return [i for i in case.active if i not in constants]


def moved(f: Callable[..., Any], xs: Sequence[Any], dxs: Sequence[Any], t: float) -> np.ndarray:
    """All outputs at xs + t dxs, those that are not floating as zeros."""
    with np.errstate(all="ignore"):
        y = f(*[x + t * dx for x, dx in zip(xs, dxs, strict=True)])
    return flat(tuple(v if is_inexact(v) else np.zeros(np.shape(v)) for v in as_tuple(y)))


def check_complex_step(primitive: Primitive, case: Case) -> bool:
    """Where the value is analytic, the JVP at real arguments is the complex step's to rounding."""
    positions = movable(primitive, case)
    xs, dxs = at(case, positions), tuple(directions(case, positions))
    f = bound(primitive, case, positions)

    def along(t: complex) -> Any:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return np.ravel(f(*[x + t * dx for x, dx in zip(xs, dxs, strict=True)]))

    try:
        along(0.01j)
    except (TypeError, np.exceptions.ComplexWarning, wg.errors.WengertError):
        return False
    if not is_analytic(along):
        return False
    dy = np.ravel(wg.jvp(f, xs, dxs)[1])
    scale = np.max(np.abs(dy), initial=1.0)
    assert_near(dy, complex_step(along), ROUNDING * eps_of(case) * scale, "complex step", case)
    return True


def check_dot(primitive: Primitive, case: Case) -> None:
    """⟨gy, J dx⟩ = ⟨Jᵀgy, dx⟩ to rounding; adjoints have the shape and dtype of their arguments."""
    y = evaluated(primitive, case)
    gy = adjoints_like(y)
    whole: dict[int, Any] = {}
    for positions in subsets(case.active):
        xs, dxs = at(case, positions), directions(case, positions)
        f = bound(primitive, case, positions)
        with np.errstate(all="ignore"):
            dy = wg.jvp(f, xs, tuple(dxs))[1]
            gxs = wg.vjp(f, *xs)[1](gy)
        for i, x, gx in zip(positions, xs, gxs, strict=True):
            assert np.shape(gx) == np.shape(x), f"adjoint of shape {np.shape(gx)}; {case}"
            assert np.asarray(gx).dtype == np.asarray(x).dtype, f"adjoint {gx!r} of {x!r}; {case}"
            assert_same(gx, whole.setdefault(i, gx), "adjoint when others are constant", case)
            constant = i in constant_inputs(primitive)
            assert not (constant and np.any(gx)), f"adjoint {gx} of constant input {i}; {case}"
        gys, dys = as_tuple(gy), as_tuple(dy)
        left, right = products(gys, dys), products(gxs, dxs)
        scale = np.sum(np.abs(left)) + np.sum(np.abs(right))
        tolerance = ROUNDING * eps_of(case, *gys, *gxs) * scale
        assert_near(np.sum(right), np.sum(left), tolerance, f"dot test, inputs {positions}", case)


def check_single(primitive: Primitive, case: Case) -> None:
    """Derivatives in single precision are those in double precision, up to their conditioning."""
    positions = case.active
    xs = [in_double(x) for x in at(case, positions)]
    dxs, f = directions(case, positions), bound(primitive, case, positions)
    dy = flat(wg.jvp(f, at(case, positions), tuple(dxs))[1])
    wide = [in_double(dx) for dx in dxs]
    want = flat(wg.jvp(f, tuple(xs), tuple(wide))[1])
    eps, spread = eps_of(case), np.zeros(np.shape(want))
    for seed in range(3):  # how far a change of one rounding moves the result
        signs = directions(case, positions, seed + 1)
        near = [x + eps * np.abs(x) * s for x, s in zip(xs, signs, strict=True)]
        spread = np.maximum(spread, np.abs(flat(wg.jvp(f, tuple(near), tuple(wide))[1]) - want))
    tolerance = 32 * spread + 64 * eps * np.max(np.abs(want), initial=1e-3)
    assert_near(dy, want, tolerance, "single precision beside double", case)


def in_double(x: Any) -> Any:
    """``x`` as float64 or complex128."""
    x = np.asarray(x)
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def nodes_of(primitive: Primitive, case: Case, positions: Sequence[int]) -> tuple[Any, Any]:
    """``(node, pullback)`` of the application on a tape; the node is None where none is made."""
    seen: list[Any] = []
    f = bound(primitive, case, positions)

    def spying(*xs: Any) -> Any:
        y = f(*xs)
        seen.append(as_tuple(y)[0]._node)
        return y

    with np.errstate(all="ignore"):
        _, pullback = wg.vjp(spying, *at(case, positions))
    return seen[0], pullback


def check_saved(primitive: Primitive, case: Case) -> None:
    """A node keeps what its rules declare to read and nothing else, and works with that: all the
    rest is gone, as if it were poisoned. Where no active input has a derivative there is no node.
    """
    reads = primitive.reads
    for positions in subsets(case.active):
        node, pullback = nodes_of(primitive, case, positions)
        if node is not None and isinstance(node.saved, tuple) and reads is not None:
            declared = frozenset().union(*[reads[i] or () for i in positions])
            extra = {p for p, v in enumerate(node.saved) if v is not None} - declared
            assert not extra, f"keeps positions {extra} beside {set(declared)}; {case}"
        if reads is not None and all(reads[i] is None for i in positions):
            assert node is None, f"recorded, though {positions} have no derivative; {case}"
        with np.errstate(all="ignore"):
            pullback(adjoints_like(evaluated(primitive, case)))
