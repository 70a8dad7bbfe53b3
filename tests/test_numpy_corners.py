"""Corners of NumPy's functions: complex numbers, single precision, kinks, NaN, out=, refusals."""

import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.core.box import innermost

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((3, 4)) + 1j * RNG.standard_normal((3, 4))
A = RNG.standard_normal((4, 3)) + 1j * RNG.standard_normal((4, 3))
S = Z[:, :3]
MASK = RNG.random((3, 4)) < 0.6

COMPLEX = """
    np.sum(z)
    np.sum(z, 1, where=MASK)
    np.prod(z)
    np.prod(z, axis=1)
    np.prod(np.where(MASK, z, 0), axis=0)
    np.cumsum(z, 1)
    np.cumprod(z, 1)
    np.cumprod(np.where(MASK, z, 0), 0)
    np.mean(z, 0)
    np.var(z)
    np.var(z, 1, ddof=1)
    np.std(z, axis=0)
    np.average(z, axis=0, weights=[1.0, 2.0, 3.0])
    np.linalg.norm(z)
    np.linalg.norm(z, axis=1)
    np.linalg.norm(z, 1)
    np.linalg.norm(z, 3, axis=0)
    np.linalg.norm(z, np.inf, axis=1)
    z @ A
    A @ z
    np.dot(z, A[:, 0])
    np.vdot(z, A)
    np.vdot(A, z)
    np.vecdot(z, A.T)
    np.vecdot(A.T, z)
    np.vecmat(z[:, 0], z)
    np.matvec(z, z[0])
    np.inner(z, A.T)
    np.outer(z, A)
    np.kron(z, A)
    np.einsum("ij,jk->ik", z, A)
    np.einsum("ij,ij->i", z, np.conj(z))
    np.einsum("ij,jk,kl", z, A, z)
    np.tensordot(z, A, 1)
    np.cross(S, A[:3])
    np.trace(S), np.diag(S), np.tril(z), np.linalg.matrix_power(S, 3)
    np.reshape(z, (4, 3)), z.T, np.roll(z, 1), np.pad(z, 1), np.tile(z, 2), np.stack([z, z])
    np.concatenate([z, A.T]), np.repeat(z, 2), np.take(z, [0, 0, 2]), np.flip(z)
    np.real(z), np.imag(z), z.real * z.imag, np.nansum(z), np.cov(z)
    np.linspace(z[0], z[1], 3), np.where(MASK, z, A.T), np.vander(z[0], 3), np.sort(z)
""".strip().split("\n    ")


def values(line):
    code = compile(line.strip(), line, "eval")

    def run(z):
        result = eval(code, {**globals(), "z": z, "S": z[:, :3]})
        return list(result) if isinstance(result, tuple) else [result]

    return run


def scalar_of(f, like):
    weights = [
        RNG.standard_normal(np.shape(y)) + 1j * RNG.standard_normal(np.shape(y)) for y in like
    ]
    return lambda z: sum(np.sum(np.real(y * w)) for y, w in zip(f(z), weights, strict=True))


@pytest.mark.parametrize("line", COMPLEX)
def test_complex_numbers(line):
    f = values(line)
    scalar = scalar_of(f, f(Z))
    y, pullback = wg.vjp(scalar, Z)
    np.testing.assert_allclose(y, scalar(Z), rtol=1e-12)
    (g,) = pullback(np.float64(1))
    for unit in (1.0, 1j):
        slope = np.zeros(Z.shape)
        for index in np.ndindex(Z.shape):
            step = np.zeros_like(Z)
            step[index] = 1e-6 * unit
            slope[index] = (scalar(Z + step) - scalar(Z - step)) / 2e-6
        np.testing.assert_allclose(np.real(np.conj(g) * unit), slope, rtol=1e-6, atol=1e-7)
    dz = RNG.standard_normal(Z.shape) + 1j * RNG.standard_normal(Z.shape)
    _, dy = wg.jvp(scalar, (Z,), (dz,))
    np.testing.assert_allclose(dy, np.sum(np.real(np.conj(g) * dz)), rtol=1e-9)
    zs = np.stack([Z, 0.5 * Z])
    want = [wg.grad(scalar)(z) for z in zs]
    np.testing.assert_allclose(wg.vmap(wg.grad(scalar))(zs), want, rtol=1e-9, atol=1e-11)


