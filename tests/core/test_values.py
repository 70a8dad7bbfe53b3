"""What comes out: dtypes under NumPy's promotion, weak scalars, results that belong to the user."""

import copy
import operator
import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest

import wengert as wg
from wengert.core.aval import aval_of
from wengert.core.box import innermost

F4, F8, C8, C16 = np.float32, np.float64, np.complex64, np.complex128
FLOATING = {
    "float": 1.5,
    "complex": 1.5 + 0.5j,
    **{f"{kind.__name__}()": kind(1.5) for kind in (F4, F8, C8, C16)},
    **{f"{kind.__name__}[2]": np.array([1.5, 0.5], kind) for kind in (F4, F8, C8, C16)},
    **{f"{kind.__name__}[]": np.array(1.5, kind) for kind in (F4, F8)},
}
OTHERS = {
    **FLOATING,
    "bool": True,
    "int": 2,
    "int64()": np.int64(2),
    "int32[2]": np.array([1, 2], np.int32),
    "bool_()": np.bool_(True),
    "bool[2]": np.array([True, False]),
}
OPERATIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "np.add": np.add,
    "np.multiply": np.multiply,
    "np.power": np.power,
    "reversed -": lambda a, b: b - a,
    "reversed *": lambda a, b: b * a,
    "reversed np.divide": lambda a, b: np.divide(b, a),
    "negative": lambda a, b: -a,
    "np.sin": lambda a, b: np.sin(a),
    "np.exp of sum": lambda a, b: np.exp(a + b),
    "absolute": lambda a, b: abs(a),
    "np.negative": lambda a, b: np.negative(a),
    "np.abs": lambda a, b: np.abs(a),
    "np.positive": lambda a, b: np.positive(a) * b,
    "np.square": lambda a, b: np.square(a) + b,
    "where": lambda a, b: np.where(True, a, b),
    "two steps": lambda a, b: (a * 2 + 1) * b - 1.0,
    "comparison": lambda a, b: a == b,
}


def seen_types(f, a, b):
    """The type of ``f(a, b)`` as the function itself sees it, in every mode."""
    found = {}

    def spying(mode):
        def run(x):
            y = f(x, b)
            found[mode] = aval_of(y)
            return y

        return run

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        wg.vjp(spying("reverse"), a)
        one = np.ones_like(a)[()] if isinstance(a, np.ndarray | np.generic) else type(a)(1)
        wg.jvp(spying("forward"), (a,), (one,))
        wg.vjp(lambda x: wg.jvp(spying("nested"), (x,), (x,)), a)
        if isinstance(a, np.ndarray):
            wg.vmap(spying("batched"))(np.stack([a, a]))
    return found


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("left", FLOATING)
def test_functions_see_the_dtypes_that_numpy_gives(name, left):
    f, a = OPERATIONS[name], FLOATING[left]
    for right, b in OTHERS.items():
        with np.errstate(all="ignore"):
            try:
                want = aval_of(f(a, b))
            except (TypeError, OverflowError):
                continue
        for mode, got in seen_types(f, a, b).items():
            assert got == want, f"{name} of {left} and {right}, {mode}: {got}, NumPy gives {want}"


@pytest.mark.parametrize("left", FLOATING)
def test_results_and_gradients_have_the_type_of_their_argument(left):
    a = FLOATING[left]
    for right, b in OTHERS.items():
        y, pullback = wg.vjp(lambda x, b=b: x * b, a)
        plain = a * b
        assert type(y) is type(plain), (left, right)
        (g,) = pullback(np.ones_like(y) if isinstance(y, np.ndarray) else type(y)(1))
        assert aval_of(g) == aval_of(a), (left, right, g)
        assert type(g) is type(a) or isinstance(a, np.ndarray), (left, right, type(g))


@pytest.mark.parametrize("kind", [F4, F8, C8, C16])
def test_the_dtype_stays_through_a_network(kind):
    x = np.array([0.5, -0.25], kind)

    def f(x):
        h = np.tanh(x * 2 + 1) / 3
        h[0] = h[1] * 0.5
        y = np.sum(np.where(np.abs(h) > 0.1, h**2, h) - 1.0)
        assert y.dtype == kind
        return np.real(y) if np.dtype(kind).kind == "c" else y

    y, g = wg.value_and_grad(f)(x)
    assert g.dtype == kind
    assert np.asarray(y).dtype == np.zeros(0, kind).real.dtype
    assert wg.jvp(f, (x,), (x,))[1].dtype == np.zeros(0, kind).real.dtype
    assert wg.vmap(wg.grad(f))(np.stack([x, x])).dtype == kind
    assert wg.grad(lambda x: np.sum(np.real(wg.grad(f)(x))))(x).dtype == kind


def test_python_numbers_in_python_numbers_out():
    y, g = wg.value_and_grad(lambda x: x * x + 1)(3.0)
    assert (type(y), type(g)) == (float, float)
    y, dy = wg.jvp(lambda x: x * 2, (3.0,), (1.0,))
    assert (type(y), type(dy)) == (float, float)
    assert type(wg.grad(lambda x: np.sin(x))(3.0)) is float


