"""Programs: recorded, printed, checked, run under every transformation; and ``linearize``."""

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest

import wengert as wg
from semantics.programs import PROGRAMS
from wengert.core.aval import Aval
from wengert.core.errors import DtypeError, EscapedValue, ProgramError, ShapeError
from wengert.core.program import Equation, Literal, Program, Var
from wengert.differentiate.record import program_of, transcribe
from wengert.differentiate.reverse import record
from wengert.differentiate.rules import LinearTape
from wengert.ops import arithmetic as ar

RNG = np.random.default_rng(0)
X = np.array([1.0, 2.0, 3.0])


def network(params, x):
    hidden = np.tanh(x @ params["w"] + params["b"])
    return np.sum(hidden**2), hidden


NETWORK = ({"b": RNG.standard_normal(4), "w": RNG.standard_normal((3, 4))}, np.ones((2, 3)))


def writes(x):
    y = np.zeros_like(x)
    y[1:] = x[:-1] * 2
    y[0] += x[2]
    tail = y[1:]
    tail *= 3.0
    return np.sum(y * y)


def real(p):
    """Whether the first argument of a program of the semantics suite is a real array."""
    return p.arguments[0].dtype.kind == "f"


# --- programs ------------------------------------------------------------------------------------


def test_print_shows_one_typed_line_an_equation():
    program = program_of(lambda x, w: np.sum((x[1:, 0] * 2.0) @ w))(np.ones((4, 3)), np.ones(3))
    assert str(program).splitlines() == [
        "program <lambda>",
        "  inputs     v1: float64[4, 3] (x1), v2: float64[3] (x2)",
        "  v3: float64[3] = v1[1:, 0]",
        "  v4: float64[3] = v3 * 2.0",
        *str(program).splitlines()[4:-1],
        f"  outputs    v{2 + len(program.equations)}",
    ]
    assert "(float64[4, 3], float64[3]) -> (float64[])" in repr(program)
    assert "v2: float64[3] = v1 * 2.0" in repr(program.equations[1])


def test_print_shows_writes_and_constants():
    text = str(program_of(writes)(X))
    assert "constants  c1: float64[3]" in text
    assert "c1 with [1:] = v" in text
    assert "donate" not in text


