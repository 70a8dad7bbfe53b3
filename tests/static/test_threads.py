"""Threads: shared steps, the same bits for any number, fork, exit, settings."""

import copy
import ctypes
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import DataError, DtypeError
from wengert.ops.blas import threads_address
from wengert.static import native, threads
from wengert.static.llvm.calls.tiles import ALIGNED, SHARED, tile_of
from wengert.static.llvm.objects import address_of
from wengert.static.llvm.runtime import pool
from wengert.static.llvm.runtime.execute import OPERANDS

NUMBERS = (1, 2, 3, 7)
STEP = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
rng = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def setting() -> Iterator[None]:
    """The setting, put back."""
    before = wg.get_num_threads()
    yield
    wg.set_num_threads(before)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code from the second call on."""
    monkeypatch.setattr(native, "SHARE", 0.0)


def blas_threads() -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int32)(threads_address("get"))()


# --- steps ----------------------------------------------------------------------------------------


def run_step(
    function: Callable[[int, int], int], extent: int, grain: int, count: int | None = None
) -> int:
    """The code of a step whose function is a Python function of the range."""
    called = STEP(lambda frame, step, low, high: function(low, high))
    address = ctypes.cast(called, ctypes.c_void_p).value
    return execute(struct.pack("6q", address, OPERANDS, 0, extent, grain, 0), count)


def execute(steps: bytes, count: int | None) -> int:
    frame = struct.pack("q", threads.record(count))
    run = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p, ctypes.c_char_p)(
        address_of("runtime:execute")
    )
    return run(frame, steps)


@pytest.mark.parametrize("count", NUMBERS)
@pytest.mark.parametrize(
    ("extent", "grain"), [(1000, 1), (997, 10), (64, 32), (3, 1), (100_000, 7)]
)
def test_the_pieces_of_a_step_are_its_range(extent, grain, count):
    pieces: list[tuple[int, int]] = []
    assert run_step(lambda low, high: pieces.append((low, high)) or 0, extent, grain, count) == 0
    ends = sorted(pieces)
    assert (ends[0][0], ends[-1][1]) == (0, extent)
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    assert len(ends) <= 1 + (count > 1) * (pool.PIECES + 1) * count


@pytest.mark.parametrize("count", NUMBERS)
def test_as_many_threads_take_part_as_there_may_be(count):
    seen: set[int] = set()

    def piece(low: int, high: int) -> int:
        seen.add(threading.get_ident())
        time.sleep(0.01)
        return 0

    for _ in range(20):
        run_step(piece, 64, 1, count)
        assert len(seen) <= count
        if len(seen) == count:
            return
    pytest.fail(f"{len(seen)} threads of {count}")


def test_a_step_that_is_too_small_is_not_shared():
    pieces: list[tuple[int, int]] = []
    run_step(lambda low, high: pieces.append((low, high)) or 0, 63, 32, 7)
    run_step(lambda low, high: pieces.append((low, high)) or 0, 1000, 0, 7)
    assert pieces == [(0, 63), (0, 1000)]


@pytest.mark.parametrize("count", NUMBERS)
def test_the_highest_code_wins(count):
    for codes in ({5: 1}, {5: 2, 9: 1}, {0: 1, 63: 2}, {}):
        highest = max(codes.values(), default=0)
        got = run_step(
            lambda low, high, codes=codes: max(codes.get(i, 0) for i in range(low, high)),
            *(64, 1, count),
        )
        assert got == highest


def test_a_step_inside_a_shared_step_is_done_alone():
    inside: list[tuple[int, int]] = []

    def piece(low: int, high: int) -> int:
        return run_step(lambda low, high: inside.append((low, high)) or 0, 50, 1, 3)

    outside = []
    assert run_step(lambda low, high: outside.append(low) or piece(low, high), 64, 1, 3) == 0
    assert inside == [(0, 50)] * len(outside)


def test_steps_of_several_python_threads_at_once():
    totals = []

    def caller(number: int) -> None:
        total = 0
        lock = threading.Lock()

        def piece(low: int, high: int) -> int:
            nonlocal total
            with lock:
                total += sum(range(low, high)) * number
            return 0

        for _ in range(50):
            run_step(piece, 500, 1, 4)
        totals.append((number, total))

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(1, 6)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert sorted(totals) == [(n, 50 * n * sum(range(500))) for n in range(1, 6)]


def test_blas_is_held_at_one_thread_and_put_back():
    set_threads = ctypes.CFUNCTYPE(None, ctypes.c_int32)(threads_address("set"))
    before, seen = blas_threads(), []
    called = STEP(lambda frame, step, low, high: seen.append(blas_threads()) or 0)
    address = ctypes.cast(called, ctypes.c_void_p).value
    inner = ctypes.create_string_buffer(struct.pack("6q", address, OPERANDS, 0, 8, 1, 0))
    function = address_of("runtime:on_one_thread")
    at = ctypes.addressof(inner)
    both = struct.pack("6q", function, OPERANDS + 8, 0, 1, 0, at) * 2 + bytes(8)
    try:
        for number in (2, 1):
            set_threads(number)
            seen.clear()
            assert execute(both, 2) == 0
            assert set(seen) == {1}
            assert len(seen) >= 4
            assert blas_threads() == number
    finally:
        set_threads(before)


# --- compiled programs ----------------------------------------------------------------------------


def chain(x, y):
    return np.tanh(x * y) * np.exp(-x * x) + 3 / (1 + y * y)


def rows(x, y):
    z = x.reshape(-1, 1000) * y.reshape(-1, 1000)
    return np.sum(z, axis=1), np.max(z, axis=1), np.sum(z, axis=0), np.sum(z)


def bent(z):
    return np.tanh(z / 30) * 2 + z


def step(w, v, x, target):
    def loss(w, v):
        hidden = np.maximum(x @ w, 0)
        out = hidden @ v
        return np.mean((out - target) ** 2)

    value, (gw, gv) = wg.value_and_grad(loss, argnums=(0, 1))(w, v)
    return value, w - 0.1 * gw, v - 0.1 * gv


def matrices(*shapes: tuple[int, ...], dtype: Any) -> list[Any]:
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


CASES = {
    "chain": (chain, [(300_000,), (300_000,)]),
    "transposed": (lambda x, y: (x.T * y + 1).T, [(300, 500), (500, 300)]),
    "rows": (rows, [(400_000,), (400_000,)]),
    "product": (lambda x, y: bent(x @ y), [(257, 301), (301, 129)]),
    "turned": (lambda x, y: bent(x.T @ y.T).T, [(784, 128), (100, 784)]),
    "stack": (lambda x, y: bent(x @ y), [(5, 1, 70, 90), (3, 90, 40)]),
    "vector": (lambda x, y: bent(x @ y), [(700, 900), (900,)]),
    "dot": (lambda x, y: bent(x @ y), [(30_000,), (30_000,)]),
    "step": (step, [(200, 300), (300, 70), (128, 200), (128, 70)]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_the_same_for_any_number_of_threads(name, dtype, at_once):
    function, shapes = CASES[name]
    values = matrices(*shapes, dtype=dtype)
    compiled = wg.compile(function, strict_capture=True)
    for _ in range(4):
        compiled(*values)
    assert "machine code" in str(compiled.explain())
    want, close = None, function(*values)
    for number in NUMBERS:
        wg.set_num_threads(number)
        own = wg.compile(function, strict_capture=True, threads=number)
        for _ in range(4):
            own(*values)
        for one in (compiled, own):
            got = one(*values)
            got = [np.asarray(x) for x in (got if isinstance(got, tuple) else (got,))]
            want = want or [x.tobytes() for x in got]
            assert [x.tobytes() for x in got] == want, number
    close = close if isinstance(close, tuple) else (close,)
    scale = 1e-4 if dtype is np.float32 else 1e-11
    for a, b in zip(got, close, strict=True):
        np.testing.assert_allclose(a, b, rtol=scale, atol=scale * np.max(np.abs(b)))


def test_many_python_threads_call_one_function(at_once):
    compiled = wg.compile(step, strict_capture=True)
    given = [matrices((200, 300), (300, 70), (128, 200), (128, 70), dtype=float) for _ in range(6)]
    for _ in range(4):
        wanted = [compiled(*values) for values in given]
    wrong = []

    def caller(number: int) -> None:
        for _ in range(30):
            got = compiled(*given[number])
            if not all(map(np.array_equal, got, wanted[number])):
                wrong.append(number)

    wg.set_num_threads(3)
    callers = [threading.Thread(target=caller, args=(number,)) for number in range(6)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert not wrong
    assert compiled.counts["eager"] == 0


def test_a_copy_and_a_method_have_the_number_of_the_function():
    class Model:
        @wg.compile(threads=3)
        def call(self, x):
            return x * x + 1

    assert Model().call.threads == 3
    assert copy.copy(wg.compile(chain, threads=2)).threads == 2
    assert wg.compile(chain).threads is None


@pytest.mark.parametrize("size", [4, 8])
def test_tiles_cover_a_product_and_follow_from_its_shape(size):
    counts = []
    for m, n, k in rng.integers(1, 1500, (300, 3)).tolist():
        tile = tile_of(m, n, k, size)
        across = sum(1 for _ in range(0, n, tile.columns))
        assert tile.number == across * sum(1 for _ in range(0, m, tile.rows))
        assert tile.rows == m or tile.rows % ALIGNED == 0
        assert tile.columns == n or tile.columns % ALIGNED == 0
        large = m * n * k * size // 4 >= SHARED and max(m, n) > ALIGNED
        assert (tile.number > 1) == large
        counts.append(tile.number)
    assert max(counts) >= 8


# --- processes ------------------------------------------------------------------------------------

PROGRAM = """
import ctypes, multiprocessing, os, sys, threading, time
import numpy as np
import wengert as wg
from wengert.static import native, threads
from wengert.static.llvm.runtime import pool
native.SHARE = 0.0

