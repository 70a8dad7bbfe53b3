"""Operations of an entry that build containers and handles of results, and commit effects.

They are written as those of ``results.py`` are, and come after the run: what fails from here on has
left an exception. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import call, extern, i32, load, low, ptr, store
from .checks import at, word
from .entry import DONE, FIRST, RAISED, call_without, dec_ref, inc_ref
from .results import kept

new_list = extern("PyList_New", "ptr", "i64")
set_list = extern("PyList_SetItem", "i32", "ptr", "i64", "ptr")
new_dict = extern("PyDict_New", "ptr")
set_dict = extern("PyDict_SetItem", "i32", "ptr", "ptr", "ptr")
new_object = extern("PyType_GenericAlloc", "ptr", "ptr", "i64")
call_with = extern("PyObject_CallOneArg", "ptr", "ptr", "ptr")
set_item = extern("PyObject_SetItem", "i32", "ptr", "ptr", "ptr")
set_attribute = extern("PyObject_SetAttr", "i32", "ptr", "ptr", "ptr")
set_cell = extern("PyCell_Set", "i32", "ptr", "ptr")
as_int = extern("PyLong_AsLongLong", "i64", "ptr")
new_int = extern("PyLong_FromLongLong", "ptr", "i64")


@low
def done(code: i32) -> i32:
    """What an operation gives for a C function's 0 or -1."""
    if code != 0:
        return RAISED
    return DONE


# --- objects --------------------------------------------------------------------------------------


@low
def make_list(memory: ptr, here: ptr) -> i32:
    """A list. Operands: register, how many, the registers of what is in it."""
    count = word(here, 1)
    made = new_list(count)
    if made == 0:
        return RAISED
    for i in range(count):
        one = load(ptr, at(memory, here, 2 + i))
        inc_ref(one)
        set_list(made, i, one)
    return kept(made, at(memory, here, 0))


@low
def make_dict(memory: ptr, here: ptr) -> i32:
    """A dict. Operands: register, how many, then pairs: a key, the register of what it holds."""
    made = new_dict()
    if made == 0:
        return RAISED
    code = kept(made, at(memory, here, 0))
    for i in range(word(here, 1)):
        key = load(ptr, here, FIRST + 16 + 16 * i)
        if set_dict(made, key, load(ptr, at(memory, here, 3 + 2 * i))) != 0:
            return RAISED
    return code


@low
def make_object(memory: ptr, here: ptr) -> i32:
    """An object of a class with slots. Operands: register, the class, how many, then pairs: the
    offset of a slot, the register of what it holds.
    """
    made = new_object(load(ptr, here, FIRST + 8), 0)
    if made == 0:
        return RAISED
    for i in range(word(here, 2)):
        one = load(ptr, at(memory, here, 4 + 2 * i))
        inc_ref(one)
        store(ptr, one, made, word(here, 3 + 2 * i))
    return kept(made, at(memory, here, 0))


@low
def call_function(memory: ptr, here: ptr) -> i32:
    """What a function gives. Operands: register, the function, the register of its argument."""
    given = load(ptr, at(memory, here, 2))
    return kept(call_with(load(ptr, here, FIRST + 8), given), at(memory, here, 0))


@low
def call_nothing(memory: ptr, here: ptr) -> i32:
    """What a function without arguments gives. Operands: register, the function."""
    return kept(call_without(load(ptr, here, FIRST + 8)), at(memory, here, 0))


# --- effects --------------------------------------------------------------------------------------


@low
def copy_array(memory: ptr, here: ptr) -> i32:
    """Copy an array into another, unless they are one. Operands: the array that is written, the
    other, PyArray_CopyInto.
    """
    target = load(ptr, at(memory, here, 0))
    value = load(ptr, at(memory, here, 1))
    if target == value:
        return DONE
    return done(call(i32, load(ptr, here, FIRST + 16), target, value))


@low
def commit_slot(memory: ptr, here: ptr) -> i32:
    """Let a slot of an object hold another one. Operands: object, offset, the register."""
    place = load(ptr, at(memory, here, 0)) + word(here, 1)
    value = load(ptr, at(memory, here, 2))
    before = load(ptr, place)
    inc_ref(value)
    store(ptr, value, place)
    dec_ref(before)  # which takes null as well
    return DONE


@low
def commit_version(memory: ptr, here: ptr) -> i32:
    """Count a write. Operands: object, the offset of its count, which may not be there yet."""
    place = load(ptr, at(memory, here, 0)) + word(here, 1)
    before = load(ptr, place)
    count = 0
    if before != 0:
        count = as_int(before)
    made = new_int(count + 1)
    if made == 0:
        return RAISED
    store(ptr, made, place)
    dec_ref(before)
    return DONE


@low
def commit_item(memory: ptr, here: ptr) -> i32:
    """``target[key] = value``. Operands: target, key, the register of the value."""
    target = load(ptr, at(memory, here, 0))
    return done(set_item(target, load(ptr, here, FIRST + 8), load(ptr, at(memory, here, 2))))


@low
def commit_attribute(memory: ptr, here: ptr) -> i32:
    """An attribute. Operands: target, name, the register of the value."""
    target = load(ptr, at(memory, here, 0))
    return done(set_attribute(target, load(ptr, here, FIRST + 8), load(ptr, at(memory, here, 2))))


@low
def commit_cell(memory: ptr, here: ptr) -> i32:
    """What a closure holds. Operands: the cell, the register of the value."""
    return done(set_cell(load(ptr, at(memory, here, 0)), load(ptr, at(memory, here, 1))))
