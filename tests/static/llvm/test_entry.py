"""The builtin of a native program: what it takes and gives, what it counts, when it falls back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wengert.static.llvm import machine
from wengert.static.llvm.blueprint import NativeProgram, Slot
from wengert.static.llvm.builtin import bind
from wengert.static.llvm.lowlevel import (
    copy,
    extern,
    i32,
    i64,
    load,
    low,
    ptr,
)
from wengert.static.llvm.objects import unsupported
from wengert.static.llvm.translation import translated

pytestmark = pytest.mark.skipif(bool(unsupported()), reason=unsupported())

set_error = extern("PyErr_SetNone", "void", "ptr")
call_without = extern("PyObject_CallNoArgs", "ptr", "ptr")
PARAMS = 40


@low
def copies(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """Slot b = slot a, so many bytes."""
    source = load(ptr, frame, 8 * load(i64, step, PARAMS))
    target = load(ptr, frame, 8 * load(i64, step, PARAMS + 8))
    copy(target, source, load(i64, step, PARAMS + 16))
    return 0


@low
def gives(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """A code; with 2 an exception of the class in the next word."""
    code = load(i32, step, PARAMS)
    if code == 2:
        set_error(load(ptr, step, PARAMS + 8))
    return code


@low
def calls(frame: ptr, step: ptr, low: i64, high: i64) -> i32:
    """A Python function, whose result is dropped."""
    call_without(load(ptr, step, PARAMS))
    return 0


@pytest.fixture(scope="module")
def code() -> Callable[[str], int]:
    made = machine.library("steps of tests", lambda: translated([copies, gives, calls]))
    return lambda name: made.address(f"wengert_{name}")


Build = Callable[..., NativeProgram]


@pytest.fixture
def build(code: Callable[[str], int]) -> Build:
    """A program that copies its inputs to its outputs, after the steps ``first``."""

    def program(
        inputs: list[Any], outputs: list[Any], *first: tuple[str, int, int], long: bool = False
    ) -> NativeProgram:
        steps = [struct.pack("7q", code(name), 56, 0, 1, 0, a, b) for name, a, b in first]
        slots, arena = len(inputs) + len(outputs), []
        for number, known in enumerate([*inputs, *outputs]):
            if not isinstance(known, np.ndarray):
                arena.append(number)
        for number, known in enumerate(outputs):
            words = number, len(inputs) + number, np.asarray(known).nbytes
            steps.append(struct.pack("8q", code("copies"), 64, 0, 1, 0, *words))
        held = ctypes.create_string_buffer(b"".join(steps) + bytes(8))
        template = np.zeros(slots, np.int64)
        template[arena] = 16 * np.arange(len(arena))
        return NativeProgram(
            ctypes.addressof(held),
            template.tobytes(),
            16 * len(arena),
            tuple(arena),
            tuple(Slot(number, known) for number, known in enumerate(inputs)),
            tuple(Slot(len(inputs) + number, known) for number, known in enumerate(outputs)),
            long,
            [held],
        )

    return program


class Missed(Exception):
    """The fallback was called."""


def misses(*args: Any, **kwargs: Any) -> Any:
    raise Missed(args, kwargs)


ARRAYS = [
    np.arange(5.0),
    np.arange(12, dtype=np.float32).reshape(3, 4),
    np.arange(12).reshape(3, 4).T,
    np.array(2.5),
    np.array(True),
    np.zeros((0, 3)),
    np.arange(6, dtype=np.complex64).reshape(1, 6),
    np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 0, 1),
    np.array([True, False]),
    np.arange(4, dtype=np.complex128),
    np.arange(3, dtype=np.uint8),
]
NUMBERS = [
    1.5,
    True,
    False,
    -7,
    2**62,
    1.5 - 2j,
    np.float64(2.5),
    np.float32(2.5),
    np.int32(-3),
    np.uint64(2**63),
    np.bool_(True),
    np.complex128(1 + 2j),
    np.complex64(1 - 2j),
    np.int8(-5),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_come_and_go_as_they_lie(build: Build, value: Any) -> None:
    given = bind(build([value], [value]), misses)(value)
    assert type(given) is np.ndarray
    assert given is not value
    assert (given.dtype, given.strides) == (value.dtype, value.strides)
    np.testing.assert_array_equal(given, value)
    assert given.flags.owndata
    assert given.flags.writeable


@pytest.mark.parametrize("value", NUMBERS, ids=lambda x: f"{type(x).__name__}{x}")
def test_numbers_keep_their_type(build: Build, value: Any) -> None:
    given = bind(build([value], [value]), misses)(value)
    assert type(given) is type(value)
    assert given == value


def test_results_are_a_tuple_unless_there_is_one(build: Build) -> None:
    x = np.arange(3.0)
    both = bind(build([x, 2.5], [x, 2.5]), misses)(x, 4.0)
    assert type(both) is tuple
    np.testing.assert_array_equal(both[0], x)
    assert both[1] == 4.0
    assert bind(build([x], []), misses)(x) == ()


UNALIGNED = np.frombuffer(bytearray(41), np.uint8)[1:].view(np.float64)


@pytest.mark.parametrize(
    "other",
    [
        np.arange(4.0),
        np.arange(5.0).reshape(5, 1),
        np.arange(5, dtype=np.float32),
        np.arange(5, dtype=np.int64),
        np.arange(5.0).astype(">f8"),
        np.arange(10.0)[::2],
        np.arange(5.0)[::-1],
        UNALIGNED,
        np.ma.array(np.arange(5.0)),
        np.arange(5, dtype=np.longdouble),
        np.array(["a"] * 5),
        [0.0] * 5,
        1.0,
        None,
    ],
    ids=lambda x: f"{type(x).__name__}",
)
def test_another_array_falls_back(build: Build, other: Any) -> None:
    f = bind(build([np.arange(5.0)], [np.arange(5.0)]), misses)
    with pytest.raises(Missed) as missed:
        f(other)
    assert missed.value.args[0][0] is other


def test_strides_of_an_axis_of_length_one_and_read_only_arrays_do_not_matter(build: Build) -> None:
    known = np.arange(12.0).reshape(3, 4).T[:, :1]
    same = np.arange(8.0).reshape(4, 2)[:, :1].copy()
    f = bind(build([known], [np.empty((4, 1))]), misses)
    assert f(np.lib.stride_tricks.as_strided(same, (4, 1), (8, 999))).shape == (4, 1)
    x = np.arange(5.0)
    x.flags.writeable = False
    np.testing.assert_array_equal(bind(build([x], [np.arange(5.0)]), misses)(x), x)


@pytest.mark.parametrize(
    ("known", "other"),
    [
        (1.5, 1),
        (1.5, np.float64(1.5)),
        (np.float64(1.5), 1.5),
        (np.float64(1.5), np.array(1.5)),
        (np.array(1.5), np.float64(1.5)),
        (True, 1),
        (True, np.bool_(True)),
        (7, True),
        (7, 2**63),
        (7, -(2**63) - 1),
        (np.int64(7), 7),
        (1j, 1.0),
    ],
    ids=str,
)
def test_another_number_falls_back(build: Build, known: Any, other: Any) -> None:
    with pytest.raises(Missed):
        bind(build([known], [known]), misses)(other)


def test_too_few_too_many_and_named_arguments_fall_back(build: Build) -> None:
    x = np.arange(5.0)
    f = bind(build([x, x], [x]), lambda *args, **kwargs: (args, kwargs))
    assert f(x) == ((x,), {})
    assert f() == ((), {})
    assert f(x, x, x)[0][2] is x
    assert f(x, y=x)[1]["y"] is x
    assert f(x, x, out=3)[1] == {"out": 3}


def test_a_step_that_cannot_gives_the_call_to_the_fallback(build: Build) -> None:
    x = np.arange(5.0)
    f = bind(build([x], [x, x], ("gives", 1, 0)), lambda *args: ("eager", args[0] is x))
    assert f(x) == ("eager", True)


def test_an_exception_of_a_step_is_raised(build: Build) -> None:
    x = np.arange(5.0)
    f = bind(build([x], [x], ("gives", 2, id(ZeroDivisionError))), misses)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            f(x)


def test_references_stay_right_on_every_path(build: Build) -> None:
    """Counts of all objects concerned before and after 10^4 calls that go right, miss and raise."""
    x, number = np.arange(50.0), np.float64(1e9)
    good = bind(build([x, number], [x, number]), misses)
    eager = bind(build([x, number], [x, number], ("gives", 1, 0)), lambda *args: None)
    wrong = bind(build([x], [x], ("gives", 2, id(KeyError))), misses)
    watched = [x, number, x.dtype, np.ndarray, number.dtype, KeyError, good, eager, wrong]

    def calls() -> None:
        for _ in range(10_000):
            good(x, number)
            eager(x, number)
            eager(x)
            with contextlib.suppress(KeyError):
                wrong(x)

    calls()
    before = [sys.getrefcount(one) for one in watched]
    calls()
    assert [sys.getrefcount(one) for one in watched] == before


def test_memory_stays_flat(build: Build) -> None:
    x = np.zeros(10_000)
    f = bind(build([x], [x, x]), misses)
    f(x)
    gc.collect()
    tracemalloc = pytest.importorskip("tracemalloc")
    tracemalloc.start()
    try:
        f(x)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            f(x)
        assert tracemalloc.get_traced_memory()[0] - before < 1000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("long", [False, True])
def test_several_threads_at_once(build: Build, long: bool) -> None:
    values = [np.full(20_000, float(i)) for i in range(4)]
    f = bind(build([values[0], 1.0], [values[0], 1.0], long=long), misses)
    wrong: list[int] = []

    def work(i: int) -> None:
        for k in range(300):
            array, number = f(values[i], float(k))
            if number != k or array[0] != i or array[-1] != i:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


def test_a_call_within_a_call_has_memory_of_its_own(build: Build) -> None:
    x, depth, seen = np.arange(5.0), [0], []

    def inner() -> None:
        if depth[0] < 3:
            depth[0] += 1
            number = float(depth[0])
            seen.append(f(x, number)[1] == number)

    f = bind(build([x, 1.0], [x, 1.0], ("calls", id(inner), 0)), misses)
    assert f(x, 8.0)[1] == 8.0
    assert seen == [True] * 3


def test_it_dies_with_its_last_reference(build: Build) -> None:
    class Fallback:
        def __call__(self, *args: Any) -> None: ...

    import weakref

    x, fallback = np.arange(5.0), Fallback()
    f = bind(build([x], [x]), fallback)
    f(x)
    fallback.me = f  # type: ignore[attr-defined]
    gone = weakref.ref(fallback)
    del f, fallback
    gc.collect()
    assert gone() is None


def test_no_python_runs_in_a_call(build: Build) -> None:
    x = np.arange(5.0)
    f = bind(build([x, 1.5, np.float64(1)], [x, 1.5, np.float64(1)]), misses)
    f(x, 1.5, np.float64(1))
    frames: list[Any] = []
    sys.setprofile(lambda frame, event, arg: frames.append(event))
    try:
        f(x, 1.5, np.float64(1))
    finally:
        sys.setprofile(None)
    assert [event for event in frames if not event.startswith("c_")] == []
