"""``vmap``: axes, containers, closures, nesting, and what it refuses."""

import numpy as np
import pytest

import wengert as wg

RNG = np.random.default_rng(0)
A = RNG.standard_normal((5, 3))
B = RNG.standard_normal((3, 5, 4))


def test_axes_in_and_out():
    def f(a, b):
        return a @ b

    got = wg.vmap(f, in_axes=(0, 1))(A, B)
    np.testing.assert_allclose(got, [A[i] @ B[:, i] for i in range(5)])
    last = wg.vmap(f, in_axes=(0, -2), out_axes=-1)(A, B)
    np.testing.assert_allclose(last, got.T)
    fixed = wg.vmap(f, in_axes=(0, None))(A, B[:, 0])
    np.testing.assert_allclose(fixed, A @ B[:, 0])


def test_containers_of_axes_with_none_in_them():
    def f(p, x):
        return {"y": p["w"] * x + p["b"], "b": p["b"]}

    p = {"w": A[:, 0], "b": np.array(2.0)}
    got = wg.vmap(f, in_axes=({"w": 0, "b": None}, 0), out_axes={"y": 0, "b": None})(p, A)
    np.testing.assert_allclose(got["y"], A[:, :1] * A + 2)
    assert got["b"] == 2.0
    same = wg.vmap(f, in_axes=(None, 0))({"w": 1.0, "b": 2.0}, A)
    np.testing.assert_allclose(same["b"], np.full(5, 2.0))


def test_per_example_gradients_and_the_gradient_of_a_sum():
    w = RNG.standard_normal(3)

    def loss(w, x):
        return np.tanh(w @ x) ** 2

    each = wg.vmap(wg.grad(loss), in_axes=(None, 0))(w, A)
    np.testing.assert_allclose(each, [wg.grad(loss)(w, x) for x in A])
    total = wg.grad(lambda w: np.sum(wg.vmap(loss, in_axes=(None, 0))(w, A)))(w)
    np.testing.assert_allclose(total, each.sum(axis=0))


def test_nested():
    table = wg.vmap(wg.vmap(lambda a, b: a * b + b**2, (None, 0)), (0, None))(A[:, 0], A[:, 1])
    np.testing.assert_allclose(table, A[:, :1] * A[:, 1] + A[:, 1] ** 2)


def test_keyword_arguments_are_the_same_for_every_example():
    got = wg.vmap(lambda x, scale: np.sum(x) * scale)(A, scale=3.0)
    np.testing.assert_allclose(got, A.sum(axis=1) * 3)


def test_writing_with_a_mask_is_a_selection():
    def f(x):
        y = x * 1.0
        y[y < 0] = 0.0
        return np.sum(y**2)

    np.testing.assert_allclose(wg.vmap(f)(A), [f(x) for x in A])
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(A), 2 * np.maximum(A, 0))


def test_an_index_that_differs_between_examples():
    got = wg.vmap(lambda x: x[np.argmax(x)] * x)(A)
    np.testing.assert_allclose(got, A.max(axis=1, keepdims=True) * A)


def test_examples_of_size_zero_and_one():
    assert wg.vmap(np.sum)(np.zeros((0, 3))).shape == (0,)
    np.testing.assert_allclose(wg.vmap(np.sum)(A[:1]), A[:1].sum(axis=1))


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: wg.vmap(np.sum)(2.0), wg.errors.ShapeError, "in_axes=None"),
        (lambda: wg.vmap(np.add)(A, A[:2]), wg.errors.ShapeError, "examples"),
        (lambda: wg.vmap(np.add, in_axes=(0,))(A, A), wg.errors.ShapeError, "in_axes"),
        (lambda: wg.vmap(np.sum, in_axes=None)(A), wg.errors.ShapeError, "example axis"),
        (lambda: wg.vmap(np.sum, in_axes=({"a": 0},))(A), wg.errors.ShapeError, "fit"),
        (lambda: wg.vmap(lambda x: "text")(A), wg.errors.DtypeError, "arrays"),
        (lambda: wg.vmap(lambda x: x, out_axes=None)(A), wg.errors.UnsupportedError, "differs"),
        (lambda: wg.vmap(lambda x: x[x > 0])(A), wg.errors.UnsupportedError, "where"),
        (lambda: wg.vmap(lambda x: x[0].item())(A), wg.errors.UnsupportedError, "vmap"),
    ],
)
def test_bad_input(call, error, word):
    with pytest.raises(error, match=word):
        call()


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_number_written_under_a_mask_takes_the_dtype_of_the_array(dtype):
    def masked(x):
        y = x.astype(dtype)
        y[y > 0] = x[1] if dtype is np.float32 else x[1].astype(dtype)
        return y

    xs = np.array([[0.58, -0.3553836154823615, 0.29], [1.0, 2.5, -1.0]])
    got = wg.vmap(masked)(xs)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, [masked(x) for x in xs])
