"""Programs that loop: over ranges and rows, until something holds, by recursion, in generators."""

import itertools

import numpy as np

from .case import A, B, C, M, call, case


@case((A,), (A * 3,), (A * 10,), (B,))
def while_on_a_norm():
    def step(x):
        n = 0
        while np.sum(x * x) > 1:
            x, n = x / 2, n + 1
        return x, n

    return step


@case((A,), (A + 1,), (B,), (A,))
def range_of_a_value():
    def step(x):
        y = x * 1.0
        for k in range(int(abs(x.sum()))):
            y = y * x + k
        return y

    return step


@case((A,), (B,), (C,), (A * 0,))
def for_else():
    def step(x):
        for k, v in enumerate(x):
            if v < 0:
                found = x * (k + 1)
                break
        else:
            found = np.sqrt(x)
        return found

    return step


@case((A,), (B,), (C,), (A[::-1],))
def break_and_continue():
    def step(x):
        total = 0.0
        for v in x:
            if v < 0:
                continue
            if v > 2:
                break
            total = total + v * v
        return total * x

    return step


@case((A, B), (B, C), (C, A))
def enumerate_and_zip():
    def step(x, y):
        total = 0.0
        for k, (a, b) in enumerate(zip(x, y, strict=True), 1):
            total = total + k * a * b
        return total

    return step


@case((M,), (M.T,), (M[:, :1],), (M * 2,))
def rows_of_a_matrix():
    """As many rows as the argument has."""

    def step(x):
        total = np.zeros_like(x[0])
        for row in x:
            total = total + np.tanh(row) * len(row)
        return total

    return step


@case((A,), (B,), (C,), (A * 5,))
def while_true_with_a_break():
    def step(x):
        n = 0
        while True:
            x = np.cos(x)
            n += 1
            if n >= 4 or x[0] > 0.6:
                break
        return x, n

    return step


@case((A, 1), (A, 2), (B, 3), (A, 3))
def recursion_on_an_integer():
    def power(x, n):
        if n == 0:
            return np.ones_like(x)
        return x * power(x, n - 1)

    return lambda x, n: power(x, n)


@case((A,), (B,), (A * 8,), (C,))
def recursion_on_a_value():
    def halved(x):
        return x if np.max(np.abs(x)) < 1.5 else halved(x * 0.5)

    return lambda x: halved(x) + x


@case((A,), (B,), (C,), (A,))
def comprehensions():
    def step(x):
        squares = [v * v for v in x]
        named = {f"v{k}": v for k, v in enumerate(squares) if k != 1}
        return np.stack(squares), named, sum(v for v in squares)

    return step


@case((A,), (B,), (C,), (A,))
def a_generator_inside():
    def positive(x):
        for v in x:
            if v > 0:
                yield v
            else:
                yield -v * 2

    return lambda x: sum(v**2 for v in positive(x))


@case((A,), (B,), (C,), (A[::-1],))
def sorted_by_a_value():
    def step(x):
        order = sorted(range(len(x)), key=lambda k: x[k])
        return x[order] * [1.0, 10.0, 100.0], order[0]

    return step


@case(({"a": A, "b": B},), ({"b": B, "a": A},), ({"a": B, "b": A},), ({"b": A, "a": B},))
def the_order_of_a_dict():
    """Equal as a tree whatever the order; a loop over it is not."""

    def step(p):
        total = np.zeros(3)
        for k, v in enumerate(p.values(), 1):
            total = total * 2 + k * v
        return total, list(p)

    return step


@case((A,), (B,), (C,), (A,))
def itertools_inside():
    def step(x):
        pairs = [a * b for a, b in itertools.pairwise(x)]
        return np.stack(pairs), list(itertools.accumulate(x))[-1]

    return step


@case((A,), (np.append(A, B),), (A[:1],), (C,))
def as_often_as_it_is_long():
    def step(x):
        total = 0.0
        for k in range(len(x)):
            total = total + x[k] * x[-1 - k]
        return total / x.size

    return step


@case((A, 3), (B, 1), (C, 0), (A, 2))
def an_integer_that_counts_down():
    def step(x, n):
        while n:
            x = np.sin(x) + n
            n -= 1
        return x

    return step


@case(
    call(A, tolerance=0.5), call(A, tolerance=0.1), call(B, tolerance=0.5), call(A, tolerance=0.5)
)
def fixed_point_with_a_tolerance():
    def step(x, tolerance):
        y, count = x * 0, 0
        while True:
            new, count = np.cos(0.5 * y + 0.1 * x), count + 1
            if np.max(np.abs(new - y)) < tolerance:
                return new, count
            y = new

    return step


@case((M,), (M * 2,), (-M,), (M,))
def nested_loops_with_writes():
    def step(x):
        y = x * 1.0
        for i in range(x.shape[0]):
            for j in range(1, x.shape[1]):
                y[i, j] += 0.5 * y[i, j - 1]
        return y

    return step
