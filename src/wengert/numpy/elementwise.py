"""NumPy's elementwise functions that are no ufuncs, and ufuncs with several outputs, for handles.

Layer: ``numpy``. Each is written with primitives, so none of them has a rule of its own. Questions
about values or types (``isclose``, ``result_type``) give what NumPy gives, without a derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.box import Box, dtype_of
from ..core.errors import BoundsError, DtypeError, ShapeError, UnsupportedError
from ..ops import rounding, trigonometric
from ..ops.arithmetic import stop_gradient
from ..ops.array import Array, enter_ufuncs, implements
from .arguments import MISSING, as_array
from .ufuncs import into

PYTHON_NUMBERS = (bool, int, float, complex)


def _number(x: Any) -> Any:
    """A Python number as it is, which is weak in promotion; anything else as an array."""
    return x if type(x) in PYTHON_NUMBERS else as_array(x)


def _result(name: str, out: Any, result: Any) -> Any:
    return result if out is None else into(name, out, result)


# --- limits, rounding -----------------------------------------------------------------------------


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = MISSING,
    a_max: Any = MISSING,
    out: Any = None,
    *,
    min: Any = MISSING,
    max: Any = MISSING,
    **kwargs: Any,
) -> Any:
    if kwargs:
        raise UnsupportedError(f"clip: arguments {sorted(kwargs)} are not supported with handles")
    low, high = (
        next((limit for limit in pair if limit is not MISSING), None)
        for pair in ((a_min, min), (a_max, max))
    )
    result = np.positive(_number(a)) if low is None and high is None else _number(a)
    if low is not None:
        result = np.maximum(result, _number(low))
    if high is not None:
        result = np.minimum(result, _number(high))
    return _result("clip", out, result)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    return _result("round", out, rounding.round(as_array(a), decimals=decimals))


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    return _result("fix", out, np.trunc(as_array(x)))


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    x = as_array(x)
    if x.dtype.kind == "c":
        limits = {"nan": nan, "posinf": posinf, "neginf": neginf}
        result = nan_to_num(np.real(x), **limits) + 1j * nan_to_num(np.imag(x), **limits)
    elif x.dtype.kind != "f":
        result = np.positive(x) if x.dtype.kind != "b" else x.copy()
    else:
        limit = np.finfo(x.dtype)
        result = np.where(np.isnan(x), nan, x)
        result = np.where(np.isposinf(x), float(limit.max) if posinf is None else posinf, result)
        result = np.where(np.isneginf(x), float(limit.min) if neginf is None else neginf, result)
    return result if copy or not isinstance(x, Array) else into("nan_to_num", x, result)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    return trigonometric.sinc(x)


@implements(np.i0)
def i0(x: Any) -> Any:
    from scipy import special

    if x.dtype.kind == "c":
        raise DtypeError("i0: not supported for complex values; use scipy.special.iv(0, x)")
    return special.i0(x)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """What is added is constant between the jumps, so the derivative is the identity."""
    p = as_array(p)
    steps = np.diff(stop_gradient(p), axis=axis)
    half = period / 2
    wrapped = np.mod(steps + half, period) - half
    wrapped = np.where(np.equal(wrapped, -half) & np.greater(steps, 0), half, wrapped)
    small = np.less(np.abs(steps), half if discont is None else discont)
    added = np.cumsum(np.where(small, 0, wrapped - steps), axis=axis)
    before = [slice(None)] * p.ndim
    before[axis] = slice(0, 1)
    zeros = np.zeros_like(added[tuple(before)])
    return p + np.concatenate([zeros, added], axis=axis)


# --- several outputs ------------------------------------------------------------------------------

MULTI: dict[Any, Any] = {
    np.divmod: lambda a, b: (np.floor_divide(a, b), np.remainder(a, b)),
    np.frexp: rounding.frexp,
    np.modf: rounding.modf,
}
enter_ufuncs(MULTI)

# --- questions ------------------------------------------------------------------------------------


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    return _result("isposinf", out, np.isinf(x) & np.greater(x, 0))


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    return _result("isneginf", out, np.isinf(x) & np.less(x, 0))


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    a, b = (stop_gradient(as_array(x)) for x in (a, b))
    with np.errstate(invalid="ignore"):
        close = np.less_equal(np.abs(a - b), atol + rtol * np.abs(b)) & np.isfinite(b)
    result = close | np.equal(a, b)
    return result | (np.isnan(a) & np.isnan(b)) if equal_nan else result


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    return bool(np.all(isclose(a, b, rtol, atol, equal_nan)))


def _same(a: Any, b: Any, equal_nan: bool = False) -> bool:
    same = np.equal(a, b)
    return bool(np.all(same | (np.isnan(a) & np.isnan(b)) if equal_nan else same))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    a1, a2 = as_array(a1), as_array(a2)
    return a1.shape == a2.shape and _same(a1, a2, equal_nan)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    a1, a2 = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return _same(a1, a2)


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return bool(x.dtype.kind == "c")


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return not iscomplexobj(x)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    return np.not_equal(np.imag(x), 0)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    return np.equal(np.imag(x), 0)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    if a.dtype.kind != "c":
        return a
    limit = tol * np.finfo(a.dtype).eps if tol > 1 else tol
    return np.real(a) if bool(np.all(np.abs(np.imag(a)) < limit)) else a


def _typed(x: Any) -> Any:
    """What promotes as ``x`` does: of a handle its dtype, or 0 of Python's type if it is weak."""
    if not isinstance(x, Box):
        return x
    dtype = dtype_of(x)
    return dtype(0) if isinstance(dtype, type) else dtype


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    return np.result_type(*[_typed(x) for x in arrays_and_dtypes])


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(from_.dtype if isinstance(from_, Box) else from_, to, casting)


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> Any:
    return a.dtype


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    return np.common_type(*[np.empty(0, x.dtype) if isinstance(x, Box) else x for x in arrays])


