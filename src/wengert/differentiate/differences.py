"""Difference quotients along a line: the stencils, their steps, and Richardson extrapolation.

What ``numerical`` computes its gradients with. It sees a function only as a ``Ray``, t -> f(x + tu)
flattened to a vector, or a ``Plane``, (s, t) -> f(x + su + tv), and knows neither containers nor
arguments. Layer: ``core`` only; no primitive of the engine is used, so that numerical derivatives
are an independent check of the others.

Two errors fight: the truncation of the Taylor series, which falls with the step h, and rounding,
eps·|f|/h, which grows as h falls. Their sum is least at the steps of ``automatic_step``.

Sources: W. H. Press et al., Numerical Recipes, 3rd ed., section 5.7; C. J. F. Ridders, Adv. Eng.
Software 4 (1982) 75, doi:10.1016/S0141-1195(82)80057-0; W. Squire and G. Trapp, SIAM Review 40
(1998) 110, doi:10.1137/S003614459631241X.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DtypeError, WengertError

Vector = NDArray[Any]
LEVELS = 12  # rows of a Richardson table: the last step is the first / 2048
FIRST = 0.25  # the first step of a Richardson table over the scale of x
DOMAIN = (ValueError, ArithmeticError)  # of math.log(-1.0), of 1 / 0.0


class StepError(WengertError, ValueError):
    """A method, or a step, that numerical differentiation can't use."""


@dataclass(frozen=True)
class Method:
    """What is known of a method before it runs: ``error = c · h**order`` above the optimal step."""

    name: str
    formula: str
    order: int
    exponent: float  # the optimal step is eps**exponent · scale; 0 where it is not a power of eps
    note: str


METHODS = {
    method.name: method
    for method in (
        Method("forward", "(f(x+h) - f(x)) / h", 1, 1 / 2, "error about eps^1/2"),
        Method("central", "(f(x+h) - f(x-h)) / 2h", 2, 1 / 3, "error about eps^2/3"),
        Method("complex", "Im f(x+ih) / h", 2, 5 / 4, "no subtraction: any small step is good"),
        Method("richardson", "central at h, h/2, h/4, … to h -> 0", 2 * LEVELS, 0.0, "large steps"),
    )
}


@dataclass(frozen=True)
class Ray:
    """A function along one direction u from x: ``at(t) -> (f(x + t u), the step really taken)``.

    ``imaginary(t)`` is f(x + i t u). In units of u, ``scale`` is max(1, |x|), ``unit`` is 1 and
    ``size`` and ``reach`` are |x|, of several numbers the least and the largest; ``eps`` is the
    rounding unit of the coarser of x and f; ``where`` names x in messages.
    """

    at: Callable[[float], tuple[Vector, float]]
    imaginary: Callable[[float], Vector]
    base: Vector
    scale: float
    size: float
    reach: float
    unit: float
    eps: float
    where: str


@dataclass(frozen=True)
class Plane:
    """A real function of two directions: ``at(s, t)`` is f(x + s u + t v), s and t as given.

    ``imaginary(s, t)`` is f(x + i s u + t v); ``first`` and ``second`` are the two directions.
    """

    at: Callable[[float, float], Vector]
    imaginary: Callable[[float, float], Vector]
    first: Ray
    second: Ray


