"""Makes a program that fails smaller while it fails in the same way.

Tried in turn, as long as something helps: give back less, leave out statements, put a part of an
expression, or a number, in its place, and simpler numbers in the arguments.
"""

from __future__ import annotations

import ast
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import wengert as wg

from .program import Program, leaves
from .trial import Mismatch, Trial, attempt

SECONDS = 20.0


def failure(program: Program, name: str) -> Mismatch | None:
    """How the program fails in a mode; None where it does not, or does not even run on NumPy."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of candidates like 1.0[0]
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            trial = Trial(program)
        finite = all(np.all(np.isfinite(part)) for part in trial.oracle(0)[0])
    except Exception:
        return None
    if not finite:
        return None
    try:
        attempt(name, trial)
    except Mismatch as mismatch:
        return mismatch
    return None


def shrink(program: Program, found: Mismatch, seconds: float = SECONDS) -> tuple[Program, Mismatch]:
    """The smallest program found that fails with the same key, and how it fails."""
    deadline = time.monotonic() + seconds
    helped = True
    while helped:
        helped = False
        for smaller in candidates(program):
            if time.monotonic() > deadline:
                return program, found
            again = failure(smaller, found.key[0])
            if again is not None and again.key == found.key:
                program, found, helped = smaller, again, True
                break
    return program, found


def candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, the much smaller ones first."""
    yield from fewer_results(program)
    for k in reversed(range(len(program.statements))):
        kept = program.statements[:k] + program.statements[k + 1 :]
        yield replace(program, statements=kept).without_unused()
    if len(program.inputs) > 1:
        yield replace(program, inputs=program.inputs[:1])
        yield replace(program, inputs=program.inputs[:-1])
    for k, statement in enumerate(program.statements):
        for simpler in simpler_statements(statement):
            kept = (*program.statements[:k], simpler, *program.statements[k + 1 :])
            yield replace(program, statements=kept).without_unused()
    yield from simpler_inputs(program)


def fewer_results(program: Program) -> Iterator[Program]:
    """Half of the results, all but one, an argument in place of them."""
    names = program.results
    for name in program.inputs[0]:
        if names[0] not in program.inputs[0] and isinstance(program.inputs[0][name], np.ndarray):
            yield replace(program, results=(name,)).without_unused()
    if len(names) > 1:
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            yield replace(program, results=half).without_unused()
        for k in range(len(names)):
            yield replace(program, results=names[:k] + names[k + 1 :]).without_unused()


# --- simpler text ---------------------------------------------------------------------------------


def simpler_statements(statement: str) -> Iterator[str]:
    """The statement with one expression in it replaced by a part of itself; or its body alone."""
    try:
        tree = ast.parse(statement)
    except SyntaxError:  # an early return
        return
    for node in tree.body:
        if isinstance(node, ast.If | ast.For | ast.While):
            yield "\n".join(ast.unparse(inner) for inner in node.body)
        if isinstance(node, ast.If) and node.orelse:
            yield "\n".join(ast.unparse(inner) for inner in node.orelse)
    if len(tree.body) > 1:
        for k in range(len(tree.body)):
            yield "\n".join(ast.unparse(n) for n in tree.body[:k] + tree.body[k + 1 :])
    places = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    for number, place in enumerate(places):
        if isinstance(getattr(place, "ctx", None), ast.Store):
            continue
        for part in parts(place):
            yield ast.unparse(Replacing(number, part).visit(ast.parse(statement)))


def parts(node: ast.expr) -> Iterator[ast.expr]:
    """Expressions that may stand for ``node``: those it is made of, and 1."""
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.Call):
        yield from node.args
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
    elif isinstance(node, ast.Subscript | ast.Attribute):
        yield node.value
    if isinstance(node, ast.BinOp | ast.Call | ast.Subscript | ast.IfExp):
        yield ast.Constant(1.0)


class Replacing(ast.NodeTransformer):
    """Puts an expression in the place of the one that ``ast.walk`` meets as number ``number``."""

    def __init__(self, number: int, by: ast.expr) -> None:
        self.number, self.by = number, by
        self.target: ast.AST | None = None

    def visit(self, node: ast.AST) -> Any:
        if self.target is None:
            self.target = [n for n in ast.walk(node) if isinstance(n, ast.expr)][self.number]
        return self.by if node is self.target else super().generic_visit(node)


# --- simpler numbers ------------------------------------------------------------------------------


def simpler_inputs(program: Program) -> Iterator[Program]:
    """Arguments of fewer digits, then of small whole numbers, then all ones."""

    def ones(leaf: Any) -> Any:
        return np.ones_like(leaf) if isinstance(leaf, np.ndarray) else type(leaf)(1)

    def whole(leaf: Any) -> Any:
        count = np.arange(1, np.size(leaf) + 1).reshape(np.shape(leaf))
        return count.astype(leaf.dtype) if isinstance(leaf, np.ndarray) else leaf

    def rounded(leaf: Any) -> Any:
        return (
            np.round(leaf, 1) if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc" else leaf
        )

    for simpler in (ones, whole, rounded):
        inputs = tuple(wg.tree.map(simpler, one) for one in program.inputs)
        if not any(differs(a, b) for a, b in zip(inputs, program.inputs, strict=True)):
            return  # as simple as this already; the next ones are less so
        yield replace(program, inputs=inputs)


def differs(a: Any, b: Any) -> bool:
    return any(not np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))
