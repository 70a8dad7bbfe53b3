"""The end of a call of a static graph: values become results and effects.

``Finish`` says, for the values that a path of segments ends with, what the user gets and what is
written where: nothing is written before the last guard of a path has held. Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..core import tree
from ..core.box import Box, innermost
from ..core.errors import UnsupportedError, describe
from ..core.program import Atom, Var
from ..differentiate.dynamic import ROOT
from ..differentiate.sweep import RELEASED
from ..differentiate.tape import node_for
from ..ops.array import make
from .ending import Ending, ending, laid_out, shares
from .sameness import agree


class Output(NamedTuple):
    """One value of a result or an effect.

    ``kind``: ``value`` (``number`` among the path's values, NumPy's), ``python`` (the same as
    Python's number), ``array`` (as an ``Array``), ``view`` (functions ``value`` of a target),
    ``released`` (an ``Array`` whose graph a ``backward`` has used up, made by primitive ``value``),
    ``attached`` (an ``Array`` on the dynamic graph), ``object`` (``number`` among the targets: an
    argument is handed back as it is), ``again`` (output ``number`` once more), ``fixed`` (``value``
    itself).
    """

    kind: str
    number: int = 0
    value: Any = None


class Commit(NamedTuple):
    """One effect: ``kind`` is ``copy`` (into NumPy's array), ``content`` (of an ``Array``),
    ``grad`` (of a leaf), ``place`` (``target[key]``), ``field`` (an attribute) or ``cell``;
    ``target``: its number among the targets.
    """

    kind: str
    target: int
    output: Output
    key: Any = None
    path: str = ""


@dataclass
class Finish:
    """What a path ends with: ``atoms``, the values that it gives; ``outputs``, the leaves of the
    result in structure ``treedef``; ``commits``; ``targets``, expressions of the checker.
    """

    treedef: Any = None
    atoms: list[Atom] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    constants: frozenset[int] = frozenset()  # values that are the program's own: given as copies
    shared: list[int] = field(default_factory=list)  # values that may be views of what is there
    places: list[int] = field(default_factory=list)  # of the targets, among those of all paths
    in_order: bool = True  # whether the first of those are the targets, one by one

    def number(self, atom: Atom) -> int:
        """The number of ``atom`` among the values."""
        for i, known in enumerate(self.atoms):
            if known is atom:
                return i
        self.atoms.append(atom)
        return len(self.atoms) - 1

    def target(self, expression: str) -> int:
        """The number of ``expression`` among the targets."""
        if expression not in self.targets:
            self.targets.append(expression)
        return self.targets.index(expression)

    @property
    def attached(self) -> bool:
        """Whether a value of the dynamic graph is handed out."""
        return any(output.kind == "attached" for output in self._all())

    def _all(self) -> list[Output]:
        return [*self.outputs, *(commit.output for commit in self.commits)]

    def settle(self, constants: Mapping[Var, Any]) -> None:
        """Find out what only the whole list of outputs shows; done once."""
        self.constants = frozenset(
            i for i, atom in enumerate(self.atoms) if isinstance(atom, Var) and atom in constants
        )
        self.simple = (
            self.treedef is tree.LEAF
            and not self.commits
            and self.outputs[0].kind == "value"
            and not self.constants
        )
        self.overwrites = [c.target for c in self.commits if c.kind == "copy"]
        self.kept = {
            commit.output.number
            for commit in self.commits
            if commit.kind in ("content", "grad") and commit.output.kind != "fixed"
        }
        self._ending: Ending | None = None

    def into(self, inputs: Sequence[str]) -> dict[int, int]:
        """Values, by number, that do nothing but replace the content of an input: of that the
        number in ``inputs``, which are the checker's names.
        """
        used = Counter(output.number for output in self._all() if output.kind in VALUES)
        return {
            commit.output.number: inputs.index(self.targets[commit.target])
            for commit in self.commits
            if commit.kind in SEEN and used[commit.output.number] == 1
        }

    def end(self, values: Sequence[Any], targets: Sequence[Any]) -> Any:
        """``apply`` for plain values, which is how most calls end."""
        if self.simple:
            return values[self.outputs[0].number]
        if self._ending is None:
            self._ending = ending(self, wrapped)
        return self._ending(values, targets)

    def apply(self, values: Sequence[Any], targets: Sequence[Any]) -> Any:
        """Commit the effects and give the result."""
        values = self._own(values, targets)
        results = self._results(values, targets)
        for commit in self.commits:
            value = wrapped(commit.output, values, targets, results)
            COMMITS[commit.kind](targets[commit.target], commit.key, value)
        return tree.unflatten(self.treedef, results)

    def _own(self, values: Sequence[Any], targets: Sequence[Any]) -> Sequence[Any]:
        """The values, copied where they share memory with what is written or kept elsewhere."""
        kept = {i: innermost(values[i]) for i in self.kept}
        written = [targets[i] for i in self.overwrites]
        own = list(values)
        for i in self.shared:
            others = [*written, *(value for k, value in kept.items() if k != i)]
            if i in self.constants or shares(innermost(values[i]), others):
                own[i] = np.array(innermost(values[i]))
        return own

    def _results(self, values: Sequence[Any], targets: Sequence[Any]) -> list[Any]:
        results: list[Any] = []
        for output in self.outputs:
            result = wrapped(output, values, targets, results)
            taken = output.kind == "value" and output.number in self.kept
            results.append(np.array(result) if taken else result)
        return results

    def result(self, values: Sequence[Any], targets: Sequence[Any]) -> Any:
        """The result alone, nothing committed."""
        return tree.unflatten(self.treedef, self._results(values, targets))

    def effects(self, values: Sequence[Any]) -> list[Any]:
        """What would be written into arrays, as copies."""
        return [
            np.array(innermost(values[commit.output.number]))
            for commit in self.commits
            if commit.kind in SEEN
        ]

    def seen(self, targets: Sequence[Any]) -> list[Any]:
        """What has been written into arrays: as ``effects``."""
        return [innermost(targets[commit.target]) for commit in self.commits if commit.kind in SEEN]

    def checked(
        self, values: Sequence[Any], targets: Sequence[Any], call: Callable[[], Any], what: str
    ) -> Any:
        """What ``call`` gives, which is the eager call; raises ``UnsupportedError`` if results or
        effects are others than those that ``values`` make.
        """
        expected = self.result(values, targets), self.effects(values)
        given = call()
        if not agree(expected, (given, self.seen(targets))):
            raise UnsupportedError(
                f"compile(check=...): {what} gives {expected!r:.300}, eagerly "
                f"{(given, self.seen(targets))!r:.300}; please report it"
            )
        return given

    def differs(self, other: Finish) -> str:
        """In what the same path of another recording ends differently; empty if in nothing."""
        if self.treedef != other.treedef:
            return f"the result is {other.treedef} and was {self.treedef}"
        mine, others = self._all(), other._all()
        if len(mine) != len(others) or self.targets != other.targets:
            return "it has other effects"
        for a, b in zip(mine, others, strict=True):
            if a.kind != b.kind or a.number != b.number:
                return "a result is of another kind"
            if a.kind == "fixed" and a.value is not b.value and not _equal(a.value, b.value):
                was = describe(a.value)
                return f"a result is {describe(b.value)} and was {was}, or another object"
        for (kind, target, _, key, path), other_commit in zip(
            self.commits, other.commits, strict=True
        ):
            if (kind, target, key) != (other_commit.kind, other_commit.target, other_commit.key):
                return f"it changes {other_commit.path} and changed {path}"
        if len(self.atoms) != len(other.atoms):
            return "it has other results"
        return ""


def _equal(a: Any, b: Any) -> bool:
    simple = str | int | float | complex | bytes | np.generic | None
    return type(a) is type(b) and isinstance(a, simple) and repr(a) == repr(b)


def wrapped(output: Output, values: Sequence[Any], targets: Sequence[Any], results: Any) -> Any:
    """The object that the user gets."""
    kind, index, fixed = output
    if kind == "value":
        return innermost(values[index])
    if kind == "array":
        value = innermost(values[index])
        return make(ROOT, value, None)
    if kind == "attached":
        return values[index]
    if kind == "python":
        value = innermost(values[index])
        return value.item() if isinstance(value, np.generic | np.ndarray) else value
    if kind == "view":
        array = targets[index]
        for look in fixed:
            array = look(array)
        return array
    if kind == "object":
        return targets[index]
    if kind == "again":
        return results[index]
    if kind == "released":
        value = innermost(values[index])
        return make(ROOT, value, node_for(fixed, (), RELEASED, {}, value))
    return fixed


# --- effects --------------------------------------------------------------------------------------


def _copy(target: Any, key: Any, value: Any) -> None:
    np.copyto(target, value)


def _content(target: Any, key: Any, value: Any) -> None:
    old = target._value
    if isinstance(value, Box):
        value = innermost(value)
    target._value = laid_out(value, old)
    target._version = getattr(target, "_version", 0) + 1


def _grad(target: Any, key: Any, value: Any) -> None:
    target.grad = value


def _place(target: Any, key: Any, value: Any) -> None:
    target[key] = value


def _field(target: Any, key: Any, value: Any) -> None:
    setattr(target, key, value)


def _cell(target: Any, key: Any, value: Any) -> None:
    target.cell_contents = value


SEEN = ("copy", "content")  # effects on arrays
VALUES = ("value", "python", "array", "released", "attached")  # outputs made of a value
COMMITS = {
    "copy": _copy,
    "content": _content,
    "grad": _grad,
    "place": _place,
    "field": _field,
    "cell": _cell,
}
