"""Changes in place: a handle's content is replaced; a buffer is overwritten where nothing else can
see it.

``y[i] = v`` binds the functional ``setitem`` and gives the handle its result. Whether that may
happen in the old buffer is asked of CPython's reference counts: a buffer that a node has saved,
that a view shares, or that came from the user is referenced elsewhere, and is copied.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import BATCHED, Box, innermost
from ..core.errors import DtypeError, InPlaceError, ShapeError
from . import indexing
from .arithmetic import stop_gradient

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
HOLDERS = (Box, np.ndarray)


def _named() -> int:
    thing = object()
    return sys.getrefcount(thing)


NAMED = _named()  # what getrefcount says where one local name refers: 2, or 1 from Python 3.14 on


def held_once(box: Box) -> bool:
    """Whether the content of ``box`` is referenced by this handle alone, on every level, and may be
    overwritten.
    """
    value, node = box._value, box._node
    if sys.getrefcount(value) > NAMED + 1 or not GIL:  # the local name, and the slot
        return False
    if isinstance(node, HOLDERS) and (sys.getrefcount(node) > NAMED + 1 or not _free(node)):
        return False
    if type(value) is np.ndarray:
        flags = value.flags
        return flags.owndata and flags.writeable
    return isinstance(value, Box) and held_once(value)


def _free(value: Any) -> bool:
    if type(value) is np.ndarray:
        return value.flags.owndata and value.flags.writeable
    return isinstance(value, Box) and held_once(value)


def is_scalar(box: Box) -> bool:
    """Whether NumPy would hold a scalar here, which has no place to write into: ``y += 1`` then
    rebinds the name.
    """
    if getattr(box, "_base", None) is not None:  # y[0, ...] is an array, with a place in y
        return False
    inner = innermost(box)
    return type(inner) is not np.ndarray or (box.ndim == 0 and inner.ndim > 0)


def write(box: Any, index: Any, value: Any) -> None:
    """``box[index] = value``."""
    if type(value) is list or type(value) is tuple:
        value = np.asarray(value) if not any(isinstance(v, Box) for v in value) else np.stack(value)
    check_kind(box, value, "x[index] = value")
    template, arrays = indexing.split_index(index)
    store(box, value, template, arrays)


def store(box: Any, value: Any, template: Any, arrays: Any, primitive: Any = None) -> None:
    """Bind ``setitem`` (or ``primitive``) on ``box`` and let it have the result; through a view, on
    its base.
    """
    primitive = primitive or indexing.setitem
    base = getattr(box, "_base", None)
    if base is not None and box._index is not None:
        composed = (
            compose(box._index, template, base.shape)
            if not arrays and indexing.is_basic(box._index)
            else None
        )
        if composed is not None:
            store(base, value, composed, (), primitive)
            return
    before_write(box)
    if isinstance(value, Box):
        value.refresh()
    value = _unshared(box, value)
    box.refresh()
    interpreter: Any = interpret.current.get()
    if base is None and _is_whole(box, value, template, primitive):
        replace(box, value if interpreter.records else interpret.bind(stop_gradient, value))
        return
    while not interpreter.records:
        interpreter = interpreter.parent
    donate = base is None and interpreter is box._owner and held_once(box)
    result = interpret.bind(primitive, box, value, *arrays, index=template, donate=donate)
    if base is None:
        assign(box, result)
    else:
        box._undo(base, result)


def _is_whole(box: Box, value: Any, template: Any, primitive: Any) -> bool:
    """Whether a write replaces everything by a value that a recorder has made: the value then is
    the content, and no equation is needed.
    """
    return (
        template == (Ellipsis,)
        and primitive is indexing.setitem
        and isinstance(value, Box)
        and value._owner is box._owner
        and value.shape == box.shape
        and value.dtype == box.dtype
        and _recorded(value)
        and not is_scalar(box)
    )


def _recorded(box: Any) -> bool:
    """Whether ``box`` is a variable of a recorder, on some level."""
    while isinstance(box, Box):
        if box._owner.observes:
            return True
        box = box._value
    return False


def _unshared(box: Box, value: Any) -> Any:
    """``value``, copied if it is a part of the buffer that is about to be overwritten (``y[1:] =
    y[:-1]``).
    """
    inner, target = innermost(value), innermost(box)
    if inner is target or (
        type(inner) is np.ndarray
        and type(target) is np.ndarray
        and np.may_share_memory(inner, target)
    ):
        return value.copy()
    return value


def update(box: Any, result: Any) -> Any:
    """``box op= …``: the whole content becomes ``result``. Gives the object that Python binds to
    the name.
    """
    if is_scalar(box) and not _is_leaf(box):
        return result
    if result.shape != box.shape:
        raise ShapeError(
            f"an in-place operation on {box.dtype}{list(box.shape)} gives "
            f"{result.dtype}{list(result.shape)}; write x = x + y where the result is larger"
        )
    if not np.can_cast(result.dtype, box.dtype, "same_kind"):
        raise DtypeError(
            f"an in-place operation on {box.dtype} gives {result.dtype}; write x = x + y, or "
            "x.astype(...) first"
        )
    if result.dtype != box.dtype:
        result = result.astype(box.dtype)
    replace(box, result)
    return box


def replace(box: Any, result: Any) -> None:
    """Give ``box`` (or, through a view, its base) the content of ``result``, which has its shape
    and dtype.
    """
    before_write(box)
    base = getattr(box, "_base", None)
    if base is not None:
        box._undo(base, result)
        return
    if not box.shape and not is_scalar(box):  # NumPy's sums of arrays without axes are scalars
        result = np.reshape(np.reshape(result, (1,)), ())
    strides = strides_of(box)  # a program's array stays laid out as it is, ours is a new one
    assign(box, result)
    if strides_of(box) != strides:
        box._strides = strides


def check_kind(box: Box, value: Any, what: str) -> None:
    """NumPy would cast silently: of a differentiated value that loses the derivative, of a complex
    one the imaginary part.
    """
    kind = getattr(
        value, "dtype", np.dtype(type(value)) if isinstance(value, int | float | complex) else None
    )
    if kind is None:
        return
    if not isinstance(value, Box) and kind.kind != "c":
        return
    if not np.can_cast(kind, box.dtype, "same_kind"):
        raise DtypeError(
            f"{what}: can't put {kind} into an array of {box.dtype} without loss; make the array "
            f"with dtype={kind}, or cast the value with .astype(...)"
        )


def _is_leaf(box: Box) -> bool:
    return getattr(box._node, "primitive", 0) is None


def before_write(box: Any) -> None:
    """Refuse what would make a derivative wrong: a leaf of the dynamic graph outside
    ``no_grad``.
    """
    root = box
    while getattr(root, "_base", None) is not None:
        root = root._base
    if root._owner.dynamic and _is_leaf(root) and interpret.current.get().records:
        raise InPlaceError(
            "a leaf (an array with requires_grad=True) is changed in place while its graph is "
            "recorded: put the change under `with wengert.no_grad():`, or work on a copy, x = x * 1"
        )


def assign(box: Any, result: Any) -> None:
    """Give ``box`` the content of ``result``."""
    if not isinstance(result, Box):
        result = box._owner.owned(result)
    while result._owner is not box._owner:
        if result._node is not None:
            raise InPlaceError(
                f"a value of {result._owner.origin} is written into an array made outside of it "
                f"({box._owner.origin}), where its derivative would be lost: return the value "
                "from the function, or write into an array made inside it"
            )
        result = result._value
        if not isinstance(result, Box):
            result = box._owner.owned(result)
    box._version = getattr(box, "_version", 0) + 1
    box._value = result._value
    if not (box._owner.dynamic and _is_leaf(box)):
        box._node = result._node


# --- indices of indices ---------------------------------------------------------------------------


def compose(outer: Any, inner: Any, shape: tuple[int, ...]) -> Any:
    """The basic index that reads ``x[outer][inner]`` from an ``x`` of ``shape``; None where there
    is none.
    """
    axes: list[Any] = []  # of x[outer]: (axis of x, range of its positions)
    fixed: dict[int, int] = {}
    entries = _spelled_out(outer, len(shape))
    if None in entries:
        return None
    for axis, entry in enumerate(entries):
        if isinstance(entry, int):
            fixed[axis] = range(shape[axis])[entry]
        else:
            axes.append((axis, range(shape[axis])[entry]))
    chosen: dict[int, Any] = {}
    position = 0
    new_axes = False
    for entry in _spelled_out(inner, len(axes)):
        if entry is None:
            new_axes = True
            continue
        if position >= len(axes):
            return None
        axis, places = axes[position]
        if isinstance(entry, int) and not -len(places) <= entry < len(places):
            return None  # NumPy's own error is better
        chosen[axis] = places[entry]
        position += 1
    if new_axes:
        return None
    return tuple(fixed[a] if a in fixed else _as_index(chosen[a]) for a in range(len(shape)))


def _spelled_out(index: Any, ndim: int) -> list[Any]:
    """``index`` with an entry for every axis."""
    used = sum(1 for e in index if e is not None and e is not Ellipsis)
    filler = [slice(None)] * (ndim - used)
    if Ellipsis not in [e for e in index if not hasattr(e, "shape")]:
        return [*index, *filler]
    place = index.index(Ellipsis)
    return [*index[:place], *filler, *index[place + 1 :]]


def _as_index(places: Any) -> Any:
    if isinstance(places, int):
        return places
    if not len(places):
        return slice(0, 0)
    stop = places.stop if places.stop >= 0 else None
    return slice(places.start, stop, places.step)


def strides_of(box: Any) -> tuple[int, ...]:
    """The strides that the array of the NumPy program has, in bytes."""
    known = getattr(box, "_strides", None)
    if known is None and (look := getattr(box, "_look", None)) is not None:
        box._strides = known = view_strides(box._base, look)
    if known is not None:
        return tuple(known)
    inner: Any = box
    behind = 0
    while isinstance(inner, Box):
        behind += inner._node is BATCHED
        inner = inner._value
    if type(inner) is not np.ndarray:
        return ()
    return _compact(box.shape, inner.strides[behind:], inner.itemsize) if behind else inner.strides


def _compact(shape: Any, strides: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides that one example has where it is an array of its own: in memory in the order that
    ``strides`` says, without the gaps in which the other examples lie.
    """
    if 0 in strides:
        return strides
    result, step = [0] * len(shape), itemsize
    for axis in sorted(range(len(shape)), key=lambda k: (abs(strides[k]), -k)):
        result[axis] = step
        step *= max(shape[axis], 1)
    return tuple(result)


def view_strides(box: Any, function: Any) -> tuple[int, ...] | None:
    """The strides of ``function`` of the array; None where NumPy gives a copy instead of a view of
    it.
    """
    like, strides = innermost(box), strides_of(box)
    if type(like) is not np.ndarray or like.strides != strides or like.shape != box.shape:
        one = np.zeros((), box.dtype)
        like = np.lib.stride_tricks.as_strided(one, box.shape, strides, writeable=False)
    try:
        result = function(like)
    except ValueError:
        return None
    return tuple(result.strides)


__all__ = ["assign", "compose", "held_once", "replace", "store", "update", "view_strides", "write"]
