"""Views and writes: random programs, compared with what NumPy does to plain arrays.

A program is a list of steps drawn on plain arrays: looks at what is there (``reshape``, ``T``,
slices, ``diagonal``, …), computes, writes into what it has, directly and through views of views.
Which of these are views, which copies, and which of them refuse to be written, is NumPy's to say.
"""

import operator
import warnings
from math import prod

import numpy as np
import pytest

import wengert as wg

LENGTHS = [(4,), (2, 3), (3, 2), (2, 2), (3, 3), (2, 1, 3), (2, 3, 2), (1, 4), ()]


def pick(rng, options):
    return options[int(rng.integers(len(options)))]


def some_slice(rng, n):
    start, stop = sorted(int(k) for k in rng.integers(0, n + 1, 2))
    step = pick(rng, [1, 1, 2, -1])
    return slice(start, stop, step) if step > 0 else slice(stop - 1 if stop else 0, None, step)


def basic_index(rng, shape):
    entries = []
    for n in shape:
        kind = rng.integers(5)
        if kind == 0 and n:
            entries.append(int(rng.integers(-n, n)))
        elif kind == 1:
            entries.append(slice(None))
        elif kind == 2:
            entries.append(slice(None, None, -1))
        else:
            entries.append(some_slice(rng, n))
    if rng.integers(4) == 0:
        entries.insert(int(rng.integers(len(entries) + 1)), None)
    if rng.integers(3) == 0:
        return (*entries[: int(rng.integers(len(entries) + 1))], Ellipsis)
    return tuple(entries)


def write_index(rng, shape):
    """An index to write at, advanced ones without repetition."""
    if rng.integers(3) or not shape or not shape[0]:
        return basic_index(rng, shape)
    if rng.integers(2):
        return rng.random(shape[: int(rng.integers(1, len(shape) + 1))]) < 0.5
    return rng.permutation(shape[0])[: int(rng.integers(1, shape[0] + 1))]


