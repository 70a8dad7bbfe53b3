"""The passes: what each does and must not do, and random programs against the unoptimised run."""

from __future__ import annotations

import time

import numpy as np
import pytest

import wengert as wg
from wengert.core.aval import Aval
from wengert.core.errors import ProgramError
from wengert.core.execute import executable
from wengert.core.program import Equation, Literal, Program, Var
from wengert.differentiate.record import program_of, transcribe
from wengert.ops import arithmetic as ar
from wengert.ops.accumulate import LARGE, accumulate
from wengert.ops.families import absorb
from wengert.ops.indexing import setitem
from wengert.ops.shape import transpose
from wengert.static.passes import (
    accumulate_products,
    common_subexpressions,
    dead_code,
    fold_constants,
    fold_into_products,
    optimise,
    recompute,
    reuse_buffers,
    simplify,
)
from wengert.static.passes.layout import C, Layouts
from wengert.static.passes.recompute import peak

from .drawn import SPECIAL, alike, draw

X = np.arange(6.0).reshape(2, 3) - 2
F = np.array(SPECIAL)
Z = np.array([complex(a, b) for a in SPECIAL for b in SPECIAL])


def names(program):
    return [eqn.primitive.name for eqn in program.equations]


def recorded(f, *args):
    with np.errstate(all="ignore"):
        return program_of(f)(*args)


def same_results(program, optimised, args):
    optimised.check()
    want = program.run(*args)
    for got in (optimised.run(*args), executable(optimised)(*args)):
        for a, b in zip(got, want, strict=True):
            assert alike(a, b), f"{a!r} instead of {b!r}\n{program}\n{optimised}"


# --- random programs ------------------------------------------------------------------------------


def shares(results, args):
    """Which of the results may share memory with arguments and with each other."""
    held = [*results, *args]
    return {
        (i, k)
        for i in range(len(results))
        for k in range(i + 1, len(held))
        if isinstance(held[i], np.ndarray)
        and isinstance(held[k], np.ndarray)
        and np.may_share_memory(held[i], held[k])
    }


@pytest.mark.fuzz
def test_strict_passes_keep_every_bit(seeds):
    for seed in seeds:
        program, args = draw(seed)
        before = [x.copy() for x in args]
        want = program.run(*args)
        optimised, report = optimise(program, strict=True, check=True)
        for run in (program.run, executable(program), optimised.run, executable(optimised)) * 2:
            got = run(*args)
            for a, b in zip(got, want, strict=True):
                assert alike(a, b), (
                    f"seed {seed}: {a!r}, not {b!r}\n{program}\n{optimised}\n{report}"
                )
            assert shares(got, args) <= shares(want, args), f"seed {seed}\n{program}\n{optimised}"
            for x, y in zip(args, before, strict=True):
                assert x.tobytes() == y.tobytes(), f"seed {seed}: an argument was written into"


@pytest.mark.fuzz
def test_passes_keep_the_values(seeds):
    for seed in seeds:
        program, args = draw(seed, special=False)
        want = program.run(*args)
        optimised, report = optimise(program, check=True)
        got = executable(optimised)(*args)
        for a, b in zip(got, want, strict=True):
            single = np.asarray(b).dtype == np.float32 or any(x.dtype == "f4" for x in args)
            tolerance = 1e-4 if single else 1e-11
            text = f"seed {seed}\n{program}\n{optimised}\n{report}"
            assert np.asarray(a).dtype == np.asarray(b).dtype, text
            np.testing.assert_allclose(a, b, tolerance, tolerance, err_msg=text)
        assert shares(got, args) <= shares(want, args), f"seed {seed}\n{program}\n{optimised}"


@pytest.mark.fuzz
def test_derivatives_of_optimised_programs(seeds):
    """The derivative of the optimised program is that of the program, at NaN and at kinks too."""
    for seed in seeds:
        program, args = draw(seed)
        if any(x.dtype != np.float64 for x in args) or any(
            atom.aval.dtype.kind != "f" for atom in program.outputs
        ):
            continue
        optimised, _ = optimise(program, strict=True)
        with np.errstate(all="ignore"):
            want, got = (
                wg.grad(
                    lambda *xs, p=p: sum(np.sum(y) for y in p.run(*xs)), tuple(range(len(args)))
                )(*args)
                for p in (program, optimised)
            )
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, 1e-12, err_msg=f"seed {seed}\n{program}\n{optimised}")


