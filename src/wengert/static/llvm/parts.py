"""Values computed where they come to lie: the parts of a concatenation or a stack.

What is computed element by element and only put together afterwards need not be copied: its loops
write into the whole at once. Such a value is from the start a view of the whole, whose memory is
taken when the first of its parts is computed. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ...core.program import Atom, Equation, Program, Var
from ...ops.shape import concatenate, inverse, reshape, stack, transpose
from ..views import is_view
from .steps import Array


class Part(NamedTuple):
    """Where a value lies: ``offset`` bytes behind the first element of ``whole``, as ``view``."""

    whole: Var
    offset: int
    view: Array


def parts_of(
    program: Program, known: Mapping[Atom, Array], looped: set[Var], taken: Mapping[Var, int]
) -> dict[Var, Part]:
    """The values that can be computed as parts of others.

    ``looped``: what is computed by loops over elements, which can write to any place; ``taken``:
    results, which have places of their own.
    """
    walk = _Parts(program, known, looped - taken.keys())
    found: dict[Var, Part] = {}
    for eqn in program.equations:
        for atom, view in pieces_of(eqn, known):
            part = walk.part(eqn, atom, view)
            if part is not None and part[0] not in found:
                found[part[0]] = part[1]
    return found


def pieces_of(eqn: Equation, known: Mapping[Atom, Array]) -> Iterator[tuple[Atom, Array]]:
    """The inputs that ``eqn`` puts together, and what each becomes of the whole."""
    if eqn.primitive not in (concatenate, stack):
        return
    whole, before = known[eqn.outputs[0]], (slice(None),) * eqn.params["axis"]
    for number, atom in enumerate(eqn.inputs):
        if not isinstance(atom, Var):
            continue
        if eqn.primitive is stack:
            yield atom, whole[(*before, number, ...)]
        else:
            start = eqn.params["starts"][number]
            yield atom, whole[(*before, slice(start, start + atom.aval.shape[len(before)]))]


class _Parts:
    """A program, and who makes and reads what."""

    def __init__(self, program: Program, known: Mapping[Atom, Array], looped: set[Var]) -> None:
        self.known, self.looped = known, looped
        self.maker: dict[Atom, Equation] = {
            var: eqn for eqn in program.equations for var in eqn.outputs
        }
        self.reads = Counter(atom for eqn in program.equations for atom in eqn.inputs)
        self.reads.update(program.outputs)

    def part(self, eqn: Equation, atom: Atom, view: Array) -> tuple[Var, Part] | None:
        """What ``atom``, an input of ``eqn``, is a view of, as a part of the result."""
        (whole,) = eqn.outputs
        known, alone = self.known[whole], self.reads[atom] == 1
        offset = view.ctypes.data - known.ctypes.data
        while (look := self.maker.get(atom)) is not None and is_view(look):
            (atom,) = look.inputs
            undone = _undone(look, view, self.known[atom].shape)
            if undone is None:
                return None
            view, alone = undone, alone and self.reads[atom] == 1
        if atom not in self.looped or not isinstance(atom, Var) or not view.size:
            return None
        own = self.known[atom]
        if own.dtype != view.dtype or not (alone or own.strides == view.strides):
            return None  # other readers may need it to lie as it does
        return atom, Part(whole, offset, view)


def _undone(look: Equation, view: Array, shape: tuple[int, ...]) -> Array | None:
    """How the input of ``look`` has to lie, of the given shape, so that it is seen as ``view``."""
    if look.primitive is transpose:
        return view.transpose(inverse(look.params["axes"]))
    if look.primitive is not reshape:
        return None
    seen = view.reshape(shape)
    return seen if np.may_share_memory(seen, view) else None