SINGLE = """
    np.sum(x), np.mean(x), np.mean(x, 0, where=x > 0), np.var(x, 1), np.std(x), np.average(x, 0)
    np.prod(x), np.cumprod(x, 1), np.cumsum(x), np.max(x, 1), np.ptp(x), np.nanmean(x), np.nanstd(x)
    np.nanvar(x, 1), np.median(x), np.quantile(x, 0.3), np.percentile(x, 20, axis=1)
    np.nanmedian(x), np.linalg.norm(x), np.linalg.norm(x, 3, axis=1), np.linalg.norm(x, 1)
    np.linalg.norm(x, 0, axis=1), x @ x.T, np.einsum("ij,kj", x, x), np.outer(x, x), np.trace(x)
    np.tril(x), np.diag(x), np.pad(x, 1)
    np.roll(x, 1), np.tile(x, 2), np.linspace(x[0], x[1], 3), np.full_like(x, 2.0), np.vander(x[0])
    np.sum(x, initial=1.0), np.max(x, initial=0.5), np.where(x > 0, x, 0.0), np.insert(x, 0, 1.0)
    np.sum(x, dtype=np.float64), np.mean(x, dtype=np.float64), np.cumsum(x, dtype=np.float64)
    np.cross(x[:, :3], x[:, 1:]), np.cov(x), np.interp(x, [0.0, 1.0], [0.0, 2.0]), np.append(x, 2.0)
    np.sum(x > 0), np.mean(x > 0), np.prod((x * 9).astype(int)), np.var((x * 9).astype(int), 0)
""".strip().split("\n    ")


@pytest.mark.parametrize("line", SINGLE)
def test_dtypes_are_numpys(line):
    x = RNG.standard_normal((3, 4)).astype(np.float32)
    want = eval(line, {**globals(), "x": x})
    seen = []
    wg.grad(lambda z: seen.extend(eval(line, {**globals(), "x": z})) or np.sum(z))(x)
    for mine, theirs in zip(seen, want, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(innermost(mine), theirs, rtol=2e-5, atol=1e-6)

    def scalar(z):
        parts = eval(line, {**globals(), "x": z})
        return sum(np.sum(y).astype(np.float32) for y in parts if y.dtype.kind == "f") + np.sum(z)

    assert wg.grad(scalar)(x).dtype == np.float32
    assert wg.jvp(scalar, (x,), (x,))[1].dtype == np.float32


# --- kinks, NaN, infinities -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (np.linalg.norm, np.zeros(3), np.zeros(3)),
        (lambda x: np.sum(np.linalg.norm(x, axis=1)), np.array([[0.0, 0], [3, 4]]),
         [[0, 0], [0.6, 0.8]]),
        (lambda x: np.linalg.norm(x, 3), np.zeros(3), np.zeros(3)),
        (lambda x: np.linalg.norm(x, 1), np.array([0.0, -2.0]), [0.0, -1.0]),
        (np.std, np.ones(3), np.zeros(3)),
        (np.max, np.array([2.0, 1.0, 2.0]), [0.5, 0.0, 0.5]),
        (np.min, np.array([1.0, 1.0, 2.0]), [0.5, 0.5, 0.0]),
        (np.ptp, np.array([1.0, 1.0]), [0.0, 0.0]),
        (np.median, np.array([3.0, 1.0, 2.0, 9.0]), [0.5, 0.0, 0.5, 0.0]),
        (np.prod, np.array([0.0, 0.0, 3.0]), [0.0, 0.0, 0.0]),
        (np.prod, np.array([0.0, 2.0, 3.0]), [6.0, 0.0, 0.0]),
        (np.nansum, np.array([np.nan, 2.0]), [0.0, 1.0]),
        (np.nanmax, np.array([np.nan, 2.0, 1.0]), [0.0, 1.0, 0.0]),
        (np.nanprod, np.array([np.nan, 2.0, 3.0]), [0.0, 3.0, 2.0]),
        (np.nanvar, np.array([np.nan, 2.0, 4.0]), [0.0, -1.0, 1.0]),
        (np.nanmedian, np.array([np.nan, 2.0, 4.0]), [0.0, 0.5, 0.5]),
        (lambda x: np.sum(x, where=[True, False]), np.array([1.0, np.nan]), [1.0, 0.0]),
        (lambda x: np.prod(x, where=[True, False]), np.array([2.0, np.inf]), [1.0, 0.0]),
        (lambda x: np.cumprod(x)[0], np.array([2.0, np.inf, 0.0]), [1.0, 0.0, 0.0]),
        (lambda x: np.cumsum(np.where(x > 5, 0.0, x))[-1], np.array([np.inf, 1.0]), [0.0, 1.0]),
        (lambda x: np.sum(np.where([True, False, False], np.cumprod(x), 0.0)),
         np.array([3.0, np.nan, np.inf]), [1.0, 0.0, 0.0]),
        (lambda x: np.var(x, where=[True, True, False]), np.array([1.0, 3.0, np.nan]), [-1, 1, 0]),
        (lambda x: np.sum(np.unique(x) * [1.0, 2.0]), np.array([3.0, 1.0, 3.0]), [2.0, 1.0, 0.0]),
        (lambda x: np.sum(np.tril(x)), np.array([[1.0, np.inf], [2.0, 3.0]]), [[1, 0], [1, 1]]),
    ],
)  # fmt: skip
def test_kinks_and_masks(f, x, want):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(wg.grad(f)(x), want)
        for index in np.ndindex(x.shape):
            dx = np.zeros_like(x)
            dx[index] = 1.0
            np.testing.assert_allclose(wg.jvp(f, (x,), (dx,))[1], np.asarray(want, float)[index])


