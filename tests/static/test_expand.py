"""What is several operations in one, written out: the same values, types, and refusals."""

import numpy as np
import pytest

import wengert as wg
from wengert import nn
from wengert.core.aval import aval_of
from wengert.core.primitive import REGISTRY
from wengert.core.program import Equation, Program, Var
from wengert.static.expand import expanded

COMPOSITE = sorted(name for name, one in REGISTRY.items() if one.expand is not None)


def applied(primitive, args, params):
    """One application as a program."""
    inputs = tuple(Var(aval_of(arg)) for arg in args)
    made = primitive.infer(*[var.aval for var in inputs], **params)
    eqn = Equation(primitive, inputs, (Var(made),), params)
    return Program(inputs, (eqn,), eqn.outputs)


def test_there_are_some():
    assert {"affine", "softmax", "cross_entropy"} <= set(COMPOSITE)


@pytest.mark.parametrize("name", COMPOSITE)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_an_expansion_gives_what_the_operation_gives(name, dtype):
    primitive = REGISTRY[name]
    rng = np.random.default_rng(1)
    samples = primitive.samples
    cases = samples(rng) if samples else [((rng.random((2, 3)), rng.random((2, 3))), {})]
    for args, params in cases:
        args = [a.astype(dtype) if np.asarray(a).dtype.kind == "f" else a for a in args]
        args = [np.asarray(a) for a in args]
        program = applied(primitive, args, params)
        written = expanded(program)
        assert all(eqn.primitive.expand is None for eqn in written.equations), (name, params)
        (got,), (want,) = written.run(*args), program.run(*args)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        scale = np.finfo(dtype).eps * (1 + np.max(np.abs(want), initial=0))
        np.testing.assert_allclose(got, want, rtol=0, atol=20 * scale)


def test_programs_without_composites_are_left_alone():
    program = applied(REGISTRY["add"], [np.ones(2), np.ones(2)], {})
    assert expanded(program) is program


@pytest.mark.parametrize("label", [3, -1, 7, 2**40])
def test_a_label_that_is_no_class_is_refused_by_machine_code_too(label):
    step = wg.compile(lambda z, labels: nn.cross_entropy(z, labels))
    z, good = np.ones((4, 3)), np.array([0, 1, 2, 0])
    for _ in range(4):
        step(z, good)
    node = step.variants[0].paths.first
    node.native.spent = np.inf  # machine code from now on
    for _ in range(3):
        step(z, good)
    assert "machine code" in str(node.native.machine)
    with pytest.raises(wg.errors.BoundsError, match=f"label {label} in row 1"):
        step(z, np.array([0, label, 2, 0]))
    np.testing.assert_allclose(step(z, good), np.log(3.0), rtol=1e-15)
