"""Reads and writes with every kind of index: NumPy's bits, in place and not, and its errors."""

import numpy as np
import pytest

import wengert as wg
from wengert.ops.index import join_index, split_index
from wengert.ops.indexing import getitem, scatter_add, setitem
from wengert.static.llvm.preparing import why_not

from .called import falls, program, runs

DTYPES = ["f8", "f4", "i2", "?", "D"]


def both(x, index, rng, fixed=False):
    """Read and write at an index; ``fixed``: its arrays are constants."""
    template, arrays = split_index(index)
    params = {"index": template}
    want = x[join_index(template, arrays)]
    if arrays:
        runs(getitem, [x, *arrays], params, constants(arrays, 1) if fixed else ())
    fixed = constants(arrays, 2) if fixed else ()
    for v in written(np.asarray(want), rng):
        runs(setitem, [x, v, *arrays], params, fixed)
        if x.dtype.kind != "b":
            runs(scatter_add, [x, v, *arrays], params, fixed)


def constants(arrays, first):
    return range(first, first + len(arrays))


def written(want, rng):
    """Values that can be written where ``want`` stands."""
    v = (9 * rng.standard_normal(want.shape)).astype(want.dtype)
    yield v
    yield v.ravel()[0] if v.size else v
    if v.ndim > 1:
        yield v[:1]
        yield np.ascontiguousarray(v[..., ::-1].T).T


def integers(rng, length, shape):
    return rng.integers(-length, length, shape)


CASES = [
    ((5,), lambda r: r((5), 3)),
    ((5,), lambda r: r(5, (2, 3))),
    ((5, 4), lambda r: (r(5, 6), r(4, 6))),
    ((5, 4), lambda r: (r(5, (3, 1)), r(4, (1, 2)))),
    ((5, 4), lambda r: (slice(1, None, 2), r(4, 6))),
    ((5, 4), lambda r: (r(5, 2), slice(None, None, -1))),
    ((5, 4), lambda r: (r(5, 2), None, slice(2))),
    ((5, 4, 3), lambda r: (r(5, 2), slice(None), r(3, 2))),
    ((5, 4, 3), lambda r: (slice(None), r(4, 2), r(3, (3, 1)))),
    ((5, 4, 3), lambda r: (slice(None), r(4, (2, 2)))),
    ((5, 4, 3), lambda r: (0, slice(None), r(3, 2))),
    ((5, 4, 3), lambda r: (..., r(3, 2), None)),
    ((5, 4, 3), lambda r: (r(5, 2), ..., r(3, 2))),
    ((5, 4, 3), lambda r: (r(5, 2), 1)),
    ((5, 4, 3), lambda r: (slice(None), r(4, 2), ..., 2)),
    ((5, 4), lambda r: (r(5, ()), r(4, 3))),
    ((5, 4), lambda r: (r(5, 0),)),
    ((1, 4), lambda r: (r(1, 3), slice(1, 1))),
    ((3, 40, 50), lambda r: (slice(None), r(40, (7, 9)), r(50, (7, 9)))),
]


@pytest.mark.parametrize("number", range(len(CASES)))
@pytest.mark.parametrize("fixed", [False, True])
def test_integer_arrays(number, fixed):
    rng = np.random.default_rng(number)
    shape, draw = CASES[number]
    for dtype in DTYPES if number < 5 else DTYPES[:1]:
        x = (9 * rng.standard_normal(shape)).astype(dtype)
        both(x, draw(lambda n, s: integers(rng, n, s)), rng, fixed)
    both(x[..., ::-1], draw(lambda n, s: integers(rng, n, s)), rng, fixed)
    both(np.asfortranarray(x), draw(lambda n, s: integers(rng, n, s)), rng, fixed)


@pytest.mark.parametrize("fixed", [False, True])
def test_masks(fixed):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((5, 4, 3))
    for index in [
        x > 0,
        (x > 0)[:, :, 0],
        (slice(None), x[0] > 0),
        (..., x[0, 0] > 0),
        (slice(1, 4), x[0, :, 0] > 0, slice(None, None, -1)),
        (0, x[0, :, 0] > 0),
        np.ones((5, 4, 3), bool),
        np.zeros((5, 4, 3), bool),
    ]:
        both(x, index, rng, fixed)
    both(np.asfortranarray(x), x > 0, rng, fixed)
    both(x.astype("f4"), np.asfortranarray(x > 0), rng, fixed)


