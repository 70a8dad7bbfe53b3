"""Derivatives, vectorisation and cuts inside a step, and steps that are themselves derivatives."""

import numpy as np

import wengert as wg

from .case import A, B, C, M, Step, case

STACK = np.stack([A, B, C])


def f(x):
    return np.sum(np.sin(x) * x[0] + x**3)


@case((A,), (B,), (C,), (A,))
def gradient_inside():
    return lambda x: x - 0.1 * wg.grad(f)(x)


@case((A,), (B,), (C,), (A,))
def every_derivative_inside():
    return lambda x: (
        wg.hessian(f)(x),
        wg.jvp(wg.grad(f), (x,), (x,))[1],
        wg.jacobian(np.tanh)(x),
        wg.hvp(f, (x,), (x,)),
    )


@case((A,), (B,), (C,), (A,))
def a_gradient_is_the_step():
    return wg.grad(f)


@case((A,), (B,), (C,), (A,))
def a_gradient_with_a_branch():
    def branching(x):
        if x[0] > 0:
            return np.sum(x**3)
        return np.sum(np.exp(x))

    return lambda x: wg.value_and_grad(branching)(x)


@case((STACK,), (STACK * 2,), (STACK[:2],), (STACK,))
def gradients_per_example():
    return wg.vmap(wg.grad(f))


@case((STACK, A), (STACK * 2, B), (STACK[:2], A), (STACK, C))
def vmap_inside():
    return lambda xs, y: wg.vmap(lambda x, y: x @ y * np.tanh(x), in_axes=(0, None))(xs, y)


@case((A,), (B,), (C,), (A,))
def a_pullback_used_twice():
    def step(x):
        y, pullback = wg.vjp(lambda v: np.sin(v) * v, x)
        return y, pullback(np.ones(3))[0] + pullback(x)[0]

    return step


@case((A,), (B,), (C,), (A,))
def linearized_once_used_twice():
    def step(x):
        y, along = wg.linearize(lambda v: np.exp(-v * v), x)
        return y, along(x) - along(np.ones(3))

    return step


@case((A,), (B,), (C,), (A,))
def auxiliary_results():
    def loss(x):
        y = np.tanh(x)
        return np.sum(y * y), {"y": y, "n": 3}

    return lambda x: wg.grad(loss, has_aux=True)(x)


@case((A,), (B,), (C,), (A,))
def a_hook_on_a_gradient():
    w = wg.array(np.ones(3), requires_grad=True)

    def step(x):
        y = w * x
        y.register_hook(lambda g: np.clip(g, -0.5, 0.5))
        np.sum(y**2).backward()
        g, w.grad = w.grad, None
        return g

    return step


@case((A,), (B,), (C,), (A,))
def cuts():
    def loss(x):
        with wg.no_grad():
            a = x * 3
        return np.sum(x * wg.stop_gradient(x) + a + x.sum())

    return lambda x: wg.value_and_grad(loss)(x)


@case((A,), (B,), (C,), (A,))
def detached_from_the_graph():
    w = wg.array(np.ones(3), requires_grad=True)

    def step(x):
        y = np.tanh(w * x)
        np.sum(y * y.detach()).backward()
        g, w.grad = w.grad, None
        return g, y.detach()

    return step


@case((A,), (B,), (C,), (A,))
def second_order_by_create_graph():
    w = wg.array(np.array([0.5, 1.0, 1.5]), requires_grad=True)

    def step(x):
        np.sum(w**3 * x).backward(create_graph=True)
        g, w.grad = w.grad, None
        np.sum(g * g).backward()
        second, w.grad = w.grad, None
        return g.detach(), second

    return step


@case((A,), (B,), (C,), (A,))
def a_tracked_array_is_closed_over():
    """The result belongs to the dynamic graph outside, and its gradient flows there."""
    w = wg.array(np.ones(3), requires_grad=True)

    def step(x):
        return np.sum(w * x * w)

    def between(result):
        result.backward()
        with wg.no_grad():
            w[...] -= 0.1 * w.grad
        w.grad = None

    return Step(step, state=lambda: w, between=between)


@case((A,), (B,), (C,), (A,))
def custom_rules():
    @wg.custom_vjp
    def clipped(x):
        return np.sin(x)

    clipped.defvjp(lambda x: (np.sin(x), x), lambda x, gy: (gy * np.clip(x, -1, 1),))

    @wg.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (primals[0] ** 3, tangents[0] * 3.5 * primals[0] ** 2))
    return lambda x: (
        wg.grad(lambda v: np.sum(clipped(v)))(x),
        wg.jvp(cube, (x,), (np.ones(3),)),
    )


@case((A,), (B,), (C,), (A,))
def a_checkpoint():
    block = wg.checkpoint(lambda v: np.tanh(np.sin(v) * v))
    return wg.grad(lambda x: np.sum(block(block(x))))


@case((M,), (M * 2,), (M - 1,), (M,))
def writes_inside_a_gradient():
    def loss(x):
        y = x * 1.0
        y[0, 1:] *= x[1, 0]
        v = y.reshape(-1)
        v[2] = np.sum(x)
        return np.sum(y**2)

    return wg.grad(loss)


@case((A,), (B,), (C,), (A,))
def kinks_and_selections():
    def loss(x):
        y = np.where(x > 0, np.sqrt(np.abs(x)), 0.0)
        return np.sum(y) + np.max(x) + np.sum(np.maximum(x, 0)) + np.sum(np.abs(x * 0))

    return wg.value_and_grad(loss)


def cond_inside():
    def step(x):
        return wg.cond(x.sum() > 0, lambda v: v * 2, lambda v: np.exp(v), x)

    return step


def scan_inside():
    def step(x):
        def body(carry, v):
            carry = np.tanh(carry + v)
            return carry, carry * v

        return wg.grad(lambda x: np.sum(wg.scan(body, x[0], x)[1]))(x)

    return step


def while_loop_inside():
    def step(x):
        return wg.while_loop(lambda v: np.sum(v * v) > 1, lambda v: v * 0.5, x)

    return step


def fori_loop_inside():
    def step(x):
        return wg.fori_loop(0, 4, lambda k, v: np.sin(v) + k, x)

    return step


def random_numbers_of_wengert():
    rng = wg.random.Generator(0)
    return lambda x: x + rng.normal(size=3) * rng.uniform(0.5, 1.5)


def random_numbers_under_grad():
    rng = wg.random.Generator(1)

    def loss(x):
        return np.sum(rng.normal(loc=x, scale=np.exp(x)) ** 2)

    return wg.grad(loss)


def compiled_in_compiled():
    inner = wg.compile(lambda v: v * 2 if v.sum() > 0 else v * 3)
    return lambda x: inner(x) + inner(-x)


NEEDED = {
    "cond": cond_inside,
    "scan": scan_inside,
    "while_loop": while_loop_inside,
    "fori_loop": fori_loop_inside,
    "compile": compiled_in_compiled,
}
for needed, make in NEEDED.items():
    if hasattr(wg, needed):
        case((A,), (B,), (C,), (A,))(make)
if hasattr(wg, "random"):
    for make in (random_numbers_of_wengert, random_numbers_under_grad):
        case((A,), (B,), (C,), (A,))(make)
