"""Where in the user's program something happened: the nearest frame that is not wengert's or
NumPy's.

Layer: ``core``; the standard library and NumPy's path only.
"""

import sys
from functools import lru_cache
from pathlib import Path
from types import FrameType

import numpy as np

OURS = (str(Path(__file__).resolve().parents[1]), str(Path(np.__file__).parent))


@lru_cache(maxsize=4096)
def _is_ours(filename: str) -> bool:
    return filename.startswith(OURS)


def user_depth() -> int:
    """How many frames the user's is above the caller: the ``stacklevel`` of a warning."""
    frame: FrameType | None = sys._getframe(1)
    depth = 1
    while frame is not None and _is_ours(frame.f_code.co_filename):
        frame, depth = frame.f_back, depth + 1
    return depth


def user_line(depth: int = 1) -> str:
    """``file.py:12``, the line of the user's that is being run; empty where there is none.

    ``depth``: how many of the innermost frames to leave out.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
