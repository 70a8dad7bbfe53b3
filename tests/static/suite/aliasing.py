"""Which array is which: arguments that are one or overlap, writes into them, views given back."""

import numpy as np

import wengert as wg

from .case import EITHER, A, B, C, M, Step, case


@case((A,), (B,), (C,), (A,))
def an_argument_is_written():
    def step(x):
        x[...] = x * 2
        x[0] = 7.0
        return np.sum(x)

    return step


@case((A, 1.0), (B, 2.0), (C, 1.0), (A, 1.0))
def an_argument_is_augmented():
    """``+=`` is a write into an array, and a new value of a scalar."""

    def step(x, t):
        x += t
        t *= 2.0
        return x * t, t

    return step


@case((np.array(2.0),), (np.float64(2.0),), (2.0,), (np.array(3.0),), (np.float64(5.0),), (4.0,))
def an_array_without_axes_or_a_scalar():
    def step(x):
        y = x
        y += 1.0
        return x * 10, y

    return step


@case((A, B), (B, A), (C, B), (A, C))
def results_into_an_argument():
    def step(x, y):
        np.multiply(x, 3.0, out=y)
        return np.add(y, 1.0, out=y)

    return step


def overlapping(first, second):
    def build():
        base = np.arange(1.0, 7.0)
        return base[first], base[second]

    return build


@case(
    overlapping(slice(0, 3), slice(3, 6)),
    overlapping(slice(0, 3), slice(1, 4)),
    overlapping(slice(2, 5), slice(0, 3)),
    overlapping(slice(0, 3), slice(0, 3)),
    expect=EITHER,
)
def overlapping_views_of_plain_arrays():
    def step(x, y):
        x[...] = y * 2
        return x.sum() + 10 * y.sum()

    return step


def wengert_views(first, second):
    def build():
        base = wg.array(np.arange(1.0, 7.0))
        return base[first], base[second], base

    return build


@case(
    wengert_views(slice(0, 3), slice(3, 6)),
    wengert_views(slice(0, 3), slice(1, 4)),
    wengert_views(slice(2, 5), slice(0, 3)),
    wengert_views(slice(0, 6, 2), slice(0, 3)),
)
def overlapping_views_of_handles():
    """The base comes as well, as the third argument."""

    def step(x, y, base):
        x[...] = y * 2
        base[5] += 1.0
        return x.sum() + 10 * y.sum() + 100 * base.sum()

    return step


def view_and_base(index):
    def build():
        base = np.arange(1.0, 4.0)
        return base[index], base

    return build


@case(
    view_and_base(slice(0, 2)),
    view_and_base(slice(1, 3)),
    lambda: (np.ones(2), np.arange(1.0, 4.0)),
    view_and_base(slice(None, None, 2)),
    expect=EITHER,
)
def a_view_whose_base_comes_too():
    def step(view, base):
        base[1] = 10.0
        view[0] = base[2] * 3
        return base * 1.0, view * 1.0

    return step


@case((A, A), (A, A), (A, B), (A, A))
def the_same_array_twice():
    def step(x, y):
        x[0] += 1.0
        return x * 2 + y

    return step


@case(
    ({"a": A, "b": [A, B]},),
    ({"a": A, "b": [B, B]},),
    ({"a": A, "b": [B, C]},),
    ({"a": A, "b": [A, B]},),
)
def the_same_array_in_a_container():
    def step(p):
        p["a"][...] *= 2
        p["b"][1][0] = 5.0
        return sum(p["b"]) + p["a"]

    return step


@case((A, B), (B, A), (A, A), (C, B))
def arguments_given_back():
    return lambda x, y: (y, x + 1, {"x": x, "again": y})


@case((A,), (B,), (C,), (A,))
def one_array_given_back_twice():
    def step(x):
        y = x * 2
        return y, y, [y]

    return step


@case((A,), (B,), (C,), (A,))
def views_given_back():
    """Of an argument and of a result: they share memory with it."""

    def step(x):
        y = x * 2
        return x[1:], y, y[::-1], y.reshape(3, 1)

    return step


@case((A,), (B,), (C,), (A,))
def a_result_written_by_its_owner():
    """What was given away belongs to the caller; the next call must not see what he does to it."""

    def step(x):
        return x * 0 + np.arange(3.0), x - x[0]

    def between(result):
        for part in result:
            part[...] = -99.0

    return Step(step, between=between)


