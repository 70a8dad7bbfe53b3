"""The function of a compiled program that Python calls: one for all programs, driven by a table.

``entry`` is a builtin of CPython's (METH_FASTCALL with keywords). Its ``self`` is a tuple that
begins with an array: the table. That says how many arguments there are and names the *operations*:
records of words that begin with the address of their function and their size. Each looks at an
object, makes one, runs the program or hands a result over; ``checks.py``, ``results.py`` and
``effects.py`` have them. They share the *memory of the call*: a head, the frame of the program, and
registers, which hold objects. Several calls at once have a memory each. Where an operation says
``MISS``, the fallback gets the call with the same arguments. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import call, extern, i32, i64, load, low, ptr, store
from ..objects import DATA, ITEMS, SIZE

DONE, MISS, RAISED = 0, 1, 2  # what an operation gives
# the table, in bytes
FREE, REPLAYED, OPERATIONS, MAKE, FALLBACK, COUNT, NAMES, OWNED, REGISTERS = range(0, 72, 8)
TABLE_SIZE = 72  # the numbers of the registers that own their objects follow
# the memory of a call: the head, the frame, the registers
NEXT, RESULT, HEAD = 0, 8, 16
FIRST = 16  # of an operation: its first operand

inc_ref = extern("Py_IncRef", "void", "ptr")
dec_ref = extern("Py_DecRef", "void", "ptr")
clear_error = extern("PyErr_Clear", "void")
call_without = extern("PyObject_CallNoArgs", "ptr", "ptr")
as_pointer = extern("PyLong_AsVoidPtr", "ptr", "ptr")
vectorcall = extern("PyObject_Vectorcall", "ptr", "ptr", "ptr", "i64", "ptr")
compare_text = extern("PyUnicode_Compare", "i32", "ptr", "ptr")


@low
def entry(self: ptr, args: ptr, count: i64, names: ptr) -> ptr:
    """A call: the operations; if one misses, the fallback."""
    table = load(ptr, load(ptr, self, ITEMS), DATA)
    if count == load(i64, table, COUNT) and same_names(names, load(ptr, table, NAMES)):
        memory = taken(table)
        if memory == 0:
            return 0
        spread(memory, table, args, names)
        code = operated(memory, load(ptr, table, OPERATIONS))
        result = load(ptr, memory, RESULT)
        let_go(memory, table)
        if code == DONE:
            store(i64, load(i64, table, REPLAYED) + 1, table, REPLAYED)
            return result
        if code == RAISED:
            return 0
        clear_error()
    return fallen_back(load(ptr, table, FALLBACK), args, count, names)


@low
def fallen_back(fallback: ptr, args: ptr, count: i64, names: ptr) -> ptr:
    """What the fallback gives, which may be replaced while it runs."""
    inc_ref(fallback)
    result = vectorcall(fallback, args, count, names)
    dec_ref(fallback)
    return result


@low
def same_names(given: ptr, known: ptr) -> i32:
    """Whether keywords are those of the table, in their order."""
    if given == known:
        return 1
    size = 0
    if given != 0:
        size = load(i64, given, SIZE)
    if known == 0 or size != load(i64, known, SIZE):
        return size == 0 and known == 0
    for i in range(size):
        one = load(ptr, given, ITEMS + 8 * i)
        other = load(ptr, known, ITEMS + 8 * i)
        if one != other and compare_text(one, other) != 0:
            return 0
    return 1


@low
def taken(table: ptr) -> ptr:
    """Memory for a call: from the list of free ones, else a new one; null with an exception set."""
    memory = load(ptr, table, FREE)
    if memory != 0:
        store(ptr, load(ptr, memory, NEXT), table, FREE)
        return memory
    made = call_without(load(ptr, table, MAKE))
    if made == 0:
        return 0
    memory = as_pointer(made)
    dec_ref(made)
    return memory


@low
def spread(memory: ptr, table: ptr, args: ptr, names: ptr) -> None:
    """Put the arguments into the first registers."""
    count = load(i64, table, COUNT)
    if names != 0:
        count = count + load(i64, names, SIZE)
    registers = memory + load(i64, table, REGISTERS)
    for i in range(count):
        store(ptr, load(ptr, args, 8 * i), registers, 8 * i)


@low
def operated(memory: ptr, operations: ptr) -> i32:
    """Run operations until one gives another code than ``DONE``, which is given."""
    here = operations
    while load(i64, here) != 0:
        code = call(i32, load(ptr, here), memory, here)
        if code != DONE:
            return code
        here = here + load(i64, here, 8)
    return DONE


@low
def let_go(memory: ptr, table: ptr) -> None:
    """Let go of what the registers own, and of the memory."""
    for i in range(load(i64, table, OWNED)):
        register = memory + load(i64, table, TABLE_SIZE + 8 * i)
        held = load(ptr, register)
        if held != 0:
            store(i64, 0, register)
            dec_ref(held)
    store(ptr, load(ptr, table, FREE), memory, NEXT)
    store(ptr, memory, table, FREE)
