"""A large matrix times one vector and its transpose times another, read once."""

import numpy as np
import pytest

import wengert as wg
from wengert.static.llvm.calls import twins

RNG = np.random.default_rng(8)


@pytest.fixture(autouse=True)
def every_matrix_is_large(monkeypatch):
    monkeypatch.setattr(twins, "LARGE", 1)


def both(a, x, w):
    return a @ x + 1, a.T @ w * 2


def as_columns(a, x, w):
    return (a.T @ w[:, None])[:, 0] - 1, (a @ x[:, None])[:, 0]


def chained(a, x, w):
    y = a @ x
    return a.T @ y, y


def waits_in_between(a, x, w):
    y = a @ x
    return np.sum(y * y) * x, a.T @ (w * 2)


def steps_of(function, *args):
    """The compiled function, and whether it has such a step."""
    found = []
    original = twins.twins

    def noted(*given):
        found.append(1)
        return original(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(twins.CALLS, "twin_products", noted)
        patch.setenv("WENGERT_CACHE", "0")
        compiled = wg.compile(function, native="at once")
        for _ in range(3):
            compiled(*args)
    return compiled, bool(found)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(90, 70), (64, 64), (333, 129), (5, 100), (3, 64), (400, 500)])
@pytest.mark.parametrize("function", [both, as_columns, waits_in_between])
def test_products_of_both_sides(function, shape, dtype):
    a, x, w = (RNG.standard_normal(s).astype(dtype) for s in (shape, shape[1], shape[0]))
    compiled, merged = steps_of(function, a, x, w)
    assert merged
    for scale in (1, 3):
        for got, want in zip(compiled(a * scale, x, w), function(a * scale, x, w), strict=True):
            eps = np.finfo(dtype).eps * max(shape)
            np.testing.assert_allclose(got, want, rtol=8 * eps, atol=8 * eps * scale)


def test_a_product_that_waits_for_the_other_is_left_alone():
    a, x, w = RNG.standard_normal((70, 70)), RNG.standard_normal(70), RNG.standard_normal(70)
    compiled, merged = steps_of(chained, a, x, w)
    assert not merged
    for got, want in zip(compiled(a, x, w), chained(a, x, w), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_special_values_go_where_numpys_go():
    a, x, w = np.ones((70, 70)), np.ones(70), np.ones(70)
    a[3, 5], a[60, 1] = np.nan, np.inf
    compiled, merged = steps_of(both, a, x, w)
    assert merged
    for got, want in zip(compiled(a, x, w), both(a, x, w), strict=True):
        np.testing.assert_array_equal(got, want)


def test_strict_keeps_them_apart():
    a, x, w = RNG.standard_normal((90, 70)), RNG.standard_normal(70), RNG.standard_normal(90)
    compiled = wg.compile(both, strict=True, native="at once")
    for _ in range(4):
        for got, want in zip(compiled(a, x, w), both(a, x, w), strict=True):
            assert np.array_equal(got, want)
