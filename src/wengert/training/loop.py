"""The training loop: the lecture's gradient descent over all instances, and mini-batches.

Layer: ``training``; above ``nn``, ``optim``, ``data``.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, DtypeError, describe
from ..data.splits import batches, finite
from ..differentiate.dynamic import no_grad
from ..nn.module import Module
from ..ops.array import Array
from ..optim.optimizer import Optimizer
from ..optim.sgd import SGD
from . import checkpoint
from .history import History
from .interrupt import DelayedInterrupt, Interrupted

Loss = Callable[[Any, Any], Any]
Report = Callable[["Trainer"], None]
CHUNK = 256  # rows that go through the network at once where the step is taken after all of them


class Trainer:
    """A network in the middle of its training; see ``fit`` for the arguments.

    Attributes:
        history: loss and accuracy of the passes so far.
        position: batches done in the pass under way.
        batches: how many a pass has.
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        x: Any,
        y: Any,
        *,
        optimizer: Optimizer | None = None,
        batch_size: int | None = None,
        chunk: int = CHUNK,
        test: tuple[Any, Any] | None = None,
        rng: np.random.Generator | None = None,
        tolerance: float = 0.0,
        patience: int = 3,
    ) -> None:
        self.model, self.loss = model, loss
        self.x, self.y = _rows("x", x), _rows("y", y)
        if len(self.x) != len(self.y) or not len(self.x):
            raise DataError(
                f"fit: x is {describe(self.x)}, y is {describe(self.y)}; expected one target for "
                "each row, and at least one row"
            )
        self.test = None if test is None else (_rows("test x", test[0]), _rows("test y", test[1]))
        self.optimizer = SGD(model.parameters(), lr=0.1) if optimizer is None else optimizer
        self.batch_size = None if batch_size is None else _count("batch_size", batch_size)
        self.chunk = _count("chunk", chunk)
        if not tolerance >= 0:
            raise DataError(f"fit: tolerance is {tolerance!r}, expected 0 or more")
        self.history = History(float(tolerance), _count("patience", patience))
        self.rng = np.random.default_rng() if rng is None else rng
        if not isinstance(self.rng, np.random.Generator):
            raise DtypeError(
                f"fit: rng is {describe(rng)}, expected a generator: np.random.default_rng(seed)"
            )
        self.position = 0
        self._begin()

    @property
    def batches(self) -> int:
        """How many batches, or chunks, a pass has."""
        return -(-len(self.x) // (self.batch_size or self.chunk))

    @property
    def classifies(self) -> bool:
        """Whether the targets are labels, so that there is an accuracy."""
        return self.y.ndim == 1 and self.y.dtype.kind in "iu"

    # --- one pass --------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Note where the pass begins: a pass that is interrupted is repeated up to its place."""
        self.position, self._loss_sum, self._hits = 0, 0.0, 0
        self._rng_state = self.rng.bit_generator.state

    def _parts(self) -> Iterator[tuple[Any, Any]]:
        """The rows of this pass that are still to be done, batch by batch."""
        parts: Iterator[tuple[Any, Any]]
        if self.batch_size is None:
            size = self.chunk
            starts = range(0, len(self.x), size)
            parts = ((self.x[n : n + size], self.y[n : n + size]) for n in starts)
        else:
            parts = batches(self.x, self.y, self.batch_size, self.rng)
        for number, (x, y) in enumerate(parts):
            if number >= self.position:
                yield x, y

    def one_pass(self, stop: DelayedInterrupt | None = None, report: Report | None = None) -> bool:
        """Go once through all rows, or on through those left; False if ``stop`` was asked for.

        With ``batch_size`` there is a step after each batch. Without, it is the lecture's gradient
        descent: for all instances forward, add to the divergence, backward, add to the
        derivatives; then one step along their mean, which is the sum with the step η/T.
        """
        whole = self.batch_size is None
        if whole:  # from its first row: the derivatives of a pass that was left are not kept
            self._begin()
            self.optimizer.zero_grad()
        elif self.position:  # in the order in which the pass began
            self.rng.bit_generator.state = self._rng_state
        for x, y in self._parts():
            if not whole:
                self.optimizer.zero_grad()
            self._one_batch(x, y, len(x) / len(self.x) if whole else 1.0)
            if not whole:
                self.optimizer.step()
            self.position += 1
            if report is not None:
                report(self)
            if stop is not None and stop.asked and self.position < self.batches:
                return False
        if whole:
            self.optimizer.step()
        self._finish()
        return True

    def _one_batch(self, x: Any, y: Any, share: float) -> None:
        """Forward and backward for some rows, the derivatives weighted with ``share``."""
        prediction = self.model(x)
        value = self.loss(prediction, y)
        number = value.item()
        if not math.isfinite(number):
            raise DataError(
                f"fit: the loss is {number} in batch {self.position + 1} of pass "
                f"{self.history.passes + 1}: lower the learning rate ({self.optimizer.lr:g}), or "
                "look for values in the data that are too large"
            )
        (value if share == 1.0 else value * share).backward()
        self._loss_sum += number * len(x)
        if self.classifies:
            self._hits += _hits(prediction, y)

    def _finish(self) -> None:
        """Enter a whole pass into the history."""
        history, rows = self.history, len(self.x)
        history.loss.append(self._loss_sum / rows)
        if self.classifies:
            history.accuracy.append(self._hits / rows)
        if self.test is not None:
            loss, accuracy = evaluate(self.model, self.loss, *self.test)
            history.test_loss.append(loss)
            if accuracy is not None:
                history.test_accuracy.append(accuracy)
        self._begin()

    # --- all of them -----------------------------------------------------------------------------

    def run(
        self,
        passes: int,
        *,
        save: str | Path | None = None,
        report: Report | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> History:
        """Train until ``passes`` are done in all, or until the loss has converged.

        ``save``: where to write a checkpoint at the end, or at Ctrl-C, with ``description`` in it.
        ``report`` is called after each batch.

        Raises:
            Interrupted: Ctrl-C, once the batch under way is done and the checkpoint is written.
            DataError: a loss that is not finite; a checkpoint that can't be written.
        """
        _count("passes", passes)
        with DelayedInterrupt() as stop:
            while self.history.passes < passes and not self.history.converged:
                if not self.one_pass(stop, report) or stop.asked:
                    raise Interrupted(self._farewell(save, description))
        if save is not None:
            self.save(save, description)
        return self.history

    def _farewell(self, save: str | Path | None, description: Mapping[str, Any] | None) -> str:
        where = f"stopped after pass {self.history.passes}"
        if self.position:
            where += f" and {self.position} of {self.batches} batches of the next"
        if save is None:
            return f"{where}; nothing was saved: give save=... to be able to go on"
        return f"{where}; saved to {self.save(save, description)}, to go on from with resume"

    # --- checkpoints -----------------------------------------------------------------------------

    def save(self, path: str | Path, description: Mapping[str, Any] | None = None) -> Path:
        """Write everything that is needed to go on to ``path``, an ``.npz`` file."""
        whole = self.batch_size is None  # then the derivatives so far are given up
        state = self.optimizer.state_dict()
        arrays = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        slots = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        arrays |= {f"optimizer/{name}": value for name, value in slots.items()}
        entries = {
            "architecture": self.architecture,
            "data": self.fingerprint(),
            "optimizer": {name: value for name, value in state.items() if name not in slots},
            "history": self.history.as_dict(),
            "rng": self._rng_state,
            "batch_size": self.batch_size,
            "chunk": self.chunk,
            "position": 0 if whole else self.position,
            "loss_sum": 0.0 if whole else self._loss_sum,
            "hits": 0 if whole else self._hits,
        }
        return checkpoint.save(path, arrays, {**entries, **(description or {})})

    def resume(self, path: str | Path) -> Trainer:
        """Go back to where the run was that wrote ``path``; further passes give the same bits.

        Raises:
            DataError: a file that can't be read, or that is of another network, optimiser, data
            set or batch size. Nothing is changed then.
        """
        arrays, entries = checkpoint.load(path)
        own: dict[str, Any] = {"architecture": self.architecture, "data": self.fingerprint()}
        own |= {"batch_size": self.batch_size, "chunk": self.chunk}
        for name, value in own.items():
            (saved,) = checkpoint.required(entries, name)
            if saved != value:
                raise DataError(f"{path} is of another run: its {name} is {saved}, here {value}")
        names = ("history", "rng", "position", "loss_sum", "hits", "optimizer")
        history, rng, position, loss_sum, hits, state = checkpoint.required(entries, *names)
        history = History.from_dict(history)
        before = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**state, **checkpoint.part(arrays, "optimizer")})
        try:
            self.rng.bit_generator.state = rng
            self.model.load_state_dict(checkpoint.part(arrays, "model"))
        except (ValueError, TypeError, KeyError) as error:
            self.optimizer.load_state_dict(before)
            raise DataError(f"{path}: {error}") from error
        self.history = history
        self._begin()
        self.position, self._loss_sum, self._hits = int(position), float(loss_sum), int(hits)
        return self

    @property
    def architecture(self) -> str:
        """The network in one line."""
        return " ".join(repr(self.model).split())

    def fingerprint(self) -> str:
        """A few characters that tell one training set from another."""
        code = zlib.crc32(self.y.tobytes(), zlib.crc32(self.x.tobytes()))
        return f"{len(self.x)} rows, {code:08x}"


