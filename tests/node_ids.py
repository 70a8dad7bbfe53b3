"""Whether a pytest node id names a test that exists, read from the source without importing it."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@cache
def tests_in(path: Path) -> frozenset[str]:
    """The tests of a file: ``test_name`` and ``TestClass::test_name``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            found.add(node.name)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            members = [m for m in node.body if isinstance(m, ast.FunctionDef)]
            found |= {f"{node.name}::{m.name}" for m in members if m.name.startswith("test")}
    return frozenset(found)


def missing(nodeid: str) -> str | None:
    """Why ``nodeid`` (``tests/file.py`` or ``tests/file.py::test[case]``) names no test, or None.

    The case in brackets is not looked at: only running pytest can tell.
    """
    name, _, test = nodeid.partition("::")
    path = ROOT / name
    if not path.is_file() or not path.name.startswith("test_"):
        return f"{name} is no test file"
    found = tests_in(path)
    if not test:
        return None if found else f"{name} holds no test"
    test = test.partition("[")[0]
    return None if test in found else f"{name} has no {test}"