# --- choices --------------------------------------------------------------------------------------


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ShapeError(
            f"select: {len(condlist)} conditions for {len(choicelist)} choices; one for each"
        )
    conditions = [as_array(condition) for condition in condlist]
    choices = [_number(choice) for choice in choicelist]
    for i, condition in enumerate(conditions):
        if condition.dtype != np.bool_:
            raise DtypeError(f"select: condition {i} is {condition.dtype}, expected booleans")
    result = _number(default)
    dtype = np.result_type(result, *choices)
    shapes = [x.shape for x in (*conditions, *choices, result) if type(x) not in PYTHON_NUMBERS]
    result = np.broadcast_to(result, np.broadcast_shapes(*shapes))
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        result = np.where(condition, choice, result)
    return result if result.dtype == dtype else result.astype(dtype)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    a, options = as_array(a), [as_array(choice) for choice in choices]
    if a.dtype.kind not in "iub":
        raise DtypeError(f"choose: the index array is {a.dtype}, expected integers")
    count = len(options)
    if mode == "wrap":
        a = np.remainder(a, count)
    elif mode == "clip":
        a = np.clip(a, 0, count - 1)
    elif bool(np.any(np.less(a, 0) | np.greater_equal(a, count))):
        raise BoundsError(f"choose: an index is not one of 0 to {count - 1}")
    shape = np.broadcast_shapes(a.shape, *[option.shape for option in options])
    result = np.broadcast_to(options[0], shape)
    for k, option in enumerate(options[1:], start=1):
        result = np.where(np.equal(a, k), option, result)
    return _result("choose", out, result)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """As NumPy does it: a function sees the elements that its condition chooses, and no other."""
    x = as_array(x)
    masks = [np.reshape(np.broadcast_to(c, x.shape), (-1,)) for c in _conditions(x, condlist)]
    if len(funclist) == len(masks) + 1:
        covered = masks[0]
        for mask in masks[1:]:
            covered = covered | mask
        masks.append(~covered)
    if len(funclist) != len(masks):
        raise ShapeError(
            f"piecewise: {len(masks)} conditions and {len(funclist)} functions; one function for "
            "each condition, and at most one more"
        )
    flat = np.reshape(x, (-1,))
    y = np.zeros_like(flat)
    for mask, function in zip(masks, funclist, strict=True):
        if not callable(function):
            y[mask] = function
        elif (chosen := flat[mask]).size:
            y[mask] = function(chosen, *args, **kw)
    return np.reshape(y, x.shape)


def _conditions(x: Any, condlist: Any) -> list[Any]:
    """The conditions one by one; a single one of a sequence needs no list around it."""
    single = not isinstance(condlist, list | tuple) and np.ndim(condlist) == 0
    if not single and x.ndim:
        first = condlist[0]
        single = not isinstance(first, list | tuple | np.ndarray | Box) or np.shape(first) == ()
    conditions = [as_array(c) for c in ([condlist] if single else condlist)]
    return [c if c.dtype == np.bool_ else np.not_equal(c, 0) for c in conditions]
