"""What the records of SciPy's ufuncs have in common. Layer: ``ops``; no SciPy in here.

The modules that hold them (``special`` and what it imports) are loaded when the first of these
ufuncs meets a handle, or by ``wengert.scipy.special``: ``import wengert`` does not load SciPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.primitive import Doc, Interval, NotDifferentiable, Primitive
from .families import Partial, elementwise

# SciPy's loop for complex numbers is not that for real ones continued: it gives complex numbers for
# real ones, or computes the imaginary part to the precision of the real part only
NO_COMPLEX_STEP = {"complex_step": False}
Samples = Callable[[np.random.Generator], list[Any]]


def of_ufunc(
    ufunc: Any,
    *partials: Partial,
    summary: str,
    domain: Sequence[Interval] = (Interval(),),
    source: str = "",
    kinks: str = "",
    name: str = "",
    **more: Any,
) -> Primitive:
    """The record of a ufunc of ``scipy.special``; it is complex where the ufunc has such loops."""
    more.setdefault("complex", any("D" in loop for loop in ufunc.types))
    return elementwise(
        name=name or ufunc.__name__,
        value=ufunc,
        ufunc=ufunc,
        partials=partials,
        doc=Doc(summary, tuple(domain), source, kinks),
        **more,
    )


def parameter(ufunc: str, argument: str) -> NotDifferentiable:
    """Stands for the partial derivative with respect to an order or a shape, which is not known."""
    return NotDifferentiable(
        f"scipy.special.{ufunc}: wengert has no derivative with respect to {argument}; give a "
        "constant there, or wengert.stop_gradient(...) of a value that carries a derivative"
    )


def orders(low: int, high: int, *domain: Interval) -> Samples:
    """Samples whose first argument is integers from ``low`` to ``high``, both included."""

    def draw(rng: np.random.Generator) -> list[Any]:
        cases: list[Any] = []
        for shape in ((3,), (), (2, 1)):
            n = rng.integers(low, high, shape, endpoint=True)
            rest = [np.asarray(rng.uniform(d.low, d.high, (3,))) for d in domain]
            cases.append(((np.asarray(n), *rest), {}))
        return cases

    return draw


class _Seen:
    """Catches the ufunc that a function of SciPy calls."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return ufunc


def ufunc_within(function: Callable[..., Any], *more: Any) -> Any:
    """The private ufunc that ``function(x, *more)`` calls."""
    return function(_Seen(), *more)
