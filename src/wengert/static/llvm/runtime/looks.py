"""Operations of an entry that follow what a call reaches, object by object: the native form of the
looks of ``static/looks.py``.

They are written as those of ``checks.py`` are: what differs, or can't be told without running
Python, is a ``MISS``. Registers that are read into borrow what they hold: nothing is let go of
before the last check, for no Python runs; where memory is asked for, which may start the garbage
collector and with it any finalizer, that is told to wait. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import cast, extern, i32, i64, load, low, ptr, stack, store
from ..objects import ITEMS, LIST_ITEMS, NUMBER, SIZE, TYPE
from .checks import at, word
from .entry import DONE, FIRST, MISS, compare_text, dec_ref, inc_ref
from .results import kept

get_key = extern("PyDict_GetItemWithError", "ptr", "ptr", "ptr")
next_entry = extern("PyDict_Next", "i32", "ptr", "ptr", "ptr", "ptr")
get_attribute = extern("PyObject_GetAttr", "ptr", "ptr", "ptr")
get_dict = extern("PyObject_GenericGetDict", "ptr", "ptr", "ptr")
disable_collector = extern("PyGC_Disable", "i32")
enable_collector = extern("PyGC_Enable", "i32")
compare = extern("PyObject_RichCompareBool", "i32", "ptr", "ptr", "i32")
get_variable = extern("PyContextVar_Get", "i32", "ptr", "ptr", "ptr")
EQUAL = 2  # Py_EQ


@low
def found(x: ptr, register: ptr) -> i32:
    """Let a register hold an object, if there is one."""
    if x == 0:
        return MISS
    store(ptr, x, register)
    return DONE


# --- the next object ------------------------------------------------------------------------------


@low
def read_tuple(memory: ptr, here: ptr) -> i32:
    """An item of a tuple. Operands: register, tuple, number."""
    held = load(ptr, at(memory, here, 1))
    return found(load(ptr, held, ITEMS + 8 * word(here, 2)), at(memory, here, 0))


@low
def read_list(memory: ptr, here: ptr) -> i32:
    """An item of a list. Operands: register, list, number."""
    items = load(ptr, load(ptr, at(memory, here, 1)), LIST_ITEMS)
    return found(load(ptr, items, 8 * word(here, 2)), at(memory, here, 0))


@low
def read_key(memory: ptr, here: ptr) -> i32:
    """What a dict holds under a key. Operands: register, dict, key."""
    held = load(ptr, at(memory, here, 1))
    return found(get_key(held, load(ptr, here, FIRST + 16)), at(memory, here, 0))


@low
def read_slot(memory: ptr, here: ptr) -> i32:
    """What an object holds at an offset. Operands: register, object, offset."""
    held = load(ptr, at(memory, here, 1))
    return found(load(ptr, held, word(here, 2)), at(memory, here, 0))


@low
def read_attribute(memory: ptr, here: ptr) -> i32:
    """An attribute. Operands: a register that owns it, object, name."""
    held = load(ptr, at(memory, here, 1))
    collects = disable_collector()
    value = get_attribute(held, load(ptr, here, FIRST + 16))
    if collects:
        enable_collector()
    return found(value, at(memory, here, 0))


@low
def read_dict(memory: ptr, here: ptr) -> i32:
    """The dict of an object. Operands: register, object."""
    return found(dict_of(load(ptr, at(memory, here, 1))), at(memory, here, 0))


@low
def dict_of(x: ptr) -> ptr:
    """The dict of an object, which may have to be made; null if it has none."""
    collects = disable_collector()
    made = get_dict(x, cast(ptr, 0))
    if collects:
        enable_collector()
    if made != 0:
        dec_ref(made)  # the object holds it as well
    return made


# --- what it must be ------------------------------------------------------------------------------


@low
def check_same(memory: ptr, here: ptr) -> i32:
    """Two registers hold one object."""
    if load(i64, at(memory, here, 0)) == load(i64, at(memory, here, 1)):
        return DONE
    return MISS


@low
def check_other(memory: ptr, here: ptr) -> i32:
    """Two registers hold two objects."""
    if load(i64, at(memory, here, 0)) == load(i64, at(memory, here, 1)):
        return MISS
    return DONE


@low
def check_type(memory: ptr, here: ptr) -> i32:
    """The type of what a register holds. Operands: register, the one that holds the type."""
    if load(i64, load(ptr, at(memory, here, 0)), TYPE) == load(i64, at(memory, here, 1)):
        return DONE
    return MISS


@low
def check_other_type(memory: ptr, here: ptr) -> i32:
    """As ``check_type``: a type that it must not be."""
    if load(i64, load(ptr, at(memory, here, 0)), TYPE) == load(i64, at(memory, here, 1)):
        return MISS
    return DONE


@low
def check_size(memory: ptr, here: ptr) -> i32:
    """How much a tuple, list or dict holds. Operands: register, number."""
    if load(i64, load(ptr, at(memory, here, 0)), SIZE) == word(here, 1):
        return DONE
    return MISS


@low
def check_keys(memory: ptr, here: ptr) -> i32:
    """The keys of a dict in their order. Operands: register, how many, the keys, which are strings
    or such that only one object is equal to one.
    """
    held = load(ptr, at(memory, here, 0))
    count = word(here, 1)
    if load(i64, held, SIZE) != count:
        return MISS
    position = stack(8)
    key = stack(8)
    store(i64, 0, position)
    for i in range(count):
        if next_entry(held, position, key, cast(ptr, 0)) == 0:
            return MISS
        if same_text(load(ptr, key), load(ptr, here, FIRST + 16 + 8 * i)) == 0:
            return MISS
    return DONE


@low
def same_text(x: ptr, known: ptr) -> i32:
    """Whether two objects are one, or equal strings."""
    if x == known:
        return 1
    if load(i64, x, TYPE) != load(i64, known, TYPE):
        return 0
    return compare_text(x, known) == 0


@low
def check_text(memory: ptr, here: ptr) -> i32:
    """A string. Operands: register, the string."""
    if same_text(load(ptr, at(memory, here, 0)), load(ptr, here, FIRST + 8)):
        return DONE
    return MISS


@low
def check_equal(memory: ptr, here: ptr) -> i32:
    """What is equal to an object. Operands: register, the object."""
    if compare(load(ptr, at(memory, here, 0)), load(ptr, here, FIRST + 8), EQUAL) == 1:
        return DONE
    return MISS


@low
def check_int_is(memory: ptr, here: ptr) -> i32:
    """A Python int. Operands: register, the type, the int."""
    x = load(ptr, at(memory, here, 0))
    if load(i64, x, TYPE) == word(here, 1):
        return check_int_value(x, load(ptr, here, FIRST + 16))
    return MISS


@low
def check_int_value(x: ptr, known: ptr) -> i32:
    """Whether two ints are equal."""
    if x == known or compare(x, known, EQUAL) == 1:
        return DONE
    return MISS


@low
def check_bits(memory: ptr, here: ptr) -> i32:
    """A number, to the last bit. Operands: register, type, how many words, the words."""
    x = load(ptr, at(memory, here, 0))
    if load(i64, x, TYPE) != word(here, 1):
        return MISS
    for i in range(word(here, 2)):
        if load(i64, x, NUMBER + 8 * i) != word(here, 3 + i):
            return MISS
    return DONE


@low
def check_context(memory: ptr, here: ptr) -> i32:
    """The interpreter. Operands: the ContextVar, the interpreter at the root, whether it is that or
    stands right above it, the type of the one above, the offset of its parent.
    """
    given = stack(8)
    if get_variable(load(ptr, here, FIRST), cast(ptr, 0), given) != 0:
        return MISS
    interpreter = load(ptr, given)
    if interpreter == 0:
        return MISS
    dec_ref(interpreter)  # the context holds it as well
    if word(here, 2) == 0:
        if load(i64, interpreter, TYPE) != word(here, 3):
            return MISS
        interpreter = load(ptr, interpreter, word(here, 4))
    if cast(i64, interpreter) == word(here, 1):
        return DONE
    return MISS


@low
def hold(memory: ptr, here: ptr) -> i32:
    """Own what registers hold. Operands: how many, then pairs: the owner, the register."""
    for i in range(word(here, 0)):
        one = load(ptr, at(memory, here, 2 + 2 * i))
        inc_ref(one)
        kept(one, at(memory, here, 1 + 2 * i))
    return DONE
