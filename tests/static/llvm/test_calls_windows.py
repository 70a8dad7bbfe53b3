"""Windows of an array: stacks of shifted slices, sums into them, index arrays that are regular."""

import numpy as np
import pytest

import wengert as wg
from wengert.core.program import Program
from wengert.differentiate.record import program_of
from wengert.static.llvm.calls.walks import regular
from wengert.static.llvm.native_program import Draft
from wengert.static.llvm.windows import sums_of_windows
from wengert.static.observe import observe

from .build import make_kernels
from .called import alike


def made(function, *values, strict=True):
    """The draft of a function, checked against NumPy."""
    program = program_of(function)(*values)
    results, known = observe(program, values)
    draft = Draft(program, known, strict)
    (call,) = make_kernels([draft], [None])
    got = call(*values)
    got = got if isinstance(got, tuple) else (got,)
    for a, b in zip(got, results, strict=True):
        if strict:
            assert alike(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-13)
    return draft


def codes(draft):
    return [step.code if step.runtime else "nest" for step in draft.steps]


@pytest.mark.parametrize(
    ("axes", "offsets"),
    [
        ([(4, 3)], [0, 3, 6, 9]),
        ([(4, -8)], [24, 16, 8, 0]),
        ([(2, 10), (3, 1)], [0, 1, 2, 10, 11, 12]),
        ([(2, 1), (3, 0)], [5, 5, 5, 6, 6, 6]),
        ([], [7]),
        (None, [0, 1, 3]),
        (None, [0, 1, 2, 10, 11, 13]),
        (None, [0, 1, 2, 10]),
    ],
)
def test_offsets_that_lie_regularly_are_found(axes, offsets):
    assert regular(offsets) == axes


def patches(x, size, step=1):
    rows, columns = (n - size + 1 for n in x.shape[-2:])
    shifts = [(i, j) for i in range(0, size, step) for j in range(0, size, step)]
    return np.stack([x[..., i : i + rows, j : j + columns] for i, j in shifts], axis=-3)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "?"])
def test_a_stack_of_windows_is_one_copy(dtype):
    x = np.random.default_rng(0).integers(0, 9, (3, 2, 9, 8)).astype(dtype)
    for size, step in ((2, 1), (3, 1), (5, 2)):
        assert len(codes(made(lambda x: patches(x, size, step), x))) == 1
        assert len(codes(made(lambda x: patches(x[:, ::-1], size, step), x))) == 1
    made(lambda x: np.stack([x[0], x[2], x[1]]), x)
    made(lambda x: np.stack([x[0, :, :2], x[0, :, 1:3], x[1, :, :2]]), x)


def unfold(x, size):
    """Patches by index arrays."""
    rows, columns = (np.arange(n - size + 1) for n in x.shape[-2:])
    i, j = np.arange(size)[:, None], np.arange(size)[None, :]
    at = rows[:, None, None, None] + i, columns[None, :, None, None] + j
    return x[:, :, at[0], at[1]]


def test_index_arrays_that_lie_regularly_are_a_copy():
    x = np.random.default_rng(0).standard_normal((3, 2, 9, 8))
    assert codes(made(lambda x: unfold(x, 3), x)) == ["nest"]
    assert codes(made(lambda x: x[:, [0, 1], 3:1:-1], x)) == ["copy_blocks"]
    assert codes(made(lambda x: x[:, :, [0, 3, 4]], x)) == ["gather_blocks"]

    def write(x):
        y = x * 2
        y[:, [1, 0], ::2] = x[:, :, ::2]
        return y

    assert "scatter_blocks" not in codes(made(write, x))


def folded(x, v, size):
    """The adjoint of ``patches``, in the order of the sweep."""
    y = x * 1
    rows, columns = (n - size + 1 for n in x.shape[-2:])
    for k in range(size * size - 1, -1, -1):
        i, j = divmod(k, size)
        np.add.at(y, (..., slice(i, i + rows), slice(j, j + columns)), v[:, :, k])
    return y


@pytest.mark.parametrize("strict", [False, True])
def test_a_chain_of_sums_into_windows_is_one(strict):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 9, 8))
    for size in (2, 3):
        v = rng.standard_normal((3, 2, size * size, 10 - size, 9 - size))
        draft = made(lambda x, v: folded(x, v, size), x, v, strict=strict)
        assert len(codes(draft)) <= 3
        assert ("add_at_f64" in codes(draft)) is strict


def test_large_windows_that_overlap_are_summed_by_one_thread_at_a_time():
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal(200_000), rng.standard_normal((4, 199_997))

    def sums(x, v):
        y = x * 1
        for k in range(4):
            np.add.at(y, (slice(k, k + 199_997),), v[k])
        return y

    draft = made(sums, x, v, strict=False)
    assert draft.steps[0].grain > draft.steps[-1].grain == 0
    x, v = rng.standard_normal((40, 30, 80)), rng.standard_normal((40, 30, 4, 77))

    def batched(x, v):
        y = x * 1
        for k in range(4):
            np.add.at(y, (..., slice(k, k + 77)), v[:, :, k])
        return y

    draft = made(batched, x, v, strict=False)
    assert draft.steps[-1].grain > 0


def count(program: Program) -> int:
    return sum(eqn.primitive.name == "scatter_add" for eqn in program.equations)


def after(function, *values):
    """How many sums are left of a function's."""
    program = program_of(function)(*values)
    _, known = observe(program, values)
    return count(sums_of_windows(program, known))


def test_what_is_no_chain_of_windows_stays():
    x, v = np.arange(8.0), np.arange(12.0).reshape(4, 3)

    def sums(x, v, starts, rows, between=lambda y: 0):
        y, kept = x * 1, 0.0
        for start, row in zip(starts, rows, strict=True):
            np.add.at(y, (slice(start, start + 3),), v[row])
            kept = kept + between(y)
        return y, kept

    def left(starts, rows, **more):
        return after(lambda x, v: sums(x, v, starts, rows, **more), x, v)

    assert left((0, 1, 2, 3), (0, 1, 2, 3)) == 1
    assert left((0, 5, 1, 2), (3, 2, 1, 0)) == 1
    assert left((0, 1, 2, 3), (0, 1, 3, 2)) == 4
    assert left((0, 0, 0, 0), (0, 1, 2, 3)) == 4
    assert left((0, 1), (0, 1)) == 2
    assert left((0, 1, 2, 3), (0, 1, 2, 3), between=np.sum) == 4


def test_the_gradient_of_a_convolution_is_the_same_compiled():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 2, 8, 7)), rng.standard_normal((3, 2, 9))

    def loss(x, w):
        y = np.einsum("ock,nckij->noij", w, patches(x, 3))
        return np.sum(np.maximum(y, 0) ** 2)

    gradient = wg.compile(wg.grad(loss, argnums=(0, 1)))
    want = wg.grad(loss, argnums=(0, 1))(x, w)
    for _ in range(60):
        got = gradient(x, w)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
