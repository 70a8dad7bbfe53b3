"""The side of a compiled function that hands its calls to machine code.

Special methods are looked up on the type, so a function that has builtins in the place of
``__call__`` or ``__get__`` has a class of its own. Layer: ``static``; a base of ``Compiled``.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from .places import OWN
from .variant import Variant

SPECIAL = ("__call__", "__get__")  # what such a class has


class Natively:
    """Counts calls, and lets machine code have those that it can."""

    __name__: str
    variants: list[Variant]
    unbound: Any = None  # of a method that an object holds: what it was bound from

    def __init__(self) -> None:
        self._counts = {"replayed": 0, "recorded": 0, "eager": 0, "called": 0}
        self._entries: list[Any] = []  # the native ones in use

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        raise NotImplementedError

    @property
    def counts(self) -> dict[str, int]:
        """How many calls were ``replayed``, ``recorded``, run as they are (``eager``), and made one
        equation of a derivative or a batch (``called``).
        """
        self._count()
        return self._counts

    def _count(self) -> None:
        """Add the calls that machine code has counted."""
        for entry in self._entries:
            self._counts["replayed"] += entry.counted()

    def _enter_natively(self, variant: Variant) -> None:
        """From now on calls go to machine code first."""
        variant.make_entry(self._in_python)
        self._install()
        if self.unbound is not None:
            self.unbound._bind_natively()

    def _install(self) -> None:
        """Let calls go to the native entries that there are, one after another, and what is for
        none of them to Python.
        """
        self._count()
        self._entries = [one.entry for one in self.variants if one.entry is not None]
        calls = [*(entry.call for entry in self._entries), self._in_python]
        for entry, after in zip(self._entries, calls[1:], strict=True):
            entry.fall_back_to(after)
        if self._entries:
            self._take_class(__call__=calls[0])
        elif "__call__" in self._of_its_own:
            self._take_class(__call__=self._plain.__call__)

    def _bind_natively(self) -> None:
        """Let machine code find the methods that objects hold."""
        if "__get__" not in self._of_its_own:
            from .llvm.table import getter

            found = types.MethodType(_get, self)
            self._take_class(__get__=getter(f"{OWN}{self.__name__}", found))

    # --- classes ---------------------------------------------------------------------------------

    @property
    def _of_its_own(self) -> dict[str, Any]:
        """The special methods of its own class; empty if it has none."""
        kind = type(self)
        if not kind.__dict__.get("_of_one"):
            return {}
        return {name: value for name, value in vars(kind).items() if name in SPECIAL}

    @property
    def _plain(self) -> type[Natively]:
        """The class that its own is made from."""
        kind = type(self)
        return kind.__mro__[1] if kind.__dict__.get("_of_one") else kind

    def _take_class(self, **methods: Any) -> None:
        plain, own = self._plain, {**self._of_its_own, **methods}
        own.update(__slots__=(), _of_one=True, __doc__=plain.__doc__, __module__=plain.__module__)
        self.__class__ = type(plain.__name__, (plain,), own)

    @property
    def _in_python(self) -> Callable[..., Any]:
        """A call in Python."""
        return types.MethodType(self._plain.__call__, self)


def _get(compiled: Natively, known: Any, instance: Any, owner: Any = None) -> Any:
    """``__get__`` in Python, for what a builtin has been called with."""
    return compiled._plain.__get__(compiled, instance, owner)
