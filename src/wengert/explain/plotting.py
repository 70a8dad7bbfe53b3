"""Pictures by matplotlib, which is imported when the first one is drawn.

Layer: ``core.errors`` only. No global state: no ``pyplot``, no window, no style left behind.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import DataError, UnsupportedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0b6e99", "#c8553d", "#4f772d", "#6a4c93", "#b08900", "#4a4e69")
INK, FAINT = "#22223b", "#c9cad9"


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of ``width`` by ``height`` inches.

    Raises ``UnsupportedError``, naming the extra to install, where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(
            "drawing needs matplotlib, which is not installed: pip install 'wengert[plot]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def save_figure(figure: "Figure", path: str | Path, dpi: int = 150) -> Path:
    """Write ``figure`` to ``path``, whose ending names the format; folders are made.

    Raises ``DataError`` where that can't be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=dpi)
    except (OSError, ValueError) as error:
        raise DataError(f"can't write the picture {target}: {error}") from error
    return target
