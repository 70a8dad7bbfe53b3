"""Kernels as CPython sees them: arguments checked, references counted, threads, memory, errors."""

import gc
import sys
import threading

import numpy as np
import pytest

import wengert as wg
from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static import building, native
from wengert.static.llvm import machine, objects
from wengert.static.llvm.native_program import Draft
from wengert.static.llvm.scalars import NotLowered

from ..passes.drawn import alike, draw
from .build import draft_of, make_kernels, plan_of, same

RNG = np.random.default_rng(0)


class Made:
    """The kernel of a function for some arguments; ``fallen`` counts calls that NumPy ran."""

    def __init__(self, function, *values, strict=True):
        self.fallen = 0
        self.program = program_of(function)(*values)
        self.numpy = executable(self.program)
        draft, _ = draft_of(self.program, values, strict)
        (self.call,) = make_kernels([draft], [self.fall])

    def fall(self, *values):
        self.fallen += 1
        results = self.numpy(*values)
        return results[0] if len(results) == 1 else results

    def check(self, *values, native=True):
        before = self.fallen
        got, want = self.call(*values), self.numpy(*values)
        got = (got,) if len(want) == 1 else got
        assert all(map(same, got, want)), (got, want)
        assert (self.fallen == before) is native


def test_what_a_kernel_was_made_for_runs_in_it_and_everything_else_in_numpy():
    x, y = RNG.standard_normal((2, 4, 6))
    made = Made(lambda x, y: (x * y + x, x > y), x, y)
    made.check(x, y)
    made.check(y, y)
    made.check(x[:, ::-1], y, native=False)
    made.check(np.asfortranarray(x), y, native=False)
    made.check(x.astype("f4"), y, native=False)
    made.check(x.astype(">f8"), y, native=False)
    made.check(x[:2], y[:2], native=False)
    made.check(x[0], y[0], native=False)
    made.check(1.5, y, native=False)
    made.check(x.view(Sub), y, native=False)
    odd = np.empty(8 * 24 + 1, np.uint8)[1:].view("f8").reshape(4, 6)
    odd[...] = x
    made.check(odd, y, native=False)


class Sub(np.ndarray):
    pass


def test_arrays_that_can_not_be_written_are_read_and_stay_as_they_are():
    x = RNG.standard_normal(50)
    x.flags.writeable = False
    before = x.copy()
    made = Made(lambda x: x * x - 1, x)
    made.check(x)
    assert np.array_equal(x, before)
    assert made.call(x).flags.writeable


@pytest.mark.parametrize("length", [*range(20), 31, 63, 64, 65, 127, 1000, 4097])
def test_every_length(length):
    x = RNG.standard_normal(length).astype("f4")
    Made(lambda x: np.maximum(x * 3 - 1, 0) / 7, x).check(x)


def test_layouts_of_results_are_numpys():
    x = RNG.standard_normal((3, 4, 5))
    for look in (np.asfortranarray, lambda x: x.transpose(1, 2, 0), lambda x: x[::-1, :, ::2]):
        for other in (x[..., :3].copy(), x[:1, :1, :1]):
            a = look(x)
            b = other if other.shape == (1, 1, 1) else np.broadcast_to(x[0, 0, :1], a.shape)
            Made(lambda a, b: (a * b, a + 1.0), a, b).check(a, b)


def test_views_are_read_through():
    def look(x, b):
        return x.T[2:6, ::2] * np.reshape(x, (2, 24))[1, 3:6] + b[3]

    x, b = RNG.standard_normal((6, 8)), RNG.standard_normal(8)
    program = program_of(look)(x, b)
    (group,) = plan_of(program).groups
    values = [(x, b)[program.inputs.index(var)] for var in group.inner.inputs]
    numpy = executable(group.inner)
    (call,) = make_kernels([draft_of(group.inner, values, True)[0]], [None])
    assert len(group.inner.equations) >= 6
    assert same(call(*values), numpy(*values)[0])


def test_numbers_are_numbers_of_the_same_type():
    for x, y in [(np.float64(2), 3.0), (np.float32(2), 3.0), (np.int16(2), 3), (3.0, np.int8(5))]:
        made = Made(lambda x, y: (x * y, x + y, x < y, -x), x, y)
        made.check(x, y)
        made.check(np.array(x) if isinstance(x, np.generic) else x, y, native=type(x) is float)


def test_pythons_numbers():
    made = Made(lambda x, y: (x * y - x, x / y, x < y, -x), 2.0, 3.0)
    made.check(2.0, 3.0)
    made.check(2.0, np.inf)
    made.check(np.float64(2.0), 3.0, native=False)
    with pytest.raises(ZeroDivisionError):
        made.call(2.0, 0.0)
    x = np.arange(5, dtype=np.uint8)
    made = Made(lambda x, n: x * n, x, 3)
    made.check(x, 255)
    with pytest.raises(OverflowError):
        made.call(x, 256)
    with pytest.raises(OverflowError):
        made.call(x, 2**70)
    assert made.fallen == 2


