"""How lists write numbers, arrays and equations: 0.693, −0.959, ``float64[3, 4]``, ``v1·v2``.

Layer: ``core`` only. Widths count combining marks as nothing, so that v̇ and v̄ align.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import describe
from ..core.program import Equation, formula

DOT, BAR = "\N{COMBINING DOT ABOVE}", "\N{COMBINING MACRON}"
MINUS = "−"
NAMES = {"log": "ln", "matmul": "@"}


def number(x: Any) -> str:
    """A number with three decimals, or three digits where those would not show it."""
    if isinstance(x, complex | np.complexfloating):
        sign = MINUS if np.signbit(x.imag) else "+"
        return f"{number(x.real)} {sign} {number(abs(x.imag))}i"
    if isinstance(x, bool | np.bool_ | int | np.integer):
        return str(x).replace("-", MINUS)
    size = abs(float(x))
    if size == 0 or 0.1 <= size < 1e6:
        text = f"{float(x):.3f}".rstrip("0").rstrip(".")
    else:
        text = f"{float(x):.3g}"
    return "0" if text == "-0" else text.replace("-", MINUS)


def factor(x: Any) -> str:
    """A number as a factor of a product: negative and complex ones in parentheses."""
    text = number(x)
    return f"({text})" if text.startswith(MINUS) or " " in text else text


def product(partial: Any, symbol: str) -> str:
    """``5·v̇1``; a factor of 1 is left out, of −1 its sign."""
    if partial == 1 or partial == -1:
        return symbol if partial == 1 else f"{MINUS}{symbol}"
    return f"{factor(partial)}·{symbol}"


def added(terms: Sequence[str]) -> str:
    """``v̇3 + 2·v̇4 − v̇5``: terms with their signs."""
    first, *rest = terms
    signed = [f" {MINUS} {t[1:]}" if t.startswith(MINUS) else f" + {t}" for t in rest]
    return first + "".join(signed)


def value_text(value: Any) -> str:
    """A value in a few words: a number, up to four numbers, or type and range."""
    if isinstance(value, tuple | list) or value is None:
        return describe(value)
    if np.ndim(value) == 0:
        return number(np.asarray(value).item())
    array = np.asarray(value)
    if is_short(array):
        return f"[{', '.join(number(x) for x in array.tolist())}]"
    return f"{describe(array)}{summary(array)}"


def is_short(value: Any) -> bool:
    """Whether a value is written out: a number, or a vector of up to four."""
    return np.ndim(value) == 0 or (np.ndim(value) == 1 and 0 < np.size(value) <= 4)


def summary(array: np.ndarray[Any, Any]) -> str:
    """The range of an array: least, mean and largest element; what is not finite is counted."""
    if not array.size:
        return ""
    if array.dtype.kind == "b":
        return f" {np.count_nonzero(array)} true"
    if array.dtype.kind == "c":
        return f" |·| to {number(np.max(np.abs(array)))}"
    finite = array[np.isfinite(array)]
    lost = array.size - finite.size
    note = f", {lost} not finite" if lost else ""
    if not finite.size:
        return note
    if finite.min() == finite.max():
        return f" all {number(finite.min())}{note}"
    mean = np.mean(finite, dtype=float)
    return f" {number(finite.min())} … {number(mean)} … {number(finite.max())}{note}"


def operation(eqn: Equation, names: Sequence[str]) -> str:
    """The right-hand side as a lecture writes it: ``ln v1``, ``v1·v2``, ``sum(v3; axis=0)``."""
    hidden = (None, False)
    params = {
        key: value[0] if isinstance(value, tuple) and len(value) == 1 and key == "axis" else value
        for key, value in eqn.params.items()
        if not _is_one_of(value, hidden)
    }
    if "ᵀ" in eqn.primitive.notation and params.get("axes") == (1, 0):
        del params["axes"]
    rules = params.get("rules")
    name = getattr(rules, "name", NAMES.get(eqn.primitive.name, eqn.primitive.name))
    if not eqn.primitive.notation and (rules is not None or not params):
        inside = ", ".join(names)
        return f"{name} {inside}" if len(names) == 1 else f"{name}({inside})"
    text = formula(Equation(eqn.primitive, eqn.inputs, eqn.outputs, params), names)
    return text.replace(" * ", "·").replace(" - ", f" {MINUS} ")


def _is_one_of(value: Any, wanted: tuple[Any, ...]) -> bool:
    return any(value is one for one in wanted)


def width(text: str) -> int:
    """The columns that ``text`` takes in a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(bool(unicodedata.combining(c)) for c in text)


def columns(rows: Sequence[Sequence[str]], gap: str = "  ", right: Sequence[int] = ()) -> list[str]:
    """``rows`` as lines with aligned columns, those of ``right`` to the right."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for i, (cell, wide) in enumerate(zip(row, widths, strict=True)):
            space = " " * (wide - width(cell))
            cells.append(space + cell if i in right else cell + space)
        lines.append(gap.join(cells).rstrip())
    return lines


def marked(name: str, mark: str) -> str:
    """``v3`` with a dot or a bar over its letter."""
    return name[0] + mark + name[1:]
