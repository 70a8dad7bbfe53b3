"""Draws programs with all that plain programs have: arguments and results in containers, several
dtypes, branches on values, loops, aliases, writes into what it was given.

Written as in ``draw.py`` while it runs on real numbers.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from .careful import Careful, Spoiled, drawn_arguments
from .draw import LARGEST, PURE, WRITES, Rejected
from .program import (
    BRANCHES,
    HOLDS_SCALARS,
    MASKS,
    POSITIONS,
    Arguments,
    Program,
    copied,
    numbers,
)
from .templates import SHAPES

CALLS = 3  # with arguments of their own


class Composition(Careful):
    """A program under way, with more kinds of statements."""

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
        types = {np.asarray(self.value(spread.format(part))).dtype for part in (a, b)}
        if len(types) > 1:
            raise Rejected
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
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)  # a part would be cut off
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
            return replace(attempted(seed + attempt * 1_000_003), seed=seed)
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
