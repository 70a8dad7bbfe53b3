"""``compile`` itself: compositions, what falls back and how it is told, options, threads, memory.

The suite of programs beside this file says which programs stay native; here is what a program can't
show.
"""

import array
import copy
import gc
import logging
import pickle
import re
import threading
import tracemalloc
import warnings
import weakref
from decimal import Decimal

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import CaptureWarning, GraphReleased, UnsupportedError

A = np.array([1.0, -2.0, 3.0])
B = np.array([-4.0, 0.5, 0.25])


def f(x):
    return np.sum(np.sin(x) * np.exp(-x) * x[0])


def third(g):
    return wg.jacobian(wg.hessian(g))


COMPOSITIONS = {
    "grad": lambda g: wg.grad(g)(A),
    "value and grad": lambda g: wg.value_and_grad(g)(A),
    "jvp": lambda g: wg.jvp(g, (A,), (B,)),
    "vjp": lambda g: wg.vjp(g, A)[1](2.0),
    "linearize": lambda g: wg.linearize(g, A)[1](B),
    "hessian": lambda g: wg.hessian(g)(A),
    "hvp": lambda g: wg.hvp(g, (A,), (B,)),
    "third order": lambda g: third(g)(A),
    "forward over forward": lambda g: wg.jvp(lambda x: wg.jvp(g, (x,), (B,))[1], (A,), (B,)),
    "reverse over forward": lambda g: wg.grad(lambda x: wg.jvp(g, (x,), (B,))[1])(A),
    "vmap": lambda g: wg.vmap(g)(np.stack([A, B])),
    "vmap of grad": lambda g: wg.vmap(wg.grad(g))(np.stack([A, B])),
    "vmap of hessian": lambda g: wg.vmap(wg.hessian(g))(np.stack([A, B])),
    "grad of vmap": lambda g: wg.grad(lambda xs: np.sum(wg.vmap(g)(xs)))(np.stack([A, B])),
}