@pytest.mark.fuzz
def test_recorded_gradients(seeds):
    """Programs with rules' equations in them; all that lies in C order is known to."""
    for seed in seeds:
        program, args = draw(seed, special=False)
        if any(x.dtype.kind != "f" for x in args):
            continue

        def gradient(*xs, program=program):
            return wg.grad(
                lambda *ys: sum(np.sum(np.real(y) * 1.5) for y in program.run(*ys)),
                tuple(range(len(xs))),
            )(*xs)

        with np.errstate(all="ignore"):
            derived = transcribe(gradient, args).program
            optimised, report = optimise(derived, strict=True, check=True)
        text = f"seed {seed}\n{derived}\n{optimised}\n{report}"
        for a, b in zip(executable(optimised)(*args), derived.run(*args), strict=True):
            assert alike(a, b), text
        check_layouts(derived, args)


def check_layouts(program, args):
    values, layouts = program.run_all(*args), Layouts(program)
    strides = {}
    for var, value in values.items():
        mark = layouts.marks[var]
        if not isinstance(value, np.ndarray) or not layouts.same(var, var) or not value.size:
            continue
        if mark is C:
            assert value.flags.c_contiguous, f"{program.names[var]}\n{program}"
        long = tuple(
            s // value.itemsize for s, n in zip(value.strides, value.shape, strict=True) if n > 1
        )
        assert strides.setdefault((mark, value.shape), long) == long, f"{program}"


# --- dead code ------------------------------------------------------------------------------------


def test_dead_code_is_left_out_and_inputs_stay():
    program = recorded(lambda x, y: (np.sin(x) * np.cos(y), np.exp(x) + np.ones(10))[0], F, F)
    assert names(dead_code(program)) == ["sin", "cos", "multiply"]
    assert dead_code(program).constants == {}
    unread = recorded(lambda x, y: np.sin(x), F, F)
    assert dead_code(unread).inputs == unread.inputs


def test_an_equation_with_one_output_read_stays_whole():
    f = wg.custom_jvp(lambda x: (x * 2, x * 3))
    f.defjvp(lambda p, t: (f(*p), (t[0] * 2, t[0] * 3)))
    program = recorded(lambda x: f(x)[1], X)
    assert len(dead_code(program).equations) == len(program.equations) == 1
    same_results(program, optimise(program)[0], [X])


# --- common subexpressions ------------------------------------------------------------------------


def test_equal_equations_become_one():
    program = recorded(lambda x: np.sin(x) * np.sin(x) + x[0:2] * x[0:2], X)
    assert names(common_subexpressions(program)) == [
        "sin", "multiply", "getitem", "multiply", "add",
    ]  # fmt: skip


def test_literals_and_parameters_are_compared_by_value_and_type():
    program = recorded(lambda x: (x * 0.0 + x * -0.0, x * 1 + x * 1.0, x * True), F)
    assert common_subexpressions(program).equations == program.equations
    program = recorded(lambda x: np.sum(x, axis=0) + np.sum(x, axis=1, keepdims=True), np.eye(3))
    assert names(common_subexpressions(program)).count("sum") == 2


def test_weak_and_strong_results_are_not_one():
    program = recorded(lambda a: (a * a, np.multiply(a, a)), 2.0)
    optimised = common_subexpressions(program)
    same_results(program, optimised, [3.0])


def test_two_outputs_stay_two_objects():
    program = recorded(lambda x: (x + 1, x + 1, (x + 1) * 2), X)
    optimised, _ = optimise(program)
    a, b, _ = executable(optimised)(X)
    assert not np.may_share_memory(a, b)
    assert names(optimised).count("add") == 2


def test_equal_constants_become_one_small_ones_only():
    small, large = np.arange(3.0), np.arange(1000.0)
    program = recorded(lambda x: (x * small + x * small.copy(), x), np.arange(3.0))
    assert len(common_subexpressions(program).constants) == 1
    program = recorded(lambda x: (x * large + x * large.copy(), x), large)
    assert len(common_subexpressions(program).constants) == 2


