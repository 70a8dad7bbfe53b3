"""What is generated is what the sources say."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_primitives_is_what_the_records_say():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    written = (ROOT / "docs" / "primitives.md").read_text(encoding="utf-8")
    assert written == generate.page(), "run `python docs/generate.py`"
