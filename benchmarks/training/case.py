"""The networks that are trained, their data, and what a library has to offer to be measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.agreement import flat, plain
from benchmarks.harness import Runner

RATE = 0.05
BATCHES = 8
COMPARED_STEPS = 2 * BATCHES

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A perceptron of `sizes` trained on batches of `batch` examples, in float32.

    `classify` says which of two: ReLU and softmax cross-entropy on integer labels, or sigmoid
    everywhere and the mean squared error.
    """

    sizes: tuple[int, ...]
    batch: int
    classify: bool = True
    parallel: bool = False

    @property
    def name(self) -> str:
        """Sizes joined by hyphens."""
        return "-".join(str(size) for size in self.sizes)

    @cached_property
    def initial(self) -> list[Array]:
        """Weights (out, in) and biases (out,), alternating from the first layer on."""
        rng = np.random.default_rng(4)
        values: list[Array] = []
        for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False):
            bound = fan_in**-0.5
            values.append(rng.uniform(-bound, bound, (fan_out, fan_in)).astype(np.float32))
            values.append(rng.uniform(-bound, bound, fan_out).astype(np.float32))
        return values

    @cached_property
    def batches(self) -> list[tuple[Array, Array]]:
        """Examples (batch, in) and labels (batch,), or targets (batch, out) of the regression."""
        rng = np.random.default_rng(5)
        return [self._batch(rng) for _ in range(BATCHES)]

    def _batch(self, rng: np.random.Generator) -> tuple[Array, Array]:
        examples = rng.random((self.batch, self.sizes[0]), dtype=np.float32)
        if self.classify:
            return examples, rng.integers(self.sizes[-1], size=self.batch)
        return examples, rng.random((self.batch, self.sizes[-1]), dtype=np.float32)


class Problem(Protocol):
    """Something to train: a `Case`, or another network."""

    @property
    def initial(self) -> list[Array]:
        """The parameters at the start."""

    @property
    def batches(self) -> list[tuple[Array, Array]]:
        """`BATCHES` pairs of examples and labels."""


class Trainer(Protocol):
    """A network of one library in the middle of its training."""

    @property
    def parameters(self) -> list[Any]:
        """The parameters now, in the order of `Problem.initial`."""

    def step(self, examples: Any, labels: Any) -> Any:
        """Go forward, backward, change the parameters; return the loss before the change."""


Batches = list[tuple[Any, Any]]
P = TypeVar("P", bound=Problem)


def unchanged(batch: tuple[Array, Array]) -> tuple[Any, Any]:
    """Return the batch: for libraries that take NumPy's arrays as they are."""
    return batch


def ready(step: Callable[..., Any], batches: Batches) -> str:
    """Return no remark: for steps that need no preparation."""
    return ""


def training_runner(
    case: P,
    start: Callable[[P], Trainer],
    convert: Callable[[tuple[Array, Array]], tuple[Any, Any]] = unchanged,
    prepare: Callable[[Callable[..., Any], Batches], str] = ready,
) -> Runner:
    """Return the runner of a trainer; losses and changes of the parameters must agree.

    `prepare` is called with the step that is timed, before that, and gives the remark in the table.
    """
    batches = [convert(batch) for batch in case.batches]
    trial = start(case)
    steps = [batches[number % BATCHES] for number in range(COMPARED_STEPS)]
    losses = np.array([float(plain(trial.step(*batch))) for batch in steps])
    changes = [p - p0 for p, p0 in zip(flat(trial.parameters), case.initial, strict=True)]
    if any(change.dtype != np.float32 for change in changes):
        raise TypeError("parameters are not float32")
    step = start(case).step
    note = prepare(step, batches)

    def loop(drawn: Iterable[tuple[Any, Any]]) -> None:
        for examples, labels in drawn:
            step(examples, labels)

    return Runner(loop, batches, [losses, *changes], note)
