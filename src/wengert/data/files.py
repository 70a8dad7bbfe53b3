"""Read a user's own table: CSV (plain or gzipped) and NPZ, with errors that name the place.

Layer: ``data``; NumPy and ``core.errors`` only.
"""

import csv
import gzip
import zipfile
import zlib
from os import PathLike, fspath
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from .splits import Floats, Targets, checked

Path = str | PathLike[str]
Line = tuple[int, str]  # its number in the file from 1, its text


def load_csv(
    path: Path,
    target_column: int | str = -1,
    *,
    header: bool | None = None,
    delimiter: str = ",",
) -> tuple[Floats, Targets]:
    """``(x, y)`` of a table of numbers: one example a line, one column of it the target.

    ``path``: text in UTF-8, gzipped if it ends in ``.gz``. ``target_column``: its position (from
    the end if negative) or its name in the header. ``header``: whether the first line names the
    columns; None finds out: it does if no field of it is a number.

    Returns ``x`` (lines, columns - 1) float32, not scaled, and ``y`` (lines,): int64 if every
    target is a whole number (class labels), else float32. Whole numbers that are values and not
    classes: ``y.astype(np.float32)``.

    Raises ``DataError`` with the line and the column for text among the numbers, missing fields,
    NaN and infinities, and for files that can't be read.
    """
    lines = read_lines(path)
    names = header_of(path, lines, header, delimiter)
    body = lines[names is not None :]
    if not body:
        raise DataError(f"{path}: the file has a header and no data")
    try:
        # the lines, not the file: blank ones are gone, and each knows its number
        table = np.loadtxt(
            [text for _, text in body],
            delimiter=delimiter,
            comments=None,
            quotechar='"',
            ndmin=2,
        )
    except ValueError as error:
        explain(path, body, delimiter, names, error)
    column = column_index(path, target_column, names, table.shape[1], delimiter)
    if not (good := np.abs(table) <= np.finfo(np.float32).max).all():
        row, bad = map(int, np.argwhere(~good)[0])
        raise DataError(
            f"{path}, line {body[row][0]}, {column_name(bad, names)}: {table[row, bad]} is no "
            f"finite float32 ({np.sum(~good)} of {table.size} entries); drop those lines or fill "
            "them in"
        )
    x, y = np.delete(table, column, axis=1), table[:, column]
    return x.astype(np.float32), as_targets(y)


def as_targets(y: NDArray[np.float64]) -> Targets:
    """Whole numbers as int64 labels, others as float32 values."""
    return y.astype(np.int64 if np.all(y == np.round(y)) else np.float32)


def read_lines(path: Path) -> list[Line]:
    """The lines of a text file that are not blank, numbered."""
    opened = gzip.open if fspath(path).endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            lines = [(number, text) for number, text in enumerate(file, 1) if text.strip()]
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise DataError(f"can't read {path} as UTF-8 text: {error}; is it a CSV file?") from error
    if not lines:
        raise DataError(f"{path}: the file is empty")
    return lines


def fields(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter))


def is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def header_of(
    path: Path, lines: list[Line], header: bool | None, delimiter: str
) -> list[str] | None:
    """The names of the columns, or None if the first line holds data."""
    number, text = lines[0]
    first = [field.strip() for field in fields(text, delimiter)]
    if header is None:
        numbers = [is_number(field) for field in first]
        header = not any(numbers)
        if any(numbers) and not all(numbers):
            odd = next(field for field, known in zip(first, numbers, strict=True) if not known)
            raise DataError(
                f"{path}, line {number}: numbers, and {odd!r} which is none; if this line names "
                "the columns, pass header=True, else make it a number"
            )
    return first if header else None


def column_name(column: int, names: list[str] | None) -> str:
    named = names is not None and column < len(names)
    return f"column {column + 1}" + (f" ({names[column]!r})" if named and names else "")


def column_index(
    path: Path, target: int | str, names: list[str] | None, columns: int, delimiter: str
) -> int:
    """The position of the target column from 0, or a ``DataError`` that says which there are."""
    if columns < 2:
        raise DataError(
            f"{path}: one column only; at least one feature and the target are needed. "
            f"Is the delimiter {delimiter!r}?"
        )
    if isinstance(target, str):
        if names is None or target not in names:
            have = "the file has no header" if names is None else f"the header has {names}"
            raise DataError(f"{path}: no column is called {target!r}; {have}")
        return names.index(target)
    if not -columns <= target < columns:
        raise DataError(f"{path}: no column {target}; the file has {columns}, 0 to {columns - 1}")
    return target % columns


def explain(
    path: Path, body: list[Line], delimiter: str, names: list[str] | None, error: ValueError
) -> NoReturn:
    """Raise the ``DataError`` that names the first line which made ``np.loadtxt`` fail."""
    width = len(fields(body[0][1], delimiter)) if names is None else len(names)
    hint = f"; is the delimiter {delimiter!r}?" if width == 1 else ""
    for number, text in body:
        row = fields(text, delimiter)
        for column, field in enumerate(row):
            if not is_number(field):
                shown = repr(field.strip()) if field.strip() else "an empty field"
                raise DataError(
                    f"{path}, line {number}, {column_name(column, names)}: {shown} is no number"
                    f"{hint}"
                ) from error
        if len(row) != width:
            raise DataError(
                f"{path}, line {number}: {len(row)} fields, expected {width}"
            ) from error
    raise DataError(f"{path}: {error}") from error


def load_npz(path: Path, x: str = "x", y: str = "y") -> tuple[Floats, Targets]:
    """``(x, y)`` of the arrays called ``x`` and ``y`` in a NumPy ``.npz`` file.

    The first axis counts the examples; further axes of ``x`` are flattened: (rows, features).
    Returns ``x`` as float32, not scaled, and ``y`` as int64 labels or float32 values. Pickled
    objects are refused.

    Raises ``DataError`` for files that can't be read, missing arrays, wrong shapes and NaN.
    """
    try:
        with open(path, "rb") as file:
            rows, targets = members(path, np.load(file, allow_pickle=False), (x, y))
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"can't read {path} as an .npz file: {reason}") from error
    if rows.ndim > 2 and rows.size:
        rows = rows.reshape(len(rows), -1)
    return checked(rows, targets, str(path))


def members(path: Path, content: Any, names: tuple[str, str]) -> list[NDArray[Any]]:
    """The arrays of these names in an opened ``.npz`` file."""
    if isinstance(content, np.ndarray):
        raise DataError(f"{path} holds a single array; expected an .npz file with {names}")
    for name in names:
        if name not in content:
            raise DataError(f"{path} has no array {name!r}; it has {', '.join(sorted(content))}")
    return [content[name] for name in names]
