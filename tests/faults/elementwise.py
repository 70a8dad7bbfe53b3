"""Faults in elementwise primitives, and in what their family derives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from primitives import checks, higher
from primitives.cases import C16, F4
from wengert.core.aval import Aval
from wengert.core.primitive import REGISTRY, Keep, Primitive
from wengert.ops import families, fitting
from wengert.ops.arithmetic import stop_gradient

from .planting import fault, rebuilt, scaled


@fault("square", checks.check_forward, checks.check_complex_step)
def partial_off_by_one_percent(patch: Any, p: Primitive) -> Primitive:
    fields = {"name": p.name, "value": p.value, "ufunc": p.ufunc}
    twin = rebuilt(patch, families.elementwise, partials=(lambda x: 2.02 * x,), **fields)
    return replace(twin, doc=p.doc)


@fault("divide", checks.check_dot)
def reverse_off_by_one_percent(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=scaled(p.pull, 1.01, of=1))


@fault("divide", checks.check_forward, checks.check_dot)
def forward_off_by_one_percent(patch: Any, p: Primitive) -> Primitive:
    return replace(p, jvp=lambda y, xs, dxs, params: p.jvp(y, xs, dxs, params) * 1.01)


@fault("divide", checks.check_forward)
def partial_off_in_both_modes(patch: Any, p: Primitive) -> Primitive:
    """Forward and reverse agree with each other, and are both wrong."""
    return rebuilt(
        patch,
        families.elementwise,
        name=p.name,
        value=p.value,
        partials=(lambda b: 1 / b, lambda y, b: -1.01 * y / b),
    )


@fault("subtract", checks.check_dot)
def sign_lost(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=scaled(p.pull, -1.0, of=1))


@fault("square", higher.check_second_order)
def partial_that_is_a_constant(patch: Any, p: Primitive) -> Primitive:
    """Right to first order; the second derivative is lost."""
    twin = rebuilt(
        patch,
        families.elementwise,
        name=p.name,
        value=p.value,
        partials=(lambda x: 2 * stop_gradient(x),),
    )
    return replace(twin, doc=p.doc)


@fault("divide", higher.check_second_order)
def second_order_lost_in_reverse_only(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        return stop_gradient(p.pull(i, gy, node, masked) / gy) * gy

    return replace(p, pull=pull)


@fault("multiply", checks.check_dot)
def missing_unbroadcast(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(fitting, "unbroadcast", lambda g, shape: g)
    return p


@fault("multiply", checks.check_dot)
def unbroadcast_takes_the_first_element(patch: Any, p: Primitive) -> Primitive:
    def first(g: Any, shape: tuple[int, ...]) -> Any:
        while np.ndim(g) > len(shape):
            g = g[0]
        return g[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]

    patch.setattr(fitting, "unbroadcast", first)
    return p


@fault("multiply", checks.check_dot)
def missing_cast(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(fitting, "cast", lambda g, dtype: g)
    return p


@fault("multiply", checks.check_dot, higher.check_second_order, dtypes=(C16,))
def conjugate_left_out(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(families, "is_complex", lambda value: False)
    return p


@fault("multiply", checks.check_forward, checks.check_dot, dtypes=(C16,))
def conjugate_in_the_tangent(patch: Any, p: Primitive) -> Primitive:
    def jvp(y: Any, xs: Any, dxs: Any, params: Any) -> Any:
        return p.jvp(y, [np.conj(x) for x in xs], dxs, params)

    return replace(p, jvp=jvp)


@fault("absolute", checks.check_forward, dtypes=(C16,))
def modulus_taken_for_holomorphic(patch: Any, p: Primitive) -> Primitive:
    fields = {"name": p.name, "value": p.value, "partials": (lambda x: np.sign(x),)}
    return replace(rebuilt(patch, families.elementwise, **fields), doc=p.doc)


@fault("multiply", checks.check_single, dtypes=(F4,))
def single_precision_lost(patch: Any, p: Primitive) -> Primitive:
    def jvp(y: Any, xs: Any, dxs: Any, params: Any) -> Any:
        dy = p.jvp(y, xs, dxs, params)
        return np.asarray(dy).astype(np.float16).astype(F4)[()] if dy.dtype == F4 else dy

    return replace(p, jvp=jvp)


@fault("multiply", checks.check_value)
def value_off_in_the_last_bit(patch: Any, p: Primitive) -> Primitive:
    return replace(p, value=lambda a, b: a * b * (1 + 2**-52))


@fault("square", checks.check_value)
def argument_overwritten(patch: Any, p: Primitive) -> Primitive:
    return replace(p, value=lambda x: np.multiply(x, x, out=x) if np.ndim(x) else x * x)


@fault("multiply", checks.check_infer)
def shape_rule_without_broadcasting(patch: Any, p: Primitive) -> Primitive:
    return replace(p, infer=lambda a, b: Aval(a.shape, p.infer(a, b).dtype, p.infer(a, b).weak))


@fault("multiply", checks.check_infer)
def shape_rule_with_the_dtype_of_the_first(patch: Any, p: Primitive) -> Primitive:
    return replace(p, infer=lambda a, b: Aval(p.infer(a, b).shape, a.dtype, p.infer(a, b).weak))


@fault("multiply", checks.check_infer)
def shape_rule_forgets_weakness(patch: Any, p: Primitive) -> Primitive:
    return replace(p, infer=lambda a, b: Aval(p.infer(a, b).shape, p.infer(a, b).dtype))


@fault("divide", checks.check_dot, checks.check_saved)
def save_dropped(patch: Any, p: Primitive) -> Primitive:
    return replace(p, keep=Keep([frozenset({3}), frozenset({1})], 2))


@fault("add", checks.check_saved)
def everything_saved(patch: Any, p: Primitive) -> Primitive:
    keep = Keep([frozenset(), frozenset()], 2)
    keep[:] = [tuple] * 4
    return replace(p, keep=keep)


@fault("multiply", higher.check_batching)
def batching_without_alignment(patch: Any, p: Primitive) -> Primitive:
    return replace(p, batch=lambda xs, batched, size, params: p(*xs))


@fault("multiply", higher.check_absorbs)
def mask_not_absorbed(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=lambda i, gy, node, masked: p.pull(i, gy, node, False))


@fault("divide", higher.check_absorbs)
def mask_not_spread(patch: Any, p: Primitive) -> Primitive:
    """The selection forgets to mark its adjoint."""
    patch.setattr(Primitive, "__setattr__", object.__setattr__)  # records are frozen
    patch.setattr(REGISTRY["where"], "selects", False)
    return p
