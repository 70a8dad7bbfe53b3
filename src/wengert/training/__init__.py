"""Training: ``fit``, the lecture's loop and mini-batches, with history, checkpoints, Ctrl-C.

Above ``nn``, ``optim`` and ``data``; the command ``wengert train`` is one call of it.
"""

from .history import History
from .interrupt import Interrupted
from .loop import Trainer, evaluate, fit

__all__ = ["History", "Interrupted", "Trainer", "evaluate", "fit"]
