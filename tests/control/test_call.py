"""A program as one equation, and the programs derived from it."""

import numpy as np
import pytest
import scipy.special

import wengert as wg
from wengert import Aval
from wengert.control import derived
from wengert.control.call import call
from wengert.control.derived import batched, pushed, split
from wengert.core.errors import ShapeError, UnsupportedError
from wengert.core.program import Program
from wengert.differentiate.abstract import abstract_program
from wengert.differentiate.record import program_of

X = np.array([0.3, -0.8, 1.2])


def f(x, n):
    y = np.sin(x) * x
    return np.sum(y * n), {"y": y, "rounded": np.round(x), "n": n + 1}


PROGRAM = abstract_program(f, (Aval((3,)), Aval((), int))).program


def called(x, n=2):
    total, n_out, rounded, y = call(x, n, program=PROGRAM)
    return total + np.sum(y**2) + np.sum(rounded) + n_out


def plain(x, n=2):
    total, rest = f(x, n)
    return total + np.sum(rest["y"] ** 2) + np.sum(rest["rounded"]) + rest["n"]


def test_values_are_numpys():
    values = call(X, 2, program=PROGRAM)
    assert [type(value) for value in values] == [np.float64, np.int64, np.ndarray, np.ndarray]


@pytest.mark.parametrize("transform", [wg.grad, wg.hessian])
def test_derivatives(transform):
    np.testing.assert_allclose(transform(called)(X), transform(plain)(X), rtol=1e-12)


def test_third_order_in_mixed_modes():
    def third(f):
        inner = wg.grad(lambda x: wg.jvp(f, (x,), (X,))[1])
        return wg.jacobian(lambda x: inner(x))(X)

    np.testing.assert_allclose(third(called), third(plain), rtol=1e-10)


def test_vmap_of_grad_and_grad_of_vmap():
    xs = np.stack([X, 2 * X])
    each = np.stack([wg.grad(plain)(x) for x in xs])
    np.testing.assert_allclose(wg.vmap(wg.grad(called))(xs), each)
    np.testing.assert_allclose(wg.grad(lambda xs: np.sum(wg.vmap(called)(xs)))(xs), each)


def test_a_derivative_is_a_call_of_a_program():
    program = program_of(wg.grad(called))(X)
    names = [eqn.primitive.name for eqn in program.equations]
    assert names.count("call") == 2
    assert "cos" not in names


def test_programs_are_derived_once():
    active = (True, False)
    assert split(PROGRAM, active) is split(PROGRAM, active)
    assert pushed(PROGRAM, active) is pushed(PROGRAM, active)
    assert batched(PROGRAM, active, 4) is batched(PROGRAM, active, 4)


def test_the_split_keeps_only_what_the_way_back_reads():
    parts = split(abstract_program(lambda x: np.exp(2 * x), (Aval((3,)),)).program, (True,))
    assert parts.kept == ()
    assert len(parts.forward.outputs) == 2  # the value, which is its own derivative
    back = parts.backward((0,), False).program.check()
    assert [eqn.primitive.name for eqn in back.equations] == ["multiply", "multiply"]


def test_inactive_inputs_cost_nothing():
    program = abstract_program(lambda x, w: x @ w, (Aval((3,)), Aval((3,)))).program
    parts = split(program, (False, True))
    assert parts.kept == (0,)
    assert len(parts.backward((0,), False).program.equations) == 1


def test_dead_code_is_removed():
    program = abstract_program(lambda x: (x * 2, np.exp(x))[0], (Aval((3,)),)).program
    assert len(program.equations) == 2
    assert len(batched(program, (True,), 4).program.equations) == 1


def test_every_derived_program_passes_the_hook(monkeypatch):
    seen = []

    def optimise(program):
        seen.append(program.check())
        return program

    monkeypatch.setattr(derived, "optimise", optimise)
    program = abstract_program(lambda x: np.sum(np.sin(x)), (Aval((3,)),)).program
    wg.hessian(lambda x: call(x, program=program)[0])(X)
    wg.vmap(lambda x: call(x, program=program)[0])(np.stack([X, X]))
    assert all(isinstance(p, Program) for p in seen)
    assert any("jvp of backward" in p.name or "forward of" in p.name for p in seen)


def test_an_output_that_is_not_used_has_no_adjoint():
    program = abstract_program(lambda x: (np.sqrt(x), 2 * x), (Aval((3,)),)).program
    gradient = wg.grad(lambda x: np.sum(call(x, program=program)[1]))(np.zeros(3))
    np.testing.assert_array_equal(gradient, [2.0, 2.0, 2.0])


def test_a_selection_outside_or_inside_absorbs_infinite_slopes():
    root = abstract_program(np.sqrt, (Aval((3,)),)).program
    x = np.array([0.0, 1.0, 4.0])
    outside = wg.grad(lambda x: np.sum(np.where(x > 0, call(x, program=root)[0], 0.0)))(x)
    np.testing.assert_array_equal(outside, [0.0, 0.5, 0.25])
    chosen = abstract_program(lambda y, x: np.where(x > 0, y, 0.0), (Aval((3,)),) * 2).program
    inside = wg.grad(lambda x: np.sum(call(np.sqrt(x), x, program=chosen)[0]))(x)
    np.testing.assert_array_equal(inside, [0.0, 0.5, 0.25])


def test_large_programs_of_the_user_are_protected_until_the_way_back():
    data = np.ones(5000)
    program = abstract_program(lambda x, d: x * d, (Aval((5000,)),) * 2).program
    w = wg.array(np.ones(5000), requires_grad=True)
    loss = np.sum(call(w, data, program=program)[0])
    with pytest.raises(ValueError, match="read-only"):
        data[:] = 0
    loss.backward()
    np.testing.assert_array_equal(w.grad.numpy(), 1.0)
    data[:] = 0


def test_small_ones_are_copied():
    data = np.ones(3)
    program = abstract_program(lambda x, d: x * d, (Aval((3,)),) * 2).program
    w = wg.array(X, requires_grad=True)
    loss = np.sum(call(w, data, program=program)[0])
    data[:] = 0
    loss.backward()
    np.testing.assert_array_equal(w.grad.numpy(), 1.0)


def test_operands_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"call of .*expected"):
        abstract_program(lambda x: call(x, 2, program=PROGRAM)[0], (Aval((4,)),))


def test_what_has_no_derivative_says_so():
    program = abstract_program(lambda v: scipy.special.jv(v, 2.0), (Aval(()),)).program
    with pytest.raises(UnsupportedError, match="order"):
        wg.grad(lambda v: call(v, program=program)[0])(1.5)
