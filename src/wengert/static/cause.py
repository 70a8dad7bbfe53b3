"""Why a call was recorded: what it reaches that no earlier call reached, in the user's words.

``marks`` notes for every place what stands there, as cheaply as it can be, for that is a part of
every recording; ``cause`` finds the first place that differs from the recording that is most alike.
Layer: ``static``.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ..core.box import Box
from ..core.names import parameter_names
from ..core.source import OURS, user_line
from .places import MISSING
from .reach import NUMBERS, SIMPLE, Reach

VALUES = (*SIMPLE, *NUMBERS, np.generic)
CONTAINERS = (tuple, list, dict, set, frozenset)
WIDEST = 72  # characters of a line of the user's
ARGUMENT = re.compile(r"\bargument (\d+)")


class Mark(NamedTuple):
    """What stands at a place.

    Attributes:
        path: the place.
        detail: what was noted, as cheaply as possible; ``text`` says it.
        identity: who it is, where that counts.
        same: the place where the same object was found before.
    """

    path: str
    detail: tuple[Any, ...]
    identity: int = 0
    same: str = ""

    @property
    def text(self) -> str:
        """What stands there, in words."""
        kind, *rest = self.detail
        if kind in ("array", "Array"):
            dtype, shape, more = rest
            told = f"{np.dtype(dtype)}[{', '.join(map(str, shape))}]"
            if kind == "Array":
                return f"Array {told}" + (" with a graph" if more else "")
            return told + (f" with strides {more}" if more else "")
        if kind == "value":
            return "nothing" if rest[0] is MISSING else f"{rest[0]!r:.60}"
        if kind == "variable":
            return str(rest[0].__name__)
        return f"a {rest[0].__name__}" + (f" of {rest[1]}" if rest[1] is not None else "")


def marks(reach: Reach) -> list[Mark]:
    """A mark for each place that a call reaches."""
    variables = {one.path for one in reach.inputs if one.kind == "number"}
    seen: dict[int, str] = {}
    found = []
    for place, value in reach.places:
        path = place.path
        if isinstance(value, VALUES) or value is MISSING:
            variable = path in variables
            found.append(
                Mark(path, ("variable", type(value)) if variable else ("value", value, type(value)))
            )
            continue
        same = seen.setdefault(id(value), path)
        same = "" if same is path else same
        if isinstance(value, np.ndarray):
            strides = None if value.flags.c_contiguous else value.strides
            found.append(Mark(path, ("array", value.dtype, value.shape, strides), 0, same))
        elif isinstance(value, Box):
            detail = "Array", value.dtype, value.shape, value._node is not None
            found.append(Mark(path, detail, 0, same))
        elif isinstance(value, CONTAINERS):
            found.append(Mark(path, ("object", type(value), len(value)), 0, same))
        else:
            found.append(Mark(path, ("object", type(value), None), id(value), same))
    return found


def cause(known: Iterable[Sequence[Mark]], new: Sequence[Mark], function: Any) -> str:
    """In what a call differs from the most similar of the ``known`` ones."""
    candidates = [differences(old, new) for old in known]
    if not candidates:
        return "the first call"
    told = min(candidates, key=len)
    if not told:
        return "it runs under no_grad or no more, or its arrays share memory in another way"
    more = f", and {len(told) - 1} more" if len(told) > 1 else ""
    return spoken(told[0], function) + more


def differences(old: Sequence[Mark], new: Sequence[Mark]) -> list[str]:
    """What is different, place by place."""
    before = {mark.path: mark for mark in old}
    told = []
    for mark in new:
        was = before.pop(mark.path, None)
        if was is None:
            told.append(f"{mark.path} is new: {mark.text}")
        elif was.detail != mark.detail and was.text != mark.text:
            told.append(f"{mark.path} is {mark.text} and was {was.text}")
        elif was.identity != mark.identity:
            told.append(f"{mark.path} is another object, {mark.text}")
        elif was.same != mark.same:
            other = mark.same or was.same
            told.append(f"{mark.path} {'is' if mark.same else 'was'} the same object as {other}")
    return told + [f"{path} is gone" for path in before]


def spoken(text: str, function: Callable[..., Any]) -> str:
    """``text`` with the parameter's name for ``argument 0``, the keyword for ``argument key``."""

    def named(found: re.Match[str]) -> str:
        place = int(found[1])
        return parameter_names(function, place + 1)[place]

    return ARGUMENT.sub(named, text).removeprefix("argument ")


# --- lines of the user's program ------------------------------------------------------------------


def short(line: str) -> str:
    """``train.py:12`` for a line with its folder."""
    return Path(line).name


def code_at(line: str) -> str:
    """``train.py:12: `if loss > best:```, as far as the text can be had."""
    file, _, number = line.rpartition(":")
    text = linecache.getline(file, int(number)).strip() if number.isdigit() else ""
    text = text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
    return f"{short(line)}: `{text}`" if text else short(line)


def called_at(why: str) -> str:
    """A cause with the line of the user's that calls now."""
    line = user_line(2)
    return f"{why} ({code_at(line)})" if line else why


def raised_at(trace: TracebackType | None) -> str:
    """The innermost line of the user's in a traceback, or nothing."""
    found = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(OURS):
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
