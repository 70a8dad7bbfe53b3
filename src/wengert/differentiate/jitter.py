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
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import Box, dtype_of, innermost, is_inexact
from ..core.interpret import Interpreter, evaluate
from ..core.primitive import Primitive
from ..ops.array import Array, make, normal

SAMPLES = 6
PRECISION = {"f": np.float32, "c": np.complex64}


class Jitter(Interpreter):
    """Changes what rounds by a random unit of rounding of its dtype, or of float32 if ``single``."""

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
        return tuple(map(self.owned, y)) if type(y) is tuple else self.owned(y)

    def moved(self, value: Any) -> Any:
        """``value`` with each element changed by up to a unit of rounding."""
        if not is_inexact(value) or isinstance(value, Box):
            return value
        kind = np.dtype(dtype_of(value))
        eps = np.finfo(PRECISION[kind.kind] if self.single else kind).eps
        shape = np.shape(value)
        with np.errstate(all="ignore"):
            y = value * (1 + np.asarray(eps * self.rng.uniform(-1, 1, shape), kind))
            if kind.kind == "c":
                y = y + 1j * np.abs(value) * np.asarray(eps * self.rng.uniform(-1, 1, shape), kind)
            if self.single and kind.itemsize > np.dtype(PRECISION[kind.kind]).itemsize:
                y = np.asarray(y, PRECISION[kind.kind]).astype(kind)[()]
        return y.item() if type(value) in (float, complex) else y


def rounds(y: Any, values: Sequence[Any]) -> bool:
    """Whether an operation may have rounded: not if its results are all among its arguments.

    Selections, shapes, signs, maxima and comparisons are exact; to change their results would break
    ties that the program relies on.
    """
    parts = y if type(y) is tuple else (y,)
    numbers = [np.abs(np.ravel(innermost(v))) for v in values]
    given = np.concatenate([*numbers, np.array([0, 1])])
    return not all(np.isin(np.abs(innermost(part)), given).all() for part in parts)


def samples(
    f: Callable[..., Any], leaves: Sequence[Any], compute: Callable[[Sequence[Any]], Any],
    single: bool = False, count: int = SAMPLES,
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
