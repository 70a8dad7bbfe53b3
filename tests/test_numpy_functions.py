"""NumPy's functions of arrays, called as a user calls them, each in many ways.

A line of the table is an expression in ``x``, drawn in the shape that its group names. For each:
the value is NumPy's own, in value, shape and dtype; the gradient is that of Richardson's
differences; both modes agree; the second derivative too; ``vmap`` equals a loop.
"""

import warnings

import numpy as np
import pytest

import wengert as wg
from semantics.oracle import gradient
from wengert.core.box import innermost

SHAPES = {
    "vector": (5,),
    "matrix": (3, 4),
    "square": (3, 3),
    "cube": (2, 3, 4),
    "number": (),
    "empty": (0, 3),
}
A = np.random.default_rng(9).standard_normal((4, 3))
B = np.random.default_rng(8).standard_normal((2, 4, 3))
V = np.array([0.7, -1.2, 0.4])
MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
NAN = np.where(np.array([[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]], bool), np.nan, 0.0)

TABLE = {
    "matrix": """
        np.sum(x)
        np.sum(x, 0)
        np.sum(x, axis=-1, keepdims=True)
        np.sum(x, axis=(0, 1))
        np.sum(x, axis=())
        np.sum(x, initial=3.0)
        np.sum(x, 1, where=MASK, initial=2.0)
        np.sum(x, where=[True, False, True, True])
        np.add.reduce(x)
        np.add.reduce(x, axis=1, keepdims=True)
        np.prod(x)
        np.prod(x, 1)
        np.prod(x, axis=(1, 0), keepdims=True)
        np.prod(x, 0, where=MASK, initial=2.0)
        np.prod(np.where(MASK, x, 0.0), axis=1)
        np.prod(np.where(MASK, x, 0.0), axis=0)
        np.multiply.reduce(x, axis=-1)
        np.cumsum(x)
        np.cumsum(x, 0)
        np.cumsum(x, -1)
        np.add.accumulate(x)
        np.cumprod(x)
        np.cumprod(x, axis=1)
        np.cumprod(np.where(MASK, x, 0.0), axis=0)
        np.cumprod(np.where(MASK, x, 0.0))
        np.multiply.accumulate(x, 1)
        np.cumulative_sum(x, axis=1, include_initial=True)
        np.cumulative_prod(x, axis=0, include_initial=True)
        np.mean(x)
        np.mean(x, 1)
        np.mean(x, axis=(0, 1), keepdims=True)
        np.mean(x, 0, where=MASK)
        np.average(x)
        np.average(x, axis=1, weights=[1.0, 2.0, 0.5, 1.0])
        np.average(x, weights=A.T ** 2, keepdims=True)
        np.average(x, axis=0, weights=x[:, 0] ** 2 + 1, returned=True)
        np.var(x)
        np.var(x, 0)
        np.var(x, axis=1, ddof=1, keepdims=True)
        np.var(x, axis=1, correction=1)
        np.var(x, axis=0, where=MASK)
        np.var(x, axis=1, mean=np.mean(x, 1, keepdims=True))
        np.std(x)
        np.std(x, 1, ddof=1)
        np.std(x, axis=0, keepdims=True)
        np.std(x, axis=1, where=MASK, mean=np.zeros((3, 1)))
        np.max(x)
        np.max(x, 0)
        np.amax(x, axis=1, keepdims=True)
        np.max(x, axis=(0, 1), initial=-0.5)
        np.max(x, 1, where=MASK, initial=-9.0)
        np.maximum.reduce(x, axis=1)
        np.min(x)
        np.amin(x, -1)
        np.min(x, 0, where=MASK, initial=0.1)
        np.ptp(x)
        np.ptp(x, axis=1, keepdims=True)
        x.sum(), x.mean(0), x.prod(1), x.var(1), x.std(), x.max(0), x.min(1)
        x.cumsum(), x.cumprod(0), x.trace(), x.diagonal(), x.ravel(), x.flatten()
        x.any(), x.all(0), x.argmax(), x.argmin(1), x.nonzero()[0].shape[0]
        np.any(x), np.any(x > 0, axis=1, keepdims=True), np.any(x, where=MASK)
        np.all(x), np.all(x > -1, 0), np.all(x > 0, axis=1, where=MASK)
        np.argmax(x), np.argmax(x, 1), np.argmin(x, axis=0, keepdims=True)
        np.count_nonzero(x), np.count_nonzero(x > 0, axis=1, keepdims=True)
        np.nansum(x + NAN), np.nansum(x + NAN, 1), np.nansum(x + NAN, keepdims=True)
        np.nanprod(x + NAN), np.nanprod(x + NAN, 0)
        np.nancumsum(x + NAN, 1), np.nancumprod(x + NAN)
        np.nanmean(x + NAN), np.nanmean(x + NAN, axis=0), np.nanmean(x + NAN, 1, keepdims=True)
        np.nanvar(x + NAN), np.nanvar(x + NAN, 0), np.nanvar(x + NAN, 1, ddof=1)
        np.nanstd(x + NAN), np.nanstd(x + NAN, 1)
        np.nanmax(x + NAN), np.nanmax(x + NAN, 1), np.nanmin(x + NAN, 0, keepdims=True)
        np.nanargmax(x + NAN), np.nanargmin(x + NAN, 1)
        np.nanmedian(x + NAN), np.nanmedian(x + NAN, 1), np.nanmedian(x + NAN, 0, keepdims=True)
        np.nanquantile(x + NAN, 0.3, axis=1), np.nanpercentile(x + NAN, [10, 50], axis=0)
        np.median(x), np.median(x, 0), np.median(x, axis=1, keepdims=True), np.median(x + NAN, 1)
        np.quantile(x, 0.3), np.quantile(x, [0.1, 0.5, 1.0], axis=1)
        np.quantile(x, [[0.2, 0.9]], axis=(0, 1), keepdims=True)
        np.percentile(x, 75, axis=0), np.percentile(x, [0, 100], 1)
        [np.quantile(x, 0.37, 1, method=m) for m in ("lower", "higher", "nearest", "midpoint")]
        [np.quantile(x, 0.61, method=m) for m in ("hazen", "weibull", "median_unbiased")]
        np.quantile(x, [0.05, 0.6], method="normal_unbiased")
        np.quantile(x, [0.05, 0.6], axis=0, method="interpolated_inverted_cdf")
        np.quantile(A[:, 0], np.abs(np.sin(x)))
        np.linalg.norm(x), np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=0, keepdims=True)
        np.linalg.norm(x, "fro"), np.linalg.norm(x, 1), np.linalg.norm(x, -1)
        np.linalg.norm(x, np.inf), np.linalg.norm(x, -np.inf, keepdims=True)
        np.linalg.norm(x, 1, axis=1), np.linalg.norm(x, np.inf, axis=0)
        np.linalg.norm(x, 0, axis=1)
        np.linalg.norm(x, 3, axis=1), np.linalg.norm(x, -2, axis=0)
        np.linalg.norm(x, 0.5, axis=1)
        np.linalg.norm(x, axis=(1, 0), ord=1), np.linalg.norm(x, axis=(-2, -1), keepdims=True)
        np.linalg.vector_norm(x), np.linalg.vector_norm(x, axis=1, ord=4)
        np.linalg.matrix_norm(x), np.linalg.matrix_norm(x, ord=np.inf, keepdims=True)
        np.reshape(x, (2, 6)), np.reshape(x, -1), np.reshape(x, (4, -1), order="F")
        x.reshape(2, 3, 2)
        np.ravel(x), np.ravel(x.T), np.ravel(x, "F"), np.ravel(x.T, "K"), np.ravel(x.T, order="A")
        np.transpose(x), x.T, x.mT, np.matrix_transpose(x), np.permute_dims(x, (1, 0))
        np.swapaxes(x, 0, -1), np.moveaxis(x, 0, 1), np.rollaxis(x, 1), np.rollaxis(x, 0, 2)
        np.expand_dims(x, 1), np.expand_dims(x, (0, -1)), np.squeeze(x[None])
        np.squeeze(x[:, None], 1)
        np.atleast_1d(x), np.atleast_2d(x[0]), np.atleast_3d(x), np.atleast_3d(x[0], 3.0)
        np.broadcast_to(x, (2, 3, 4)), np.broadcast_to(x[0], (2, 4))
        np.broadcast_arrays(x, x[0], 2.0)
        np.flip(x), np.flip(x, 0), np.flip(x, (0, 1)), np.fliplr(x), np.flipud(x)
        np.rot90(x), np.rot90(x, 2), np.rot90(x, -1), np.rot90(x, 4, (1, 0))
        np.concatenate([x, A.T]), np.concatenate([x, x], axis=-1)
        np.concatenate([x, A.T], axis=None), np.concat([x, x * 2], axis=1)
        np.concatenate(x[None])
        np.stack([x, A.T]), np.stack((x, x), axis=-1), np.stack([x[0, 0], x[1, 2], 3.0])
        np.vstack([x, x[0]]), np.hstack([x, A.T]), np.hstack([x[0], x[0, :1], V])
        np.dstack([x, x])
        np.dstack([x[0], x[1]]), np.column_stack([x, x[:, 0]]), np.column_stack([x[0], x[1]])
        np.block([[x, A.T], [A[:3, :1], x[:, :1], x, A[:3, :2]]]), np.block([x[0], x[1]])
        np.append(x, 3.0), np.append(x, x, axis=0), np.append(A.T, x[:1], 0)
        np.split(x, 2, axis=1), np.split(x, [1], 0), np.array_split(x, 3, -1)
        np.array_split(x, 2)
        np.hsplit(x, 2), np.vsplit(x, [1, 2]), np.unstack(x), np.unstack(x, axis=1)
        np.repeat(x, 2), np.repeat(x, 3, axis=0), np.repeat(x, [1, 0, 2], axis=0)
        np.repeat(x, 1, 1)
        np.tile(x, 2), np.tile(x, (2, 1)), np.tile(x, (2, 1, 3)), np.tile(x[0], (2, 2))
        np.tile(x, 1)
        np.roll(x, 1), np.roll(x, -2, 1), np.roll(x, (1, 2), (0, 1)), np.roll(x, 5, axis=(0, 1))
        np.roll(x, 0)
        np.pad(x, 1), np.pad(x, (1, 2)), np.pad(x, ((0, 1), (2, 0)), constant_values=3.0)
        np.pad(x, 1, constant_values=((1, 2), (3, 4))), np.pad(x, {-1: (1, 2)})
        np.pad(x, 1, "constant", constant_values=x[0, 0])
        np.pad(x, 2, "edge"), np.pad(x, ((2, 1), (0, 3)), mode="reflect")
        np.pad(x, 5, mode="symmetric")
        np.pad(x, (1, 6), mode="wrap")
        np.resize(x, (2, 2)), np.resize(x, (5, 4)), np.resize(x, 3)
        np.delete(x, 1), np.delete(x, [0, 2], 0), np.delete(x, slice(None, None, 2), axis=1)
        np.delete(x, -1, 1)
        np.insert(x, 1, 5.0), np.insert(x, 1, x[:, 0], axis=1)
        np.insert(x, [0, 2], x[:, :2], axis=1)
        np.insert(x, [1, 1, 3], 7.0, axis=1), np.insert(x, 0, x[0], 0)
        np.insert(x, slice(0, 2), 1.0, axis=0)
        np.meshgrid(x[0], x[:, 0]), np.meshgrid(x[0], V, indexing="ij", sparse=True)
        np.meshgrid(x[0])
        np.diag(x), np.diag(x, 1), np.diag(x[0]), np.diag(x[0], -2), np.diagflat(x, 1)
        np.diagonal(x), np.diagonal(x, -1), np.diagonal(x, offset=2), np.diagonal(x, 0, 1, 0)
        np.tril(x), np.tril(x, -1), np.triu(x), np.triu(x, 1), np.tril(x[0]), np.trace(x)
        np.trace(x, 1)
        np.linalg.trace(x), np.linalg.diagonal(x, offset=-1), np.vander(x[0])
        np.vander(x[0], 3, True)
        np.take(x, [0, 5, -1]), np.take(x, 1, axis=1), np.take(x, [[0, 1], [2, 2]], axis=0)
        np.take(x, 2)
        np.take(x, [9, -3], axis=1, mode="wrap"), np.take(x, [9, -3], axis=1, mode="clip")
        x.take([1, 1], 0)
        np.take_along_axis(x, np.argsort(x, 1), 1)
        np.take_along_axis(x, np.array([[2], [0], [1]]), -1)
        np.take_along_axis(x, np.array([3, 3]), None)
        np.compress([True, False, True], x, axis=0), np.compress([0, 1, 1, 0, 1], x)
        np.extract(MASK, x)
        np.where(MASK, x, 2.0), np.where(x > 0, x, x[0]), np.where(MASK, A.T, x)
        np.where([True], x, 0)
        np.sort(x), np.sort(x, 0), np.sort(x, None), np.sort(x, axis=1, kind="stable")
        np.argsort(x), np.argsort(x, 0)
        np.partition(x, 1)[:, 1], np.partition(x, (0, 2), axis=0)[[0, 2]]
        np.partition(x, 4, None)[4]
        np.searchsorted(np.sort(x[0]), V), np.searchsorted(V[[1, 2, 0]], x, side="right")
        np.digitize(x, [-1.0, 0.0, 1.0])
        np.lexsort((x[0], x[0] > 0)), np.lexsort((x, x > 0), axis=0)
        np.digitize(x, [1.0, 0.0], right=True)
        np.dot(x, A), np.dot(x, V[[0, 1, 2, 0]]), np.dot(V, x), np.dot(x, 2.0), np.dot(x[0], x[1])
        np.dot(x, B)
        np.inner(x, A.T), np.inner(x[0], x[1]), np.inner(x, x[0]), np.inner(x, 2.0)
        np.inner(B, A)
        np.outer(x, V), np.outer(x[0], x[:, 0]), np.vdot(x, A.T), np.vdot(x, x), np.kron(x, A)
        np.kron(x[0], A), np.kron(V, x)
        np.tensordot(x, A, 1), np.tensordot(x, B, ([1], [1]))
        np.tensordot(x, B, axes=((0, 1), (2, 1)))
        np.tensordot(x, A, 0), np.tensordot(x, x, (0, 0))
        x @ A, A @ x, x @ x.T, x @ x[0], x[:, 0] @ x, x[0] @ x[1], B @ x, x @ B, B @ x[:, 0]
        x[0] @ B
        np.matmul(x, A), np.matmul(B, x), np.linalg.matmul(x, A), np.matmul(x[None], B)
        np.matmul(x[0], np.ones((4, 0)))
        np.vecdot(x, A.T), np.vecdot(x, x[0]), np.vecdot(x, x, axis=0)
        np.linalg.vecdot(x, A.T, axis=0)
        np.matvec(x, x[0]), np.vecmat(x[:, 0], x), np.linalg.outer(x[0], V)
        np.linalg.tensordot(x, A, axes=1)
        np.linalg.multi_dot([x, A, x]), np.linalg.multi_dot([x[0], A, x, A])
        np.linalg.multi_dot([V, x])
        np.cross(x[:, :3], V), np.cross(A, x[0, :3]), np.cross(x[:, :3], A[:3], axis=0)
        np.cross(x[0, :3], x[1, :3])
        np.linalg.cross(x[:, 1:], A[:3]), np.cross(x, A, axisa=0, axisb=1, axisc=0)
        np.einsum("ij,jk->ik", x, A), np.einsum("ij,jk", x, A), np.einsum("ij->ji", x)
        np.einsum("ij->", x)
        np.einsum("ij->j", x), np.einsum("ij,ij->i", x, A.T), np.einsum("ij,kj->ik", x, x)
        np.einsum("ij,kl", x, A)
        np.einsum("...j,jk->...k", x, A), np.einsum("...,...", x, x[0]), np.einsum("i...->...", x)
        np.einsum(",ij", 2.0, x)
        np.einsum("ij,jk,kl->il", x, A, x), np.einsum("ij,jk,kl", x, A, x, optimize=True)
        np.einsum("ij,ij,ij->j", x, x, x)
        np.einsum(x, [0, 1], A, [1, 2]), np.einsum(x, [0, 1], A, [1, 2], [2, 0])
        np.einsum(x, [Ellipsis, 1], [1, Ellipsis])
        np.einsum("ij,j->i", x, x[0]), np.einsum("i,i", x[0], x[1])
        np.einsum("ij,kij->k", x, B.swapaxes(1, 2))
        np.einsum("ij,kl,lm->ik", x, x, A), np.einsum("ij,ij->ij", x, x[:1])
        np.einsum("i,j,k->ijk", x[0], V, x[:, 0])
        np.zeros_like(x), np.ones_like(x, shape=(2,)), np.full_like(x, 3.0)
        np.full_like(x, x[0, 0]), np.full_like(x, x[0])
        np.linspace(x[0], x[1], 5), np.linspace(x[0], 1.0, 4, endpoint=False)
        np.linspace(0.0, x, 3, axis=1), np.linspace(x, x + 1, 1)
        np.linspace(x[0], x[1], 3, retstep=True), np.logspace(x[0], x[1], 3)
        np.geomspace(x[0] ** 2 + 1, x[1] ** 2 + 2, 4)
        np.apply_along_axis(np.sum, 1, x), np.apply_along_axis(np.cumsum, 0, x)
        np.apply_along_axis(np.outer, 1, x, V)
        np.copy(x), x.copy(), np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)
        np.cov(x), np.cov(x, rowvar=False), np.cov(x[0], x[1], bias=True)
        np.cov(x, ddof=0, aweights=[1.0, 2.0, 1.0, 0.5])
        np.corrcoef(x), np.corrcoef(x[0], x[1]), np.cov(x, fweights=[1, 2, 1, 3])
    """,
    "vector": """
        np.prod(x[:0]), np.sum(x[:0]), np.max(x[:0], initial=2.0)
        np.prod(x * np.array([0, 1, 0, 1, 1]))
        np.prod(x * np.array([1, 1, 0, 1, 1])), np.cumprod(x * np.array([1, 1, 0, 1, 1]))
        np.cumulative_sum(x), np.cumulative_prod(x), np.cumulative_sum(x, include_initial=True)
        np.linalg.norm(x), np.linalg.norm(x, 3), np.linalg.norm(x, 2), np.linalg.norm(x, -1)
        np.linalg.norm(x, 0)
        x.reshape(5, 1), x[None, :].squeeze(), np.atleast_2d(x), np.flip(x), np.roll(x, 2)
        np.tile(x, 3), np.repeat(x, 2)
        np.pad(x, 3, "reflect"), np.pad(x, (0, 7), "wrap"), np.pad(x, (4, 0), "symmetric")
        np.pad(x, 2, mode="empty")[2:-2]
        np.diag(x), np.diagflat(x), np.vander(x), np.tril(x), np.split(x, [1, 3])
        np.array_split(x, 3), np.unstack(x)
        np.bincount([0, 2, 2, 1, 5], x), np.bincount([0, 2, 2, 1, 5], weights=x, minlength=8)
        np.histogram([0.1, 0.5, 0.9, 0.3, 1.0], 4, weights=x)[0], np.sort(x)[::-1], x[::-2] @ V
        np.median(x), np.ptp(x)
        np.inner(x, x), np.outer(x, x), np.kron(x, x), np.dot(x, x), x @ x, np.vecdot(x, x)
        np.einsum("i,i->i", x, x)
        np.convolve(x, V), np.trapezoid(x), np.average(x, weights=[1.0, 2.0, 3.0, 4.0, 5.0])
        np.geomspace(x[0] ** 2 + 1, 3.0, 4), np.linspace(x[0], x[1])
        np.insert(x, [0, 3], [1.0, 2.0]), np.insert(x, 2, x[:2])
        np.partition(x, 2)[2], np.take(x, [4, 0]), np.compress([True, False, True], x)
        np.delete(x, [1, -1])
        np.array_str(x), np.array2string(x, precision=2), np.result_type(x, np.float32)
        np.unravel_index(3, x.shape + (2,))
        np.concatenate([x, [1.0, 2.0]]), np.stack([x, x[::-1]]), np.hstack([x, 1.0, x])
        np.vstack([x, x]), np.block([x, 2.0])
    """,
    "square": """
        np.einsum("ii", x), np.einsum("ii->i", x), np.einsum("ij,ji", x, x)
        np.einsum("ii,ij->j", x, x), np.einsum("ij,jk,kl,li", x, x, x, x)
        np.einsum("ij,kk->ij", x, x)
        np.linalg.matrix_power(x, 0), np.linalg.matrix_power(x, 1), np.linalg.matrix_power(x, 5)
        np.trace(x), np.diagonal(x, 1), np.tril(x) @ np.triu(x), np.rot90(x), x.T @ x
        np.linalg.norm(x), np.linalg.norm(x.T, 1)
        np.cross(x, x.T), np.cross(x, V), np.linalg.cross(x, V[None])
    """,
    "cube": """
        np.sum(x, (0, 2)), np.prod(x, axis=(0, -1)), np.max(x, axis=(2, 0), keepdims=True)
        np.mean(x, (1, 2)), np.var(x, axis=(0, 2))
        np.prod(x, axis=(2, 0), keepdims=True), np.prod(x, 1), np.cumprod(x, 1), np.cumsum(x, -2)
        np.std(x, (0, 1))
        np.median(x, axis=(0, 2)), np.quantile(x, [0.2, 0.7], axis=(0, 2), keepdims=True)
        np.linalg.norm(x, axis=(0, 2)), np.linalg.norm(x, 1, (2, 0))
        np.linalg.norm(x), np.linalg.norm(x, np.inf, axis=(1, 2), keepdims=True)
        np.linalg.vector_norm(x, axis=(0, 1)), np.linalg.matrix_norm(x, ord=1)
        np.transpose(x, (2, 0, 1)), np.moveaxis(x, (0, 1), (-1, -2)), np.rollaxis(x, 2)
        np.rollaxis(x, 0, -1), np.swapaxes(x, 0, 2), np.matrix_transpose(x)
        np.concatenate(x), np.stack(x, 1), np.concatenate(x, axis=1), np.vstack(x), np.hstack(x)
        np.dstack(x), np.dsplit(x, 2), np.column_stack(x)
        np.diagonal(x), np.diagonal(x, 1, 1, 2), np.diagonal(x, 0, 2, 1), np.trace(x, 0, 2, 1)
        np.tril(x), np.triu(x, 1), np.linalg.diagonal(x), np.linalg.trace(x)
        np.einsum("kij,kjl->kil", x, B), np.einsum("kij,kjl", x, B)
        np.einsum("kij,lji->kl", x, B), np.einsum("kij->j", x), np.einsum("...ij->...ji", x)
        np.einsum("kij,kij->kij", x, x)
        np.einsum("...ij,...jk", x, A), np.einsum("kij,jl,lm->mik", x, A, A.T)
        np.einsum("aij,bij->ab", x, x), np.einsum("kij,k->ij", x, [1.0, 2.0])
        x @ A, B @ x, x @ B, x[0] @ B, np.dot(x, A), np.dot(x, B), np.inner(x, A.T)
        np.tensordot(x, B, ((0, 2), (0, 1))), np.tensordot(x, x, 3), np.kron(x, V)
        np.flip(x, (0, 2)), np.rot90(x, 1, (1, 2)), np.roll(x, (1, 1), (0, 2))
        np.pad(x, ((0, 0), (1, 0), (0, 2)), "edge"), np.tile(x, (2, 1, 1)), np.repeat(x, 2, 1)
        np.take(x, [0, 0], 1), np.take_along_axis(x, np.argsort(x, 1), 1), np.sort(x, 1)
        np.ravel(x.transpose(1, 0, 2), "K"), np.ravel(x.T), np.ravel(x[:, ::-1], "K")
        np.block([[[x], [x]]]), np.atleast_3d(x), np.unstack(x, axis=2)
        np.apply_along_axis(np.diag, 1, x), np.nanmedian(x, axis=(0, 2)), np.fliplr(x)
        np.cov(x[0], x[1])
        np.argmax(x), np.argmin(x, 2), np.count_nonzero(x, (0, 1)), np.any(x > 0, (0, 2))
        np.all(x > -2, axis=(1, 2), keepdims=True), np.cross(x[..., :3], V)
        np.expand_dims(x, (1, 4))
    """,
    "number": """
        np.sum(x), np.prod(x), np.mean(x), np.max(x), np.var(x), np.std(x), np.median(x)
        np.cumsum(x), np.cumprod(x), np.ptp(x)
        np.reshape(x, (1, 1)), np.ravel(x), np.expand_dims(x, 0), np.squeeze(x), np.atleast_1d(x)
        np.atleast_2d(x), np.atleast_3d(x), np.transpose(x)
        np.broadcast_to(x, (2, 3)), np.repeat(x, 3), np.tile(x, (2, 2)), np.stack([x, x])
        np.vstack([x, 1.0]), np.hstack([x, x]), np.append(x, [1.0, 2.0])
        np.concatenate([x[None], x[None]])
        np.dot(x, V), np.inner(V, x), np.outer(x, V), np.kron(x, V), np.tensordot(x, V, 0)
        np.einsum(",i", x, V), np.einsum("", x), np.multiply.outer(x, V)
        np.linspace(x, 2.0, 4), np.linspace(0.0, x, 3, endpoint=False), np.full_like(V, 1.0) * x
        np.where(True, x, 2.0), np.pad(np.ravel(x), 1), np.roll(x, 1), np.flip(x)
        np.take(V, 1) * x, np.linalg.norm(x), np.diagflat(x), np.meshgrid(x, V), np.block([x, x])
        np.resize(x, 3), np.argmax(x), np.any(x), np.insert(x, 0, 2.0), np.delete(np.ravel(x), [])
        np.quantile(x, 0.4), np.nansum(x), np.nanmean(x), np.average(x), np.sort(np.ravel(x))
        np.broadcast_arrays(x, V), np.max(x, initial=9.0), np.max(x, initial=-9.0)
        np.cumulative_sum(np.ravel(x))
    """,
    "empty": """
        np.sum(x), np.sum(x, 0), np.sum(x, 1), np.prod(x), np.prod(x, 0), np.prod(x, axis=1)
        np.cumsum(x, 0), np.cumprod(x, 1), np.cumprod(x), np.cumsum(x)
        np.max(x, 1), np.max(x, axis=0, initial=1.0), np.min(x, initial=2.0)
        np.reshape(x, (3, 0)), np.ravel(x), x.T, np.concatenate([x, x]), np.stack([x, x], 1)
        np.flip(x), np.sort(x, 0), np.sort(x)
        x @ np.ones((3, 2)), np.ones((2, 0)) @ x, np.dot(x, V), np.einsum("ij,ij", x, x)
        np.einsum("ij->j", x), np.einsum("ij,jk", x, A.T), np.tensordot(x, x, 2), np.outer(x, V)
        np.kron(x, V), np.vdot(x, x)
        np.linalg.norm(x), np.linalg.norm(x, axis=1), np.repeat(x, 2, 0), np.repeat(x, 2)
        np.tile(x, (2, 2)), np.roll(x, 1), np.roll(x, 1, 0), np.pad(x, 1)
        np.take(x, [0, 1], axis=1), np.diagonal(x), np.trace(x), np.tril(x)
        np.split(x, 3, axis=1), np.array_split(x, 2), np.broadcast_to(x, (2, 0, 3))
        np.vstack([x, V]), np.append(x, [1.0]), np.delete(x, 0, 1), np.argsort(x, 1), np.any(x)
        np.all(x), np.count_nonzero(x), np.linspace(x, x, 3)
        np.moveaxis(x, 0, 1), np.expand_dims(x, 0), np.where(x > 0, x, 0), np.resize(x, (2,))
        np.nansum(x), np.partition(x, 0, axis=1), np.meshgrid(x, V), np.insert(x, 0, V, axis=0)
        np.vstack([x, x]), np.linalg.norm(x, 1, axis=1)
    """,
}
CASES = [
    pytest.param(line, SHAPES[group], id=f"{group}: {line}")
    for group, lines in TABLE.items()
    for line in map(str.strip, lines.strip().splitlines())
]
ONE_VALUE = (  # under vmap every example has its own: these raise
    *("nonzero", "nanargm", "histogram", "np.digitize(x[", "array_str", "array2string"),
    *("np.compress([0, 1", "np.extract"),
)
MAY_BE_A_SCALAR = ("tensordot", 'einsum("", x)')  # NumPy gives arrays without axes
LOOPED = [case for case in CASES if not any(word in case.values[0] for word in ONE_VALUE)]
SMOOTH = [case for case in CASES if case.values[1] not in ((0, 3),)]


