"""Formulas typed by a person: ``ln(x1) + x1*x2 - sin(x2)`` with ``x1=2 x2=5``, as a function.

For the command line: arithmetic and the functions of ``FUNCTIONS``, nothing else. Python's ``ast``
reads the text and only known nodes are kept, as a list of steps that call NumPy's and SciPy's
ufuncs; no code of the text is ever evaluated. Numbers are folded in floating point, so that
``9**9**9`` is an error and not an hour. A mistake is shown with a caret below its column.

Layer: ``core.errors``, ``explain.formulas`` and ``explain.postfix``; the function that comes out is
plain NumPy, and any mode differentiates it.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import WengertError
from .formulas import CONSTANTS, FUNCTIONS
from .postfix import ExpressionError, Step, check_name, steps_of

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "Expression",
    "ExpressionError",
    "parse",
    "parse_assignments",
]


@dataclass(frozen=True)
class Expression:
    """A formula as a function.

    Attributes:
        text: the formula.
        variables: the names of its variables, in the order of ``function``'s arguments.
        function: takes a real number, an array or a traced value for each variable; calls NumPy's
            ufuncs on them, and SciPy's for ``sigmoid``, ``erf`` and the like.
    """

    text: str
    variables: tuple[str, ...]
    function: Callable[..., Any]


def parse(text: str, variables: Sequence[str] | None = None) -> Expression:
    """Read a formula.

    Args:
        text: the formula: numbers, names, ``+ - * / **``, parentheses, functions of ``FUNCTIONS``,
            ``pi`` and ``e``. At most 2000 characters.
        variables: the names that have a value, in the order that the function is to take them; None
            for those of the formula in order of appearance.

    Returns:
        The ``Expression``.

    Raises:
        ExpressionError: anything else, pointing at it; a name without a value; a value without use.

    Example:
        >>> from wengert.explain.expression import parse
        >>> y = parse("ln(x1) + x1*x2 - sin(x2)", ["x1", "x2"])
        >>> print(f"{y.function(2.0, 5.0):.4f}")
        11.6521
    """
    if variables is not None:
        for name in variables:
            check_name(name, name, 0)
    steps = steps_of(text, variables)
    names = list(dict.fromkeys(step.variable for step in steps if step.variable is not None))
    if not names:
        raise ExpressionError("the expression has no variable", text, 0)
    if variables is None:
        return Expression(text, tuple(names), _function(text, names, steps))
    if unused := [name for name in variables if name not in names]:
        values = "a value" if len(unused) == 1 else "values"
        raise ExpressionError(
            f"{values} given for {', '.join(unused)}, which the expression does not have", text
        )
    return Expression(text, tuple(variables), _function(text, list(variables), steps))


def parse_assignments(items: Iterable[str]) -> dict[str, float | np.ndarray[Any, Any]]:
    """Read values: ``["x1=2", "x2=pi/2", "w=1,2,3"]``.

    Returns:
        For each name a float, or a float64 array ``(n,)`` where commas separate several numbers;
        in the order given. A number may be a formula of numbers.

    Raises:
        ExpressionError: no ``=``, a name that can't be one or comes twice, no finite number.

    Example:
        >>> from wengert.explain.expression import parse_assignments
        >>> parse_assignments(["x1=2", "w=1,2.5"])
        {'x1': 2.0, 'w': array([1. , 2.5])}
    """
    values: dict[str, float | np.ndarray[Any, Any]] = {}
    for item in items:
        name, equals, text = item.partition("=")
        start = len(name) - len(name.lstrip())
        if not equals:
            raise ExpressionError(
                f"{item.strip()!r} gives no value: write name=number, such as x1=2", item
            )
        check_name(name.strip(), item, start)
        if name.strip() in values:
            raise ExpressionError(f"{name.strip()!r} has a value already", item, start)
        values[name.strip()] = _value(item, text, len(name) + 1)
    return values


def _value(item: str, text: str, start: int) -> float | np.ndarray[Any, Any]:
    """The number, or the numbers, of the assignment ``item``; they begin at ``start``."""
    several = "," in text
    if re.fullmatch(r"\s*\[[^\[\]]*\]\s*", text):
        text, several = text.replace("[", " ").replace("]", " "), True
    numbers, pieces = [], text.split(",")
    if len(pieces) > 1 and not pieces[-1].strip():
        pieces.pop()
    for piece in pieces:
        try:
            numbers.append(float(piece))
        except ValueError:
            numbers.append(_constant(item, piece, start))
        if not math.isfinite(numbers[-1]):
            raise ExpressionError(f"{piece.strip()!r} is not a finite number", item, start)
        start += len(piece) + 1
    return np.array(numbers) if several else numbers[0]


def _constant(item: str, piece: str, start: int) -> float:
    """The value of ``piece``, a formula without variables at ``start`` of ``item``."""
    if not piece.strip():
        raise ExpressionError("a number is missing", item, start)
    try:
        (step,) = steps_of(piece, ())
    except ExpressionError as error:
        column = None if error.column is None else error.column + start
        message = str(error).partition("\n")[0]
        if message.startswith("no value"):
            message = f"{piece.strip()!r} is not a number"
        raise ExpressionError(message, item, column) from None
    assert step.number is not None
    return float(step.number)


def _function(text: str, variables: list[str], steps: list[Step]) -> Callable[..., Any]:
    """The function of ``variables`` that runs ``steps``."""

    def expression(*values: Any) -> Any:
        if len(values) != len(variables):
            raise ExpressionError(
                f"{len(values)} values for the variables {', '.join(variables)}", text
            )
        named = {name: _numpy(value) for name, value in zip(variables, values, strict=True)}
        stack: list[Any] = []
        for step in steps:
            if step.apply is None:
                stack.append(step.number if step.variable is None else named[step.variable])
                continue
            arguments = stack[-step.count :]
            del stack[-step.count :]
            try:
                stack.append(step.apply(*arguments))
            except WengertError:
                raise
            except ValueError as error:  # shapes that do not fit
                raise ExpressionError(str(error), text, step.column) from error
        return stack.pop()

    return expression


def _numpy(value: Any) -> Any:
    """Python numbers as NumPy's, which give inf and nan where Python's operators raise."""
    return np.asarray(value)[()] if isinstance(value, float | int | complex) else value
