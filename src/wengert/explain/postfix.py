"""A typed formula as steps in postfix order, and what is wrong with it if it is none.

Python's ``ast`` reads the text, after a look at its characters; only known nodes are kept. Numbers
are folded in floating point. Layer: ``core.errors`` and ``explain.formulas``.
"""

import ast
import difflib
import keyword
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import WengertError
from .formulas import CONSTANTS, FUNCTIONS

MAX_LENGTH = 2000  # characters; the parser's own limits on nesting lie beyond
EXACT = 2**53  # integers up to here are floating-point numbers, too
WINDOW = 76  # columns of a long expression that an error shows

TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>\*\*|//|[-+*/^(),])|(?P<space>\s+)",
    re.ASCII,
)
OPERATORS: dict[type[ast.AST], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Pow: ("**", operator.pow),
    ast.USub: ("-", operator.neg),
    ast.UAdd: ("+", operator.pos),
}
WRITE = {  # what people type or paste, and what to write
    "−": "-",
    "–": "-",
    "×": "*",
    "·": "*",
    "⋅": "*",
    "÷": "/",
    ":": "/",
    "√": "sqrt(…)",
    "²": "**2",
    "³": "**3",
    "π": "pi",
    "[": "(",
    "]": ")",
    "{": "(",
    "}": ")",
    "|": "abs(…)",
    "!": "exp(gammaln(n + 1))",
    "@": "dot(x, y)",
}


class ExpressionError(WengertError, ValueError):
    """A formula or an assignment that can't be read: what is wrong, and where.

    ``text`` is the formula and ``column`` the place in it, from 0, or None.
    """

    def __init__(self, message: str, text: str, column: int | None = None) -> None:
        self.text, self.column = text, column
        super().__init__(message if column is None else f"{message}\n{_caret(text, column)}")


@dataclass(frozen=True)
class Step:
    """One step of a formula in postfix order: push a number, push a variable, or apply."""

    column: int
    number: float | int | None = None
    variable: str | None = None
    apply: Callable[..., Any] | None = None
    count: int = 0


def steps_of(text: str, variables: Sequence[str] | None) -> list[Step]:
    """The steps of ``text`` in postfix order, every part that holds no variable folded."""
    column, root = _read(text)
    order, waiting = [], [root]
    while waiting:  # no recursion: a sum of 900 terms is 900 deep
        node = waiting.pop()
        order.append(node)
        waiting += _children(text, node, column)
    _check_names(text, order, variables, column)
    done: list[list[Step]] = []
    for node in reversed(order):
        count = len(_children(text, node, column))
        parts = done[len(done) - count :]
        del done[len(done) - count :]
        done.append(_fragment(text, node, parts, column))
    return done.pop()


