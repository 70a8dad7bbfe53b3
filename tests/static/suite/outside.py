"""What comes from outside: iterators, random numbers, clocks, loaders, the environment."""

import itertools
import os
import random
import time
from unittest import mock

import numpy as np

from .case import EITHER, FALLS_BACK, A, B, C, Step, case


@case((A,), (A,), (A,), (A,), expect=FALLS_BACK)
def an_iterator():
    numbers = itertools.count(1)
    return lambda x: x * next(numbers)


@case((A,), (A,), (A,), (A,), expect=FALLS_BACK)
def an_iterator_that_repeats_itself():
    """1, 1, 2: two recordings agree, and the third call doesn't."""
    numbers = itertools.cycle([1, 1, 2])
    return lambda x: x * next(numbers)


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_generator_object():
    def numbers():
        for n in itertools.count():
            yield 1.0 if n < 2 else float(n)

    drawn = numbers()
    return lambda x: x * next(drawn)


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_queue():
    queue = [1.0, 1.0, *(float(n) for n in range(1, 20))]
    return Step(lambda x: x * queue.pop(0), state=lambda: list(queue))


@case((A,), (A,), (A,), expect=FALLS_BACK)
def a_generator_of_numpy():
    rng = np.random.default_rng(0)
    return lambda x: x + rng.standard_normal(3)


@case((A,), (A,), (A,), expect=FALLS_BACK)
def random_numbers_of_numpy():
    np.random.seed(0)  # noqa: NPY002
    return lambda x: x * np.random.random(3)  # noqa: NPY002


@case((A,), (A,), (A,), expect=FALLS_BACK)
def random_numbers_of_python():
    draw = random.Random(0)
    return lambda x: x * draw.random()


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_seldom_random_branch():
    """The first draws all fall on one side."""
    draw = random.Random(4)

    def step(x):
        if draw.random() < 0.3:
            return x * 2
        return x + 1

    return step


def clock(*times):
    """``time.time`` that shows ``times``, and then goes on by seconds."""
    return lambda: mock.patch.object(
        time, "time", side_effect=itertools.chain(times, itertools.count(times[-1] + 1))
    )


@case((A,), (A,), (A,), (A,), expect=FALLS_BACK)
def a_clock():
    return Step(lambda x: x * time.time(), around=clock(1.0))


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_coarse_clock():
    """It shows the same in the first calls."""
    return Step(lambda x: x * time.time(), around=clock(5.0, 5.0, 5.0, 6.0))


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_time_limit():
    def step(x):
        start = time.time()
        y = np.exp(x)
        if time.time() - start > 1.5:
            return y * 0
        return y

    return Step(step, around=clock(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0, 10.0))


@case((A,), (A,), (A,), (A,), expect=EITHER)
def the_environment():
    calls = 0

    def step(x):
        return x * float(os.environ.get("WENGERT_SUITE_SCALE", "2"))

    def between(result):
        nonlocal calls
        calls += 1
        if calls >= 2:
            os.environ["WENGERT_SUITE_SCALE"] = str(calls)

    return Step(step, between=between, around=lambda: mock.patch.dict(os.environ))


DATA = np.random.default_rng(1).standard_normal((6, 3))


@case((A, 0), (A, 1), (A, 2), (B, 1))
def batches_by_a_number():
    data = DATA.copy()

    def step(w, k):
        batch = data[2 * k : 2 * k + 2]
        return w - 0.1 * batch.T @ (batch @ w - 1)

    return step


@case((A, np.array([0, 3])), (A, np.array([5, 1])), (B, np.array([2, 2])), (A, np.array([0, 1])))
def batches_by_an_index_array():
    data = DATA.copy()

    def step(w, rows):
        batch = data[rows]
        return w - 0.1 * batch.T @ (batch @ w - 1)

    return step


@case((A,), (A,), (B,), (C,), expect=FALLS_BACK)
def batches_of_a_loader():
    class Loader:
        def __init__(self):
            self.data, self.position = DATA.copy(), 0

        def next(self):
            self.position = (self.position + 2) % len(self.data)
            return self.data[self.position : self.position + 2]

    loader = Loader()

    def step(w):
        batch = loader.next()
        return batch @ w

    return Step(step, state=lambda: loader.position)


@case((A,), (A,), (B,), (C,), expect=FALLS_BACK)
def batches_in_random_order():
    rng = np.random.default_rng(3)

    def step(w):
        rows = rng.permutation(6)[:2]
        return DATA[rows] @ w

    return step


@case((A,), (A,), (B,), (C,), expect=EITHER)
def data_shuffled_outside():
    data, rng = DATA.copy(), np.random.default_rng(5)

    def between(result):
        rng.shuffle(data)

    return Step(lambda w: data[:2] @ w, between=between)


@case((A, 0), (A, 1), (A, 2), (A, 3), (B, 1))
def a_list_of_batches():
    batches = [DATA[:2].copy(), DATA[2:4].copy(), DATA[4:].copy(), DATA[:1].copy()]
    return lambda w, k: np.sum(batches[k] @ w)


LOG = []


@case((A,), (A,), (B,), (C,), expect=EITHER)
def an_entry_in_a_global_log():
    LOG.clear()

    def step(x):
        LOG.append(x.shape)
        return x * len(LOG)

    return Step(step, state=lambda: list(LOG))
