"""Draws programs with all that plain programs have: arguments and results in containers, several
dtypes, branches on values, loops, aliases, writes into what it was given.

On top of the statements of ``draw.py``, and written as there: while it runs on real numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .draw import LARGEST, PURE, WRITES, Draft, Rejected
from .program import (
    BRANCHES,
    HOLDS_SCALARS,
    MASKS,
    POSITIONS,
    WRITES_ARGUMENTS,
    Arguments,
    Program,
    copied,
    leaves,
    numbers,
)
from .templates import SHAPES

CALLS = 3  # with arguments of their own


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


class Composition(Draft):
    """A program under way, with more kinds of arguments and statements."""

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
        with np.errstate(all="ignore"):
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

    # --- containers and aliases -------------------------------------------------------------------

    def hold(self) -> None:
        """Values put into a container and taken out again: the same objects."""
        a, b, name = self.array(0), self.array(0), self.fresh()
        self.run(
            f'd = {{"u": {a}, "v": ({b}, [{a}])}}',
            self.pick([f'{name} = d["v"][0]', f'{name} = d["u"] * d["v"][1][0]']),
        )

    def alias(self) -> None:
        self.run(f"{self.fresh()} = {self.array(0)}")

    def swap(self) -> None:
        a, b = self.array(), self.array()
        if a in self.arguments or b in self.arguments:
            raise Rejected
        self.run(f"{a}, {b} = {b}, {a}")

    def gather(self) -> None:
        """A loop over several values: their weighted sum."""
        chosen = ", ".join(self.array(0) for _ in range(3))
        name, lines = self.fresh(), []
        lines.append(f"{name} = 0.0")
        lines.append(f"for j, part in enumerate([{chosen}]):")
        lines.append(f"    {name} = {name} + (j + 1) * np.sum(part)")
        self.run(*lines)

    def change_parts(self) -> None:
        """A write into each of several arrays through the variable of a loop."""
        chosen = ", ".join(self.own(1) for _ in range(2))
        self.run(f"for part in ({chosen},):", "    part *= 0.5")

    def rows(self) -> None:
        source, name = self.array(1), self.fresh()
        lines = [f"{name} = 0.0", f"for row in {source}:"]
        self.run(*lines, f"    {name} = np.sin({name}) + np.sum(row * row)")

    def cast(self) -> None:
        name = self.array(0)
        value = self.names[name]
        if not hasattr(value, "astype") or np.iscomplexobj(value):
            raise Rejected
        dtype = self.pick(["np.float32", "np.float64", "np.complex128"])
        self.run(f"{self.fresh()} = {name}.astype({dtype})")

    def compare(self) -> None:
        """Booleans and integers: constants of derivatives that are computed with."""
        a = self.array()
        self.clear(f"{a} - 0.3")
        options = [f"({a} > 0.3)", f"np.sum({a} > 0.3, axis=0)", f"({a} > 0.3) * {a}"]
        options += [f"np.argmax({a}, axis=-1)", f"np.where({a} > 0.3, {a}, 0.5 * {a})"]
        self.run(f"{self.fresh()} = {self.pick(options)}")

    def by_integers(self) -> None:
        """What an array of integers selects."""
        k = self.some(lambda v: isinstance(v, np.ndarray) and v.dtype.kind == "i" and v.size > 0)
        a = self.array()
        options = [f"{a}.ravel()[{k} % {a}.size]", f"np.take({a}, {k} % {a}.shape[-1], axis=-1)"]
        expression = self.pick(options)
        self.value(expression)
        self.traits.add(POSITIONS)
        self.run(f"{self.fresh()} = {expression}")

    def by_mask(self) -> None:
        m = self.some(lambda v: isinstance(v, np.ndarray) and v.dtype == bool and v.size > 0)
        a = self.array()
        if self.names[a].shape != self.names[m].shape:
            raise Rejected
        selected = f"np.where({m}, {a}, 0.25 * {a})"
        if self.rng.random() < 0.4:
            self.traits |= {MASKS, POSITIONS}
            selected = f"np.sum({a}[{m}])"
        self.value(selected)
        self.run(f"{self.fresh()} = {selected}")

    # --- control flow -----------------------------------------------------------------------------

    def condition(self) -> str:
        """Something true or false that depends on values."""
        name = self.array()
        if np.iscomplexobj(self.names[name]) or self.names[name].dtype == bool:
            raise Rejected
        self.traits.add(BRANCHES)
        first = ", ".join("0" for _ in self.names[name].shape)
        options = [f"np.sum({name}) > {self.number()}", f"{name}[{first}] > 0.1"]
        options += [f"np.max({name}) < 1 and {name}[{first}] < 0.5", f"not np.any({name} > 0.4)"]
        if "n" in self.arguments:
            options.append("n > 1")
        condition = self.pick(options)
        self.value(condition)
        return condition

    def branch(self) -> None:
        condition = self.condition()
        shape = self.pick(SHAPES)
        a, b = self.expression(shape), self.expression(shape, 1)
        name = self.fresh()
        spread = f"np.zeros_like(x, shape={shape}) + {{}}"
        self.value(spread.format(a)), self.value(spread.format(b))
        if self.rng.random() < 0.3:
            self.run(f"{name} = {spread.format(a)} if {condition} else {spread.format(b)}")
            return
        lines = [f"    {name} = {spread.format(a)}", "else:", f"    {name} = {spread.format(b)}"]
        self.run(f"if {condition}:", *lines)

    def branch_on_write(self) -> None:
        condition, name = self.condition(), self.own(1)
        target = f"{name}[{self.index(self.names[name].shape)}]"
        value = self.expression(np.shape(self.value(target)), 1)
        self.castable(value, name)
        self.run(f"if {condition}:", f"    {target} = {value}")

    def leave(self) -> None:
        """An early return, not taken with the first arguments."""
        condition = self.condition()
        if self.value(condition):
            condition = f"not ({condition})"
        self.statements.append(f"if {condition}:\n    return [{self.array(0)}, {self.array(0)}]")

    def until(self) -> None:
        name, made = self.array(), self.fresh()
        if np.iscomplexobj(self.names[name]):
            raise Rejected
        self.traits.add(BRANCHES)
        step = self.pick([f"{made} = {made} * 0.5", f"{made} *= 0.5", f"{made} = np.sin({made})"])
        lines = [f"{made}, i = {name} * 1.0, 0"]
        lines.append(f"while np.sum({made} * {made}) > {self.number()} and i < 4:")
        self.run(*lines, f"    {step}", "    i += 1")

    def repeat(self) -> None:
        if "n" not in self.arguments and "k" not in self.arguments:
            raise Rejected
        self.traits.add(BRANCHES)
        first = ", ".join("0" for _ in self.shape)
        trips = "n" if "n" in self.arguments else f"int(abs(k[{first}]))"
        name, made = self.array(), self.fresh()
        lines = [f"{made} = {name} * 0.5", f"for i in range({trips}):"]
        self.run(*lines, f"    {made} = np.cos({made} + 0.1 * i) * {name}")

    # --- the end ----------------------------------------------------------------------------------

    def results(self) -> tuple[str, ...]:
        """The names given back: most, in any order, arguments among them."""
        names = [name for name, v in self.names.items() if np.size(v) and not np.isscalar(v)]
        scalars = [name for name in self.names if name not in names and name.startswith("v")]
        chosen = [name for name in [*names, *scalars] if self.rng.random() < 0.8]
        self.rng.shuffle(chosen)
        return tuple(chosen or names[:1] or ["x"])

    def program(self) -> Program:
        if any(np.ndim(value) == 0 for value in self.names.values()):
            self.traits.add(HOLDS_SCALARS)
        results, traits = self.results(), frozenset(self.traits)
        made = Program(self.seed, tuple(self.statements), results, (self.first,), traits)
        inputs = [self.first]
        names = list(self.arguments)
        for _ in range(CALLS - 1):
            others = [drawn_arguments(self.rng, self.shape, names) for _ in range(3)]
            if "n" in names and BRANCHES not in traits:  # where it may be part of a shape
                others = [other | {"n": self.first["n"]} for other in others]
            inputs.append(next((other for other in others if moderate(made, other)), self.first))
        return Program(self.seed, made.statements, results, tuple(inputs), traits).without_unused()


def moderate(program: Program, arguments: Arguments) -> bool:
    """Whether the program runs on other arguments, with numbers that can be compared."""
    with np.errstate(all="ignore"):
        try:
            result = program.function(**copied(arguments))
        except Exception:
            return False
    return all(np.all(np.abs(part) < 1e3) for part in numbers(result))


MORE = ["hold", "alias", "swap", "gather", "change_parts", "rows", "cast", "compare", "compare"]
MORE += ["by_integers", "by_mask", "branch_on_write", "leave", "until", "repeat", "branch"]
KINDS = [*PURE, *WRITES, *MORE, *MORE]
KINDS.remove("read_mask")
STRAIGHT = [
    kind for kind in KINDS if kind not in ("branch_on_write", "leave", "until", "repeat", "branch")
]


def compose(seed: int) -> Program:
    """The program of ``seed``."""
    for attempt in range(100):
        try:
            return attempted(seed + attempt * 1_000_003)
        except Spoiled:
            continue
    raise AssertionError(f"seed {seed}: no program in a hundred attempts")


def attempted(seed: int) -> Program:
    draft = Composition(seed)
    kinds = KINDS if draft.rng.random() < 0.5 else STRAIGHT
    wanted = int(draft.rng.integers(2, 9))
    for _ in range(60):
        if len(draft.statements) >= wanted:
            break
        before = set(draft.traits)
        try:
            getattr(draft, kinds[int(draft.rng.integers(len(kinds)))])()
        except Rejected:
            draft.traits = before
            continue
        if any(not np.all(np.abs(v) < 4 * LARGEST) for v in draft.names.values()):
            raise Spoiled
    program = draft.program()
    if not moderate(program, program.inputs[0]):
        raise Spoiled
    return program
