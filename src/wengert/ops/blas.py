"""The BLAS that NumPy has loaded, called by pointer: for what ``np.matmul`` can't do in one walk.

A second BLAS in the process would have a thread pool of its own, and two pools that take turns cost
milliseconds a call; so it is the library inside NumPy's wheel or nothing. Layer: ``ops``; NumPy and
the standard library only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROWS, NO, TRANSPOSED = 101, 111, 112  # CBLAS's names for the layout, and for the operands
LETTERS = {
    np.dtype(np.float32): ("s", ctypes.c_float),
    np.dtype(np.float64): ("d", ctypes.c_double),
}
SYMBOLS = ("scipy_{}64_", "{}64_")  # with 64-bit integers, as NumPy builds it

Gemm = Callable[..., None]
Matrix = np.ndarray[Any, Any]


@cache
def _library() -> ctypes.CDLL | None:
    package = Path(np.__file__).parent
    folders = package.parent / "numpy.libs", package / ".dylibs"
    found = [path for folder in folders for path in sorted(folder.glob("*openblas*"))]
    return ctypes.CDLL(str(found[0])) if len(found) == 1 else None


def _function(name: str) -> Any:
    library = _library()
    found = (getattr(library, symbol.format(name), None) for symbol in SYMBOLS)
    return next((function for function in found if function is not None), None)


@cache
def address(name: str) -> int:
    """The address of a function of CBLAS (``sgemm``) with 64-bit integers; 0 if there is none."""
    return _address(f"cblas_{name}")


@cache
def threads_address(way: str) -> int:
    """The address of the function that ``get``s or ``set``s how many threads it uses; 0 if there
    is none.
    """
    return _address(f"openblas_{way}_num_threads")


def _address(name: str) -> int:
    function = _function(name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0 if function is not None else 0


@cache
def _gemm(dtype: np.dtype[Any]) -> Gemm | None:
    if dtype not in LETTERS:
        return None
    letter, real = LETTERS[dtype]
    function = _function(f"cblas_{letter}gemm")
    if function is not None:
        size, flag, pointer = ctypes.c_int64, ctypes.c_int, ctypes.c_void_p
        function.restype = None
        function.argtypes = [
            *(flag, flag, flag, size, size, size, real, pointer, size),
            *(pointer, size, real, pointer, size),
        ]
    return function  # type: ignore[no-any-return]


def _operand(m: Matrix) -> tuple[Matrix, int, int]:
    """``m`` as BLAS reads it: the array, whether it is transposed, and its leading dimension."""
    if m.flags.c_contiguous:
        return m, NO, max(m.shape[1], 1)
    if m.flags.f_contiguous:
        return m, TRANSPOSED, max(m.shape[0], 1)
    return np.ascontiguousarray(m), NO, max(m.shape[1], 1)


def add_product(c: Matrix, a: Matrix, b: Matrix, s: Any) -> bool:
    """``c += s * (a @ b)`` in place, in the walk that the product takes; False, and nothing done,
    where the library, the dtypes or the layout of ``c`` do not allow it.

    Args:
        c: (m, n), C-contiguous and writeable. a: (m, k). b: (k, n). s: a number.
    """
    gemm = _gemm(c.dtype) if c.dtype == a.dtype == b.dtype else None
    if gemm is None or not (c.flags.carray and c.size and a.shape[1]):
        return False
    (a, turn_a, lead_a), (b, turn_b, lead_b) = _operand(a), _operand(b)
    m, n = c.shape
    gemm(
        *(ROWS, turn_a, turn_b, m, n, a.shape[1], s, a.ctypes.data, lead_a),
        *(b.ctypes.data, lead_b, 1.0, c.ctypes.data, n),
    )
    return True
