"""The error of numerical differentiation against its step, for each method.

The picture behind the choice of ε: truncation on the right, rounding on the left, and the complex
step and extrapolation, which escape from it. Drawn by ``explain.epsilon``. Layer: ``core``,
``differences`` and ``black_box`` only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import GradientError, ShapeError, describe
from .black_box import BlackBox, Coordinate
from .complex_step import check_analytic, probe
from .differences import METHODS, StepError, Vector, automatic_step, check_method, first_derivative


@dataclass(frozen=True)
class ErrorCurve:
    """The error of one method against the step.

    ``errors[i]`` is that of ``steps[i]``: the largest error of a component over the largest
    component of the derivative; NaN where f is not finite. Above the optimum the error grows as
    ``step**order``; ``optimum`` is where theory puts it, the step of ``step=None``. ``problem``
    says why there is no curve, if there is none.
    """

    method: str
    order: int
    optimum: float
    steps: tuple[float, ...]
    errors: tuple[float, ...]
    problem: str = ""

    @property
    def best(self) -> tuple[float, float]:
        """The step of the least error measured (the largest such step), and that error."""
        pairs = [(e, -h) for h, e in zip(self.steps, self.errors, strict=True) if np.isfinite(e)]
        error, step = min(pairs, default=(float("nan"), float("nan")))
        return -step, error


def error_curve(
    f: Callable[[Any], Any],
    x: Any,
    derivative: Any,
    methods: Sequence[str] = tuple(METHODS),
    steps: Sequence[float] | None = None,
) -> list[ErrorCurve]:
    """How the error of each method depends on its step.

    Args:
        f: scalar function of one argument.
        x: where, a real number or an array ``(…)``.
        derivative: the exact gradient there, of the same shape.
        methods: those wanted.
        steps: the steps; default 1 to 1e-20, four to a decade, larger where x is.

    Returns:
        An ``ErrorCurve`` for each method. A step too small to change x counts as a slope of 0.

    Example:
        >>> import numpy as np
        >>> from wengert.differentiate import numerical
        >>> curves = numerical.error_curve(np.sin, 1.0, np.cos(1.0), steps=[1e-2, 1e-3])
        >>> [f"{c.method} {c.order} {c.errors[0] / c.errors[1]:.0f}" for c in curves[:2]]
        ['forward 1 10', 'central 2 100']
    """
    for method in methods:
        check_method(method, None)
    box = BlackBox("numerical.error_curve", f, (x,), {}, 0)
    box.require_scalar()
    exact = np.asarray(derivative)
    if len(box.leaves) != 1 or box.array(0).dtype.kind == "c" or exact.shape != box.array(0).shape:
        raise ShapeError(
            f"numerical.error_curve: x is {describe(x)} and derivative {describe(derivative)}; "
            "expected one real number or array, and its gradient of the same shape"
        )
    rays = [box.ray(coordinate) for coordinate in box.coordinates()]
    scale = max((ray.scale for ray in rays), default=1.0)
    wanted = _steps(scale) if steps is None else tuple(float(h) for h in steps)
    return [_curve(box, method, wanted, scale, exact.ravel()) for method in methods]


def _steps(scale: float) -> tuple[float, ...]:
    """From the power of ten in ``scale`` down by twenty decades, four to a decade."""
    top = int(np.floor(np.log10(scale)))
    return tuple(10 ** (top - n / 4) for n in range(81))


def _curve(
    box: BlackBox, method: str, steps: tuple[float, ...], scale: float, exact: Vector
) -> ErrorCurve:
    """One method's errors at ``steps``."""
    largest = float(np.max(np.abs(exact), initial=0.0)) or 1.0
    coordinates = box.coordinates()
    optimum = automatic_step(method, box.eps(box.leaves[0]), scale)
    errors = []
    try:
        if method == "complex":
            check_analytic(box, probe(box))
        for h in steps:
            slopes = np.array([_slope(box, coordinate, method, h) for coordinate in coordinates])
            errors.append(float(np.max(np.abs(slopes - exact), initial=0.0) / largest))
    except GradientError as error:
        problem = str(error).partition(": ")[2].partition(";")[0]
        return ErrorCurve(method, METHODS[method].order, optimum, (), (), problem)
    return ErrorCurve(method, METHODS[method].order, optimum, steps, tuple(errors))


def _slope(box: BlackBox, coordinate: Coordinate, method: str, h: float) -> float:
    """One derivative with step ``h``; 0 where x does not feel it, NaN beside the domain of f."""
    try:
        return float(first_derivative(box.ray(coordinate), method, h)[0][0])
    except StepError:
        return 0.0
    except (ValueError, ArithmeticError):
        return float("nan")
