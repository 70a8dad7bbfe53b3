"""The choice of ε: the error of numerical differentiation against its step, as table and picture.

By default for the lectures' y = ln(x1) + x1·x2 - sin(x2) at (2, 5). The reference is reverse mode,
which has no step: what the curves fall towards is what automatic differentiation gives at once.
Layer: above ``differentiate``; rich and matplotlib are imported on first use.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..differentiate.differences import METHODS
from ..differentiate.error_curve import ErrorCurve, error_curve
from .expression import ExpressionError, parse
from .plotting import COLOURS, FAINT, INK, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

LECTURE = "ln(x1) + x1*x2 - sin(x2)"
LECTURE_VALUES: Mapping[str, float] = {"x1": 2.0, "x2": 5.0}
LOWEST = 1e-17  # where an error of exactly 0 is drawn, half a unit below float64's rounding


def epsilon_curves(
    expression: str = LECTURE,
    values: Mapping[str, Any] | None = None,
    methods: Sequence[str] = tuple(METHODS),
    steps: Sequence[float] | None = None,
    exact: Any = None,
) -> list[ErrorCurve]:
    """The error of the gradient of ``expression`` against the step, for each of ``methods``.

    Args:
        expression: a formula as ``explain.expression.parse`` reads it, with one real result.
        values: a number or an array for each of its variables; default x1 = 2, x2 = 5 for the
            default expression.
        methods: of ``"forward"``, ``"central"``, ``"complex"``, ``"richardson"``.
        steps: default 1 to 1e-20, four to a decade, times max(1, \\|x\\|).
        exact: the gradient by all variables in one vector, where it is known; default: reverse mode.

    Returns:
        An ``ErrorCurve`` for each method; with ``problem`` set where it can't differentiate this.

    Raises:
        ExpressionError: the formula or its values; ``DataError``: a gradient that is not finite.
    """
    given = dict(LECTURE_VALUES if values is None and expression == LECTURE else values or {})
    formula = parse(expression, list(given))
    shapes = [np.shape(value) for value in given.values()]
    point = np.concatenate([np.ravel(np.asarray(value, float)) for value in given.values()])
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]

    def f(x: Any) -> Any:
        pieces = np.split(x, ends)
        return formula.function(
            *(np.reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True))
        )

    with np.errstate(all="ignore"):
        y = f(point)
    if np.shape(y) != ():
        raise ExpressionError(
            f"the result has shape {np.shape(y)}, expected one number: write sum(…)", expression
        )
    gradient = _reverse(f, point) if exact is None else np.asarray(exact, float)
    if not (np.isfinite(y) and np.all(np.isfinite(gradient))):
        at = ", ".join(f"{name} = {value}" for name, value in given.items())
        raise DataError(f"{expression} has no finite value and derivative at {at}")
    return error_curve(f, point, gradient, methods, steps)


def _reverse(f: Callable[[Any], Any], point: Any) -> Any:
    """The gradient of ``f`` by reverse mode."""
    from ..differentiate.reverse import grad

    with np.errstate(all="ignore"):
        return np.asarray(grad(f)(point))


def epsilon_table(
    expression: str = LECTURE,
    values: Mapping[str, Any] | None = None,
    curves: Sequence[ErrorCurve] | None = None,
    every: int = 4,
) -> "Table":
    """The errors as a table, a row for every ``every``-th step and for each method's best.

    The least error of each method is marked with ``*``; the last rows give the slope of the error
    above the optimum, the automatic step and the step that was best here. ``curves`` are those of
    ``epsilon_curves``, computed if None.
    """
    from rich.table import Table
    from rich.text import Text

    curves = epsilon_curves(expression, values) if curves is None else curves
    notes = [f"{curve.method}: {curve.problem}" for curve in curves if curve.problem]
    caption = "relative to the largest component; * least; 0: the same bits as reverse mode"
    table = Table(
        title=Text(f"Error of the numerical gradient of {expression}"),
        caption=Text("\n".join([caption, *notes])),
    )
    table.add_column("ε", justify="right", no_wrap=True)
    for curve in curves:
        table.add_column(curve.method, justify="right", no_wrap=True)
    steps = max((curve.steps for curve in curves), key=len, default=())
    shown = {*steps[:: max(1, every)], *(curve.best[0] for curve in curves)}
    for h in [h for h in steps if h in shown]:
        cells = [_cell(curve, h) for curve in curves]
        table.add_row(f"{h:.1e}", *(Text(cell, "bold" if "*" in cell else "") for cell in cells))
    table.add_section()
    table.add_row("slope", *(_order(curve) for curve in curves))
    table.add_row("automatic ε", *(f"{curve.optimum:.1e}" for curve in curves))
    table.add_row("best ε", *(f"{curve.best[0]:.1e}" if curve.steps else "-" for curve in curves))
    return table


def _cell(curve: ErrorCurve, h: float) -> str:
    """The error of ``curve`` at step ``h``."""
    if h not in curve.steps:
        return "-"
    error = curve.errors[curve.steps.index(h)]
    star = " *" if h == curve.best[0] else "  "
    return ("0" if error == 0 else "not finite" if math.isnan(error) else f"{error:.1e}") + star


def _order(curve: ErrorCurve) -> str:
    """The slope of the error above the optimum, in words."""
    return "2 per level" if curve.method == "richardson" else str(curve.order)


def draw_epsilon(
    path: str | Path,
    expression: str = LECTURE,
    values: Mapping[str, Any] | None = None,
    curves: Sequence[ErrorCurve] | None = None,
) -> Path:
    """Draw the errors against ε, log-log, with each method's optimum, and write it to ``path``.

    Args:
        path: the picture; its ending names the format (png, svg, pdf).
        expression, values: as for ``epsilon_curves``.
        curves: those of ``epsilon_curves``, computed if None.

    Returns:
        The path.

    Raises:
        UnsupportedError: matplotlib is missing. DataError: ``path`` can't be written.
    """
    figure = new_figure(9.6, 6.0)
    curves = epsilon_curves(expression, values) if curves is None else curves
    axes = figure.add_subplot()
    drawn = [curve for curve in curves if curve.steps]
    for colour, curve in zip(COLOURS, curves, strict=False):
        if curve.steps:
            _draw_curve(axes, curve, colour)
    _draw_frame(axes, drawn)
    given = dict(LECTURE_VALUES if values is None else values)
    at = ", ".join(f"{name} = {_short(value)}" for name, value in given.items())
    axes.set_title(
        f"Numerical differentiation: error against ε\ny = {expression} at {at}",
        color=INK, fontsize=12, loc="left", parse_math=False,
    )
    return save_figure(figure, path)


def _short(value: Any) -> str:
    """``value`` in a title: a number, or the shape of an array."""
    return f"{float(value):g}" if np.ndim(value) == 0 else f"array{np.shape(value)}"


def _draw_curve(axes: "Axes", curve: ErrorCurve, colour: str) -> None:
    """One method's errors, its optimum marked and named."""
    errors = np.maximum(curve.errors, LOWEST)
    axes.plot(curve.steps, errors, color=colour, lw=1.8, marker=".", ms=4, label=curve.method)
    step, error = curve.best
    if math.isnan(step):
        return
    axes.plot([step], [max(error, LOWEST)], "o", ms=9, mfc="white", mec=colour, mew=2, zorder=5)
    axes.annotate(
        f"{error:.0e} at ε = {step:.0e}",
        (step, max(error, LOWEST)),
        xytext=(0, -12), textcoords="offset points", ha="center", va="top",
        color=colour, fontsize=9, fontweight="bold", zorder=6,
    )


def _draw_frame(axes: "Axes", curves: Sequence[ErrorCurve]) -> None:
    """Scales, labels, the rounding unit, the legend."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.axhline(2.0**-53, color=FAINT, lw=1, ls="--", zorder=0)
    axes.set_xlabel("step ε")
    axes.set_ylabel("relative error of the gradient")
    axes.grid(color=FAINT, lw=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
