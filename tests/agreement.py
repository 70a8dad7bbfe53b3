"""A function of NumPy or SciPy on handles beside itself on plain arrays, and beside differences."""

import numpy as np

import wengert as wg
from primitives.differences import richardson


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def slopes(f, x, dx):
    """df along dx: forward, reverse, differences with their error."""
    weights = draw(*np.shape(f(x)), seed=1)

    def loss(x):
        return np.sum(np.real(f(x) * weights))

    forward = np.sum(np.real(wg.jvp(f, (x,), (dx,))[1] * weights))
    reverse = np.sum(np.real(np.conj(wg.grad(loss)(x)) * dx))
    slope, error = richardson(lambda t: np.array([loss(x + t * dx)]), 1e-3)
    return forward, reverse, slope[0], error[0]


def check(f, x):
    """Value, type, both modes and ``vmap`` of ``f``, which NumPy or SciPy can run as well."""
    value, want = wg.vjp(f, x)[0], f(x)
    np.testing.assert_allclose(value, want, rtol=1e-14, atol=1e-14)
    assert value.dtype == want.dtype
    assert np.shape(value) == np.shape(want)
    if want.dtype.kind not in "fc":
        return
    forward, reverse, slope, error = slopes(f, x, draw(*np.shape(x), seed=2))
    tolerance = 10 * error + 1e-9 * abs(slope)
    assert abs(forward - slope) <= tolerance
    assert abs(reverse - slope) <= tolerance


def check_batched(f, x):
    stack = np.stack([x, 0.9 * x, 0.8 * x])
    np.testing.assert_allclose(wg.vmap(f)(stack), np.stack([f(row) for row in stack]), rtol=1e-13)
