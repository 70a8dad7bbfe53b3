"""Writes docs/primitives.md from the records of the primitives: ``python docs/generate.py``.

What the documentation says of an operation is what its record says; a test holds the file to it.
"""

from pathlib import Path

import wengert
import wengert.control.branch
import wengert.control.whiles
import wengert.nn
import wengert.ops.accumulate
import wengert.ops.quantiles
import wengert.random
import wengert.scipy.special  # noqa: F401  (enters SciPy's)
from wengert.core.primitive import REGISTRY

HEAD = """# The primitives

Every operation that wengert differentiates is one of these, or is written with them. This page is
generated from their records (`python docs/generate.py`).

## Where the derivative does not exist

One convention for each kink, the same in forward and reverse mode, in every order, and under
`vmap`. Below a selection (`where`, masks, indexing, extrema) an adjoint that is exactly zero stays
zero, whatever it is multiplied with: the unselected branch can't leak NaN. That holds through
elementwise operations, reductions, indexing and cumulative operations; not through products.

| operation | convention at the kink |
| --- | --- |
"""

TABLE = """
`norm`, `std` and other functions of NumPy that are composed of primitives have the derivative 0
where they would divide 0 by 0.

## All of them

| primitive | family | what it is | source |
| --- | --- | --- | --- |
"""


def cell(text: str) -> str:
    """``text`` for a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def page() -> str:
    """The text of docs/primitives.md."""
    records = sorted(REGISTRY.values(), key=lambda primitive: primitive.name)
    kinks = [f"| `{p.name}` | {cell(p.doc.kinks)} |\n" for p in records if p.doc.kinks]
    rows = [
        f"| `{p.name}` | {p.family} | {cell(p.doc.summary)} | {cell(p.doc.source)} |\n"
        for p in records
    ]
    return HEAD + "".join(kinks) + TABLE + "".join(rows)


if __name__ == "__main__":
    path = Path(__file__).with_name("primitives.md")
    path.write_text(page(), encoding="utf-8")
    print(f"wrote {path}: {len(REGISTRY)} primitives")
