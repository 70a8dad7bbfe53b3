"""The passes as text: the program before and after each, what is new marked, what is gone shown.

Layer: ``static``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from ..core.program import Program
from .naming import numbered_like
from .passes import Report, Step

WHOLE = 40  # lines of a program that is printed whole; of longer ones what changed
AROUND = 2  # unchanged lines beside what changed


class Passes(Sequence[Step]):
    """What the passes did to a program, step by step; printing shows the program before and after
    each.

    In the printed programs ``+`` stands before new lines, ``-`` before those that are gone, and a
    value has one number throughout.
    """

    def __init__(self, *reports: Report) -> None:
        self.reports = reports
        self.steps = tuple([step for report in reports for step in report.steps])
        for report in reports:
            for step in report.steps:
                numbered_like(step.program, report.before.names)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: Any) -> Any:
        return self.steps[index]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        for number, report in enumerate(self.reports, 1):
            if len(self.reports) > 1:
                yield f"segment {number}"
            yield from told(report)


def program_after(report: Report) -> Program:
    """The program after the last pass."""
    return report.steps[-1].program if report.steps else report.before


def told(report: Report) -> Iterator[str]:
    """The program as it was recorded, then each pass and what it made of it."""
    before = body(report.before)
    yield f"recorded: {equations(len(report.before.equations))}"
    yield from (f"    {line}" for line in before)
    for step in report.steps:
        rules = ", ".join(f"{rule} ({count})" for rule, count in step.done.items())
        yield f"{step.name}: {step.before} -> {equations(step.after)}; {rules}"
        after = body(step.program)
        yield from compared(before, after)
        before = after
    if not report.steps:
        yield "no pass changed it"


def equations(count: int) -> str:
    """``1 equation``, ``2 equations``."""
    return f"{count} equation{'' if count == 1 else 's'}"


def body(program: Program) -> list[str]:
    """The lines of a program below its name."""
    return [line[2:] for line in str(program).splitlines()[1:]]


def compared(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """The lines after a pass, with marks; of a long program those around a change."""
    context = len(before) + len(after) if max(len(before), len(after)) <= WHOLE else AROUND
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(blocks.get_grouped_opcodes(context)):
        if number or context == AROUND:
            yield "    …"
        for kind, i, j, k, m in group:
            if kind == "equal":
                yield from (f"    {line}" for line in after[k:m])
            else:
                yield from changed(before[i:j], after[k:m])


def changed(gone: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Marked lines: each that is gone, then the new one of the same value, then what is all new."""
    waiting = {line.partition(":")[0]: line for line in new}
    for line in gone:
        yield f"  - {line}"
        if (value := line.partition(":")[0]) in waiting:
            yield f"  + {waiting.pop(value)}"
    yield from (f"  + {line}" for line in waiting.values())
