"""Changes in place: aliasing, saved values, hooks, foreign arrays, leaves, handles of outer levels.

The programs are NumPy's; what a plain run gives is right. Drawn ones are in ``tests/fuzz``.
"""

from contextlib import suppress

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import InPlaceError, WengertError
from wengert.core.protect import COPY_UP_TO

from .inplace_programs import PROGRAMS, X

every = pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)


def differences(f, x, h=1e-5):
    g = np.zeros_like(x)
    for k in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[k] = h
        g[k] = (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * h)
    return g


@every
def test_values_and_gradients(f):
    want, slope = f(X), differences(f, X)
    assert f(wg.array(X)).item() == want
    y, g = wg.value_and_grad(f)(X)
    assert y == want
    np.testing.assert_allclose(g, slope, rtol=1e-8, atol=1e-8)
    dx = np.cos(X)
    np.testing.assert_allclose(wg.jvp(f, (X,), (dx,)), (want, np.sum(slope * dx)), rtol=1e-8)
    leaf = wg.array(X, requires_grad=True)
    f(leaf).backward()
    np.testing.assert_allclose(leaf.grad.numpy(), g, rtol=1e-14)


@every
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_under_vmap_aliasing_is_that_of_one_example(f, axis):
    """Wherever the example axis lies in memory; masks of batched values are an error by design."""
    stack = np.stack([X, X * 0.5, X + 0.25], axis=axis)
    rows = [np.take(stack, k, axis=axis) for k in range(3)]
    np.testing.assert_allclose(
        wg.vmap(f, in_axes=axis)(stack), [f(row) for row in rows], rtol=1e-13
    )
    got = wg.vmap(wg.grad(f), in_axes=axis)(stack)
    np.testing.assert_allclose(got, [wg.grad(f)(row) for row in rows], rtol=1e-12, atol=1e-13)


