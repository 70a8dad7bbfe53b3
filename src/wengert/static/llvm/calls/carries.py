"""What a loop hands from trip to trip, and the steps that bring it there and back.

The body reads the old value of a carry, and writes the new one, through slots of the frame. Either
the new one is written over the old one, or two homes take turns. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ....core.program import Program
from ..scalars import NotLowered
from ..steps import Array, Operand, Step
from . import Given

WORD = 8  # bytes
FAILING = ("whole_number", "with_memory")  # steps that may find that NumPy must run the call


def runtime(
    name: str,
    operands: Sequence[Operand],
    params: Sequence[int] = (),
    inner: Sequence[Sequence[Step]] = (),
) -> Step:
    """A step of the runtime."""
    blocks = tuple(map(tuple, inner))
    fails = name in FAILING or any(step.fails for block in blocks for step in block)
    return Step(name, tuple(operands), tuple(params), inner=blocks, fails=fails, runtime=True)


def copied(draft: Any, source: tuple[Operand, Array], target: tuple[Operand, Array]) -> Step:
    """A step that copies a value; nothing needs to be compiled where both lie in C order."""
    (a, x), (b, y) = source, target
    if (x.shape, x.dtype) != (y.shape, y.dtype):
        raise NotLowered(f"{x.dtype}{list(x.shape)} where {y.dtype}{list(y.shape)} is expected")
    if x.flags.c_contiguous and y.flags.c_contiguous:
        return runtime("moved", (a, b), (x.nbytes,))
    step: Step = draft.copied(a, x, b, y)
    return step


class Carry(NamedTuple):
    """One value of the carry: slots for the old and the new one, how they lie, and two homes, of
    which the last value is to lie in ``home``.
    """

    old: Operand
    new: Operand
    view: Array
    home: Operand
    spare: Operand


def carries_of(draft: Any, leaves: Given, results: Given) -> list[Carry]:
    """A carry for each value that a loop starts from; its last one goes straight to the result, if
    that is in C order. The homes are taken before the body is planned, which must leave them alone.
    """
    carries = []
    for (_, leaf), (place, result) in zip(leaves, results, strict=True):
        size = max(leaf.nbytes, WORD)
        carries.append(
            Carry(
                Operand(draft.layout.moving()),
                Operand(draft.layout.moving()),
                np.empty(leaf.shape, leaf.dtype),
                place if result.flags.c_contiguous else draft.scratch(size),
                draft.scratch(size),
            )
        )
    return carries


def unchanged(program: Program, consts: int, number: int) -> bool:
    """Whether an output is the value of the carry that the trip began with."""
    return program.outputs[number] is program.inputs[consts + number]


class Homes:
    """The homes of a carry, and the steps before and after a loop.

    ``body``: its plan, in which each carry was one of ``carries``; ``even``: whether the number of
    trips is even, None if it isn't known. ``operands``: as the loop in the runtime has them;
    ``swaps``, ``keeps``: how many carries take turns, and stay.
    """

    def __init__(
        self,
        draft: Any,
        carries: Sequence[Carry],
        body: Any,
        even: bool | None,
    ) -> None:
        self.draft, self.carries, self.even = draft, carries, even
        self.stay = [
            body.targets[number] is None or body.lies(number) == carry.old
            for number, carry in enumerate(carries)
        ]
        swaps: list[Operand] = []
        keeps: list[Operand] = []
        for carry, stays in zip(carries, self.stay, strict=True):
            if stays:
                keeps += [carry.old, carry.home]
            else:
                swaps += [carry.old, carry.new, *self._homes(carry)]
        self.operands = [*swaps, *keeps]
        self.swaps, self.keeps = len(swaps) // 4, len(keeps) // 2

    def _homes(self, carry: Carry) -> tuple[Operand, Operand]:
        """Where a carry that takes turns starts, and where its next value goes."""
        return (carry.spare, carry.home) if self.even is False else (carry.home, carry.spare)

    def before(self, leaves: Given) -> Iterator[Step]:
        """Bring what the loop starts from to its home."""
        for carry, stays, leaf in zip(self.carries, self.stay, leaves, strict=True):
            start = carry.home if stays else self._homes(carry)[0]
            yield copied(self.draft, leaf, (start, carry.view))

    def after(self, results: Given) -> Iterator[Step]:
        """Bring the last values to where they belong, where they may lie elsewhere."""
        for carry, stays, result in zip(self.carries, self.stay, results, strict=True):
            if not stays and self.even is None:
                yield runtime("moved", (carry.old, carry.home), (carry.view.nbytes,))
            if carry.home != result[0]:
                yield copied(self.draft, (carry.home, carry.view), result)
