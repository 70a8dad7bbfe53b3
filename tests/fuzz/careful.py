"""Drafts of programs whose values have any dtype, with arguments in containers.

The statements of ``draw.py``, with the care that dtypes need; ``compose.py`` adds more of them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .draw import LARGEST, Draft, Rejected
from .program import (
    MASKS,
    POSITIONS,
    WRITES_ARGUMENTS,
    WRITES_SCALARS,
    Arguments,
    copied,
    leaves,
)
from .templates import SHAPES


class Spoiled(Exception):
    """A statement failed half way; nothing is known of the values now."""


def drawn_arguments(
    rng: np.random.Generator, shape: tuple[int, ...], names: list[str]
) -> Arguments:
    """Values for the arguments called ``names``; the same names give the same types."""
    values: dict[str, Callable[[], Any]] = {
        "x": lambda: rng.uniform(-1.5, 1.5, shape),
        "z": lambda: rng.uniform(0.3, 1.2, ()),
        "y": lambda: rng.uniform(-1.2, 1.2, (2, 1)),
        "p": lambda: {"w": rng.uniform(-1, 1, (3,)), "b": (rng.uniform(-1, 1, (2, 2)), 0.75)},
        "k": lambda: rng.integers(-3, 4, shape),
        "m": lambda: rng.random(shape) < 0.6,
        "s": lambda: rng.uniform(-1, 1, (3,)).astype(np.float32),
        "c": lambda: rng.uniform(-1, 1, (2,)) + 1j * rng.uniform(-1, 1, (2,)),
        "t": lambda: round(float(rng.uniform(0.2, 1.8)), 2),
        "n": lambda: int(rng.integers(1, 4)),
    }
    return {name: values[name]() for name in names}


class Careful(Draft):
    """A program under way, with more kinds of arguments."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rng = np.random.default_rng([2025, seed])
        self.shape = self.pick([(3,), (2, 3), (4,)])
        extra = ["z", "y", "p", "p", "k", "m", "s", "c", "t", "n"]
        picked = {self.pick(extra) for _ in range(int(self.rng.integers(0, 4)))}
        self.arguments = drawn_arguments(self.rng, self.shape, ["x", *sorted(picked)])
        self.first = copied(self.arguments)
        self.names = dict(self.arguments)
        self.numbers = {"t", "n", "q"}  # Python's, and what is made of them alone
        self.statements: list[str] = []
        self.traits: set[str] = set()
        self.may_write_arguments = self.rng.random() < 0.15
        if "p" in picked:
            del self.names["p"]
            self.statements.append('w, (b, q) = p["w"], p["b"]')
            w, (b, q) = self.arguments["p"].values()
            self.names |= {"w": w, "b": b, "q": q}

    # --- as in Draft, for values of any dtype -----------------------------------------------------

    def value(self, expression: str) -> Any:
        try:
            value = super().value(expression)
        except (TypeError, OverflowError) as error:
            raise Rejected from error
        if np.asarray(value).dtype == np.float16:  # of booleans: too coarse to compare
            raise Rejected
        return value

    def clear(self, expression: str) -> None:
        if np.iscomplexobj(self.value(expression)):
            raise Rejected
        super().clear(expression)

    def atom(self, shape: tuple[int, ...]) -> str:
        """No booleans: NumPy computes with them in half precision."""
        atom = super().atom(shape)
        if np.asarray(self.value(atom)).dtype == bool:
            raise Rejected
        return atom

    def own(self, ndim: int = 0) -> str:
        given = [leaf for leaf in leaves(self.arguments) if isinstance(leaf, np.ndarray)]

        def fits(v: Any) -> bool:
            if not isinstance(v, np.ndarray) or v.ndim < ndim or not v.flags.writeable:
                return False
            if v.size == 0 or v.dtype.kind not in "fc":
                return False
            if not any(np.shares_memory(v, argument) for argument in given):
                return True
            return self.may_write_arguments and v.ndim > 0

        name = self.some(fits)
        if name in self.numbers:  # a plain array, which can't take a derivative
            raise Rejected
        if any(np.shares_memory(self.names[name], argument) for argument in given):
            self.traits.add(WRITES_ARGUMENTS)
        return name

    def run(self, *lines: str) -> None:
        """Do what the statement says, and keep it."""
        statement = "\n".join(lines)
        read = set(re.findall(r"\w+", statement)) & self.names.keys()
        if read <= self.numbers:
            self.numbers |= {f"v{self.count}"}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # a part would be cut off
            try:
                exec(statement, {"np": np}, self.names)
            except Exception as error:
                raise Spoiled from error
        for name in ("i", "j", "row", "part"):
            self.names.pop(name, None)
        for name in [name for name, v in self.names.items() if isinstance(v, dict | tuple | list)]:
            del self.names[name]
        self.statements.append(statement)

    def castable(self, expression: str, name: str) -> None:
        """Reject writes that would lose something: NumPy cuts silently there."""
        value = np.asarray(self.value(expression))
        if not np.can_cast(value.dtype, self.names[name].dtype, "same_kind"):
            raise Rejected

    # --- statements of Draft that need more care --------------------------------------------------

    def assign(self) -> None:
        """Never a constant: derivatives can't be written into an array made of it."""
        expression = self.expression(self.pick(SHAPES))
        self.value(expression)
        if not set(re.findall(r"\w+", expression)) & self.names.keys():
            raise Rejected
        self.run(f"{self.fresh()} = {expression}")

    def largest(self) -> None:
        if any(np.iscomplexobj(value) for value in self.names.values()):
            raise Rejected
        super().largest()
        if "np.sort" in self.statements[-1]:
            self.traits.add(POSITIONS)

    def read_mask(self) -> None:
        super().read_mask()
        self.traits.add(MASKS)

    def write(self) -> None:
        name = self.own(1)
        target = f"{name}[{self.index(self.names[name].shape)}]"
        value = self.expression(np.shape(self.value(target)))
        self.castable(value, name)
        self.run(f"{target} = {value}")

    def write_mask(self) -> None:
        name = self.own(1)
        self.clear(f"{name} - 0.1")
        value = self.atom(())
        self.castable(value, name)
        self.traits.add(POSITIONS)
        if self.rng.random() < 0.5:
            self.traits.add(MASKS)
            self.run(f"{name}[{name} > 0.1] *= 0.5")
        else:
            self.run(f"{name}[{name} > 0.1] = {value}")

    def update(self) -> None:
        name = self.own(0)
        target = name
        if self.names[name].ndim and self.rng.random() < 0.5:
            target = f"{name}[{self.index(self.names[name].shape)}]"
        operator = self.pick(["+=", "-=", "*=", "/="])
        value = self.expression(np.shape(self.value(target)), 1)
        if operator == "/=":
            value = f"(1.5 + np.sin({value}))"
        self.castable(f"{target} {operator[0]} ({value})", name)
        if not self.names[name].ndim:
            self.traits.add(WRITES_SCALARS)
        self.run(f"{target} {operator} {value}")

    def out(self) -> None:
        name = self.own(1)
        shape = self.names[name].shape
        a, b = self.expression(shape, 1), self.expression(shape, 1)
        operation = self.pick(["add", "multiply", "subtract"])
        self.castable(f"np.{operation}({a}, {b})", name)
        target = name if self.rng.random() < 0.6 else f"{name}[::-1]"
        self.run(f"np.{operation}({a}, {b}, out={target})")

    def copyto(self) -> None:
        name = self.own(1)
        value = self.expression(self.names[name].shape, 1)
        self.clear(f"{name} - 0.2")
        self.castable(value, name)
        self.run(f"np.copyto({name}, {value}, where={name} > 0.2)")

    def add_at(self) -> None:
        name = self.own(1)
        n = self.names[name].shape[0]
        picks = [int(k) for k in self.rng.integers(0, n, 3)]
        value = self.expression(np.shape(self.names[name])[1:], 1)
        self.castable(value, name)
        if not np.all(np.abs(self.value(value)) < LARGEST / 4):
            raise Rejected
        self.run(f"np.add.at({name}, {picks}, {value})")

    def loop(self) -> None:
        name = self.own(1)
        if self.names[name].shape[0] < 2:
            raise Rejected
        value = self.atom(self.names[name].shape[1:])
        self.castable(value, name)
        line = f"    {name}[i] = 0.5 * np.sin({name}[i - 1]) + {value}"
        self.run(f"for i in range(1, len({name})):", line)
