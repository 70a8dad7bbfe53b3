"""Operations of an entry that run the program, and make the objects that it gives.

They are written as those of ``checks.py`` are. What makes an object leaves it in a register that
owns it, or gives ``RAISED`` with an exception set. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import call, cast, copy, extern, f64, i8, i32, i64, load, low, ptr, store
from ..objects import DATA, ITEMS
from .checks import at, word
from .entry import DONE, FIRST, RAISED, RESULT, call_without, inc_ref
from .execute import execute

save_thread = extern("PyEval_SaveThread", "ptr")
restore_thread = extern("PyEval_RestoreThread", "void", "ptr")
new_float = extern("PyFloat_FromDouble", "ptr", "f64")
new_int = extern("PyLong_FromLongLong", "ptr", "i64")
new_complex = extern("PyComplex_FromDoubles", "ptr", "f64", "f64")
new_tuple = extern("PyTuple_New", "ptr", "i64")


@low
def kept(made: ptr, register: ptr) -> i32:
    """Let a register own a new object."""
    if made == 0:
        return RAISED
    store(ptr, made, register)
    return DONE


@low
def make_array(memory: ptr, here: ptr) -> i32:
    """A new array, unless the register holds one already. Operands: register, the slot for its
    data, PyArray_NewFromDescr, the type, the dtype, rank, whether strides follow; then lengths, and
    strides.
    """
    if load(ptr, at(memory, here, 0)) != 0:
        return DONE
    rank = word(here, 5)
    lengths = here + (FIRST + 8 * 7)
    strides = lengths + 8 * rank
    if word(here, 6) == 0:
        strides = cast(ptr, 0)
    dtype = load(ptr, here, FIRST + 8 * 4)
    inc_ref(dtype)  # NumPy takes it over
    flags = cast(i32, 0)
    nothing = cast(ptr, 0)
    made = call(
        ptr, load(ptr, here, FIRST + 8 * 2), word(here, 3), dtype, cast(i32, rank), lengths,
        strides, nothing, flags, nothing,
    )  # fmt: skip
    if made == 0:
        return RAISED
    store(ptr, load(ptr, made, DATA), at(memory, here, 1))
    return kept(made, at(memory, here, 0))


@low
def make_array_by(memory: ptr, here: ptr) -> i32:
    """As ``make_array``, by a Python function: for arrays with gaps. Operands: register, the slot
    for its data, the function.
    """
    if load(ptr, at(memory, here, 0)) != 0:
        return DONE
    made = call_without(load(ptr, here, FIRST + 16))
    if made == 0:
        return RAISED
    store(ptr, load(ptr, made, DATA), at(memory, here, 1))
    return kept(made, at(memory, here, 0))


@low
def fill_array(memory: ptr, here: ptr) -> i32:
    """Copy what lies in a cell into a new array. Operands: its register, the slot of the cell, how
    many bytes.
    """
    target = load(ptr, load(ptr, at(memory, here, 0)), DATA)
    copy(target, load(ptr, at(memory, here, 1)), word(here, 2))
    return DONE


@low
def run(memory: ptr, here: ptr) -> i32:
    """Run the program. Operands: the frame, its first step, what to give for an exception."""
    code = execute(at(memory, here, 0), load(ptr, here, FIRST + 8))
    return outcome(code, here)


@low
def outcome(code: i32, here: ptr) -> i32:
    """What a run gives."""
    if code == RAISED:
        return cast(i32, word(here, 2))
    return code


@low
def run_long(memory: ptr, here: ptr) -> i32:
    """As ``run``, while other threads may run Python."""
    state = save_thread()
    code = execute(at(memory, here, 0), load(ptr, here, FIRST + 8))
    restore_thread(state)
    return outcome(code, here)


@low
def box_float(memory: ptr, here: ptr) -> i32:
    """A Python float. Operands: register, the slot that holds the address of its cell."""
    return kept(new_float(load(f64, load(ptr, at(memory, here, 1)))), at(memory, here, 0))


@low
def box_int(memory: ptr, here: ptr) -> i32:
    """A Python int. Operands: as of ``box_float``."""
    return kept(new_int(load(i64, load(ptr, at(memory, here, 1)))), at(memory, here, 0))


@low
def box_complex(memory: ptr, here: ptr) -> i32:
    """A Python complex. Operands: as of ``box_float``."""
    cell = load(ptr, at(memory, here, 1))
    return kept(new_complex(load(f64, cell), load(f64, cell, 8)), at(memory, here, 0))


@low
def box_bool(memory: ptr, here: ptr) -> i32:
    """True or False. Operands: as of ``box_float``, then False and True."""
    made = load(ptr, here, FIRST + 8 * 2)
    if load(i8, load(ptr, at(memory, here, 1))) != 0:
        made = load(ptr, here, FIRST + 8 * 3)
    inc_ref(made)
    return kept(made, at(memory, here, 0))


@low
def box_scalar(memory: ptr, here: ptr) -> i32:
    """One of NumPy's scalars. Operands: as of ``box_float``, then PyArray_Scalar and the dtype."""
    cell = load(ptr, at(memory, here, 1))
    nothing = cast(ptr, 0)
    made = call(ptr, load(ptr, here, FIRST + 8 * 2), cell, load(ptr, here, FIRST + 8 * 3), nothing)
    return kept(made, at(memory, here, 0))


@low
def give(memory: ptr, here: ptr) -> i32:
    """Make what a register holds the result. Operand: the register."""
    result = load(ptr, at(memory, here, 0))
    inc_ref(result)
    store(ptr, result, memory, RESULT)
    return DONE


@low
def make_tuple(memory: ptr, here: ptr) -> i32:
    """A tuple. Operands: register, how many, the registers of what is in it."""
    count = word(here, 1)
    made = new_tuple(count)
    if made == 0:
        return RAISED
    for i in range(count):
        one = load(ptr, at(memory, here, 2 + i))
        inc_ref(one)
        store(ptr, one, made, ITEMS + 8 * i)
    return kept(made, at(memory, here, 0))