def test_a_cast_that_c_leaves_open_is_numpys():
    x = np.array([1.5, -2.5, 3.0])
    made = Made(lambda x: (x * 2).astype(np.int32), x)
    made.check(x)
    for odd in (np.nan, np.inf, 1e10):
        with np.errstate(invalid="ignore"):
            made.check(np.array([1.0, odd, 2.0]), native=False)


def test_wrong_numbers_of_arguments_are_pythons_to_refuse():
    made = Made(lambda x, y: x * y, np.ones(3), np.ones(3))
    with pytest.raises(TypeError, match="argument"):
        made.call(np.ones(3))
    with pytest.raises(TypeError):
        made.call(np.ones(3), y=np.ones(3))


def test_references_are_counted_right_on_every_path():
    x, y = np.ones(40), np.ones(40)
    made = Made(lambda x, y, s: (x * y + s, x > y, s * 2.0, s * s), x, y, np.float64(2))
    flagged = Made(lambda x, s: (x.astype(np.int64), s * 2), x, np.float32(2))
    two, three, nan = np.float64(2), np.float32(3), np.full(40, np.nan)
    watched = [x, y, two, three, nan, np.dtype("f8"), np.dtype(bool), np.float64, np.ndarray]
    watched += [np.dtype("i8"), True, made.fall]

    def use():
        for _ in range(2000):
            made.call(x, y, two)
            flagged.call(x, three)
        for _ in range(50):
            made.call(y, y, 3.0)
            flagged.call(nan, three)

    with np.errstate(all="ignore"):
        use()
        gc.collect()
        before = [sys.getrefcount(one) for one in watched], sys.getallocatedblocks()
        for _ in range(25):
            use()
        gc.collect()
        after = [sys.getrefcount(one) for one in watched], sys.getallocatedblocks()
    assert after[0] == before[0]
    assert after[1] - before[1] < 200


def test_a_kernel_keeps_what_it_needs_alive_and_nothing_after_it():
    x = RNG.standard_normal(9)
    made = Made(lambda x: x * 3.25 + 11.5, x)
    gc.collect()
    call, known = made.call, len(machine.KNOWN)
    del made
    gc.collect()
    assert np.array_equal(call(x), x * 3.25 + 11.5)
    del call
    gc.collect()
    assert len(machine.KNOWN) == known - 1


def test_equal_kernels_are_compiled_once(monkeypatch):
    x = RNG.standard_normal(11)
    first = Made(lambda x: x * 0.75 - 2.0, x)
    monkeypatch.setattr(machine, "generated", None)
    second = Made(lambda y: y * 0.75 - 2.0, x)
    second.check(x)
    first.check(x)


def test_threads():
    x = RNG.standard_normal((8, 60_000))
    made, wrong = Made(lambda x: x * x - 3 * x + 1, x[0]), []

    def work(one):
        want = made.numpy(one)[0]
        for _ in range(60):
            if not np.array_equal(made.call(one), want):
                wrong.append(one)

    threads = [threading.Thread(target=work, args=(one,)) for one in x]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not made.fallen


def test_no_memory_is_an_exception():
    big = np.broadcast_to(np.ones(1), (2**44,))
    program = program_of(lambda x: x * x + 1.0)(np.ones(3))
    (var,), (out,) = program.inputs, program.outputs
    for one in (var, out, *(o for eqn in program.equations for o in eqn.outputs)):
        one.aval = type(one.aval)(big.shape, one.aval.dtype)
    like = np.lib.stride_tricks.as_strided(np.ones(1), big.shape, (8,))
    made = dict.fromkeys((o for eqn in program.equations for o in eqn.outputs), like)
    (call,) = make_kernels([Draft(program, {var: big, **made})], [None])
    for _ in range(3):
        with pytest.raises(MemoryError):
            call(big)


def test_other_lengths_than_recorded_are_no_kernel():
    program = program_of(lambda x: x * x + 1)(np.ones(3))
    with pytest.raises(NotLowered, match="was recorded"):
        draft_of(program, [np.ones(1)], True)


def lies(value):
    """The strides, but for those that are never used."""
    pairs = zip(getattr(value, "shape", ()), getattr(value, "strides", ()), strict=True)
    return [stride for length, stride in pairs if length > 1 and value.size]


@pytest.mark.parametrize("block", range(6))
def test_random_programs_give_numpys_bits(block):
    for seed in range(40 * block, 40 * block + 40):
        program, values = draw(seed)
        with np.errstate(all="ignore"):
            want = executable(program)(*values)
            made = building.built(program, program, values, strict=True)
            first, run = made.results, made.run
            for got in (first, run(*values), run(*values)):
                assert all(map(alike, got, want)), (seed, str(program))
                assert [lies(one) for one in got] == [lies(one) for one in want], seed


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_with_polynomials(seed):
    program, values = draw(1000 + seed, special=False)
    with np.errstate(all="ignore"):
        want = executable(program)(*values)
        run = building.built(program, program, values, strict=False).run
        got = run(*values)
    for a, b in zip(got, want, strict=True):
        assert type(a) is type(b)
        scale = np.max(np.abs(b), initial=1, where=np.isfinite(b))
        single = np.result_type(b, *values) in (np.float32, np.complex64)
        tolerance = 1e-4 if single or any(v.dtype == np.float32 for v in values) else 1e-10
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def test_object_layouts_are_as_expected_here():
    assert objects.unsupported() == ""


