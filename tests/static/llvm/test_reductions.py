"""Reductions in kernels add up in NumPy's order: the same bits, over any axes that lie together."""

import numpy as np
import pytest

from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static import building, native
from wengert.static.llvm.scalars import NotLowered

from .build import draft_of, make_kernels, same

RNG = np.random.default_rng(5)
LENGTHS = [1, 2, 7, 8, 9, 15, 16, 17, 100, 127, 128, 129, 136, 137, 255, 256, 1000, 1025, 4099]
SHAPES = [(0,), (0, 3), (3, 0), (1, 1), (5, 1), (1, 5), (3, 7), (40, 33), (2, 300), (300, 2)]
SHAPES += [(4, 5, 6), (2, 1, 130), (17, 3, 16), (129, 3)]


def kernels_of(cases):
    """For each (function, array): the kernel, its program, and the results of NumPy."""
    drafts, programs, wanted = [], [], []
    for function, x in cases:
        program = program_of(function)(x)
        draft, want = draft_of(program, [x], strict=True)
        drafts.append(draft)
        programs.append(program)
        wanted.append(want)
    fallbacks = [None] * len(drafts)
    return zip(make_kernels(drafts, fallbacks), programs, wanted, strict=True)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_of_every_length(dtype):
    arrays = [
        (RNG.standard_normal(n) * 10.0 ** RNG.integers(-3, 4, n)).astype(dtype) for n in LENGTHS
    ]
    for x, (call, *_) in zip(
        arrays, kernels_of([(lambda x: np.sum(x * x - 3), x) for x in arrays]), strict=True
    ):
        assert same(call(x), np.sum(x * x - 3))
        assert same(call(-x[::1]), np.sum(x * x - 3))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "i2", "u1", "?"])
@pytest.mark.parametrize("name", ["sum", "prod", "any", "all"])
def test_over_any_axes_that_lie_together(name, dtype):
    function, cases = getattr(np, name), []
    for shape in SHAPES if name == "sum" and dtype in ("f4", "f8") else SHAPES[2::5]:
        x = RNG.standard_normal(shape) * (10 if name == "sum" else 1.5)
        x = (x > -1) if dtype == "?" else x.astype(dtype)
        ends = [None, *range(-1, len(shape)), *([(0, len(shape) - 1)] if len(shape) > 1 else [])]
        for axis in dict.fromkeys(ends):
            cases.append((reduced(function, axis, len(cases) % 2 == 1), x))
    cases = [case for case in cases if possible(*case)]
    assert len(cases) >= 8
    for (function, x), (call, _, (want,)) in zip(cases, kernels_of(cases), strict=True):
        assert same(call(x), want), (function, x.shape, call(x), want)


def reduced(function, axis, keepdims):
    return lambda x: function(x, axis=axis, keepdims=keepdims)


def possible(function, x):
    try:
        draft_of(program_of(function)(x), [x], strict=True)
    except NotLowered as reason:
        return str(reason) != "the axes are not side by side"
    return True


def test_special_values():
    rows = [[-0.0, -0.0], [np.inf, -np.inf], [np.nan, 1], [1e308, 1e308], [0.0, -0.0], [-0.0]]
    cases = [(lambda x: np.sum(x), np.array(row * k)) for row in rows for k in (1, 3, 5, 80)]
    cases += [(lambda x: np.sum(x, axis=0), x[:, None] * np.ones(20)) for _, x in cases]
    with np.errstate(all="ignore"):
        for (_, x), (call, _, (want,)) in zip(cases, kernels_of(cases), strict=True):
            assert same(call(x), want), (x, call(x), want)


def softmax(x):
    e = np.exp(x - np.sum(x, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    return p, np.sum(p * (1 - p), axis=0), np.mean(p) * x.T, (p.T[2:5] + 1).reshape(3, 2, -1) * 2


def test_what_is_computed_from_reductions_is_in_the_same_kernel():
    x = RNG.standard_normal((6, 8))
    program = program_of(softmax)(x)
    made = building.built(program, program, [x], strict=False)
    results, run, machine = made.results, made.run, made.machine
    assert len(machine.kernels) == 1
    for a, b, c in zip(results, run(x), executable(program)(x), strict=True):
        assert same(a, c)
        assert type(b) is type(c)
        assert b.strides == c.strides
        np.testing.assert_allclose(b, c, rtol=1e-13)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: x[::-1], lambda x: x[:, ::2]])
def test_what_lies_in_another_order_is_numpys_and_only_that(layout):
    x = layout(RNG.standard_normal((30, 40)))
    program = program_of(lambda x: (np.sum(x * 2), np.sum(x), x * x - 1))(x)
    made = building.built(program, program, [x], strict=True)
    run, machine = made.run, made.machine
    assert all(map(same, run(x), executable(program)(x)))
    assert machine.kernels
    assert ("sum", "the array is not in C order") in [entry[:2] for entry in machine.numpy]


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_of_nests(seed):
    """Reductions, broadcasts, transposes and slices of what is computed, in one kernel."""
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
    run, machine = made.run, made.machine
    want = executable(program)(x, y)
    for call in (run, run):
        assert all(map(same, call(x, y), want)), (str(program), str(machine))


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
    lambda a, b: np.sum(a, axis=-1, keepdims=True) - a if np.ndim(a) else -a,
    lambda a, b: np.reshape(a * 1.5, (-1,)) if np.ndim(a) else abs(a),
    lambda a, b: np.reshape(a, (2, -1)) * 0.25 if np.ndim(a) and np.size(a) % 2 == 0 else a - 2,
    lambda a, b: np.where(b > np.sum(b) / max(np.size(b), 1), b, 0.0),
    lambda a, b: np.broadcast_to(np.sum(a), (3, 4)) * 1e-3,
]
