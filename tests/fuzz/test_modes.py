"""Programs with all that programs have agree in every mode; a mismatch is found and made small."""

import subprocess
import sys

import numpy as np
import pytest

import wengert as wg
from node_ids import ROOT
from wengert.core.primitive import REGISTRY

from .campaign import check, explained, run_seeds
from .compose import compose
from .program import BRANCHES, MASKS, WRITES_ARGUMENTS, Program
from .trial import MODES, RECIPES, Mismatch

PARTS = 4  # of the seeds, so that the test processes share them
SLOW = {"jax"}


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_composed_programs_agree_in_every_mode(part, seeds):
    modes = [name for name in MODES if name not in SLOW]
    tally = run_seeds(range(3 * len(seeds))[part::PARTS], modes)
    assert tally.mismatches == 0, "\n\n".join(tally.reports())


def test_the_draw_is_the_same_every_time():
    for seed in range(5):
        first, second = compose(seed), compose(seed)
        assert first.source == second.source
        np.testing.assert_equal(first.inputs, second.inputs)


def test_everything_is_drawn():
    programs = [compose(seed) for seed in range(300)]
    text = "\n".join(program.source for program in programs)
    wanted = ["if ", "else:", "while ", "for part in", "for row in", "return [", "astype", "out="]
    wanted += ['d = {"u"', "+=", "np.add.at", "argmax", ".T", "[::-1]", "range(n)", "np.where(m"]
    for word in wanted:
        assert text.count(word) >= 5, word
    for trait in (BRANCHES, MASKS, WRITES_ARGUMENTS):
        assert sum(trait in program.traits for program in programs) >= 5, trait
    dtypes = {
        np.asarray(leaf).dtype.kind
        for program in programs
        for leaf in wg.tree.flatten(program.inputs[0])[0]
    }
    assert dtypes == set("fcib")


def test_the_arguments_take_several_branches():
    """Of the programs with branches many give other shapes or paths for other arguments."""
    several = 0
    for program in [p for p in map(compose, range(200)) if BRANCHES in p.traits]:
        lines = set()
        for call in range(len(program.inputs)):
            lines.add(frozenset(executed(program, call)))
        several += len(lines) > 1
    assert several >= 15


def executed(program, call):
    """The lines of the program that run."""
    lines = []

    def trace(frame, event, argument):
        if frame.f_code.co_filename.startswith("<program"):
            lines.append(frame.f_lineno)
            return trace
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        program.function(**program.arguments(call))
    finally:
        sys.settrace(before)
    return lines


# --- a fault is seen, and shown in a small program ------------------------------------------------


def first_mismatch(modes, seeds=range(400)):
    for seed in seeds:
        for found in check(compose(seed), modes):
            return compose(seed), found
    raise AssertionError("400 programs did not see it")


def test_a_mismatch_is_made_small(monkeypatch):
    def lying(trial):
        if "np.outer" in trial.program.source:
            raise Mismatch("lying", "value", "outer is wrong")

    monkeypatch.setitem(MODES, "lying", lying)
    monkeypatch.setitem(RECIPES, "lying", "print(f(**inputs[0]))")
    program, found = first_mismatch(["lying"])
    report = explained(program, found)
    body = report.split("def f")[1].split("inputs = ")[0].strip().splitlines()
    assert len(body) == 3, report  # the head, the product, what is given back
    assert "np.outer" in report
    code = report.partition("\n\n")[2]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr


def wrong_by(record, **fields):
    """Put other rules into a record of the registry, until the test is over."""
    before = {name: getattr(record, name) for name in fields}
    for name, value in fields.items():
        object.__setattr__(record, name, value)
    return before


FAULTS = {
    "a partial of sin": ("sin", "pull", "forward"),
    "a tangent of multiply": ("multiply", "jvp", "forward"),
    "a batch rule of getitem": ("getitem", "batch", "vectorised"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name):
    of, rule, seen_by = FAULTS[name]
    record = REGISTRY[of]
    whole = getattr(record, rule)

    def off(*args, **kwargs):
        result = whole(*args, **kwargs)
        return None if result is None else result * 1.01

    before = wrong_by(record, **{rule: off})
    try:
        program, found = first_mismatch([seen_by])
        small = explained(program, found)
    finally:
        wrong_by(record, **before)
    assert len(small.splitlines()) < 40
    assert not list(check(program, [seen_by]))


def test_a_program_that_raises_is_a_mismatch():
    program = Program(0, ("y = np.apply_over_axes(np.sum, x, [0])",), ("y",), ({"x": np.ones(3)},))
    found = list(check(program, ["reverse"]))
    assert [mismatch.key for mismatch in found] == [("reverse", "UnsupportedError")]


def test_the_script():
    command = [sys.executable, "-m", "tests.fuzz", "--programs", "6", "--modes", "handles"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert "6 programs, 0 mismatches" in ran.stdout
