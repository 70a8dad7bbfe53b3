"""Interpreters and contexts: threads, ``in_context``, ``no_grad``, one binding for a batch."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import wengert as wg
from wengert.core import interpret
from wengert.core.interpret import Interpreter
from wengert.ops.array import Array

X = np.array([0.5, -1.0, 2.0])


class Counting(Interpreter):
    """Hands everything on to the interpreter below, and counts it."""

    def __init__(self, parent):
        super().__init__(parent)
        self.names = []

    def process(self, primitive, args, params):
        self.names.append(primitive.name)
        assert self.parent is not None
        with interpret.under(self.parent):
            return self.parent.process(primitive, args, params)

    def owned(self, value):
        if isinstance(value, Array) and value._owner is self.parent:
            return value
        return self.parent.owned(value)


def count_primitives(run):
    """The primitives that ``run`` applies to handles, in order."""
    counting = Counting(interpret.current.get())
    with interpret.under(counting):
        run()
    return counting.names


def program(w, x):
    h = np.tanh(w @ x)
    y = np.zeros_like(h)
    y[0] = h[1] * np.sum(h)
    y[1:] += np.where(h[1:] > 0, h[1:], np.sin(h[1:]))
    return np.sum(y * y)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        lambda f: wg.grad(f),
        lambda f: lambda w, x: wg.jvp(f, (w, x), (w, x))[1],
        lambda f: wg.grad(lambda w, x: np.sum(wg.grad(f)(w, x) ** 2)),
    ],
    ids=["value", "grad", "jvp", "grad of grad"],
)
def test_vmap_binds_each_primitive_once_whatever_the_batch_size(transform):
    rng = np.random.default_rng(0)
    names = {}
    for size in (2, 3, 50):
        # handles as arguments, so that what runs below vmap is seen by the counting interpreter
        ws, xs = (wg.array(rng.standard_normal((size, *s))) for s in ((3, 2), (2,)))
        names[size] = count_primitives(lambda: wg.vmap(transform(program))(ws, xs))
    assert names[2] == names[3] == names[50]
    assert len(names[2]) > 5


def test_grad_binds_a_fixed_number_of_primitives():
    """The cheap gradient principle, in primitives: a small multiple of the function's own."""
    w, x = wg.array(np.ones((3, 2))), wg.array(np.ones(2))
    value = len(count_primitives(lambda: program(w, x)))
    gradient = len(count_primitives(lambda: wg.grad(program)(w, x)))
    assert gradient < 6 * value


# --- threads --------------------------------------------------------------------------------------


def test_many_threads_differentiate_at_once():
    errors = []
    barrier = threading.Barrier(8)

    def work(n):
        barrier.wait()
        for _ in range(60):
            x = wg.array(1.5, requires_grad=True)
            (x**n).backward()
            with wg.no_grad():
                assert not (x * 2).requires_grad
            g = wg.grad(wg.grad(lambda z: z**n * np.sin(z)))(1.5)
            h = wg.jvp(wg.grad(lambda z: z**n * np.sin(z)), (1.5,), (1.0,))[1]
            if abs(g - h) > 1e-12 * abs(g) or x.grad.item() != n * 1.5 ** (n - 1):
                errors.append((n, g, h))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_a_thread_begins_outside_of_every_transformation():
    seen = []

    def f(x):
        def work():
            try:
                seen.append(x * 2)
            except wg.errors.EscapedValue as error:
                seen.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return np.sum(x)

    wg.grad(f)(X)
    (escaped,) = seen
    assert isinstance(escaped, wg.errors.EscapedValue)
    assert "in_context" in str(escaped)


@pytest.mark.parametrize("workers", [1, 4])
def test_in_context_carries_a_transformation_into_threads(workers):
    def f(x):
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(wg.in_context(lambda k: np.sin(x[k]) * k), range(3)))
        return parts[0] + parts[1] + parts[2]

    want = np.cos(X) * np.arange(3)
    np.testing.assert_allclose(wg.grad(f)(X), want)
    np.testing.assert_allclose(wg.jvp(f, (X,), (np.ones(3),))[1], want.sum())
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(np.stack([X, X])), [want, want])


