"""Operations that are no loops over elements: calls of functions of the runtime, or of libraries.

Each module has functions that make the steps of an equation; ``CALLS`` has them by the name of the
primitive, ``WHY_NOT`` what says that an equation can't be one, ``OVER`` which input its result may
be written over. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from ....core.program import Equation
from ..steps import Array, Operand, Step

# (equation, operands, results, draft): each operand with a stand-in that lies as it does
Given = Sequence[tuple[Operand, Array]]
Call = Callable[[Equation, Given, Given, Any], Iterator[Step]]
CALLS: dict[str, Call] = {}
WHY_NOT: dict[str, Callable[[Equation, bool], str]] = {}  # (equation, strict): empty if it can
OVER: dict[str, int] = {}  # the input whose memory the result may take, where it dies
# of this package
MODULES = ("control", "convolution", "indexing", "joining", "products", "sorting", "twins")

for module in MODULES:
    import_module(f"{__package__}.{module}")
