"""What became of a compiled function: each recording with its cause, what the passes did to it, and
what runs eagerly and why. ``print(f.explain())``. Layer: ``static``.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..core.interpret import origin_of
from .cause import code_at, spoken
from .code import with_inner
from .passes_text import equations
from .recorded import PathGraph, graphs_of

if TYPE_CHECKING:
    from .capture import Compiled
    from .variant import Variant

PLACE = re.compile(r"\S+\.py:\d+")
CALLED = re.compile(r"it (?:calls|draws random numbers from) ([\w.]+)")
CHANGED = re.compile(r"it (?:changes|writes into|deletes) ([\w.]+)")


@dataclass(frozen=True)
class Recorded:
    """What was recorded for one signature: why, a graph for each path, and what it is called by."""

    cause: str
    records: bool
    graphs: tuple[PathGraph, ...]
    entry: str = ""  # who looks at the arguments, where the program is machine code


@dataclass(frozen=True)
class Explanation:
    """What became of a compiled function; printing it tells all.

    Attributes:
        origin: the function, with its line.
        counts: calls that were ``replayed``, ``recorded``, run as they are (``eager``), and made
            one equation of a derivative or a batch (``called``).
        reason: why the function runs eagerly, with the line; empty if it does not.
        variants: what was recorded, by signature, the one used last in front.
        history: the cause of every recording so far, those included that were given up.
        variables: Python's numbers that became variables when they changed.
        fixed: numbers that can't be variables: each value has its own recording.
        impure: whether it has effects, and so runs as it is under transformations.
    """

    origin: str
    counts: dict[str, int]
    reason: str
    variants: tuple[Recorded, ...]
    history: tuple[str, ...]
    variables: tuple[str, ...]
    fixed: tuple[str, ...]
    impure: bool

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        yield self.origin
        yield f"calls: {counted(self.counts)}"
        if self.reason:
            yield f"runs eagerly: {self.reason}"
        if self.impure:
            yield "runs as it is under grad, jvp and vmap: it has effects, or can't be recorded"
        if self.variables:
            yield f"variables, for they change: {', '.join(self.variables)}"
        if self.fixed:
            yield f"fixed, a recording for each value: {', '.join(self.fixed)}"
        standing = {variant.cause for variant in self.variants}
        if replaced := [told for told in self.history if told not in standing]:
            yield "recorded and given up again:"
            yield from (f"  {told}" for told in replaced)
        for number, variant in enumerate(self.variants, 1):
            yield ""
            yield from _variant_lines(number, variant)


def _variant_lines(number: int, variant: Recorded) -> Iterator[str]:
    under = "" if variant.records else ", under no_grad"
    graphs = variant.graphs
    waits = "recorded once, to be confirmed by another call"
    yield f"variant {number}: {graphs[0].signature if graphs else waits}{under}"
    yield f"  because {variant.cause}"
    seen: set[Any] = set()
    for count, graph in enumerate(graphs, 1):
        if len(graphs) > 1:
            yield f"  path {count} of {len(graphs)}"
        for place, segment in enumerate(graph.segments, 1):
            label = f"segment {place}: " if len(graph.segments) > 1 else ""
            yield f"    {label}{_size(segment, seen)}"
            if segment.node not in seen:
                seen.add(segment.node)
                yield from (f"      {step}" for step in segment.passes)
                yield from (f"      runs Python: {told}" for told in segment.python_calls)
                yield from (f"      {told}" for told in segment.machine)
            if segment.guard:
                yield f"      {segment.guard}"
    if variant.entry:
        yield f"    {variant.entry}"


def _size(segment: Any, seen: set[Any]) -> str:
    before, after = len(segment.original.equations), len(segment.runs.equations)
    if segment.node in seen:
        return f"{equations(after)}, as above"
    if not before:
        return "nothing to compute"
    waits = "" if segment.confirmed else "; recorded once, to be confirmed by another call"
    return f"{equations(before)} recorded, {after} after the passes{waits}"


def counted(counts: dict[str, int]) -> str:
    """``12 replayed, 3 recorded``."""
    words = {
        "replayed": "replayed",
        "recorded": "recorded",
        "eager": "run eagerly",
        "called": "under transformations",
    }
    told = [f"{counts[key]} {word}" for key, word in words.items() if counts[key]]
    return ", ".join(told) or "none yet"


def explain(compiled: Compiled) -> Explanation:
    """What became of ``compiled``."""
    function = compiled.function
    return Explanation(
        origin_of(function, "compile"),
        dict(compiled.counts),
        with_place(compiled.reason, function),
        tuple([_recorded(compiled, variant) for variant in compiled.variants]),
        tuple(compiled.history),
        tuple(sorted(spoken(path, function) for path in compiled.dynamic - compiled.fixed)),
        tuple(sorted(spoken(path, function) for path in compiled.fixed)),
        compiled.impure,
    )


def _recorded(compiled: Compiled, variant: Variant) -> Recorded:
    entry = (
        "a call is machine code, from its arguments to its effects"
        if variant.entry is not None
        else ""
    )
    if variant.in_python:
        entry = f"Python looks at the arguments: {variant.in_python}"
    graphs = tuple(graphs_of(compiled, variant))
    return Recorded(variant.cause, variant.records, graphs, entry)


# --- where it falls back --------------------------------------------------------------------------


def with_place(reason: str, function: Any) -> str:
    """A reason with the line of the user's program, where it has none and the code shows it."""
    reason = spoken(reason, function)
    places = PLACE.findall(reason)
    if places:
        for place in places:
            reason = reason.replace(place, code_at(place), 1)
        return reason
    target = getattr(function, "__func__", function)
    code = getattr(target, "__code__", getattr(type(target).__call__, "__code__", None))
    line = "" if code is None or not reason else _line_of(reason, code)
    return f"{reason} ({code_at(line)})" if line else reason


def _line_of(reason: str, code: CodeType) -> str:
    """The line that calls, or changes, what the reason names."""
    called, changed = CALLED.search(reason), CHANGED.search(reason)
    found = called or changed
    if found is None:
        return ""
    wanted = found[1].rpartition(".")[2]
    lines: dict[bool, str] = {}  # the first that stores it, the first that loads it
    for part in with_inner(code):
        for instruction in dis.get_instructions(part):
            stores = instruction.opname.startswith(("STORE", "DELETE"))
            line = instruction.positions.lineno if instruction.positions else None
            if instruction.argval == wanted and line:
                lines.setdefault(stores, f"{part.co_filename}:{line}")
    return lines.get(not called, lines.get(False, ""))
