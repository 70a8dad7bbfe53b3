"""The generated function of a program does what ``Program.run`` does; and memory as records say."""

from __future__ import annotations

import gc
import time
import warnings
import weakref
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

import wengert as wg
import wengert.nn
import wengert.ops
import wengert.scipy.special
from primitives.cases import DISCRETE, INEXACT, drawn
from semantics.programs import PROGRAMS
from wengert.core import execute
from wengert.core.aval import Aval, aval_of
from wengert.core.errors import ProgramError, ShapeError
from wengert.core.execute import executable, source
from wengert.core.primitive import REGISTRY
from wengert.core.program import Equation, Literal, Program, Var
from wengert.core.storage import Storage
from wengert.differentiate.record import program_of, transcribe
from wengert.ops import arithmetic as ar
from wengert.ops import exponential
from wengert.ops.indexing import getitem
from wengert.ops.products import matmul
from wengert.ops.shape import reshape
from wengert.ops.sorting import unique_positions
from wengert.static.passes import reuse_buffers
from wengert.static.passes.layout import RULES, C, Layouts

from .drawn import alike, draw

for module in iter_modules(wengert.ops.__path__):
    import_module(f"wengert.ops.{module.name}")

X = np.array([1.0, 2.0, 3.0])


def check(program, args):
    want = program.run(*args)
    got = executable(program)(*args)
    assert type(got) is tuple
    for a, b in zip(got, want, strict=True):
        assert alike(a, b), f"{a!r}, not {b!r}\n{source(program)}"


# --- the same as run ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_semantics_programs(name):
    given = PROGRAMS[name]
    try:
        with np.errstate(all="ignore"):
            program = transcribe(given.function, given.arguments).program
    except wg.errors.WengertError:
        return  # refused when it is recorded
    check(program, list(given.arguments))
    check(reuse_buffers(program), list(given.arguments))


@pytest.mark.fuzz
def test_in_one_function_and_in_many(seeds, monkeypatch):
    for seed in seeds:
        program, args = draw(seed)
        check(program, args)
        for part in (1, 3):
            monkeypatch.setattr(execute, "PART", part)
            check(Program(*(getattr(program, k) for k in program.__dataclass_fields__)), args)
            check(reuse_buffers(program), args)


def test_weak_and_strong_scalars():
    program = program_of(lambda a: (a * a, np.multiply(a, a), np.multiply(a, a) * np.float32(2)))(
        2.0
    )
    got = executable(program)(3.0)
    assert [type(y) for y in got] == [float, np.float64, np.float64]
    check(program, [3.0])
    single = program_of(lambda x, a: x * (a * 2))(np.float32([1, 2]), 2.0)
    assert executable(single)(np.float32([1, 2]), 3.0)[0].dtype == np.float32


@pytest.mark.parametrize(
    "number",
    [0.0, -0.0, -1.5, 1e300, np.inf, -np.inf, np.nan, 3, -3, True, 1j, -0j, np.float32(-2)],
)
def test_literals_are_what_they_were(number):
    x, y, z = Var(Aval((3,))), Var(Aval((3,))), Var(Aval((3,)))
    dtype = np.result_type(X, number)
    y, z = Var(Aval((3,), dtype)), Var(Aval((3,), dtype))
    eqns = (
        Equation(ar.multiply, (Literal(number), x), (y,), {}),
        Equation(ar.power, (Literal(number), x), (z,), {}),
    )
    check(Program((x,), eqns, (y, z, Literal(number))), [X])


def test_outputs_of_every_kind():
    c = np.ones(2)
    check(program_of(lambda x: ())(X), [X])
    check(program_of(lambda x: x)(X), [X])
    check(program_of(lambda x: (x, x, 3.0, c, x + 1))(X), [X])
    result = executable(program_of(lambda x: (x, x[:]))(X))(X)
    assert result[0] is X
    assert np.shares_memory(result[1], X)


