"""A loop whose body is one nest, as one piece of machine code: nothing is called in between.

The nest's function is put into a loop that moves its operands from trip to trip. What lies at the
same place in all trips LLVM can keep in a register. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .machine import NAME
from .nest import fetching
from .steps import Address, Operand, Place, Step

SEPARATE = " noinline"  # as the function of a nest is marked


def repeated(
    step: Step,
    trips: Operand,
    ways: Mapping[Place | Address, tuple[Operand, int]],
    backwards: bool,
) -> Step:
    """The step of a nest so many times as a number at ``trips`` says.

    ``ways``: for slots that move where they point to in the first element, and how far it is to the
    next one, in bytes.
    """
    operands, strides = [trips], []
    for base, offset in step.operands:
        start, stride = ways.get(base, (Operand(base), 0))
        operands.append(Operand(start.base, start.offset + offset))
        strides.append(stride)
    head, _, _ = step.code.partition(f"define i32 @{NAME}_entry(")
    name, mark, rest = head.partition(SEPARATE)
    body = name + (" alwaysinline" if mark else "") + rest
    code = body + "\n".join(_loop(strides, backwards, step.extent)) + "\n"
    return replace(step, code=code, operands=tuple(operands), extent=1, grain=0)


def _loop(strides: list[int], backwards: bool, extent: int) -> list[str]:
    """The lines of the function that calls the nest's."""
    given = "".join(f"ptr %{'q' if stride else 'p'}{k}, " for k, stride in enumerate(strides, 1))
    moved = [
        line
        for k, stride in enumerate(strides, 1)
        if stride
        for line in (
            f"  %m{k} = mul nsw i64 %at, {stride}",
            f"  %q{k} = getelementptr inbounds i8, ptr %p{k}, i64 %m{k}",
        )
    ]
    return [
        f"define i32 @{NAME}_entry(ptr %frame, ptr %step, i64 %low, i64 %high) {{",
        "first:",
        *fetching(len(strides) + 1),
        "  %trips = load i64, ptr %p0",
        "  %last = sub nsw i64 %trips, 1",
        "  %some = icmp sgt i64 %trips, 0",
        "  br i1 %some, label %trip, label %done",
        "trip:",
        "  %i = phi i64 [ 0, %first ], [ %next, %good ]",
        f"  %at = {'sub nsw i64 %last, %i' if backwards else 'add i64 %i, 0'}",
        *moved,
        f"  %code = call i32 @{NAME}_body({given}i64 0, i64 {extent})",
        "  %bad = icmp ne i32 %code, 0",
        "  br i1 %bad, label %failed, label %good",
        "good:",
        "  %next = add nuw nsw i64 %i, 1",
        "  %more = icmp slt i64 %next, %trips",
        "  br i1 %more, label %trip, label %done",
        "failed:",
        "  ret i32 %code",
        "done:",
        "  ret i32 0",
        "}",
    ]
