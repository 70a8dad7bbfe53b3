"""The layers of ``src/wengert`` hold: every import, those inside functions too, points downwards.

Read from the source with ``ast``, so that a module counts whether or not anything loads it.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "wengert"

LAYERS = [
    {"core"},
    {"ops"},
    {"vectorize"},
    {"differentiate"},
    {"control"},
    {"static"},
    {"numpy"},
    {"scipy"},
    {"random"},
    {"nn", "optim", "data", "io"},
    {"explain"},
    {"training"},
    {"train", "compare", "graphs", "demo", "cli"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
TOP = len(LAYERS)  # wengert itself, and wengert.__main__

ON_FIRST_USE = ["llvmlite", "scipy", "matplotlib", "sklearn", "mlxtend", "pandas", "rich"]


class Import(NamedTuple):
    line: int
    module: str  # absolute: "wengert.core.box", "numpy.linalg"


def module_name(path: Path) -> str:
    """``wengert.core.box`` for ``src/wengert/core/box.py``; a package without its ``__init__``."""
    parts = ("wengert", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = SOURCE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def from_import(node: ast.ImportFrom, importer: Path) -> Iterator[Import]:
    """What ``from … import a, b`` loads: the submodules among the names, else the module."""
    base = node.module or ""
    if node.level:
        package = module_name(importer).split(".")
        if importer.name != "__init__.py":
            package.pop()
        package = package[: len(package) - node.level + 1]
        base = ".".join([*package, base] if base else package)
    submodules = [f"{base}.{alias.name}" for alias in node.names]
    submodules = [name for name in submodules if base.startswith("wengert") and is_module(name)]
    if len(submodules) < len(node.names):
        yield Import(node.lineno, base)
    for name in submodules:
        yield Import(node.lineno, name)


def dynamic_import(node: ast.Call) -> Iterator[Import]:
    """``importlib.import_module("…")`` and ``__import__("…")`` with the name written out."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if called in {"import_module", "__import__"} and node.args:
        name = node.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield Import(node.lineno, name.value)


def imports(path: Path, text: str | None = None) -> Iterator[Import]:
    """Every import of a file, wherever in the file it stands."""
    text = path.read_text(encoding="utf-8") if text is None else text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from from_import(node, path)
        elif isinstance(node, ast.Call):
            yield from dynamic_import(node)


def rank(module: str) -> int:
    """The place of a module of wengert in the layers, the first at the bottom."""
    _, *parts = module.split(".")
    if not parts or parts[0] == "__main__":
        return TOP
    assert parts[0] in RANK, f"{module} belongs to no layer: give it its place in LAYERS"
    return RANK[parts[0]]


def violations(path: Path, text: str | None = None) -> list[str]:
    """What the file imports and must not, one line each."""
    importer = module_name(path)
    layer = importer.split(".")[1] if "." in importer else ""
    own = rank(importer)
    found = []
    for line, module in imports(path, text):
        root = module.split(".")[0]
        if root == "wengert":
            if rank(module) > own:
                found.append(f"{importer}:{line} imports {module}, of a later layer")
            if layer == "ops" and "numerical" in module.split("."):
                found.append(f"{importer}:{line} imports {module}: rules never difference")
        elif layer == "core" and root not in {*sys.stdlib_module_names, "numpy", "optree"}:
            found.append(f"{importer}:{line} imports {module}: core has NumPy and optree only")
        if importer == "wengert.nn.handcoded" and root not in {*sys.stdlib_module_names, "numpy"}:
            found.append(f"{importer}:{line} imports {module}: hand-coded means NumPy only")
    return found


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_downwards(path):
    assert not violations(path)


PLANTED = {
    "a later layer": ("core/box.py", "from ..ops import array"),
    "a later layer, inside a function": ("ops/a.py", "def f():\n    import wengert.vectorize"),
    "a later module of the package": ("ops/a.py", "from .. import differentiate"),
    "the whole package": ("data/a.py", "import wengert as wg"),
    "by name": ("core/a.py", "import importlib\nimportlib.import_module('wengert.ops')"),
    "differences in rules": ("ops/a.py", "from ..differentiate.numerical import grad"),
    "SciPy in the core": ("core/a.py", "def f():\n    import scipy.special"),
    "a dependency in the core's package": ("core/__init__.py", "from rich import print"),
    "the engine in the hand-coded network": ("nn/handcoded.py", "from ..core import tree"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_found(name):
    path, text = PLANTED[name]
    assert violations(SOURCE / path, text)


def test_what_is_allowed_is_not_found():
    text = "import numpy as np\nfrom . import tree\nfrom .errors import DataError\nimport optree"
    assert not violations(SOURCE / "core/a.py", text)
    assert not violations(SOURCE / "ops/a.py", "from ..core.errors import DataError\nimport scipy")
    assert not violations(SOURCE / "__init__.py", "from . import cli\nfrom .nn import handcoded")


def test_every_layer_on_disk_has_its_place():
    entries = [path for path in SOURCE.iterdir() if path.is_dir() or path.suffix == ".py"]
    names = {path.stem for path in entries if not path.name.startswith((".", "_"))}
    assert names <= set(RANK)


def test_import_wengert_loads_no_heavy_dependency():
    code = f"import sys, wengert; print([m for m in {ON_FIRST_USE} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
