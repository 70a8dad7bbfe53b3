"""Whole calls as machine code: what they check, give and leave behind is what Python's way does.

Programs become machine code in their third call here (``at_once``), so that few calls are enough.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import sys
import threading
import weakref
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert import nn, optim
from wengert.static import native
from wengert.static.llvm.objects import unsupported

pytestmark = pytest.mark.skipif(bool(unsupported()), reason=unsupported())
CALLS = 5
A, B = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, -1.0])
Pair = namedtuple("Pair", "first second")
GENERATOR = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "SHARE", 0.0)
    monkeypatch.setattr(native, "COMPILING", (1e-9, 0.0))


def is_native(compiled: Any) -> bool:
    """Whether its calls go to machine code first."""
    return type(compiled).__call__ is not wg.static.capture.Compiled.__call__


def frames_of(call: Callable[[], Any]) -> list[str]:
    """The Python functions that run in a call, but for ``call`` itself."""
    seen: list[str] = []

    def note(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            seen.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen[1:]


def settled(function: Any, *args: Any, **kwargs: Any) -> Any:
    """``function`` compiled, and called until it is machine code."""
    compiled = wg.compile(function)
    for _ in range(CALLS):
        compiled(*args, **kwargs)
    assert is_native(compiled), compiled.explain()
    assert not frames_of(lambda: compiled(*args, **kwargs))
    return compiled


def same(a: Any, b: Any) -> None:
    """Equal results of equal types."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    elif isinstance(a, wg.Array):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    elif isinstance(a, np.ndarray | np.generic | float):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    else:
        assert a == b


# --- arguments ------------------------------------------------------------------------------------


def test_a_call_counts_and_runs_no_python() -> None:
    f = settled(lambda a, b: a * b + a, A, B)
    before = f.counts["replayed"]
    np.testing.assert_allclose(f(A, B), A * B + A)
    assert f.counts["replayed"] == before + 1
    assert "a call is machine code" in str(f.explain())
    assert isinstance(f, wg.static.capture.Compiled)


def test_keywords_defaults_and_keyword_only_arguments() -> None:
    def f(a: Any, b: Any = B, *, c: Any, d: float = 2.0) -> Any:
        return a * b + c * d

    g = settled(f, A, c=B, d=3.0)
    same(g(A, c=B, d=4.0), f(A, c=B, d=4.0))
    for args, kwargs in (
        ((A,), {"c": B}),
        ((A, A), {"c": B}),
        ((A,), {"d": 4.0, "c": B}),
        ((), {"a": A, "b": A, "c": A}),
    ):
        for _ in range(CALLS):
            same(g(*args, **kwargs), f(*args, **kwargs))
        assert not frames_of(lambda args=args, kwargs=kwargs: g(*args, **kwargs))  # type: ignore[misc]
    name = "".join(["c", ""])
    same(g(A, **{name: B, "d": 4.0}), f(A, c=B, d=4.0))
    with pytest.raises(TypeError, match="'c'"):
        g(A)
    with pytest.raises(TypeError, match="unexpected"):
        g(A, c=B, e=1)


def test_nested_containers() -> None:
    def f(p: Any) -> Any:
        return p["a"][0] * p["b"]["w"] + p["t"][1] - p["pair"].second

    p = {"a": [A], "b": {"w": B}, "t": (A, B), "pair": Pair(A, B), "none": None, "text": "x"}
    g = settled(f, p)
    same(g(p), f(p))
    other = {**p, "a": [B], "pair": Pair(B, A)}
    same(g(other), f(other))
    turned = dict(reversed(p.items()))
    same(g(turned), f(turned))
    longer = {**p, "a": [B, B]}
    same(g(longer), f(longer))
    with pytest.raises(KeyError):
        g({key: one for key, one in p.items() if key != "t"})


@pytest.mark.parametrize("kind", [OrderedDict, lambda d: defaultdict(list, d)])
def test_other_dicts(kind: Any) -> None:
    def f(p: Any) -> Any:
        return p["a"] * 2 - p["b"]

    g = wg.compile(f)
    for _ in range(CALLS):
        same(g(kind({"a": A, "b": B})), f({"a": A, "b": B}))
    one = OrderedDict(a=A, b=B)
    one.move_to_end("a")
    same(g(one), f(one))


