"""Plain NumPy programs that write in place: a NumPy run of each says what is right."""

import numpy as np

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])


def reshape_view(x):
    y = x * 1.0
    v = y.reshape(-1)
    v[4] = y[0, 0] ** 2
    return np.sum(y**3) + v[4]


def reshape_of_a_transpose_copies(x):
    y = x * 1.0
    v = y.T.reshape(-1)
    v[0] = 9.0
    return np.sum(y**3) + np.sum(v)


def reshape_of_a_scalar_copies(x):
    s = np.sum(x * x)
    v = np.reshape(s, (1,))
    v[0] = 5.0 * x[0, 0]
    return s + v[0]


def zero_dimensional_view(x):
    y = x * 1.0
    v = y[0, 1, ...]
    v += x[1, 1] * 2
    v *= 3
    return np.sum(y**2) + v


def view_of_view_of_view(x):
    y = x * 1.0
    v = y[::-1][:, 1:][..., ::-1]
    v[0] *= x[0, 1]
    v[1, 0] = x[0, 0] * y[1, 2]
    return np.sum(y**2) + np.sum(v)


def new_axes(x):
    y = x * 1.0
    v = y[:, None, 1]
    v[0] = x[1, 2] ** 2
    w = y[None][0][1]
    w -= v[0]
    return np.sum(y**2 * X)


def advanced_read_is_a_copy(x):
    y = x * 1.0
    v = y[[0, 1]]
    v[0] = 3.0
    w = v.reshape(-1)
    w[5] = x[0, 0]
    return np.sum(y**2) + np.sum(v**2)


def masked_rows(x):
    y = x * 1.0
    y[y[:, 0] > 1] = x[0, 0]
    y[:, np.array([True, False, True])] *= x[1, 1]
    return np.sum(y**2)


def a_name_for_the_same_array(x):
    y = x * 1.0
    t = y
    y += x
    t[0] = y[1] * 2
    return np.sum(y**2 * t)


def scalars_rebind(x):
    s = np.sum(x)
    t = s
    s += 1.0
    s *= x[0, 0]
    return s * t


def overlapping(x):
    y = x.reshape(-1) * 1.0
    y[1:] = y[:-1]
    y[::-1] += y
    y[:3], y[3:] = y[3:], y[:3]
    return np.sum(y**2 * np.arange(6.0))


def out_into_views(x):
    y = np.zeros_like(x)
    np.multiply(x, x, out=y[:, ::-1])
    np.add(y[0], x[1], out=y[1])
    np.sin(y, out=y)
    return np.sum(y * x)


def fill_and_sort_like(x):
    y = x * 1.0
    y[0].fill(2.5)
    y[1, ::2] = 0
    y[...] = y * x
    return np.sum(y)


def write_into_an_ellipsis(x):
    y = x + 1
    y[...] = x**2
    z = y[...]
    z[0, 0] = y[1, 1] * 3
    return np.sum(y)


def swap_through_a_view(x):
    y = x * 1.0
    a, b = y[0], y[1].copy()
    y[1] = a
    a[:] = b
    return np.sum(y**2 * X)


def last_writer(x):
    y = np.zeros_like(x)
    y[[0, 1, 0]] = np.stack([x[0], x[1], x[1] * x[0]])
    y[[0, 0], [1, 1]] += x[0, :2]
    return np.sum(y**2)


def accumulated_writes(x):
    y = x * 1.0
    np.add.at(y, ([0, 0, 1], [1, 1, 2]), x[0])
    np.subtract.at(y, [0, 0], x[1])
    return np.sum(y**2)


PROGRAMS = [value for name, value in list(globals().items()) if callable(value)]
