"""A progress bar for training, by rich, which is imported on first use. Layer: ``training``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .loop import Trainer

if TYPE_CHECKING:
    from rich.console import Console


class Bar:
    """``with Bar(console, passes) as report:`` a line with pass, loss, accuracy and time left.

    ``report`` is what ``Trainer.run`` and ``fit`` take. Where the output is no terminal nothing is
    drawn.
    """

    def __init__(self, console: Console, passes: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.passes = passes
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task: Any = None

    def __enter__(self) -> Bar:
        self.progress.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.progress.__exit__(*exception)

    def __call__(self, trainer: Trainer) -> None:
        history = trainer.history
        done = history.passes * trainer.batches + trainer.position
        if self.task is None:
            total = self.passes * trainer.batches
            self.task = self.progress.add_task("", total=total, figures="")
        number = min(history.passes + 1, self.passes)
        self.progress.update(
            self.task,
            completed=done,
            description=f"pass {number}/{self.passes}",
            figures=_figures(trainer),
        )


def _figures(trainer: Trainer) -> str:
    """Loss and accuracies of the last whole pass."""
    history = trainer.history
    if not history.passes:
        return ""
    text = f"loss {history.loss[-1]:.4f}"
    if history.accuracy:
        text += f"  accuracy {history.accuracy[-1]:.1%}"
    if history.test_accuracy:
        text += f"  test {history.test_accuracy[-1]:.1%}"
    return text
