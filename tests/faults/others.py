"""Faults in linear, bilinear, reducing and general primitives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from primitives import checks, higher
from primitives.cases import C16
from wengert.core.box import BATCHED
from wengert.core.primitive import REGISTRY, Primitive
from wengert.ops import families, fitting, index, indexing
from wengert.ops.array import Array

from .planting import fault

# --- linear ---------------------------------------------------------------------------------------


@fault("transpose", checks.check_dot)
def axes_not_inverted(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=lambda i, gy, node, masked: np.transpose(gy, node.params["axes"]))


@fault("reshape", checks.check_dot)
def elements_in_another_order(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        return np.reshape(np.transpose(gy), node.parents[i].shape)

    return replace(p, pull=pull)


@fault("sum", checks.check_dot)
def sum_with_the_adjoint_of_the_mean(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        g = p.pull(i, gy, node, masked)
        return g * (np.size(gy) / np.size(g))

    return replace(p, pull=pull)


@fault("sum", higher.check_batching)
def axis_not_shifted_under_vmap(patch: Any, p: Primitive) -> Primitive:
    return replace(p, batch=lambda xs, batched, size, params: p(*xs, **params))


@fault("broadcast_to", checks.check_dot)
def repeats_not_summed(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        g = p.pull(i, gy, node, masked)
        return g * (np.size(g) / np.size(gy))

    return replace(p, pull=pull)


@fault("concatenate", checks.check_dot)
def parts_taken_from_the_start(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        n = node.parents[i].shape[node.params["axis"]]
        return np.take(gy, range(n), axis=node.params["axis"])

    return replace(p, pull=pull)


@fault("imag", checks.check_dot, dtypes=(C16,))
def imaginary_unit_left_out(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=lambda i, gy, node, masked: fitting.cast(gy, node.parents[0].dtype))


@fault("transpose", checks.check_forward)
def tangent_not_moved(patch: Any, p: Primitive) -> Primitive:
    return replace(p, jvp=lambda y, xs, dxs, params: np.reshape(dxs[0], np.shape(y)))


# --- bilinear -------------------------------------------------------------------------------------


@fault("matmul", checks.check_dot)
def transposes_swapped(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=lambda i, gy, node, masked: p.pull(1 - i, gy, node, masked))


@fault("matmul", checks.check_forward, checks.check_dot)
def one_term_of_the_tangent_lost(patch: Any, p: Primitive) -> Primitive:
    def jvp(y: Any, xs: Any, dxs: Any, params: Any) -> Any:
        return p.jvp(y, xs, [dxs[0], None if dxs[0] is not None else dxs[1]], params)

    return replace(p, jvp=jvp)


@fault("matmul", checks.check_dot, dtypes=(C16,))
def conjugate_left_out_of_a_product(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(families, "is_complex", lambda value: False)
    return p


@fault("matmul", higher.check_batching)
def stacks_confused_under_vmap(patch: Any, p: Primitive) -> Primitive:
    def batch(xs: Any, batched: Any, size: int, params: Any) -> Any:
        return p.batch(
            [np.flip(x, 0) if b else x for x, b in zip(xs, batched, strict=True)],
            batched,
            size,
            params,
        )

    return replace(p, batch=batch)


# --- reduction ------------------------------------------------------------------------------------


@fault("max", checks.check_forward, checks.check_dot)
def share_of_the_largest_off(patch: Any, p: Primitive) -> Primitive:
    return replace(p, jvp=lambda y, xs, dxs, params: p.jvp(y, xs, dxs, params) * 1.01)


@fault("max", checks.check_dot)
def adjoint_goes_to_everyone(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        x = node.saved[2]
        return families.expanded(gy, x.shape, node.params.get("axis")) * np.ones_like(x)

    return replace(p, pull=pull)


@fault("max", higher.check_batching)
def reduced_over_the_examples(patch: Any, p: Primitive) -> Primitive:
    return replace(
        p, batch=lambda xs, batched, size, params: np.flip(p.batch(xs, batched, size, params), 0)
    )


# --- general: reading and writing -----------------------------------------------------------------


@fault("getitem", checks.check_dot)
def repeated_reads_not_accumulated(patch: Any, p: Primitive) -> Primitive:
    def add_to(self: Any, buffer: Any) -> Any:
        buffer[self.index] = buffer[self.index] + self.g
        return buffer

    patch.setattr(indexing.Scattered, "add_to", add_to)
    return p


@fault("setitem", checks.check_dot)
def overwritten_elements_not_erased(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(indexing.Erased, "erase", lambda self, overwrite: np.array(self.g))
    return p


@fault("setitem", checks.check_dot)
def every_writer_wins(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(indexing, "_last_writers", lambda shape, index, arrays: 1.0)
    return p


@fault("setitem", checks.check_forward, checks.check_dot)
def written_tangent_lost(patch: Any, p: Primitive) -> Primitive:
    return replace(p, jvp=lambda y, xs, dxs, params: p.jvp(y, xs, [dxs[0], None, *dxs[2:]], params))


@fault("setitem", checks.check_dot)
def adjoint_erased_before_it_is_read(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        erased = np.array(gy)
        erased[index.join_index(node.params["index"], node.saved[4:])] = 0
        return p.pull(i, erased if i == 1 else gy, node, masked)

    return replace(p, pull=pull)


@fault("scatter_add", checks.check_forward, checks.check_dot)
def repeated_additions_counted_once(patch: Any, p: Primitive) -> Primitive:
    def jvp(y: Any, xs: Any, dxs: Any, params: Any) -> Any:
        setitem = REGISTRY["setitem"]
        return setitem(
            dxs[0] if dxs[0] is not None else np.zeros(np.shape(xs[0])),
            0.0 if dxs[1] is None else dxs[1],
            *xs[2:],
            index=params["index"],
        )

    return replace(p, jvp=jvp)


@fault("matmul", higher.check_batched_gradient)
def stacks_of_adjoints_confused(patch: Any, p: Primitive) -> Primitive:
    def pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
        g = p.pull(i, gy, node, masked)
        return g * 1.01 if isinstance(gy, Array) and gy._node is BATCHED else g

    return replace(p, pull=pull)


@fault("getitem", higher.check_batching)
def gathered_axis_left_where_it_was(patch: Any, p: Primitive) -> Primitive:
    patch.setattr(
        index.BatchedIndex, "to_front", lambda self, y: np.flip(y, -1) if np.ndim(y) > 1 else -y
    )
    return p


@fault("sign", checks.check_forward, dtypes=(C16,))
def turning_of_a_complex_sign_left_out(patch: Any, p: Primitive) -> Primitive:
    return replace(p, jvp=lambda y, xs, dxs, params: None)


@fault("where", checks.check_dot)
def both_branches_get_the_adjoint(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=lambda i, gy, node, masked: fitting.fit(gy, node.parents[i]))
