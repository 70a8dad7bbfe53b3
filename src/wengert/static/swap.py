"""Swapping: for the time of a recording, handles stand where arrays were.

Arrays of NumPy's are replaced in the places where the function finds them; an ``Array`` keeps its
identity and gets another content. Afterwards everything is put back, and what the function left
different is an *effect*: arrays written into, gradients accumulated, attributes bound to new
values. Layer: ``static``.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from functools import partial
from operator import is_not
from typing import Any

import numpy as np

from ..core.box import Box
from ..core.errors import describe
from ..core.program import Var
from ..differentiate.tape import Leaf, leaf
from ..ops.array import Array, View
from .places import MISSING, OWN, Element, Field, Item, Place
from .reach import Input, Reach
from .recorder import Capture, CaptureRoot, type_of
from .refusal import Refused, Unsettled


class Swap:
    """The swap of everything that ``reach`` found, for a recording by ``root`` and its capture."""

    def __init__(self, reach: Reach, root: CaptureRoot) -> None:
        self.reach, self.root = reach, root
        self.capture: Capture = root.capture
        self.handles: dict[int, Array] = {}  # by identity of the plain array
        self.numbers: dict[tuple[int, Any], Array] = {}  # by container and key
        self.variables: list[Var] = []
        self.contents: list[tuple[Any, Any, Any]] = []  # of Arrays: the object, its value, its node
        self.replaced: list[tuple[Place, Any, Any]] = []  # the place, what stood there, what stands
        self.rebound: list[Place] = []  # where handles stand as effects
        self.states = [(path, one, state_of(one)) for path, one in reach.generators]

    def enter(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put handles everywhere; the arguments to call the function with."""
        for one in self.reach.inputs:
            box = self.capture.input(one.value, one.path)
            self.variables.append(box._node)
            self._lift(one, box)
        for view, _ in self.reach.views:
            self.contents.append((view, view._value, view._node))
            view._owner, view._seen = self.root, -1  # it looks at its base again
        for namespace, name in self.reach.asking:
            namespace[name] = self._asked(name)
        for place, value in self.reach.places:
            if isinstance(place, Element) or value is MISSING:
                continue
            new = self._swapped(place.container, place.key, value)
            if new is not value:
                self.replaced.append((place, value, new))
                place.set(new)
        args = self.reach.args
        return tuple(self._swapped(args, i, a) for i, a in enumerate(args)), self.reach.kwargs

    def _asked(self, name: str) -> Any:
        """What ``isinstance`` and ``type`` are while recording: of a handle they tell the type that
        it has in the eager program.
        """
        root = self.root
        if name == "isinstance":
            return lambda value, kinds: (
                isinstance(value, kinds)
                if type(value) not in HANDLES
                else issubclass(type_of(value, root), kinds)
            )
        return lambda value, *more: type(value, *more) if more else type_of(value, root)

    def _lift(self, one: Input, box: Array) -> None:
        if one.kind == "number":
            label = id(one.place.container), one.place.key
            self.numbers[label] = box
        elif one.kind == "plain":
            self.handles[id(one.object)] = box
        else:
            array = one.object
            node = array._node
            self.contents.append((array, array._value, node))
            array._owner, array._value = self.root, box
            if node is not None:
                array._node = leaf(box)
                if type(node) is Leaf:
                    array._node.grad, array._node.hooks = node.grad, node.hooks
                else:
                    self.root.foreign.add(array._node)

    def _swapped(self, container: Any, key: Any, value: Any) -> Any:
        """What shall stand for ``value``: its handle, or a tuple with handles in it."""
        kind = type(value)
        if kind is np.ndarray:
            return self.handles.get(id(value), value)
        if self.numbers and (id(container), key) in self.numbers:
            return self.numbers[id(container), key]
        if kind is partial:
            args = self._swapped(value, "args", value.args)
            return value if args is value.args else partial(value.func, *args, **value.keywords)
        if not isinstance(value, tuple):
            return value
        parts = [self._swapped(value, i, part) for i, part in enumerate(value)]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        return tuple(parts) if kind is tuple else kind._make(parts)

    # --- afterwards ------------------------------------------------------------------------------

    def written(self) -> Iterator[tuple[Input, Any]]:
        """The inputs whose content has changed, and the content now."""
        for one, var in zip(self.reach.inputs, self.variables, strict=True):
            if one.kind == "number":
                continue
            inner = self.handles[id(one.object)] if one.kind == "plain" else one.object._value
            if not isinstance(inner, Box) or inner._node is not var:
                yield one, inner

    def gradients(self) -> Iterator[tuple[Input, Any]]:
        """The leaves whose gradient is another object now, and that object."""
        nodes = {id(array): node for array, _, node in self.contents}
        for one in self.reach.inputs:
            if one.kind == "array" and type(before := nodes[id(one.object)]) is Leaf:
                grad = one.object._node.grad
                if grad is not before.grad:
                    yield one, grad

    def changed(self) -> Iterator[tuple[Place, Any, Any]]:
        """Places with another content: the place, what stood there, what stands there now.

        Raises ``Unsettled`` for a container whose elements came or went.
        """
        stands = {id(place): new for place, _, new in self.replaced}
        for place, before in self.reach.places:
            if isinstance(place, Element) or (isinstance(place, Field) and place.key == "grad"):
                continue
            now, expected = place.get(), stands.get(id(place), before)
            if now is not expected and not same(now, expected):
                yield place, before, now
        visited = {(id(p.container), p.key) for p, _ in self.reach.places if isinstance(p, Item)}
        for path, container, before in self.reach.structures:
            if isinstance(container, dict):
                yield from self._entries(path, container, before, visited)
            elif len(container) != len(before) or (
                isinstance(container, set | deque) and any(map(is_not, container, before))
            ):
                raise Unsettled(f"it changes {path}, which has {len(container)} elements now")

    def _entries(
        self, path: str, container: dict[Any, Any], before: dict[Any, Any], visited: Any
    ) -> Iterator[tuple[Place, Any, Any]]:
        """New entries of a dict, and changed ones that were no places."""
        for key in before.keys() - container.keys():
            raise Unsettled(f"it deletes {path}[{key!r}]")
        scratch = self.reach.scratch.get(id(container), ())
        for key, now in container.items():
            own = isinstance(key, str) and key.startswith(OWN)
            if own or key in scratch or (id(container), key) in visited:
                continue
            old = before.get(key, MISSING)
            if now is not old and not same(now, old):
                yield Item(container, key, f"{path}.{key}", ""), old, now

    def leave(self) -> None:
        """Put everything back that the function has left as it was given; effects stay to be
        committed, and handles in places go.
        """
        for place in self.rebound:
            place.set(None)
        for place, before, new in self.replaced:
            if place.get() is new:
                place.set(before)
        self._contents_back()

    def forget(self) -> None:
        """Let go of the handles."""
        self.handles.clear()
        self.numbers.clear()
        self.replaced.clear()

    def _contents_back(self) -> None:
        """What is always put back: the contents of Arrays, and what asks for types."""
        for namespace, name in self.reach.asking:
            namespace.pop(name, None)
        from ..differentiate.dynamic import ROOT

        for array, value, node in self.contents:
            array._owner, array._value, array._node = ROOT, value, node
        for view, _ in self.reach.views:
            view._seen = -1

    def undo(self) -> None:
        """Put everything back, effects included: as if the function had not run."""
        for _, container, before in self.reach.structures:
            if isinstance(container, list):
                container[:] = before
            elif isinstance(container, deque):
                container.clear()
                container.extend(before)
            elif isinstance(container, dict):
                for key in (
                    container.keys()
                    - before.keys()
                    - set(self.reach.scratch.get(id(container), ()))
                ):
                    del container[key]
                container.update(before)
            else:
                container.clear()
                container.update(before)
        for place, before in self.reach.places:
            fixed = isinstance(place, Element) or before is MISSING
            if not fixed and place.get() is not before:
                place.set(before)
        self._contents_back()
        for _, generator, state in self.states:
            restore_state(generator, state)

    def drawn(self) -> None:
        """Raise ``Refused`` if a generator of NumPy's has moved on."""
        for path, generator, before in self.states:
            if not _alike(state_of(generator), before):
                raise Refused(
                    f"it draws random numbers from {path}, whose state a static graph can't carry; "
                    "use wengert.random.Generator"
                )


HANDLES = (Array, View)


def same(a: Any, b: Any) -> bool:
    """Whether two simple values are one."""
    return (
        type(a) is type(b)
        and isinstance(a, int | float | complex | str | bytes)
        and (a == b or a != a)
    )


def change(place: Place, before: Any, now: Any) -> str:
    """An effect in words."""
    old = "nothing" if before is MISSING else describe(before)
    return f"it changes {place.path}, from {old} to {describe(now)}"


def state_of(generator: Any) -> Any:
    """The state of one of NumPy's random generators."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return getattr(generator, "bit_generator", generator).state


def _alike(a: Any, b: Any) -> bool:
    """Whether two states, numbers and arrays in containers, are one."""
    if isinstance(a, dict):
        return all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return all(map(_alike, a, b))
    return np.array_equal(a, b)


def restore_state(generator: Any, state: Any) -> None:
    """Set the state of one of NumPy's random generators."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        getattr(generator, "bit_generator", generator).state = state
