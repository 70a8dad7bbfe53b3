"""Machine code from the first call that can have it, for tests: else NumPy runs short tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from wengert.static import native


@contextmanager
def machine_code_at_once() -> Iterator[None]:
    """Compile as if that cost nothing and saved much."""
    with mock.patch.object(native, "SHARE", 0.0), mock.patch.object(native, "COMPILING", (1e-9, 0)):
        yield
