"""How CPython and NumPy lay out their objects, found true or not in this process.

Kernels read arrays and numbers in place, at the offsets written here. ``unsupported`` compares them
with real objects and says where that does not hold: another interpreter, a build without the GIL,
another word size. Then NumPy runs everything. Layer: ``static``.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import sysconfig
import types
from functools import cache
from typing import Any

import numpy as np

TYPE = 8  # of any object: where its type stands
SIZE = 16  # of a tuple, list or dict: how many it holds
NUMBER = 16  # of a float, or a NumPy scalar: where its value stands
DATA, RANK, LENGTHS, STRIDES, DTYPE, FLAGS = 16, 24, 32, 40, 56, 64  # of an array
TYPE_NUMBER = 24  # of a dtype: a word with its letters, byte order and number
BASE = 48  # of an array: whose memory it is a view of, if any
ITEM_SIZE = 40  # of a dtype
ITEMS = 24  # of a tuple
LIST_ITEMS = 24  # of a list: the address of its items
MEMBER, MEMBER_TYPE, MEMBER_OFFSET = 40, 8, 16  # of a slot's descriptor; of what that points to
OBJECT_MEMBERS = (6, 16)  # the types of slots that hold objects
BYTES = 32  # of bytes: where the content starts
C_CONTIGUOUS, OWNS_DATA, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400
# in NumPy's C API: PyArray_CopyInto, PyArray_Scalar, PyArray_NewFromDescr
COPY_INTO, SCALAR, NEW_ARRAY = 50, 60, 94
PYTHON_API = (
    "PyEval_RestoreThread",
    "PyEval_SaveThread",
    "PyFloat_FromDouble",
    "PyLong_AsLongLongAndOverflow",
    "PyObject_Vectorcall",
    "PyTuple_New",
    "Py_DecRef",
    "Py_IncRef",
)


@cache
def numpy_api() -> Any:
    """NumPy's table of C functions."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = pointer(np._core.multiarray._ARRAY_API, None)  # type: ignore[attr-defined]
    return ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))


def address_of(name: str) -> int:
    """The address that a kernel knows by ``name``: ``api:…`` of Python's C functions, ``numpy:…``
    of NumPy's by number, ``dtype:…``, ``type:…`` of NumPy's scalars, ``blas:…`` of the library
    that NumPy has loaded, ``ufunc:…`` of the loops of ufuncs, ``argsort:…`` of NumPy's sorts,
    ``runtime:…`` of the runtime's functions, or one of ``OBJECTS``.
    """
    kind, _, rest = name.partition(":")
    if kind == "api":
        return ctypes.cast(getattr(ctypes.pythonapi, rest), ctypes.c_void_p).value or 0
    if kind == "numpy":
        return int(numpy_api()[int(rest)])
    if kind == "dtype":
        return id(np.dtype(rest))
    if kind == "blas":
        from ...ops.blas import address

        return address(rest)
    if kind == "argsort":
        from .calls.sorting import address_of_argsort

        return address_of_argsort(rest)
    if kind == "ufunc":
        from .calls.ufuncs import address_of_loop

        return address_of_loop(rest)
    if kind == "runtime":
        from .runtime.library import address_of_function

        return address_of_function(rest)
    return id(np.dtype(rest).type if kind == "type" else OBJECTS[name])


OBJECTS: dict[str, Any] = {
    "ndarray": np.ndarray,
    "float": float,
    "int": int,
    "True": True,
    "False": False,
}


@cache
def slot_offset(kind: type, name: str) -> int | None:
    """Where an object of ``kind`` holds the attribute ``name``, if that is a slot; else None."""
    if kind in (types.CellType, types.FunctionType):
        return _offset_in_sample(kind, name)
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    if type(found) is not types.MemberDescriptorType:
        return None
    member = _word(id(found) + MEMBER)
    if ctypes.c_int.from_address(member + MEMBER_TYPE).value not in OBJECT_MEMBERS:
        return None
    return _word(member + MEMBER_OFFSET)