def test_functions_of_the_users_are_called_as_often_as_he_does():
    calls = []

    @wg.custom_vjp
    def f(x):
        calls.append(1)
        return x * 2

    f.defvjp(lambda x: (f(x), None), lambda _, gy: (gy * 2,))
    program = recorded(lambda x: f(x) + f(x), X)
    optimised, _ = optimise(program)
    calls.clear()
    executable(optimised)(X)
    assert len(calls) == 2


# --- constants ------------------------------------------------------------------------------------


def equations(*lines, inputs=(), outputs, constants=None):
    """A program from ``(primitive, inputs, output)``."""
    eqns = tuple(Equation(p, tuple(i), (o,), params) for p, i, o, params in lines)
    return Program(tuple(inputs), eqns, tuple(outputs), constants or {})


def test_equations_on_constants_are_run_now():
    x, c = Var(Aval((3,))), Var(Aval((3,)))
    half, doubled, y = Var(Aval((), float, True)), Var(Aval((3,))), Var(Aval((3,)))
    program = equations(
        (ar.multiply, [Literal(0.25), Literal(2)], half, {}),
        (ar.multiply, [c, half], doubled, {}),
        (ar.add, [x, doubled], y, {}),
        inputs=[x], outputs=[y], constants={c: np.arange(3.0)},
    )  # fmt: skip
    folded = fold_constants(program)
    assert names(folded) == ["add"]
    same_results(program, folded, [np.ones(3)])


def test_a_folded_array_is_no_output_and_not_large():
    c, y = Var(Aval((3,))), Var(Aval((3,)))
    program = equations((ar.negative, [c], y, {}), outputs=[y], constants={c: np.arange(3.0)})
    assert fold_constants(program).equations == program.equations
    result = executable(optimise(program)[0])()[0]
    result[:] = 9
    assert executable(optimise(program)[0])()[0][1] == -1
    c, y, s = Var(Aval((10**5,))), Var(Aval((10**5,))), Var(Aval(()))
    program = equations(
        (ar.negative, [c], y, {}), (ar.add, [s, s], s2 := Var(Aval(())), {}),
        inputs=[s], outputs=[s2, y], constants={c: np.ones(10**5)},
    )  # fmt: skip
    assert len(fold_constants(program).equations) == 2


def test_what_raises_is_left_to_raise():
    a, y = Var(Aval((), int, True)), Var(Aval((), float, True))
    program = equations((ar.divide, [Literal(1), Literal(0)], y, {}), inputs=[a], outputs=[y])
    assert len(fold_constants(program).equations) == 1
    with pytest.raises(ZeroDivisionError):
        executable(optimise(program)[0])(1)


def test_functions_of_the_users_are_not_run_early():
    calls = []

    @wg.custom_vjp
    def f(x):
        calls.append(1)
        return x * 2

    f.defvjp(lambda x: (f(x), None), lambda _, gy: (gy,))
    (call,) = recorded(f, 2.0).equations
    program = Program(
        (), (Equation(call.primitive, (Literal(3.0),), call.outputs, call.params),), call.outputs
    )
    calls.clear()
    assert fold_constants(program).equations == program.equations
    assert calls == []


# --- algebra --------------------------------------------------------------------------------------

GONE = {
    "x * 1": lambda x: x * 1,
    "1.0 * x": lambda x: 1.0 * x,
    "x / 1": lambda x: x / 1,
    "x ** 1": lambda x: x**1,
    "x - 0": lambda x: x - 0,
    "x + (-0.0)": lambda x: x + (-0.0),
    "+x": lambda x: +x,
    "--x": lambda x: np.negative(-x),
    "copy": lambda x: x.copy(),
    "conj": lambda x: np.conj(x),
    "same cast": lambda x: x.astype(np.float64),
    "ones": lambda x: x * np.ones(x.shape),
    "reshapes": lambda x: x.reshape(-1).reshape(x.shape),
    "transposes": lambda x: x.T.T,
}
STAYS = {
    "x + 0": lambda x: x + 0,
    "x + 0.0": lambda x: x + 0.0,
    "x - (-0.0)": lambda x: x - (-0.0),
    "x * 0": lambda x: x * 0,
    "x * 0.0": lambda x: x * 0.0,
    "0 - x": lambda x: 0 - x,
    "1 / x": lambda x: 1 / x,
    "x ** 0": lambda x: x**0,
    "maximum": lambda x: np.maximum(x, 0),
    "-(a - b)": lambda x: -(x - x * 3),
    "stop": lambda x: wg.stop_gradient(x),
    "to single and back": lambda x: x.astype(np.float32).astype(np.float64),
}


