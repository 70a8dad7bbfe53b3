"""Faults are planted in primitives of every family, in the sweep, in forward mode, in batching and
in changes in place; the checks of the generated and the random tests must fail for each.

A fault is a broken twin of a record, or a part of the engine replaced while the checks run. Each
names the checks that must see it; the same checks pass for what is whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import faults.elementwise  # enters its faults
import faults.others  # noqa: F401
from faults.engine import IN_PLACE
from faults.planting import FAULTS, Check
from fuzz.agree import CHECKS
from fuzz.draw import WRITES, draw
from primitives import checks, higher
from wengert.core.primitive import REGISTRY, Primitive


def failing(check: Check, primitive: Primitive, cases: list[Any]) -> int:
    """In how many of the cases the check fails."""
    count = 0
    for case in cases:
        try:
            check(primitive, case)
        except Exception:
            count += 1
    return count


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name, monkeypatch):
    planted = FAULTS[name]
    whole = REGISTRY[planted.of]
    cases = {check: planted.cases(whole, check) for check in planted.by}
    for check in planted.by:
        assert not failing(check, whole, cases[check]), f"{check.__name__} fails without the fault"
    twin = planted.plant(monkeypatch, whole)
    blind = [check.__name__ for check in planted.by if not failing(check, twin, cases[check])]
    assert not blind, f"{name} is not seen by {blind}"


def test_every_family_and_every_check_has_its_faults():
    families_hit = {REGISTRY[planted.of].family for planted in FAULTS.values()}
    assert families_hit == {primitive.family for primitive in REGISTRY.values()}
    checks_used = {check for planted in FAULTS.values() for check in planted.by}
    for module in (checks, higher):
        written = {getattr(module, name) for name in dir(module) if name.startswith("check_")}
        assert written - {higher.check_edges} <= checks_used, "a check without a fault that it sees"


def test_modes_that_differ_at_a_kink_are_seen():
    relu = REGISTRY["relu"]
    higher.check_edges(relu, higher.edges(relu))
    twin = replace(relu, jvp=lambda y, xs, dxs, params: (xs[0] >= 0) * dxs[0])
    with pytest.raises(AssertionError):
        higher.check_edges(twin, higher.edges(twin))


@pytest.mark.parametrize("plant", IN_PLACE, ids=lambda plant: plant.__name__)
def test_drawn_programs_see_a_fault_in_place(plant, monkeypatch):
    check, kinds = CHECKS[IN_PLACE[plant]], [*WRITES, *WRITES, "move", "read"]
    plant(monkeypatch)
    for seed in range(100):
        try:
            check(draw(seed + 10**6, kinds))
        except Exception:
            return
    raise AssertionError("100 drawn programs did not see it")
