"""Machine code kept on disk, so that a second process generates none.

A store of bytes by key, one file an entry, in a folder that only its owner writes to:
``$WENGERT_CACHE`` (empty or ``0``: no cache), else ``$XDG_CACHE_HOME/wengert``, else
``~/.cache/wengert``. What is read is checked first; what was damaged is generated anew. Its size
has a bound (``$WENGERT_CACHE_SIZE`` in megabytes): what was not used for longest goes first. A disk
that fails never raises: then there is no cache. Layer: ``static``.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

MAGIC = b"wengert cache 1\n"  # at the start of every entry; the number is that of the format
CHECK = 16  # bytes of the checksum behind it
SUFFIX, UNFINISHED = ".wengert", "writing-"  # how names of entries end, and how others start
MEGABYTE = 10**6
BOUND = 256  # megabytes
HOUR = 3600.0  # seconds: uses are noted that often; what was left unfinished before is removed
SOURCES = ("core", "ops", "control", "static")  # folders of wengert that decide on machine code


class State(NamedTuple):
    """What is in the cache: ``folder`` (empty: turned off), whether it is ``usable``, the number of
    entries, their bytes, and the bound of these.
    """

    folder: str
    usable: bool
    entries: int
    size: int
    bound: int


class _File(NamedTuple):
    """A file of the cache, and when it was last used."""

    used: float
    size: int
    path: str


# --- entries -------------------------------------------------------------------------------------


def load(key: str) -> bytes | None:
    """What was stored under ``key``, a hex digest; None if nothing was, or not whole."""
    folder = _usable_folder()
    if not folder:
        return None
    path = _path(folder, key)
    try:
        with open(path, "rb", buffering=0) as file:
            text = file.read()
            used = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    if time.time() - used > HOUR:
        with suppress(OSError):
            os.utime(path)
    start = len(MAGIC) + CHECK
    content = text[start:]
    return content if text[:start] == MAGIC + _checksum(key, content) else None


def store(key: str, content: bytes) -> None:
    """Keep ``content`` under ``key``, a hex digest, where the disk lets us."""
    folder = _usable_folder()
    entry = MAGIC + _checksum(key, content) + content
    if not folder or len(entry) > _bound():
        return
    with suppress(OSError):
        _make_room(folder, len(entry))
        _write(folder, _path(folder, key), entry)


def kept(key: str, make: Callable[[], bytes]) -> bytes:
    """What is stored under ``key``; if nothing is, what ``make`` gives, which is stored."""
    content = load(key)
    if content is None:
        content = make()
        store(key, content)
    return content


def state() -> State:
    """What is in the cache now."""
    folder = _usable_folder()
    entries = [file for file in _files(folder) if file.path.endswith(SUFFIX)] if folder else []
    size = sum(file.size for file in entries)
    return State(_folder(), bool(folder), len(entries), size, _bound())


def clear() -> int:
    """Remove all entries, nothing else that may be in the folder; their number."""
    folder, count = _usable_folder(), 0
    for file in _files(folder) if folder else ():
        with suppress(OSError):
            os.unlink(file.path)
            count += file.path.endswith(SUFFIX)
    return count


def _path(folder: str, key: str) -> str:
    return os.path.join(folder, key + SUFFIX)


def _checksum(key: str, content: bytes) -> bytes:
    """Of the key too, so that an entry under another's name is found out."""
    return hashlib.blake2b(content, digest_size=CHECK, salt=_short(key)).digest()


def _short(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=hashlib.blake2b.SALT_SIZE).digest()