@pytest.mark.parametrize("name", GONE)
def test_what_changes_nothing_goes(name):
    fresh = np.abs(F)  # a program of its own makes the argument: one in C order
    program = recorded(lambda x: np.sin(GONE[name](np.exp(x))), fresh)
    for strict in (True, False):
        optimised, _ = optimise(program, strict, check=True)
        if not (strict and name == "reshapes"):
            assert names(optimised) == ["exp", "sin"], str(optimised)
        same_results(program, optimised, [F])


@pytest.mark.parametrize("name", STAYS)
def test_what_is_not_exact_stays(name):
    program = recorded(lambda x: np.sin(STAYS[name](np.tan(x))), F)
    optimised, _ = optimise(program, check=True)
    assert len(optimised.equations) == len(program.equations), str(optimised)
    same_results(program, optimised, [F])


@pytest.mark.parametrize("name", [n for n in GONE if n != "same cast"])
def test_complex_numbers(name):
    """z * 1 and z / 1 stay: an infinity makes a NaN in them."""
    program = recorded(lambda z: np.sin(GONE[name](np.conj(z))), Z)
    optimised, _ = optimise(program, strict=True, check=True)
    same_results(program, optimised, [Z])
    kept = {"multiply", "divide", "power"} & set(names(program))
    assert kept <= set(names(optimised))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u1", "i8", "?"])
@pytest.mark.parametrize("op", [*GONE.values(), *STAYS.values()])
def test_dtypes_and_overflow(dtype, op):
    x = np.array([0, 1, 2, 127, 128, 255, 200]).astype(dtype)
    try:
        program = recorded(lambda x: op(x[::-1]), x)
    except TypeError:
        return  # NumPy has no such operation on it
    same_results(program, optimise(program, strict=True, check=True)[0], [x])
    same_results(program, optimise(program, check=True)[0], [x])


@pytest.mark.parametrize("value", [2.0, np.float64(2.0), np.float32(2.0), 3, np.array(2.0)])
@pytest.mark.parametrize("op", [*GONE.values(), *STAYS.values()])
def test_scalars_weak_and_strong(value, op):
    if not hasattr(value, "T"):

        def f(x):
            return op(np.multiply(x, 1.5))
    else:
        f = op
    try:
        program = recorded(lambda x: (f(x), x * 2), value)
    except (AttributeError, TypeError):
        return  # Python's numbers have no methods
    same_results(program, optimise(program, strict=True, check=True)[0], [value])


def test_mixed_integers_are_not_negated_early():
    """int8 + (-uint8) negates in uint8."""
    a, b = np.array([1, -5], "i1"), np.array([1, 200], "u1")
    program = recorded(lambda a, b: a + (-b), a, b)
    same_results(program, optimise(program, check=True)[0], [a, b])


def test_negations_go_into_sums():
    program = recorded(lambda x, y: (x + (-y), x - (-y), (-x) + y), F, F[::-1])
    optimised, _ = optimise(program, strict=True)
    assert names(optimised) == ["subtract", "add", "subtract"]
    same_results(program, optimised, [F, F[::-1]])


def test_squares_of_arrays_only():
    program = recorded(lambda x: (x**2, x[0] ** 2, x**3), F)
    assert sorted(names(simplify(program))) == ["getitem", "power", "power", "square"]
    same_results(program, simplify(program), [F])


def test_where_of_floats_is_a_selection_still():
    program = recorded(lambda x, k: (np.where(x > 0, x, x), np.where(x > 0, k, k)), F, F > 0)
    assert names(simplify(program)).count("where") == 1 + 1  # k is an output: a new array
    program = recorded(lambda x, k: np.where(x > 0, k, k) * x, F, F > 0)
    assert "where" not in names(dead_code(simplify(program)))


