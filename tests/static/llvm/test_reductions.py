"""Reductions add up in NumPy's order, so with its bits: any axes of arrays in any order in memory,
alone or with what they reduce computed on the way.
"""

import itertools
import math

import numpy as np
import pytest

from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.ops.reduction import recurrence
from wengert.static import building
from wengert.static.llvm.native_program import Draft
from wengert.static.llvm.scalars import NotLowered
from wengert.static.observe import observe

from .build import draft_of, make_kernels, same

RNG = np.random.default_rng(5)
LENGTHS = [1, 2, 7, 8, 9, 15, 16, 17, 100, 127, 128, 129, 136, 137, 255, 256, 1000, 1025, 4099]
LENGTHS += [8191, 8193, 20_001]
SHAPES = [(5,), (130,), (3, 4), (40, 33), (2, 300), (300, 2), (4, 5, 6), (2, 1, 130), (17, 3, 16)]
SHAPES += [(1, 1), (0, 3), (3, 0), (90, 70)]
LAYOUTS = [
    lambda x: x,
    lambda x: x.T,
    lambda x: x[::-1],
    lambda x: x[..., ::2],
    lambda x: np.swapaxes(x, 0, -1)[::-1],
    lambda x: np.broadcast_to(x, (3, *x.shape)),
]
REAL = ["f4", "f8", "i8", "i2", "u1", "?"]
TURNED = [np.asfortranarray, lambda x: x[:, ::-1]]
DTYPES = [*REAL, "c8", "c16"]
POSITIONS = ("argmax", "argmin")


