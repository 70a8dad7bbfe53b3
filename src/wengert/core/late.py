"""Functions of later layers that earlier ones hand on to: the package enters them when it loads.

So ``graph.draw`` is a method where the graph is, and what draws stays where pictures are. Layer:
``core``; nothing of wengert's.
"""

from collections.abc import Callable
from typing import Any

LATE: dict[str, Callable[..., Any]] = {}
