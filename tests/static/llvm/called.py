"""Programs of one call for the tests: alone, and inside of others, where memory is used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.aval import aval_of
from wengert.core.primitive import Primitive
from wengert.core.program import Equation, Literal, Program, Var
from wengert.core.quiet import quiet
from wengert.ops.arithmetic import copy

from .build import draft_of, make_kernels, same


class Fell(Exception):
    """NumPy was asked to run the call."""


def program(
    primitive: Primitive,
    values: Sequence[Any],
    params: dict[str, Any],
    fixed: Sequence[int] = (),
    inside: bool = False,
) -> Program:
    """``primitive`` applied to ``values``, those numbered in ``fixed`` being constants, or numbers
    written into it; ``inside``: between copies of its first argument and its first result.
    """
    with quiet():
        results = primitive.value(*values, **params)
    results = results if type(results) is tuple else (results,)
    atoms: list[Any] = [Var(aval_of(value)) for value in values]
    constants = {}
    for i in fixed:
        if isinstance(values[i], np.ndarray):
            constants[atoms[i]] = values[i]
        else:
            atoms[i] = Literal(values[i])
    made = tuple(Var(aval_of(result)) for result in results)
    equations, given = [Equation(primitive, tuple(atoms), made, params)], list(atoms)
    outputs = made
    if inside:
        first, last = Var(atoms[0].aval), Var(made[0].aval)
        before = Equation(copy, (atoms[0],), (first,), {"order": "K"})
        here = Equation(primitive, (first, *atoms[1:]), made, params)
        after = Equation(copy, (made[0],), (last,), {"order": "K"})
        equations, outputs = [before, here, after], (last, *made[1:])
    inputs = tuple(a for a in given if isinstance(a, Var) and a not in constants)
    return Program(inputs, tuple(equations), outputs, constants).check()


def runs(
    primitive: Primitive,
    values: Sequence[Any],
    params: dict[str, Any] | None = None,
    fixed: Sequence[int] = (),
    strict: bool = True,
) -> None:
    """Assert that the native program gives NumPy's bits, alone and between copies, twice."""

    def fall(*given: Any) -> Any:
        raise Fell

    for inside in (False, True):
        if inside and (0 in fixed or type(values[0]) in (int, float, complex)):
            continue
        one = program(primitive, values, params or {}, fixed, inside)
        given = [v for i, v in enumerate(values) if i not in fixed]
        kept = [np.array(v) for v in given]
        draft, wanted = draft_of(one, given, strict)
        (call,) = make_kernels([draft], [fall])
        for _ in range(2):
            got = call(*given)
            got = got if isinstance(got, tuple) else (got,)
            for a, b in zip(got, wanted, strict=True):
                assert alike(a, b), (primitive.name, params, inside, a, b)
        assert all(
            np.array_equal(a, b, equal_nan=b.dtype.kind in "fc")
            for a, b in zip(given, kept, strict=True)
        )


def alike(got: Any, want: Any) -> bool:
    """Whether two results are the same, but for the strides of axes of length 1."""
    if type(got) is np.ndarray and got.shape == np.shape(want):
        got, want = np.squeeze(got), np.squeeze(want)
    return same(got, want)


def falls(primitive: Primitive, values: Sequence[Any], other: Sequence[Any], params: Any) -> None:
    """Assert that a program made for ``values`` asks NumPy to run ``other``."""
    fallen: list[Any] = []
    draft, _ = draft_of(program(primitive, values, params), values, True)
    (call,) = make_kernels([draft], [lambda *given: fallen.append(given)])
    call(*other)
    assert len(fallen) == 1
