"""What wengert is to reach, and whether the figures of a run reach it.

A target compares the first row of wengert with the *fastest* row of the other library, round by
round: the verdict is on the median over the rounds of the ratio, or of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.harness import SUBJECT, Outcome, Row, Spread, spread

Kind = Literal["ratio", "difference"]


@dataclass(frozen=True)
class Target:
    """`limit` is on time / time of `against` (ratio) or time - time of it (seconds)."""

    suite: str
    name: str
    against: str
    kind: Kind
    limit: float
    wanted: float | None = None


@dataclass(frozen=True)
class Verdict:
    """A target, its title and what was measured; `measured` is None where nothing was."""

    target: Target
    title: str
    peer: str
    measured: Spread | None

    @property
    def text(self) -> str:
        """Return met, missed or not measured."""
        if self.measured is None:
            return "not measured"
        if self.measured.median > self.target.limit:
            return "missed"
        wanted = self.target.wanted
        if wanted is None:
            return "met"
        return "met, wanted too" if self.measured.median <= wanted else "met, wanted not"


_OPERATIONS = ("add", "multiply", "sin")
_SMALL = ("2-3-1", "64-64-10")
_LARGE = ("784-128-10", "784-512-512-10")

TARGETS = (
    *(Target("elementwise", name, "numpy", "difference", 1e-6) for name in _OPERATIONS),
    *(Target("elementwise", name, "torch", "ratio", 1.0) for name in _OPERATIONS),
    Target("lecture", "gradient", "torch", "ratio", 0.9, wanted=0.6),
    *(Target("training", name, "torch", "ratio", 1.0) for name in _SMALL),
    *(Target("training", name, "numpy", "ratio", 2.2) for name in _SMALL),
    *(Target("training", name, "numpy", "ratio", 1.2) for name in _LARGE),
    Target("static", "fixed", "numpy", "difference", 10e-6),
    *(Target("static", f"record {name}", "numpy", "ratio", 3.0) for name in (*_SMALL, *_LARGE)),
    Target("import", "import", "numpy", "difference", 0.2),
)


def judge(outcomes: Sequence[Outcome]) -> list[Verdict]:
    """Return the verdict on every target of the benchmarks in `outcomes`."""
    found = {(o.benchmark.suite, o.benchmark.name): o for o in outcomes}
    return [
        _judge_one(target, found[target.suite, target.name])
        for target in TARGETS
        if (target.suite, target.name) in found
    ]


def _judge_one(target: Target, outcome: Outcome) -> Verdict:
    mine = outcome.of(SUBJECT)[0]
    peers = [row for row in outcome.of(target.against) if row.status == "ok"]
    if mine.status != "ok" or not peers:
        return Verdict(target, outcome.benchmark.title, target.against, None)
    peer = min(peers, key=lambda row: row.median)
    return Verdict(target, outcome.benchmark.title, peer.label, _measured(target, mine, peer))


def _measured(target: Target, mine: Row, peer: Row) -> Spread:
    if target.kind == "ratio":
        return spread(mine.samples / peer.samples)
    return spread(mine.samples - peer.samples)
