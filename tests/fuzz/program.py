"""A drawn program as data: statements, what it gives back, and the arguments of several calls.

It can be printed as a Python program that runs by itself, and be made smaller (``shrink.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

import wengert as wg

Arguments = dict[str, Any]

# traits: what a program does that some way of running it can't follow
BRANCHES = "branches on values"
MASKS = "has shapes that depend on values"
POSITIONS = "indexes with computed positions"
HOLDS_SCALARS = "holds values without axes"
WRITES_SCALARS = "writes into arrays without axes"
WRITES_ARGUMENTS = "writes into its arguments"


@dataclass(frozen=True)
class Program:
    """A function of named arguments that gives a container of arrays.

    Attributes:
        seed: what it was drawn from.
        statements: each one or more lines; in their order the body.
        results: the names that it gives back.
        inputs: the arguments of several calls, equal in structure, shapes and dtypes.
        traits: a set of the traits above.
    """

    seed: int
    statements: tuple[str, ...]
    results: tuple[str, ...]
    inputs: tuple[Arguments, ...]
    traits: frozenset[str] = frozenset()

    @property
    def source(self) -> str:
        """The definition of ``f``."""
        lines = [line for statement in self.statements for line in statement.split("\n")]
        lines.append(f"return {given_back(self.results)}")
        head = f"def f({', '.join(self.inputs[0])}):"
        return "\n".join([head, *(f"    {line}" for line in lines)]) + "\n"

    @cached_property
    def function(self) -> Callable[..., Any]:
        scope: dict[str, Any] = {"np": np}
        exec(compile(self.source, f"<program {self.seed}>", "exec"), scope)
        return scope["f"]

    def arguments(self, call: int = 0) -> Arguments:
        """Copies of the arguments of a call."""
        return copied(self.inputs[call])

    def without_unused(self) -> Program:
        """The program without arguments that its text does not name."""
        text = "\n".join([*self.statements, *self.results])
        used = [name for name in self.inputs[0] if re.search(rf"\b{name}\b", text)]
        kept = tuple({name: one[name] for name in used} for one in self.inputs)
        return replace(self, inputs=kept) if used else self

    def report(self, problem: str, recipe: str) -> str:
        """What went wrong, and a Python program that shows it; ``recipe``: its last lines."""
        given = [f"inputs = [{', '.join(written(one) for one in self.inputs)}]"]
        head = "import numpy as np\nimport wengert as wg\n"
        return "\n".join([f"seed {self.seed}: {problem}", "", head, self.source, *given, recipe])


def given_back(names: Sequence[str]) -> str:
    """The container of results: a dict, a tuple in it, a list in that."""
    if len(names) == 1:
        return names[0]
    first, *rest = names
    if len(rest) == 1:
        return f'{{"first": {first}, "rest": ({rest[0]},)}}'
    return f'{{"first": {first}, "rest": ({rest[0]}, [{", ".join(rest[1:])}])}}'


def copied(value: Any) -> Any:
    """``value`` with arrays of its own."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return value


def written(value: Any) -> str:
    """``value`` as Python text."""
    if isinstance(value, np.ndarray):
        empty = f".reshape({value.shape})" if 0 in value.shape else ""
        return f"np.array({value.tolist()}, np.{value.dtype}){empty}"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {written(item)}' for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + "".join(f"{written(item)}, " for item in value) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return repr(value)


def leaves(tree: Any) -> list[Any]:
    """The leaves of a container."""
    return wg.tree.flatten(tree)[0]


def kind(leaf: Any) -> str:
    """``f`` real, ``c`` complex, ``i``, ``u``, ``b`` without derivative."""
    return (leaf.dtype if hasattr(leaf, "dtype") else np.dtype(type(leaf))).kind


def weights(shape: tuple[int, ...], number: int) -> np.ndarray:
    return np.cos(np.arange(int(np.prod(shape)), dtype=float) + number).reshape(shape)


def weighted(results: Any) -> Any:
    """A real scalar that depends on every number in ``results``."""
    total: Any = 0.0
    for number, leaf in enumerate(leaves(results)):
        weight = weights(np.shape(leaf), number)
        if kind(leaf) == "c":
            total = total + np.sum(leaf.real * weight) + 0.5 * np.sum(leaf.imag * weight)
        elif kind(leaf) == "f":
            total = total + np.sum(leaf * weight)
    return total


def loss(function: Callable[..., Any]) -> Callable[[Arguments], Any]:
    """A real scalar of all arguments in one container."""
    return lambda arguments: weighted(function(**arguments))


def numbers(value: Any) -> Iterator[np.ndarray]:
    """The leaves as plain arrays."""
    for leaf in leaves(value):
        yield leaf.numpy() if isinstance(leaf, wg.Array) else np.asarray(leaf)