def assert_same(got, want):
    for a, b in zip(wg.tree.flatten(got)[0], wg.tree.flatten(want)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_a_transformed_graph_is_one_call_equation(name):
    g = wg.compile(f)
    for _ in range(4):
        assert_same(COMPOSITIONS[name](g), COMPOSITIONS[name](f))
    before = dict(g.counts)
    COMPOSITIONS[name](g)
    assert g.counts["called"] > before["called"]
    assert (g.counts["eager"], g.counts["recorded"]) == (before["eager"], before["recorded"])


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_a_compiled_transformation(name):
    def step(scale):
        return COMPOSITIONS[name](lambda x: f(x * scale))

    compiled = wg.compile(step)
    for scale in (1.0, 0.5, 2.0, 1.5):
        assert_same(compiled(scale), step(scale))
    assert compiled.counts["replayed"] >= 1, compiled


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_a_compiled_transformation_of_a_compiled_function(name):
    inner = wg.compile(f)
    compiled = wg.compile(lambda scale: COMPOSITIONS[name](lambda x: inner(x * scale)))
    for scale in (1.0, 0.5, 2.0, 1.5):
        assert_same(compiled(scale), COMPOSITIONS[name](lambda x, s=scale: f(x * s)))
    assert compiled.counts["replayed"] >= 1, compiled


def test_a_guard_is_asked_under_transformations():
    def branch(x):
        return np.sum(x**3) if x.sum() > 0 else np.sum(np.cos(x))

    g = wg.compile(branch)
    for _ in range(3):
        for x in (A, B):
            assert_same(wg.grad(g)(x), wg.grad(branch)(x))
            assert_same(wg.hessian(g)(x), wg.hessian(branch)(x))
    assert g.counts["called"] >= 4
    with pytest.raises(UnsupportedError, match="vmap"):
        wg.vmap(g)(np.stack([A, B]))


def test_masks_under_transformations():
    def masked(x):
        return np.sum(x[x > 0] ** 3)

    g = wg.compile(masked)
    for x in (A, B, A, B, A * 2):
        assert_same(wg.grad(g)(x), wg.grad(masked)(x))
        assert_same(wg.jvp(g, (x,), (B,)), wg.jvp(masked, (x,), (B,)))


# --- the dynamic graph around a call --------------------------------------------------------------


def test_results_hang_on_the_dynamic_graph():
    w = wg.array(A, requires_grad=True)
    g = wg.compile(lambda x: np.sum(w * w * x))
    for k in range(5):
        w.grad = None
        (g(B) * 2).backward()
        np.testing.assert_allclose(w.grad.numpy(), 4 * A * B, err_msg=str(k))
    assert g.counts["replayed"] >= 2
    with wg.no_grad():
        assert not g(B).requires_grad
    assert g(B).requires_grad


def test_second_derivatives_through_the_dynamic_graph():
    w = wg.array(A, requires_grad=True)
    g = wg.compile(lambda x: np.sum(w**3 * x))
    for _ in range(4):
        w.grad = None
        g(B).backward(create_graph=True)
        gradient = w.grad
        w.grad = None
        np.sum(gradient).backward()
        np.testing.assert_allclose(w.grad.numpy(), 6 * A * B)


def test_a_loss_whose_graph_was_used_says_so():
    w = wg.array(A, requires_grad=True)

    def step(x):
        loss = np.sum(w * x)
        loss.backward()
        return loss

    compiled = wg.compile(step)
    for _ in range(4):
        loss = compiled(B)
        assert loss.requires_grad
        with pytest.raises(GraphReleased, match="retain_graph"):
            loss.backward()


def test_an_argument_on_the_graph():
    w = wg.array(A, requires_grad=True)
    g = wg.compile(lambda h: np.sum(h * h))
    for _ in range(4):
        w.grad = None
        g(w * 2).backward()
        np.testing.assert_allclose(w.grad.numpy(), 8 * A)


# --- what falls back, and how it is told ----------------------------------------------------------


def told(function, *calls):
    """The warnings of calls, after which the function must run eagerly."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for args in calls:
            function(*args)
    return [str(w.message) for w in caught if issubclass(w.category, CaptureWarning)]


def test_a_value_that_escapes_is_reported_with_its_line():
    kept = []

    def step(x):
        y = np.sin(x)
        kept.append(y)
        return y

    compiled = wg.compile(step)
    (text,) = told(compiled, *[(A,)] * 5)
    line = step.__code__.co_firstlineno + 1
    assert f"test_capture.py:{line}" in text
    assert len(kept) == 5
    assert all(type(y) is np.ndarray for y in kept)


def test_too_many_paths_end_in_eager_running_with_one_warning():
    compiled = wg.compile(lambda x: x * 2 if int(x[0]) % 2 else x, limit=3)
    calls = [(np.array([float(k), 1.0]),) for k in range(12)]
    (text,) = told(compiled, *calls)
    assert "3 different paths" in text
    np.testing.assert_array_equal(compiled(np.array([3.0, 1.0])), [6.0, 2.0])
    assert "runs eagerly" in repr(compiled)


def test_strict_capture_raises():
    counter = iter(range(100))
    compiled = wg.compile(lambda x: x * next(counter), strict_capture=True)
    with pytest.raises(UnsupportedError, match="counter is an iterator"):
        compiled(A)


def test_what_recording_changed_is_undone_before_running_eagerly():
    state = {"n": 0, "log": []}

    def step(x):
        state["n"] += 1
        state["log"].append(state["n"])
        x[0] = 9.0
        return float(np.asarray(x)[0]) + memoryview(x)[0]

    x = A.copy()
    (_,) = told(wg.compile(step), (x,))
    assert state == {"n": 1, "log": [1]}
    assert x[0] == 9.0


def test_an_exception_leaves_what_an_eager_call_leaves():
    total = wg.array(np.zeros(3))

    def step(x):
        total[...] += x
        if x.sum() < 0:
            raise KeyError("negative")
        return total.sum()

    compiled = wg.compile(step)
    for _ in range(3):
        compiled(A)
        with pytest.raises(KeyError, match="negative"):
            compiled(B)
    np.testing.assert_allclose(total.numpy(), 3 * (A + B))


# --- options --------------------------------------------------------------------------------------


def test_check_compares_with_eager_calls():
    compiled = wg.compile(f, check=2)
    for _ in range(8):
        compiled(A)
    node = compiled.variants[0].paths.first
    run = node.run
    node.run = lambda *values: tuple(1.01 * y for y in run(*values))
    with pytest.raises(UnsupportedError, match="eagerly"):
        for _ in range(2):
            compiled(A)


def test_as_a_decorator_with_options():
    @wg.compile(strict=True)
    def g(x):
        """Its documentation."""
        return x * 2

    assert g.__doc__ == "Its documentation."
    np.testing.assert_array_equal(g(A), 2 * A)


def test_methods_have_a_graph_for_each_object():
    class Scale:
        def __init__(self, factor):
            self.factor = factor

        @wg.compile
        def __call__(self, x):
            return x * self.factor

    two, three = Scale(2.0), Scale(np.array(3.0))
    for _ in range(4):
        np.testing.assert_array_equal(two(A), 2 * A)
        np.testing.assert_array_equal(three(A), 3 * A)
    two.factor = 5.0
    np.testing.assert_array_equal(two(A), 5 * A)


# --- threads and memory ---------------------------------------------------------------------------


def test_threads_share_a_compiled_function():
    weights = np.array([2.0, 3.0, 4.0])
    compiled = wg.compile(lambda x: x * weights if x.sum() > 0 else x - weights)
    failures = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            x = rng.standard_normal(3)
            want = x * weights if x.sum() > 0 else x - weights
            if not np.array_equal(compiled(x), want):
                failures.append(x)

    compiled(A), compiled(A), compiled(B), compiled(B)  # arrays are swapped while recording
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_memory_is_flat():
    w = wg.array(np.ones(1000), requires_grad=True)

    def step(x):
        np.sum(w * x).backward()
        with wg.no_grad():
            w[...] -= 0.001 * w.grad
        w.grad = None

    compiled, x = wg.compile(step), np.ones(1000)
    tracemalloc.start()
    for _ in range(1000):  # what is loaded and compiled once is no leak
        compiled(x)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2000):
        compiled(x)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000


def test_a_compiled_function_does_not_keep_its_arguments():
    compiled = wg.compile(lambda x: x * 2)
    x = np.ones(10)
    for _ in range(4):
        compiled(x)
    held = [o for o in gc.get_referrers(x) if type(o) is not dict or "x" not in o]
    assert not [o for o in held if isinstance(o, list | tuple | dict)]


# --- what is behind the names of a function -------------------------------------------------------


@pytest.mark.parametrize(
    "value", [object(), threading.Lock(), logging.getLogger(), re.compile("a"), Decimal(2)]
)
def test_objects_that_are_what_they_are(value):
    compiled = wg.compile(lambda x, given=value: x * 2 if given is value else x)
    for _ in range(4):
        np.testing.assert_array_equal(compiled(A), 2 * A)
    assert compiled.counts["replayed"] == 2


@pytest.mark.parametrize("value", [bytearray(b"ab"), array.array("d", [2.0]), weakref.ref(A)])
def test_objects_that_can_change_unseen_are_refused(value):
    compiled = wg.compile(lambda x: (value, x * 2)[1])
    (text,) = told(compiled, *[(A,)] * 4)
    assert "can't be looked at" in text


def test_an_attribute_of_the_function_itself():
    def step(x):
        return x * 2 if step.mode == "twice" else x

    step.mode = "twice"
    compiled = wg.compile(step)
    for _ in range(4):
        np.testing.assert_array_equal(compiled(A), 2 * A)
    step.mode = "once"
    np.testing.assert_array_equal(compiled(A), A)


def test_check_compares_effects_too():
    total = wg.array(np.zeros(3))

    def step(x):
        total[...] += x
        x *= 2
        return total.sum()

    compiled, x = wg.compile(step, check=2), A.copy()
    for _ in range(8):
        compiled(x)
    np.testing.assert_allclose(total.numpy(), A * (2**8 - 1))
    np.testing.assert_allclose(x, A * 2**8)
    node = compiled.variants[0].paths.first
    run = node.run
    node.run = lambda *values: tuple(y if np.ndim(y) == 0 else 1.01 * y for y in run(*values))
    with pytest.raises(UnsupportedError, match="please report it"):
        for _ in range(2):
            compiled(x)


def test_a_replay_does_not_write_into_a_read_only_array():
    def step(x):
        x += 1
        return x.sum()

    compiled = wg.compile(step)
    for _ in range(4):
        compiled(A.copy())
    x = A.copy()
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled(x)
    np.testing.assert_array_equal(x, A)


class Net(wg.nn.Module):
    def __init__(self):
        self.weight = wg.array(A, requires_grad=True)

    @wg.compile
    def forward(self, x):
        return np.sum(self.weight * self.scaled(x))

    @wg.compile
    def scaled(self, x):
        return x * 2


def test_compiled_methods_of_modules_and_their_copies():
    net = Net()
    for _ in range(4):
        assert net(B).item() == pytest.approx(2 * A @ B)
    twin = copy.deepcopy(net)
    with wg.no_grad():
        twin.weight[...] = 0
    for other in (twin, pickle.loads(pickle.dumps(twin)), copy.copy(twin)):
        for _ in range(4):
            assert other(B).item() == 0
    assert net(B).item() == pytest.approx(2 * A @ B)
    gradient = wg.grad(lambda model: model(B))(net).weight
    np.testing.assert_allclose(gradient.numpy(), 2 * B)


def test_an_object_with_compiled_methods_can_be_collected():
    net = Net()
    for _ in range(4):
        net(B)
    reference = weakref.ref(net)
    del net
    gc.collect()
    assert reference() is None


def test_a_compiled_function_copies_and_pickles():
    compiled = wg.compile(f, strict=True)
    compiled(A)
    for twin in (
        copy.copy(compiled),
        copy.deepcopy(compiled),
        pickle.loads(pickle.dumps(compiled)),
    ):
        assert twin.strict
        for _ in range(3):
            assert_same(twin(A), f(A))


def test_a_method_compiled_in_the_constructor():
    class Trainer:
        def __init__(self):
            self.w = np.ones(3)
            self.step = wg.compile(self._step)

        def _step(self, x):
            self.w = self.w * x
            return self.w.sum()

    trainer, w = Trainer(), np.ones(3)
    for k in range(6):
        w = w * (A + k)
        np.testing.assert_allclose(trainer.step(A + k), w.sum())
    assert trainer.step.counts["replayed"] == 4


def test_threads_that_record_at_once():
    weights = np.array([2.0, 3.0, 4.0])
    known = weights.copy()  # eager code must not read what is swapped while another thread records

    def step(x):
        return x * weights if x.sum() > 0 else x - weights

    for _ in range(20):
        compiled, failures = wg.compile(step), []
        start = threading.Barrier(4)

        def work(sign, compiled=compiled, failures=failures, start=start):
            start.wait()
            for _ in range(6):
                x = sign * A
                want = x * known if x.sum() > 0 else x - known
                if not np.array_equal(compiled(x), want):
                    failures.append(x)

        threads = [threading.Thread(target=work, args=(s,)) for s in (1.0, -1.0, 1.0, -1.0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert not compiled.reason


def test_a_result_is_no_part_of_what_was_written():
    total = wg.array(np.zeros(3))

    def step(x):
        y = x * 2
        total[...] = y
        return y, y[1:], y.reshape(3, 1)

    compiled = wg.compile(step)
    for _ in range(5):
        for result in compiled(A):
            result[...] = 9.0
        np.testing.assert_array_equal(total.numpy(), 2 * A)


def test_what_is_refused_under_a_transformation_is_told_once():
    numbers = iter([1.0] * 20)
    compiled = wg.compile(lambda x: np.sum(x * x) * next(numbers))
    (text,) = told(wg.grad(compiled), *[(A,)] * 4)
    assert "numbers is an iterator" in text


def test_an_exception_of_the_users_does_not_end_native_calls_under_a_transformation():
    def positive(x):
        if x.shape == (2,):
            raise ValueError("two")
        return np.sum(x * x)

    compiled = wg.compile(positive)
    with pytest.raises(ValueError, match="two"):
        wg.grad(compiled)(A[:2])
    for _ in range(4):
        assert_same(wg.grad(compiled)(A), 2 * A)
    assert compiled.counts["called"] >= 2