@every
def test_second_order(f):
    v = np.sin(np.arange(6.0)).reshape(X.shape)
    over_reverse = wg.jvp(wg.grad(f), (X,), (v,))[1]
    twice_reverse = wg.grad(lambda x: np.sum(v * wg.grad(f)(x)))(X)
    over_forward = wg.grad(lambda x: wg.jvp(f, (x,), (v,))[1])(X)
    np.testing.assert_allclose(twice_reverse, over_reverse, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(over_forward, over_reverse, rtol=1e-12, atol=1e-12)
    slope = (wg.grad(f)(X + 1e-6 * v) - wg.grad(f)(X - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(over_reverse, slope, rtol=1e-6, atol=1e-6)


# --- what backward needs keeps its content --------------------------------------------------------


def test_saved_values_keep_their_old_content():
    x = wg.array([1.0, 2.0, 3.0], requires_grad=True)
    y = np.exp(x)  # exp saves its output
    z = y * y  # multiply saves its inputs
    v = y[1:]
    s = np.sum(v * v)
    want = np.exp(x.numpy())
    y[0] = 100.0
    y *= 7
    v[:] = 0
    (np.sum(z) + s).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * want**2 * np.array([1, 2, 2]))


def test_a_pullback_keeps_its_values_when_the_arguments_change():
    x, w = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    _, pullback = wg.vjp(lambda a, b: np.sum(a * b * b), x, w)
    want = pullback(1.0)
    x *= 0
    with suppress(ValueError):  # locked: that is an answer too
        w[:] = 0
    for got, expected in zip(pullback(1.0), want, strict=True):
        np.testing.assert_allclose(got, expected)
    np.testing.assert_allclose(want[0], [9.0, 16.0])


def test_a_hook_keeps_what_it_is_given():
    seen = []
    x = wg.array([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y[0] = 5.0
    y.register_hook(seen.append)
    np.sum(y[0:2] * 3).backward()
    np.testing.assert_allclose(seen[0].numpy(), [3, 3, 0])
    np.testing.assert_allclose(x.grad.numpy(), [0, 6, 0])


def test_hooks_replace_add_up_and_go():
    x = wg.array([1.0, 2.0], requires_grad=True)
    y = x * 3
    remove = y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: g + 1)
    np.sum(y).backward(retain_graph=True)
    np.testing.assert_allclose(x.grad.numpy(), [33, 33])
    remove()
    x.grad = None
    np.sum(y * 1).backward()
    np.testing.assert_allclose(x.grad.numpy(), [6, 6])


def test_the_value_of_a_leaf_in_its_hook():
    x, seen = wg.array([1.0, 2.0], requires_grad=True), []
    x.register_hook(lambda g: seen.append(g.numpy()) or g * 2)
    np.sum(x * x).backward()
    np.testing.assert_allclose(seen[0], [2, 4])
    np.testing.assert_allclose(x.grad.numpy(), [4, 8])


# --- arrays of the user's -------------------------------------------------------------------------

SMALL, LARGE = COPY_UP_TO // 8, COPY_UP_TO // 8 + 1


def test_a_small_foreign_array_is_copied():
    buffer = np.ones(SMALL)
    x = wg.array(np.ones(SMALL), requires_grad=True)
    y = np.sum(x * buffer)
    buffer[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.ones(SMALL))


def test_a_large_foreign_array_is_locked_until_the_graph_is_gone():
    buffer = np.ones(LARGE)
    view = buffer[::2]
    x = wg.array(np.ones(LARGE), requires_grad=True)
    y = np.sum(x * buffer)
    with pytest.raises(ValueError, match="read-only"):
        buffer[0] = 0
    y.backward()
    del y
    buffer[0] = 5.0
    view[0] = 4.0
    z = np.sum(x[::2] * view)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        buffer[0] = 0
    del z
    buffer[0] = view[1] = 3.0


def test_two_graphs_lock_one_array_together():
    buffer = np.ones(LARGE)
    x = wg.array(np.ones(LARGE), requires_grad=True)
    a, b = np.sum(x * buffer), np.sum(x * x * buffer)
    del a
    with pytest.raises(ValueError, match="read-only"):
        buffer[0] = 0
    b.backward()
    del b
    buffer[0] = 0


@pytest.mark.parametrize("first", ["whole", "part"])
def test_locks_of_an_array_and_of_its_view_end_in_any_order(first):
    buffer = np.ones(3 * LARGE)
    part = buffer[::3]
    x = wg.array(np.ones(LARGE), requires_grad=True)
    graphs = {"whole": np.sum(x * np.sum(x) * buffer[:LARGE]), "part": np.sum(x * part)}
    del graphs[first]
    for array in (buffer, part):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    graphs.clear()
    buffer[0] = part[1] = 5.0


def test_an_array_that_was_read_only_stays_so():
    buffer = np.ones(LARGE)
    buffer.flags.writeable = False
    x = wg.array(np.ones(LARGE), requires_grad=True)
    np.sum(x * buffer).backward()
    assert not buffer.flags.writeable


@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_transformations_leave_arguments_writeable(n):
    x, w = np.ones(n), np.ones(n)
    wg.grad(lambda a: np.sum(a * w * a))(x)
    wg.jvp(lambda a: np.sum(a * w), (x,), (x,))
    wg.vmap(lambda a: a * w)(np.ones((2, n)))
    with pytest.raises(ZeroDivisionError):
        wg.grad(lambda a: np.sum(a * w) / (1 // 0))(x)
    x[0] = w[0] = 2.0


def test_a_leaf_has_its_own_copy_of_the_data():
    data = np.ones(3)
    x = wg.array(data, requires_grad=True)
    y = np.sum(x * x)
    data[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 2, 2])


# --- leaves, and handles of other levels ----------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.__setitem__(0, 7.0),
        lambda w: w.__iadd__(1.0),
        lambda w: w.fill(1.0),
        lambda w: np.add(w, 1.0, out=w),
        lambda w: np.add.at(w, [0], 1.0),
        lambda w: np.copyto(w, 1.0),
        lambda w: w[1:].__setitem__(0, 1.0),
        lambda w: w.reshape(3, 1).__imul__(2.0),
    ],
)
def test_a_leaf_is_changed_under_no_grad_only(change):
    w = wg.array([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(InPlaceError, match="no_grad"):
        change(w)
    np.testing.assert_array_equal(w.numpy(), [1, 2, 3])
    with wg.no_grad():
        change(w)
    assert w.requires_grad
    assert not np.array_equal(w.numpy(), [1, 2, 3])
    np.sum(w * w).backward()
    np.testing.assert_array_equal(w.grad.numpy(), 2 * w.numpy())


def test_a_leaf_changed_between_use_and_backward_is_not_silent():
    w = wg.array([1.0, 2.0], requires_grad=True)
    y = np.sum(w * w)
    with wg.no_grad():
        w += 10
    try:
        y.backward()
    except WengertError:
        return
    np.testing.assert_array_equal(w.grad.numpy(), [2, 4])


@pytest.mark.parametrize("transform", ["grad", "jvp", "vmap"])
def test_an_inner_value_never_enters_an_outer_array(transform):
    state = wg.array(np.zeros(2))

    def f(x):
        state[:] = x
        return np.sum(x)

    runs = {
        "grad": lambda: wg.grad(f)(np.ones(2)),
        "jvp": lambda: wg.jvp(f, (np.ones(2),), (np.ones(2),)),
        "vmap": lambda: wg.vmap(f)(np.ones((3, 2))),
    }
    with pytest.raises(InPlaceError):
        runs[transform]()
    np.testing.assert_array_equal(state.numpy(), [0, 0])
    state[:] = 1.0


def test_a_constant_may_enter_an_outer_array():
    state = wg.array(np.zeros(2))

    def f(x):
        state[0] += 1.0
        return np.sum(x * state)

    np.testing.assert_array_equal(wg.grad(f)(np.ones(2)), [1, 0])
    np.testing.assert_array_equal(state.numpy(), [1, 0])


def test_dtypes_that_would_lose_are_refused():
    y = wg.array(np.zeros(2, int))
    x = wg.array([1.5, 2.5])
    with pytest.raises(WengertError, match="without loss"):
        y[0] = x[0]
    with pytest.raises(WengertError, match="complex"):
        x[0] = 1j * x[1]
    with pytest.raises(WengertError):
        x += 1j
    x[0] = 3  # an int in a float array is no loss
    np.testing.assert_array_equal(x.numpy(), [3, 2.5])


def test_shapes_that_do_not_fit_are_refused_and_nothing_changes():
    x = wg.array([1.0, 2.0])
    with pytest.raises(WengertError):
        x[:] = np.ones(3)
    with pytest.raises(WengertError):
        x += np.ones((2, 2))
    with pytest.raises(WengertError):
        x[5] = 1.0
    np.testing.assert_array_equal(x.numpy(), [1, 2])