def test_several_outputs_and_unread_ones():
    x = np.array([3.0, 1.0, 3.0])
    program = program_of(lambda x: np.unique(x, return_inverse=True, return_counts=True))(x)
    assert any(eqn.primitive is unique_positions for eqn in program.equations)
    check(program, [x])
    program = program_of(lambda x: np.nonzero(x)[0])(x)
    check(program, [x])
    f = wg.custom_jvp(lambda x: (x * 2, x * 3, x * 4))
    f.defjvp(lambda p, t: (f(*p), tuple(t[0] * k for k in (2, 3, 4))))
    check(program_of(lambda x: f(x)[1])(x), [x])
    check(program_of(lambda x: (np.sin(x), x + 1)[1])(x), [x])


def test_no_warnings_and_the_users_setting_stays():
    program = program_of(lambda x: np.log(x) / x)(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(divide="raise"):
            assert (executable(program)(np.zeros(3))[0] == -np.inf).all()
            with pytest.raises(FloatingPointError):
                np.divide(1.0, 0.0)
            with pytest.raises(ShapeError):
                executable(program_of(lambda x, y: x + y)(X, X))(X, X[:2])
            with pytest.raises(FloatingPointError):
                np.divide(1.0, 0.0)


def test_values_are_dropped_after_their_last_use():
    alive = []

    @wg.custom_vjp
    def look(x):
        gc.collect()
        alive.append(sum(ref() is not None for ref in seen))
        seen.append(weakref.ref(x))
        return x * 2

    look.defvjp(lambda x: (look(x), None), lambda _, gy: (gy,))
    seen = []

    def f(x):
        for _ in range(5):
            x = look(np.sin(x))
        return x

    program = program_of(f)(X)
    for run in (executable(program), program.run):
        seen, alive = [], []
        run(X)
        assert alive == [0] * 5


def test_made_once_and_kept_with_the_program():
    program = program_of(lambda x: x + 1)(X)
    assert executable(program) is executable(program)
    ref = weakref.ref(program)
    made = executable(program)
    del program
    gc.collect()
    assert ref() is None
    assert (made(X)[0] == X + 1).all()


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_names_the_operation_and_its_line():
    def f(x, y):
        z = x * 2
        return np.exp(z) @ y

    program = program_of(f)(X, X)
    for run in (executable(program), executable(reuse_buffers(program))):
        with pytest.raises(ShapeError, match=r"matmul\(float64\[3\], float64\[2\]\)") as caught:
            run(X, X[:2])
        assert f"recorded at {__file__}" in caught.value.__notes__[0]
        assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_in_a_part_of_a_large_program(monkeypatch):
    monkeypatch.setattr(execute, "PART", 2)
    program = program_of(lambda x, y: np.sin(np.exp(x) + 1) * 2 @ y + x)(X, X)
    with pytest.raises(ShapeError, match=r"matmul\(float64\[3\], float64\[2\]\)"):
        executable(program)(X, X[:2])


def test_an_error_of_the_users_is_his_own():
    @wg.custom_vjp
    def f(x):
        if np.all(x == 0):
            raise KeyError("mine")
        return int("x") if np.all(x == 7) else x * 2

    f.defvjp(lambda x: (f(x), None), lambda _, gy: (gy,))
    program = program_of(lambda x: f(x + 0))(X)
    with pytest.raises(KeyError, match="mine"):
        executable(program)(np.zeros(3))
    with pytest.raises(ValueError, match="invalid literal") as caught:
        executable(program)(np.full(3, 7.0))
    assert not isinstance(caught.value, wg.errors.WengertError)


def test_handles_among_the_constants_are_refused():
    programs = []

    def f(w):
        programs.append(program_of(lambda x: x * w)(X))
        return np.sum(programs[0].run(X)[0])

    wg.grad(f)(2.0 * X)
    with pytest.raises(ProgramError, match="handle"):
        executable(programs[0])


# --- size and speed -------------------------------------------------------------------------------


def test_a_hundred_thousand_equations():
    x = Var(Aval((3,)))
    last, first, eqns = x, None, []
    for k in range(100_000):
        var = Var(Aval((3,)))
        inputs = (last, first if first is not None and k % 7 == 0 else Literal(0.5))
        eqns.append(Equation(ar.add if k % 2 else ar.multiply, inputs, (var,), {}))
        first = first or var
        last = var
    program = Program((x,), tuple(eqns), (last, first))
    start = time.perf_counter()
    run = executable(program)
    assert time.perf_counter() - start < 20  # about 3 s on an idle core
    for a, b in zip(run(X), program.run(X), strict=True):
        assert alike(a, b)


def test_operators_are_written_as_operators():
    program = program_of(lambda a, b: -(a + b) * np.sin(a) ** 2)(X, X)
    assert [line.strip() for line in source(program).splitlines()[3:8]] == [
        "v2 = v1 + v2",
        "v2 = -v2",
        "v1 = sin_0(v1)",
        "v1 = v1 ** 2",
        "v2 = v2 * v1",
    ]


# --- what the records say of memory ---------------------------------------------------------------

FRESH = [p for _, p in sorted(REGISTRY.items()) if p.fresh]


@pytest.mark.parametrize("primitive", FRESH, ids=lambda p: p.name)
def test_fresh_results_share_no_memory(primitive):
    for case in drawn(primitive, *INEXACT, *DISCRETE):
        try:
            with np.errstate(all="ignore"):
                result = primitive.value(*case.args, **case.params)
        except (TypeError, ValueError, wg.errors.WengertError):
            continue  # not for this dtype
        for arg in case.args:
            assert not np.may_share_memory(result, arg), (primitive, case)


ORDERED = [p for _, p in sorted(REGISTRY.items()) if p.family == "elementwise" or p in RULES]


@pytest.mark.parametrize("primitive", ORDERED, ids=lambda p: p.name)
def test_layouts_are_as_foretold(primitive):
    """What is marked C is contiguous; what is marked like a copy has a copy's strides."""
    for case in drawn(primitive, *INEXACT, *DISCRETE):
        try:
            with np.errstate(all="ignore"):
                result = primitive.value(*case.args, **case.params)
        except (TypeError, ValueError, wg.errors.WengertError):
            continue
        atoms = [Var(aval_of(x)) if isinstance(x, np.ndarray) else Literal(x) for x in case.args]
        constants = {a: x for a, x in zip(atoms, case.args, strict=True) if isinstance(a, Var)}
        made = Var(aval_of(result))
        copies = {Var(var.aval): x.copy("K") for var, x in constants.items() if x.ndim}
        eqns = [Equation(primitive, tuple(atoms), (made,), case.params)] + [
            Equation(ar.copy, (var,), (other,), {"order": "K"})
            for var, other in zip((v for v, x in constants.items() if x.ndim), copies, strict=True)
        ]
        layouts = Layouts(Program((), tuple(eqns), (made,), constants))
        if layouts.marks[made] is C and isinstance(result, np.ndarray):
            assert result.flags.c_contiguous, case
        for other, copied in copies.items():
            if layouts.same(made, other) and copied.shape == np.shape(result) and copied.size:
                long = [k for k, n in enumerate(copied.shape) if n > 1]
                steps = [
                    [x.strides[k] // x.itemsize for k in long] for x in (np.asarray(result), copied)
                ]
                assert steps[0] == steps[1], case


def test_what_gives_views_does_not_say_fresh():
    assert not any(p.fresh for p in (reshape, getitem, ar.real, ar.imag, ar.stop_gradient))
    assert all(p.fresh for p in (matmul, ar.add, exponential.exp))


def test_groups_of_memory():
    x, y = X.reshape(1, 3), np.ones((3, 1))
    program = program_of(lambda x, y: ((x * 2).T, x[:, 1:], np.exp(y)))(x, y)
    storage = Storage(program)
    double, turned, part, exp = (eqn.outputs[0] for eqn in program.equations)
    assert storage.group(double) is storage.group(turned)
    assert storage.group(part) is storage.group(program.inputs[0])
    assert storage.escapes(double)
    assert storage.escapes(program.inputs[0])
    assert not storage.escapes(program.inputs[1])
    assert not any(map(storage.owned, (double, exp, part, *program.inputs)))
    inner = program_of(lambda x: np.exp(np.sin(x)))(x)
    assert Storage(inner).owned(inner.equations[0].outputs[0])
