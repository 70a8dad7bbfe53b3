"""The examples run and say what the documentation says they do."""

import runpy

import pytest

from node_ids import ROOT

WALKTHROUGH = ROOT / "examples/walkthrough.py"


def test_the_walkthrough_is_one_sitting():
    assert len(WALKTHROUGH.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_walkthrough_agrees_with_wengert(capsys):
    runpy.run_path(str(WALKTHROUGH), run_name="__main__")
    output = capsys.readouterr().out
    lines = [line.split() for line in output.splitlines()]
    trace = {words[0]: (float(words[2]), float(words[4])) for words in lines if len(words) == 5}
    assert trace["v1"] == (2, 5.5)
    assert trace["v2"] == (5, 1.716)
    assert trace["v7"] == (11.652, 1)
    assert lines.count(["dy/dx1", "=", "5.500", "dy/dx2", "=", "1.716"]) == 2
    assert "by the tape: 4" in output
    assert "naively: 6" in output
    assert "[18. 22. 26.]" in output
    assert float(lines[-1][-1]) == pytest.approx(0, abs=1e-14)
