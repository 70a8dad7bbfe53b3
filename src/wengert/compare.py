"""``wengert compare``: the four ways to differentiate in one table.

Layer: beside ``cli``; the work is ``explain.comparison``'s. rich is imported when it runs.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .explain.comparison import Row, comparison, comparison_table

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 120  # where the output goes to a file or a pipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options: the table is the same for everyone, but for the times."""


def run(args: argparse.Namespace) -> int:
    """Measure, and print the table."""
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    print_comparison(console)
    return 0


def print_comparison(console: Console) -> list[Row]:
    """Measure with a line that says what is being measured; print the table."""
    with console.status("measuring") as status:
        rows = comparison(lambda text: status.update(f"measuring: {text}"))
    console.print(comparison_table(rows))
    return rows