@pytest.mark.parametrize("name", PROGRAMS)
def test_recorded_programs_pass_their_check_and_give_the_value(name):
    p = PROGRAMS[name]
    before = [np.copy(argument) for argument in p.arguments]
    program = program_of(p.function)(*p.arguments).check()
    for _ in range(2):  # a run leaves neither constants nor inputs changed
        (y,) = program.run(*p.arguments[: len(program.inputs)])
        np.testing.assert_array_equal(y, p.function(*p.arguments))
    for old, new in zip(before, p.arguments, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_differentiates_as_its_function_does(name):
    p = PROGRAMS[name]
    program = program_of(p.function)(*p.arguments)
    x, rest = p.arguments[0], p.arguments[1 : len(program.inputs)]

    def replay(z):
        return program.run(z, *rest)[0]

    gradient = wg.grad(p.function)(*p.arguments)
    close = {"rtol": 1e-5 if x.dtype == np.float32 else 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(wg.grad(replay)(x), gradient, **close)
    dx = np.ones_like(x)
    slope = wg.jvp(lambda z: p.function(z, *p.arguments[1:]), (x,), (dx,))[1]
    np.testing.assert_allclose(wg.jvp(replay, (x,), (dx,))[1], slope, **close)


def test_a_program_runs_under_vmap_and_nested_transformations():
    program = program_of(writes)(X)
    batch = np.stack([X, X + 1, X * X])
    got = wg.vmap(lambda x: program.run(x)[0])(batch)
    np.testing.assert_allclose(got, [writes(x) for x in batch])
    hessian = wg.hessian(lambda x: program.run(x)[0])(X)
    np.testing.assert_allclose(hessian, wg.hessian(writes)(X))


def test_run_refuses_other_shapes_and_counts():
    program = program_of(writes)(X)
    with pytest.raises(ShapeError, match="got shape"):
        program.run(np.ones(4))
    with pytest.raises(ShapeError, match="got 2 values"):
        program.run(X, X)


def test_values_are_dropped_after_their_last_use():
    alive = []

    class Seen(np.ndarray):
        pass

    def value(x):
        y = np.add(x, 1.0).view(Seen)
        gc.collect(0)
        alive.append(weakref.ref(y))
        return y

    step = object.__new__(type(ar.positive))
    for name in ar.positive.__slots__:
        object.__setattr__(step, name, getattr(ar.positive, name))
    object.__setattr__(step, "value", value)
    variables = [Var(Aval((1000,))) for _ in range(6)]
    pairs = pairwise(variables)
    equations = tuple(Equation(step, (a,), (b,), {}) for a, b in pairs)
    program = Program((variables[0],), equations, (variables[-1],))
    (y,) = program.run(np.zeros(1000))
    assert y[0] == 5
    assert sum(ref() is not None for ref in alive) == 1
    assert [len(finished) for finished in program._finished] == [1] * 5


def test_check_names_what_is_wrong():
    a, b = Var(Aval((3,))), Var(Aval((3,)))
    good = Equation(ar.add, (a, Literal(1.0)), (b,), {})
    Program((a,), (good,), (b,)).check()
    with pytest.raises(ProgramError, match="read before it is defined"):
        Program((), (good,), (b,)).check()
    with pytest.raises(ProgramError, match="defined twice"):
        Program((a,), (good, good), (b,)).check()
    with pytest.raises(ProgramError, match="outputs: v1 is read before"):
        Program((), (), (a,)).check()
    wrong = Equation(ar.add, (a, a), (Var(Aval((4,))),), {})
    with pytest.raises(ProgramError, match=r"the output is float64\[4\], the rule gives"):
        Program((a,), (wrong,), ()).check()
    with pytest.raises(ProgramError, match=r"c1 is float64\[2\]"):
        Program((), (), (), {a: np.ones(2)}).check()


def test_plain_buffers_that_the_function_changes_are_recorded_as_they_were():
    def f(x):
        buffer, total = np.zeros(3), 0.0
        for i in range(3):
            buffer[:] = i
            total = total + np.sum(x * buffer)
        return total

    program = program_of(f)(X)
    assert program.run(X)[0] == f(X) == 18.0


def test_weak_scalars_are_recorded_with_the_dtype_that_numpy_gives_them():
    def f(a, x):
        return np.multiply(a, 2.0) * x, (a * 2.0) * x

    x = np.ones(2, np.float32)
    program = program_of(f)(3.0, x).check()
    assert [atom.aval.dtype for atom in program.outputs] == [np.float64, np.float32]
    for got, want in zip(program.run(3.0, x), f(3.0, x), strict=True):
        assert got.dtype == want.dtype


def test_equations_know_their_source_line():
    program = program_of(writes)(X)
    first = writes.__code__.co_firstlineno
    lines = [int(eqn.source.rpartition(":")[2]) - first for eqn in program.equations]
    assert lines == sorted(lines)
    assert {2, 3, 5, 6} <= set(lines)
    assert all(eqn.source.startswith(__file__) for eqn in program.equations)


def test_recorded_values_may_not_escape():
    kept = []
    program_of(lambda x: kept.append(x * 2) or x)(X)
    with pytest.raises(EscapedValue, match="program_of"):
        kept[0] + 1


def test_transcripts_hold_results_in_their_structure():
    transcript = transcribe(network, NETWORK)
    loss, hidden = transcript.result
    assert type(loss) is np.float64
    assert type(hidden) is np.ndarray
    assert len(transcript.program.inputs) == 3
    np.testing.assert_array_equal(hidden, network(*NETWORK)[1])


# --- linearize -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, p in PROGRAMS.items() if real(p)])
def test_linearize_equals_jvp_and_replays_linear_operations_only(name):
    p = PROGRAMS[name]
    x, rest = p.arguments[0], p.arguments[1:]

    def f(z):
        return p.function(z, *rest)

    y, jvp_fn = wg.linearize(f, x)
    np.testing.assert_array_equal(y, f(x))
    tolerance = 1e-5 if x.dtype == np.float32 else 1e-12
    for seed in range(3):
        dx = np.random.default_rng(seed).standard_normal(x.shape).astype(x.dtype)
        want = wg.jvp(f, (x,), (dx,))[1]
        np.testing.assert_allclose(jvp_fn(dx), want, rtol=tolerance, atol=tolerance)
        assert np.asarray(jvp_fn(dx)).dtype == np.asarray(want).dtype
    jvp_fn.program.check()
    # a tape that refuses what is not linear in its inputs runs the whole list
    record(jvp_fn.program.run, (x,), "the replay", tape_type=LinearTape)


def test_linearize_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.exp(np.sin(x))

    _, jvp_fn = wg.linearize(f, X)
    for dx in np.eye(3):
        jvp_fn(dx)
    assert len(calls) == 1
    assert {eqn.primitive.name for eqn in jvp_fn.program.equations} == {"multiply"}


def test_linearize_takes_and_gives_containers():
    (loss, hidden), jvp_fn = wg.linearize(network, *NETWORK)
    tangents = ({"b": np.ones(4), "w": np.zeros((3, 4))}, np.ones((2, 3)))
    dloss, dhidden = jvp_fn(*tangents)
    (y, h), (dy, dh) = wg.jvp(network, NETWORK, tangents)
    np.testing.assert_allclose([loss, dloss], [y, dy])
    np.testing.assert_allclose(hidden, h)
    np.testing.assert_allclose(dhidden, dh)


def test_linearize_composes_to_third_order():
    def f(x):
        return np.sum(np.sin(x) ** 3)

    def slope(x):
        return wg.linearize(f, x)[1](np.ones(3))

    def bend(x):
        return wg.linearize(slope, x)[1](X)

    wanted = wg.grad(lambda x: wg.jvp(lambda z: wg.jvp(f, (z,), (np.ones(3),))[1], (x,), (X,))[1])
    np.testing.assert_allclose(wg.grad(bend)(X), wanted(X))
    np.testing.assert_allclose(wg.jvp(bend, (X,), (X,))[1], wanted(X) @ X)
    np.testing.assert_allclose(wg.linearize(bend, X)[1](X), wanted(X) @ X)


def test_the_replay_works_under_vmap_grad_and_jvp():
    def f(x):
        return np.cumsum(x[::-1]) * x

    _, jvp_fn = wg.linearize(f, X)
    jacobian = wg.jacobian(f)(X)
    np.testing.assert_allclose(wg.vmap(jvp_fn, out_axes=1)(np.eye(3)), jacobian)
    np.testing.assert_allclose(wg.grad(lambda dx: np.sum(jvp_fn(dx)))(X), np.ones(3) @ jacobian)
    np.testing.assert_allclose(wg.jvp(jvp_fn, (X,), (X,))[1], jacobian @ X)
    many = wg.vmap(lambda x, dx: wg.linearize(f, x)[1](dx))(np.stack([X, 2 * X]), np.ones((2, 3)))
    np.testing.assert_allclose(many[1], wg.jvp(f, (2 * X,), (np.ones(3),))[1])


def test_tangents_that_do_not_fit_are_refused():
    _, jvp_fn = wg.linearize(lambda x, n: x * n, X, 3)
    np.testing.assert_array_equal(jvp_fn(np.ones(3), 0), [3, 3, 3])
    with pytest.raises(ShapeError, match=r"shape \(2,\) for a primal of shape \(3,\)"):
        jvp_fn(np.ones(2), 0)
    with pytest.raises(ShapeError, match="2 primals, but 1 tangents"):
        jvp_fn(np.ones(3))
    with pytest.raises(DtypeError, match="which has no derivative"):
        jvp_fn(np.ones(3), 1)
    with pytest.raises(DtypeError, match="complex tangent"):
        jvp_fn(np.ones(3) * 1j, 0)
    with pytest.raises(DtypeError, match=r"write np\.array"):
        wg.linearize(lambda x: x, [1.0, 2.0])
    with pytest.raises(DtypeError, match="expected an array"):
        wg.linearize(lambda x: x, "text")


def test_results_that_do_not_depend_have_zero_tangents():
    (_, _, c), jvp_fn = wg.linearize(lambda x: (x, np.ones(2), 3), X)
    assert c == 3
    dx = np.ones(3)
    dy, dconstant, dc = jvp_fn(dx)
    np.testing.assert_array_equal(dconstant, [0, 0])
    assert dc == 0
    dy[:] = 7
    np.testing.assert_array_equal(dx, 1)  # the result is an array of its own
    _, jvp_fn = wg.linearize(lambda x: [2 * x] * 2, X)
    first, second = jvp_fn(dx)
    first[:] = 7
    np.testing.assert_array_equal(second, 2)


def test_python_scalars_and_float32_keep_their_dtypes():
    y, jvp_fn = wg.linearize(lambda a, x: a * x, 2.0, np.ones(2, np.float32))
    assert y.dtype == jvp_fn(1.0, np.ones(2, np.float32)).dtype == np.float32


def test_arrays_that_the_replay_reads_are_safe_from_writing():
    small, large = np.ones(3), np.ones(10_000)
    _, jvp_small = wg.linearize(lambda x: x * x, small)
    _, jvp_large = wg.linearize(lambda x: x * x, large)
    small[:] = 0
    np.testing.assert_array_equal(jvp_small(np.ones(3)), 2)
    with pytest.raises(ValueError, match="read-only"):
        large[:] = 0
    del jvp_large
    large[:] = 0


def test_linearize_passes_through_custom_rules():
    @wg.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda xs, dxs: (cube(xs[0]), 3 * xs[0] ** 2 * dxs[0]))

    @wg.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (square(x), x), lambda x, gy: (2 * x * gy,))
    _, jvp_fn = wg.linearize(lambda x: cube(square(x)), X)
    np.testing.assert_allclose(jvp_fn(np.ones(3)), 6 * X**5)
