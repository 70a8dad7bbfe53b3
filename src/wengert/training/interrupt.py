"""Ctrl-C that waits for the end of a batch, so that what is saved is whole. Layer: ``training``."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C; its text says where, what was saved and how to go on."""


class DelayedInterrupt:
    """``with DelayedInterrupt() as stop:`` the first Ctrl-C sets ``stop.asked``, a second one
    raises ``KeyboardInterrupt`` at once. In other threads than the main one it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> DelayedInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
