"""Places: where a value stands among what a function reaches, to be read, replaced and put back.

While a static graph is recorded, arrays are replaced by handles in the places where the function
will find them, and afterwards each place is compared with what stood there before. Layer:
``static``; nothing of wengert's but the error.
"""

from __future__ import annotations

from types import CellType
from typing import Any, NamedTuple

MISSING = object()
OWN = "__wengert_compiled_"  # attributes of the user's objects that are ours


class Step(NamedTuple):
    """How content is got from a container ``of`` a type: ``kind`` is ``item``, ``attribute``,
    ``class`` (of a class's dict) or ``cell``.
    """

    kind: str
    key: Any
    of: type


class Place:
    """One place: ``container`` holds its content under ``key``. ``path``: how a program writes it;
    ``code``: the container as the checker calls it.
    """

    __slots__ = ("code", "container", "key", "path")
    way = "item"  # the kind of its step

    def __init__(self, container: Any, key: Any, path: str, code: str) -> None:
        self.container, self.key, self.path, self.code = container, key, path, code

    def get(self) -> Any:
        """The content; ``MISSING`` where there is none."""
        raise NotImplementedError

    def set(self, value: Any) -> None:
        """Replace the content."""
        raise NotImplementedError

    @property
    def read(self) -> str:
        """The content as the checker writes it."""
        raise NotImplementedError

    @property
    def step(self) -> Step:
        """How the content is got."""
        return Step(self.way, self.key, type(self.container))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"


class Item(Place):
    """An element of a list or dict; attributes and globals are those of their dicts."""

    __slots__ = ()

    def get(self) -> Any:
        try:
            return self.container[self.key]
        except (KeyError, IndexError):
            return MISSING

    def set(self, value: Any) -> None:
        self.container[self.key] = value

    @property
    def read(self) -> str:
        return f"{self.code}[{self.key!r}]"


class Field(Place):
    """An attribute of an object without a dict, or of a class."""

    __slots__ = ()
    way = "attribute"

    def get(self) -> Any:
        return getattr(self.container, self.key, MISSING)

    def set(self, value: Any) -> None:
        setattr(self.container, self.key, value)

    @property
    def read(self) -> str:
        return f"{self.code}.{self.key}"


class ClassField(Field):
    """A class's own attribute, as its dict has it."""

    __slots__ = ()
    way = "class"

    def get(self) -> Any:
        return vars(self.container).get(self.key, MISSING)

    @property
    def read(self) -> str:
        return f"{self.code}.__dict__[{self.key!r}]"


class Cell(Place):
    """What a closure holds."""

    __slots__ = ()
    way = "cell"
    container: CellType

    def get(self) -> Any:
        try:
            return self.container.cell_contents
        except ValueError:  # not assigned yet
            return MISSING

    def set(self, value: Any) -> None:
        self.container.cell_contents = value

    @property
    def read(self) -> str:
        return f"{self.code}.cell_contents"


class Element(Place):
    """An element of something that can't be changed: a tuple, the arguments of the call."""

    __slots__ = ()

    def get(self) -> Any:
        return self.container[self.key]

    @property
    def read(self) -> str:
        return f"{self.code}[{self.key!r}]"
