"""The function that binds a compiled function to an object: ``__get__`` of a class of its own.

``obj.step`` is looked up in ``vars(obj)`` under a name of ours, where the compiled method stands
once it was made; whatever is not as expected goes to the fallback. Its ``self`` is a tuple that
begins with an array, as that of ``entry``. Layer: ``static``.
"""

from __future__ import annotations

from ..lowlevel import cast, i64, load, low, ptr
from ..objects import DATA, ITEMS, TYPE
from .entry import clear_error, fallen_back, inc_ref
from .looks import dict_of, get_key

# the table, in bytes: the name, None, "function", the type of methods, where they hold the object
GET_FALLBACK, NAME, NONE, FUNCTION, METHOD, INSTANCE, GET_SIZE = range(0, 56, 8)


@low
def getter(self: ptr, args: ptr, count: i64, names: ptr) -> ptr:
    """``__get__(compiled, object, class)``."""
    table = load(ptr, load(ptr, self, ITEMS), DATA)
    if count == 3 and names == 0:
        bound = bound_method(table, load(ptr, args, 8))
        if bound != 0:
            inc_ref(bound)
            return bound
        clear_error()
    return fallen_back(load(ptr, table, GET_FALLBACK), args, count, names)


@low
def bound_method(table: ptr, instance: ptr) -> ptr:
    """The compiled method that an object holds, if that is its own; else null."""
    if cast(i64, instance) == load(i64, table, NONE):
        return 0
    held = attribute_of(instance, load(ptr, table, NAME))
    if held == 0 or cast(i64, held) == load(i64, table, NONE):
        return 0
    method = attribute_of(held, load(ptr, table, FUNCTION))
    if method == 0 or load(i64, method, TYPE) != load(i64, table, METHOD):
        return 0
    if load(ptr, method, load(i64, table, INSTANCE)) != instance:
        return 0
    return held


@low
def attribute_of(x: ptr, name: ptr) -> ptr:
    """What the dict of an object holds under a name; null if there is none."""
    content = dict_of(x)
    if content == 0:
        return 0
    return get_key(content, name)