def _read(text: str) -> tuple[int, ast.expr]:
    """The tree of ``text`` and the number of characters before what Python parsed."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text)} characters; at most {MAX_LENGTH} are read", text
        )
    _check_tokens(text)
    flat = re.sub(r"\s", " ", text)
    start = len(flat) - len(flat.lstrip())
    if start == len(flat):
        raise ExpressionError("the expression is empty", text)
    try:
        return start, ast.parse(flat[start:], mode="eval").body
    except SyntaxError as error:
        message, column = _explained(error, len(flat[start:].rstrip()))
        raise ExpressionError(message, text, start + column) from None
    except (RecursionError, MemoryError):
        raise ExpressionError("the expression is nested too deeply", text) from None


def _check_tokens(text: str) -> None:
    """Raise at the first character, word, or pair of neighbours that no formula has."""
    position, end, last, word = 0, 0, "", ""
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(_unknown_character(text, position), text, position)
        kind, token, position = str(match.lastgroup), match.group(), match.end()
        if kind == "space":
            continue
        start = match.start()
        if token == "//":
            raise ExpressionError("whole-number division has no derivative: write /", text, start)
        if token == "^":
            raise ExpressionError("powers are written with **: x**2, not x^2", text, start)
        if keyword.iskeyword(token):
            raise ExpressionError(f"{token!r} has no place in an expression", text, start)
        if kind == "number" and re.match(r"0\d", token):
            raise ExpressionError("a number does not begin with 0: 7, not 007", text, start)
        first = kind in ("number", "name") or (token == "(" and last != "name")
        if first and (last in ("number", "name") or word == ")"):
            raise ExpressionError(_missing_operator(last, word, kind, end == start), text, start)
        end, last, word = position, kind, token
    if word and word in "**/+-(,":
        raise ExpressionError("the expression ends too early", text, end)


def _missing_operator(last: str, word: str, kind: str, touching: bool) -> str:
    """What to say about a token of ``kind`` right after ``word``, a token of kind ``last``."""
    if word in FUNCTIONS:
        return f"a function needs parentheses: {word}(x)"
    if last == kind == "number" and touching:
        return "this is not a number: it has two decimal points"
    return "an operator is missing here: a product is written 2*x"


def _unknown_character(text: str, position: int) -> str:
    """What to say about the character at ``position``."""
    character = text[position]
    if character == "=":
        return "an expression has no '='; values come after it: \"x1*x2\" x1=2 x2=5"
    if character in "<>":
        return f"{character!r} compares; an expression is arithmetic and functions only"
    if character == "." and position and (text[position - 1].isalnum()):
        return "functions are written without a module: sin(x), not np.sin(x)"
    hint = f"; write {WRITE[character]}" if character in WRITE else ""
    return f"{character!r} has no place in an expression{hint}"


def _explained(error: SyntaxError, length: int) -> tuple[str, int]:
    """Python's syntax error in words for a formula, and its column from 0."""
    column = min(max((error.offset or 1) - 1, 0), length)
    message = str(error.msg)
    return "this does not fit here" if message.startswith("invalid syntax") else message, column


def _children(text: str, node: ast.expr, start: int) -> list[ast.expr]:
    """The operands of ``node``; ``ExpressionError`` if it is not arithmetic."""
    match node:
        case ast.BinOp() if type(node.op) in OPERATORS:
            return [node.left, node.right]
        case ast.UnaryOp() if type(node.op) in OPERATORS:
            return [node.operand]
        case ast.Call(func=ast.Name()) if not node.keywords:
            return list(node.args)
        case ast.Name() | ast.Constant():
            return []
        case ast.Tuple():
            message = "one expression is expected, not several with commas"
        case ast.Call():
            message = "only a function can be called: a product needs its sign, 2*(x + 1)"
        case _:
            message = "an expression is arithmetic and functions only"
    raise ExpressionError(message, text, start + node.col_offset)


def _check_names(
    text: str, order: list[ast.expr], variables: Sequence[str] | None, start: int
) -> None:
    """Raise for names that are not known, listing all of them, each with those like it."""
    called = {id(node.func) for node in order if isinstance(node, ast.Call)}
    messages: dict[str, int] = {}
    for node in sorted(order, key=lambda node: node.col_offset):
        message = ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            message = _about_function(node.func.id, len(node.args), variables)
        elif isinstance(node, ast.Name) and id(node) not in called:
            message = _about_variable(node.id, variables)
        if message:
            messages.setdefault(message, start + node.col_offset)
    if messages:
        shown = [*messages][:5] + ["…"] * (len(messages) > 5)
        raise ExpressionError("; ".join(shown), text, min(messages.values()))


def _about_function(name: str, count: int, variables: Sequence[str] | None) -> str:
    """What is wrong with a call of ``name`` with ``count`` arguments; "" if nothing."""
    if name in FUNCTIONS:
        wanted = FUNCTIONS[name].count
        plural = "argument" if wanted == 1 else "arguments"
        return "" if count == wanted else f"{name} takes {wanted} {plural}, got {count}"
    if name in CONSTANTS or (variables is not None and name in variables):
        return f"{name!r} is a number, not a function: a product needs its sign, {name}*(…)"
    return f"unknown function {name!r}{_like(name, FUNCTIONS)}"