def started():
    if threads._pool is None:
        return 0
    return ctypes.c_int64.from_address(threads._pool.address + pool.STARTED).value

def work(x, w):
    return np.exp(-x @ w) * 2 + 1

def ready(**options):
    function = wg.compile(work, strict_capture=True, **options)
    for _ in range(4):
        function(x, w)
    return function

x, w = np.random.default_rng(0).standard_normal((2, 400, 400))
"""


def in_process(code: str, **environment: str) -> str:
    """What a program prints that begins as ``PROGRAM``; it must end well, and in time."""
    variables = {k: v for k, v in os.environ.items() if k != threads.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + code],
        env=variables | {"OPENBLAS_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout


def test_a_function_may_have_a_number_of_its_own():
    code = """
wg.set_num_threads(7)
ready(threads=1); print(started())
function = ready(threads=3); print(started())
wg.set_num_threads(1)
copied = ready(); print(started())
wg.set_num_threads(5)
copied(x, w); print(started())
"""
    assert in_process(code).split() == ["0", "2", "2", "4"]


def test_forked_processes_call_compiled_functions():
    code = """
def check(number):
    return np.array_equal(function(x + number, w), wanted[number]), started(), os.getpid()

wg.set_num_threads(3)
function = ready()
wanted = [function(x + number, w) for number in range(8)]
assert started() == 2
with multiprocessing.get_context("fork").Pool(2) as children:
    for _ in range(3):
        found = children.map_async(check, range(8))
        assert all(check(number)[0] for number in range(8))
        assert all(good and count == 2 for good, count, _ in found.get(60))
