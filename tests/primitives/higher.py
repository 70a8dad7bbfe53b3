"""What must hold of a primitive under transformations of transformations: second order in all four
compositions, batching, derivatives under ``vmap``, and below selections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

import wengert as wg
from wengert.core.box import is_inexact
from wengert.core.primitive import Primitive

from .apply import (
    ROUNDING,
    adjoints_like,
    as_tuple,
    assert_near,
    at,
    bound,
    eps_of,
    evaluated,
    parts,
    products,
    slope_of,
    subsets,
)
from .cases import Case, directions

# --- second order ---------------------------------------------------------------------------------


def potential(primitive: Primitive, case: Case, positions: Sequence[int]) -> Callable[..., Any]:
    """A real scalar of the arguments at ``positions``: Re ⟨c, outputs⟩ with random weights c."""
    f = bound(primitive, case, positions)
    weights = as_tuple(adjoints_like(evaluated(primitive, case), seed=1))

    def phi(*xs: Any) -> Any:
        total = 0.0
        for c, y in zip(weights, as_tuple(f(*xs)), strict=True):
            if np.asarray(c).dtype.kind == "c":
                total = total + np.sum(np.real(np.conj(c) * y))
            elif is_inexact(c) and np.any(c):
                total = total + np.sum(c * y)
        return total

    return phi


def gradient_dot(phi: Callable[..., Any], count: int, vs: Sequence[Any]) -> Callable[..., Any]:
    """x -> Re ⟨v, ∇phi(x)⟩, by reverse mode."""

    def slope(*xs: Any) -> Any:
        gs = wg.grad(phi, argnums=tuple(range(count)))(*xs)
        total = 0.0
        for g, v in zip(gs, vs, strict=True):
            term = np.real(np.conj(v) * g) if np.asarray(v).dtype.kind == "c" else v * g
            total = total + np.sum(term)
        return total

    return slope


def second_order(phi: Callable[..., Any], xs: tuple[Any, ...], vs: Any, ws: Any) -> dict[str, Any]:
    """wᵀHv in all four compositions."""
    count = len(xs)
    every = tuple(range(count))
    vs, ws = tuple(vs), tuple(ws)

    def slope(*zs: Any) -> Any:
        return wg.jvp(phi, zs, vs)[1]

    def gradient(*zs: Any) -> Any:
        return wg.grad(phi, argnums=every)(*zs)

    with np.errstate(all="ignore"):
        tangents = wg.jvp(gradient, xs, vs)[1]
        adjoints = wg.grad(gradient_dot(phi, count, vs), argnums=every)(*xs)
        mixed = wg.grad(slope, argnums=every)(*xs)
        return {
            "forward over reverse": np.sum(products(ws, tangents)),
            "reverse over reverse": np.sum(products(ws, adjoints)),
            "reverse over forward": np.sum(products(ws, mixed)),
            "forward over forward": wg.jvp(slope, xs, ws)[1],
            "terms": [products(ws, t) for t in (tangents, adjoints, mixed)],
        }


def check_second_order(primitive: Primitive, case: Case, differences: bool = True) -> None:
    """wᵀHv agrees in all four compositions, and with differences of the gradient (float64)."""
    positions = case.active
    if not parts(evaluated(primitive, case)):
        return
    phi, xs = potential(primitive, case, positions), at(case, positions)
    vs, ws = directions(case, positions, 2), directions(case, positions, 3)
    answers = second_order(phi, xs, vs, ws)
    terms = answers.pop("terms")
    scale = max(float(np.sum(np.abs(t))) for t in terms)
    want = answers["forward over reverse"]
    slack = ROUNDING * eps_of(case, *xs) * max(scale, 1e-2)
    for name, got in answers.items():
        assert_near(got, want, slack, f"{name} beside forward over reverse", case)
    if not differences:
        return
    gradient = wg.grad(phi, argnums=tuple(range(len(xs))))
    with np.errstate(all="ignore"):
        slope, error = slope_of(
            lambda t: products(ws, gradient(*[x + t * v for x, v in zip(xs, vs, strict=True)])),
            case,
        )
    assert_near(want, np.sum(slope), np.sum(error) + slack, "second order beside differences", case)


# --- batching -------------------------------------------------------------------------------------


def batched_argument(x: Any, size: int, rng: np.random.Generator) -> Any:
    """``size`` examples like ``x``: floats shrunk a little, integers and booleans the same."""
    x = np.asarray(x)
    rows = [x]
    for _ in range(size - 1):
        small = (
            rng.uniform(0.9, 1.0, x.shape).astype(x.real.dtype) if x.dtype.kind in "fc" else None
        )
        rows.append(x * small if small is not None else np.array(x))
    return np.stack(rows)


def check_batching(primitive: Primitive, case: Case, size: int = 3) -> None:
    """``vmap`` equals a loop, whichever of the arguments have an example axis."""
    rng = np.random.default_rng(3)
    y = evaluated(primitive, case)
    for positions in subsets(range(len(case.args))):
        f = bound(primitive, case, positions)
        stacks = [batched_argument(x, size, rng) for x in at(case, positions)]
        if has_mask(case, positions):  # no common shape: an error by design
            continue
        with np.errstate(all="ignore"):
            got = wg.vmap(f)(*stacks)
            rows = [f(*[stack[k] for stack in stacks]) for k in range(size)]
        for k, (part, _) in enumerate(outputs_of(got, y)):
            want = np.stack([np.asarray(outputs_of(row, y)[k][0]) for row in rows])
            assert np.asarray(part).dtype == want.dtype, f"dtype {part.dtype} under vmap; {case}"
            scale = np.max(np.abs(want), initial=0) if want.dtype.kind in "fc" else 0
            tolerance = 64 * eps_of(case, want) * scale
            assert_near(part, want, tolerance, f"vmap over {positions} beside a loop", case)


def outputs_of(y: Any, like_this: Any) -> list[tuple[Any, Any]]:
    pair = (y, like_this) if isinstance(like_this, tuple) else ((y,), (like_this,))
    return list(zip(*pair, strict=True))


def has_mask(case: Case, positions: Sequence[int] | None = None) -> bool:
    """Whether a boolean index, at one of ``positions``, makes the shape depend on values."""
    every = range(len(case.args)) if positions is None else positions
    return "index" in case.params and any(np.asarray(case.args[i]).dtype.kind == "b" for i in every)


def check_batched_gradient(primitive: Primitive, case: Case, size: int = 3) -> None:
    """``vmap`` of the gradient, and of the tangent, equals a loop."""
    positions = case.active
    if not parts(evaluated(primitive, case)) or not positions:
        return
    rng = np.random.default_rng(4)
    linear, every = potential(primitive, case, positions), tuple(range(len(positions)))

    def phi(*xs: Any) -> Any:
        total = linear(*xs)
        return total + 0.5 * total * total  # so that the adjoints differ between examples

    stacks = [batched_argument(x, size, rng) for x in at(case, positions)]
    dxs = tuple(directions(case, positions))
    for f in (wg.grad(phi, argnums=every), lambda *xs: wg.jvp(phi, xs, dxs)[1:]):
        with np.errstate(all="ignore"):
            got = wg.vmap(f)(*stacks)
            rows = [
                f(*[typed(s[k], x) for s, x in zip(stacks, at(case, positions), strict=True)])
                for k in range(size)
            ]
        for k, part in enumerate(got):
            want = np.stack([np.asarray(row[k]) for row in rows])
            tolerance = ROUNDING * eps_of(case, want) * np.max(np.abs(want), initial=1e-2)
            assert_near(part, want, tolerance, "vmap of a derivative beside a loop", case)


def typed(value: Any, x: Any) -> Any:
    """``value`` as an argument like ``x``: a Python scalar where x is one."""
    return value.item() if type(x) in (float, complex) else np.asarray(value)


# --- selections -----------------------------------------------------------------------------------


def check_absorbs(primitive: Primitive, case: Case) -> None:
    """What a selection leaves out has no derivative, NaN or not, to second order in both modes."""
    y = evaluated(primitive, case)
    if not parts(y) or isinstance(y, tuple):
        return
    positions = case.active
    f, xs = bound(primitive, case, positions), at(case, positions)
    bad = tuple(x * np.nan for x in xs)
    count, vs = len(bad), directions(case, positions, 5)
    nothing = np.zeros(np.shape(y), bool)

    def selected(*zs: Any) -> Any:
        total = np.where(nothing, f(*zs), 0)
        return np.sum(np.real(total) if np.asarray(y).dtype.kind == "c" else total)

    with np.errstate(all="ignore"):
        gradient = wg.grad(selected, argnums=tuple(range(count)))(*bad)
        answers = second_order(selected, bad, vs, vs)
    answers.pop("terms")
    assert not np.any([np.any(g) for g in gradient]), f"NaN leaks into {gradient}; {case}"
    leaks = {name: value for name, value in answers.items() if value != 0}
    assert not leaks, f"NaN leaks into the second order: {leaks}; {case}"


# --- boundary points ------------------------------------------------------------------------------

EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0)


def edges(primitive: Primitive) -> tuple[np.ndarray, ...]:
    """Arguments of an elementwise primitive at all combinations of special values that it takes."""
    count = len(primitive.doc.domain)
    points = np.array(list(product(EDGES if count < 3 else EDGES[:4], repeat=count))).T
    with np.errstate(all="ignore"):
        y = np.asarray(primitive(*points))
    finite = np.isfinite(y) if y.dtype.kind == "f" else np.zeros(y.shape, bool)
    return tuple(np.ascontiguousarray(row) for row in points[:, finite])


def check_edges(primitive: Primitive, xs: tuple[np.ndarray, ...]) -> None:
    """At kinks, ties and ends of the domain both modes give the same numbers, and so do all four
    compositions where the first derivative is finite. (The second derivative may depend on the
    order of its variables there: forward over reverse gives Hv, reverse over reverse Hᵀv.)
    """
    ones = tuple(np.ones_like(x) for x in xs)
    every = tuple(range(len(xs)))

    def phi(*zs: Any) -> Any:
        return np.sum(primitive(*zs))

    def slope(*zs: Any) -> Any:
        return wg.jvp(primitive, zs, ones)[1]

    with np.errstate(all="ignore"):
        gradient = wg.grad(phi, argnums=every)
        gs, dy = gradient(*xs), slope(*xs)
        tangents = wg.jvp(gradient, xs, ones)[1]
        adjoints = wg.grad(lambda *zs: sum(np.sum(g) for g in gradient(*zs)), argnums=every)(*xs)
        mixed = wg.grad(lambda *zs: np.sum(slope(*zs)), argnums=every)(*xs)
        twice = wg.jvp(slope, xs, ones)[1]
    finite = np.all(np.isfinite([*gs, dy]), axis=0)
    where = f"{primitive.name} at {[x.tolist() for x in xs]}"
    assert np.array_equal(np.isfinite(sum(gs)), np.isfinite(dy)), where
    np.testing.assert_allclose(dy[finite], sum(gs)[finite], rtol=1e-12, err_msg=where)
    for b, c in zip(adjoints, mixed, strict=True):
        np.testing.assert_allclose(c[finite], b[finite], rtol=1e-10, atol=1e-10, err_msg=where)
    total = sum(tangents)[finite]
    for other in (twice, sum(adjoints)):
        np.testing.assert_allclose(other[finite], total, rtol=1e-10, atol=1e-10, err_msg=where)
