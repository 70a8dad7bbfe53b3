"""What is a view: writes through the result of each function reach the array, or not, as in NumPy.

Aliasing follows NumPy, whatever a transformation does to the data.
"""

import warnings

import numpy as np
import pytest

import wengert as wg

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])
LOOKS = {
    "T": lambda y: y.T,
    "mT": lambda y: y.mT,
    "reshape": lambda y: y.reshape(3, 2),
    "ravel": lambda y: y.ravel(),
    "np.ravel": lambda y: np.ravel(y),
    "flatten": lambda y: y.flatten(),
    "reshape T": lambda y: y.T.reshape(-1),
    "ravelF": lambda y: y.ravel("F"),
    "T.ravelF": lambda y: y.T.ravel("F"),
    "ravelK": lambda y: y.T.ravel("K"),
    "ravelA": lambda y: y.T.ravel("A"),
    "reshapeF": lambda y: y.reshape((3, 2), order="F"),
    "T.reshapeF": lambda y: y.T.reshape((2, 3), order="F"),
    "swapaxes": lambda y: np.swapaxes(y, 0, 1),
    "moveaxis": lambda y: np.moveaxis(y, 0, 1),
    "transpose": lambda y: np.transpose(y),
    "expand": lambda y: np.expand_dims(y, 1),
    "squeeze": lambda y: np.squeeze(y[None]),
    "flip": lambda y: np.flip(y),
    "flip0": lambda y: np.flip(y, 0),
    "fliplr": lambda y: np.fliplr(y),
    "flipud": lambda y: np.flipud(y),
    "rot90": lambda y: np.rot90(y),
    "split": lambda y: np.split(y, 3, axis=1)[1],
    "array_split": lambda y: np.array_split(y, 2, axis=1)[0],
    "hsplit": lambda y: np.hsplit(y, 3)[2],
    "vsplit": lambda y: np.vsplit(y, 2)[1],
    "atleast3d": lambda y: np.atleast_3d(y),
    "atleast2d": lambda y: np.atleast_2d(y),
    "atleast1d": lambda y: np.atleast_1d(y),
    "diagonal": lambda y: np.diagonal(y),
    "diag": lambda y: np.diag(y),
    "real": lambda y: y.real,
    "np.real": lambda y: np.real(y),
    "imag": lambda y: y.imag,
    "roll": lambda y: np.roll(y, 1),
    "tile": lambda y: np.tile(y, 1),
    "repeat": lambda y: np.repeat(y, 1, axis=0),
    "take": lambda y: np.take(y, [0], axis=0),
    "y.take": lambda y: y.take([0], axis=0),
    "copy": lambda y: y.copy(),
    "np.copy": lambda y: np.copy(y),
    "astype": lambda y: y.astype(float),
    "astype nocopy": lambda y: y.astype(float, copy=False),
    "astype32": lambda y: y.astype(np.float32, copy=False),
    "+y": lambda y: +y,
    "positive": lambda y: np.positive(y),
    "conj": lambda y: y.conj(),
    "np.conj": lambda y: np.conj(y),
    "broadcast_to": lambda y: np.broadcast_to(y, (2, 2, 3)),
    "bcast arrays": lambda y: np.broadcast_arrays(y, y)[0],
    "concat1": lambda y: np.concatenate([y]),
    "stack1": lambda y: np.stack([y])[0],
    "where": lambda y: np.where(True, y, y),
    "sort": lambda y: np.sort(y),
    "abs": lambda y: abs(y),
    "round": lambda y: np.round(y, 12),
    "nan_to_num": lambda y: np.nan_to_num(y),
    "clip": lambda y: np.clip(y, -99, 99),
    "pad0": lambda y: np.pad(y, 0),
    "trim": lambda y: y[:],
    "ell": lambda y: y[...],
    "emptytuple": lambda y: y[()],
    "tril": lambda y: np.tril(y),
    "einsum": lambda y: np.einsum("ij->ji", y),
    "einsum id": lambda y: np.einsum("ij->ij", y),
    "einsum diag": lambda y: np.einsum("ii->i", y[:, :2]),
    "sum axis()": lambda y: np.sum(y, axis=()),
    "mean ()": lambda y: np.mean(y[None], axis=0),
    "matrix_transpose": lambda y: np.matrix_transpose(y),
    "permute_dims": lambda y: np.permute_dims(y, (1, 0)),
    "rollaxis": lambda y: np.rollaxis(y, 1),
    "unstack": lambda y: np.unstack(y)[1],
    "maximum.reduce": lambda y: np.maximum(y, -99),
    "asarray": lambda y: np.asanyarray(y) if isinstance(y, np.ndarray) else y,
    "iter": lambda y: list(y)[1],
    "y[0]": lambda y: y[0],
    "squeeze m": lambda y: y[None].squeeze(),
    "swap m": lambda y: y.swapaxes(0, 1),
    "diagonal m": lambda y: y.diagonal(),
    "reshape same": lambda y: y.reshape(2, 3),
    "reshape copy": lambda y: np.reshape(y, (3, 2), copy=True),
}


def program(look, dtype):
    """Writes through ``look(y)`` and gives y."""

    def f(x):
        y = x * np.ones((), dtype)
        look(y)[...] = 7.0
        return y

    return f


def outcome(run):
    """What ``run()`` gives, or the class of what it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        try:
            return np.asarray(run())
        except (ValueError, TypeError, wg.errors.WengertError):
            return None


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("name", LOOKS)
def test_writes_reach_what_they_reach_in_numpy(name, dtype):
    f = program(LOOKS[name], dtype)
    want = outcome(lambda: f(X.copy()))
    runs = {
        "an array": lambda: f(wg.array(X)).numpy(),
        "reverse": lambda: wg.vjp(f, X)[0],
        "forward": lambda: wg.jvp(f, (X,), (X,))[0],
        "batched": lambda: wg.vmap(f)(np.stack([X, X]))[1],
        "batched along the last axis": lambda: wg.vmap(f, in_axes=2)(np.stack([X, X], axis=2))[1],
    }
    for mode, run in runs.items():
        got = outcome(run)
        if want is None:
            assert got is None, f"{mode}: NumPy refuses, we give {got}"
        else:
            assert got is not None, f"{mode}: refused, NumPy gives {want}"
            np.testing.assert_array_equal(got, want, err_msg=mode)
