"""``wengert train``: train a multi-layer perceptron on digits or on a file, from the command line.

Layer: beside ``cli``; the work is ``training``'s. rich is imported when it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import nn, optim
from .core.errors import DataError
from .data.sources import DIGITS, load
from .data.splits import Split
from .training import Interrupted, Trainer, checkpoint
from .training.curves import draw_curves
from .training.progress import Bar

if TYPE_CHECKING:
    from rich.console import Console

OPTIMISERS = {"sgd": 0.1, "momentum": 0.05, "adam": 1e-3}  # with the learning rate to begin with
PLACE = "wengert-train.npz"  # where Ctrl-C saves without --save


@dataclass(frozen=True)
class Plan:
    """What a run is, apart from its length; a checkpoint holds it."""

    data: str = "mnist"
    layers: tuple[int, ...] = (128,)
    activation: str = "relu"
    optimiser: str = "adam"
    batch_size: int | None = 64
    learning_rate: float | None = None
    tolerance: float = 1e-3
    patience: int = 3
    seed: int = 0
    test_fraction: float = 0.2
    target_column: int | str = -1

    @property
    def rate(self) -> float:
        """The learning rate: the one given, or what suits the optimiser."""
        return OPTIMISERS[self.optimiser] if self.learning_rate is None else self.learning_rate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; what is left out is ``Plan``'s default, or that of the run to go on with."""
    add, plan = parser.add_argument, Plan()
    names = " or ".join(sorted(DIGITS))
    add("data", nargs="?", help=f"{names}, or a file: .csv, .csv.gz, .npz; default: {plan.data}")
    add("--layers", type=_sizes, metavar="N,N", help="hidden layers; none; default: 128")
    add("--activation", choices=sorted(nn.layers.ACTIVATIONS), help="default: relu")
    add("--optimiser", "--optimizer", choices=list(OPTIMISERS), help="default: adam")
    add("--batch-size", type=batch_size, metavar="N", help="rows to a step, or all; default: 64")
    add("--learning-rate", "--lr", type=float, metavar="η", help="default: by the optimiser")
    add("--epochs", "--passes", type=int, default=20, metavar="N", help="at most; default: 20")
    add("--tolerance", type=float, metavar="τ", help="stop at this relative change: 0.001")
    add("--patience", type=int, metavar="N", help="passes that it must do so; default: 3")
    add("--seed", type=int, metavar="N", help="same seed, same result, bit for bit; default: 0")
    add("--test-fraction", type=float, metavar="F", help="share of the rows kept aside: 0.2")
    add("--target-column", type=_column, metavar="C", help="of a CSV file: number or name; last")
    add("--save", metavar="PATH", help="write a checkpoint at the end (.npz)")
    add("--resume", metavar="PATH", help="go on from a checkpoint, with its options")
    add("--curves", metavar="PATH", help="draw loss and accuracy (.png, .svg, .pdf)")


def _sizes(text: str) -> tuple[int, ...]:
    """``128,64`` as sizes of hidden layers; ``none`` for none."""
    if text in ("none", ""):
        return ()
    sizes = tuple(int(word) for word in text.split(","))
    if min(sizes) < 1:
        raise ValueError(text)
    return sizes


def batch_size(text: str) -> int | None:
    """A number of rows; ``all`` for all of them, which argparse hands on as 0."""
    size = 0 if text == "all" else int(text)
    if text != "all" and size < 1:
        raise ValueError(text)
    return size


def _column(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def run(args: argparse.Namespace) -> int:
    """Train, print how it went, save and draw what was asked for."""
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else 100, highlight=False)
    plan = planned(args)
    split, trainer = prepare(plan)
    if args.resume:
        trainer.resume(args.resume)
    _print_plan(console, plan, split, trainer)
    try:
        with Bar(console, args.epochs) as report:
            history = trainer.run(args.epochs, report=report)
    except Interrupted:
        stopped(console, trainer, plan, args.save or args.resume or PLACE, args.epochs)
        return 130
    console.print(f"{history}", soft_wrap=True)
    if history.passes:
        console.print(result(trainer), soft_wrap=True)
    if args.save:
        path = trainer.save(args.save, {"plan": asdict(plan)})
        console.print(f"the network is in {path}; go on with wengert train --resume {path}")
    if args.curves:
        title = f"{split.name}: {describe(plan, trainer)}"
        console.print(f"the curves are in {draw_curves(history, args.curves, title)}")
    return 0


