"""Every example in a docstring, the README and docs/ runs and prints what it says."""

import doctest
import importlib

import pytest

from node_ids import ROOT

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILES = [path.relative_to(ROOT / "src") for path in sorted((ROOT / "src/wengert").rglob("*.py"))]
MODULES = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in FILES]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith(".__main__")])
def test_docstrings(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=FLAGS).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page):
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join("\n" if line.lstrip().startswith("```") else line for line in lines)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(test).failed == 0