def check_method(method: str, step: float | None) -> None:
    """Raise ``StepError`` for a method that does not exist or a step that can't be one."""
    if not isinstance(method, str) or method not in METHODS:
        close = difflib.get_close_matches(str(method), METHODS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        known = ", ".join(map(repr, METHODS))
        raise StepError(f"numerical: unknown method {method!r}; the methods are {known}{hint}")
    if step is None:
        return
    if isinstance(step, bool) or not isinstance(step, float | int | np.floating | np.integer):
        raise DtypeError(f"numerical: step is {step!r}, expected a positive number or None")
    if not (math.isfinite(step) and step > 0):
        raise StepError(f"numerical: step is {step!r}, expected a finite number above 0, or None")


def automatic_step(method: str, eps: float, scale: float, order: int = 1) -> float:
    """The step for the derivative of ``order`` 1 or 2, a power of two, so that x ± h is exact.

    With s = max(1, |x|): forward eps^(1/2)·s, central eps^(1/3)·s, second derivatives eps^(1/3)·s
    and eps^(1/4)·s, each rounded down to a power of two. Complex: eps^(5/4) whatever the scale,
    2.7e-20 in float64 and 3.7e-9 in float32, whose square is lost beside 1. Richardson: s/4, the
    largest of its steps. Source: Numerical Recipes, 3rd ed., section 5.7.
    """
    if method == "richardson":
        return _power_of_two(FIRST * scale)
    if method == "complex":
        return _power_of_two(eps**1.25)
    return _power_of_two(eps ** (1 / (order + {"forward": 1, "central": 2}[method])) * scale)


def first_derivative(ray: Ray, method: str, step: float | None) -> tuple[Vector, Vector]:
    """df/dt along ``ray`` and an estimate of its error (NaN where the method gives none)."""
    if method == "complex":
        h = step or automatic_step(method, ray.eps, ray.scale)
        slope = ray.imaginary(h).imag / h
        return slope, np.full(slope.shape, np.nan)
    if method == "richardson":
        return _richardson(lambda h: _central(ray, h), ray, step, order=1)
    quotient = _central if method == "central" else _forward
    slope, _ = _inside(lambda h: quotient(ray, h), ray, method, step)
    return slope, np.full(slope.shape, np.nan)


def second_derivative(plane: Plane, method: str, step: float | None) -> Vector:
    """d²f/ds dt on ``plane`` at (0, 0); both directions may be the same."""
    ratio = plane.second.scale / plane.first.scale
    if method == "richardson":
        return _richardson(lambda h: _mixed(plane, h, h * ratio), plane.first, step, order=2)[0]
    if method == "complex":
        return _mixed_complex(plane, step)
    h = step or automatic_step(method, plane.first.eps, plane.first.scale, order=2)
    k = step or automatic_step(method, plane.first.eps, plane.second.scale, order=2)
    return (_mixed if method == "central" else _mixed_forward)(plane, h, k)[0]


def _forward(ray: Ray, h: float) -> tuple[Vector, Vector]:
    """The forward quotient with step ``h``, and its rounding error."""
    ahead, moved = ray.at(h)
    width = _width(moved, ray, h)
    return (ahead - ray.base) / width, _noise([ahead, ray.base], ray, h) / width


def _central(ray: Ray, h: float) -> tuple[Vector, Vector]:
    """The central quotient with step ``h``, and its rounding error."""
    (ahead, right), (behind, left) = ray.at(h), ray.at(-h)
    width = _width(right - left, ray, h)
    return (ahead - behind) / width, _noise([ahead, behind], ray, h) / width


def _mixed(plane: Plane, h: float, k: float) -> tuple[Vector, Vector]:
    """The four-point quotient of the mixed second derivative, and its rounding error."""
    corners = [plane.at(s * h, t * k) for s in (1, -1) for t in (1, -1)]
    total = corners[0] - corners[1] - corners[2] + corners[3]
    return total / (4 * h * k), _noise(corners, plane.first, h) / (4 * h * k)


def _mixed_forward(plane: Plane, h: float, k: float) -> tuple[Vector, Vector]:
    """The one-sided quotient of the mixed second derivative, and its rounding error."""
    corners = [plane.at(h, k), plane.at(h, 0.0), plane.at(0.0, k), plane.first.base]
    total = corners[0] - corners[1] - corners[2] + corners[3]
    return total / (h * k), _noise(corners, plane.first, h) / (h * k)


def _noise(values: list[Vector], ray: Ray, h: float) -> Vector:
    """The rounding error of a sum of ``values`` of f with step ``h``.

    Half a unit of each value, and what one unit of x makes: a value near 0 says little of the
    numbers that it came from.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        spread = np.max([np.abs(value - values[0]) for value in values], axis=0)
        noise: Vector = np.sum(np.abs(values), axis=0) + spread * ray.reach / h
        return ray.eps * noise


def _mixed_complex(plane: Plane, step: float | None) -> Vector:
    """Central differences, with ``step``, of complex-step first derivatives."""
    h = automatic_step("complex", plane.first.eps, plane.first.scale)
    k = step or automatic_step("central", plane.second.eps, plane.second.scale)
    slopes: Vector = plane.imaginary(h, k).imag - plane.imaginary(h, -k).imag
    return slopes / (2 * h * k)


def _inside(
    quotient: Callable[[float], tuple[Vector, Vector]], ray: Ray, method: str, step: float | None
) -> tuple[Vector, Vector]:
    """``quotient`` with the given or the automatic step.

    Where the automatic step leaves the domain of f, as it does for ln at 1e-9, the step is taken in
    proportion to |x| instead of max(1, |x|).
    """
    if step is not None:
        return quotient(step)
    h = automatic_step(method, ray.eps, ray.scale)
    smaller = automatic_step(method, ray.eps, ray.size) if 0 < ray.size < ray.scale else None
    try:
        result = quotient(h)
    except DOMAIN:
        if smaller is None:
            raise
        return quotient(smaller)
    outside = np.isfinite(ray.base) & ~np.isfinite(result[0])
    return quotient(smaller) if smaller is not None and outside.any() else result


def _richardson(
    quotient: Callable[[float], tuple[Vector, Vector]], ray: Ray, step: float | None, order: int
) -> tuple[Vector, Vector]:
    """The extrapolated quotient and its error estimate, both per component.

    With no ``step``, the table starts at max(1, |x|)/4. Where its estimate is poor, others start at
    1/256 of that and at min(1, |x|)/4; each component takes the best. An estimate counts rounding,
    so that an x too small to change f can't look exact, and the disagreement with one quotient of a
    small step, so that a function which is flat beside a narrow feature can't either.
    """
    if step is not None:
        return _table(quotient, step)
    failure: BaseException | None = None
    best = np.full(ray.base.shape, np.nan), np.full(ray.base.shape, np.inf)
    other = min(ray.size or ray.unit, ray.unit)
    for start in (ray.scale, ray.scale / 256, other)[: 3 if other < ray.scale else 2]:
        try:
            value, error = _table(quotient, automatic_step("richardson", ray.eps, start))
        except DOMAIN as raised:
            failure = raised
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.fmax(error, _disagreement(quotient, value, ray, start, order))
            best = _choose(error < best[1], (value, error), best)
            floor = 64 * ray.eps * np.abs(ray.base) / ray.scale**order
            if np.all(best[1] <= ray.eps ** (0.4 / order) * np.abs(best[0]) + floor):
                break
    if failure is not None and not np.isfinite(best[1]).any():
        raise failure
    return best


def _disagreement(
    quotient: Callable[[float], tuple[Vector, Vector]],
    value: Vector,
    ray: Ray,
    start: float,
    order: int,
) -> Vector:
    """How far ``value`` is from one quotient of a small step, beyond what rounding explains."""
    try:
        small, noise = quotient(automatic_step("central", ray.eps, start, order))
    except DOMAIN:
        return np.zeros(value.shape)
    # the rounding of f itself may be several units; truncation is 1e-3 of the slope or a feature
    excess = np.abs(value - small) - 8 * noise - 1e-3 * np.abs(small)
    return np.where(excess > 0, excess, 0.0)


def _table(quotient: Callable[[float], tuple[Vector, Vector]], h: float) -> tuple[Vector, Vector]:
    """Ridders' table of ``quotient`` at h, h/2, h/4, …: per component the entry of least error.

    Entry j of row i is free of the error terms h² to h^(2j). Its error is taken as its difference
    from its two parents plus the rounding error of the row; rows end when that is all there is.
    """
    row: list[Vector] = []
    best: tuple[Vector, Vector] | None = None
    failure: BaseException | None = None
    for level in range(LEVELS):
        try:
            first, noise = quotient(h / 2**level)
        except StepError:
            if best is None:
                raise
            break
        except DOMAIN as raised:
            failure, row = raised, []
            continue
        if best is None:
            best = first, np.full(first.shape, np.inf)
        with np.errstate(invalid="ignore", over="ignore"):
            row, best = _next_row(row, first, noise, best)
        if level > 3 and np.all(best[1] <= 4 * noise):
            break
    if best is None:
        assert failure is not None
        raise failure
    return best


def _next_row(
    above: list[Vector], first: Vector, noise: Vector, best: tuple[Vector, Vector]
) -> tuple[list[Vector], tuple[Vector, Vector]]:
    """A row of the table from the one ``above`` it, and the best entries so far.

    The first entry of a row is compared with the one above only; that of the first row with none.
    """
    row = [first]
    if above:
        error = np.abs(first - above[0]) + noise
        best = _choose(error < best[1], (first, error), best)
    for j, parent in enumerate(above, start=1):
        entry = row[-1] + (row[-1] - parent) / (4.0**j - 1)
        error = np.fmax(np.abs(entry - row[-1]), np.abs(entry - parent)) + noise
        best = _choose(error < best[1], (entry, error), best)
        row.append(entry)
    return row, best


def _choose(
    where: NDArray[np.bool_], new: tuple[Vector, Vector], old: tuple[Vector, Vector]
) -> tuple[Vector, Vector]:
    """``new`` where ``where``, else ``old``, for values and errors."""
    return np.where(where, new[0], old[0]), np.where(where, new[1], old[1])


def _width(moved: float, ray: Ray, h: float) -> float:
    """``moved``, or ``StepError`` if the step was lost in rounding."""
    if moved == 0:
        raise vanished(h, ray.where)
    return moved


def vanished(h: float, where: str) -> StepError:
    """The error for a step ``h`` that x, described by ``where``, does not feel."""
    return StepError(
        f"numerical: step {abs(h):g} vanishes beside {where}: x + h rounds to x; give a larger "
        "step, or step=None for the automatic one"
    )


def _power_of_two(h: float) -> float:
    """The largest power of two up to ``h`` > 0."""
    return math.ldexp(1.0, math.frexp(h)[1] - 1)
