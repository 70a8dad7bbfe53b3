"""Every primitive of the registry, against NumPy, differences, itself, and a loop."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

import wengert as wg
import wengert.nn  # enters its primitives in the registry
import wengert.ops
import wengert.scipy.special  # and SciPy's
from wengert.core.primitive import REGISTRY, NotDifferentiable

from . import apply, checks, higher
from .cases import (
    C8,
    C16,
    DISCRETE,
    F4,
    F8,
    INEXACT,
    drawn,
    has_sampler,
    is_broadcasting,
    mixed_cases,
    smooth,
    works_on_integers,
)

for module in iter_modules(wengert.ops.__path__):  # some are imported on first use only
    import_module(f"wengert.ops.{module.name}")

# primitives that no program can apply by itself, with the reason
INTERNAL = {
    "projection": "one output of another primitive, in tapes only",
    "rule_call": "a function of the user's; the tests of custom rules have it",
    **dict.fromkeys(("call", "cond", "loop", "while"), "of programs; tests/control has them"),
}
# the shape of the result depends on values: no shape rule and no batching, and they say so
SHAPED_BY_VALUES = {"nonzero", "unique_positions"}
# constants to derivatives by intent, whatever differences say
CUTS = {"stop_gradient"}
PRIMITIVES = [p for name, p in sorted(REGISTRY.items()) if name not in INTERNAL]
every = pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda p: p.name)


@every
def test_has_a_sampler(primitive):
    assert has_sampler(primitive), "give the record `samples`: no test is generated without"
    assert drawn(primitive, *INEXACT, *DISCRETE), "the sampler gives nothing"


@every
def test_value(primitive):
    for case in [*drawn(primitive, *INEXACT), *mixed_cases(primitive)]:
        checks.check_value(primitive, case)


@every
def test_value_of_integers(primitive):
    """Integers and booleans: NumPy's value, or refused as NumPy refuses them."""
    for case in drawn(primitive, *DISCRETE) if primitive.ufunc else ():
        try:
            with np.errstate(all="ignore"):
                primitive.ufunc(*case.args)
        except (TypeError, ValueError):
            with pytest.raises((wg.errors.WengertError, ValueError)):
                apply.evaluated(primitive, case)
        else:
            checks.check_value(primitive, case)
            checks.check_infer(primitive, case)


@every
def test_infer(primitive):
    for case in [*drawn(primitive, *INEXACT), *mixed_cases(primitive)]:
        if primitive.name in SHAPED_BY_VALUES:
            with pytest.raises(wg.errors.UnsupportedError):
                checks.check_infer(primitive, case)
        elif not higher.has_mask(case):
            checks.check_infer(primitive, case)


@every
def test_forward_beside_differences(primitive):
    for case in smooth(primitive, F8, C16) if primitive.name not in CUTS else ():
        checks.check_forward(primitive, case)


@every
def test_forward_beside_the_complex_step(primitive):
    continued = primitive.extra.get("complex_step", True)
    known = primitive.complex and continued and primitive.name not in CUTS
    for case in smooth(primitive, F8) if known else ():
        checks.check_complex_step(primitive, case)


@every
def test_dot(primitive):
    for case in [*drawn(primitive, *INEXACT), *mixed_cases(primitive)]:
        checks.check_dot(primitive, case)


@every
def test_single_precision(primitive):
    for case in smooth(primitive, F4, C8):
        checks.check_single(primitive, case)


@every
def test_saved(primitive):
    for case in smooth(primitive, F8)[:2]:
        checks.check_saved(primitive, case)


@every
def test_second_order(primitive):
    for case in [*smooth(primitive, F8)[:4], *smooth(primitive, C16)[:2]]:
        higher.check_second_order(primitive, case)
    for case in [*smooth(primitive, F4)[:1], *smooth(primitive, C8)[:1]]:
        higher.check_second_order(primitive, case, differences=False)


@every
def test_batching(primitive):
    if primitive.name in SHAPED_BY_VALUES:
        with pytest.raises(wg.errors.UnsupportedError):
            higher.check_batching(primitive, drawn(primitive, F8)[0])
        return
    for case in drawn(primitive, F8, C16):
        higher.check_batching(primitive, case)
    for case in drawn(primitive, F8)[:1]:
        higher.check_batching(primitive, case, size=1)


@every
def test_batched_derivatives(primitive):
    for case in [*smooth(primitive, F8)[:3], *smooth(primitive, C16)[:1]]:
        higher.check_batched_gradient(primitive, case)


@every
def test_absorbs(primitive):
    """Promised through elementwise operations, reductions, indexing; not through products."""
    if primitive.spreads and primitive.name != "absorb":  # which has its own adjoint by absorption
        for case in smooth(primitive, F8)[:3]:
            higher.check_absorbs(primitive, case)


ELEMENTWISE = [
    p for p in PRIMITIVES if is_broadcasting(p) and p.samples is None and not works_on_integers(p)
]


@pytest.mark.parametrize("primitive", ELEMENTWISE, ids=lambda p: p.name)
def test_edges(primitive):
    """0, ties, and the ends of the domain."""
    xs = higher.edges(primitive)
    if xs[0].size:
        higher.check_edges(primitive, xs)


@every
def test_record(primitive):
    """The record is filled in: a summary for the documentation, rules or reasons."""
    assert primitive.doc.summary.endswith(".")
    assert callable(primitive.pull)
    assert callable(primitive.jvp)
    assert callable(primitive.batch)
    if isinstance(primitive.pull, NotDifferentiable):
        assert primitive.pull.why