def fit(
    model: Module,
    loss: Loss,
    x: Any,
    y: Any,
    *,
    passes: int = 100,
    optimizer: Optimizer | None = None,
    batch_size: int | None = None,
    chunk: int = CHUNK,
    test: tuple[Any, Any] | None = None,
    rng: np.random.Generator | None = None,
    tolerance: float = 1e-4,
    patience: int = 3,
    save: str | Path | None = None,
    resume: str | Path | None = None,
    report: Report | None = None,
) -> History:
    """Train ``model`` in place until the loss has converged, or ``passes`` are done.

    Args:
        model: its parameters are changed.
        loss: ``loss(prediction, target)``, the mean over the rows: ``nn.cross_entropy``,
            ``nn.mse_loss``.
        x: (rows, …) floats. y: (rows,) integer labels, or (rows, outputs) floats.
        passes: at most so many times through all rows.
        optimizer: of the parameters of ``model``; default ``SGD`` with η = 0.1.
        batch_size: rows to a step. None is the lecture's gradient descent: one step after all
            rows, along the mean of their derivatives.
        chunk: without ``batch_size``, how many rows go through the network at once; 1 is the
            lecture's loop to the letter. It changes the rounding, and the time.
        test: ``(x, y)`` to measure after each pass.
        rng: draws the order of the rows; the same state, the same result, bit for bit.
        tolerance, patience: the loss has converged when it changed by less than ``tolerance`` of
            itself in ``patience`` passes in a row. 0: all passes are done.
        save: a file for a checkpoint at the end, and at Ctrl-C. resume: go on from such a file.
        report: called with the ``Trainer`` after each batch.

    Returns:
        The history; ``history.converged`` and ``print(history)`` say whether it has converged.

    Raises:
        DataError: rows and targets that do not fit, values or a loss that are not finite, a
        checkpoint that can't be read or is of another run. Interrupted: Ctrl-C.

    Source:
        I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, sections 4.3, 8.1.

    >>> import numpy as np
    >>> from wengert import nn, training
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((64, 2)).astype(np.float32)
    >>> model = nn.mlp((2, 8, 2), "tanh", rng=rng)
    >>> history = training.fit(model, nn.cross_entropy, x, (x[:, 0] > 0).astype(int), passes=20)
    >>> history.loss[-1] < history.loss[0], history.converged
    (True, False)
    """
    trainer = Trainer(
        model,
        loss,
        x,
        y,
        optimizer=optimizer,
        batch_size=batch_size,
        chunk=chunk,
        test=test,
        rng=rng,
        tolerance=tolerance,
        patience=patience,
    )
    if resume is not None:
        trainer.resume(resume)
    return trainer.run(passes, save=save, report=report)


