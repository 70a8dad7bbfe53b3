"""Ufuncs called by pointer: NumPy's bits for every record, dtype, shape and layout."""

import numpy as np
import pytest

import wengert as wg
import wengert.ops.special
from wengert.core.primitive import REGISTRY
from wengert.static.llvm.calls import ufuncs
from wengert.static.llvm.preparing import call_of, why_not

from .called import program, runs

UFUNCS = [
    name
    for name, one in sorted(REGISTRY.items())
    if one.ufunc is not None and not one.ufunc.signature
]
PAIRS = [((5,), (5,)), ((2, 3), (3,)), ((), (4,)), ((), ()), ((0, 3), (3,)), ((2, 1), (1, 3))]


def drawn(primitive, rng, shapes, dtype):
    """An argument of each shape inside of the domain."""
    spans = primitive.doc.domain
    if not any("d" in loop.split("->")[0] for loop in primitive.ufunc.types):
        return [rng.integers(0, 9, shape) for _, shape in zip(spans, shapes * 2, strict=False)]
    return [
        np.asarray(rng.uniform(span.low, span.high, shape)).astype(dtype)
        for span, shape in zip(spans, shapes * 2, strict=False)
    ]


def check(primitive, values, fixed=()):
    """Whether the loop is called, and gives NumPy's bits."""
    eqn = program(primitive, values, {}, fixed).equations[0]
    if why_not(eqn, True) or call_of(eqn, True) is not ufuncs.ufunc:
        return False
    runs(primitive, values, fixed=fixed)
    return True


@pytest.mark.parametrize("name", UFUNCS)
def test_loops_of_ufuncs_give_numpys_bits(name):
    primitive, rng = REGISTRY[name], np.random.default_rng(7)
    for values, params in primitive.samples(rng) if primitive.samples else []:
        assert not params
        check(primitive, values)
    for number, shapes in enumerate(PAIRS):
        for dtype in ("f8", "f4") if number < 2 else ("f8",):
            values = drawn(primitive, rng, shapes, dtype)
            if not primitive.samples:
                check(primitive, values)
    if not primitive.samples:
        (x,) = drawn(primitive, rng, ((4, 6),), "f8")[:1]
        others = drawn(primitive, rng, ((4, 3),) * 2, "f8")[1:]
        check(primitive, [x[::-1, ::2], *others])
        check(primitive, [np.asfortranarray(x[:, :3]), *others])


@pytest.mark.parametrize("name", ["exp", "erf", "gammaln", "arctan2", "cbrt", "floor_divide"])
def test_these_are_called(name):
    primitive, rng = REGISTRY[name], np.random.default_rng(7)
    for dtype in ("f4", "f8"):
        for shapes in PAIRS:
            assert check(primitive, drawn(primitive, rng, shapes, dtype))


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "i8"])
@pytest.mark.parametrize("name", ["exp", "tanh", "erf", "psi", "hypot"])
def test_operands_are_cast_as_numpy_casts_them(name, dtype):
    primitive, rng = REGISTRY[name], np.random.default_rng(7)
    values = [rng.integers(0, 2, 7).astype(dtype) for _ in range(primitive.ufunc.nin)]
    half = primitive.value(*values).dtype == np.float16
    assert check(primitive, values) is not half
    assert half is (name in ("exp", "tanh", "hypot") and dtype in ("?", "i1"))


@pytest.mark.parametrize("exponent", [2, 2.0, 0.5, -1, 1, 0, 3, 1.7, -0.5, np.float32(3)])
def test_powers_by_a_number_take_the_shortcuts_that_numpy_takes(exponent):
    x = np.random.default_rng(0).uniform(0.1, 3, 1001)
    for dtype in ("f4", "f8"):
        assert check(wg.ops.arithmetic.power, [x.astype(dtype), exponent], fixed=(1,))
        assert check(wg.ops.arithmetic.power, [x.astype(dtype), np.full(1001, exponent, dtype)])


def test_special_values():
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324, 1, -1])
    for name in ("exp", "log", "sin", "tanh", "erf", "gammaln", "psi", "log1p", "arctan"):
        assert check(REGISTRY[name], [x])


def test_what_may_raise_or_needs_python_is_refused():
    x, n = np.array([1.5, 2.5]), np.array([1, 2])
    power, kn = REGISTRY["power"], REGISTRY["kn"]
    assert "raise" in why_not(program(power, [n, n], {}).equations[0], True)
    assert check(power, [n, 2], fixed=(1,))
    assert "integers" in why_not(program(kn, [x.round(), x], {}).equations[0], True)
    assert why_not(program(power, [2.0, 3.5], {}).equations[0], True)


def test_a_large_array_that_is_split():
    x = np.random.default_rng(0).standard_normal((700, 1001))
    assert check(REGISTRY["exp"], [x])
    assert check(REGISTRY["arctan2"], [x.ravel(), x[::-1].ravel()])
