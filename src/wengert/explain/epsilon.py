"""The choice of ε: the error of numerical differentiation against its step, as table and picture.

By default for the lectures' y = ln(x1) + x1·x2 - sin(x2) at (2, 5). The reference is reverse mode,
which has no step: what the curves fall towards is what automatic differentiation gives at once.
Layer: above ``differentiate``; rich and matplotlib are imported on first use.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..differentiate.differences import METHODS
from ..differentiate.error_curve import ErrorCurve, error_curve
from ..differentiate.reverse import grad
from .expression import ExpressionError, parse
from .plotting import COLOURS, FAINT, INK, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

LECTURE = "ln(x1) + x1*x2 - sin(x2)"
LECTURE_VALUES: Mapping[str, float] = {"x1": 2.0, "x2": 5.0}
LOWEST = 1e-17  # where an error of exactly 0 is drawn
UNIT = 2.0**-53
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SLOPES = {  # the note beside a curve's right branch: text, offset in points, alignment
    "forward": ("∝ ε", (-6, 10), "right"),
    "central": ("∝ ε²", (8, -8), "left"),
}


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
        steps: default 1 to 1e-20, four to a decade.
        exact: the gradient by all variables in one vector, where known; default: reverse mode.

    Returns:
        An ``ErrorCurve`` for each method; with ``problem`` set where it can't differentiate this.

    Raises:
        ExpressionError: the formula or its values; ``DataError``: a gradient that is not finite.
    """
    given = _given(expression, values)
    formula = parse(expression, list(given))
    point = np.concatenate([np.ravel(np.asarray(value, float)) for value in given.values()])
    shapes = [np.shape(value) for value in given.values()]
    ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()

    def f(x: Any) -> Any:
        pieces = zip(ends, shapes, strict=True)
        return formula.function(
            *(
                np.reshape(x[end - math.prod(shape) : end], shape) if shape else x[end - 1]
                for end, shape in pieces
            )
        )

    with np.errstate(all="ignore"):
        y = f(point)
        if np.shape(y) != ():
            raise ExpressionError(
                f"the result has shape {np.shape(y)}, expected one number: write sum(…)", expression
            )
        gradient = np.asarray(grad(f)(point) if exact is None else exact, float)
    if not (np.isfinite(y) and np.all(np.isfinite(gradient))):
        at = ", ".join(f"{name} = {value}" for name, value in given.items())
        raise DataError(f"{expression} has no finite value and derivative at {at}")
    return error_curve(f, point, gradient, methods, steps)


def _given(expression: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """``values``, or those of the lectures' example."""
    return dict(LECTURE_VALUES if values is None and expression == LECTURE else values or {})


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
    axes.set_xscale("log")
    axes.set_yscale("log")
    for n, (colour, curve) in enumerate(zip(COLOURS, curves, strict=False)):
        if curve.steps:
            _draw_curve(axes, curve, colour, len(curves) - n)
        else:
            axes.plot([], [], color=colour, label=f"{curve.method}: not possible for this f")
    _draw_frame(axes)
    given = _given(expression, values).items()
    at = ", ".join(f"{name} = {_short(value)}" for name, value in given)
    axes.set_title(
        f"Numerical differentiation: error against ε\ny = {expression} at {at}",
        color=INK,
        fontsize=12,
        loc="left",
        parse_math=False,
    )
    return save_figure(figure, path)


def _short(value: Any) -> str:
    """``value`` in a title: a number, a few numbers, or how many."""
    numbers = [f"{number:g}" for number in np.ravel(value)]
    if np.ndim(value) == 0:
        return numbers[0]
    return f"[{', '.join(numbers)}]" if len(numbers) <= 4 else f"{len(numbers)} numbers"


def _draw_curve(axes: "Axes", curve: ErrorCurve, colour: str, level: int) -> None:
    """One method's errors, its optimum in a ring with its ε, its slope beside it."""
    errors = np.maximum(curve.errors, LOWEST)
    step, error = curve.best
    label = f"{curve.method}: least error {_power(error)} at ε = {_power(step)}"
    width = 1.4 if level > 1 else 1.8
    axes.plot(
        curve.steps, errors, color=colour, lw=width, marker=".", ms=4, label=label, zorder=2 + level
    )
    if math.isnan(step):
        return
    place = (step, max(error, LOWEST))
    axes.plot(*place, "o", ms=9, mfc="white", mec=colour, mew=2, zorder=10)
    axes.annotate(
        f"ε = {_power(step)}",
        place,
        xytext=(-6, -8),
        textcoords="offset points",
        ha="right",
        va="top",
        color=colour,
        fontsize=9,
        fontweight="bold",
        zorder=11,
        bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
    )
    _note_slope(axes, curve, colour)


def _note_slope(axes: "Axes", curve: ErrorCurve, colour: str) -> None:
    """The order of the method beside the right branch of its curve, where the errors show it."""
    middle = math.sqrt(curve.best[0] * max(curve.steps))
    if curve.method in SLOPES and _has_slope(curve, middle):
        text, offset, side = SLOPES[curve.method]
        height = math.exp(np.interp(-math.log(middle), *_logarithms(curve)))
        axes.annotate(
            text,
            (middle, height),
            xytext=offset,
            textcoords="offset points",
            ha=side,
            va="center",
            color=colour,
            fontsize=11,
        )


def _logarithms(curve: ErrorCurve) -> tuple[Any, Any]:
    """-ln of the steps, in rising order, and ln of the errors."""
    order = np.argsort(curve.steps)[::-1]
    with np.errstate(divide="ignore"):
        logarithms = np.log(np.maximum(np.array(curve.errors)[order], LOWEST))
    return -np.log(np.array(curve.steps)[order]), logarithms


def _has_slope(curve: ErrorCurve, middle: float) -> bool:
    """Whether the errors around ``middle`` grow as theory has it."""
    steps, errors = _logarithms(curve)
    ends = np.interp([-math.log(2 * middle), -math.log(middle / 2)], steps, errors)
    return bool(abs((ends[0] - ends[1]) / math.log(4) - curve.order) < 0.3)


def _draw_frame(axes: "Axes") -> None:
    """Labels, the rounding unit, the legend where the picture is empty: low on the left."""
    label = "2⁻⁵³, the rounding unit of float64"
    axes.axhline(UNIT, color=FAINT, lw=1.2, ls="--", zorder=0, label=label)
    axes.set_ylim(LOWEST / 20, max(10.0, axes.get_ylim()[1]))
    ticks = [10.0**n for n in range(-16, int(math.log10(axes.get_ylim()[1])) + 1, 2)]
    axes.set_yticks([LOWEST, *ticks], ["0", *(f"$10^{{{round(math.log10(t))}}}$" for t in ticks)])
    axes.set_yticks([], minor=True)
    axes.set_xlabel(
        "step ε     (left: the difference drowns in rounding, error ∝ 1/ε"
        "     right: Taylor's next term)",
        color=INK,
    )
    axes.set_ylabel("error of the gradient, relative", color=INK)
    axes.grid(color=FAINT, lw=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    corner = (0.02, 0.18)
    axes.legend(
        loc="lower left", bbox_to_anchor=corner, fontsize=9, framealpha=0.9, edgecolor="none"
    ).set_zorder(20)


def _power(x: float) -> str:
    """``x`` with one digit and a power of ten: 6·10⁻⁸."""
    if x == 0 or 0.01 <= x <= 100 or math.isnan(x):
        return f"{x:.1g}"
    digit, exponent = f"{x:.0e}".split("e")
    return f"{digit}·10" + str(int(exponent)).translate(SUPERSCRIPTS)
