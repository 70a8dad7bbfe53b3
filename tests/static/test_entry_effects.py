"""Whole calls as machine code: what they leave behind, and what goes on around them: errors,
references, threads, transformations.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert import nn, optim

from .native_calls import (
    CALLS,
    A,
    B,
    frames_of,
    is_native,
    make_at_once,
    needs_native,
    same,
    settled,
)

GENERATOR = np.random.default_rng(0)


pytestmark = needs_native


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_at_once(monkeypatch)


# --- effects --------------------------------------------------------------------------------------


def test_writes_into_arrays_of_numpy_go_straight_there() -> None:
    def f(w: Any, x: Any) -> Any:
        w -= 0.5 * x
        return np.sum(w * x)

    g, w, expected = wg.compile(f), A.copy(), A.copy()
    for _ in range(CALLS + 1):
        same(g(w, B), f(expected, B))
        np.testing.assert_allclose(w, expected)
    assert is_native(g)
    part = np.stack([A, A, A])
    for _ in range(CALLS):
        g(part[1], B)
        f(part[2], B)
    np.testing.assert_allclose(part[1], part[2])
    np.testing.assert_array_equal(part[0], A)


def test_writes_into_arrays_with_gaps() -> None:
    def f(w: Any, x: Any) -> Any:
        w *= 0.5
        w -= x

    g = wg.compile(f)
    for part in (np.s_[::2], np.s_[::-1], np.s_[1::3]):
        base, expected = np.arange(3_000.0), np.arange(3_000.0)
        x = np.ones(len(base[part]))
        for _ in range(CALLS):
            g(base[part], x)
            f(expected[part], x)
        np.testing.assert_allclose(base, expected)
        node = g.variants[0].straight  # what Python's way runs: new memory that lies so
        np.testing.assert_allclose(node.run(base[part], x)[0], base[part] * 0.5 - x)
        np.testing.assert_allclose(base, expected)


def test_a_read_only_array_is_not_written_into() -> None:
    def f(w: Any) -> None:
        w *= 2.0
        w += 1.0

    g = settled(f, A.copy())
    w = A.copy()
    w.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        g(w)
    np.testing.assert_array_equal(w, A)


def test_arrays_that_share_memory_are_told_apart() -> None:
    def f(w: Any, x: Any) -> None:
        w *= 2.0
        w += x * 3.0

    g = settled(f, A.copy(), B.copy())
    base = np.arange(6.0)
    for w, x in ((base[:3], base[3:]), (base[:3], base[1:4]), (base[:3], base[:3])):
        expected = base.copy()
        f(*(expected[(one.ctypes.data - base.ctypes.data) // 8 :][:3] for one in (w, x)))
        with_warning = np.may_share_memory(w, x)
        if with_warning and w is not x and w.ctypes.data != x.ctypes.data:
            with pytest.warns(wg.errors.CaptureWarning):
                g(w, x)
        else:
            g(w, x)
        np.testing.assert_allclose(base, expected)
    w, expected = A.copy(), A.copy()
    g(w, w)
    f(expected, expected)
    np.testing.assert_allclose(w, expected)


def training(lr: float = 0.1) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    model = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.Tanh(), nn.Linear(4, 1, rng=rng))
    optimiser = optim.Adam(list(model.parameters()), lr=lr)

    def step(x: Any, y: Any) -> Any:
        optimiser.zero_grad()
        loss = nn.mse_loss(model(x), y)
        loss.backward()
        optimiser.step()
        return loss

    return model, optimiser, step


X = np.random.default_rng(1).random((8, 3), np.float32)
Y = np.random.default_rng(2).random((8, 1), np.float32)


def test_a_training_step_is_the_eager_one() -> None:
    model, _, step = training()
    other, _, eager = training()
    compiled = wg.compile(step)
    for _ in range(12):
        np.testing.assert_allclose(compiled(X, Y).item(), eager(X, Y).item(), rtol=1e-5)
    assert is_native(compiled), compiled.explain()
    assert not frames_of(lambda: compiled(X, Y))
    eager(X, Y)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-3, atol=1e-6)
    loss = compiled(X, Y)
    with pytest.raises(wg.errors.WengertError, match="retain_graph"):
        loss.backward()


def test_content_that_is_seen_elsewhere_is_not_overwritten() -> None:
    w = wg.array(A)

    def f(x: Any) -> None:
        w[...] = w * 2.0 + x

    g = settled(f, B)
    held, before = w.detach(), w.numpy().copy()
    buffer = w._value
    g(B)
    np.testing.assert_array_equal(held.numpy(), before)
    np.testing.assert_allclose(w.numpy(), before * 2 + B)
    assert w._value is not buffer
    del held, buffer
    buffer, version = w._value, w._version
    place = buffer.ctypes.data
    del buffer
    g(B)
    assert w._value.ctypes.data == place  # in place, where nobody else sees it
    assert w._version == version + 1


def test_a_view_sees_what_is_written() -> None:
    w = wg.array(A)
    part = w[1:]
    f = settled(lambda x: w.__setitem__(..., w * 2.0 + x), B)
    f(B)
    np.testing.assert_array_equal(part.numpy(), w.numpy()[1:])
    g = settled(lambda part: part * 2.0 + 1.0, part)
    np.testing.assert_array_equal(g(part).numpy(), w.numpy()[1:] * 2 + 1)
    np.testing.assert_array_equal(g(w[:2]).numpy(), w.numpy()[:2] * 2 + 1)
    f(B)
    np.testing.assert_array_equal(g(part).numpy(), w.numpy()[1:] * 2 + 1)


def test_gradients_attributes_places_and_cells() -> None:
    class Holder:
        pass

    holder, table, counted = Holder(), {"last": None}, wg.array(0.0)
    holder.total = wg.array(A)  # type: ignore[attr-defined]
    w = wg.array(A, requires_grad=True)

    def f(x: Any) -> Any:
        nonlocal counted
        w.grad = None
        loss = (w * w * x).sum()
        loss.backward()
        holder.total = holder.total * 0.5 + x  # type: ignore[attr-defined]
        table["last"] = x * 2.0 + 1.0
        counted = counted + 1.0
        return loss

    g, total = wg.compile(f), A.copy()
    for i in range(CALLS + 2):
        assert isinstance(g(B), wg.Array)
        total = total * 0.5 + B
        np.testing.assert_allclose(holder.total.numpy(), total)  # type: ignore[attr-defined]
        np.testing.assert_allclose(w.grad.numpy(), 2 * A * B)
        np.testing.assert_allclose(table["last"], B * 2 + 1)
        assert counted.item() == i + 1
    assert is_native(g), g.explain()


def test_one_array_in_two_places_gets_the_whole_gradient() -> None:
    def f(a: Any, b: Any) -> Any:
        y = np.sum(a * b * b)
        y.backward()
        return y

    g = wg.compile(f)
    for _ in range(CALLS):
        g(wg.array(A, requires_grad=True), wg.array(B, requires_grad=True))
    x, expected = wg.array(A, requires_grad=True), wg.array(A, requires_grad=True)
    g(x, x)
    f(expected, expected)
    np.testing.assert_allclose(x.grad.numpy(), expected.grad.numpy())


def test_one_list_in_two_places() -> None:
    def f(p: Any, q: Any) -> None:
        p[0] = p[0] * 2.0 + 1.0
        q[0] = q[0] * 3.0 + 1.0

    g = wg.compile(f)
    for _ in range(CALLS):
        g([wg.array(A)], [wg.array(B)])
    p, expected = [wg.array(A)], [wg.array(A)]
    g(p, p)
    f(expected, expected)
    same(p[0], expected[0])


# --- around the call ------------------------------------------------------------------------------


def test_transformations_and_no_grad_go_their_own_way() -> None:
    w = wg.array(B, requires_grad=True)

    def f(x: Any) -> Any:
        return np.sum(x * x * B)

    g = settled(f, A)
    np.testing.assert_allclose(wg.grad(g)(A), 2 * A * B)
    np.testing.assert_allclose(wg.vmap(g)(np.stack([A, B])), [f(A), f(B)])
    np.testing.assert_allclose(wg.jvp(g, (A,), (B,))[1], 2 * np.sum(A * B * B))
    outer = settled(lambda x: g(x) * 2.0 + 1.0, A)
    same(outer(A), f(A) * 2 + 1)
    attached = wg.compile(lambda x: np.sum(x * w))
    for _ in range(CALLS):
        y = attached(A)
        with wg.no_grad():
            assert not attached(A).requires_grad
    y.backward()
    np.testing.assert_allclose(w.grad.numpy(), A)
    with wg.no_grad():
        for _ in range(CALLS):
            same(g(A), f(A))
        assert not frames_of(lambda: g(A))


def test_exceptions_are_eager_ones() -> None:
    def f(a: float, b: float) -> float:
        return 1.0 / a + a * b

    g = settled(f, 2.0, 3.0)
    with pytest.raises(ZeroDivisionError):
        g(0.0, 1.0)
    same(g(4.0, 1.0), f(4.0, 1.0))


def test_what_runs_eagerly_has_no_entry() -> None:
    def f(x: Any, again: bool = False) -> Any:
        return x * 2 + (GENERATOR.random() if again else 1.0)

    g = settled(f, A)
    with pytest.warns(wg.errors.CaptureWarning):
        [g(A, True) for _ in range(CALLS)]
    assert not is_native(g)
    assert g.counts["eager"] >= 1
    same(g(A), f(A))


def test_copies_and_pickles_have_their_own_graphs() -> None:
    f = settled(double, A)
    for other in (copy.copy(f), copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert not other.variants
        assert other.counts["replayed"] == 0
        same(other(A), f(A))


def double(x: Any) -> Any:
    return x * 2.0 + x


def test_check_compares_every_nth_call() -> None:
    g = wg.compile(double, check=2)
    for _ in range(2 * CALLS):
        same(g(A), double(A))
    assert not is_native(g)


def test_it_dies_with_its_last_reference() -> None:
    model, optimiser, step = training()
    compiled = wg.compile(step)
    for _ in range(8):
        compiled(X, Y)
    assert is_native(compiled)
    gone = weakref.ref(compiled)
    del model, optimiser, step, compiled
    gc.collect()
    assert gone() is None


def test_references_stay_right_on_every_path() -> None:
    """Counts before and after 10^4 calls that go right, miss, and raise."""
    model, _, step = training()
    compiled = wg.compile(step)
    ratio = settled(lambda a, b: 1.0 / a + a * b, 2.0, 3.0)
    nested = settled(lambda p: {"y": [p["a"] * 2 + 1, p["n"]], "a": p["a"]}, {"a": A, "n": None})
    p, parameters = {"a": A, "n": None}, list(model.parameters())
    short = A[:2].copy()

    def calls(count: int) -> None:
        for _ in range(count):
            compiled(X, Y)
            nested(p)
            nested({"a": short, "n": None})
            with contextlib.suppress(ZeroDivisionError):
                ratio(0.0, 1.0)

    calls(30)
    watched = [X, Y, A, p, short, compiled, nested, ratio, *parameters]
    watched += [type(one._node) for one in parameters] + [wg.Array, np.dtype(float), None, ()]
    gc.collect()
    before = [sys.getrefcount(one) for one in watched]
    calls(2_500)
    gc.collect()
    after = [sys.getrefcount(one) for one in watched]
    assert [a - b for a, b in zip(after, before, strict=True)] == [0] * len(watched)


def test_memory_stays_flat() -> None:
    import tracemalloc

    _, _, step = training()
    compiled = wg.compile(step)
    for _ in range(20):
        compiled(X, Y)
    assert is_native(compiled)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(10):
            compiled(X, Y)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(2_000):
            compiled(X, Y)
        assert tracemalloc.get_traced_memory()[0] - before < 2_000
    finally:
        tracemalloc.stop()


def test_several_threads_at_once() -> None:
    big = [np.full(60_000, float(i)) for i in range(4)]
    f = settled(lambda a, b: [np.sqrt(a * a + b) + b, b * 2.0 + 1.0], big[0], 1.0)
    wrong: list[int] = []

    def work(i: int) -> None:
        for k in range(40):
            y, z = f(big[i], float(k))
            if z != 2.0 * k + 1 or y[0] != y[-1] or abs(y[0] - (i * i + k) ** 0.5 - k) > 1e-9:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


def test_a_call_within_the_end_of_a_call() -> None:
    """An effect drops an object whose finalizer calls the function again."""
    seen: list[Any] = []

    def f(x: Any, holder: Any) -> Any:
        holder["y"] = x * 2.0 + 1.0
        return x * 3.0 + 1.0

    holder: dict[str, Any] = {"y": A}
    g = settled(f, A, holder)

    first = g(A, holder)
    base = np.arange(3.0)
    weakref.finalize(base, lambda: seen.append(g(B, {"y": B})))
    holder["y"] = base
    del base
    same(g(A, holder), first)
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0], B * 3 + 1)
    np.testing.assert_allclose(holder["y"], A * 2 + 1)


def test_new_content_lies_in_memory_as_the_old() -> None:
    w = wg.array(np.arange(6.0).reshape(2, 3).T)
    assert not w._value.flags.c_contiguous
    x = np.arange(6.0).reshape(3, 2)

    def f() -> None:
        w[...] = (x * 2.0 + 1.0) * w

    expected, strides = w.numpy().copy(), w._value.strides
    settled(f)
    for _ in range(CALLS + 1):
        expected = (x * 2.0 + 1.0) * expected
    np.testing.assert_allclose(w.numpy(), expected)
    assert w._value.strides == strides


def test_a_number_in_an_array_without_axes_stays_one() -> None:
    w, x = wg.array(np.array(2.0)), np.array(3.0)

    def f(x: Any) -> None:
        w[...] = w * 2.0 + 1.0
        x[...] = x * 2.0 + 1.0

    g, kind = wg.compile(f), type(w._value)
    for i in range(1, CALLS + 1):
        g(x)
        assert (w.item(), float(x)) == (3.0 * 2**i - 1, 4.0 * 2**i - 1)
    assert x.ndim == 0
    assert type(w._value) is kind
