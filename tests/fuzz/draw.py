"""Draws plain NumPy programs: expressions, reductions, indexing, masks, views, writes through them.

The program is written while it runs: each statement is tried on real numbers and kept if all of
them stay finite, moderate, and clear of kinks, so that differences of the whole program are smooth.
What aliases what is NumPy's business; a statement is drawn without a thought of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .templates import BINARY, KINKED, MOVED, REDUCED, SHAPES, UNARY

LARGEST = 8.0
CLEAR = 0.02  # how far from a kink all values must stay


class Rejected(Exception):
    """The statement drawn does not fit; draw another."""


@dataclass(frozen=True)
class Program:
    """``source`` defines ``f(x, z)``, a real scalar. ``batchable``: it reads no single value."""

    seed: int
    source: str
    x: np.ndarray
    z: np.ndarray
    batchable: bool

    @property
    def function(self) -> Callable[..., Any]:
        scope: dict[str, Any] = {"np": np}
        exec(compile(self.source, f"<program {self.seed}>", "exec"), scope)
        return scope["f"]

    def report(self, problem: str) -> str:
        """A program that can be pasted into Python and run."""
        return (
            f"seed {self.seed}: {problem}\n\n"
            f"import numpy as np\nimport wengert as wg\n\n{self.source}\n"
            f"x = np.array({self.x.tolist()})\nz = np.array({self.z.tolist()})\n"
            "print(f(x, z), wg.grad(f, argnums=(0, 1))(x, z))\n"
        )


@dataclass
class Draft:
    """A program under way. ``names``: its variables and their values now."""

    seed: int
    size: int = 8
    lines: list[str] = field(default_factory=list)
    batchable: bool = True

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([2024, self.seed])
        self.x = self.rng.uniform(-1.5, 1.5, self.pick([(3,), (2, 3), (4,)]))
        self.z = self.rng.uniform(0.3, 1.2, self.pick([(), (2, 1), (3,)]))
        self.names: dict[str, Any] = {"x": self.x.copy(), "z": self.z.copy()}
        self.count = 0

    # --- choices ----------------------------------------------------------------------------------

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def number(self) -> str:
        return repr(round(float(self.rng.uniform(0.2, 1.9)), 2))

    def some(self, test: Callable[[Any], bool] = lambda value: True) -> str:
        """A variable whose value passes ``test``."""
        fitting = [name for name, value in self.names.items() if test(value)]
        if not fitting:
            raise Rejected
        return self.pick(fitting)

    def array(self, ndim: int = 1) -> str:
        return self.some(lambda v: np.ndim(v) >= ndim and np.size(v) > 0)

    def own(self, ndim: int = 0) -> str:
        """An array that may be written into: not an argument, nor a view of one."""
        arguments = (self.names["x"], self.names["z"])
        return self.some(
            lambda v: (
                isinstance(v, np.ndarray)
                and v.ndim >= ndim
                and v.flags.writeable
                and v.size > 0
                and not any(np.shares_memory(v, argument) for argument in arguments)
            )
        )

    # --- expressions ------------------------------------------------------------------------------

    def value(self, expression: str) -> Any:
        """The value of a pure expression, if it is one that a program may hold."""
        with np.errstate(all="raise"):
            try:
                value = eval(expression, {"np": np}, self.names)
            except (FloatingPointError, ValueError, IndexError) as error:
                raise Rejected from error
        if np.size(value) > 24 or not np.all(np.abs(value) < LARGEST):
            raise Rejected
        return value

    def clear(self, expression: str) -> None:
        if not np.all(np.abs(self.value(expression)) > CLEAR):
            raise Rejected

    def atom(self, shape: tuple[int, ...]) -> str:
        """A variable that broadcasts to ``shape``, a part of one, or a number."""

        def fits(v: Any) -> bool:
            try:
                return np.broadcast_shapes(np.shape(v), shape) == shape
            except ValueError:
                return False

        if self.rng.random() < 0.15:
            return self.number()
        if self.rng.random() < 0.75:
            return self.some(fits)
        name = self.array()
        index = ", ".join(str(self.rng.integers(-n, n)) for n in self.names[name].shape)
        return f"{name}[{index}]"

    def expression(self, shape: tuple[int, ...], depth: int = 2) -> str:
        """Something that broadcasts to ``shape``, with variables in it."""
        if depth == 0 or self.rng.random() < 0.2:
            return self.atom(shape)
        parts = {key: self.expression(shape, depth - 1) for key in "abc"}
        kind = self.rng.random()
        if kind < 0.2:
            template, kink = self.pick(KINKED)
            self.clear(kink.format(**parts))
        else:
            template = self.pick(UNARY if kind < 0.5 else BINARY)
        expression = template.format(**parts)
        self.value(expression)
        return expression

    def index(self, shape: tuple[int, ...], advanced: bool = True) -> str:
        """An index of an array of ``shape``."""
        entries = []
        for n in shape[: int(self.rng.integers(1, len(shape) + 1))]:
            i = int(self.rng.integers(n))
            options = [str(i), f"{i - n}", ":", f"{i}:", "::-1", f":{i + 1}", "::2"]
            if advanced and not any("[" in entry for entry in entries):
                picks = [int(k) for k in self.rng.integers(-n, n, 3)]
                options += [f"{picks}", f"{sorted({p % n for p in picks})}"]
            entries.append(self.pick(options))
        if self.rng.random() < 0.15:
            entries.append("...")
        return ", ".join(entries)

    # --- statements -------------------------------------------------------------------------------

    def run(self, *lines: str) -> None:
        """Keep the statement, and do what it says."""
        exec("\n".join(lines), {"np": np}, self.names)
        self.names.pop("i", None)
        self.lines += lines

    def assign(self) -> None:
        expression = self.expression(self.pick(SHAPES))
        self.value(expression)
        self.run(f"{self.fresh()} = {expression}")

    def reduce(self) -> None:
        name = self.array()
        axis = self.pick([None, *range(-np.ndim(self.names[name]), np.ndim(self.names[name]))])
        expression = self.pick(REDUCED).format(v=name, axis=axis)
        if "where" in expression:
            self.clear(f"{name} - 0.1")
        self.value(expression)
        self.run(f"{self.fresh()} = {expression}")

    def largest(self) -> None:
        name = self.array()
        ordered = np.sort(self.names[name], axis=None)
        if len(ordered) > 1 and np.min(np.diff(ordered)) < CLEAR:
            raise Rejected
        function = self.pick(["np.max({v}, axis=-1)", "np.min({v})", "np.sort({v}, axis=-1)"])
        self.run(f"{self.fresh()} = {function.format(v=name)}")

    def move(self) -> None:
        expression = self.pick(MOVED).format(v=self.array())
        self.value(expression)
        self.run(f"{self.fresh()} = {expression}")

    def multiply(self) -> None:
        a, b = self.array(), self.array()
        expression = f"{a} @ {b}"
        self.value(expression)
        self.run(f"{self.fresh()} = {expression}")

    def read(self) -> None:
        name = self.array()
        expression = f"{name}[{self.index(np.shape(self.names[name]))}]"
        self.value(expression)
        self.run(f"{self.fresh()} = {expression}")

    def read_mask(self) -> None:
        name = self.array()
        self.clear(name)
        expression = f"np.sum({name}[{name} > 0] ** 2)"
        self.value(expression)
        self.batchable = False
        self.run(f"{self.fresh()} = {expression}")

    def make(self) -> None:
        """An array of the program's own."""
        shape = self.pick(SHAPES[1:])
        name = self.fresh()
        made = [f"{name} = np.zeros_like(x, shape={shape})", f"{name} = {self.array()} * 1.0"]
        self.run(self.pick([*made, f"{name} = {self.array()}.copy()"]))

    def look(self) -> None:
        """A view, if NumPy makes one."""
        name = self.own(1)
        shape = self.names[name].shape
        index = self.index(shape, advanced=False)
        looks = [f"{name}[{index}]", f"{name}.T", f"{name}.reshape(-1)", f"{name}[::-1]"]
        looks += [f"{name}.T.reshape(-1)", f"{name}[..., ::-1].reshape(-1)"]
        looks += [f"{name}[..., None]", f"{name}[0, ...]"]
        looks += [f"{name}.reshape(1, {np.size(self.names[name])})"]
        expression = self.pick(looks)
        self.value(expression)
        self.run(f"{self.fresh()} = {expression}")

    def write(self) -> None:
        name = self.own(1)
        target = f"{name}[{self.index(self.names[name].shape)}]"
        value = self.expression(np.shape(self.value(target)))
        self.value(value)
        self.run(f"{target} = {value}")

    def write_mask(self) -> None:
        name = self.own(1)
        self.clear(f"{name} - 0.1")
        line = self.pick(
            [f"{name}[{name} > 0.1] = {self.atom(())}", f"{name}[{name} > 0.1] *= 0.5"]
        )
        self.batchable = self.batchable and "*=" not in line
        self.run(line)

    def update(self) -> None:
        """Augmented assignment, of the whole or of a part."""
        name = self.own(0)
        target = name
        if self.names[name].ndim and self.rng.random() < 0.5:
            target = f"{name}[{self.index(self.names[name].shape)}]"
        operator = self.pick(["+=", "-=", "*=", "/="])
        value = self.expression(np.shape(self.value(target)), 1)
        if operator == "/=":
            value = f"(1.5 + np.sin({value}))"
        self.value(f"{target} {operator[0]} ({value})")
        self.run(f"{target} {operator} {value}")

    def out(self) -> None:
        name = self.own(1)
        shape = self.names[name].shape
        a, b = self.expression(shape, 1), self.expression(shape, 1)
        operation = self.pick(["add", "multiply", "subtract"])
        self.value(f"np.{operation}({a}, {b})")
        target = name if self.rng.random() < 0.6 else f"{name}[::-1]"
        self.run(f"np.{operation}({a}, {b}, out={target})")

    def copyto(self) -> None:
        name = self.own(1)
        value = self.expression(self.names[name].shape, 1)
        self.clear(f"{name} - 0.2")
        self.value(value)
        self.run(f"np.copyto({name}, {value}, where={name} > 0.2)")

    def add_at(self) -> None:
        name = self.own(1)
        n = self.names[name].shape[0]
        picks = [int(k) for k in self.rng.integers(0, n, 3)]
        value = self.expression(np.shape(self.names[name])[1:], 1)
        if not np.all(np.abs(self.value(value)) < LARGEST / 4):
            raise Rejected
        self.run(f"np.add.at({name}, {picks}, {value})")

    def loop(self) -> None:
        """A recurrence written element by element."""
        name = self.own(1)
        if self.names[name].shape[0] < 2:
            raise Rejected
        value = self.atom(self.names[name].shape[1:])
        line = f"    {name}[i] = 0.5 * np.sin({name}[i - 1]) + {value}"
        self.value(value)
        self.run(f"for i in range(1, len({name})):", line)

    def branch(self) -> None:
        name = self.some(lambda v: np.ndim(v) == 0)
        self.clear(name)
        value = self.expression((), 1)
        self.batchable = False
        self.run(f"if {name} > 0:", f"    {name} = {name} * {value}")

    def finish(self) -> Program:
        terms = [
            f"{self.number()} * np.sum({name} * {name})" if k % 2 else f"np.sum({name})"
            for k, name in enumerate(self.names)
            if np.size(self.names[name]) and np.asarray(self.names[name]).dtype.kind == "f"
        ]
        lines = [*self.lines, f"return {' + '.join(terms)}"]
        source = "def f(x, z):\n" + "\n".join(f"    {line}" for line in lines) + "\n"
        return Program(self.seed, source, self.x, self.z, self.batchable)


PURE = ["assign", "assign", "reduce", "largest", "move", "multiply", "read", "read_mask"]
WRITES = ["make", "make", "look", "look", "write", "write", "update", "update", "out", "copyto"]
WRITES += ["add_at", "loop", "write_mask", "branch"]


def draw(seed: int, kinds: list[str] | None = None) -> Program:
    """The program of ``seed``: a few statements, every one of which ran."""
    rng = np.random.default_rng([7, seed])
    draft = Draft(seed)
    kinds = [*PURE, *WRITES] if kinds is None else kinds
    wanted = int(rng.integers(4, 12))
    for _ in range(200):
        if len(draft.lines) >= wanted:
            break
        try:
            getattr(draft, kinds[int(rng.integers(len(kinds)))])()
        except Rejected:
            continue
        if any(not np.all(np.abs(v) < 4 * LARGEST) for v in draft.names.values()):
            return draw(seed + 1_000_003, kinds)  # a write made something large: draw another
    return draft.finish()