def _write(folder: str, path: str, entry: bytes) -> None:
    """Other processes see the whole entry or none."""
    handle, unfinished = tempfile.mkstemp(prefix=UNFINISHED, dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(entry)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise


# --- the bound -----------------------------------------------------------------------------------

_room: dict[str, int] = {}  # by folder, the bytes to add before the next look at all that is there


def _make_room(folder: str, size: int) -> None:
    """Remove old entries if ``size`` more bytes may be too many.

    To look at every file for each entry would take long, so a sixteenth of the bound is kept free,
    which may be filled before the next look.
    """
    _room[folder] = _room.get(folder, 0) - size
    if _room[folder] >= 0:
        return
    bound = _bound()
    _room[folder] = bound // 16
    files = sorted(_files(folder))
    total = size + sum(file.size for file in files)
    full = total > bound - bound // 16
    for file in files:
        abandoned = not file.path.endswith(SUFFIX) and file.used < time.time() - HOUR
        if abandoned or (full and file.path.endswith(SUFFIX) and total > bound * 3 // 4):
            with suppress(OSError):
                os.unlink(file.path)
                total -= file.size


def _files(folder: str) -> Iterator[_File]:
    """The cache's own files in the folder, without those that vanish meanwhile."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) or entry.name.startswith(UNFINISHED):
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    yield _File(found.st_mtime, found.st_size, entry.path)


def _bound() -> int:
    """The bytes that all entries together may have."""
    given = os.environ.get("WENGERT_CACHE_SIZE", "")
    if given and not (given.isdecimal() and int(given) > 0):
        _warn(f"WENGERT_CACHE_SIZE is {given!r}, expected a number of megabytes: {BOUND} it is")
        given = ""
    return (int(given) if given else BOUND) * MEGABYTE


# --- the folder ----------------------------------------------------------------------------------


def _folder() -> str:
    """The folder that the user's environment names; empty if none, or if the cache is off."""
    given = os.environ.get("WENGERT_CACHE")
    if given is not None:
        return "" if given in ("", "0") else os.path.abspath(os.path.expanduser(given))
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "wengert") if os.path.isabs(base) else ""


def _usable_folder() -> str:
    """The folder, if it can be trusted and was there or could be made; else empty."""
    folder = _folder()
    return folder if folder and _usable(folder) else ""


@cache
def _usable(folder: str) -> bool:
    """Whether only this user writes to the folder, which is made if it isn't there. Who else could
    write there could have this process run anything.
    """
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.stat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        _warn(f"{folder} belongs to another user: no machine code is kept; set WENGERT_CACHE")
        return False
    if os.name == "posix" and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        _warn(f"others can write to {folder}: no machine code is kept; `chmod go-w` it")
        return False
    return True


_warned: set[str] = set()


def _warn(message: str) -> None:
    """Say it once."""
    if message not in _warned:
        _warned.add(message)
        warnings.warn(f"wengert: {message}", RuntimeWarning, stacklevel=2)


# --- keys ----------------------------------------------------------------------------------------


def key_of(*parts: str | bytes) -> str:
    """The key of what is made of ``parts`` by this version of wengert on this machine."""
    return _digest(fingerprint(), *parts)


@cache
def fingerprint() -> str:
    """A digest of all but the program that decides on machine code: wengert and its sources, which
    hold the options that LLVM is given, LLVM, NumPy, Python and its ABI, the processor.
    """
    import llvmlite
    import llvmlite.binding as llvm
    import numpy as np

    return _digest(
        sys.modules[__name__.partition(".")[0]].__version__,
        _sources(),
        llvmlite.__version__,
        repr(llvm.llvm_version_info),
        np.__version__,
        sys.version,
        str(sysconfig.get_config_var("SOABI")),
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )


def _sources() -> str:
    """A digest of the sources. To read them takes milliseconds, so it is kept too, by all that
    changes when a file does.
    """
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    files = sorted(file for name in SOURCES for file in _python_files(os.path.join(root, name)))

    def read() -> bytes:
        parts = [part for path, _ in files for part in (path.removeprefix(root), _content(path))]
        return _digest(*parts).encode()

    return kept(_digest("sources", repr(files)), read).decode()


def _python_files(folder: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The sources in a folder and those inside it, and what changes when one does. None where
    wengert was not installed as files: then its version says it all.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                at = entry.stat()
                yield entry.path, (at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _python_files(entry.path)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _digest(*parts: str | bytes) -> str:
    """A digest of the parts and of where one ends."""
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()
