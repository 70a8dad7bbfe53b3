"""A native program as a function that Python calls with flat arguments: ``bind``.

It takes the program's inputs by position and gives its results, in a tuple unless there is one;
where an argument is not what the program was made for, or the program finds that NumPy must run the
call, the fallback gets the same arguments. Layer: ``static``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from . import objects
from .blueprint import NativeProgram, Slot, stand_in
from .runtime.entry import RAISED
from .table import Builtin, Table

WIDE = 8  # bytes: what is longer has two words


def bind(program: NativeProgram, fallback: Builtin) -> Builtin:
    """The builtin of ``program``; results are new memory, whatever they may be written into."""
    table = Table(program, len(program.inputs))
    for number, one in enumerate(program.inputs):
        check_input(table, table.argument(number), one)
    arguments = [table.argument(number) for number in range(len(program.inputs))]
    results = [make_output(table, one, arguments) for one in program.outputs]
    run(table, RAISED)
    for register, one in zip(results, program.outputs, strict=True):
        box_output(table, register, one)
    (given,) = results if len(results) == 1 else (table.owner(),)
    if len(results) != 1:
        table.operation("make_tuple", given, len(results), *results)
    table.operation("give", given)
    return table.entry("program", fallback).call


def run(table: Table, raised: int) -> None:
    """Run the program; what an exception there means: ``MISS`` or ``RAISED``."""
    program = table.program
    table.operation("run_long" if program.long else "run", table.frame, program.steps, raised)


# --- arguments ------------------------------------------------------------------------------------


def check_input(table: Table, register: int, one: Slot) -> None:
    """Look whether a register holds what lies as ``one.known`` does, and fill its slot."""
    known, slot = one.known, table.slot(one.slot)
    if isinstance(known, np.ndarray):
        table.operation("check_array", register, *array_words(table, known, slot))
    elif type(known) is bool:
        table.operation("check_bool", register, id(True), slot, id(False))
    elif type(known) is int:
        table.operation("check_int", register, table.object(int), slot)
    else:
        wide = type(known) is complex or getattr(known, "nbytes", 0) > WIDE
        table.operation("check_number", register, table.object(type(known)), slot, int(wide))


def array_words(table: Table, known: np.ndarray[Any, Any], slot: int) -> list[int]:
    """The operands of ``check_array`` behind the register."""
    compact = known.flags.c_contiguous
    flags = (objects.ALIGNED if known.flags.aligned else 0) | (
        objects.C_CONTIGUOUS if compact else 0
    )
    strides = [] if compact else [word for pair in _strides(known).items() for word in pair]
    return [
        table.object(np.ndarray),
        ctypes.c_uint64.from_address(id(known.dtype) + objects.TYPE_NUMBER).value,
        known.ndim,
        flags,
        slot,
        len(strides) // 2,
        *known.shape,
        *strides,
    ]


def _strides(array: np.ndarray[Any, Any]) -> dict[int, int]:
    """The strides that count, by axis."""
    lengths = enumerate(array.shape)
    return {i: array.strides[i] for i, length in lengths if length != 1 and array.size}


# --- results --------------------------------------------------------------------------------------


def make_output(table: Table, one: Slot, inputs: Sequence[int], owner: int | None = None) -> int:
    """The register of a result; an array is made, and its slot filled, unless ``owner``, the
    register, holds one already. What an input is updated to begins as a copy of that; ``inputs``:
    the registers of all.
    """
    register, known = table.owner() if owner is None else owner, one.known
    if isinstance(known, np.ndarray):
        slot = table.register() if _in_arena(table, one) else table.slot(one.slot)
        make_array(table, known, register, slot)
    if one.into is not None:
        copy_array(table, register, inputs[one.into])
    return register


def _has_gaps(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array's elements do not fill its memory one after another, in some order."""
    expected, strides = array.itemsize, _strides(array)
    for axis in sorted(strides, key=strides.__getitem__):
        if strides[axis] != expected:
            return True
        expected *= array.shape[axis]
    return False


def _in_arena(table: Table, one: Slot) -> bool:
    """Whether a result lies where the program keeps other values, too: one without axes does."""
    return one.slot in table.program.arena_slots


def make_array(table: Table, known: np.ndarray[Any, Any], register: int, slot: int) -> None:
    """Make an array that lies as ``known`` does, unless the register holds one already."""
    if _has_gaps(known):
        like = partial(stand_in, known.dtype, known.shape, known.strides)
        table.operation("make_array_by", register, slot, table.object(like))
        return
    strides = () if known.flags.c_contiguous else known.strides
    table.operation(
        "make_array",
        register,
        slot,
        objects.address_of(f"numpy:{objects.NEW_ARRAY}"),
        table.object(np.ndarray),
        table.object(known.dtype),
        known.ndim,
        int(bool(strides)),
        *known.shape,
        *strides,
    )


def copy_array(table: Table, target: int, value: int) -> None:
    """Copy one array into another, unless they are one."""
    table.operation("copy_array", target, value, objects.address_of(f"numpy:{objects.COPY_INTO}"))


def box_output(table: Table, register: int, one: Slot) -> None:
    """After the run, make an object of a number; an array that lies in a cell is copied."""
    known, slot = one.known, table.slot(one.slot)
    if isinstance(known, np.ndarray):
        if _in_arena(table, one):
            table.operation("fill_array", register, slot, known.nbytes)
        return
    if type(known) is bool:
        table.operation("box_bool", register, slot, id(False), id(True))
    elif type(known) in (float, int, complex):
        table.operation(f"box_{type(known).__name__}", register, slot)
    else:
        scalar = objects.address_of(f"numpy:{objects.SCALAR}")
        table.operation("box_scalar", register, slot, scalar, table.object(known.dtype))