def test_an_output_does_not_become_its_input():
    for op in (*GONE.values(), *STAYS.values(), lambda x: (x * 1)[1:], lambda x: x[:]):
        program = recorded(op, X + 5)
        result = executable(optimise(program, check=True)[0])(X)[0]
        with np.errstate(all="ignore"):
            eager = op(X)
        assert np.may_share_memory(result, X) <= np.may_share_memory(eager, X)
        assert result is not X or eager is X


def test_scalars_stay_scalars():
    """x * 1 of an array without axes is a number, and so is a copy of it."""
    x = np.array(2.0)
    program = recorded(lambda x: ar.copy(x * 1), x)
    same_results(program, optimise(program, check=True)[0], [x])
    assert isinstance(executable(optimise(program)[0])(x)[0], np.float64)


def test_copies_and_views_stay_what_they_are():
    """A reshape of Fortran order copies; in C order it gives two outputs one memory."""
    x = np.arange(6.0).reshape(2, 3)
    for f in [
        lambda x: ((y := (x.T @ x).T), y.reshape(-1)),
        lambda x: ((y := np.einsum("ij,kj->ik", x, x).T), y.reshape(-1)),
        lambda x: ((y := x.T + (-np.broadcast_to(x[:, 0], (3, 2)))), y.reshape(-1)),
    ]:
        program = recorded(f, x)
        shared = np.may_share_memory(*program.run(x))
        for strict in (True, False):
            optimised, _ = optimise(program, strict, check=True)
            assert np.may_share_memory(*executable(optimised)(x)) == shared


def test_strict_keeps_the_order_in_memory():
    """Without its copy a sum of a strided array would add in another order."""
    x = np.random.default_rng(0).standard_normal((64, 99))[:, ::3]
    program = recorded(lambda x: np.sum(x * 1), x)
    assert names(optimise(program, strict=True)[0]) == ["multiply", "sum"]
    assert names(optimise(program)[0]) == ["sum"]


FULL = {
    "times": lambda x, c: x * c,
    "plus": lambda x, c: c + x,
    "less": lambda x, c: x - c,
    "over": lambda x, c: c / x,
    "chosen": lambda x, c: np.where(x > c, x, c),
    "both": lambda x, c: x * c + c,
    "wider": lambda x, c: x.astype(np.float32) * c,
    "row": lambda x, c: x.reshape(2, 5) * c.reshape(2, 5)[:1],
}


@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, 0.015625, np.inf, np.nan])
@pytest.mark.parametrize("name", FULL)
def test_arrays_full_of_one_number(name, number):
    c = np.full(10, number)
    program = recorded(lambda x: np.tan(FULL[name](np.exp(x) - 1, c)), F)
    for strict in (True, False):
        optimised, _ = optimise(program, strict, check=True)
        same_results(program, optimised, [F])
        assert (len(optimised.constants) == 0) == (number == number)


def test_zeros_of_both_signs_are_not_one_number():
    mixed = np.array([0.0, -0.0] * 5)
    program = recorded(lambda x: np.sqrt(np.exp(x) + mixed), F)
    optimised, _ = optimise(program, check=True)
    assert len(optimised.constants) == 1
    same_results(program, optimised, [F])


def test_a_full_array_that_gives_the_shape_stays():
    c = np.full((4, 3), 2.0)
    program = recorded(lambda x: np.sin(x[0]) * c, X)
    assert len(optimise(program, check=True)[0].constants) == 1
    same_results(program, optimise(program)[0], [X])


def test_a_full_array_decides_about_the_layout_of_a_strict_result():
    c, x = np.full((2, 3), 2.0), np.asfortranarray(X)
    program = recorded(lambda x: np.sum((x * 3) * c, axis=0), x)
    strict, loose = (optimise(program, strict)[0] for strict in (True, False))
    assert (len(strict.constants), len(loose.constants)) == (1, 0)


def test_absorbing_a_finite_number_is_a_product():
    for number in (0.5, 0.0, np.inf):
        program = recorded(lambda x, s=number: absorb(np.sin(x), s), F)
        optimised, _ = optimise(program, strict=True, check=True)
        assert ("absorb" in names(optimised)) == (number == np.inf)
        same_results(program, optimised, [F])


# --- products -------------------------------------------------------------------------------------