class Own(list):
    """A list whose items only Python can get."""

    def __getitem__(self, i: Any) -> Any:
        return super().__getitem__(i)


def test_a_list_with_items_of_its_own_stays_in_python() -> None:
    def f(p: Any) -> Any:
        return p[0] * 2 - p[1]

    g = wg.compile(f)
    for _ in range(CALLS):
        same(g(Own([A, B])), f(Own([A, B])))
    assert not is_native(g)
    assert "an item of a Own" in str(g.explain())


@dataclass
class Record:
    x: Any
    rate: float = 0.5


def test_records() -> None:
    def f(r: Any) -> Any:
        return r.x * r.rate + 1

    g = settled(f, Record(A))
    same(g(Record(B, 2.5)), f(Record(B, 2.5)))
    one = Record(A, 1.5)
    assert not frames_of(lambda: g(one))
    np.testing.assert_allclose(g(Record(A[:2])), f(Record(A[:2])))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("x", "y"),
        (None, True),
        (True, False),
        (b"a", b"b"),
        ((1, 2), (1, 3)),
        (slice(0, 2), slice(0, 3)),
        (frozenset({1}), frozenset({2})),
        (..., None),
        (range(2), range(3)),
    ],
    ids=str,
)
def test_fixed_values_are_looked_at(first: Any, then: Any) -> None:
    def f(a: Any, fixed: Any) -> Any:
        return a * 3.0 + len(repr(fixed)) + (10.0 if fixed == first else 0.0)

    g = settled(f, A, first)
    same(g(A, then), f(A, then))
    same(g(A, first), f(A, first))


def test_zeros_and_nan_of_the_closure_are_told_apart() -> None:
    held = 0.0

    def f(a: Any) -> Any:
        return np.copysign(a, held) + a * 2

    g = settled(f, A)
    for value in (-0.0, 0.0, float("nan"), -0.0):
        held = value
        for _ in range(CALLS):
            same(g(A), f(A))


def test_other_arrays_are_recorded_anew_and_several_variants_are_machine_code() -> None:
    def f(a: Any) -> Any:
        return a * 2 + 1

    g = settled(f, A)
    others = [A[:2], A.astype(np.float32), A.astype(np.int64), np.stack([A, B]), A[::2], 1.5]
    for one in others:
        for _ in range(CALLS):
            same(g(one), f(one))
    for one in (A, *others):
        assert not frames_of(lambda one=one: g(one))  # type: ignore[misc]
        same(g(one), f(one))
    same(g(A.astype(">f8")), f(A.astype(">f8")))


def test_a_dtype_that_is_equal_but_another_object() -> None:
    f = settled(lambda a: a * 2 + 1, A)
    other = pickle.loads(pickle.dumps(A))
    assert not frames_of(lambda: f(other))
    np.testing.assert_array_equal(f(other), A * 2 + 1)


# --- what is reached ------------------------------------------------------------------------------

SCALE = 2.0
TABLE = {"w": B}


class Model:
    offset = 1.0

    def __init__(self) -> None:
        self.w, self.deep = A.copy(), {"b": [B.copy()]}

    def call(self, x: Any) -> Any:
        return x * self.w * SCALE + self.deep["b"][0] + self.offset


def test_globals_attributes_classes_and_closures_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Model()

    def inner(x: Any) -> Any:
        return x * 3

    def f(x: Any) -> Any:
        return inner(model.call(x)) + TABLE["w"]

    g = settled(f, A)

    def change(what: str) -> None:
        nonlocal inner
        if what == "global":
            monkeypatch.setitem(globals(), "SCALE", 3.0)
        elif what == "item":
            monkeypatch.setitem(TABLE, "w", A)
        elif what == "attribute":
            model.w = B * 2
        elif what == "deep":
            model.deep["b"][0] = A
        elif what == "class":
            monkeypatch.setattr(Model, "offset", 5.0)
        elif what == "closure":

            def inner(x: Any) -> Any:
                return x * 4

        else:
            monkeypatch.setattr(Model, "call", lambda self, x: x - self.w)

    for what in ("global", "item", "attribute", "deep", "class", "closure", "method"):
        change(what)
        for _ in range(CALLS):
            same(g(A), f(A))


