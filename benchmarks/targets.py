"""What wengert is to reach, and whether the figures of a run reach it.

A target compares the first row of wengert with the *fastest* row of the other library, round by
round: the verdict is on the median over the rounds of the ratio, or of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.harness import SUBJECT, Outcome, Row, Spread, spread

Kind = Literal["ratio", "difference", "speed", "time", "sum"]

PEERS = "the best peer"
PEER_LIBRARIES = ("torch", "jax")
RATIOS = ("ratio", "speed", "sum")


@dataclass(frozen=True)
class Target:
    """What wengert's first row is held to, by `kind`.

    At most `limit` is time / time of `against` ("ratio"), time - time of it in seconds
    ("difference"), the time itself ("time"), time / the sum of all other rows ("sum"); at least
    `limit` is time of `against` / time ("speed"). `against` is a library, the label of a row, or
    `PEERS`.
    """

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
        if not self._reaches(self.target.limit):
            return "missed"
        wanted = self.target.wanted
        if wanted is None:
            return "met"
        return "met, wanted too" if self._reaches(wanted) else "met, wanted not"

    def _reaches(self, limit: float) -> bool:
        assert self.measured is not None
        median = self.measured.median
        return median >= limit if self.target.kind == "speed" else median <= limit


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


_SLOWER_ALLOWED = {"b mlp 784-512-512-10": 0.95, "g lenet": 0.8}
_GRADIENT_OVER_FUNCTION = ("c ", "d ", "j ")
_BARE_PRODUCTS = {1: (0.9, 0.9), 2: (0.65, 0.8)}  # by threads: 784-128-10, 784-512-512-10


def native_targets(names: Sequence[str], threads: int) -> list[Target]:
    """Return the targets of the benchmarks `names` of the suite `native` at a thread count."""
    pieces = [name for name in names if name[1:2] == " "]
    found = [
        Target("native", name, PEERS, "speed", _SLOWER_ALLOWED[name], wanted=1.0)
        if name in _SLOWER_ALLOWED
        else Target("native", name, PEERS, "speed", 1.0)
        for name in pieces
    ]
    found += [
        Target("native", name, "the function alone, compiled", "ratio", 3.0)
        for name in pieces
        if name.startswith(_GRADIENT_OVER_FUNCTION)
    ]
    found += [
        Target("native", f"b mlp {name}", "the bare products", "speed", limit)
        for name, limit in zip(_LARGE, _BARE_PRODUCTS.get(threads, ()), strict=False)
    ]
    found += [
        Target("native", "a worked example", "", "time", 1e-6),
        Target("native", "fixed four arrays", "", "time", 0.3e-6),
        Target("native", "fixed ten in containers", "", "time", 2e-6),
        Target("native", "fixed ten in a module", "", "time", 2e-6),
        Target("native", "alternating products", "the sum of both alone", "sum", 1.2),
    ]
    return found


def judge(outcomes: Sequence[Outcome], targets: Sequence[Target] = TARGETS) -> list[Verdict]:
    """Return the verdict on every target of the benchmarks in `outcomes`."""
    found = {(o.benchmark.suite, o.benchmark.name): o for o in outcomes}
    return [
        _judge_one(target, found[target.suite, target.name])
        for target in targets
        if (target.suite, target.name) in found
    ]


def _judge_one(target: Target, outcome: Outcome) -> Verdict:
    title, mine = outcome.benchmark.title, outcome.of(SUBJECT)[0]
    if mine.status != "ok":
        return Verdict(target, title, target.against, None)
    if target.kind == "time":
        return Verdict(target, title, target.against, spread(mine.samples))
    peers = [row for row in _rows_against(target, outcome, mine) if row.status == "ok"]
    if not peers:
        return Verdict(target, title, target.against, None)
    if target.kind == "sum":
        together = np.sum([row.samples for row in peers], axis=0)
        return Verdict(target, title, target.against, spread(mine.samples / together))
    peer = min(peers, key=lambda row: row.median)
    return Verdict(target, title, peer.label, _measured(target, mine, peer))


def _rows_against(target: Target, outcome: Outcome, mine: Row) -> list[Row]:
    """Return the rows that `target` compares `mine` with."""
    if target.kind == "sum":
        return [row for row in outcome.rows if row is not mine]
    if target.against == PEERS:
        return [row for name in PEER_LIBRARIES for row in outcome.of(name)]
    return [row for row in outcome.rows if target.against in (row.library, row.label)]


def _measured(target: Target, mine: Row, peer: Row) -> Spread:
    if target.kind == "speed":
        return spread(peer.samples / mine.samples)
    if target.kind == "ratio":
        return spread(mine.samples / peer.samples)
    return spread(mine.samples - peer.samples)
