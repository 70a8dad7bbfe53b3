"""How much rounding can change a result: Monte Carlo arithmetic, an interpreter.

Under ``Jitter`` each operation that rounds is given arguments, and gives a result, changed by a
random unit of rounding. What a computation gives then differs from what it gives without by about
as much as rounding has changed it already; cancellation inside of it included. ``dtype=np.float32``
also rounds every result to that precision: float32 arithmetic, with its overflow and underflow,
played in float64.

Layer: an interpreter like any other, over ``core`` and ``ops``.

Source: D. S. Parker, Monte Carlo Arithmetic, UCLA report CSD-970002 (1997).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ...core import interpret
from ...core.box import Box, dtype_of, innermost, is_inexact
from ...core.interpret import Interpreter, evaluate
from ...core.primitive import Primitive
from ...ops.array import Array, make, normal
from ...ops.families import absorb

SAMPLES = 4
FEW = 200  # numbers that a set compares faster than NumPy does
PRECISION = {"f": np.float32, "c": np.complex64}


@dataclass(frozen=True)
class Precision:
    """What a floating dtype can hold: its rounding unit, the least number it holds well, the least
    there is; and the dtype of which all that is said.
    """

    eps: float
    small: float
    least: float
    dtype: np.dtype[Any]


@cache
def precision(kind: np.dtype[Any], single: bool) -> Precision:
    """That of ``kind``, or of its single precision."""
    dtype = np.dtype(PRECISION[kind.kind]) if single else kind
    limits = np.finfo(dtype)
    eps = float(limits.eps)
    return Precision(
        eps, float(limits.smallest_normal) / eps, float(limits.smallest_subnormal), dtype
    )


class Jitter(Interpreter):
    """Changes what rounds by a random unit of rounding: of its dtype; of float32 if ``single``."""

    __slots__ = ("rng", "single")

    def __init__(
        self, parent: Interpreter, f: Callable[..., Any], seed: int, single: bool = False
    ) -> None:
        super().__init__(parent, "check_grads", f)
        self.rng, self.single = np.random.default_rng([31, seed]), single

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, mine = [], []
        for arg in args:
            own = isinstance(arg, Box) and arg._owner is self
            if isinstance(arg, Box):
                arg.refresh()
                arg = arg._value if own else arg
            elif type(arg) is not np.ndarray:
                arg = normal(primitive, arg)
            values.append(arg)
            mine.append(own)
        if not any(mine):
            return evaluate(self.parent, primitive, values, params)
        if primitive.calls_user:  # what is inside rounds on its own
            with interpret.under(self):
                return primitive.value(*args, **params)
        params = {key: value for key, value in params.items() if key != "donate"}
        y = evaluate(self.parent, primitive, values, params)
        if rounds(y, values):
            moved = [self.moved(v) if own else v for v, own in zip(values, mine, strict=True)]
            y = evaluate(self.parent, primitive, moved, params)
            y = tuple(map(self.moved, y)) if type(y) is tuple else self.moved(y)
        if primitive.family == "elementwise" or primitive is absorb:
            y = self.unvanished(y, values)
        return tuple(map(self.owned, y)) if type(y) is tuple else self.owned(y)

    def moved(self, value: Any) -> Any:
        """``value`` with each element changed by up to a unit of rounding."""
        if not is_inexact(value) or isinstance(value, Box):
            return value
        kind = np.dtype(dtype_of(value))
        limits, rng = precision(kind, self.single), self.rng
        if kind == np.float64 and not isinstance(value, np.ndarray):
            return type(value)(self._scalar(float(value), limits))
        shape = np.shape(value)
        with np.errstate(all="ignore"):
            y = value * (1 + limits.eps * rng.uniform(-1, 1, shape)).astype(kind)
            if kind.kind == "c":
                y = y + 1j * np.abs(value) * limits.eps * rng.uniform(-1, 1, shape).astype(kind)
            size = np.abs(y)
            if np.min(size, initial=1.0) < limits.small:
                y = y + self._least((size < limits.small) & (size > 0), kind)
            if limits.dtype.itemsize < kind.itemsize:
                y = np.asarray(y, limits.dtype).astype(kind)[()]
        return complex(y) if type(value) is complex else y.astype(kind)

    def _scalar(self, value: float, limits: Precision) -> float:
        """``moved`` of one number."""
        y = value * (1 + limits.eps * self.rng.uniform(-1, 1))
        if 0 < abs(y) < limits.small:
            y += int(self.rng.integers(-1, 2)) * limits.least
        return float(limits.dtype.type(y))

    def unvanished(self, y: Any, values: Sequence[Any]) -> Any:
        """``y`` with the least number there is where a product may have vanished: underflow."""
        if type(y) is tuple or not is_inexact(y) or np.all(y):
            return y
        lost = np.equal(y, 0)
        for value in values:
            lost = lost & np.not_equal(value, 0)
        if not np.any(lost):
            return y
        moved = y + self._least(lost, np.dtype(dtype_of(y)))
        return moved.item() if type(y) in (float, complex) else moved

    def _least(self, where: Any, kind: np.dtype[Any]) -> Any:
        least = precision(kind, self.single).least
        signs = self.rng.integers(-1, 2, np.shape(where))
        return np.where(where, signs * least, 0).astype(kind)[()]


def rounds(y: Any, values: Sequence[Any]) -> bool:
    """Whether an operation may have rounded: not if its results are all among its arguments.

    Selections, shapes, signs, maxima and comparisons are exact; to change their results would break
    ties that the program relies on.
    """
    parts = [np.abs(np.ravel(innermost(part))) for part in (y if type(y) is tuple else (y,))]
    numbers = [np.abs(np.ravel(innermost(value))) for value in values]
    if sum(part.size for part in (*parts, *numbers)) <= FEW:
        known = {0, 1}.union(*[number.tolist() for number in numbers])
        return not all(known.issuperset(part.tolist()) for part in parts)
    given = np.concatenate([*numbers, np.array([0, 1])])
    return not all(np.isin(part, given).all() for part in parts)


def samples(
    f: Callable[..., Any],
    leaves: Sequence[Any],
    compute: Callable[[Sequence[Any]], Any],
    single: bool = False,
    count: int = SAMPLES,
) -> list[Any]:
    """``compute(leaves)``, an array, under ``count`` different roundings of what ``f`` computes."""
    results = []
    for seed in range(count):
        jitter = Jitter(interpret.current.get(), f, seed, single)
        given = [jitter.owned(np.array(x) if isinstance(x, np.ndarray) else x) for x in leaves]
        with interpret.under(jitter), np.errstate(all="ignore"):
            result = compute(given)
        results.append(result)
    return results


def plain(value: Any) -> Any:
    """The plain value below all owners; a view is brought up to date first."""
    if isinstance(value, Box):
        value.refresh()
    return innermost(value)