print(len({pid for *_, pid in found.get()} | {os.getpid()}) > 1)
"""
    assert in_process(code).split() == ["True"]


def test_a_process_that_is_forked_while_another_thread_runs_a_program():
    """Without products: a lock of OpenBLAS's own, which a thread holds while the process is forked,
    is held for ever in the child, whoever called it.
    """
    code = """
def work(x, w):
    return np.exp(-x * w) * 2 + 1

wg.set_num_threads(2)
function = ready()
wanted = function(x, w)
ended = False

def others():
    while not ended:
        function(x, w)

other = threading.Thread(target=others)
other.start()
for _ in range(40):
    time.sleep(0.001)
    child = os.fork()
    if child == 0:
        good = np.array_equal(function(x, w), wanted) and started() == 1
        os._exit(0 if good else 3)
    assert os.waitpid(child, 0)[1] == 0
ended = True
other.join()
print("good")
"""
    assert in_process(code).split() == ["good"]


def test_the_interpreter_ends_while_threads_are_at_work():
    code = """
import atexit
for _ in range(2):  # before the pool is there, so after it has ended, and the other way round
    atexit.register(lambda: print(np.array_equal(function(x, w), wanted), started()))
    wg.set_num_threads(4)
    function = ready()
wanted = function(x, w)

def others():
    while True:
        function(x, w)

for _ in range(2):
    threading.Thread(target=others, daemon=True).start()
time.sleep(0.05)
"""
    assert in_process(code).splitlines() == ["True 3", "True 0"]


# --- settings -------------------------------------------------------------------------------------


def first_number(before: str = "", **environment: str) -> str:
    """What a new process has as its number of threads, and says of it."""
    code = "import wengert; print(wengert.get_num_threads())"
    variables = {k: v for k, v in os.environ.items() if k != threads.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", before + code],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def test_the_environment_says_how_many_threads_there_are():
    assert first_number(WENGERT_NUM_THREADS="3") == "3\n"
    processors = min(len(os.sched_getaffinity(0)), threads.MOST)
    assert first_number() == f"{processors}\n"
    assert first_number("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});") == (
        "1\n"
    )


@pytest.mark.parametrize("bad", ["0", "65", "two", "-1", "1.5"])
def test_an_environment_that_is_wrong_is_told(bad):
    told = first_number(WENGERT_NUM_THREADS=bad)
    assert f"WENGERT_NUM_THREADS is {bad!r}, expected a number from 1 to 64" in told


@pytest.mark.parametrize("bad", [0, -1, 65, 10**30])
def test_numbers_of_threads_out_of_range_are_refused(bad):
    with pytest.raises(DataError, match=f"set_num_threads: n is {bad}, expected an int from 1"):
        wg.set_num_threads(bad)
    with pytest.raises(DataError, match=f"compile: threads is {bad}, expected an int from 1"):
        wg.compile(chain, threads=bad)


@pytest.mark.parametrize("bad", [2.0, True, "2", None, [2]])
def test_numbers_of_threads_that_are_no_int_are_refused(bad):
    before = wg.get_num_threads()
    with pytest.raises(DtypeError, match="set_num_threads: n is"):
        wg.set_num_threads(bad)
    assert wg.get_num_threads() == before
    if bad is not None:
        with pytest.raises(DtypeError, match="compile: threads is"):
            wg.compile(threads=bad)