def test_products_with_zeros_to_second_order_in_both_modes():
    for zeros in ([], [1], [0, 2], [0, 1, 3]):
        x = np.array([1.5, -2.0, 0.7, 3.0])
        x[zeros] = 0.0
        want = np.zeros((4, 4))
        for i, j in np.ndindex(4, 4):
            if i != j:
                want[i, j] = np.prod(np.delete(x, [i, j]))
        for f in (np.prod, lambda z: np.cumprod(z)[-1], lambda z: np.prod(z[None], axis=(0, 1))):
            np.testing.assert_allclose(wg.hessian(f)(x), want)
            np.testing.assert_allclose(
                np.stack([wg.grad(lambda z, v=v: np.sum(v * wg.grad(f)(z)))(x) for v in np.eye(4)]),
                want,
            )
            forward = [
                [wg.jvp(lambda z, v=v: wg.jvp(f, (z,), (v,))[1], (x,), (w,))[1] for v in np.eye(4)]
                for w in np.eye(4)
            ]
            np.testing.assert_allclose(forward, want)


# --- out=, in place, views of complex arrays ------------------------------------------------------


def into_out(x):
    row, total = np.zeros_like(x, shape=(4,)), np.zeros_like(x, shape=())
    square = np.zeros_like(x, shape=(3, 3))
    np.sum(x, axis=0, out=row)
    np.mean(row, out=total)
    np.dot(x, x.T, out=square)
    result = np.cumsum(row, out=row)
    assert result is row
    np.matmul(square, square, out=square)
    np.max(x, axis=0, out=row[:4])
    np.einsum("ij,ij->i", x, x, out=square[0])
    np.concatenate([row[:2], row[2:]], out=row)
    np.clip(row, -1, 1, out=row)
    np.take(x, [1, 2], out=row[:2])
    return np.sum(square) + np.sum(row) + total * 3


def in_place_functions(x):
    y = x * 1.0
    np.put(y, [0, 5, -1], [x[0, 0] * 2, x[1, 1]])
    np.put(y, [20, -25], 3.0, mode="clip")
    np.put_along_axis(y, np.array([[1], [0], [3]]), x[:, :1] ** 2, axis=1)
    np.putmask(y, y > 1, x[0])
    np.place(y, x < -1, [x[0, 1], 2.0])
    np.copyto(y, x[0], where=[True, False, False, False])
    np.fill_diagonal(y, x[2, :2])
    y.sort(axis=0)
    y.partition(1, axis=1)
    y.put([2], [x[2, 3]])
    z = np.zeros_like(x, shape=(5, 2))
    np.fill_diagonal(z, x[0, 0], wrap=True)
    return np.sum(np.sin(y) * np.arange(12.0).reshape(3, 4)) + np.sum(z**2)


def views_of_complex(x):
    z = x * (1 + 2j)
    z.real[0] = x[1]
    z.imag[:, 1:] *= 2
    z.real += z.imag
    z.T.imag[0] = 3.0
    z.imag = np.flip(z.real)
    np.multiply(z.real, 2.0, out=z.real)
    return np.sum(np.abs(z) ** 2) + np.sum(np.real(z**2))