# --- results are the user's own -------------------------------------------------------------------


def assert_own(results, *others):
    """Writable arrays, none of which shares memory with another or with ``others``."""
    arrays = [r for r in results if isinstance(r, np.ndarray)]
    assert all(a.flags.writeable for a in arrays)
    for k, a in enumerate(arrays):
        for b in [*arrays[:k], *others]:
            assert not np.shares_memory(a, b)


FUNCTIONS = {
    "sum": lambda x, y: np.sum(x + y),
    "product": lambda x, y: np.sum(x * y),
    "difference of itself": lambda x, y: np.sum(x - y + x),
    "broadcast": lambda x, y: np.sum(x) + np.sum(y[None] * np.ones((2, 1))),
    "views": lambda x, y: np.sum(x[::-1] * y[...]) + np.sum(x.reshape(1, 3)),
    "unused": lambda x, y: np.sum(x),
    "written": lambda x, y: np.sum(write_both(x, y)),
}


def write_both(x, y):
    z = np.zeros_like(x)
    z[:] = x
    z[1:] = y[1:]
    return z


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_arrays_of_their_own(name):
    f, x, y = FUNCTIONS[name], np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    first = wg.grad(f, argnums=(0, 1))(x, y)
    assert_own([*first, *wg.grad(f, argnums=(0, 1))(x, y)], x, y)
    _, pullback = wg.vjp(f, x, y)
    assert_own([*pullback(1.0), *pullback(1.0)], x, y)
    batched = wg.vmap(wg.grad(f, argnums=(0, 1)))(np.stack([x, x]), np.stack([y, y]))
    assert_own(batched, x, y)
    before = [g.copy() for g in first]
    first[0][:] = 77.0
    np.testing.assert_array_equal(first[1], before[1])
    a, b = wg.array(x, requires_grad=True), wg.array(y, requires_grad=True)
    f(a, b).backward()
    if b.grad is not None:
        kept = b.grad.numpy()
        with wg.no_grad():
            a.grad *= 3
            a.grad[0] = 9.0
        np.testing.assert_array_equal(b.grad.numpy(), kept)


