"""What must hold of a primitive, as plain functions of its record and one case.

``test_primitives.py`` runs them over the registry; ``test_the_tests.py`` shows that each fails
for a record with a planted fault. All derivatives are taken through the public transformations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

import wengert as wg
from wengert.core.aval import aval_of
from wengert.core.box import is_inexact
from wengert.core.primitive import Primitive

from .cases import Case, directions, like
from .differences import FIRST_STEP, complex_step, is_analytic, richardson

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


def subsets(positions: Sequence[int]) -> list[tuple[int, ...]]:
    """All choices of at least one position, the largest first."""
    every = chain.from_iterable(combinations(positions, n) for n in range(len(positions), 0, -1))
    return list(every)


def parts(y: Any) -> list[Any]:
    """The outputs that have derivatives."""
    return [part for part in (y if isinstance(y, tuple) else (y,)) if is_inexact(part)]


def adjoints_like(y: Any, seed: int = 0) -> Any:
    """A random adjoint of each output; zeros for those that are not floating."""
    rng = np.random.default_rng([11, seed])

    def one(part: Any) -> Any:
        return like(rng, part) if is_inexact(part) else np.zeros(np.shape(part))

    return tuple(one(part) for part in y) if isinstance(y, tuple) else one(y)


def flat(values: Any) -> np.ndarray:
    """All numbers in one real vector: real and imaginary parts."""
    arrays = [np.ravel(np.asarray(v)) for v in (values if isinstance(values, tuple) else (values,))]
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
    for ours, theirs in zip(*[v if isinstance(v, tuple) else (v,) for v in (got, want)], strict=True):
        a, b = np.asarray(ours), np.asarray(theirs)
        assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}; {case}"
        assert a.dtype == b.dtype, f"{what}: dtype {a.dtype}, expected {b.dtype}; {case}"
        same = np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        assert same, f"{what}: {a}, expected {b}; {case}"


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
        assert np.array_equal(arg, copy, equal_nan=copy.dtype.kind in "fc"), f"changed an argument; {case}"


def directions_of(case: Case, seed: int = 0) -> tuple[Any, ...]:
    return tuple(directions(case, case.active, seed))


def check_infer(primitive: Primitive, case: Case) -> None:
    """The shape rule says what comes out: shape, dtype, and whether it is weak."""
    if value_dependent(case):
        return
    y = evaluated(primitive, case)
    ruled = primitive.infer(*[aval_of(arg) for arg in case.args], **case.params)
    outputs = y if isinstance(y, tuple) else (y,)
    rules = ruled if isinstance(ruled, tuple) else (ruled,)
    for part, aval in zip(outputs, rules, strict=True):
        assert aval == aval_of(part), f"infer says {aval}, the result is {aval_of(part)}; {case}"


def value_dependent(case: Case) -> bool:
    """Whether the shape of the result depends on values: with a boolean index."""
    return "index" in case.params and any(np.asarray(arg).dtype.kind == "b" for arg in case.args)


# --- first order ----------------------------------------------------------------------------------


def check_forward(primitive: Primitive, case: Case) -> None:
    """The JVP is the slope of the value: by extrapolated differences, float64 and complex128."""
    if eps_of(case, *parts(evaluated(primitive, case))) > eps_of(case):
        return  # a cast to less precision, whose differences are steps: the dot test has it
    for positions in subsets(case.active):
        xs, dxs = at(case, positions), directions(case, positions)
        f = bound(primitive, case, positions)
        y, dy = wg.jvp(f, xs, tuple(dxs))
        for part, tangent in zip(*[v if isinstance(v, tuple) else (v,) for v in (y, dy)], strict=True):
            assert np.shape(part) == np.shape(tangent), f"tangent of shape {np.shape(tangent)}; {case}"
            assert not is_inexact(part) or np.asarray(part).dtype == np.asarray(tangent).dtype, case
        slope, error = slope_of(lambda t: moved(f, xs, dxs, t), case)
        assert_near(flat(dy), slope, error, f"JVP beside differences, inputs {positions}", case)


def slope_of(function: Callable[[float], Any], case: Case) -> tuple[Any, Any]:
    """Differences with their error; nearer to the point where a kink lies within the first steps."""
    for step in (FIRST_STEP, FIRST_STEP / 32, FIRST_STEP / 1024):
        slope, error = richardson(function, step)
        if np.all(error <= 1e-5 * (1 + np.abs(slope))):
            return slope, error
    raise AssertionError(f"differences too rough to check with: {error}; {case}")


def moved(f: Callable[..., Any], xs: Sequence[Any], dxs: Sequence[Any], t: float) -> np.ndarray:
    """All outputs at xs + t dxs, those that are not floating as zeros."""
    with np.errstate(all="ignore"):
        y = f(*[x + t * dx for x, dx in zip(xs, dxs, strict=True)])
    outputs = y if isinstance(y, tuple) else (y,)
    return flat(tuple(v if is_inexact(v) else np.zeros(np.shape(v)) for v in outputs))


def check_complex_step(primitive: Primitive, case: Case) -> bool:
    """Where the value is analytic, the JVP at real arguments is the complex step's to rounding."""
    xs, dxs = at(case, case.active), directions_of(case)
    f = bound(primitive, case, case.active)

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
        gys, dys = (list(v) if isinstance(v, tuple) else [v] for v in (gy, dy))
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


