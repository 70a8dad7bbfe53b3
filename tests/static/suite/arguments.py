"""Arguments of every kind: what is static, what is dynamic, and what only looks equal."""

import enum

import numpy as np

from .case import EITHER, A, B, C, M, Step, call, case


@case((A, None), (A, B), (A, "mean"), (A, "sum"), (B, None))
def none_strings_and_arrays():
    def step(x, how):
        if how is None:
            return x
        return getattr(np, how)(x) if isinstance(how, str) else x + how

    return step


@case((A, True), (A, False), (B, True), (B, False))
def a_boolean():
    return lambda x, double: x * 2 if double else x


@case((A, 1), (A, True), (A, 1.0), (A, np.int64(1)), (A, np.True_), (A, 2))
def what_equals_one():
    """1, True, 1.0, np.int64(1): equal and hashed alike, and different to NumPy."""

    def step(x, n):
        ints = np.arange(3)
        return x * n, ints * n, type(n).__name__

    return step


@case((A, 1), (A, 2), (A, 3), (B, 3))
def an_integer_as_a_trip_count():
    def step(x, n):
        for _ in range(n):
            x = x * x
        return x

    return step


@case((A, 1), (A, 2), (A, 3), (A, 4), (B, 5), (B, 6), rounds=2)
def an_integer_as_a_number():
    """The step number of Adam: another one in every call, and the same program."""
    return lambda x, t: x / (1 - 0.9**t)


@case((A, 0.1), (A, 0.2), (B, 0.3), (A, 0.4))
def a_learning_rate():
    return lambda w, rate: w - rate * 3 * w**2


@case((A, 2.0), (A, 2), (A, np.float32(2.0)), (A.astype(np.float32), 2.0), (A, np.array(2.0)))
def weak_and_strong_numbers():
    """Python's floats take the dtype of the array, NumPy's do not."""

    def step(x, s):
        return x * s, np.float32(1.5) * s

    return step


@case((A,), (A[:2],), (A.reshape(3, 1),), (A.astype(np.float32),), (A[::-1],), (np.array(0.5),))
def shapes_and_dtypes():
    return lambda x: np.sum(np.tanh(x) ** 2, axis=0 if x.ndim else None) + x.ndim


@case((), (), (), ())
def no_arguments_at_all():
    weights = np.ones(3)

    def step():
        return np.sum(np.sin(weights))

    def between(result):
        weights[:] += result

    return Step(step, between=between)


@case(({"a": A, "b": [B, 2.0]},), ({"a": B, "b": [A, 3.0]},), ({"a": A, "b": [B, C]},))
def nested_containers():
    return lambda p: {"s": p["a"] * p["b"][1], "t": (p["b"][0],)}


@case(([A, B],), ((A, B),), ([A, B, C],), ((A,),), ([],))
def lists_and_tuples():
    """Not the same, though they hold the same."""

    def step(xs):
        total = np.zeros(3) + sum(xs)
        return total if isinstance(xs, tuple) else [total, len(xs)]

    return step


@case((A, B), call(A, y=B), call(x=A, y=B), call(y=A, x=B))
def positional_or_by_name():
    return lambda x, y: x * 2 - y


@case((A,), (A, 3.0), call(A, scale=3.0), call(B, scale=2.0), (B,))
def a_default_left_out():
    return lambda x, scale=2.0: x * scale


@case((np.arange(3), 2), (np.arange(3), 3), (np.arange(3, 6), 2), (np.arange(3), -2))
def integer_arithmetic():
    return lambda x, n: (x // n, x % n, x / n, x**2 - n)


@case((np.array([100, 50], np.int8),), (np.array([1, 2], np.int8),), (np.array([100, 50]),))
def integers_that_overflow():
    return lambda x: (x + x, x * np.int8(2))


@case((A > 0, B > 0), (B > 0, A > 0), (A > 0, A > 0), (C > 0, B > 0))
def boolean_arrays():
    return lambda a, b: (a & b, a | ~b, np.sum(a), a * 2.0, np.any(a ^ b))


@case((A + 1j * B,), (B - 2j * A,), (C + 0j,), (A + 1j * B,))
def complex_arrays():
    return lambda z: (np.abs(z) ** 2, z.real * 2, np.conj(z) * 1j, np.angle(z))


@case((A, 1j), (A, 2 + 1j), (B, 1.0), (B, 1j))
def a_python_complex_number():
    return lambda x, c: x * c


@case((M, np.array([0, 1])), (M, np.array([1, 1])), (M, np.array([True, False])), (M, 1))
def an_index_as_an_argument():
    return lambda x, index: x[index] * 2


@case((M, 0), (M, 1), (M, -1), (M, None), (M, (0, 1)))
def an_axis_as_an_argument():
    return lambda x, axis: np.sum(x * x, axis=axis)


@case((M, (3, 2)), (M, (6,)), (M, (2, 3)), (M * 2, (3, 2)))
def a_shape_as_an_argument():
    return lambda x, shape: np.reshape(x, shape) * 2


@case((M, slice(0, 1)), (M, slice(1, 2)), (M, slice(None, None, -1)), (M, Ellipsis), expect=EITHER)
def a_slice_as_an_argument():
    return lambda x, part: x[part] + 1


@case((A, np.float32), (A, np.float64), (A, "float32"), (B, np.dtype("float64")), expect=EITHER)
def a_dtype_as_an_argument():
    return lambda x, dtype: x.astype(dtype) * 2


class Mode(enum.Enum):
    UP = 1
    DOWN = 2


@case((A, Mode.UP), (A, Mode.DOWN), (B, Mode.UP), (B, Mode.DOWN), expect=EITHER)
def an_enumeration():
    return lambda x, mode: x + 1 if mode is Mode.UP else x - 1


class Config:
    def __init__(self, scale):
        self.scale = scale


CONFIG = Config(1.0)


@case((A, CONFIG), (A, CONFIG), (A, CONFIG), (B, CONFIG), expect=EITHER)
def an_object_whose_attribute_changes():
    CONFIG.scale = 1.0

    def between(result):
        CONFIG.scale += 1.0

    return Step(lambda x, config: x * config.scale, between=between)


@case((A, 2.0, 1), (A, 3.0, 1), (B, 2.0, 2), (A, 2, 1.0))
def numbers_given_back():
    """Python's numbers stay Python's."""
    return lambda x, t, n: (t * 2, n + 1, t, x.sum() * t, t > 2.5)


@case((np.zeros((0, 3)),), (np.ones((1, 3)),), (np.zeros((0, 3)),), (np.ones((2, 3)),))
def empty_arrays():
    return lambda x: (np.sum(x * 2, axis=0), x.reshape(3, -1), len(x))


@case((float("nan"), A), (float("nan"), B), (float("inf"), A), (1.0, A))
def numbers_that_do_not_equal_themselves():
    return lambda t, x: x * t


@case((10**3, A), (10**18, A), (10**30, A), (-5, A), expect=EITHER)
def large_integers():
    """Above 64 bits a Python integer is no number of NumPy's."""
    return lambda n, x: x * float(n % 7) + n % 5


@case((np.arange(24.0).reshape(2, 3, 4), "ijk->kj"), (np.ones((3, 4)), "jk->kj"), (M, "ij->j"))
def an_einsum_by_its_text():
    return lambda x, text: np.einsum(text, x) * 2
