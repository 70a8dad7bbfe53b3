"""The lists that a trace prints: a line for each value, aligned, and readable by program too.

Layer: ``explain.notation`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from .notation import added, columns, is_short, value_text

T = TypeVar("T")
FEW = 8  # contributions written out
MOST = 200  # lines printed; of more, the first and the last


@dataclass(frozen=True)
class Term:
    """One contribution to an adjoint.

    Attributes:
        child: the value that it comes from.
        value: what it adds.
        partial: ∂child/∂v where both are numbers, else None.
        summed: the axes along which v was broadcast into ``child``, so that its adjoint is summed.
    """

    child: str
    value: Any
    partial: Any = None
    summed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of a list.

    Attributes:
        name: ``v3``.
        symbol: what the list shows: ``v3``, or v3 with a dot or a bar.
        text: how it is computed.
        value: the number or array; None where there is no derivative.
        level: the longest path from the inputs, which are on level 0.
        terms: of an adjoint, its contributions in the order in which the sweep added them.
        source: ``file.py:12``, the line of the program, or empty.
    """

    name: str
    symbol: str
    text: str
    value: Any
    level: int
    terms: tuple[Term, ...] = ()
    source: str = ""

    @property
    def accumulation(self) -> str:
        """``5 + 0.5`` where several contributions were added, else empty."""
        if len(self.terms) < 2:
            return ""
        if len(self.terms) > FEW or not all(is_short(term.value) for term in self.terms):
            return f"{len(self.terms)} contributions"
        texts = [value_text(term.value) for term in self.terms]
        complex_ones = any(np.iscomplexobj(term.value) for term in self.terms)
        return added([f"({text})" for text in texts] if complex_ones else texts)


class Listing(Sequence[Line]):
    """A printed list: ``listing["v3"]`` is a value, ``listing[2]`` a line, ``print`` shows all."""

    def __init__(self, title: str, lines: Sequence[Line], footer: str = "") -> None:
        self.title, self.lines, self.footer = title, tuple(lines), footer

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            for line in self.lines:
                if line.name == key:
                    return line.value
            raise KeyError(key)
        return self.lines[key]

    @property
    def values(self) -> list[Any]:
        """The values in the order of the lines."""
        return [line.value for line in self.lines]

    def __str__(self) -> str:
        rows = [(line.symbol, *self._cells(line)) for line in shortened(self.lines)]
        used = [i for i in range(4) if any(row[i] for row in rows)]
        body = columns([[row[i] for i in used] for row in rows]) if rows else []
        body = with_gap(body, len(self.lines))
        return "\n".join([self.title, *("  " + line for line in body)]) + (
            f"\n{self.footer}" if self.footer else ""
        )

    def _cells(self, line: Line) -> tuple[str, str, str]:
        if line.value is None:
            return f"= {line.text}" if line.text else "", "", "no derivative"
        text = f"= {line.text}" if line.text else ""
        sum_text = f"= {line.accumulation}" if line.accumulation else ""
        value = value_text(line.value)
        return text, sum_text, f"= {value}" if value != line.text else ""

    def __repr__(self) -> str:
        return str(self)


def shortened(lines: Sequence[T]) -> Sequence[T]:
    """The lines that are printed."""
    return lines if len(lines) <= MOST else [*lines[: MOST // 2], *lines[-(MOST // 2) :]]


def with_gap(body: list[str], total: int) -> list[str]:
    """Printed lines with a word on what is left out in the middle."""
    if total <= MOST:
        return body
    half = MOST // 2
    return [*body[:half], f"… {total - MOST} more lines …", *body[half:]]
