"""Where a name stands among those of the inputs or results of a function.

Layer: ``core`` only.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import ShapeError


def index_of(names: Sequence[str], wanted: str | int, what: str) -> int:
    """The place of a name or number among ``names``. Raises ``ShapeError``, which lists them."""
    if isinstance(wanted, str) and wanted in names:
        return list(names).index(wanted)
    if isinstance(wanted, int) and -len(names) <= wanted < len(names):
        return range(len(names))[wanted]
    raise ShapeError(f"trace: no {what} {wanted!r}; there are {', '.join(names)}")
