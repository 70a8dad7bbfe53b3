"""Declared state: arrays outside of a function that it may write into wherever it runs, such as
the state of a random generator.

A transformation that runs a function several times as if it were once (a Jacobian in blocks of
directions, ``checkpoint`` on the way back) must find that state as it was in the run that gave the
value, or it would differentiate another function. ``Repeatable`` is such a function; who writes
into declared state says so with ``note_write``. Layer: ``core``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from . import interpret
from .box import Box
from .errors import UnsupportedError
from .interpret import Interpreter

# what a run found: the value and node of each handle of declared state before its first write
Found = dict[Box, tuple[Any, Any]]

_running: ContextVar[tuple[Found, ...]] = ContextVar("wengert runs", default=())
_extra: ContextVar[frozenset[Interpreter]] = ContextVar("wengert extra", default=frozenset())
_refusal: ContextVar[str] = ContextVar("wengert refusal", default="")


def enclosing(interpreter: Interpreter | None) -> Iterator[Interpreter]:
    """``interpreter`` and all below it."""
    while interpreter is not None:
        yield interpreter
        interpreter = interpreter.parent


def note_write(box: Box) -> None:
    """Say that the handle of declared state ``box`` is about to be written into."""
    if why := _refusal.get():
        raise UnsupportedError(why)
    for found in _running.get():
        found.setdefault(box, (box._value, box._node))


def is_of_a_rerun(interpreter: Interpreter) -> bool:
    """Whether ``interpreter`` is there only because a function runs again, such as the ``vmap``
    over the directions of a Jacobian: nothing that the first run knew of.
    """
    return interpreter in _extra.get()


class Repeatable:
    """``function``, with ``again`` to repeat a call of it.

    ``found``: what the latest call found. ``like``: share it with that one, whose ``function`` does
    the same for one example.
    """

    __slots__ = ("_log", "function")

    def __init__(self, function: Callable[..., Any], like: Repeatable | None = None) -> None:
        self.function = function
        self._log: _Log = _Log() if like is None else like._log

    @property
    def found(self) -> Found:
        """What the latest call found."""
        return self._log.found

    def __call__(self, *args: Any) -> Any:
        found: Found = {}
        token = _running.set((*_running.get(), found))
        try:
            return self.function(*args)
        finally:
            self._log.found = found
            _running.reset(token)

    def again(self, *args: Any, found: Found | None = None) -> Any:
        """Run with declared state as the call that ``found`` it did (left out: the latest call);
        leave it as it is now.
        """
        with self._log.restored(self.found if found is None else found):
            return self.function(*args)


class _Log:
    """What the latest run found, and the interpreters around the one who will run it."""

    __slots__ = ("around", "found")

    def __init__(self) -> None:
        self.around = frozenset(enclosing(interpret.current.get()))
        self.found: Found = {}

    @contextmanager
    def restored(self, found: Found) -> Iterator[None]:
        """Declared state has the content ``found``, and afterwards what it has now."""
        now = {box: (box._value, box._node) for box in found}
        extra = frozenset(enclosing(interpret.current.get())) - self.around
        token = _extra.set(_extra.get() | extra)
        try:
            _put(found)
            yield
        finally:
            _extra.reset(token)
            _put(now)


def _put(contents: Found) -> None:
    for box, content in contents.items():
        box._value, box._node = content
        box._version = getattr(box, "_version", 0) + 1


@contextmanager
def refused(why: str) -> Iterator[None]:
    """A write into declared state raises ``UnsupportedError(why)``: where code runs once more and
    could not find the state as it was.
    """
    token = _refusal.set(why)
    try:
        yield
    finally:
        _refusal.reset(token)
