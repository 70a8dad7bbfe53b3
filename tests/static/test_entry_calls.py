"""Whole calls as machine code: the arguments they take, what they look at, what they give.

Programs become machine code in their third call here, so that few calls are enough.
"""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import wengert as wg

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

Pair = namedtuple("Pair", "first second")

pytestmark = needs_native


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_at_once(monkeypatch)


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


def test_results_without_axes_have_memory_of_their_own() -> None:
    def f(z: Any, a: Any) -> Any:
        return z.astype(np.float64), np.where(np.sin(a) > 0.2, np.log(2 + np.sin(a)), a)

    z, a = np.array(0.5), np.linspace(-2, 2, 500)
    g = settled(f, z, a)
    for _ in range(20):
        same(g(z, a), f(z, a))
        z = z + 1.0
        z = np.asarray(z)
    assert type(g(z, a)[0]) is np.ndarray


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
