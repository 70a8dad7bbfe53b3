"""Programs that branch on values: every path is recorded when it comes, and guarded."""

import math

import numpy as np

from .case import EITHER, A, B, C, case


@case((A,), (B,), (C,), (B,))
def if_else_on_a_sum():
    def step(x):
        if x.sum() > 0:
            return x * 2
        return np.exp(x)

    return step


@case((A,), (B,), (C,), (np.array([5.0, 5.0, -9.0]),))
def and_or_short_circuits():
    def step(x):
        if (x[0] > 0 and x[1] > 0) or x[2] > 2:
            return x + 1
        return x - 1

    return step


@case((A, None), (B, None), (A, 3.0), (B, 0.5), (A, None), (A, 0.0))
def x_or_default():
    def step(x, scale=None):
        scale = scale or 2.0
        return x * ((x[0] > 0 and x[0]) or scale)

    return step


@case((A,), (B,), (A * 0,), (C,))
def nested_branches_with_early_returns():
    def step(x):
        if x[0] > 0:
            if x[1] > 0:
                return x
            return -x
        for v in x:
            if v > 0.3:
                return x * v
        return x + 1

    return step


@case((C,), (A,), (B,), (C / 4,))
def chained_comparison():
    def step(x):
        inside = 0 < x[0] < 0.9
        return np.sqrt(x[0]) * x if inside else x

    return step


@case((A,), (B,), (C,), (B * 0 - 1,))
def any_all_and_not():
    def step(x):
        if not np.any(x > 0):
            return -x
        if all(v > 0 for v in x):
            return np.log(x)
        return np.abs(x)

    return step


@case((A, "sum"), (B, "mean"), (A, "none"), (B, "sum"))
def match_on_a_string():
    def step(x, how):
        match how:
            case "sum":
                return np.sum(x)
            case "mean":
                return np.mean(x)
            case _:
                return x * 1.0

    return step


@case((A,), (A * np.nan,), (B,), (np.array([1.0, np.nan, 0.0]),))
def nan_in_a_condition():
    """NaN is neither above nor below: the two guards don't exclude each other's complement."""

    def step(x):
        if x[0] > 0:
            return x * 2
        if x[0] <= 0:
            return x * 3
        return x * 0 + 7

    return step


@case((A * 0.0,), (A * -0.0,), (A,), (-A * 0.0,))
def minus_zero_keeps_its_sign():
    """-0.0 equals 0.0 in every comparison, and 1 / x tells them apart."""

    def step(x):
        if x[0] == 0:
            with np.errstate(divide="ignore"):
                return 1 / (x + -0.0)
        return x + 0.0

    return step


@case((A, 0.0), (A, -0.0), (A, 1.0), (A, -0.0), (A, 0.0))
def minus_zero_as_a_python_float():
    """A cache that looks 0.0 and -0.0 up as one key answers wrongly."""
    return lambda x, t: np.copysign(x, t)


@case((A,), (A,), (A * [2, 1, 1],), (B,), (A,), (C,), expect=EITHER)
def item_used_as_a_number():
    """``.item()`` gives a Python float, equal in the first two calls."""

    def step(x):
        scale = x[0].item()
        return x * scale + math.floor(scale)

    return step


@case((A,), (B,), (C,), (A,), expect=EITHER)
def item_used_in_a_branch():
    def step(x):
        if x.max().item() > 2.4:
            return x[::-1] * 2
        return x * 3

    return step


@case((A,), (B,), (C,), (A + 3,))
def value_in_an_array():
    def step(x):
        if 3.0 in x:
            return x * 0.5
        return x * 4

    return step


@case((A,), (B,), (C,), (-A,))
def argmax_as_a_python_index():
    def step(x):
        k = int(np.argmax(x))
        return x[k] * x, k

    return step


@case((A,), (B,), (C,), (B,))
def truth_as_a_key():
    table = {True: np.sin, False: np.cos}
    return lambda x: table[bool(x[0] > 0)](x)


@case((A, B), (B, A), (C, A), (A, C))
def builtin_min_and_max():
    return lambda x, y: (max(x[0], y[0]) * x, min(x[0], y[0], 0.7) * y)


@case((A, 1.5), (A, 0.5), (A, -2.0), (A, 0.5))
def branch_on_a_python_float():
    """The float itself is dynamic; what was asked of it is not."""

    def step(x, threshold):
        if threshold > 1:
            return x * threshold
        return x + threshold if threshold > 0 else x

    return step


@case((A,), (B,), (C,), (A,), expect=EITHER)
def float_of_a_value():
    """Reads a number in a way that derivatives refuse, and plain NumPy allows."""

    def step(x):
        return x * math.sqrt(float(np.sum(x * x)))

    return step


@case((A,), (B,), (C,), (A,), expect=EITHER)
def asks_for_the_type_of_its_argument():
    """A handle is no ndarray: the branch seen while recording must not be the one replayed."""

    def step(x):
        return x * 2 if isinstance(x, np.ndarray) else x * 3

    return step