@pytest.mark.parametrize("f", [into_out, in_place_functions, views_of_complex])
def test_writing_functions(f):
    x = np.random.default_rng(1).standard_normal((3, 4))
    want = f(x)
    y, pullback = wg.vjp(f, x)
    np.testing.assert_allclose(y, want, rtol=1e-12)
    slope = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = 1e-6
        slope[index] = (f(x + step) - f(x - step)) / 2e-6
    (g,) = pullback(np.float64(1))
    np.testing.assert_allclose(g, slope, rtol=1e-6, atol=1e-7)
    dx = np.random.default_rng(2).standard_normal(x.shape)
    np.testing.assert_allclose(wg.jvp(f, (x,), (dx,))[1], np.sum(g * dx), rtol=1e-10)


# --- refusals -------------------------------------------------------------------------------------

X = np.arange(1.0, 13.0).reshape(3, 4)
REFUSED = {
    "np.sum(x, axis=2)": "sum",
    "np.sum(x, where=[True, False])": "where",
    "np.max(x[:0])": "max",
    "np.max(x, where=x > 1)": "initial",
    "np.mean(x, axis=(0, 0))": "mean",
    "np.var(x, ddof=1, correction=1)": "var",
    "np.median(x, axis=5)": "median",
    "np.quantile(x, 0.5, method='inverted_cdf')": "quantile",
    "np.quantile(x, 0.5, weights=x)": "weights",
    "np.linalg.norm(x, 2)": "norm",
    "np.linalg.norm(x, 'nuc')": "singular",
    "np.linalg.norm(x[0], 'fro')": "norm",
    "np.linalg.inv(x[:, :3])": "inv",
    "np.linalg.matrix_power(x[:, :3], -1)": "matrix_power",
    "np.reshape(x, (5, 5))": "reshape",
    "np.reshape(x, (-1, -1))": "reshape",
    "np.transpose(x, (0, 0))": "transpose",
    "np.squeeze(x, 0)": "squeeze",
    "np.concatenate([x, x[0]])": "concatenate",
    "np.concatenate([x, x.T])": "concatenate",
    "np.stack([x, x[0]])": "stack",
    "np.split(x, 2)": "array_split",
    "np.hsplit(x[0, 0] + x[0], 3)": "split",
    "np.repeat(x, [1, 2], axis=0)": "repeat",
    "np.pad(x, 1, 'mean')": "pad",
    "np.pad(x, -1)": "pad",
    "np.block([[x], x])": "block",
    "np.take(x, [0.5])": "take",
    "np.take(x, 99)": "99",
    "np.take_along_axis(x, np.array([1]), 1)": "take_along_axis",
    "np.dot(x, x)": "dot",
    "x @ x": "matmul",
    "np.inner(x, x.T)": "tensordot",
    "np.tensordot(x, x.T, 2)": "tensordot",
    "np.einsum('ij,jk', x, x)": "einsum",
    "np.einsum('ij->ik', x)": "einsum",
    "np.einsum('...j->j', x)": "einsum",
    "np.cross(x, x)": "cross",
    "np.diag(x[None])": "diag",
    "np.searchsorted(x, 1.0)": "searchsorted",
    "np.digitize(x, [1.0, 3.0, 2.0])": "digitize",
    "np.apply_over_axes(np.sum, x, [0])": "apply_over_axes",
    "np.save('file', x)": "numpy()",
    "np.shares_memory(x, x)": "memory",
    "x.flat": "ravel",
    "x.strides": "numpy()",
    "x.view(np.float32)": "astype",
    "x.tobytes()": "numpy()",
    "np.broadcast_to(x, (2, 3, 4)).fill(1)": "read-only",
    "np.copyto(np.diagonal(x * 1.0), 1.0)": "read-only",
    "np.fill_diagonal(np.zeros((3, 3)), x[0, 0])": "zeros_like",
    "np.putmask(np.zeros(4), [True] * 4, x[0])": "zeros_like",
    "np.put(np.zeros(4), [0], x[0])": "zeros_like",
    "np.place(np.zeros(4), [True] * 4, x[0])": "zeros_like",
    "np.sum(x, out=np.zeros(()))": "out",
    "np.dot(x, x.T, out=np.zeros((3, 3)))": "out",
    "np.bincount([-1, 0, 1, 2], weights=x[0])": "bincount",
    "np.fliplr(x[0])": "fliplr",
    "np.vander(x)": "vander",
    "np.roll(x, 1, axis=3)": "roll",
    "np.moveaxis(x, 0, 5)": "moveaxis",
    "np.flip(x, 7)": "flip",
    "np.argmax(x, axis=4)": "argmax",
    "np.cumsum(x, axis=4)": "cumsum",
    "np.sort(x, axis=4)": "sort",
    "np.insert(x, 0, [1.0, 2.0], axis=1)": "broadcast",
    "np.average(x, weights=[1.0, 2.0])": "average",
}


