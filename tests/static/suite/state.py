"""State that the steps themselves change: in ``self``, closures, arrays and containers."""

import numpy as np

import wengert as wg

from .case import EITHER, FALLS_BACK, A, B, C, Step, case

U = np.array([[0.5, -0.2, 0.1], [0.3, 0.4, -0.6], [-0.1, 0.2, 0.7]])


@case((A,), (B,), (C,), (A,), expect=EITHER)
def hidden_state_rebound():
    """A recurrent network: the attribute is another array after every call."""

    class Cell:
        def __init__(self):
            self.h = np.zeros(3)

        def __call__(self, x):
            self.h = np.tanh(x + U @ self.h)
            return self.h * 2

    cell = Cell()
    return Step(cell, state=lambda: cell.h)


@case((A,), (B,), (C,), (A,))
def hidden_state_written():
    class Cell:
        def __init__(self):
            self.h = wg.array(np.zeros(3))

        def __call__(self, x):
            self.h[...] = np.tanh(x + U @ self.h)
            return np.sum(self.h * 2)

    cell = Cell()
    return Step(cell, state=lambda: cell.h)


@case((A,), (B,), (C,), (A,), expect=EITHER)
def hidden_state_in_a_plain_array():
    class Cell:
        def __init__(self):
            self.h = np.zeros(3)

        def __call__(self, x):
            self.h[...] = np.tanh(x + U @ self.h)
            return np.sum(self.h * 2)

    cell = Cell()
    return Step(cell, state=lambda: cell.h)


@case((A,), (A,), (B,), (A,), expect=FALLS_BACK)
def a_counter_in_self():
    class Counting:
        def __init__(self):
            self.n = 0

        def __call__(self, x):
            self.n += 1
            return x * self.n

    counting = Counting()
    return Step(counting, state=lambda: counting.n)


@case((A,), (A,), (B,), (A,), expect=FALLS_BACK)
def a_counter_in_a_closure():
    n = 0

    def step(x):
        nonlocal n
        n += 1
        return x / n

    return Step(step, state=lambda: n)


@case((A,), (A,), (B,), (A,), expect=FALLS_BACK)
def a_counter_that_is_only_counted():
    """The results don't depend on it, and it must go on counting."""

    class Counting:
        calls = 0

        def __call__(self, x):
            self.calls += 1
            return x * 2

    counting = Counting()
    return Step(counting, state=lambda: counting.calls)


@case((A,), (A,), (B,), (A,), expect=EITHER)
def a_counter_on_the_function():
    def step(x):
        step.calls = getattr(step, "calls", 0) + 1
        return x * step.calls

    return Step(step, state=lambda: step.calls)


@case((A,), (A,), (B,), (A,), expect=EITHER)
def a_counter_in_an_array():
    count = np.zeros((), int)

    def step(x):
        nonlocal count
        count += 1
        return x * count

    return Step(step, state=lambda: count)


@case((A,), (B,), (C,), (A,), expect=EITHER)
def losses_appended():
    class Model:
        def __init__(self):
            self.losses = []

        def __call__(self, x):
            loss = np.sum(x * x)
            self.losses.append(loss)
            return loss

    model = Model()
    return Step(model, state=lambda: list(model.losses))


@case((A,), (B,), (A[:2],), (B[:2],), (A,), expect=EITHER)
def a_cache_by_shape():
    """Filled in the first call of each shape only."""
    cache = {}

    def step(x):
        if x.shape not in cache:
            cache[x.shape] = np.arange(1.0, x.size + 1)
        return x * cache[x.shape]

    return Step(step, state=lambda: sorted(cache))


@case((A,), (A,), (B,), (A,), (B,), expect=EITHER)
def a_memo_of_results():
    """The same answer for the same key, whatever else is asked for."""
    memo = {}

    def step(x):
        key = x.tobytes() if isinstance(x, np.ndarray) else None
        if key not in memo:
            memo[key] = np.sum(np.exp(x))
        return memo[key] * x

    return Step(step, state=lambda: len(memo))


@case((A,), (A,), (B,), (A,), expect=EITHER)
def a_property_that_counts():
    class Model:
        reads = 0

        @property
        def scale(self):
            self.reads += 1
            return float(self.reads)

        def __call__(self, x):
            return x * self.scale

    model = Model()
    return Step(model, state=lambda: model.reads)


@case((A,), (B,), (C,), (B,), (A,))
def written_once_even_when_a_guard_misses():
    total = wg.array(np.zeros(3))

    def step(x):
        total[...] += x
        if x.sum() > 0:
            total[...] *= 2
            return total.sum()
        return total[0] * 1.0

    return Step(step, state=lambda: total)


@case((A,), (B,), (C,), (B,), (A,), expect=EITHER)
def written_before_an_exception():
    """What was written before it was raised stays written, once."""
    total = wg.array(np.zeros(3))

    def step(x):
        total[...] += x
        if x.sum() < 0:
            raise ValueError("negative")
        return total.sum()

    return Step(step, state=lambda: total)


@case((A,), (B,), (C,), (A,))
def a_running_maximum():
    best = wg.array(np.full((), -np.inf))

    def step(x):
        score = np.sum(x)
        if score > best:
            best[...] = score
            return score * 2
        return score

    return Step(step, state=lambda: best)


@case((A,), (B,), (C,), (A,), expect=EITHER)
def state_in_nested_containers():
    state = {"layers": [{"h": np.zeros(3)}, {"h": np.zeros(3)}], "steps": np.zeros(2)}

    def step(x):
        for k, layer in enumerate(state["layers"]):
            layer["h"] = np.tanh(x + layer["h"])
            state["steps"][k] += k + 1
            x = layer["h"]
        return x * state["steps"][0]

    return Step(step, state=lambda: state)


@case((A,), (B,), (C,), (A,), expect=EITHER)
def two_objects_that_share_an_array():
    class Holder:
        def __init__(self, w):
            self.w = w

    shared = np.ones(3)
    first, second = Holder(shared), Holder(shared)

    def step(x):
        first.w += x
        return np.sum(second.w * x)

    return Step(step, state=lambda: (first.w, second.w))