def test_transposes_go_into_products():
    a, b = np.ones((3, 2)), np.ones((3, 4))
    program = recorded(lambda a, b: (a.T @ b).T + 1.5, a, b)
    assert names(dead_code(fold_into_products(program))) == ["transpose", "matmul", "add"]
    program = recorded(lambda x, w: x @ w.T, np.ones((5, 3)), np.ones((2, 3)))
    assert names(optimise(program)[0]) == ["project"]
    assert fold_into_products(program, strict=True) is program


def test_labels_of_einsum():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 3, 4)), rng.standard_normal((5, 4, 2))

    def f(a, b):
        return np.einsum("kij,mjk->mi", a.transpose(2, 1, 0), b.transpose(0, 2, 1)).T

    program = recorded(f, a, b)
    optimised, _ = optimise(program, check=True)
    assert names(optimised) == ["einsum"]
    np.testing.assert_allclose(executable(optimised)(a, b)[0], f(a, b), 1e-13)


def test_scalings_go_to_the_smallest_array():
    big, thin = np.ones((50, 40)), np.ones((40, 2))
    program = recorded(lambda a, b: (0.5 * a) @ b, big, thin)
    (scaled,) = [e for e in optimise(program)[0].equations if e.primitive is ar.multiply]
    assert scaled.outputs[0].aval.shape == (40, 2)
    program = recorded(lambda a, b: 3.0 * (a @ b), thin, thin[:2].T)
    (scaled,) = [e for e in optimise(program)[0].equations if e.primitive is ar.multiply]
    assert scaled.outputs[0].aval.shape == (2, 2)
    for number in (1e-200, 0.0, np.inf, np.nan):  # would under- or overflow, or absorb
        program = recorded(lambda a, b, s=number: (s * a) @ b, big, thin)
        assert fold_into_products(program).equations == program.equations
    shared = recorded(lambda a, b: ((y := 0.5 * a) @ b, y), big, thin)
    assert fold_into_products(shared).equations == shared.equations


# --- the accumulating product ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("size", [4, 160])
def test_a_step_is_one_operation(dtype, order, size):
    rng = np.random.default_rng(0)
    w, x, d = (rng.standard_normal((size, size)).astype(dtype, order=order) for _ in range(3))
    forms = [
        lambda w, x, d: w - 0.1 * (x.T @ d),
        lambda w, x, d: w + (x.T @ d) * 0.1,
        lambda w, x, d: x @ d.T.T + w,
        lambda w, x, d: w - x @ d,
    ]
    for f in forms:
        program = recorded(f, w, x, d)
        optimised, _ = optimise(program, check=True)
        assert names(optimised)[-1] == "accumulate"
        result = executable(optimised)(w, x, d)[0]
        assert result.dtype == w.dtype
        np.testing.assert_allclose(result, f(w, x, d), 2e-4 if dtype == "f4" else 1e-12)
        assert optimise(program, strict=True)[0].equations[-1].primitive is not accumulate


def test_numbers_at_the_factors_go_to_the_front():
    rng = np.random.default_rng(0)
    w, x, d = (rng.standard_normal((5, 5)) for _ in range(3))
    for f, s in [
        (lambda w, x, d: w - (0.5 * x.T) @ d, -0.5),
        (lambda w, x, d: w + 3.0 * (x @ (d * 0.5)), 1.5),
        (lambda w, x, d: w - (0.5 * x) @ d.T, -0.5),
    ]:
        program = recorded(f, w, x, d)
        optimised, _ = optimise(program, check=True)
        assert "multiply" not in names(optimised)
        assert optimised.equations[-1].primitive is accumulate
        assert optimised.equations[-1].inputs[3].value == s
        np.testing.assert_allclose(executable(optimised)(w, x, d)[0], f(w, x, d), 1e-12)
    program = recorded(lambda w, x, d: (w + (y := 0.5 * x) @ d, y), w, x, d)
    assert "multiply" in names(optimise(program)[0])  # read elsewhere


def test_what_is_no_step_stays():
    w, x = np.ones((3, 3)), np.arange(9.0).reshape(3, 3)
    forms = [
        lambda w, x: (w - (p := x @ x), p),  # read elsewhere
        lambda w, x: 0.5 * (x @ x) - w,
        lambda w, x: w[0] - x @ x,  # broadcast
        lambda w, x: w.astype(np.float32) - x @ x,
        lambda w, x: w - x * (x @ x),
        lambda w, x: np.sqrt(w) - x @ x,  # below a selection zeros absorb on the way to sqrt
        lambda w, x: w - (x + 0j) @ x,
        lambda w, x: np.exp(w - x @ x) * 2,  # one loop with what follows
    ]
    for f in forms:
        program = recorded(f, w, x)
        assert accumulate not in [e.primitive for e in accumulate_products(program).equations]