def drawn(shape, dtype):
    x = RNG.standard_normal(shape) * 10.0 ** RNG.integers(-2, 3, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RNG.standard_normal(shape)
    if np.dtype(dtype).kind == "u":
        x = np.abs(x)
    return np.asarray(x > 0.5 if dtype == "?" else x).astype(dtype)


def alike(got, want):
    """The same bits, and the same place for each element."""
    a, b = np.asarray(got), np.asarray(want)
    if type(got) is not type(want) or a.shape != b.shape:
        return False
    if any(p != q for p, q, n in zip(a.strides, b.strides, a.shape, strict=True) if n > 1):
        return False
    if a.dtype.kind == "c" == b.dtype.kind:
        return same(a.real.copy(), b.real.copy()) and same(a.imag.copy(), b.imag.copy())
    return same(a.copy(), b.copy())


def compared(cases, strict=True):
    """Each (function, array) by machine code and by NumPy, its reason where it has none."""
    drafts, programs, wanted, refused = [], [], [], []
    for function, x in cases:
        program = program_of(function)(x)
        try:
            draft, want = draft_of(program, [x], strict)
        except NotLowered as reason:
            refused.append(str(reason))
            continue
        drafts.append(draft)
        programs.append((program, x))
        wanted.append(want)
    falls = [falling(program) for program, _ in programs]
    for call, (program, x), want in zip(make_kernels(drafts, falls), programs, wanted, strict=True):
        got = call(x)
        for one, other in zip(got if len(want) > 1 else (got,), want, strict=True):
            assert alike(one, other), (str(program), x.shape, x.strides, one, other)
    return refused


def falling(program):
    run = executable(program)

    def fall(*values):
        results = run(*values)
        return results if len(results) > 1 else results[0]

    return fall


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_sums_of_every_length(dtype):
    arrays = [drawn(n, dtype) for n in LENGTHS]
    assert not compared([(np.sum, x) for x in arrays])
    assert not compared([(np.sum, x[::-1]) for x in arrays[::3]])
    assert not compared([(lambda x: np.sum(x + x - 3), x) for x in arrays[1::2]])
    assert not compared([(lambda x: np.sum(x + x - 3, axis=0), x[:, None]) for x in arrays[:9]])


def axes_of(name, ndim):
    if name in POSITIONS:
        return list(range(ndim))
    several = [axes for k in (2, 3) for axes in itertools.combinations(range(ndim), k)]
    return [None, *range(-1, ndim), *several]


def cases_of(name, dtype, share):
    for shape, layout in itertools.product(SHAPES, LAYOUTS):
        x = layout(drawn(shape, dtype))
        for axis in axes_of(name, x.ndim):
            axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
            empty = any(x.shape[k] == 0 for k in axes)
            if not (empty and name in ("max", "min", *POSITIONS)) and RNG.random() < share:
                yield reduced(getattr(np, name), axis, bool(RNG.random() < 0.3)), x


def reduced(function, axis, keepdims):
    return lambda x: function(x, axis=axis, keepdims=keepdims)


# complex products are not NumPy's bits, and complex numbers have no order
COMBINED = [(name, dtype) for name in ("sum", "any", "all") for dtype in DTYPES]
COMBINED += [(name, dtype) for name in ("prod", "max", "min", *POSITIONS) for dtype in REAL]


@pytest.mark.parametrize(("name", "dtype"), COMBINED)
def test_over_any_axes_of_any_layout(name, dtype):
    share = {"sum": 0.15, "argmax": 0.1, "argmin": 0.1}.get(name, 0.05)
    cases = list(cases_of(name, dtype, share))
    assert len(cases) >= 6
    with np.errstate(all="ignore"):
        refused = compared(cases)
    # runs of uneven steps are copied by NumPy, piece by piece, and added up so
    assert set(refused) <= {"NumPy's own bits"}
    assert len(refused) < len(cases) / 3


def test_special_values():
    rows = [[-0.0, -0.0], [np.inf, -np.inf], [np.nan, 1], [1e308, 1e308], [0.0, -0.0], [-0.0]]
    arrays = [np.array(row * k) for row in rows for k in (1, 3, 5, 80)]
    cases = [(np.sum, x) for x in arrays]
    cases += [(reduced(np.sum, 0, False), x[:, None] * np.ones(20)) for x in arrays]
    cases += [(function, x) for x in arrays for function in (np.max, np.min, np.prod)]
    cases += [(reduced(getattr(np, name), 0, False), x) for x in arrays for name in POSITIONS]
    with np.errstate(all="ignore"):
        assert not compared(cases)


def test_positions_are_the_first():
    for dtype in ("f4", "f8", "i4", "i1"):
        x = RNG.integers(0, 3, (40, 70)).astype(dtype)
        cases = [(reduced(np.argmax, axis, False), x) for axis in (0, 1)]
        cases += [(reduced(np.argmin, axis, False), x.T) for axis in (0, 1)]
        assert not compared(cases)
    x[...] = 7
    assert not compared([(reduced(np.argmax, axis, True), x) for axis in (0, 1)])
    y = RNG.standard_normal((33, 35))
    y[5, 9] = y[7, 9] = y[20, 30] = np.nan
    y[:, 3] = -np.inf
    assert not compared([(reduced(np.argmax, axis, False), y) for axis in (0, 1)])


# --- with what they reduce ------------------------------------------------------------------------

FUSED = {
    "softmax without exp": lambda x: (
        e := (x - np.max(x, axis=1, keepdims=True)) * (x + 3),
        np.sum(e, axis=1),
        e / np.sum(e, axis=1, keepdims=True),
    ),
    "all of it": lambda x: np.sum(x * x * 3 - x),
    "columns": lambda x: np.sum(x * x - 3, axis=0),
    "several": lambda x: (np.sum(x * 2, axis=1), np.max(x * 2 + 1, axis=1), np.max(x * 2)),
    "broadcast rows": lambda x: np.sum(x * x[0]),
    "broadcast columns": lambda x: np.sum(x * x[:, :1] - 1),
    "products of rows": lambda x: np.sum(x[:, None, :] * x[None, :4, :], axis=(1, 2)),
    "products of columns": lambda x: np.sum(x[:, None, :] * x[None, :4, :], axis=0),
    "transposed": lambda x: np.sum(x.T * x.T + 1, axis=0),
    "mixed layouts": lambda x: np.sum(x.T * 2 + x[:, 0], axis=1),
    "positions": lambda x: (np.argmax(x * x, axis=1), np.argmin(x * x, axis=1)),
    "product": lambda x: (np.prod(x * x + 0.5, axis=1), np.max(x * x + 0.5, axis=1)),
    "truth": lambda x: (np.any(x > 2, axis=0), np.all(x > -3, axis=1), np.sum(x > 0)),
    "moments": lambda x: (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1),
    "also read": lambda x: (e := x * x + 1, np.sum(e, axis=1), e * 2),
    "in turn": lambda x: np.sum(np.sum(x * 2, axis=1) * 3 - 1),
    "with numbers": lambda x: np.sum(x * np.sum(x) + np.max(x)),
    "backwards": lambda x: (np.sum(x[::-1] * x, axis=1), np.sum(x[:, ::-1] + 0)),
    "complex": lambda x: (np.sum(x + 1j * x, axis=1), np.sum(x * 2, axis=1), np.sum(x - 1j)),
}


@pytest.mark.parametrize("name", FUSED)
def test_what_is_reduced_is_computed_on_the_way(name):
    cases = []
    for number, shape in enumerate([(6, 8), (5, 300), (300, 5), (90, 70), (4, 1)]):
        x = drawn(shape, REAL[number % 2])
        cases += [(FUSED[name], x), (FUSED[name], TURNED[number % 2](x))]
    with np.errstate(all="ignore"):
        assert len(compared(cases)) <= 4


def steps_of(function, *values):
    program = program_of(function)(*values)
    return len(Draft(program, observe(program, values)[1]).steps)


def test_a_reduction_is_one_step_with_what_it_reduces():
    x = drawn((20, 30), "f8")
    assert steps_of(lambda x: np.sum(np.exp(x - 1) * x, axis=0), x) == 1
    assert steps_of(lambda x: (np.sum(y := x * 2, axis=1), np.max(y, axis=1)), x) == 1
    assert steps_of(lambda x: (np.sum(y := x * 2, axis=1), np.max(y, axis=0)), x) == 2

    def softmax(x):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    assert steps_of(softmax, x) == 3


def test_uneven_runs_are_as_exact_as_numpys():
    for dtype in ("f4", "f8"):
        x = (drawn((700, 601), dtype) + 1)[:, ::2]
        program = program_of(np.sum)(x)
        with pytest.raises(NotLowered, match="own bits"):
            draft_of(program, [x], strict=True)
        draft, (want,) = draft_of(program, [x], strict=False)
        (call,) = make_kernels([draft], [None])
        exact = math.fsum(x.ravel().tolist())
        largest = np.spacing(np.max(np.abs(x)))
        assert abs(float(call(x)) - exact) <= 2 * abs(float(want) - exact) + 4 * float(largest)


# --- cumulative operations ------------------------------------------------------------------------


ALONG = [("cumsum", dtype) for dtype in DTYPES] + [("cumprod", dtype) for dtype in REAL]


@pytest.mark.parametrize(("name", "dtype"), ALONG)
def test_along_any_axis_of_any_layout(name, dtype):
    cases = []
    for shape, layout in itertools.product(SHAPES, LAYOUTS):
        x = layout(drawn(shape, dtype))
        for axis in range(x.ndim):
            if RNG.random() < 0.12:
                cases.append((lambda x, axis=axis: getattr(np, name)(x, axis=axis), x))
    with np.errstate(all="ignore"):
        assert not compared(cases)


@pytest.mark.parametrize("absorbs", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_recurrences(reverse, absorbs):
    cases = []
    for dtype, shape in itertools.product(("f4", "f8"), [(1,), (9,), (5, 7), (7, 1), (3, 4, 5)]):
        for axis, layout in itertools.product(range(len(shape)), (0, 1)):
            x = drawn((2, *shape), dtype)
            x[..., 0], x[..., -1] = -0.0, np.inf
            params = {"axis": axis, "reverse": reverse, "absorbs": absorbs}

            def take(x, params=params):
                return recurrence(x[0], x[1], **params)

            cases.append((take, x if not layout else np.asfortranarray(x)))
    with np.errstate(all="ignore"):
        assert not compared(cases)


# --- whole programs -------------------------------------------------------------------------------


def softmax(x):
    e = np.exp(x - np.sum(x, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    return p, np.sum(p * (1 - p), axis=0), np.mean(p) * x.T, (p.T[2:5] + 1).reshape(3, 2, -1) * 2


def test_what_is_computed_from_reductions_is_in_the_same_program():
    x = RNG.standard_normal((6, 8))
    program = program_of(softmax)(x)
    made = building.built(program, program, [x], strict=False)
    assert len(made.machine.kernels) == 1
    for a, b, c in zip(made.results, made.run(x), executable(program)(x), strict=True):
        assert same(a, c)
        assert type(b) is type(c)
        assert b.strides == c.strides
        np.testing.assert_allclose(b, c, rtol=1e-13)


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_of_nests(seed):
    """Reductions, broadcasts, transposes and slices of what is computed, in one program."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 24, 36)).astype(["f4", "f8"][seed % 2])

    def function(x, y):
        values, draws = [x, y], np.random.default_rng(seed)
        for _ in range(14):
            a, b = (values[int(draws.integers(len(values)))] for _ in range(2))
            values.append(STEPS[int(draws.integers(len(STEPS)))](a, b))
        return values[-6:]

    program = program_of(function)(x, y)
    made = building.built(program, program, [x, y], strict=True)
    want = executable(program)(x, y)
    for call in (made.run, made.run):
        assert all(map(same, call(x, y), want)), (str(program), str(made.machine))


def shrunk(a, b):
    """``a`` reshaped or cut until it broadcasts against ``b``."""
    return a if np.ndim(a) == 0 or np.shape(a) == np.shape(b) else np.sum(a)


STEPS = [
    lambda a, b: shrunk(a, b) * b - 1,
    lambda a, b: shrunk(a, b) + b * 0.5,
    lambda a, b: np.maximum(shrunk(a, b), b),
    lambda a, b: a.T * 2 if np.ndim(a) else a + 1,
    lambda a, b: (a[1:, ::-1] * a[:-1]) if np.ndim(a) == 2 and len(a) > 2 else a * a,
    lambda a, b: np.sum(a, axis=0) if np.ndim(a) else a / 3,
    lambda a, b: np.max(a, axis=0) + 1 if np.ndim(a) else a / 3,
    lambda a, b: np.sum(a, axis=-1, keepdims=True) - a if np.ndim(a) else -a,
    lambda a, b: np.cumsum(a, axis=-1) * 0.1 if np.ndim(a) else a - 3,
    lambda a, b: np.reshape(a * 1.5, (-1,)) if np.ndim(a) else abs(a),
    lambda a, b: np.reshape(a, (2, -1)) * 0.25 if np.ndim(a) and np.size(a) % 2 == 0 else a - 2,
    lambda a, b: np.where(b > np.sum(b) / max(np.size(b), 1), b, 0.0),
    lambda a, b: np.broadcast_to(np.sum(a), (3, 4)) * 1e-3,
]