def stopped(console: Console, trainer: Trainer, plan: Plan, path: str | Path, passes: int) -> None:
    """Save what was done before Ctrl-C, and say how to go on."""
    place = trainer.save(path, {"plan": asdict(plan)})
    done = f"{trainer.history.passes} passes, {trainer.position} of {trainer.batches} batches"
    console.print(f"stopped; saved after {done}. To go on:", soft_wrap=True)
    console.print(f"  wengert train --resume {place} --epochs {passes}", soft_wrap=True)


def planned(args: argparse.Namespace) -> Plan:
    """The plan that the options say; with ``--resume`` that of the checkpoint.

    Raises ``DataError`` for options that contradict the checkpoint.
    """
    names = [field.name for field in fields(Plan)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if given.get("batch_size") == 0:
        given["batch_size"] = None
    if not args.resume:
        return Plan(**given)
    _, description = checkpoint.load(args.resume)
    saved = description.get("plan")
    if not isinstance(saved, dict) or set(saved) != set(names):
        raise DataError(f"{args.resume} was not written by wengert train; use Trainer.resume")
    plan = Plan(**{**saved, "layers": tuple(saved["layers"])})
    for name, value in given.items():
        if value != getattr(plan, name):
            raise DataError(
                f"{args.resume} has {name.replace('_', ' ')} {getattr(plan, name)}, not {value}: "
                "leave the option out to go on, or start a run of its own without --resume"
            )
    return plan


def prepare(plan: Plan) -> tuple[Split, Trainer]:
    """The data, and the network before its first pass. Files are standardised, digits are not."""
    split = load(
        plan.data,
        seed=plan.seed,
        test_fraction=plan.test_fraction,
        target_column=plan.target_column,
    )
    if plan.data not in DIGITS:
        split = split.standardized()
    classifies = split.train_y.dtype.kind == "i"
    train_y, test_y = split.train_y, split.test_y
    if not classifies and train_y.ndim == 1:
        train_y, test_y = train_y[:, None], test_y[:, None]
    outputs = split.classes if classifies else train_y.shape[1]
    rng = np.random.default_rng(plan.seed)
    model = nn.mlp((split.features, *plan.layers, outputs), plan.activation, rng=rng)
    trainer = Trainer(
        model,
        nn.cross_entropy if classifies else nn.mse_loss,
        split.train_x,
        train_y,
        optimizer=optimiser(plan, model),
        batch_size=plan.batch_size,
        test=(split.test_x, test_y),
        rng=rng,
        tolerance=plan.tolerance,
        patience=plan.patience,
    )
    return split, trainer


def optimiser(plan: Plan, model: nn.Module) -> optim.Optimizer:
    """The optimiser that the plan names, of the parameters of ``model``."""
    if plan.optimiser == "adam":
        return optim.Adam(model.parameters(), lr=plan.rate)
    momentum = 0.9 if plan.optimiser == "momentum" else 0.0
    return optim.SGD(model.parameters(), lr=plan.rate, momentum=momentum)


def _print_plan(console: Console, plan: Plan, split: Split, trainer: Trainer) -> None:
    console.print(f"{split}", soft_wrap=True)
    count = sum(parameter.size for parameter in trainer.model.parameters())
    console.print(f"{describe(plan, trainer)}; {count:,} parameters", soft_wrap=True)
    if trainer.history.passes:
        console.print(f"going on from {trainer.history}", soft_wrap=True)


def describe(plan: Plan, trainer: Trainer) -> str:
    """The run in one line: ``784-128-10, relu, adam 0.001, batches of 64``."""
    linear: Sequence[Any] = [m for _, m in trainer.model.named_modules() if hasattr(m, "weight")]
    sizes = [linear[0].in_features, *(layer.out_features for layer in linear)]
    batch = "all rows to a step" if plan.batch_size is None else f"batches of {plan.batch_size}"
    shape = "-".join(map(str, sizes))
    return f"{shape}, {plan.activation}, {plan.optimiser} {plan.rate:g}, {batch}"


def result(trainer: Trainer) -> str:
    """What the run reached on the rows kept aside."""
    history = trainer.history
    rows = len(trainer.test[0]) if trainer.test else 0
    if history.test_accuracy:
        return (
            f"test accuracy {history.test_accuracy[-1]:.2%} on {rows} rows, loss "
            f"{history.test_loss[-1]:.4f} (training {history.accuracy[-1]:.2%}, "
            f"{history.loss[-1]:.4f})"
        )
    return (
        f"test: root mean squared error {history.test_loss[-1] ** 0.5:.4g} on {rows} rows "
        f"(training {history.loss[-1] ** 0.5:.4g})"
    )