def _offset_in_sample(kind: type, name: str) -> int | None:
    """Where functions and cells hold what has no descriptor: looked up in one."""
    held = 0.5

    def sample(a: Any = 1.5, *, b: Any = 2.5) -> float:
        return held

    assert sample.__closure__ is not None
    one: Any = sample if kind is types.FunctionType else sample.__closure__[0]
    value = id(getattr(one, name))
    places = [n for n in range(NUMBER, kind.__basicsize__, 8) if _word(id(one) + n) == value]
    return places[0] if len(places) == 1 else None


@cache
def unsupported() -> str:
    """Why kernels can't run in this process; empty if they can."""
    if sys.implementation.name != "cpython" or struct.calcsize("P") != 8:
        return "kernels need CPython with 64 bits"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "kernels need a build of Python with the GIL"
    try:
        import llvmlite  # noqa: F401
    except ImportError:
        return "llvmlite is not installed"
    return "" if _as_expected() else "objects of Python or NumPy are laid out in another way"


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _as_expected() -> bool:
    array = np.zeros((3, 5), np.float32)[:, ::2]
    at = id(array)
    lengths, strides = _word(at + LENGTHS), _word(at + STRIDES)
    numbers = [1.25, np.float64(1.25)]
    held, text, swapped = (1.5, "a"), b"content ", np.dtype(np.float32).newbyteorder()
    listed = list(held)
    return bool(
        _word(at + TYPE) == id(np.ndarray)
        and _word(at + DATA) == array.ctypes.data
        and ctypes.c_int32.from_address(at + RANK).value == 2
        and (_word(lengths), _word(lengths + 8)) == array.shape
        and (_word(strides), _word(strides + 8)) == array.strides
        and _word(at + DTYPE) == id(np.dtype(np.float32))
        and ctypes.c_int32.from_address(at + FLAGS).value & (C_CONTIGUOUS | ALIGNED) == ALIGNED
        and _word(id(array.dtype) + TYPE_NUMBER) == _type_word(array.dtype)
        and _word(id(swapped) + TYPE_NUMBER) == _type_word(swapped)
        and all(ctypes.c_double.from_address(id(x) + NUMBER).value == 1.25 for x in numbers)
        and all(_scalar_as_expected(np.dtype(kind)) for kind in "bhilqBHILQfd?")
        and _word(id(array) + BASE) == id(array.base)
        and _word(id(array.dtype) + ITEM_SIZE) == array.itemsize
        and ctypes.c_int32.from_address(at + FLAGS).value & (OWNS_DATA | WRITEABLE) == WRITEABLE
        and _members_as_expected()
        and _word(_word(id(listed) + LIST_ITEMS)) == id(listed[0])
        and all(_word(id(one) + SIZE) == 2 for one in (held, list(held), dict.fromkeys(held)))
        and (_word(id(held) + ITEMS), _word(id(held) + ITEMS + 8)) == tuple(map(id, held))
        and ctypes.string_at(id(text) + BYTES, 8) == text
    )


def _type_word(dtype: np.dtype[Any]) -> int:
    """What is expected at ``TYPE_NUMBER``; the fourth byte has had several meanings."""
    fourth = ctypes.c_uint8.from_address(id(dtype) + TYPE_NUMBER + 3).value
    letters = f"{dtype.kind}{dtype.char}{dtype.byteorder}".encode()
    return int.from_bytes(struct.pack("3sBi", letters, fourth, dtype.num), "little")


class _Slotted:
    __slots__ = ("first", "second")


def _members_as_expected() -> bool:
    one = _Slotted()
    one.first, one.second = 1.5, 2.5  # type: ignore[attr-defined]
    offsets = [slot_offset(_Slotted, name) for name in _Slotted.__slots__]
    return all(
        offset is not None and _word(id(one) + offset) == id(getattr(one, name))
        for name, offset in zip(_Slotted.__slots__, offsets, strict=True)
    )


def _scalar_as_expected(dtype: np.dtype[Any]) -> bool:
    value = dtype.type(1)
    stands: bytes = ctypes.string_at(id(value) + NUMBER, dtype.itemsize)
    return stands == bytes(value.tobytes())
