"""The suite of programs: each is itself right, and compiled it is replayed as eager runs it."""

import sys

import pytest

import wengert as wg
from at_once import machine_code_at_once

from .suite import CASES
from .suite.case import EITHER, FALLS_BACK, NATIVE
from .suite.judge import WRONG, code_of, first_difference, judge, outcome, run, summary


@pytest.mark.parametrize("name", CASES)
def test_two_eager_runs_agree_and_calls_differ(name):
    case = CASES[name]
    first, second = run(case, lambda f: f), run(case, lambda f: f)
    assert first_difference(first, second) == ""
    assert len(first.calls) >= 6
    texts = {
        str([str(leaf) for path, leaf in seen if path[:4] != "args"]) for seen, _ in first.calls
    }
    assert len(texts) > 1, "every call gives the same: a stale result would not be seen"


def lines_of(code):
    """The lines of a code object and of those inside it, except the heads of functions."""
    lines = {line for _, _, line in code.co_lines() if line is not None} - {code.co_firstlineno}
    for inner in code.co_consts:
        if hasattr(inner, "co_lines"):
            lines |= lines_of(inner)
    return lines


@pytest.mark.parametrize("name", CASES)
def test_the_calls_reach_every_line(name):
    case = CASES[name]
    step = case.step()
    code, reached = code_of(step.function), set()

    def trace(frame, event, argument):
        if frame.f_code.co_filename != code.co_filename:
            return None
        reached.add(frame.f_lineno)
        return trace

    with step.around():
        for one in case.sequence():
            before = sys.gettrace()
            sys.settrace(trace)
            try:
                result = outcome(step.function, one.args, one.kwargs)
            finally:
                sys.settrace(before)
            step.between(result)
    assert lines_of(code) - reached == set()


if hasattr(wg, "compile"):  # until then the programs and the judge are tested

    @pytest.mark.parametrize("name", CASES)
    def test_compiled_equals_eager(name):
        verdict = judge(CASES[name], wg.compile)
        assert verdict.fits, f"{verdict.status}, expected {verdict.expect}: {verdict.detail}"

    @pytest.mark.parametrize("name", CASES)
    def test_machine_code_equals_eager(name):
        with machine_code_at_once():
            verdict = judge(CASES[name], wg.compile)
        assert verdict.fits, f"{verdict.status}, expected {verdict.expect}: {verdict.detail}"


def test_the_suite_is_what_it_should_be():
    expected = [case.expect for case in CASES.values()]
    assert len(expected) >= 48
    assert expected.count(NATIVE) >= 32
    assert 4 * expected.count(FALLS_BACK) <= expected.count(NATIVE)
    assert 3 * expected.count(EITHER) <= len(expected)


# --- the judge sees what a naive recorder does wrong --------------------------------------------


def frozen_after(calls):
    """A ``compile`` that gives its last result again after a number of calls."""

    def transform(function):
        kept = []

        def replay(*args, **kwargs):
            if len(kept) < calls:
                kept.append(function(*args, **kwargs))
            return kept[-1]

        return replay

    return transform


def test_stale_results_are_wrong_in_every_case():
    verdicts = [judge(case, frozen_after(2)) for case in CASES.values()]
    assert [v.name for v in verdicts if v.status != WRONG] == []


def test_an_eager_run_without_a_warning_is_not_native():
    verdicts = [judge(case, lambda f: f) for case in CASES.values()]
    assert summary(verdicts)[NATIVE] == 0
    assert summary(verdicts)[WRONG] == 0
