"""State that changes between the calls, from outside: attributes, closures, globals, arrays."""

import numpy as np

import wengert as wg

from .case import EITHER, A, B, Step, case


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
