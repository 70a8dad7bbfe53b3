"""Kernels for the tests: of one program, whatever it costs, and how close their results must be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.aval import aval_of
from wengert.core.primitive import Primitive
from wengert.core.program import Equation, Literal, Program, Var
from wengert.static.llvm.blueprint import load
from wengert.static.llvm.builtin import bind
from wengert.static.llvm.native_program import Draft
from wengert.static.llvm.preparing import why_not
from wengert.static.observe import observe
from wengert.static.plan import Plan, fuse
from wengert.static.views import is_view

POLYNOMIALS = frozenset({"exp", "log", "tanh", "sigmoid", "sin", "cos", "power"})


def single(primitive: Primitive, values: Sequence[Any], params: Any, literal: bool) -> Program:
    """One application as a program; with ``literal`` Python's numbers stand in it."""
    atoms: list[Any] = []
    for value in values:
        written = literal and type(value) in (int, float)
        atoms.append(Literal(value) if written else Var(aval_of(value)))
    made = primitive.infer(*[atom.aval for atom in atoms], **params)
    assert not isinstance(made, tuple)
    equation = Equation(primitive, tuple(atoms), (Var(made),), params)
    inputs = tuple(atom for atom in atoms if isinstance(atom, Var))
    return Program(inputs, (equation,), equation.outputs)


def draft_of(program: Program, values: Sequence[Any], strict: bool) -> tuple[Draft, Any]:
    """The kernel's text for these values, and what NumPy gives for them."""
    results, known = observe(program, values)
    return Draft(program, known, strict), results


def make_kernels(drafts: Sequence[Draft], fallbacks: Sequence[Any]) -> list[Any]:
    """A builtin for each draft; ``fallbacks`` run what it was not made for."""
    programs = load([draft.blueprint() for draft in drafts])
    return [bind(program, fall) for program, fall in zip(programs, fallbacks, strict=True)]


def plan_of(program: Program, strict: bool = True) -> Plan:
    """The groups of a program."""
    return fuse(program, lambda eqn: "" if is_view(eqn) else why_not(eqn, strict))


def same(got: Any, want: Any) -> bool:
    """The same object but for its place in memory: type, dtype, shape, strides, bits; all NaN
    being one.
    """
    if type(got) is not type(want):
        return False
    a, b = np.asarray(got), np.asarray(want)
    if (a.dtype, a.shape, a.strides) != (b.dtype, b.shape, b.strides):
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    signs = np.array_equal(np.signbit(a)[a == a], np.signbit(b)[b == b])
    return signs and bool(np.array_equal(a, b, equal_nan=True))


def within(got: Any, want: Any, ulps: float) -> bool:
    """Whether a result is as close as ``ulps`` to ``want``, which is more precise, and has its
    special values.
    """
    a = np.asarray(got)
    wide = np.asarray(want)
    with np.errstate(all="ignore"):
        b = wide.astype(a.dtype)
        step = np.spacing(np.where(np.isfinite(b), np.abs(b), 1).astype(a.dtype))
        close = np.abs(a.astype(wide.dtype) - wide) <= ulps * step.astype(wide.dtype)
    return bool(np.all(close | (a == b) | (np.isnan(a) & np.isnan(b))))
