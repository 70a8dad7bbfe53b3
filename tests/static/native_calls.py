"""What the tests of whole native calls share: calls until there is machine code, and who runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert.static import native
from wengert.static.llvm.objects import unsupported

needs_native = pytest.mark.skipif(bool(unsupported()), reason=unsupported())
CALLS = 5  # after which there is machine code, at once
A, B = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, -1.0])


def make_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs become machine code in their first replay."""
    monkeypatch.setattr(native, "SHARE", 0.0)
    monkeypatch.setattr(native, "COMPILING", (1e-9, 0.0))


def is_native(compiled: Any) -> bool:
    """Whether its calls go to machine code first."""
    return type(compiled).__call__ is not wg.static.capture.Compiled.__call__


def frames_of(call: Callable[[], Any]) -> list[str]:
    """The Python functions that run in a call, but for ``call`` itself."""
    seen: list[str] = []

    def note(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            seen.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen[1:]


def settled(function: Any, *args: Any, **kwargs: Any) -> Any:
    """``function`` compiled, and called until it is machine code."""
    compiled = wg.compile(function)
    for _ in range(CALLS):
        compiled(*args, **kwargs)
    assert is_native(compiled), compiled.explain()
    assert not frames_of(lambda: compiled(*args, **kwargs))
    return compiled


def same(a: Any, b: Any) -> None:
    """Equal results of equal types."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    elif isinstance(a, wg.Array):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    elif isinstance(a, np.ndarray | np.generic | float):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    else:
        assert a == b