def function(line):
    """The expression as a function of ``x``, with every array of its result in a flat list."""
    code = compile(line, line, "eval")

    def run(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = eval(code, {**globals(), "x": x})
        return flat(result)

    return run


def flat(result):
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in flat(part)]
    return [result]


def draw(shape):
    return np.random.default_rng(3).standard_normal(shape)


def is_array(y):
    return isinstance(y, np.ndarray | np.generic | float | int | wg.Array)


def weighted(f, like):
    """A real function of ``x``: the floating results of ``f``, weighted and summed."""
    weights = [np.random.default_rng(k).standard_normal(np.shape(y)) for k, y in enumerate(like)]

    def scalar(x):
        total = 0.0
        for y, w in zip(f(x), weights, strict=True):
            if getattr(y, "dtype", np.dtype(int)).kind == "f":
                total = total + np.sum(np.where(np.isnan(w + y), 0.0, y) * w)
        return total + 0.0 * np.sum(x)

    return scalar


@pytest.mark.parametrize(("line", "shape"), CASES)
def test_value_is_numpys(line, shape):
    f, x = function(line), draw(shape)
    want = f(x)
    inside = []
    wg.vjp(lambda z: inside.append(f(z)) or np.sum(z), x)
    forward = []
    wg.jvp(lambda z: forward.append(f(z)) or np.sum(z), (x,), (x,))
    for got in (*inside, *forward):
        assert len(got) == len(want)
        for mine, theirs in zip(got, want, strict=True):
            if isinstance(theirs, str | tuple | np.dtype):
                assert mine == theirs
                continue
            assert np.shape(mine) == np.shape(theirs)
            assert np.result_type(mine) == np.result_type(theirs)
            value = innermost(mine)
            if not any(word in line for word in MAY_BE_A_SCALAR):
                assert isinstance(value, np.ndarray) == isinstance(theirs, np.ndarray)
            np.testing.assert_allclose(value, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("line", "shape"), CASES)