def check_constant(primitive: Primitive, case: Case) -> None:
    """An input that the record calls a constant to derivatives has none: zeros in both modes."""
    for i in case.active:
        saver = primitive.keep[1 << i]
        f, xs = bound(primitive, case, (i,)), at(case, (i,))
        tape_node: list[Any] = []

        def spying(x: Any, f: Any = f, seen: Any = tape_node) -> Any:
            y = f(x)
            seen.append((y[0] if isinstance(y, tuple) else y)._node)
            return y

        with np.errstate(all="ignore"):
            wg.vjp(spying, *xs)
        if saver is False:
            assert tape_node == [None], f"recorded, though input {i} has no derivative; {case}"


def check_saved(primitive: Primitive, case: Case) -> None:
    """A node keeps what its rules declare and nothing else; the rules work with that (poison)."""
    reads = getattr(primitive.keep, "reads", None)
    for positions in subsets(case.active):
        nodes: list[Any] = []
        f = bound(primitive, case, positions)

        def spying(*xs: Any, f: Any = f, nodes: Any = nodes) -> Any:
            y = f(*xs)
            nodes.append(y._node if not isinstance(y, tuple) else y[0]._node)
            return y

        with np.errstate(all="ignore"):
            y, pullback = wg.vjp(spying, *at(case, positions))
        (node,) = nodes
        if node is not None and isinstance(node.saved, tuple) and reads is not None:
            declared = frozenset().union(*[reads[i] or () for i in positions if i < len(reads)])
            extra = {p for p, v in enumerate(node.saved) if v is not None} - declared
            assert not extra, f"keeps positions {extra} beside {set(declared)}; {case}"
        with np.errstate(all="ignore"):
            pullback(adjoints_like(y))


# --- second order ---------------------------------------------------------------------------------


def potential(primitive: Primitive, case: Case, positions: Sequence[int]) -> Callable[..., Any]:
    """A real scalar of the arguments at ``positions``: Re ⟨c, outputs⟩, plus a square of it."""
    f = bound(primitive, case, positions)
    weights = adjoints_like(evaluated(primitive, case), seed=1)
    weights = weights if isinstance(weights, tuple) else (weights,)

    def phi(*xs: Any) -> Any:
        outputs = f(*xs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        total = 0.0
        for c, y in zip(weights, outputs, strict=True):
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
            lambda t: products(ws, gradient(*[x + t * v for x, v in zip(xs, vs, strict=True)])), case
        )
    assert_near(want, np.sum(slope), np.sum(error) + slack, "second order beside differences", case)


# --- batching -------------------------------------------------------------------------------------


def batched_argument(x: Any, size: int, rng: np.random.Generator) -> Any:
    """``size`` examples like ``x``: floats shrunk a little, integers and booleans the same."""
    x = np.asarray(x)
    rows = [x]
    for _ in range(size - 1):
        small = rng.uniform(0.9, 1.0, x.shape).astype(x.real.dtype) if x.dtype.kind in "fc" else None
        rows.append(x * small if small is not None else np.array(x))
    return np.stack(rows)


def check_batching(primitive: Primitive, case: Case, size: int = 3) -> None:
    """``vmap`` equals a loop, whichever of the arguments have an example axis."""
    rng = np.random.default_rng(3)
    y = evaluated(primitive, case)
    for positions in subsets(range(len(case.args))):
        f = bound(primitive, case, positions)
        stacks = [batched_argument(x, size, rng) for x in at(case, positions)]
        if refuses_masks(primitive, case, positions):
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


def refuses_masks(primitive: Primitive, case: Case, positions: Sequence[int]) -> bool:
    """A boolean index that differs between examples has no common shape: an error by design."""
    indexed = "index" in case.params
    return indexed and any(np.asarray(case.args[i]).dtype.kind == "b" for i in positions)


def check_batched_gradient(primitive: Primitive, case: Case, size: int = 3) -> None:
    """``vmap`` of the gradient, and of the tangent, equals a loop."""
    positions = case.active
    if not parts(evaluated(primitive, case)) or not positions:
        return
    rng = np.random.default_rng(4)
    phi, every = potential(primitive, case, positions), tuple(range(len(positions)))
    stacks = [batched_argument(x, size, rng) for x in at(case, positions)]
    dxs = tuple(directions(case, positions))
    for f in (wg.grad(phi, argnums=every), lambda *xs: wg.jvp(phi, xs, dxs)[1:]):
        with np.errstate(all="ignore"):
            got = wg.vmap(f)(*stacks)
            rows = [f(*[typed(s[k], x) for s, x in zip(stacks, at(case, positions), strict=True)])
                    for k in range(size)]
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

