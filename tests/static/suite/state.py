"""State between calls: in ``self``, closures, globals, containers; changed inside and outside."""

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


@case((A,), (A,), (A,), (A,))
def a_flag_flipped_outside():
    class Model:
        training = True

        def __call__(self, x):
            return x * 2 if self.training else x

    model = Model()

    def between(result):
        model.training = not model.training

    return Step(lambda x: model(x), between=between)


@case((A,), (A,), (A,), (B,), rounds=4)
def a_class_attribute_overridden_later():
    """From the third call on the object has its own, which shadows that of the class."""

    class Model:
        scale = 2.0

        def forward(self, x):
            return x * self.scale

    model, calls = Model(), 0

    def between(result):
        nonlocal calls
        calls += 1
        if calls == 2:
            model.scale = 5.0

    return Step(model.forward, between=between)


@case((A,), (A,), (A,), (B,), rounds=4)
def a_method_overridden_later():
    class Model:
        def activation(self, x):
            return np.tanh(x)

        def forward(self, x):
            return self.activation(x * 2)

    model, calls = Model(), 0

    def between(result):
        nonlocal calls
        calls += 1
        if calls == 3:
            Model.activation = lambda self, x: np.cos(x)

    return Step(model.forward, between=between)


@case((A,), (A,), (A,), (A,))
def an_object_replaced_by_an_equal_one():
    """The old array changes afterwards: whoever still reads it is wrong."""

    class Holder:
        def __init__(self):
            self.w = np.ones(3)

    holder = Holder()

    def between(result):
        old, holder.w = holder.w, holder.w + 0.0
        old[:] = 99.0
        holder.w[0] += 1

    return Step(lambda x: x * holder.w, between=between)


@case((A,), (A,), (A,), (A,))
def a_closed_over_array_changed_outside():
    weights = np.ones(3)

    def step(x):
        return x * weights

    def between(result):
        weights[:] += 1

    return Step(step, between=between)


@case((A,), (A,), (A,), (B,), (A,), (A,), expect=EITHER)
def a_closed_over_array_read_by_python():
    """Equal in the first two calls; a Python number made of it is in the program."""
    weights, calls = np.array([2.0, 3.0, 4.0]), 0

    def step(x):
        scale = float(weights[0]) + len([w for w in weights.tolist() if w > 3.5])
        return x * weights * scale

    def between(result):
        nonlocal calls
        calls += 1
        if calls >= 2:
            weights[0] += 1

    return Step(step, between=between)


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_closed_over_array_that_grows():
    held = {"w": np.ones(1)}

    def between(result):
        held["w"] = np.append(held["w"], 1.0)

    return Step(lambda x: x * held["w"].size + np.sum(held["w"]), between=between)


@case((A,), (A,), (A,), (A,))
def a_dtype_that_changes():
    """Float32 in every second call."""
    held = {"w": np.ones(3)}

    def between(result):
        other = np.float32 if held["w"].dtype == np.float64 else np.float64
        held["w"] = (held["w"] + 1).astype(other)

    return Step(lambda x: np.float32(0.1) * held["w"] * x.astype(np.float32), between=between)


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_list_that_grows():
    terms = [np.ones(3)]

    def between(result):
        terms.append(result * 0.5)

    return Step(lambda x: x + sum(terms), between=between)


@case((A,), (A,), (A,), (A,), expect=EITHER)
def a_name_rebound_in_a_closure():
    scale = 1.0

    def step(x):
        return x * scale

    def between(result):
        nonlocal scale
        scale += 1.0

    return Step(step, between=between)


SCALE = 2.0
WEIGHTS = np.ones(3)


@case((A,), (A,), (A,), (B,), expect=EITHER)
def a_global_rebound_after_two_calls():
    global SCALE
    SCALE, calls = 2.0, 0

    def step(x):
        return x * SCALE

    def between(result):
        nonlocal calls
        global SCALE
        calls += 1
        if calls >= 2:
            SCALE = 7.0 + calls

    return Step(step, between=between)


@case((A,), (A,), (A,), (B,))
def a_global_array_rebound():
    global WEIGHTS
    WEIGHTS = np.ones(3)

    def step(x):
        return x * WEIGHTS

    def between(result):
        global WEIGHTS
        WEIGHTS = WEIGHTS * 1.5

    return Step(step, between=between)


def helper(x):
    return x * SHIFT["by"]


SHIFT = {"by": 1.0}


@case((A,), (A,), (A,), (B,), expect=EITHER)
def a_global_that_only_a_helper_names():
    """What is reached by a function that the step calls, not by the step itself."""
    SHIFT["by"] = 1.0

    def between(result):
        SHIFT["by"] += 1.0

    return Step(lambda x: helper(x) + 1, between=between)


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


@case((A,), (A,), (A,), (A,))
def an_array_swapped_with_another():
    held = {"now": np.ones(3), "next": np.full(3, 5.0)}

    def between(result):
        held["now"], held["next"] = held["next"], held["now"]
        held["now"][:] += 1

    return Step(lambda x: x * held["now"], between=between)


@case((A,), (A,), (A,), (B,), rounds=4)
def two_attributes_that_become_one():
    """Tied from the third call on; the write then reaches both."""

    class Model:
        def __init__(self):
            self.a, self.b = wg.array(np.ones(3)), wg.array(np.ones(3))

        def __call__(self, x):
            self.a[...] = self.a * 0.5 + x
            return np.sum(self.b * x)

    model, calls = Model(), 0

    def between(result):
        nonlocal calls
        calls += 1
        if calls == 2:
            model.b = model.a

    return Step(model, state=lambda: (model.a, model.b), between=between)
