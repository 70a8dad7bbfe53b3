"""``wengert graphs``: both graphs train alike, and what is printed was measured."""

import re

import numpy as np
import pytest

from wengert import cli, graphs
from wengert.core.errors import UnsupportedError
from wengert.train import Plan, prepare


def run(capsys, *argv):
    status = cli.main(["graphs", "--epochs", "1", *argv])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_it_prints_both_lives_and_one_loss(capsys, optimiser):
    status, out, err = run(capsys, "--optimiser", optimiser)
    assert (status, err) == (0, "")
    for row in (
        "once: build, record",
        "once: build, optimise",
        *graphs.PHASES,
        "destroy",
        "a step",
    ):
        assert re.search(rf"^{row}.* [\d.]+ (s|ms|µs)", out, re.MULTILINE), row
    found = re.search(
        r"loss after 22 steps: ([\d.]+) dynamic, ([\d.]+) static; .* ([\d.e-]+)$", out, re.M
    )
    assert float(found[3]) < 1e-4
    assert 0 < float(found[1]) < 2.3  # below that of guessing
    assert re.search(r"^destroy .* 0 nodes +never", out, re.MULTILINE)


def test_it_explains_and_draws(capsys, tmp_path):
    picture = tmp_path / "step.dot"
    status, out, _ = run(capsys, "--explain", "--draw", str(picture))
    assert status == 0
    assert "compile of step_of" in out
    assert picture.read_text().startswith("digraph")


def test_too_few_steps_are_a_mistake(capsys):
    status, _, err = run(capsys, "--batch-size", "1438")
    assert status == 1
    assert "too few steps" in err


def trained(epochs=1):
    plan = Plan(data="sklearn", optimiser="sgd")
    split, trainer = prepare(plan)
    return trainer, list(graphs.rows(split, plan, epochs))


def test_a_dynamic_graph_is_built_and_gone_in_every_step():
    trainer, parts = trained()
    assert {len(x) for x, _ in parts} == {64}
    record = graphs.train_dynamic(trainer, parts[:4])
    assert record.nodes["forward"] >= 4
    assert record.nodes["destroy"] == 0
    assert all(len(times) == 3 for times in record.taken.values())
    assert graphs.live_nodes() == 0


def test_the_parts_of_a_static_step_are_the_step():
    trainer, parts = trained()
    static = graphs.train_static(trainer, parts)
    pieces = graphs.parts_of(static.graph)
    whole = static.graph.segments[0].runs
    assert [eqn for part in pieces for eqn in part.equations] == list(whole.equations)
    assert all(part.equations for part in pieces)
    assert static.nodes == 0
    values, _ = static.compiled.variants[0].check(parts[0], {})
    held = dict(zip(whole.inputs, values, strict=True))
    for part in pieces:
        held.update(zip(part.outputs, part.run(*[held[var] for var in part.inputs]), strict=True))
    for atom, expected in zip(whole.outputs, whole.run(*values), strict=True):
        np.testing.assert_allclose(held[atom], expected, rtol=1e-6)


def test_a_step_that_cannot_be_recorded_is_an_error(monkeypatch):
    trainer, parts = trained()
    seen = []
    monkeypatch.setattr(graphs, "step_of", lambda trainer: lambda x, y: seen.append(x) or x[0, 0])
    with pytest.raises(UnsupportedError, match="strict_capture"):
        graphs.train_static(trainer, parts)
