"""Drawn programs agree in every way of running them. A failure prints the program, ready to run."""

import numpy as np
import pytest

from .agree import CHECKS
from .draw import WRITES, draw

PARTS = 4  # of the seeds, so that the test processes share them


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("check", CHECKS)
def test_drawn_programs_agree(check, part, seeds):
    for seed in seeds[part::PARTS]:
        CHECKS[check](draw(seed))


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("check", CHECKS)
def test_drawn_writes_agree(check, part, seeds):
    """Views, writes through them, ``out=``, ``+=``: with little else, so that they meet often."""
    kinds = [*WRITES, *WRITES, "move", "read"]
    for seed in seeds[part::PARTS]:
        CHECKS[check](draw(seed + 10**6, kinds))


def test_the_draw_is_the_same_every_time():
    for seed in range(5):
        assert draw(seed).source == draw(seed).source


def test_drawn_programs_are_worth_running():
    """Every kind of statement comes, and values are finite."""
    sources = "\n".join(draw(seed).source for seed in range(300))
    for text in ("+=", "*=", "out=", "np.copyto", "np.add.at", "for i in", "if v", "[::-1]", ".T"):
        assert sources.count(text) > 5, text
    programs = [draw(seed) for seed in range(60)]
    assert sum(program.batchable for program in programs) > 20
    assert all(np.isfinite(program.function(program.x, program.z)) for program in programs)