def _about_variable(name: str, variables: Sequence[str] | None) -> str:
    """What is wrong with the variable ``name``; "" if nothing."""
    if name in FUNCTIONS:
        count = FUNCTIONS[name].count
        return f"{name!r} is a function: write {name}({'x' if count == 1 else 'x, y'})"
    if variables is None or name in variables or name in CONSTANTS:
        return ""
    return f"no value for {name!r}: add {name}=…{_like(name, [*variables, *CONSTANTS])}"


def _like(name: str, known: Iterable[str]) -> str:
    """A hint at the names of ``known`` that resemble ``name``."""
    close = difflib.get_close_matches(name, list(known), n=3)
    return f" (did you mean {', '.join(close)}?)" if close else ""


def _fragment(text: str, node: ast.expr, parts: list[list[Step]], start: int) -> list[Step]:
    """The steps of ``node`` from those of its operands."""
    column = start + node.col_offset
    if isinstance(node, ast.Constant):
        return [Step(column, number=_number(text, node, column))]
    if isinstance(node, ast.Name):
        if node.id in CONSTANTS:
            return [Step(column, number=CONSTANTS[node.id])]
        return [Step(column, variable=node.id)]
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        apply = FUNCTIONS[node.func.id].apply
    else:
        assert isinstance(node, ast.BinOp | ast.UnaryOp)
        symbol, apply = OPERATORS[type(node.op)]
        if isinstance(node, ast.BinOp):
            column = text.index(symbol, start + (node.left.end_col_offset or 0))
    numbers = [part[0].number for part in parts]
    if all(len(part) == 1 for part in parts) and None not in numbers:
        return [Step(column, number=_folded(text, node, apply, numbers, column))]
    before = [step for part in parts for step in part]
    return [*before, Step(column, apply=apply, count=len(parts))]


def _number(text: str, node: ast.Constant, column: int) -> float | int:
    """The number of ``node``: an int where that is exact, so that x**2 is a square."""
    value = node.value
    assert isinstance(value, int | float)
    try:
        number = value if isinstance(value, int) and value <= EXACT else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError("this number is too large", text, column)
    return number


def _folded(
    text: str, node: ast.expr, apply: Callable[..., Any], numbers: Sequence[Any], column: int
) -> float | int:
    """``apply`` of numbers, in floating point: it takes no time, whatever they are."""
    with np.errstate(all="ignore"):
        value = float(apply(*map(np.float64, numbers)))
    if not math.isfinite(value):
        shown = [f"{number:.15g}" for number in numbers]
        if isinstance(node, ast.BinOp):
            call = f" {OPERATORS[type(node.op)][0]} ".join(shown)
        else:
            call = f"{text[column:].partition('(')[0].strip()}({', '.join(shown)})"
        large = math.isinf(value) and isinstance(node, ast.BinOp) and 0 not in numbers
        reason = "is too large" if large else "is not a finite real number"
        raise ExpressionError(f"{call} {reason}", text, column)
    exact = all(isinstance(number, int) for number in numbers) and value.is_integer()
    return int(value) if exact and abs(value) <= EXACT else value


def _caret(text: str, column: int) -> str:
    """``text`` on one line, or the part of it around ``column``, and a caret below the column."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    first = max(0, column - WINDOW // 2) if len(shown) > WINDOW else 0
    before = "…" if first else ""
    after = "…" if first + WINDOW < len(shown) else ""
    line = before + shown[first : first + WINDOW] + after
    return f"  {line}\n  {' ' * (column - first + len(before))}^"


def check_name(name: str, text: str, column: int) -> None:
    """Raise unless ``name`` can be a variable."""
    if not name:
        raise ExpressionError("a name is missing before '='", text, column)
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ExpressionError(
            f"{name!r} is not a name: a letter, then letters, digits and _", text, column
        )
    if name in FUNCTIONS or name in CONSTANTS or keyword.iskeyword(name):
        kind = (
            "a function" if name in FUNCTIONS else "a constant" if name in CONSTANTS else "reserved"
        )
        raise ExpressionError(f"{name!r} is {kind}: choose another name", text, column)
