"""Long programs, flat memory, no cycles, and n reads and writes at a cost of O(n)."""

import gc
import tracemalloc
import weakref
from contextlib import contextmanager

import numpy as np
import pytest

import wengert as wg
from wengert.core.primitive import Primitive
from wengert.differentiate.tape import Node
from wengert.ops.array import Array
from wengert.ops.indexing import Erased, Scattered, setitem

LONG = 1_000_000


def live(*kinds):
    """How many objects of ``kinds`` the collector knows."""
    return sum(isinstance(thing, kinds) for thing in gc.get_objects())


@contextmanager
def collector_off():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# --- long chains ----------------------------------------------------------------------------------


def test_a_chain_of_a_million_operations():
    """Built, differentiated without recursion, and freed as the sweep goes."""
    with collector_off():  # a million live nodes make the collector slow, as they would any objects
        x = wg.array(1.0, requires_grad=True)
        y, factor = x, 1 + 1e-6
        for _ in range(LONG // 2):
            y = y * factor
            y = y + 1e-6
        middle = weakref.ref(y._node)
        y.backward()
        np.testing.assert_allclose(x.grad.item(), factor ** (LONG // 2), rtol=1e-9)
        del y
        assert middle() is None
        assert live(Node) < 100


def test_a_long_chain_dies_without_recursion_or_backward():
    with collector_off():
        x = wg.array(1.0, requires_grad=True)
        y = x
        for _ in range(300_000):
            y = y * 1.000001
        first = weakref.ref(y._node)
        del y
        assert first() is None
        assert live(Node) < 100


def test_the_sweep_frees_what_it_has_passed():
    """While backward is under way, what lies behind it is gone: the early hook sees few arrays."""
    x = wg.array(np.ones(1000), requires_grad=True)
    y, early, held = x * 1.0, None, []
    for k in range(200):
        y = np.sin(y)
        if k == 2:
            early = y
    early.register_hook(lambda g: held.append(tracemalloc.get_traced_memory()[0]))
    tracemalloc.start()
    total = np.sum(y)
    del y
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    tracemalloc.start()
    # trace what is allocated from here on only: the sweep must hold a few adjoints at a time
    total.backward()
    tracemalloc.stop()
    assert before < 100_000
    assert held[0] < 200_000


def test_grad_of_a_long_loop():
    def f(x):
        for _ in range(50_000):
            x = x + 1e-5 * x
        return x

    np.testing.assert_allclose(wg.grad(f)(1.0), (1 + 1e-5) ** 50_000, rtol=1e-10)


def test_forward_mode_tapes_nothing():
    """100,000 steps, and as many live objects at the end as at the beginning."""
    seen = {}

    def f(x):
        for k in range(100_000):
            x = x + 1e-6 * np.sin(x)
            if k in (100, 99_999):
                gc.collect()
                seen[k] = len(gc.get_objects()), live(Node, Array)
        return x

    before = live(Node)
    _, dy = wg.jvp(f, (1.0,), (1.0,))
    assert live(Node) == before
    assert seen[100][1] == seen[99_999][1]
    assert abs(seen[100][0] - seen[99_999][0]) < 20
    assert 1.0 < dy < 2.0


# --- no cycles ------------------------------------------------------------------------------------

W = np.array([[0.3, -0.2], [0.1, 0.4]])
X = np.array([0.5, -1.0])


def network(w, x=X):
    h = np.tanh(w @ x)
    h[0] = h[1] * 2
    h[:1] += 1.0
    return np.sum(np.where(h > 0, h**2, h) / (1 + h * h))


def backward():
    w = wg.array(W, requires_grad=True)
    network(w).backward()
    return w.grad


def backward_twice():
    w = wg.array(W, requires_grad=True)
    y = network(w)
    y.backward(retain_graph=True)
    y.backward()


def backward_of_backward():
    w = wg.array(W, requires_grad=True)
    network(w).backward(create_graph=True)
    g, w.grad = w.grad, None
    np.sum(g * g).backward()


def hooked():
    w = wg.array(W, requires_grad=True)
    y = w * 2
    y.register_hook(lambda g: g * 3)
    network(y).backward()


def views():
    y = wg.array(W) * 2
    y[0][1:] = 5.0
    return y.T[1][::-1] + 1


RUNS = {
    "grad": lambda: wg.grad(network)(W),
    "jvp": lambda: wg.jvp(network, (W,), (W,)),
    "vjp": lambda: wg.vjp(network, W)[1](1.0),
    "vjp unused": lambda: wg.vjp(network, W),
    "grad of grad": lambda: wg.grad(lambda w: np.sum(wg.grad(network)(w) ** 2))(W),
    "jvp of grad": lambda: wg.jvp(wg.grad(network), (W,), (W,)),
    "grad of jvp": lambda: wg.grad(lambda w: wg.jvp(network, (w,), (W,))[1])(W),
    "vmap of grad": lambda: wg.vmap(wg.grad(network))(np.stack([W, W])),
    "backward": backward,
    "backward twice": backward_twice,
    "backward of backward": backward_of_backward,
    "hooks": hooked,
    "a graph thrown away": lambda: network(wg.array(W, requires_grad=True)) * 2,
    "views": views,
}


@pytest.mark.parametrize("name", RUNS)
def test_no_reference_cycles(name):
    run = RUNS[name]
    run()
    with collector_off():
        nodes = live(Node, Array)
        for _ in range(5):
            run()
        assert live(Node, Array) == nodes, "handles or nodes outlive their last reference"
        assert gc.collect() == 0, "a reference cycle"


def test_an_exception_leaves_no_graph_behind():
    def fails(w):
        network(w)
        raise KeyError

    with collector_off():
        before = live(Node, Array)
        for _ in range(3):
            with pytest.raises(KeyError):
                wg.grad(fails)(W)
        gc.collect()  # the traceback itself is a cycle, of Python's making
        assert live(Node, Array) == before


# --- training -------------------------------------------------------------------------------------


def test_memory_is_flat_over_ten_thousand_training_steps():
    rng = np.random.default_rng(0)
    data, target = rng.standard_normal((8, 4)), rng.standard_normal((8, 1))
    w1 = wg.array(rng.standard_normal((4, 3)) * 0.5, requires_grad=True)
    w2 = wg.array(rng.standard_normal((3, 1)) * 0.5, requires_grad=True)
    counts, bytes_held, losses = {}, {}, []

    def step():
        loss = np.mean((np.tanh(data @ w1) @ w2 - target) ** 2)
        loss.backward()
        with wg.no_grad():
            for w in (w1, w2):
                w -= 0.05 * w.grad
                w.grad = None
        return loss.item()

    for k in range(10_001):
        losses.append(step())
        if k in (500, 10_000):
            gc.collect()
            counts[k] = len(gc.get_objects())
        if k in (1000, 2000):
            tracemalloc.start()
        if k in (1500, 2500):
            bytes_held[k] = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
    assert losses[-1] < 0.7 * losses[0]
    assert abs(counts[10_000] - counts[500]) < 30
    assert bytes_held[2500] < bytes_held[1500] + 20_000  # the list of losses grows by 12,000


# --- O(n) -----------------------------------------------------------------------------------------


def path_of(n):
    """A recurrence that writes and reads an array of n elements n times."""

    def f(x):
        path = np.zeros_like(x, shape=(n,))
        path[0] = x
        for i in range(1, n):
            path[i] = path[i - 1] * 0.999 + 0.001 * np.sin(path[i - 1])
        return np.sum(path**2) / n

    return f


DERIVATIVES = {
    "value": lambda f: lambda x: f(wg.array(x)),
    "forward": lambda f: lambda x: wg.jvp(f, (x,), (1.0,))[1],
    "reverse": wg.grad,
    "forward over reverse": lambda f: lambda x: wg.jvp(wg.grad(f), (x,), (1.0,))[1],
    "reverse over forward": lambda f: wg.grad(lambda x: wg.jvp(f, (x,), (1.0,))[1]),
    "reverse over reverse": lambda f: wg.grad(wg.grad(f)),
    "batched reverse": lambda f: lambda x: wg.vmap(wg.grad(f))(np.array([x, x]))[0],
}


@contextmanager
def counting_copies(monkeypatch):
    """Counts the elements that writes, and sweeps through them, copy."""
    copied = [0]
    value, erase, buffer = setitem.value, Erased.erase, Scattered.buffer

    def counted_value(x, v, *arrays, index, donate=False):
        copied[0] += 0 if donate else np.size(x)
        return value(x, v, *arrays, index=index, donate=donate)

    def counted_erase(self, overwrite):
        copied[0] += 0 if overwrite else np.prod(self.g.shape, dtype=int)
        return erase(self, overwrite)

    def counted_buffer(self, node, present):
        copied[0] += np.prod(node.shape, dtype=int)
        return buffer(self, node, present)

    with monkeypatch.context() as patch:
        patch.setattr(Erased, "erase", counted_erase)
        patch.setattr(Scattered, "buffer", counted_buffer)
        patch.setattr(Primitive, "__setattr__", object.__setattr__)  # records are frozen
        patch.setattr(setitem, "value", counted_value)
        yield copied


@pytest.mark.parametrize("name", DERIVATIVES)
def test_n_reads_and_writes_cost_o_of_n(name, monkeypatch):
    """Twice the steps: less than three times the memory and the copied elements (squared: four)."""
    copies, peaks = {}, {}
    for n in (100, 200, 400):
        run = DERIVATIVES[name](path_of(n))
        with counting_copies(monkeypatch) as copied:
            run(0.7)
        copies[n] = copied[0]
        tracemalloc.start()
        run(0.7)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert copies[400] < 3 * copies[200] + 400, copies
    assert peaks[400] < 3 * peaks[200], peaks


def test_the_gradient_of_a_loop_of_writes_is_right():
    f = path_of(60)
    h = 1e-6
    for name, derivative in DERIVATIVES.items():
        if "over" in name:
            want = (wg.grad(f)(0.7 + h) - wg.grad(f)(0.7 - h)) / (2 * h)
        elif name == "value":
            want = f(np.float64(0.7))
        else:
            want = (f(np.float64(0.7 + h)) - f(np.float64(0.7 - h))) / (2 * h)
        got = derivative(f)(0.7)
        np.testing.assert_allclose(got.item() if isinstance(got, Array) else got, want, rtol=1e-7)