def test_the_rate_may_be_an_argument():
    w, x = np.ones((3, 3)), np.arange(9.0).reshape(3, 3)
    program = recorded(lambda w, x, lr: w - lr * (x.T @ x), w, x, 0.1)
    optimised, _ = optimise(program, check=True)
    assert names(optimised) == ["transpose", "negative", "accumulate"]
    np.testing.assert_allclose(executable(optimised)(w, x, 0.5)[0], w - 0.5 * x.T @ x)


@pytest.mark.parametrize("rows", [1, 128])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, int, complex])
def test_accumulate_itself(rows, dtype):
    rng = np.random.default_rng(2)
    n = LARGE // rows
    c, a, b = (rng.integers(-3, 4, s).astype(dtype) for s in [(rows, n), (rows, 5), (5, n)])
    for left, right in [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b))]:
        before = c.copy()
        got = accumulate.value(c, left, right, 2)
        assert (got == c + 2 * (a @ b)).all()
        assert (c == before).all()
    given = c.copy()
    assert accumulate.value(given, a[:, ::-1], b[::-1], 2, donate=True) is given
    assert (given == c + 2 * (a @ b)).all()


# --- recomputation --------------------------------------------------------------------------------


def test_recomputation_lowers_the_peak():
    x = np.linspace(0, 1, 1000)

    def f(x):
        kept = [np.tanh(x * float(k)) for k in range(1, 9)]
        total = kept[0]
        for part in reversed(kept):
            total = np.sin(total) * part
        return total

    program = recorded(f, x)
    lower = recompute(program, peak(program) // 2).check()
    assert peak(dead_code(lower)) <= 0.6 * peak(program)
    assert recompute(program, peak(program)) is program
    assert recompute(program) is program
    same_results(program, lower, [x])
    optimised, report = optimise(program, strict=True, check=True, budget=peak(program) // 2)
    assert any(step.name == "recompute" for step in report.steps)
    same_results(program, optimised, [x])


def test_what_can_not_be_lowered_is_left():
    program = recorded(lambda x: np.sum(np.cumsum(x)) * np.cumsum(x), np.ones(5000))
    assert recompute(program, 1).equations == program.equations


# --- buffers --------------------------------------------------------------------------------------


def reuses(program):
    return [eqn.reuse for eqn in reuse_buffers(program).equations]


def test_a_chain_stays_in_one_buffer():
    program = recorded(lambda x: np.exp(np.sin(x * 2) + 1) * x, F)
    assert reuses(program) == [None, 0, 0, 0, 0]
    assert "in the buffer of v2" in str(reuse_buffers(program))
    same_results(program, reuse_buffers(program), [F])


def test_never_an_input_a_constant_an_output_or_a_view():
    c = np.arange(3.0)
    for f, want in [
        (lambda x: x + 1, [None]),
        (lambda x: c * x, [None]),
        (lambda x: ((y := x * 2), y + 1), [None, None]),
        (lambda x: ((y := x * 2)[1:], y + 1), [None, None, None]),
        (lambda x: ((y := x * 2), y[:], y + 1)[1:], [None, None, None]),
        (lambda x: ((y := x * 2) + 1) * y, [None, None, 0]),
        (lambda x: (y := x * 2)[::-1] + y, [None, None, None]),
        (lambda x: x[:] + 1, [None, None]),
        (lambda x: (x * 2)[:] + 1, [None, None, None]),
        (lambda x: wg.stop_gradient(x) + 1, [None, None]),
        (lambda x: np.where(x > 0, 1.0, 2.0) + (x * 2 > 0), None),
    ]:
        program = recorded(f, np.arange(3.0))
        if want is not None:
            assert reuses(program) == want, str(reuse_buffers(program))
        same_results(program, reuse_buffers(program).check(), [np.arange(3.0)])


def test_dtype_shape_and_layout_must_fit():
    x = np.ones((2, 3))
    for f in [
        lambda x: (x * 2)[0] * 1.5 + x,
        lambda x: (x.astype(np.float32) * 2) + x,
        lambda x: (x[:1] * 2) + x,
        lambda x: x * 2 > 1,
        lambda x: x.T * 2 + x.reshape(3, 2),
        lambda x: np.sum(x * 2) * 3,
    ]:
        program = recorded(f, x)
        optimised = reuse_buffers(program).check()
        got, want = executable(optimised)(x)[0], program.run(x)[0]
        assert alike(got, want)
        assert np.asarray(got).strides == np.asarray(want).strides


def test_writes_into_an_array_copy_once():
    def f(x):
        y = np.zeros_like(x)
        for i in range(len(x)):
            y[i] = x[i] * 2
        return y

    x = np.arange(2000.0)
    program, _ = optimise(recorded(f, x), strict=True, check=True)
    writes = [eqn.reuse for eqn in program.equations if eqn.primitive is setitem]
    assert writes == [None] + [0] * 1999
    assert (executable(program)(x)[0] == 2 * x).all()
    assert (program.run(x)[0] == 2 * x).all()


def test_a_write_of_an_array_into_itself_copies():
    x, y = Var(Aval((3,))), Var(Aval((3,)))
    z = Var(Aval((3,)))
    program = equations(
        (ar.negative, [x], y, {}), (setitem, [y, y], z, {"index": (slice(None, None, -1),)}),
        inputs=[x], outputs=[z],
    )  # fmt: skip
    assert reuses(program) == [None, None]


def test_what_the_user_has_seen_is_not_written_into():
    seen = []

    @wg.custom_jvp
    def f(x):
        seen.append(x)
        return x * 2

    f.defjvp(lambda p, t: (f(*p), t[0] * 2))
    program = recorded(lambda x: f(y := np.sin(x)) + np.exp(y), X)
    optimised, _ = optimise(program, check=True)
    seen.clear()
    executable(optimised)(X)
    assert (seen[0] == np.sin(X)).all()


def test_the_checker_finds_a_buffer_that_is_read_later():
    x = np.arange(3.0)
    program = recorded(lambda x: np.exp(y := x * 2) + y, x)
    double, exp, add = program.equations

    def with_reuse(eqn, place):
        return Equation(eqn.primitive, eqn.inputs, eqn.outputs, eqn.params, "", place)

    def planted(*eqns):
        return Program(program.inputs, eqns, program.outputs)

    planted(double, exp, with_reuse(add, 1)).check()
    for wrong in [
        (double, with_reuse(exp, 0), add),  # read later
        (with_reuse(double, 0), exp, add),  # an input
        (double, exp, with_reuse(add, 2)),  # no such input
        (with_reuse(double, 1), exp, add),  # a number
    ]:
        with pytest.raises(ProgramError):
            planted(*wrong).check()
    program = recorded(lambda x: (x * 2).T + 1, np.ones((2, 2)))
    first, turned, last = program.equations
    assert turned.primitive is transpose
    with pytest.raises(ProgramError):
        Program(program.inputs, (first, turned, with_reuse(last, 0)), program.outputs).check()


def test_optimise_takes_its_own_result():
    program = recorded(lambda x: np.exp(x * 2) * 3, X)
    once, _ = optimise(program)
    twice, report = optimise(once, check=True)
    assert [e.reuse for e in twice.equations] == [e.reuse for e in once.equations]
    assert "in all" in str(report)
    assert all(eqn.reuse is None for eqn in program.equations)


# --- speed ----------------------------------------------------------------------------------------


def test_passes_take_time_in_proportion():
    def f(x):
        kept, y = [], x
        for k in range(2500):
            y = np.sin(y * 1) + x * (1.0 + k % 7)
            kept.append(y)
        for part in reversed(kept):
            y = y * part - np.sin(part)
        return y

    times = []
    program = recorded(f, np.ones(3))
    for p in (recorded(lambda x: f(x), np.ones(3)), program):
        start = time.perf_counter()
        optimised, _ = optimise(p)
        times.append(time.perf_counter() - start)
    assert len(program.equations) >= 10**4
    assert len(optimised.equations) < 0.9 * len(program.equations)
    assert min(times) < 5.0  # about 0.6 s on an idle core