def factors(rng, size):
    if size < 2 or rng.integers(3) == 0:
        return (size,)
    divisors = [k for k in range(1, size + 1) if size % k == 0]
    first = pick(rng, divisors)
    return (first, *factors(rng, size // first))


def looks(rng, x):
    """A function that looks at ``x``, or makes something of it."""
    n = x.ndim
    options = [
        lambda: (lambda shape: lambda y: np.reshape(y, shape))(factors(rng, x.size)),
        lambda: (lambda shape: lambda y: y.reshape(shape, order="F"))(factors(rng, x.size)),
        lambda: (lambda order: lambda y: np.ravel(y, order))(pick(rng, "CFKA")),
        lambda: lambda y: y.reshape(-1),
        lambda: lambda y: y.T,
        lambda: (lambda axes: lambda y: np.transpose(y, axes))(rng.permutation(n).tolist()),
        lambda: (lambda index: lambda y: y[index])(basic_index(rng, x.shape)),
        lambda: (lambda index: lambda y: y[index])(basic_index(rng, x.shape)),
        lambda: (lambda axis: lambda y: np.expand_dims(y, axis))(int(rng.integers(n + 1))),
        lambda: np.squeeze,
        lambda: np.flip,
        lambda: np.atleast_1d,
        lambda: np.atleast_2d,
        lambda: np.atleast_3d,
        lambda: lambda y: y[...],
        lambda: lambda y: np.broadcast_to(y, (2, *x.shape)),
        lambda: lambda y: np.broadcast_arrays(y, np.zeros(x.shape))[0],
        lambda: np.copy,
        lambda: lambda y: y.copy(),
        lambda: lambda y: y.flatten(),
        lambda: lambda y: y.astype(float, copy=False),
        lambda: np.real,
        lambda: np.sin,
        lambda: lambda y: y * 0.5,
        lambda: lambda y: y.T + y.T,
        lambda: lambda y: np.where(y > 0, y, 0.1),
        lambda: lambda y: np.tile(y, 1),
        lambda: lambda y: np.repeat(y, 1),
        lambda: lambda y: np.repeat(y, 2),
        lambda: lambda y: np.roll(y, 1),
        lambda: lambda y: np.concatenate([np.ravel(y), np.ravel(y)]),
        lambda: lambda y: np.stack([y, y], axis=-1),
        lambda: lambda y: np.stack([y, y]).T,
        lambda: lambda y: np.take(y, np.arange(x.size)),
        lambda: np.cumsum,
        lambda: np.meshgrid,
        lambda: lambda y: np.pad(y, 0),
        lambda: lambda y: np.append(y, 1.0),
        lambda: lambda y: np.vstack([y]) if n < 3 else y,
        lambda: lambda y: np.block([y]),
        lambda: np.positive,
        lambda: lambda y: np.clip(y, -3, 3),
        lambda: lambda y: np.resize(y, x.shape),
        lambda: lambda y: np.linspace(y, y + 1, 2),
    ]
    if n:
        axis = int(rng.integers(n))
        options += [
            lambda: lambda y: np.flip(y, axis),
            lambda: lambda y: np.array_split(y, 2, axis)[0],
            lambda: lambda y: np.array_split(y, 2, axis)[1],
            lambda: lambda y: np.moveaxis(y, axis, 0),
            lambda: lambda y: np.rollaxis(y, axis),
            lambda: lambda y: np.swapaxes(y, 0, axis),
            lambda: lambda y: np.split(y, [1], axis)[0],
            lambda: lambda y: np.unstack(y, axis=axis)[0] if y.shape[axis] else y,
            lambda: lambda y: np.insert(y, 0, 1.0, axis),
            lambda: lambda y: np.delete(y, [], axis),
            lambda: lambda y: np.sort(y, axis),
            lambda: lambda y: np.sum(y, axis),
            lambda: lambda y: np.mean(y, axis, keepdims=True),
            lambda: lambda y: y[[0] * (y.shape[0] > 0)],
            lambda: lambda y: np.diff(y, axis=axis),
            lambda: lambda y: np.column_stack([y]) if n < 3 else y,
            lambda: lambda y: np.einsum("...i->i...", y),
            lambda: lambda y: np.tril(y) if n > 1 else np.diag(y),
        ]
    if n > 1:
        options += [
            lambda: np.rot90,
            lambda: lambda y: np.rot90(y, 2),
            lambda: lambda y: np.rot90(y, -1),
            lambda: np.fliplr,
            lambda: np.diagonal,
            lambda: lambda y: np.diagonal(y, 1, 1, 0),
            lambda: lambda y: y.mT,
            lambda: lambda y: np.diag(y) if n == 2 else y,
            lambda: lambda y: y @ y.mT,
            lambda: lambda y: np.kron(y, [1.0, 0.5]),
        ]
    if n == 2 and x.shape[0] == x.shape[1]:
        options += [
            lambda: lambda y: np.einsum("ii->i", y),
            lambda: lambda y: np.einsum("ij->ji", y),
        ]
    return pick(rng, options)()


def value_for(rng, arrays, shape, own=False):
    """Something of ``shape`` to write: of what there is where it fits, else numbers.

    ``own``: an array of its own, where NumPy's result depends on the order in which it writes.
    """
    fitting = [k for k, a in enumerate(arrays) if a.shape == shape and a.size]
    if fitting and rng.integers(3):
        k = pick(rng, fitting)
        return lambda arrays: arrays[k] * 0.7 if own or k % 2 else arrays[k]
    k = int(rng.integers(len(arrays)))
    constants = rng.standard_normal(shape)
    return lambda arrays: constants + np.sum(arrays[k]) * 0.3


def writes(rng, arrays, k):
    """A step that writes into array ``k``."""
    x = arrays[k]
    options = ["update", "update", "index", "index", "index", "out", "copyto", "put", "augmented"]
    options += ["fill", "putmask", "sort"] if x.ndim else ["update"]
    kind = pick(rng, options)
    if kind == "update":
        op = pick(rng, [operator.iadd, operator.isub, operator.imul])
        value = value_for(rng, arrays, x.shape)

        def step(arrays):
            arrays[k] = op(arrays[k], value(arrays))

    elif kind in ("index", "augmented"):
        index = write_index(rng, x.shape)
        value = value_for(rng, arrays, np.shape(x[index]), not isinstance(index, tuple))

        def step(arrays):
            if kind == "index":
                arrays[k][index] = value(arrays)
            else:
                arrays[k][index] *= 0.5

    elif kind == "out":
        value = value_for(rng, arrays, x.shape)

        def step(arrays):
            np.multiply(value(arrays), 0.9, out=arrays[k])

    elif kind == "copyto":
        value = value_for(rng, arrays, x.shape, not x.flags.writeable)
        mask = rng.random(x.shape) < 0.5

        def step(arrays):
            np.copyto(arrays[k], value(arrays), where=mask)

    elif kind == "put":
        places = rng.permutation(max(x.size, 1))[:2] if x.size else []

        def step(arrays):
            np.put(arrays[k], places, [0.3, 0.4])

    elif kind == "putmask":
        mask, value = rng.random(x.shape) < 0.5, value_for(rng, arrays, x.shape, True)

        def step(arrays):
            np.putmask(arrays[k], mask, value(arrays))

    elif kind == "fill":

        def step(arrays):
            arrays[k].fill(0.25)

    else:

        def step(arrays):
            arrays[k].sort()

    return step


def looking(look, k):
    def step(arrays):
        result = look(arrays[k])
        arrays.append(result[0] if isinstance(result, tuple) else result)

    return step


def drawn(seed):
    """``(x, steps, refused)``: a program, and which of its steps NumPy refuses."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(pick(rng, LENGTHS))
    arrays, steps, refused = [x * 1.0], [], set()
    for number in range(int(rng.integers(4, 13))):
        k = int(rng.integers(len(arrays)))
        if isinstance(arrays[k], np.ndarray) and rng.integers(2):
            step = writes(rng, arrays, k)
        else:
            step = looking(looks(rng, np.asarray(arrays[k])), k)
        try:
            step(arrays)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            refused.add(number)
        steps.append(step)
        if prod(arrays[-1].shape) > 60:
            break
    return x, steps, refused


def function(steps, refused):
    def run(x):
        arrays = [x * 1.0]
        for number, step in enumerate(steps):
            if number in refused:
                if isinstance(x, wg.Array):
                    with pytest.raises(wg.errors.ReadOnlyError):
                        step(arrays)
                continue
            step(arrays)
        total = 0.0
        for k, array in enumerate(arrays):
            weights = np.random.default_rng(k).standard_normal(np.shape(array))
            total = total + np.sum(array * weights) + 0.1 * np.sum(np.sin(array))
        return total

    return run


@pytest.mark.fuzz
def test_random_programs_of_views_and_writes(seeds):
    for seed in seeds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            compare(seed)


def compare(seed):
    x, steps, refused = drawn(seed)
    f = function(steps, refused)
    message = f"seed {seed}"
    y, pullback = wg.vjp(f, x)
    np.testing.assert_allclose(y, f(x), rtol=1e-11, atol=1e-12, err_msg=message)
    if np.isnan(y):  # the mean of nothing
        return
    (g,) = pullback(np.ones(())[()])
    want = np.zeros(x.shape)
    for index in np.ndindex(x.shape):  # short steps: a sort has a kink wherever two elements meet
        step = np.zeros(x.shape)
        step[index] = 1e-5
        want[index] = (f(x + step) - f(x - step)) / 2e-5
    scale = 1 + np.max(np.abs(want), initial=0)
    np.testing.assert_allclose(g / scale, want / scale, rtol=1e-5, atol=1e-6, err_msg=message)
    dx = np.random.default_rng(seed).standard_normal(x.shape)
    _, dy = wg.jvp(f, (x,), (dx,))
    np.testing.assert_allclose(dy, np.sum(g * dx), rtol=1e-9, atol=1e-10, err_msg=message)
    leaf = wg.array(x, requires_grad=True)
    f(leaf).backward()
    np.testing.assert_allclose(leaf.grad.numpy(), g, rtol=1e-11, atol=1e-12, err_msg=message)
    v, w = np.random.default_rng(seed).standard_normal((2, *x.shape))
    second = [
        np.sum(w * wg.jvp(wg.grad(f), (x,), (v,))[1]),
        np.sum(w * wg.grad(lambda z: np.sum(v * wg.grad(f)(z)))(x)),
        np.sum(w * wg.grad(lambda z: wg.jvp(f, (z,), (v,))[1])(x)),
        wg.jvp(lambda z: wg.jvp(f, (z,), (v,))[1], (x,), (w,))[1],
    ]
    np.testing.assert_allclose(second, second[0], rtol=1e-8, atol=1e-8, err_msg=message)
    if not x.ndim:  # an array without axes and a scalar look the same there
        return
    xs = np.stack([x, x * 0.5 + 0.1])
    want = [f(z) for z in xs]
    np.testing.assert_allclose(wg.vmap(f)(xs), want, rtol=1e-11, atol=1e-12, err_msg=message)
    want = [wg.grad(f)(z) for z in xs]
    got = wg.vmap(wg.grad(f))(xs)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9, err_msg=message)
