"""``wengert.numpy.linalg``: the functions of ``np.linalg`` that handles have."""

from typing import Any

import numpy as np

from .namespace import look_up, supported


def __getattr__(name: str) -> Any:
    return look_up(name, np.linalg, "wengert.numpy.linalg")


def __dir__() -> list[str]:
    return sorted(supported(np.linalg))
