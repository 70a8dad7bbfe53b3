"""Faults are planted in primitives of every family, in the sweep, in forward mode, in batching and
in changes in place; the checks of the generated and the random tests must fail for each.

A fault is a broken twin of a record, or a part of the engine replaced while the checks run. Each
names the checks that must see it; the same checks pass for what is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from fuzz.agree import CHECKS
from fuzz.draw import WRITES, draw
from primitives import checks
from primitives.cases import C16, F4, F8, mixed_cases, smooth
from wengert.core.aval import Aval
from wengert.core.primitive import REGISTRY, Doc, Interval, Keep, Primitive
from wengert.differentiate import sweep
from wengert.differentiate.forward import Forward
from wengert.ops import families, fitting, index, indexing, inplace
from wengert.ops.arithmetic import stop_gradient
from wengert.ops.array import View

Plant = Callable[[pytest.MonkeyPatch, Primitive], Primitive]
Check = Callable[[Primitive, Any], Any]


@dataclass(frozen=True)
class Fault:
    """``plant`` breaks primitive ``of``, or what it rests on; every check ``by`` must see that."""

    of: str
    plant: Plant
    by: tuple[Check, ...]
    dtypes: tuple[Any, ...] = (F8,)

    def cases(self, primitive: Primitive, check: Check) -> list[Any]:
        """What the generated tests give to the check."""
        mixed = mixed_cases(primitive) if check in TAKE_MIXED else []
        return [*smooth(primitive, *self.dtypes), *mixed]


TAKE_MIXED = {checks.check_value, checks.check_infer, checks.check_dot}
FAULTS: dict[str, Fault] = {}


def fault(of: str, *by: Check, dtypes: tuple[Any, ...] = (F8,)) -> Callable[[Plant], Plant]:
    """Enter the decorated planter under its name."""

    def enter(plant: Plant) -> Plant:
        FAULTS[f"{plant.__name__} in {of}"] = Fault(of, plant, by, dtypes)
        return plant

    return enter


def scaled(pull: Callable[..., Any], factor: float, of: int | None = None) -> Callable[..., Any]:
    """``pull`` with the adjoint of one input, or all, off by ``factor``."""

    def wrong(i: int, gy: Any, node: Any, masked: bool) -> Any:
        g = pull(i, gy, node, masked)
        return g * factor if g is not None and of in (None, i) else g

    return wrong


def rebuilt(
    patch: pytest.MonkeyPatch, family: Callable[..., Primitive], **fields: Any
) -> Primitive:
    """A primitive of the family that does not enter the registry."""
    with patch.context() as quietly:
        quietly.setattr(families, "define", lambda primitive: primitive)
        return family(doc=Doc("A twin.", (Interval(0.3, 3.0),) * 2), **fields)


# --- elementwise ----------------------------------------------------------------------------------


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


@fault("square", checks.check_second_order)
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


@fault("divide", checks.check_second_order)
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


@fault("multiply", checks.check_dot, checks.check_second_order, dtypes=(C16,))
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


@fault("multiply", checks.check_batching)
def batching_without_alignment(patch: Any, p: Primitive) -> Primitive:
    return replace(p, batch=lambda xs, batched, size, params: p(*xs))


@fault("multiply", checks.check_absorbs)
def mask_not_absorbed(patch: Any, p: Primitive) -> Primitive:
    return replace(p, pull=lambda i, gy, node, masked: p.pull(i, gy, node, False))


@fault("divide", checks.check_absorbs)
def mask_not_spread(patch: Any, p: Primitive) -> Primitive:
    """The selection itself forgets to mark its adjoint."""
    where = REGISTRY["where"]
    object.__setattr__(where, "selects", False)
    patch.callback = lambda: object.__setattr__(where, "selects", True)
    return p


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


@fault("sum", checks.check_batching)
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


@fault("matmul", checks.check_batching)
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


@fault("max", checks.check_batching)
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


@fault("getitem", checks.check_batching)
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


# --- the engine -----------------------------------------------------------------------------------


@fault("divide", checks.check_second_order)
def accumulation_lost(patch: Any, p: Primitive) -> Primitive:
    add = sweep.Adjoints.add

    def last_only(self: Any, node: Any, g: Any) -> None:
        self.values.pop(node.number, None)
        if node.number in self.pending and isinstance(g, np.ndarray | float | np.generic):
            self.values[node.number] = g
        else:
            add(self, node, g)

    patch.setattr(sweep.Adjoints, "add", last_only)
    return p


@fault("divide", checks.check_second_order)
def nodes_in_the_wrong_order(patch: Any, p: Primitive) -> Primitive:
    """First come, first served: a node is done before all of its contributions are there."""
    patch.setattr(sweep, "heappush", lambda queue, number: queue.append(number))
    patch.setattr(sweep, "heappop", lambda queue: queue.pop(0))
    return p


@fault("multiply", checks.check_forward, checks.check_dot)
def tangent_of_the_last_argument_lost(patch: Any, p: Primitive) -> Primitive:
    for name in ("process", "binary", "_tangent"):
        if name in vars(Forward):
            original = getattr(Forward, name)
            patch.setattr(Forward, name, losing_tangents(original))
    return p


def losing_tangents(method: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(self: Any, *args: Any) -> Any:
        y = method(self, *args)
        if getattr(y, "_node", None) is not None and y._owner is self:
            y._node = y._node * 0.5
        return y

    return wrong


# --- they are all seen ----------------------------------------------------------------------------


def failing(check: Check, primitive: Primitive, cases: list[Any]) -> int:
    """In how many of the cases the check fails."""
    count = 0
    for case in cases:
        try:
            check(primitive, case)
        except Exception:
            count += 1
    return count


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name, monkeypatch):
    planted = FAULTS[name]
    whole = REGISTRY[planted.of]
    cases = {check: planted.cases(whole, check) for check in planted.by}
    for check in planted.by:
        assert not failing(check, whole, cases[check]), f"{check.__name__} fails without the fault"
    twin = planted.plant(monkeypatch, whole)
    try:
        blind = [check.__name__ for check in planted.by if not failing(check, twin, cases[check])]
    finally:
        getattr(monkeypatch, "callback", lambda: None)()
    assert not blind, f"{name} is not seen by {blind}"


def test_every_family_and_every_check_has_its_faults():
    families_hit = {REGISTRY[planted.of].family for planted in FAULTS.values()}
    assert families_hit == {primitive.family for primitive in REGISTRY.values()}
    checks_used = {check for planted in FAULTS.values() for check in planted.by}
    written = {getattr(checks, name) for name in dir(checks) if name.startswith("check_")}
    assert written - checks_used <= {checks.check_constant, checks.check_batched_gradient}


# --- faults in changes in place, seen by the drawn programs ---------------------------------------


def not_erased(patch: Any) -> None:
    patch.setattr(indexing.Erased, "erase", lambda self, overwrite: self.g * 1.0)


def writers_all_win(patch: Any) -> None:
    patch.setattr(indexing, "_last_writers", lambda shape, index, arrays: 1.0)


def views_never_refresh(patch: Any) -> None:
    patch.setattr(View, "refresh", lambda self: None)


def copies_taken_for_views(patch: Any) -> None:
    patch.setattr(inplace, "view_strides", lambda box, function: (8,) * box.ndim)


def buffers_always_overwritten(patch: Any) -> None:
    patch.setattr(inplace, "held_once", lambda box: True)


def overlap_ignored(patch: Any) -> None:
    patch.setattr(inplace, "_unshared", lambda box, value: value)


def adjoints_shared(patch: Any) -> None:
    """The sweep writes into adjoints that it does not own."""
    patch.setattr(
        indexing.Scattered,
        "buffer",
        lambda self, node, present, b=indexing.Scattered.buffer: (
            b(self, node, None) if present is None else present
        ),
    )


def composed_index_off_by_one(patch: Any) -> None:
    compose = inplace.compose

    def wrong(outer: Any, inner: Any, shape: Any) -> Any:
        result = compose(outer, inner, shape)
        if result and isinstance(result[0], int):
            return ((result[0] + 1) % shape[0], *result[1:])
        return result

    patch.setattr(inplace, "compose", wrong)


IN_PLACE = {
    not_erased: "first order",
    writers_all_win: "first order",
    views_never_refresh: "values",
    copies_taken_for_views: "values",
    buffers_always_overwritten: "first order",
    overlap_ignored: "values",
    composed_index_off_by_one: "values",
}


@pytest.mark.parametrize("plant", IN_PLACE, ids=lambda plant: plant.__name__)
def test_drawn_programs_see_a_fault_in_place(plant, monkeypatch):
    check, kinds = CHECKS[IN_PLACE[plant]], [*WRITES, *WRITES, "move", "read"]
    plant(monkeypatch)
    for seed in range(100):
        try:
            check(draw(seed + 10**6, kinds))
        except Exception:
            return
    raise AssertionError("100 drawn programs did not see it")
