"""What a planted fault is, and the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from primitives import checks
from primitives.cases import F8, mixed_cases, smooth
from wengert.core.primitive import Doc, Interval, Primitive
from wengert.ops import families

Plant = Callable[[pytest.MonkeyPatch, Primitive], Primitive]
Check = Callable[[Primitive, Any], Any]


@dataclass(frozen=True)
class Fault:
    """``plant`` breaks primitive ``of``, or what it rests on; every check ``by`` must see that."""

    of: str
    plant: Plant
    by: tuple[Check, ...]
    dtypes: tuple[Any, ...] = (F8,)

    def cases(self, primitive: Primitive, check: Check) -> list[Any]:
        """What the generated tests give to the check."""
        mixed = mixed_cases(primitive) if check in TAKE_MIXED else []
        return [*smooth(primitive, *self.dtypes), *mixed]


TAKE_MIXED = {checks.check_value, checks.check_infer, checks.check_dot}
FAULTS: dict[str, Fault] = {}


def fault(of: str, *by: Check, dtypes: tuple[Any, ...] = (F8,)) -> Callable[[Plant], Plant]:
    """Enter the decorated planter under its name."""

    def enter(plant: Plant) -> Plant:
        FAULTS[f"{plant.__name__} in {of}"] = Fault(of, plant, by, dtypes)
        return plant

    return enter


def scaled(pull: Callable[..., Any], factor: float, of: int | None = None) -> Callable[..., Any]:
    """``pull`` with the adjoint of one input, or all, off by ``factor``."""

    def wrong(i: int, gy: Any, node: Any, masked: bool) -> Any:
        g = pull(i, gy, node, masked)
        return g * factor if g is not None and of in (None, i) else g

    return wrong


def rebuilt(
    patch: pytest.MonkeyPatch, family: Callable[..., Primitive], **fields: Any
) -> Primitive:
    """A primitive of the family that does not enter the registry."""
    with patch.context() as quietly:
        quietly.setattr(families, "define", lambda primitive: primitive)
        return family(doc=Doc("A twin.", (Interval(0.3, 3.0),) * 2), **fields)
