"""Python's own means: nested functions, defaults, methods, classes, exceptions, containers."""

import functools
from collections import namedtuple
from dataclasses import dataclass, replace

import numpy as np

from .case import EITHER, FALLS_BACK, A, B, C, Step, call, case

Pair = namedtuple("Pair", ["left", "right"])


@case((A,), (B,), (C,), (A,))
def nested_functions_and_closures():
    def step(x):
        scale = x.sum()

        def scaled(y):
            nonlocal scale
            scale = scale + 1
            return y * scale

        return scaled(x) + scaled(np.sin(x))

    return step


@case((A,), (A, 3.0), call(A, shift=2.0), call(B, 3.0, shift=1.0), call(B, shift=2.0, scale=0.5))
def defaults_and_keywords():
    def step(x, scale=2.0, *, shift=0.0):
        return x * scale + shift

    return step


@case((A,), (A, B), (A, B, C), call(A, extra=C), call(B, A, extra=A))
def any_number_of_arguments():
    def step(*xs, **named):
        return sum((k + 1) * x for k, x in enumerate(xs)), {k: v * 2 for k, v in named.items()}

    return step


@case(call(x=A, y=B), call(y=B, x=A), call(y=A, x=B), call(x=A, y=A))
def keywords_in_another_order():
    return lambda x, y: x - 2 * y


@case((A,), (B,), (C,), (A,))
def methods_and_properties():
    class Model:
        offset = 0.5

        def __init__(self):
            self.weight = np.array([1.0, 2.0, 3.0])

        @property
        def norm(self):
            return np.sqrt(np.sum(self.weight**2))

        @staticmethod
        def squash(x):
            return np.tanh(x)

        @classmethod
        def shifted(cls, x):
            return x + cls.offset

        def step(self, x):
            return self.shifted(self.squash(x * self.weight)) / self.norm

    model = Model()

    def train(result):
        model.weight[:] = model.weight * 0.9

    return Step(model.step, state=lambda: model.weight, between=train)


@case((A,), (B,), (C,), (A,))
def a_callable_object_of_objects():
    class Layer:
        def __init__(self, scale):
            self.scale = np.full(3, scale)

        def __call__(self, x):
            return np.tanh(x * self.scale)

    class Network:
        def __init__(self):
            self.layers = [Layer(0.5), Layer(2.0)]

        def __call__(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    network = Network()

    def between(result):
        network.layers.reverse()

    return Step(network, between=between)


@dataclass(frozen=True)
class Settings:
    scale: float
    steps: int
    name: str = "plain"


@case((A,), (B,), (A,), (B,), rounds=4)
def settings_in_a_dataclass():
    """Replaced by another one every second call."""
    settings, calls = Settings(0.5, 2), 0

    def step(x):
        for _ in range(settings.steps):
            x = x * settings.scale
        return x

    def between(result):
        nonlocal settings, calls
        calls += 1
        if calls % 2 == 0:
            settings = replace(settings, steps=3 if settings.steps == 2 else 2)

    return Step(step, between=between)


@case((Pair(A, B),), (Pair(B, A),), (Pair(C, 2.0),), (Pair(C, 3.0),))
def named_tuples():
    return lambda p: Pair(right=p.left * 2, left=p.right)


@case((A,), (B,), (C,), (B,))
def an_exception_caught_inside():
    def step(x):
        try:
            if x.sum() < 0:
                raise ValueError("negative")
            y = np.sqrt(x.sum()) * x
        except ValueError as error:
            y = x * len(str(error))
        finally:
            z = x + 1
        return y, z

    return step


@case((A,), (B,), (A,), (C,), expect=EITHER)
def an_exception_of_the_users():
    def step(x):
        if x.sum() < 0:
            raise ValueError(f"negative: {x.size} elements")
        return x * 2

    return step


@case((A, "a"), (A, "b"), (B, "c"), (B, "a"), expect=EITHER)
def a_key_error_of_the_users():
    table = {"a": 1.0, "b": 2.0}
    return lambda x, key: x * table[key]


@case((A,), (B,), (C,), (B,))
def printing():
    def step(x):
        y = x * 2
        print("y is", y)
        return y + 1

    return step


@case((A,), (A,), (B,), (C,), expect=EITHER)
def text_made_of_a_value():
    """Formatting reads the value: the text of the recording must not be given again."""
    return lambda x: (f"{x[0]:.2f}", x * 2)


@case((A,), (A,), (B,), (C,), expect=EITHER)
def text_of_a_shape():
    return lambda x: (f"shape {x.shape} of {x.dtype}", x * 2)


@case((A,), (A,), (B,), (A,), expect=FALLS_BACK)
def a_mutable_default():
    def step(x, seen=[]):  # noqa: B006
        seen.append(1)
        return x * len(seen)

    return step


@case((A,), (B,), (C,), (A,))
def functools_inside():
    def combine(scale, x, y):
        return scale * x + y

    def step(x):
        add = functools.partial(combine, 2.0)
        return functools.reduce(add, [x, x * x, np.sin(x)])

    return step


@case((A,), (B,), (C,), (A,))
def a_partial_of_a_function():
    def combine(scale, x, power=1):
        return scale * x**power

    return functools.partial(combine, 3.0, power=2)


@case((A,), (B,), (C,), (A,))
def a_decorated_step():
    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return {"result": function(*args, **kwargs)}

        return wrapper

    @logged
    def step(x):
        return x - x.mean()

    return step


@case((A,), (B,), (C,), (A,))
def starred_assignment_and_walrus():
    def step(x):
        first, *rest = x
        if (total := sum(rest)) > 1.5:
            return first * total
        return first - total

    return step


@case((A,), (B,), (C,), (A,))
def inheritance_and_super():
    class Base:
        def forward(self, x):
            return x * self.scale

    class Child(Base):
        scale = 2.0

        def forward(self, x):
            return super().forward(x) + 1

    return Child().forward


@case((A, np.sin), (A, np.cos), (B, np.sin), (B, np.tanh), expect=EITHER)
def a_function_as_an_argument():
    return lambda x, f: f(x) * 2


@case(
    (Settings(2.0, 1),),
    (Settings(3.0, 2),),
    (Settings(2.0, 1),),
    (Settings(0.5, 3),),
    expect=EITHER,
)
def a_frozen_object_as_an_argument():
    return lambda s: np.arange(3.0) ** s.steps * s.scale


@case((A,), (B,), (C,), (A,))
def objects_made_inside():
    @dataclass
    class State:
        x: object
        n: int = 0

        def move(self, by):
            self.x = self.x + by
            self.n += 1
            return self

    def step(x):
        state = State(x).move(1.0).move(x)
        return state.x * state.n

    return step


@case((A,), (B,), (C,), (A,))
def a_list_filled_and_popped_inside():
    def step(x):
        stack = [x]
        stack.append(x * 2)
        stack.append(np.sin(stack[-1]))
        top = stack.pop()
        stack.insert(0, top * top)
        return stack

    return step
