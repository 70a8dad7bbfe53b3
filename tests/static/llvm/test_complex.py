"""Complex numbers in machine code: NumPy's bits where all its loops give the same, and its special
values.
"""

import numpy as np
import pytest

from wengert.differentiate.record import program_of
from wengert.ops.shape import from_parts
from wengert.static.llvm.preparing import why_not
from wengert.static.llvm.scalars import NotLowered
from wengert.static.views import is_view

from .build import draft_of, make_kernels

RNG = np.random.default_rng(7)
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]
LARGE = {"c16": (1e300, 1e-300), "c8": (1e30, 1e-38)}
REALS = {"c16": "f8", "c8": "f4"}
UNARY = {
    "negative": np.negative,
    "conjugate": np.conj,
    "parts": lambda x: (np.real(x) * 2, np.imag(x) * 2, np.imag(np.real(x)) + 1),
    "parts of a sum": lambda x: (np.real(x + x) * 2, np.imag(x + x) - 1),
    "put together": lambda x: from_parts(np.imag(x), np.real(x)),
    "reciprocal": np.reciprocal,
    "truth": lambda x: (np.isnan(x), np.isfinite(x), np.isinf(x), np.logical_not(x)),
    "wider": lambda x: x.astype("c16"),
    "narrower": lambda x: x.astype("c8"),
    "one of them": lambda x: (-x)[3] + x[4],
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,  # whose last bits come from NumPy's own loop
    "divide": np.divide,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "logical_and": np.logical_and,
    "where": lambda a, b: np.where(a == b, a, b),
}
ROUNDED = {"multiply": np.multiply, "square": lambda a, b: np.square(a) + b}


def drawn(dtype):
    """Pairs of special values, and ordinary ones."""
    ends = [*SPECIAL, *LARGE[dtype]]
    z = np.empty(len(ends) ** 2 + 60, dtype)
    z.real = [*np.repeat(ends, len(ends)), *RNG.standard_normal(60)]
    z.imag = [*np.tile(ends, len(ends)), *RNG.standard_normal(60)]
    return z


def operands(dtype):
    """Pairs of operands: of one dtype, with reals, with numbers, backwards."""
    z = drawn(dtype)
    y, r = z[RNG.permutation(len(z))], z.real.copy()
    yield from [(z, y), (z, r), (r, z), (z, 2.5), (z, 2 - 1j), (z, 3), (z[::-1], y[::-1])]
    yield z[-1], y[-1]


def pairs_of(function, given, strict):
    """What machine code and NumPy give for each of the arguments."""
    drafts, wanted = [], []
    for values in given:
        program = program_of(function)(*values)
        for eqn in program.equations:
            if not is_view(eqn) and (reason := why_not(eqn, strict)):
                raise NotLowered(reason, eqn)
        draft, want = draft_of(program, values, strict)
        drafts.append(draft)
        wanted.append(want)
    calls = make_kernels(drafts, [None] * len(drafts))
    for call, values, want in zip(calls, given, wanted, strict=True):
        got = call(*values)
        yield from zip(got if len(want) > 1 else (got,), want, strict=True)


def parts(x):
    x = np.array(x, ndmin=1)
    return [x.real.copy(), x.imag.copy()] if x.dtype.kind == "c" else [x]


def same_bits(a, b):
    """Type, dtype and bits; all NaN being one."""
    if type(a) is not type(b) or np.asarray(a).dtype != np.asarray(b).dtype:
        return False
    return all(
        np.array_equal(p, q, equal_nan=p.dtype.kind == "f")
        and (p.dtype.kind != "f" or np.array_equal(np.signbit(p[p == p]), np.signbit(q[q == q])))
        for p, q in zip(parts(a), parts(b), strict=True)
    )


@pytest.mark.parametrize("dtype", ["c16", "c8"])
@pytest.mark.parametrize("name", UNARY)
def test_one_operand_gives_numpys_bits(name, dtype):
    z = drawn(dtype)
    given = [(z,), (z[::-2],)]
    if name not in ("one of them", "put together"):
        given += [(z[-20:].reshape(4, 5).T,), (z[-1],)]
    with np.errstate(all="ignore"):
        for got, want in pairs_of(UNARY[name], given, True):
            assert same_bits(got, want), (got, want)


@pytest.mark.parametrize("dtype", ["c16", "c8"])
@pytest.mark.parametrize("name", BINARY)
def test_two_operands_give_numpys_bits(name, dtype):
    given = list(operands(dtype))
    if name == "multiply":  # whose numbers NumPy multiplies in another way than arrays
        with pytest.raises(NotLowered, match="NumPy's own arithmetic of numbers"):
            list(pairs_of(BINARY[name], [given.pop()], True))
    with np.errstate(all="ignore"):
        for got, want in pairs_of(BINARY[name], given, True):
            assert same_bits(got, want), (got, want)


@pytest.mark.parametrize("dtype", ["c16", "c8"])
@pytest.mark.parametrize("name", ROUNDED)
def test_products_are_close_and_have_numpys_special_values(name, dtype):
    z = drawn(dtype)
    y = z[RNG.permutation(len(z))]
    eps = np.finfo(REALS[dtype]).eps
    with np.errstate(all="ignore"):
        for got, want in pairs_of(ROUNDED[name], [(z, y), (z, 2 - 1j)], False):
            assert got.dtype == want.dtype
            for p, q in zip(parts(got), parts(want), strict=True):
                np.testing.assert_array_equal(np.isnan(p), np.isnan(q))
                size = np.abs(want)
                finite = np.isfinite(size) & np.isfinite(q)
                np.testing.assert_array_equal(p[~finite], q[~finite])
                assert np.all(np.abs(p - q)[finite] <= 4 * eps * size[finite])


@pytest.mark.parametrize("dtype", ["c16", "c8"])
def test_the_modulus_is_close_and_does_not_overflow(dtype):
    z = drawn(dtype)
    with np.errstate(all="ignore"):
        for got, want in pairs_of(lambda z: np.absolute(z) + 0, [(z,), (z[::-2],)], False):
            np.testing.assert_allclose(got, want, rtol=4 * np.finfo(got.dtype).eps)
