"""Plain Python/NumPy programs for ``compile``: each is replayed as eager runs it, or says that not.

``case.py`` has the format, ``judge.py`` decides; the programs stand by topic in the other files.
``python -m tests.static.suite`` prints the verdict on each.
"""

from . import (
    aliasing,
    arguments,
    branching,
    derivatives,
    language,
    loops,
    numerics,
    outside,
    rebound,
    state,
    training,
)
from .case import CASES

__all__ = [
    "CASES",
    "aliasing",
    "arguments",
    "branching",
    "derivatives",
    "language",
    "loops",
    "numerics",
    "outside",
    "rebound",
    "state",
    "training",
]
