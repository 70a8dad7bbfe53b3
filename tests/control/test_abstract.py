"""Recording from types alone gives the program that recording on values gives."""

from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

import wengert as wg
import wengert.nn  # enters its primitives in the registry
import wengert.ops
import wengert.scipy.special
from primitives.cases import C16, F4, F8, cases
from wengert import Aval
from wengert.control.call import call
from wengert.core.aval import aval_of
from wengert.core.errors import EscapedValue, ShapeError, UnsupportedError
from wengert.core.interpret import bind
from wengert.core.primitive import REGISTRY
from wengert.differentiate.abstract import abstract_program
from wengert.differentiate.record import transcribe

for module in iter_modules(wengert.ops.__path__):
    import_module(f"wengert.ops.{module.name}")

APPLIED = [
    p
    for name, p in sorted(REGISTRY.items())
    if any(cases(p, dtype) for dtype in (F8, F4, C16)) and not p.multiple
]


def applications(primitive):
    """``(f, arguments)`` for every case with something to differentiate."""
    for dtype in (F8, F4, C16):
        for case in cases(primitive, dtype):
            if case.active:

                def f(*xs, case=case):
                    full = case.with_args(case.active, xs)
                    return bind(primitive, *full.args, **full.params)

                yield f, [case.args[i] for i in case.active]


def agree(got, expected, dtype):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    rtol = 1e-5 if np.finfo(dtype).bits == 32 else 1e-11
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("primitive", APPLIED, ids=lambda p: p.name)
def test_every_primitive(primitive):
    """The recorded program, called, has the values, types and derivatives of the function."""
    for f, xs in applications(primitive):
        sketch = abstract_program(f, [aval_of(x) for x in xs])
        program = sketch.program.check()
        assert not sketch.captured
        assert program.outputs[0].aval == transcribe(f, xs).program.outputs[0].aval
        y, dtype = f(*xs), min((np.asarray(x).dtype for x in xs), key=lambda d: np.finfo(d).bits)
        agree(program.run(*xs)[0], y, dtype)
        agree(call(*xs, program=program)[0], y, dtype)
        if np.asarray(y).dtype.kind not in "fc":
            continue
        try:
            _, pullback = wg.vjp(f, *xs)
            gxs = pullback(np.ones_like(y)[()])
        except UnsupportedError:
            continue
        _, of_program = wg.vjp(lambda *xs, p=program: call(*xs, program=p)[0], *xs)
        for got, expected in zip(of_program(np.ones_like(y)[()]), gxs, strict=True):
            agree(got, expected, dtype)
        dxs = tuple(np.ones_like(x)[()] for x in xs)
        got = wg.jvp(lambda *xs, p=program: call(*xs, program=p)[0], tuple(xs), dxs)[1]
        agree(got, wg.jvp(f, tuple(xs), dxs)[1], dtype)


# --- what is not known ----------------------------------------------------------------------------

VECTOR = Aval((3,))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if x[0] > 0 else -x,
        lambda x: x * float(x[0]),
        lambda x: x * x[0].item(),
        lambda x: x.numpy(),
        lambda x: np.arange(3)[np.argmax(x)],
        lambda x: x * int(x[0]),
        lambda x: [x for _ in range(np.argmax(x))],
        lambda x: np.asarray(x),
    ],
)
def test_reading_a_value_names_what_to_write(f):
    with pytest.raises(UnsupportedError, match=r"not known while.*wengert\.cond.*np\.where"):
        abstract_program(f, (VECTOR,))


@pytest.mark.parametrize(
    "f", [lambda x: x[x > 0], lambda x: np.nonzero(x), lambda x: np.unique(x), lambda x: x[x > x]]
)
def test_lengths_that_values_say(f):
    with pytest.raises(UnsupportedError, match=r"depends on values.*np\.where"):
        abstract_program(f, (VECTOR,))


def test_a_mask_that_is_known_has_a_length():
    mask = np.array([True, False, True])
    program = abstract_program(lambda x: x[mask] * 2, (VECTOR,)).program.check()
    np.testing.assert_array_equal(program.run(np.arange(3.0))[0], [0.0, 4.0])


def test_shape_errors_name_the_operation():
    with pytest.raises(ShapeError, match=r"matmul\(float64\[4\], float64\[3\]\)"):
        abstract_program(lambda x: np.ones(4) @ x, (VECTOR,))


def test_printing_a_placeholder_says_that_it_is_one():
    seen = []
    abstract_program(lambda x: seen.append(repr(x)) or x, (VECTOR,))
    assert "placeholder" in seen[0]


# --- other interpreters ---------------------------------------------------------------------------


def test_transformations_inside():
    x = np.array([0.3, 0.8, -0.4])

    def f(x):
        return (
            wg.grad(lambda w: np.sum(np.tanh(w) * x))(x)
            + wg.jvp(np.sin, (x,), (x,))[1]
            + wg.vmap(lambda a: a * np.sum(x))(x)
            + wg.hessian(lambda w: np.sum(w**3))(x) @ x
        )

    np.testing.assert_allclose(abstract_program(f, (VECTOR,)).program.check().run(x)[0], f(x))


def test_what_is_read_from_outside_is_an_operand():
    seen = []

    def f(w):
        sketch = abstract_program(lambda x: x * w + np.exp(w), (VECTOR,))
        seen.append(sketch)
        return np.sum(sketch.program.run(np.ones(3), *sketch.captured)[0])

    w = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(wg.grad(f)(w), 1 + np.exp(w))
    (sketch,) = seen
    assert len(sketch.captured) == 1
    assert [eqn.primitive.name for eqn in sketch.program.equations] == ["multiply", "exp", "add"]


def test_large_arrays_are_operands_and_small_ones_copies():
    large, small = np.ones(2000), np.ones(3)
    sketch = abstract_program(lambda x: x + np.sum(large * x[0]) + small, (VECTOR,))
    assert [value is large for value in sketch.captured] == [True]
    small[:] = 5
    large[:] = 2
    np.testing.assert_array_equal(sketch.program.run(np.ones(3), large)[0], np.full(3, 4002.0))


def test_custom_rules_inside_are_kept():
    @wg.custom_vjp
    def odd(x):
        return x * 2

    odd.defvjp(lambda x: (x * 2, None), lambda _, gy: (gy * 7,))
    program = abstract_program(lambda x: np.sum(odd(x)), (VECTOR,)).program
    np.testing.assert_array_equal(
        wg.grad(lambda x: call(x, program=program)[0])(np.ones(3)), np.full(3, 7.0)
    )
    inner = abstract_program(wg.grad(lambda x: np.sum(odd(x))), (VECTOR,)).program
    np.testing.assert_array_equal(inner.run(np.ones(3))[0], np.full(3, 7.0))


def test_a_placeholder_that_escapes():
    kept = []
    abstract_program(lambda x: kept.append(x) or x, (VECTOR,))
    with pytest.raises(EscapedValue, match="capture of"):
        kept[0] + 1.0