def test_in_context_carries_no_grad():
    x = wg.array(X, requires_grad=True)
    with wg.no_grad():
        inside = wg.in_context(lambda: x * 2)
    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(inside).result().requires_grad
        assert pool.submit(lambda: x * 2).result().requires_grad


# --- no_grad, escaped values ----------------------------------------------------------------------


def test_no_grad_nests_and_ends_with_an_exception():
    x = wg.array(X, requires_grad=True)
    with pytest.raises(KeyError), wg.no_grad(), wg.no_grad():
        raise KeyError
    assert (x * 2).requires_grad

    @wg.no_grad()
    def constant(x):
        return x * x

    assert not constant(x).requires_grad
    np.testing.assert_array_equal(wg.grad(lambda z: np.sum(z * constant(z)))(X), X * X)


def test_transformations_of_writes_under_no_grad():
    """The sweep writes into adjoints of the level below ``no_grad``; the result is a constant."""

    def inner(y):
        z = y * 1.0
        z[0] = z[1] * y[2]
        z[1:] *= 2
        return np.sum(z * z)

    def f(x):
        with wg.no_grad(), wg.no_grad():
            g = wg.grad(inner)(x)
        return np.sum(g * x)

    want = wg.grad(inner)(X)
    np.testing.assert_allclose(wg.grad(f)(X), want)
    np.testing.assert_allclose(wg.jvp(f, (X,), (X,))[1], np.sum(want * X))
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(np.stack([X, X])), [want, want])
    leaf = wg.array(X, requires_grad=True)
    f(leaf).backward()
    np.testing.assert_allclose(leaf.grad.numpy(), want)


def test_one_no_grad_object_used_twice_and_nested():
    x, off = wg.array(X, requires_grad=True), wg.no_grad()
    for _ in range(2):
        with off:
            with off:
                assert not (x * 2).requires_grad
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad


@pytest.mark.parametrize(
    "use",
    [
        lambda v: v + 1,
        lambda v: np.sin(v),
        lambda v: v[0],
        lambda v: v.__setitem__(0, 1.0),
        lambda v: np.sum(v),
        lambda v: np.stack([v, v]),
        lambda v: np.where(v > 0, v, 0),
        lambda v: v @ v,
    ],
)
@pytest.mark.parametrize("transform", ["grad", "jvp", "vmap"])
def test_an_escaped_value_is_refused_wherever_it_is_used(use, transform):
    leaked = []

    def f(x):
        leaked.append(x * 2)
        return np.sum(x)

    {
        "grad": lambda: wg.grad(f)(X),
        "jvp": lambda: wg.jvp(f, (X,), (X,)),
        "vmap": lambda: wg.vmap(f)(X[None]),
    }[transform]()
    with pytest.raises(wg.errors.EscapedValue, match="test_context"):
        use(leaked[0])


def test_an_escaped_value_inside_another_transformation():
    leaked = []
    wg.grad(lambda x: leaked.append(x * 2) or np.sum(x))(X)
    with pytest.raises(wg.errors.EscapedValue):
        wg.grad(lambda x: np.sum(x * leaked[0]))(X)


def test_an_outer_value_is_a_constant_inside():
    """Closing over a tracked array: its derivative arrives at the level that it belongs to."""
    w = wg.array(2.0, requires_grad=True)
    g = wg.grad(lambda x: np.sum(x * x * w))(X)
    assert isinstance(g, Array)
    np.sum(g).backward()
    np.testing.assert_allclose(w.grad.item(), 2 * X.sum())


def test_arrays_in_arrays_out():
    x = wg.array(X)
    g = wg.grad(lambda z: np.sum(z * z))(x)
    assert isinstance(g, Array)
    assert isinstance(wg.grad(lambda z: np.sum(z * z))(X), np.ndarray)
    assert isinstance(wg.vmap(lambda z: z * 2)(x), Array)
