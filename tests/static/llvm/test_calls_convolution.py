"""Convolutions of sequences: integers exactly, floats as close as NumPy's."""

import numpy as np
import pytest

import wengert as wg
from wengert.ops.convolution import convolve
from wengert.static.llvm.preparing import why_not

from .build import draft_of, make_kernels
from .called import program, runs

LENGTHS = [(1, 1), (4, 3), (3, 4), (1, 9), (40, 40), (1000, 17)]


@pytest.mark.parametrize("dtype", ["i4", "i8", "u4"])
def test_integers(dtype):
    rng = np.random.default_rng(0)
    for n, m in LENGTHS:
        a, v = rng.integers(0, 1 << 30, n).astype(dtype), rng.integers(0, 99, m).astype(dtype)
        runs(convolve, [a, v])
        runs(convolve, [np.repeat(a, 2)[::-2], v.astype("i4")[::-1]])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floats(dtype):
    rng = np.random.default_rng(0)
    for n, m in LENGTHS:
        a, v = rng.standard_normal(n).astype(dtype), rng.standard_normal(m).astype(dtype)
        for given in ([a, v], [a[::-1], v], [np.repeat(a, 2)[::2], v.astype("f4")]):
            draft, (want,) = draft_of(program(convolve, given, {}), given, False)
            (call,) = make_kernels([draft], [None])
            got = call(*given)
            assert got.dtype == want.dtype
            scale = np.convolve(np.abs(given[0]), np.abs(given[1]))
            assert np.all(np.abs(got - want) <= 2 * m * np.finfo(dtype).eps * scale)


def test_numpys_own_bits_are_numpys():
    x = np.ones(3)
    assert "bits" in why_not(program(convolve, [x, x], {}).equations[0], True)
    assert "complex" in why_not(program(convolve, [x + 1j, x], {}).equations[0], False)


def test_the_gradient_is_the_same_compiled():
    rng = np.random.default_rng(0)
    a, v = rng.standard_normal(50), rng.standard_normal(7)

    def loss(a, v):
        return np.sum(np.sin(np.convolve(a, v)) ** 2)

    want = wg.grad(loss, argnums=(0, 1))(a, v)
    gradient = wg.compile(wg.grad(loss, argnums=(0, 1)))
    for _ in range(60):
        got = gradient(a, v)
    for x, y in zip(got, want, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)