def evaluate(
    model: Module, loss: Loss, x: Any, y: Any, chunk: int = 1024
) -> tuple[float, float | None]:
    """Mean loss over the rows, and the accuracy where ``y`` are labels (else None)."""
    total, hits = 0.0, 0
    classifies = y.ndim == 1 and y.dtype.kind in "iu"
    training = model.training
    model.eval()
    with no_grad():
        for start in range(0, len(x), chunk):
            rows, targets = x[start : start + chunk], y[start : start + chunk]
            prediction = model(rows)
            total += loss(prediction, targets).item() * len(rows)
            hits += _hits(prediction, targets) if classifies else 0
    model.train(training)
    return total / len(x), hits / len(x) if classifies else None


def _hits(prediction: Any, labels: Any) -> int:
    """How many rows have their largest output at their label."""
    outputs = prediction.numpy() if isinstance(prediction, Array) else prediction
    return int(np.count_nonzero(np.argmax(outputs, axis=-1) == labels))


def _rows(name: str, values: Any) -> np.ndarray:
    """``values`` as a plain array that is finite, floats in their own dtype."""
    array = values.numpy() if isinstance(values, Array) else np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim < 1:
        raise DtypeError(f"fit: {name} is {describe(array)}, expected an array of numbers")
    return finite(array, f"fit: {name}", array.dtype.type) if array.dtype.kind == "f" else array


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise DataError(f"fit: {name} is {value!r}, expected a whole number, 1 or more")
    return int(value)


__all__ = ["Trainer", "evaluate", "fit"]
