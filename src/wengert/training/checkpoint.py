"""Checkpoints: named arrays and a description in one ``.npz`` file, written whole or not at all.

No pickle. The description is JSON with the format's name and version. Layer: ``training``.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError

FORMAT, VERSION = "wengert checkpoint", 1
DESCRIPTION = "description"


def save(
    path: str | Path, arrays: Mapping[str, np.ndarray], description: Mapping[str, Any]
) -> Path:
    """Write ``arrays`` and ``description`` (what JSON can hold) to ``path``.

    A file that is there is replaced once the new one is complete. Raises ``DataError`` where that
    can't be written.
    """
    target = Path(path)
    text = json.dumps({"format": FORMAT, "version": VERSION, **description}, default=_plain)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            np.savez(file, allow_pickle=False, **{DESCRIPTION: np.array(text), **arrays})
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise DataError(f"can't write {target}: {error.strerror or error}") from error
    return target


def _plain(value: Any) -> Any:
    """What JSON does not know: NumPy's arrays and scalars."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} can't stand in a checkpoint")


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the description in a file that ``save`` wrote.

    Raises ``DataError`` for a file that is not there, is not a checkpoint, is of another version,
    or is damaged.
    """
    try:
        with open(path, "rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                raise DataError(f"{path} holds a single array, it is no checkpoint of wengert")
            arrays = {name: content[name] for name in content.files}
    except FileNotFoundError as error:
        raise DataError(f"there is no checkpoint {path}") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"can't read {path}: {reason}; it is damaged, or no checkpoint") from error
    return arrays, _description(path, arrays.pop(DESCRIPTION, None))


def _description(path: str | Path, entry: Any) -> dict[str, Any]:
    try:
        description = json.loads(str(entry), object_hook=_restored)
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is no checkpoint of wengert: it has no description") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise DataError(f"{path} is no checkpoint of wengert")
    if description.get("version") != VERSION:
        raise DataError(
            f"{path} has version {description.get('version')} of the checkpoint format, this "
            f"wengert reads version {VERSION}"
        )
    return description


def _restored(entry: dict[str, Any]) -> Any:
    if entry.keys() == {"array", "dtype"}:
        return np.array(entry["array"], entry["dtype"])
    return entry


def part(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries of ``values`` that begin with ``prefix/``, by the rest of their names."""
    start = f"{prefix}/"
    return {key.removeprefix(start): v for key, v in values.items() if key.startswith(start)}


def required(description: Mapping[str, Any], *names: str) -> list[Any]:
    """The entries called ``names``; ``DataError`` says which is missing."""
    if missing := [name for name in names if name not in description]:
        raise DataError(f"the checkpoint is incomplete: {', '.join(missing)} missing")
    return [description[name] for name in names]
