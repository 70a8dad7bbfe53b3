"""Fusion: what becomes one kernel, what one nest, in an order in which it can run."""

import numpy as np
import pytest

from wengert.core.program import Equation, Var
from wengert.differentiate.record import program_of
from wengert.static.llvm.native_program import Draft
from wengert.static.llvm.preparing import call_of
from wengert.static.observe import observe
from wengert.static.plan import inputs_of, nests
from wengert.static.views import is_cumulative, is_reduction, is_view

from ..passes.drawn import draw
from .build import plan_of

X = np.arange(1.0, 13.0).reshape(3, 4)
W = np.ones((4, 3))


def names(equations):
    return [eqn.primitive.name for eqn in equations]


def kernels(function, *values, strict=True):
    plan = plan_of(program_of(function)(*values), strict)
    return [names(group.inner.equations) for group in plan.groups]


def nests_of(function, *values):
    (group,) = plan_of(program_of(function)(*values)).groups
    return [names(nest) for nest in nests(group.inner, stands_alone, walk)]


def stands_alone(eqn):
    return is_cumulative(eqn) or call_of(eqn, True) is not None


def walk(eqn):
    """Reductions over the same axes go together."""
    return eqn.params.get("axis"), eqn.inputs[0].aval.shape


def looped(eqn):
    """The shape of what an equation computes, element by element."""
    return (eqn.inputs if is_reduction(eqn) else eqn.outputs)[0].aval.shape


def test_a_chain_is_one_kernel_with_one_result():
    (group,) = plan_of(program_of(lambda x: (x * 2 + 1) / x - 3)(X)).groups
    assert names(group.inner.equations) == ["multiply", "add", "divide", "subtract"]
    assert len(group.inner.outputs) == 1


def test_what_others_read_is_a_result():
    plan = plan_of(program_of(lambda x: (np.round(y := x * 2 + 1, 2), y - 1, y))(X))
    first, _, second = plan.steps[:2] + plan.steps[2:3]
    assert names(first.inner.equations) == ["multiply", "add"]
    assert len(first.inner.outputs) == 1
    assert isinstance(plan.steps[1], Equation)
    assert second.primitive.name == "subtract", "alone it stays NumPy's"


def test_what_numpy_runs_parts_what_comes_before_from_what_comes_after():
    found = kernels(lambda x: np.maximum(np.round(x * 2 - 1, 2) + 1, 0) * 3, X)
    assert found == [["multiply", "subtract"], ["add", "maximum", "multiply"]]


def test_what_is_dead_is_in_no_kernel():
    program = program_of(lambda x: (x * 2 + 1, x - 1)[:1])(X)
    (group,) = plan_of(program).groups
    assert len(group.inner.outputs) == 1


def test_one_shape_is_one_nest_with_the_reductions_of_what_it_computes():
    assert nests_of(lambda x: (x * 2 + x - 1) * 0.5, X) == [
        ["multiply", "add", "subtract", "multiply"]
    ]
    found = nests_of(lambda x: (np.sum(x * x + 1, axis=0) * 2 + 1, x / 3), X)
    assert found == [["multiply", "add", "sum"], ["multiply", "add"], ["divide"]]


def test_reductions_that_go_over_the_same_alike_are_one_nest():
    assert nests_of(lambda x: (np.sum(y := x * 2, axis=0), np.max(y, axis=0)), X) == [
        ["multiply", "sum", "max"]
    ]
    assert nests_of(lambda x: (np.sum(y := x * 2, axis=0), np.max(y, axis=1)), X) == [
        ["multiply", "sum"],
        ["max"],
    ]
    assert nests_of(lambda x: (np.sum(x, axis=0), np.max(x, axis=0) + 1), X) == [
        ["sum", "max"],
        ["add"],
    ]
    centred = nests_of(lambda x: (x - 1) - np.sum(x - 1, axis=0), X)
    assert centred[-1] == ["subtract"], "what reads a result waits for all of it"


def test_numbers_go_with_the_loops_that_read_them():
    s = np.float64(3)
    assert nests_of(lambda x, s: x * (s * 2 + 1) - s / 7, X, s) == [
        ["multiply", "add", "multiply", "divide", "subtract"]
    ]


def test_a_view_of_what_is_computed_waits_until_it_is_in_memory():
    found = nests_of(lambda x: (y := x[:, :3] * 2 + 1) * y.T, X)
    assert found == [["getitem", "multiply", "add"], ["transpose", "multiply"]]


@pytest.mark.parametrize("seed", range(60))
def test_everything_is_computed_once_before_it_is_read(seed):
    program, _ = draw(seed)
    plan = plan_of(program)
    known = {*program.inputs, *program.constants}
    for step in plan.steps:
        if isinstance(step, Equation):
            assert {atom for atom in step.inputs if isinstance(atom, Var)} <= known
            known.update(step.outputs)
            continue
        assert set(step.inner.inputs) <= known
        inside, made = set(step.inner.inputs), []
        for nest in nests(step.inner, stands_alone, walk):
            assert set(inputs_of(nest)) <= inside
            made += [eqn.outputs[0] for eqn in nest if not is_view(eqn)]
            inside.update(made)
            assert len({looped(eqn) for eqn in nest if not is_view(eqn)} - {()}) <= 1
        assert len(made) == len(set(made))
        assert set(step.inner.outputs) <= set(made)
        known.update(step.inner.outputs)
    assert {atom for atom in program.outputs if isinstance(atom, Var)} <= known


def test_arrays_in_between_are_written_again_when_they_are_dead():
    def function(x):
        for _ in range(6):
            x = x - np.sum(x * x, axis=1, keepdims=True)
        return x

    program = program_of(function)(X)
    (group,) = plan_of(program).groups
    _, known = observe(program, [X])
    draft = Draft(group.inner, known)
    assert draft.arena.size <= 4 * X.nbytes, "of eleven"
