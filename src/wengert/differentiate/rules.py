"""``rule_call``: the primitive behind functions with rules of the user's; transposing rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import tree
from ..core.box import Box, is_inexact
from ..core.errors import UnsupportedError
from ..core.primitive import Doc, KeepAll, Primitive, keeping
from ..ops.families import general
from ..ops.fitting import Like, fit, zeros_like
from .reverse import record
from .tape import Tape


@dataclass(eq=False)
class Rules:
    """What a function with rules does, on flat lists of leaves.

    call: ``(xs) -> ys``. residual: ``(xs) -> (ys, saved)``, what a tape runs. pull: ``(saved, gys)
    -> gxs`` with None for zero. push: ``(xs, dxs) -> dys``. batch: ``(flags, size) -> Rules`` for
    examples in front. ``out``: the structure of the result, known once it ran.
    """

    name: str
    call: Callable[[Sequence[Any]], tuple[Any, ...]]
    residual: Callable[[Sequence[Any]], tuple[tuple[Any, ...], Any]]
    pull: Callable[[Any, Sequence[Any]], Sequence[Any]]
    push: Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]
    batch: Callable[[Sequence[bool], int], Rules]
    out: list[Any] = field(default_factory=list)

    def __repr__(self) -> str:
        return self.name


class Saved:
    """What a node of ``rule_call`` keeps, and the adjoints of its inputs once one of them was asked
    for.
    """

    __slots__ = ("gxs", "gy", "residual", "xs", "ys")

    def __init__(self, xs: Sequence[Any], ys: tuple[Any, ...], residual: Any) -> None:
        self.xs, self.ys, self.residual = xs, [Like(y) for y in ys], residual
        self.gy: Any = None
        self.gxs: Sequence[Any] = ()


def _residual(
    values: Sequence[Any], params: dict[str, Any], active: Sequence[bool]
) -> tuple[tuple[Any, ...], Saved]:
    ys, residual = params["rules"].residual(values)
    return ys, Saved(values, ys, residual)


def _pull(i: int, gy: dict[int, Any], node: Any, masked: bool) -> Any:
    saved = node.saved
    if saved.gy is not gy:
        gys = [gy[k] if k in gy else np.zeros(y.shape, y.dtype)[()] for k, y in enumerate(saved.ys)]
        saved.gxs, saved.gy = node.params["rules"].pull(saved.residual, gys), gy
    g = saved.gxs[i]
    if not any(node.parents[:i]):
        saved.gxs, saved.gy = (), None
    return None if g is None else fit(g, node.parents[i])


def _push(ys: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> tuple[Any, ...]:
    filled = [
        zeros_like(x) if dx is None and is_inexact(x) else dx for x, dx in zip(xs, dxs, strict=True)
    ]
    dys = params["rules"].push(xs, filled)
    return tuple(fit(dy, Like(y)) if is_inexact(y) else None for y, dy in zip(ys, dys, strict=True))


rule_call: Primitive = general(
    name="rule_call",
    value=lambda *xs, rules: rules.call(xs),
    jvp=_push,
    pull=_pull,
    reads=(),
    batch=lambda xs, batched, size, params: rule_call(
        *xs, rules=params["rules"].batch(batched, size)
    ),
    infer=lambda *avals, rules: (_ for _ in ()).throw(
        UnsupportedError("the shapes of a user's function come from running it")
    ),
    residual=_residual,
    calls_user=True,
    multiple=True,
    doc=Doc("A function with rules of the user's: custom_jvp, custom_vjp, checkpoint."),
    samples=lambda rng: [],
)
keeping(rule_call, KeepAll())


class LinearTape(Tape):
    """A tape that refuses what is not linear in its inputs: for rules that are transposed."""

    __slots__ = ()

    def unary(self, primitive: Primitive, x: Any) -> Any:
        return self.process(primitive, (x,), {})

    def binary(self, primitive: Primitive, a: Any, b: Any) -> Any:
        return self.process(primitive, (a, b), {})

    def ternary(self, primitive: Primitive, a: Any, b: Any, c: Any) -> Any:
        return self.process(primitive, (a, b, c), {})

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        active = [
            i
            for i, a in enumerate(args)
            if isinstance(a, Box) and a._owner is self and a._node is not None
        ]
        if active and primitive.reads is not None:
            forbidden = {1} | {i + 2 for i in active}
            for i in active:
                reads = primitive.reads[i] if i < len(primitive.reads) else frozenset()
                if reads is None or reads & forbidden:
                    raise UnsupportedError(
                        f"{self.origin}: the rule must be linear in the adjoint (or tangent) it "
                        "is given, so that the other mode can be had by transposing it, but it "
                        f"applies {primitive.name}. Give the rule of the other mode too: "
                        "custom_jvp for forward mode, custom_vjp for reverse mode"
                    )
        return super().process(primitive, args, params)


def transposed(
    function: Callable[..., Any], shapes: Sequence[Any], what: str
) -> tuple[list[Any], Any, Callable[..., Any]]:
    """Run the linear ``function`` at zeros; its values, their structure, and its transpose."""
    zeros = [np.zeros(s.shape, s.dtype)[()] if is_inexact_like(s) else None for s in shapes]
    active = [k for k, z in enumerate(zeros) if z is not None]

    def of_active(*parts: Any) -> Any:
        full = list(zeros)
        for k, part in zip(active, parts, strict=True):
            full[k] = part
        return function(full)

    values, out_def, pullback = record(
        of_active, [zeros[k] for k in active], what, tape_type=LinearTape
    )
    return (
        values,
        out_def,
        lambda gys: _spread(pullback(tree.unflatten(out_def, gys)), active, len(zeros)),
    )


def _spread(parts: Sequence[Any], active: Sequence[int], total: int) -> list[Any]:
    full: list[Any] = [None] * total
    for k, part in zip(active, parts, strict=True):
        full[k] = part
    return full


def is_inexact_like(like: Any) -> bool:
    """Whether a ``Like`` has derivatives."""
    return np.dtype(like.dtype).kind in "fc"