@case((A,), (A,), (B,), (A,), expect=EITHER)
def a_closed_over_array_given_back():
    """It is that array itself: what the caller writes into it the next call reads."""
    weights = np.ones(3)

    def step(x):
        return weights, x * weights

    def between(result):
        result[0][...] += 1

    return Step(step, state=lambda: weights, between=between)


@case((A,), (B,), (C,), (A,), expect=EITHER)
def a_view_of_a_closed_over_array_is_written():
    weights = np.ones((2, 3))
    row = weights[1]

    def step(x):
        row[...] = row * 0.5 + x
        return weights.sum(axis=0)

    return Step(step, state=lambda: weights)


@case((A,), (B,), (C,), (A,))
def views_inside():
    def step(x):
        y = x * 1.0
        v = y[1:]
        v *= y[0]
        w = y[::-1]
        w[0] = v[0] * 2
        return y, v * 1.0

    return step


@case((A,), (B,), (C,), (-C,))
def masks_read_and_written():
    """As many elements as are positive."""

    def step(x):
        y = x.copy()
        y[y < 0] = 0.0
        y[x > 2] *= 10
        return y, x[x > 0], np.count_nonzero(x > 0)

    return step


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@case((read_only(A),), (A,), (read_only(B),), (C,))
def a_read_only_argument():
    return lambda x: x * 2 + x[0]


@case((read_only(A),), (A,), (read_only(B),), (C,), expect=EITHER)
def a_write_into_a_read_only_argument():
    def step(x):
        y = x * 3
        try:
            x[0] = 5.0
        except ValueError:
            return y
        return y + x

    return step


@case((M,), (np.asfortranarray(M),), (M[:, ::-1],), (np.repeat(M, 2, 0)[::2],), (M[::-1],), (M,))
def memory_layouts():
    """Reshaping is a view of one layout and a copy of another; the write below tells."""

    def step(x):
        flat = x.reshape(-1)
        flat[1] = 50.0
        return x * 2, np.ravel(x, order="K"), x.T.reshape(-1)

    return step


@case((A,), (np.broadcast_to(2.0, 3),), (B,), (np.broadcast_to(np.float64(-1.0), 3),))
def an_argument_without_strides():
    return lambda x: np.cumsum(x) * x


@case((A, B), (B, A), (A, A), (C, A))
def arguments_swapped_in_place():
    def step(x, y):
        x[:], y[:] = y.copy(), x.copy()
        return x - y

    return step


@case((A, B), (B, A), (A, A), (C, A))
def arguments_swapped_the_wrong_way():
    def step(x, y):
        x[:], y[:] = y, x
        return x + 2 * y

    return step


@case((A,), (B,), (C,), (A,))
def overlapping_writes_inside():
    def step(x):
        y = np.concatenate([x, x * 2])
        y[1:] = y[:-1]
        y[:3] += y[3:]
        return y

    return step


@case((np.arange(3),), (np.arange(3) * 5,), (A,), (np.arange(3),), expect=EITHER)
def a_float_into_an_array_of_integers():
    """NumPy cuts what does not fit when it assigns, and refuses to augment."""

    def step(x):
        x[0] = 2.7
        try:
            x += 0.5
        except TypeError:
            return x * 2
        return x

    return step


@case((M,), (M * 2,), (M[:, :2],), (M,))
def rows_written_by_index_arrays():
    def step(x):
        y = np.zeros_like(x)
        y[[1, 0]] = x
        np.add.at(y, [0, 0], x[1])
        return y, y[[0, 0]]

    return step


@case((A, B, C), (B, A, C), (C, B, A), (A, C, B))
def other_arguments_given_back_on_each_path():
    """In another number and order, so that places in one path's list are not those in another's."""

    def step(x, y, z):
        if x.sum() > 3:
            return [z]
        if x.sum() > 0:
            return [y, z]
        return [x, z, y]

    return step


@case((A,), (B,), (C,), (A,))
def a_view_without_axes():
    """Of an argument that is written after it: an array, which shows what was written."""

    def step(x):
        flipped = np.flip(x)
        last = flipped[0, ...]
        np.add.at(flipped, [0, 2], 5.0)
        return last

    return step


@case((A,), (B,), (C,), (A,))
def the_gradient_of_a_result_that_is_a_view():
    def inner(x):
        return x * 2, x[1:]

    inner = wg.compile(inner) if hasattr(wg, "compile") else inner

    def step(x):
        return wg.value_and_grad(lambda v: np.sum(inner(v)[0] ** 2) + 3 * np.sum(inner(v)[1]))(x)

    return step
