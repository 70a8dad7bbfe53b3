"""What the figures were taken on: processor, versions, thread counts."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

try:
    import threadpoolctl
except ModuleNotFoundError:  # thread counts of BLAS then stay as they are, and unknown
    threadpoolctl = None

LIBRARIES = ("wengert", "numpy", "scipy", "torch", "jax", "autograd", "mygrad")
MESSAGE_LENGTH = 160


def limit_threads(count: int) -> None:
    """Give every thread pool that is loaded (BLAS, OpenMP, PyTorch's) `count` threads."""
    if threadpoolctl is not None:
        threadpoolctl.threadpool_limits(limits=count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def describe() -> dict[str, Any]:
    """Return processor, system and Python."""
    return {
        "processor": _processor(),
        "logical_cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def load() -> float | None:
    """Return how many programs wanted a processor over the last minute, where it is known."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def pools() -> list[dict[str, Any]] | None:
    """Return the thread pools that are loaded now, None where threadpoolctl is missing."""
    if threadpoolctl is None:
        return None
    keys = ("user_api", "internal_api", "version", "architecture", "num_threads")
    return [{key: pool.get(key) for key in keys} for pool in threadpoolctl.threadpool_info()]


def versions() -> dict[str, str | None]:
    """Return the version of every library measured, None where it is not installed."""
    return {name: _version(name) for name in LIBRARIES}


def installed(name: str) -> bool:
    """Return whether `import name` finds a package, not merely a folder of that name."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def brief(error: BaseException) -> str:
    """Return an error's type and first line, without the folders of this machine."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    text = re.sub(r"(/[\w.+-]+){2,}/", "", text)
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 3] + "..."


def _version(name: str) -> str | None:
    if not installed(name):
        return None
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    """Return the processor's name as the system gives it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", listing.read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()
