"""``call``: a program as one equation; and what all primitives with programs inside share.

Under a transformation a compiled function is one ``call``, whose JVP, VJP and batching are calls of
derived programs. Layer: ``control``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.aval import Aval
from ..core.errors import ShapeError
from ..core.primitive import Doc, KeepAll, Primitive, keeping
from ..core.program import Program, agree
from ..ops.families import general
from ..ops.fitting import fit
from . import derived
from .derived import Flags, batched, pushed, split


class Kept:
    """What a tape keeps of an application with programs inside.

    ``xs``: the operands; ``residuals``: what its way there gave for its way back; ``active``: the
    operands whose adjoints are wanted. ``gxs``: these adjoints, once one of them was asked for with
    the adjoints ``gy`` of the outputs.
    """

    __slots__ = ("active", "gxs", "gy", "residuals", "xs")

    def __init__(self, xs: Sequence[Any], residuals: Sequence[Any], active: Flags) -> None:
        self.xs, self.residuals, self.active = xs, residuals, active
        self.gy: Any = None
        self.gxs: Sequence[Any] = ()


def structured(
    *,
    name: str,
    value: Callable[..., Any],
    infer: Callable[..., tuple[Aval, ...]],
    push: Callable[..., tuple[Any, Any]],
    forward: Callable[..., tuple[Sequence[Any], Sequence[Any]]],
    backward: Callable[..., Sequence[Any]],
    batch: Callable[..., Any],
    summary: str,
) -> Primitive:
    """A primitive of several outputs whose parameters hold programs.

    ``push(xs, dxs, params) -> (ys, dys)``; ``forward(xs, params, active) -> (ys, residuals)``;
    ``backward(kept, gys, params, masked) -> gxs``, where ``gys`` is a dict of the adjoints of the
    outputs that have one, and ``gxs`` has None for zero; the rest as in ``Primitive``.
    """

    def residual(xs: Sequence[Any], params: dict[str, Any], active: Flags) -> tuple[Any, Kept]:
        ys, residuals = forward(xs, params, active)
        return tuple(ys), Kept(xs, residuals, active)

    def pull(i: int, gy: dict[int, Any], node: Any, masked: bool) -> Any:
        kept = node.saved
        if kept.gy is not gy:
            kept.gxs, kept.gy = backward(kept, gy, node.params, masked), gy
        g = kept.gxs[i]
        if not any(node.parents[:i]):
            kept.gxs, kept.gy = (), None
        return None if g is None else fit(g, node.parents[i])

    primitive = general(
        name=name,
        value=value,
        jvp=lambda ys, xs, dxs, params: push(xs, dxs, params)[1],
        push=push,
        pull=pull,
        reads=(),
        batch=batch,
        infer=infer,
        residual=residual,
        selects=True,  # there may be a selection inside
        multiple=True,
        doc=Doc(summary),
        samples=lambda rng: [],
    )
    return keeping(primitive, KeepAll())


def present(items: Sequence[Any]) -> list[Any]:
    """Those that are not None."""
    return [item for item in items if item is not None]


def flags_of(items: Sequence[Any]) -> Flags:
    """Which are not None."""
    return tuple([item is not None for item in items])


def spread(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The items at the true places, None at the others."""
    rest = iter(items)
    return [next(rest) if flag else None for flag in flags]


def types(program: Program) -> tuple[Aval, ...]:
    """The types of the outputs."""
    return tuple([atom.aval for atom in program.outputs])


def check_operands(name: str, program: Program, avals: Sequence[Aval]) -> None:
    """Raise ``ShapeError`` unless the operands fit the inputs of the program."""
    expected = [var.aval for var in program.inputs]
    if len(avals) != len(expected) or not all(map(agree, expected, avals)):
        raise ShapeError(
            f"{name} of {program!r}: got operands {', '.join(map(str, avals))}, expected "
            f"{', '.join(map(str, expected))}"
        )


def _infer(*avals: Aval, program: Program) -> tuple[Aval, ...]:
    check_operands("call", program, avals)
    return types(program)


def _push(xs: Sequence[Any], dxs: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
    tangent = pushed(params["program"], flags_of(dxs))
    both = call(*xs, *present(dxs), program=tangent.program)
    count = len(tangent.live)
    return both[:count], spread(both[count:], tangent.live)


def _forward(
    xs: Sequence[Any], params: dict[str, Any], active: Flags
) -> tuple[Sequence[Any], Sequence[Any]]:
    both = call(*xs, program=split(params["program"], active).forward)
    count = len(params["program"].outputs)
    return both[:count], both[count:]


def _backward(
    kept: Kept, gys: dict[int, Any], params: dict[str, Any], masked: bool
) -> Sequence[Any]:
    parts = split(params["program"], kept.active)
    given = tuple(sorted(gys))
    back = parts.backward(given, masked)
    inputs = [kept.xs[k] for k in parts.kept]
    gxs = call(*inputs, *kept.residuals, *[gys[k] for k in given], program=back.program)
    return spread(gxs, back.live)


def _batch(
    xs: Sequence[Any], flags: Sequence[bool], size: int, params: dict[str, Any]
) -> tuple[Any, ...]:
    every = (True,) * len(params["program"].outputs)
    examples = batched(params["program"], tuple(flags), size, every)
    return call(*xs, program=examples.program)  # type: ignore[no-any-return]


call: Primitive = structured(
    name="call",
    value=lambda *xs, program: derived.runner(program)(*xs),
    infer=_infer,
    push=_push,
    forward=_forward,
    backward=_backward,
    batch=_batch,
    summary="The outputs of a program; its derivatives are programs derived from it.",
)
