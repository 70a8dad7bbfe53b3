"""Loss and accuracy against the passes, as a picture. Layer: ``training``, by ``explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..core.errors import DataError
from ..explain.plotting import COLOURS, FAINT, INK, new_figure, save_figure
from .history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_curves(
    history: History,
    path: str | Path,
    title: str = "Training",
    references: dict[str, float] | None = None,
) -> Path:
    """Draw the loss, and the accuracy where there is one, and write the picture to ``path``.

    Args:
        history: at least one pass.
        path: its ending names the format (png, svg, pdf).
        references: test accuracies of other classifiers, drawn as level lines.

    Raises:
        DataError: no pass, or a path that can't be written. UnsupportedError: no matplotlib.
    """
    if not history.passes:
        raise DataError("draw_curves: the history has no pass yet")
    panels = 2 if history.accuracy else 1
    figure = new_figure(4.8 * panels + 0.4, 4.2)
    figure.suptitle(title, color=INK, fontsize=12, x=0.01, ha="left")
    rows = figure.subplots(1, panels, squeeze=False)
    _draw_loss(rows[0][0], history)
    if history.accuracy:
        _draw_accuracy(rows[0][1], history, references or {})
    return save_figure(figure, path)


def _draw_loss(axes: Axes, history: History) -> None:
    _line(axes, history.loss, COLOURS[0], "training, while it learns")
    if history.test_loss:
        _line(axes, history.test_loss, COLOURS[1], "test, after the pass")
    low = min([*history.loss, *history.test_loss])
    if low > 0:
        axes.set_yscale("log")
    _frame(axes, "loss", "upper right")


def _draw_accuracy(axes: Axes, history: History, references: dict[str, float]) -> None:
    _line(axes, history.accuracy, COLOURS[0], "training, while it learns")
    if history.test_accuracy:
        last = history.test_accuracy[-1]
        _line(axes, history.test_accuracy, COLOURS[1], f"test: {last:.1%} at the end")
    for colour, (name, value) in zip(COLOURS[2:], references.items(), strict=False):
        axes.axhline(value, color=colour, lw=1.2, ls="--", label=f"{name}: {value:.1%}")
    values = [*history.accuracy, *history.test_accuracy, *references.values()]
    low = max(0.0, min(values) - 0.02)
    axes.set_ylim(low, 1.0 + 0.02 * (1.0 - low))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _frame(axes, "accuracy", "lower right")


def _line(axes: Axes, values: list[float], colour: str, label: str) -> None:
    passes = range(1, len(values) + 1)
    axes.plot(passes, values, color=colour, lw=1.8, marker=".", ms=5, label=label)


def _frame(axes: Axes, name: str, place: Literal["upper right", "lower right"]) -> None:
    axes.set_xlabel("pass over the training rows", color=INK)
    axes.set_ylabel(name, color=INK)
    axes.locator_params(axis="x", integer=True)
    axes.grid(color=FAINT, lw=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc=place, fontsize=9, framealpha=0.9, edgecolor="none")