IDENTITIES = {
    "nothing": lambda x: x,
    "plus": lambda x: +x,
    "sum with 0": lambda x: x + 0.0,
    "view": lambda x: x[:],
    "twice": lambda x: (x, x + 0.0),
    "reshaped": lambda x: x.reshape(1, 3),
    "written": lambda x: write_both(x, x),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_adjoints_and_tangents_given_are_not_handed_back(name):
    f, x = IDENTITIES[name], np.array([1.0, 2.0, 3.0])
    y, pullback = wg.vjp(f, x)
    gy = wg.tree.map(np.ones_like, y)
    (gx,) = pullback(gy)
    assert_own([gx], x, *wg.tree.flatten(gy)[0])
    dx = np.array([1.0, 1.0, 1.0])
    _, dy = wg.jvp(f, (x,), (dx,))
    assert_own(wg.tree.flatten(dy)[0], x, dx)


def test_the_gradient_given_to_backward_may_be_used_again():
    x, g = wg.array([1.0, 2.0], requires_grad=True), np.ones(2)
    (x + 0.0).backward(g)
    g[:] = 0
    np.testing.assert_array_equal(x.grad.numpy(), [1, 1])


def test_numpy_of_a_value_is_a_read_only_copy():
    x = wg.array([1.0, 2.0])
    kept = x.numpy()
    assert not kept.flags.writeable
    x += 1
    np.testing.assert_array_equal(kept, [1, 2])


# --- leaves travel --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [F4, F8, C8, C16])
@pytest.mark.parametrize(
    "travel", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_leaves_copy_and_pickle_with_their_gradient(travel, kind):
    x = wg.array(np.array([1.0, 2.0], kind), requires_grad=True)
    np.sum(np.real(x * x)).backward()
    other = travel(x)
    assert other.requires_grad
    assert other.dtype == x.dtype
    np.testing.assert_array_equal(other.numpy(), x.numpy())
    np.testing.assert_array_equal(other.grad.numpy(), x.grad.numpy())
    with wg.no_grad():
        other += 1
        other.grad *= 0
    np.testing.assert_array_equal(x.numpy(), [1, 2])
    assert np.any(x.grad.numpy())
    constant = travel(wg.array(np.array([1, 2])))
    assert not constant.requires_grad
    assert constant.dtype == int


def test_part_of_a_graph_does_not_pickle():
    x = wg.array([1.0, 2.0], requires_grad=True)
    with pytest.raises(wg.errors.WengertError, match="detach"):
        pickle.dumps(x * 2)
    assert pickle.loads(pickle.dumps((x * 2).detach())).numpy().tolist() == [2, 4]


def test_primitives_pickle_by_name():
    from wengert.core.primitive import REGISTRY

    for primitive in REGISTRY.values():
        assert pickle.loads(pickle.dumps(primitive)) is primitive


# --- arguments ------------------------------------------------------------------------------------


def test_an_argument_named_twice_is_refused():
    for argnums in ((0, 0), (0, -2)):
        with pytest.raises(wg.errors.ShapeError, match="twice"):
            wg.grad(lambda x, y: x * y, argnums=argnums)(2.0, 3.0)


def test_a_function_that_writes_into_its_argument():
    """The derivative is that of the program; the user's array stays as it is."""

    def f(x):
        x[0] = x[1] * 2
        x *= 3
        return np.sum(x**2)

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(wg.grad(f)(x), [0, 180, 54])
    assert wg.jvp(f, (x,), (np.ones(3),))[1] == 234
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(np.stack([x, x])), [[0, 180, 54]] * 2)
    np.testing.assert_array_equal(x, [1, 2, 3])


def test_empty_batches():
    def f(x):
        return np.sum(np.sin(x) * x)

    assert wg.vmap(f)(np.zeros((0, 3))).shape == (0,)
    assert wg.vmap(wg.grad(f))(np.zeros((0, 3))).shape == (0, 3)


def test_an_index_that_differs_between_examples():
    x = np.array([1.0, 2.0, 3.0])
    rows = np.array([0, 2, 2])
    g = wg.grad(lambda z: np.sum(wg.vmap(lambda i: z[i] ** 2)(rows)))(x)
    np.testing.assert_allclose(g, [2, 0, 12])


@pytest.mark.parametrize("kind", [">f8", "f2", "g"])
def test_other_floating_dtypes_keep_theirs(kind):
    x = np.array([1.0, 2.0], kind)
    g = wg.grad(lambda z: np.sum(z * z))(x)
    np.testing.assert_array_equal(g, [2, 4])
    assert g.dtype == x.dtype


def test_gradient_descent_in_the_complex_plane():
    """``z -= lr * grad`` descends: to the root of z² = −3 + 4i, whichever mode the loss is in."""
    z = np.array([0.5 + 0.5j, -0.3 - 0.2j])
    losses = []
    for _ in range(300):
        value, g = wg.value_and_grad(lambda z: np.sum(np.abs(z * z - (-3 + 4j)) ** 2))(z)
        dz = -1e-2 * g
        _, slope = wg.jvp(lambda z: np.sum(np.abs(z * z - (-3 + 4j)) ** 2), (z,), (dz,))
        assert slope <= 0
        z = z + dz
        losses.append(value)
    assert all(a >= b for a, b in pairwise(losses))
    np.testing.assert_allclose(z, [1 + 2j, -1 - 2j], atol=1e-6)


ZERO_DIMENSIONAL = {
    "where": lambda x: np.where(x > 1, x, 2 * x),
    "copy": lambda x: x.copy(),
    "np.copy": np.copy,
    "sum of 1": lambda x: x + 1,
    "squeeze": np.squeeze,
    "zeros_like": np.zeros_like,
    "ellipsis": lambda x: x[...],
    "empty index": lambda x: x[()],
    "reshape": lambda x: np.reshape(x, ()),
    "real": np.real,
    "astype": lambda x: x.astype(np.float32),
    "sum": np.sum,
    "clip": lambda x: np.clip(x, 0, 1),
    "take": lambda x: np.take(np.ravel(x), 0),
    "one element": lambda x: np.ravel(x)[0],
}


@pytest.mark.parametrize("name", ZERO_DIMENSIONAL)
@pytest.mark.parametrize("x", [np.array(1.5), np.float64(1.5), np.array([1.5])], ids=repr)
def test_scalars_and_arrays_without_axes_are_told_apart(name, x):
    """``y += 1`` writes into an array and rebinds a scalar: which it is must be as in NumPy."""
    f, seen = ZERO_DIMENSIONAL[name], []
    want = f(x)
    wg.vjp(lambda z: seen.append(f(z)) or z * 1.0, x)
    got = innermost(seen[0])
    assert isinstance(got, np.ndarray) == isinstance(want, np.ndarray)
    assert np.asarray(got).dtype == np.asarray(want).dtype


def test_values_without_a_derivative_convert():
    def f(x):
        largest = np.argmax(x)
        assert np.asarray(largest) == 2
        assert np.take(np.arange(3.0), largest) == 2.0
        assert float(np.floor(x[0])) == 1.0
        assert float(wg.stop_gradient(x[1])) == 2.0
        return x[largest] ** 2

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(wg.grad(f)(x), [0.0, 0.0, 6.0])
    np.testing.assert_array_equal(wg.jvp(f, (x,), (np.ones(3),))[1], 6.0)


def test_division_by_a_python_zero_is_as_numpy_has_it():
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wg.grad(lambda x: np.sum(x / 0))(np.ones(2)), np.inf)
        np.testing.assert_array_equal(wg.grad(lambda b: np.sum(np.ones(2) / b))(0.0), -np.inf)