def test_slices():
    rng = np.random.default_rng(2)
    for dtype in DTYPES[::2]:
        x = (9 * rng.standard_normal((5, 4, 3))).astype(dtype)
        for index in [
            (2,),
            (slice(1, None, 2),),
            (slice(None, None, -1), 0),
            (..., -1),
            (slice(1, 3), slice(None), None, slice(0, 2)),
            (Ellipsis,),
            (slice(2, 2),),
            (1, 2, 0),
        ]:
            both(x, index, rng)
        both(x.T[:, ::2], (slice(1, None),), rng)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8"])
def test_index_arrays_of_every_dtype(dtype):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 4))
    both(x, (rng.integers(0, 5, 7).astype(dtype), slice(1, 3)), rng)


@pytest.mark.parametrize("v", [2, 2.5, np.float32(2.5), np.int64(3), np.array([1, 2, 3])])
def test_what_is_written_is_cast_as_numpy_casts_it(v):
    rng = np.random.default_rng(2)
    for dtype in ("f4", "f8", "i4"):
        x = (9 * rng.standard_normal((5, 3))).astype(dtype)
        for fixed in (1,), ():
            fixed = fixed if not isinstance(v, np.ndarray) else ()
            runs(setitem, [x, v], {"index": (slice(1, 3),)}, fixed)
            runs(setitem, [x, v, np.array([1, 1, 0])], {"index": (wg.ops.index.Slot(0),)}, fixed)
            if np.can_cast(np.result_type(np.asarray(v), x), x.dtype, "same_kind"):
                runs(scatter_add, [x, v], {"index": (slice(1, 3),)}, fixed)


def test_with_an_index_named_twice_the_last_writer_wins_and_sums_add():
    rng = np.random.default_rng(2)
    for _ in range(10):
        i, j = rng.integers(0, 3, (2, 40))
        both(rng.standard_normal((3, 3)), (i, j), rng)
        both(rng.standard_normal((3, 5)).astype("f4"), (i,), rng)
        both(rng.standard_normal((3, 3)), (i.reshape(8, 5), j.reshape(8, 5)), rng)


def test_an_index_out_of_range_is_left_to_numpy():
    x, i = np.arange(12.0).reshape(4, 3), np.array([0, 3])
    index = {"index": split_index((i,))[0]}
    for wrong in (np.array([0, 4]), np.array([-5, 0])):
        falls(getitem, [x, i], [x, wrong], index)
        falls(setitem, [x, 1.0, i], [x, 1.0, wrong], index)
        falls(scatter_add, [x, 1.0, i], [x, 1.0, wrong], index)


def test_a_mask_that_selects_another_number_is_left_to_numpy():
    x = np.arange(4.0)
    mask, more, less = x > 1, x > 0, x > 2
    index = {"index": split_index((mask,))[0]}
    for other in (more, less):
        falls(getitem, [x, mask], [x, other], index)
        falls(setitem, [x, x[:2], mask], [x, x[:2], other], index)


def test_the_mask_of_a_single_number_may_select_any_number():
    x = np.arange(4.0)
    index = {"index": split_index((x > 1,))[0]}
    from .build import draft_of, make_kernels

    draft, _ = draft_of(program(setitem, [x, 7.0, x > 1], index), [x, 7.0, x > 1], True)
    (call,) = make_kernels([draft], [None])
    assert np.array_equal(call(x, 7.0, x > 0), [0, 7, 7, 7])
    assert np.array_equal(call(x, 8.0, x > 9), x)


def test_what_is_refused_says_why():
    x = np.arange(4.0)
    params = {"index": split_index((np.True_,))[0]}
    eqn = program(getitem, [x, np.array(True)], params).equations[0]
    assert "boolean" in why_not(eqn, True)
    eqn = program(scatter_add, [x > 1, True], {"index": (0,)}).equations[0]
    assert "booleans" in why_not(eqn, True)


def test_gradients_of_reads_and_writes_are_the_same_compiled():
    i, rng = np.array([2, 0, 2]), np.random.default_rng(0)

    def f(x):
        y = x * 2
        y[i] = x[:3] ** 2
        y[1:] += x[i[0]] * y[:-1]
        return np.sum(y[[0, 1, 1, 3]] * x[..., [1, 1, 0]])

    x = rng.standard_normal((4, 3))
    gradient = wg.compile(wg.grad(f), strict=True)
    for _ in range(30):
        assert np.array_equal(gradient(x), wg.grad(f)(x))