def test_new_arrays_in_old_places_need_no_recording() -> None:
    model = Model()
    f = settled(lambda x: model.call(x), A)
    recorded = f.counts["recorded"]
    model.w, model.deep["b"][0] = B * 2, A * 5
    same(f(A), model.call(A))
    assert f.counts["recorded"] == recorded


class Net:
    def __init__(self) -> None:
        self.w = B.copy()

    @wg.compile
    def step(self, x: Any) -> Any:
        self.w -= 0.1 * x
        return x * self.w


def test_methods() -> None:
    one, other = Net(), Net()
    w = B.copy()
    for net in (one, other):
        for _ in range(CALLS):
            net.step(A)
    for _ in range(CALLS):
        w -= 0.1 * A
    np.testing.assert_allclose(one.w, w)
    np.testing.assert_allclose(one.step(A), A * (w - 0.1 * A))
    step = one.step
    assert is_native(step)
    assert not frames_of(lambda: step(A))
    assert not frames_of(lambda: other.step(A))
    assert one.step is step
    assert Net.step.counts["replayed"] == 0
    third = copy.deepcopy(one)
    np.testing.assert_allclose(third.step(A), A * third.w)
    assert third.w is not one.w
    shallow = copy.copy(other)
    before = other.w.copy()
    shallow.w = B.copy()
    shallow.step(A)
    np.testing.assert_allclose(other.w, before)
    np.testing.assert_allclose(shallow.w, B - 0.1 * A)


# --- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda a, x: (a * 2 + 1, [a - 1, {"z": x * 2, "b": a * a}], ()),
        lambda a, x: {"z": a * 2 + 1, "a": None, "n": {"k": x * 3}},
        lambda a, x: Pair(a * 2 + 1, x),
        lambda a, x: OrderedDict(z=a * 2 + 1, a=x * x),
        lambda a, x: (a, a * 2 + 1, a),
        lambda a, x: np.sum(a * 2 + 1),
        lambda a, x: x * 2 + 1.5,
        lambda a, x: (a[1:], a * 2 + 1),
        lambda a, x: ("text", 3, a * 2 + 1, np.float32(2.5)),
        lambda a, x: (a * 2 + 1).reshape(3, 1),
        lambda a, x: (a > 0, a.astype(np.float32), (a * 2).astype(np.int32)),
        lambda a, x: None if np.sum(a * 2 + 1) is None else [a * x + 1],
        lambda a, x: (lambda y: (y, y))(a * 2 + 1),
        lambda a, x: (np.float64(x) * 2 + 1, a * (1 + 2j) + 1),
    ],
)
def test_results(f: Any) -> None:
    g = wg.compile(f)
    for _ in range(CALLS):
        same(g(A, 2.5), f(A, 2.5))
    if is_native(g):
        assert not frames_of(lambda: g(A, 2.5))
    given, expected = g(A, 2.5), f(A, 2.5)
    if isinstance(given, tuple) and len(given) == 3:
        assert [one is A for one in given] == [one is A for one in expected]


def test_views_are_views_and_twice_the_same_is_the_same() -> None:
    def f(a: Any) -> Any:
        y = a * 2 + 1
        return a[1:], y, y

    g = settled(f, A)
    view, one, other = g(A)
    assert view.base is A
    assert one is other


def test_arrays_of_wengert_come_and_go() -> None:
    x = wg.array(A)
    f = settled(lambda x: (x * 2 + 1, x), x)
    y, same_x = f(x)
    assert type(y) is wg.Array
    assert same_x is x
    np.testing.assert_array_equal(y.numpy(), A * 2 + 1)
    assert not y.requires_grad
    same((y * 3 + x).numpy(), (A * 2 + 1) * 3 + A)


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