@pytest.mark.parametrize("line", REFUSED)
def test_refusals_name_the_function_or_the_remedy(line):
    for transform in (lambda f: wg.grad(f)(X), lambda f: wg.jvp(f, (X,), (X,))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(wg.errors.WengertError) as caught:
                transform(lambda x: np.sum(eval(line, {**globals(), "x": x})))
        assert REFUSED[line] in str(caught.value)


ONE_VALUE = ["np.nonzero(x)", "np.flatnonzero(x > 0)", "np.unique(x)", "np.extract(x > 0, x)"]


@pytest.mark.parametrize("line", [*ONE_VALUE, "np.trim_zeros(x[0])", "np.histogram(x)", "x[x > 0]"])
def test_what_vmap_refuses_says_what_to_write(line):
    with pytest.raises(wg.errors.UnsupportedError, match="vmap"):
        wg.vmap(lambda x: eval(line, {**globals(), "x": x}))(np.stack([X, X]))


# --- sets and positions: NumPy's answers ----------------------------------------------------------

PLAIN = """
    np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    np.unique(x, axis=0), np.unique(x[0]), np.unique_values(x), np.unique_counts(x).counts
    np.unique_all(x).indices, np.unique_inverse(x).inverse_indices
    np.isin(x, [1.0, 2.0]), np.isin(x, [1.0], invert=True), np.union1d(x, [0.5, 1.0])
    np.intersect1d(x, [1.0, 3.0, 99.0]), np.setdiff1d(x, [1.0, 3.0]), np.setxor1d(x, [1.0, 99.0])
    np.nonzero(x > 2), np.argwhere(x > 2), np.flatnonzero(x > 2), np.where(x > 2)
    np.histogram(x, 3), np.histogram(x[0], [0.0, 2.0, 9.0], density=True)
    np.histogram(x, range=(0, 5)), np.histogram(x, 3, (0.0, 9.0))
    np.histogram(x[0], 3, weights=x[1]), np.histogram(x[0], 4, density=True, weights=x[1] ** 2)
    np.tril_indices_from(x), np.triu_indices_from(x, 1), np.diag_indices_from(x[:, :3])
    np.einsum_path("ij,jk->ik", x, x.T)[0], np.trim_zeros(x[0] * [0, 1, 1, 0])
    np.trim_zeros(x * 0.0), np.trim_zeros(x[0] * [0, 1, 0, 0], "f"), np.shape(x), np.size(x, 0)
    np.array_str(x), np.array_repr(x[0]), np.array2string(x, separator=";", precision=1)
    np.array_split([1, 2, 3], 2), np.can_cast(x, np.float32), np.min_scalar_type(x)
""".strip().split("\n    ")


def same(mine, theirs):
    if isinstance(theirs, tuple | list):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            same(a, b)
    elif isinstance(theirs, str | type | np.dtype):
        assert mine == theirs
    else:
        np.testing.assert_allclose(innermost(mine), theirs, rtol=1e-12)
        assert np.result_type(mine) == np.result_type(theirs)


@pytest.mark.parametrize("line", PLAIN)
def test_answers_are_numpys(line):
    x = np.array([[1.0, 3.0, 1.0, 2.0], [3.0, 3.0, 2.0, 5.0], [1.0, 3.0, 1.0, 2.0]])
    want = eval(line, {**globals(), "x": x})
    seen = []
    wg.grad(lambda z: seen.append(eval(line, {**globals(), "x": z})) or np.sum(z))(x)
    same(seen[0], want)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_long_recurrences_in_all_shapes(count):
    x = np.random.default_rng(count).standard_normal((count, 2, 3))
    for axis in range(3):
        with np.errstate(all="ignore"):
            g = wg.grad(lambda z: np.sum(np.sin(np.cumprod(z, axis))))(x)
            y = np.cumprod(x, axis)
        want = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            dx = np.zeros(x.shape)
            dx[index] = 1e-6
            difference = np.sin(np.cumprod(x + dx, axis)) - np.sin(np.cumprod(x - dx, axis))
            want[index] = np.sum(difference) / 2e-6
        np.testing.assert_allclose(g, want, atol=1e-7)
        assert y.shape == x.shape
