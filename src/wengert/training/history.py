"""What a training run was like: loss and accuracy after each pass, and how it ended.

Layer: ``training``; NumPy is not even needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from ..core.errors import DataError

TINY = 1e-300


@dataclass
class History:
    """One entry a pass over the training rows, in the order of the passes.

    loss: mean over the training rows, each with the parameters that it was trained with.
    accuracy: share of the training rows whose largest output was their label; empty for values.
    test_loss, test_accuracy: the same of the test rows, after the pass; empty without them.
    tolerance, patience: converged is a relative change of ``loss`` below ``tolerance`` in
    ``patience`` passes in a row; never, with a tolerance of 0.
    """

    tolerance: float = 0.0
    patience: int = 3
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)

    @property
    def passes(self) -> int:
        """How many passes are done."""
        return len(self.loss)

    @property
    def changes(self) -> list[float]:
        """The relative change of the loss from each pass to the next."""
        pairs = zip(self.loss, self.loss[1:], strict=False)
        return [abs(after - before) / max(abs(before), TINY) for before, after in pairs]

    @property
    def converged(self) -> bool:
        """Whether the last ``patience`` changes of the loss are below the tolerance."""
        last = self.changes[-self.patience :]
        return len(last) == self.patience and all(change < self.tolerance for change in last)

    def __str__(self) -> str:
        if not self.passes:
            return "no pass yet"
        passes = f"{self.passes} pass" + ("es" if self.passes > 1 else "")
        if self.converged:
            return (
                f"converged after {passes}: the loss changed by less than {self.tolerance:g} of "
                f"itself in each of the last {self.patience}"
            )
        if not self.tolerance:
            return f"{passes}, loss {self.loss[-1]:.4g}; no tolerance was set"
        change = f"{self.changes[-1]:.2g} of itself" if self.changes else "unknown"
        return (
            f"not converged after {passes}: the loss still changes by {change} a pass (tolerance "
            f"{self.tolerance:g}); allow more passes, or change the learning rate"
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything in it, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Any) -> Self:
        """The history that ``as_dict`` came from; ``DataError`` if it is none."""
        names = {entry.name for entry in fields(cls)}
        if not isinstance(given, dict) or set(given) != names:
            raise DataError("the history in the checkpoint is damaged or of another version")
        return cls(**given)