def test_gradient_is_that_of_differences_in_both_modes(line, shape):
    f, x = function(line), draw(shape)
    scalar = weighted(f, f(x))
    g = wg.grad(scalar)(x)
    assert np.shape(g) == x.shape
    np.testing.assert_allclose(g, gradient(scalar, x), rtol=1e-6, atol=1e-7)
    dx = np.random.default_rng(4).standard_normal(shape)
    _, dy = wg.jvp(scalar, (x,), (dx,))
    np.testing.assert_allclose(dy, np.sum(g * dx), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("line", "shape"), SMOOTH)
def test_second_order(line, shape):
    f, x = function(line), draw(shape)
    scalar = weighted(f, f(x))
    v, w = np.random.default_rng(5).standard_normal((2, *shape))
    forward_over_reverse = np.sum(w * wg.jvp(wg.grad(scalar), (x,), (v,))[1])
    want = gradient(lambda t: np.sum(w * wg.grad(scalar)(x + t * v)), np.array(0.0))
    np.testing.assert_allclose(forward_over_reverse, want, rtol=1e-6, atol=1e-6)
    reverse = wg.grad(lambda z: np.sum(v * wg.grad(scalar)(z)))(x)
    np.testing.assert_allclose(np.sum(w * reverse), want, rtol=1e-6, atol=1e-6)
    forward = wg.jvp(lambda z: wg.jvp(scalar, (z,), (v,))[1], (x,), (w,))[1]
    np.testing.assert_allclose(forward, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("line", "shape"), LOOPED)
def test_vmap_is_a_loop(line, shape):
    f = function(line)
    xs = draw((3, *shape))

    def arrays(x):
        return [y for y in f(x) if is_array(y)]

    got = wg.vmap(arrays)(xs)
    for mine, *theirs in zip(got, *[arrays(x) for x in xs], strict=True):
        np.testing.assert_allclose(mine, np.stack(theirs), rtol=1e-12, atol=1e-13)
    scalar = weighted(f, f(xs[0]))
    want = [wg.grad(scalar)(x) for x in xs]
    np.testing.assert_allclose(wg.vmap(wg.grad(scalar))(xs), want, rtol=1e-9, atol=1e-10)
