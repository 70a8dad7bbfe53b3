"""The benchmarks' work, from the lecture's example to a transformer, runs no Python at last."""

import sys
from pathlib import Path

import pytest

from at_once import machine_code_at_once

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.suites.native import benchmarks
from benchmarks.work.settle import not_native
from benchmarks.work.task import COMPILED

LARGE = ("3000", "1000000", "784-512-512-10", "d=32", "k=50", "loop", "fixed", "alternat")
CALLS = 8

pytestmark = pytest.mark.filterwarnings("ignore")


def pieces():
    """The benchmarks with a compiled function, the largest left out."""
    for one in benchmarks():
        compiled = [row for row in one.contenders if row.label == COMPILED and row.start]
        if compiled and not any(part in one.name for part in LARGE):
            yield pytest.param(compiled[0], id=one.name.replace(" ", "_"))


def test_there_are_enough():
    assert len(list(pieces())) >= 13


@pytest.mark.parametrize("contender", list(pieces()))
def test_no_python_frame_and_no_fallback(contender):
    with machine_code_at_once():
        call, inputs = contender.start()
        for number in range(CALLS):
            call(*inputs[number % len(inputs)])
        assert not_native(call, lambda: call(*inputs[0])) == ""
