"""Loops in machine code: counted ones, and those over the axes of arrays.

A loop may carry values: its body gets those of the turn before and gives new ones. Layer:
``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

I8, I64 = ir.IntType(8), ir.IntType(64)
Values = list[Any]
Axes = tuple[list[int], list[list[int]]]  # lengths, and each operand's strides along them


def number(value: Any) -> Any:
    """An integer as LLVM's."""
    return ir.Constant(I64, value) if isinstance(value, int) else value


def loop(
    build: Any,
    start: Any,
    stop: Any,
    carried: Values,
    body: Callable[[Any, Values], Values],
    certain: bool = False,
) -> Values:
    """``carried = body(i, carried)`` for i from ``start`` to below ``stop``, integers or LLVM's;
    ``certain``: there is a first turn.
    """
    if isinstance(start, int) and isinstance(stop, int):
        if stop <= start:
            return carried
        if stop == start + 1:
            return body(number(start), carried)
        certain = True
    first, last, before = number(start), number(stop), build.block
    block, after = (build.append_basic_block(name) for name in ("loop", "after"))
    if certain:
        build.branch(block)
    else:
        build.cbranch(build.icmp_signed("<", first, last), block, after)
    build.position_at_end(block)
    i = build.phi(I64)
    i.add_incoming(first, before)
    inside = [build.phi(one.type) for one in carried]
    results = body(i, inside)
    following = build.add(i, number(1), flags=("nsw", "nuw"))
    i.add_incoming(following, build.block)
    for phi, old, new in zip(inside, carried, results, strict=True):
        phi.add_incoming(old, before)
        phi.add_incoming(new, build.block)
    end = build.block
    build.cbranch(build.icmp_signed("<", following, last), block, after)
    build.position_at_end(after)
    if certain:
        return results
    joined = []
    for old, new in zip(carried, results, strict=True):
        phi = build.phi(new.type)
        phi.add_incoming(old, before)
        phi.add_incoming(new, end)
        joined.append(phi)
    return joined


def nested(
    build: Any,
    axes: Axes,
    pointers: Values,
    carried: Values,
    body: Callable[[Values, Values, Values], Values],
    part: tuple[Any, Any] | None = None,
) -> Values:
    """Loops over axes, outermost first: ``carried = body(pointers, indices, carried)``.

    ``part``: of the outermost one, which is not empty.
    """

    def level(depth: int, here: Values, indices: Values, carried: Values) -> Values:
        if depth == len(axes[0]):
            return body(here, indices, carried)

        def turn(i: Any, carried: Values) -> Values:
            steps = [own[depth] for own in axes[1]]
            moved = [advanced(build, p, i, step) for p, step in zip(here, steps, strict=True)]
            return level(depth + 1, moved, [*indices, i], carried)

        start, stop = part if part and not depth else (0, axes[0][depth])
        return loop(build, start, stop, carried, turn, certain=True)

    return level(0, pointers, [], carried)


def advanced(build: Any, pointer: Any, index: Any, step: int) -> Any:
    """A pointer moved by ``index`` times ``step`` bytes."""
    if not step:
        return pointer
    return build.gep(
        pointer,
        [build.mul(index, number(step), flags=("nsw",))],
        inbounds=True,
        source_etype=I8,
    )


def sorted_axes(shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The axes longer than 1 in the order of memory, outermost first."""
    axes = [axis for axis, length in enumerate(shape) if length != 1]
    return sorted(axes, key=lambda axis: -abs(strides[axis]))


def merged(order: Sequence[int], shape: Sequence[int], strides: Sequence[Sequence[int]]) -> Axes:
    """Loops over axes in this order; what lies without gaps in all operands is one of them."""
    lengths: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis in order:
        length = shape[axis]
        if lengths and all(
            own[-1] == stride[axis] * length for own, stride in zip(steps, strides, strict=True)
        ):
            lengths[-1] *= length
            for own, stride in zip(steps, strides, strict=True):
                own[-1] = stride[axis]
        else:
            lengths.append(length)
            for own, stride in zip(steps, strides, strict=True):
                own.append(stride[axis])
    return lengths, steps