# --- in compile -----------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(native, "SHARE", 0.0)


def chain(x, y):
    z = x * y + 1
    return np.tanh(z) - z / (y * y + 2)


def test_compile_makes_kernels_when_they_pay():
    x, y = RNG.standard_normal((2, 20_000))
    compiled, told = wg.compile(chain), set()
    for _ in range(200):
        np.testing.assert_allclose(compiled(x, y), chain(x, y), rtol=1e-12, atol=1e-13)
        told.update(line.strip() for line in str(compiled.explain()).splitlines())
    assert told >= {
        "NumPy runs all of it until machine code pays",
        "machine code: 1 kernel for 7 operations",
    }


def test_compile_without_native(at_once):
    x, y = RNG.standard_normal((2, 50))
    compiled = wg.compile(chain, native=False)
    for _ in range(5):
        assert np.array_equal(compiled(x, y), chain(x, y))
    assert "machine code" not in str(compiled.explain())
    assert not compiled.native


def test_without_llvmlite_numpy_runs_all_and_explain_says_so(at_once, monkeypatch):
    monkeypatch.setattr(native, "unsupported", lambda: "llvmlite is not installed")
    x, y = RNG.standard_normal((2, 50))
    compiled = wg.compile(chain)
    for _ in range(5):
        assert np.array_equal(compiled(x, y), chain(x, y))
    assert "NumPy runs all of it: llvmlite is not installed" in str(compiled.explain())


def test_strict_gives_eagers_bits(at_once):
    x, y = RNG.standard_normal((2, 333)).astype("f4")
    compiled = wg.compile(chain, strict=True)
    for _ in range(4):
        assert np.array_equal(compiled(x, y), chain(x, y))
    told = str(compiled.explain())
    assert "machine code: 1 kernel for 7 operations" in told


def test_what_a_call_changes_in_place_and_gives_as_views(at_once):
    def step(state, x):
        state["sum"] += x * 2 - 1
        scaled = state["sum"] * x + 1
        return scaled.reshape(2, -1), scaled[::2], scaled

    states = [{"sum": np.zeros(6)} for _ in range(2)]
    compiled = wg.compile(step)
    for number in range(6):
        x = np.arange(6.0) + number
        results = [run(state, x) for run, state in zip((step, compiled), states, strict=True)]
        for (a, b, c), state in zip(results, states, strict=True):
            assert np.shares_memory(a, c)
            assert np.shares_memory(b, c)
            assert not np.shares_memory(c, state["sum"])
        assert all(map(same, *results))
        assert np.array_equal(states[0]["sum"], states[1]["sum"])
    assert "machine code" in str(compiled.explain())


def test_gradients_and_branches(at_once):
    def loss(w, x):
        y = np.tanh(x @ w) * 2 + 1
        return np.sum(y * y) if w[0] > 0 else np.sum(y)

    step = wg.compile(wg.value_and_grad(loss))
    for number in range(10):
        w, x = RNG.standard_normal(4) * (-1) ** number, RNG.standard_normal((5, 4))
        got, want = step(w, x), wg.value_and_grad(loss)(w, x)
        np.testing.assert_allclose(got[0], want[0], rtol=1e-13)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-11)
    assert "machine code" in str(step.explain())


def test_shapes_that_follow_from_values(at_once):
    def picked(x):
        y = x[x > 0]
        return np.sum(y * 2 + y * y)

    compiled = wg.compile(picked)
    for length in (5, 5, 5, 4, 7, 0, 5):
        x = np.r_[np.arange(1.0, 1 + length), -np.ones(8 - length)]
        assert compiled(x) == pytest.approx(picked(x))


def test_threads_that_make_kernels_at_once(at_once):
    x, y = RNG.standard_normal((2, 3000))
    want = chain(x, y)
    for _ in range(5):
        compiled, wrong = wg.compile(chain), []
        compiled(x, y)

        def work(compiled=compiled, wrong=wrong):
            for _ in range(20):
                if not np.allclose(compiled(x, y), want, rtol=1e-12):
                    wrong.append(1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


def test_machine_code_at_once_when_that_is_asked_for():
    x, y = RNG.standard_normal((2, 30))
    compiled = wg.compile(chain, native="at once")
    for _ in range(3):
        np.testing.assert_allclose(compiled(x, y), chain(x, y), rtol=1e-12)
    assert "machine code: 1 kernel for 7 operations" in str(compiled.explain())


@pytest.mark.parametrize("native", ["now", 2, None])
def test_no_such_way_to_have_machine_code(native):
    with pytest.raises(wg.errors.DtypeError, match=r"native is .*, expected True, False or"):
        wg.compile(chain, native=native)
