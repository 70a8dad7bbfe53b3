"""A native program without addresses, and what makes it ready to run.

``Blueprint`` is what planning gives: data that can be kept on disk. ``load`` has the texts of the
nests compiled, fills in where functions and constants lie, and gives a ``NativeProgram``, which an
entry runs. Layer: ``static``.
"""

from __future__ import annotations

import ctypes
import pickle
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..threads import record
from .machine import Code, compiled, kept_kernels, kernel_name
from .objects import address_of
from .runtime.execute import OPERANDS
from .steps import THREADS, Address, Array, Place, Step, words


@dataclass(frozen=True)
class Slot:
    """An argument or a result: its slot, what it looks like, and for a result ``into``: None, or
    the number of the argument that it is written into.

    Such a result has the slot of the argument: the program always updates what the slot points to,
    after its last step that may fail. Where the argument's own memory must not change, the entry
    lets the slot point to a copy of it, which then is the result.
    """

    slot: int
    known: Any
    into: int | None = None


@dataclass
class NativeProgram:
    """Machine code, ready to be run by an entry.

    Attributes:
        steps: the address of the first step.
        template: the frame as it starts; ``arena_slots`` hold offsets into the arena.
        arena: bytes of that.
        inputs, outputs: in order.
        long: whether other threads should run meanwhile.
        keep: what must stay alive.
    """

    steps: int
    template: bytes
    arena: int
    arena_slots: tuple[int, ...]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    long: bool
    keep: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Blueprint:
    """A native program as data: the steps, what each slot of the frame is for, the constants, the
    bytes of the arena, arguments and results; ``told``: what became machine code, to be shown.
    """

    steps: tuple[Step, ...]
    slots: tuple[Place | Address, ...]
    constants: tuple[Array, ...]
    arena: int
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    long: bool
    told: tuple[str, ...] = ()

    def packed(self) -> bytes:
        """The blueprint for the disk: nests by the names of their code, which is kept there."""
        slots = (tuple(map(_told, self.inputs)), tuple(map(_told, self.outputs)))
        steps = tuple(_mapped(step, kernel_name) for step in self.steps)
        return pickle.dumps((replace(self, steps=steps, inputs=(), outputs=()), slots))


def unpacked(content: bytes) -> Blueprint:
    """What ``packed`` gave; the texts of the nests are their names."""
    blueprint, (inputs, outputs) = pickle.loads(content)
    made: Blueprint = replace(
        blueprint, inputs=tuple(map(_slot, inputs)), outputs=tuple(map(_slot, outputs))
    )
    return made


def _mapped(step: Step, name: Any) -> Step:
    inner = tuple(tuple(_mapped(one, name) for one in steps) for steps in step.inner)
    return replace(step, code=step.code if step.runtime else name(step.code), inner=inner)


def _told(slot: Slot) -> tuple[Any, ...]:
    """A slot without the memory of its stand-in."""
    known = slot.known
    if isinstance(known, np.ndarray):
        return slot.slot, slot.into, known.dtype.str, known.shape, known.strides
    return slot.slot, slot.into, known


def _slot(told: tuple[Any, ...]) -> Slot:
    number, into, *rest = told
    if len(rest) == 1:
        return Slot(number, rest[0], into)
    dtype, shape, strides = rest
    return Slot(number, stand_in(np.dtype(dtype), shape, strides), into)


def stand_in(dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """An array that lies so, in memory of its own that is never touched."""
    ends = [s * (n - 1) for s, n in zip(strides, shape, strict=True) if n]
    low, high = sum(min(end, 0) for end in ends), sum(max(end, 0) for end in ends)
    memory = np.empty(high - low + dtype.itemsize, np.uint8)
    return np.ndarray(shape, dtype, memory, -low, strides)


# --- ready to run ---------------------------------------------------------------------------------


def load(blueprints: Sequence[Blueprint], threads: int | None = None) -> list[NativeProgram]:
    """Native programs: all their nests are compiled together. ``threads``: how many may run a step
    of them, if that is not for the setting to say.
    """
    texts = list(dict.fromkeys(text for one in blueprints for text in _texts(one.steps)))
    codes = dict(zip(texts, compiled(texts), strict=True))
    return [_Loader(one, codes, threads).program() for one in blueprints]


def load_kept(blueprint: Blueprint, threads: int | None = None) -> NativeProgram | None:
    """A native program whose nests are known by name; None where the code of one is lost."""
    names = list(dict.fromkeys(_texts(blueprint.steps)))
    found = kept_kernels(names)
    if found is None:
        return None
    return _Loader(blueprint, dict(zip(names, found, strict=True)), threads).program()


def _texts(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if not step.runtime:
            yield step.code
        for inner in step.inner:
            yield from _texts(inner)


class _Loader:
    """Fills in the addresses."""

    def __init__(
        self, blueprint: Blueprint, codes: Mapping[str, tuple[Code, int]], threads: int | None
    ) -> None:
        self.blueprint, self.codes, self.threads = blueprint, codes, threads
        self.slots = {one: number for number, one in enumerate(blueprint.slots)}
        self.keep: list[Any] = [code for code, _ in codes.values()]

    def program(self) -> NativeProgram:
        """The program."""
        one = self.blueprint
        steps = self._block(one.steps)
        template, arena = self._template()
        return NativeProgram(
            steps, template, one.arena, arena, one.inputs, one.outputs, one.long, self.keep
        )

    def _block(self, steps: Sequence[Step]) -> int:
        """The address of steps, one after another."""
        content = ctypes.create_string_buffer(b"".join(map(self._record, steps)) + bytes(8))
        self.keep.append(content)
        return ctypes.addressof(content)

    def _record(self, step: Step) -> bytes:
        inner = [self._block(steps) for steps in step.inner]
        body = b"".join(
            struct.pack("2q", self.slots[base], offset) for base, offset in step.operands
        )
        body += words([*step.params, *inner])
        function = address_of(f"runtime:{step.code}") if step.runtime else self.codes[step.code][1]
        head = struct.pack("5q", function, OPERANDS + len(body), 0, step.extent, step.grain)
        return head + body

    def _template(self) -> tuple[bytes, tuple[int, ...]]:
        values = [0] * len(self.slots)
        for base, number in self.slots.items():
            if base == THREADS:
                values[number] = record(self.threads)
            elif isinstance(base, Address):
                values[number] = address_of(base.name)
            elif base.kind == "constant":
                array = self.blueprint.constants[base.number]
                self.keep.append(array)
                values[number] = array.ctypes.data
            elif base.kind == "arena":
                values[number] = base.number
        arena = tuple(
            number
            for base, number in self.slots.items()
            if isinstance(base, Place) and base.kind == "arena"
        )
        return struct.pack(f"{len(values)}q", *values), arena
