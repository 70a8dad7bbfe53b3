"""The end of a replayed call as one generated function: ``Finish.apply`` written out.

Committing four parameters and their gradients by a loop over records costs as much as the products
of a small network; written out, each is a line or two. Layer: ``static``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import tree
from ..differentiate.dynamic import ROOT
from ..ops.array import make

if TYPE_CHECKING:
    from .finish import Commit, Finish, Output

Ending = Callable[[Sequence[Any], Sequence[Any]], Any]


def ending(finish: Finish, wrapped: Callable[..., Any]) -> Ending:
    """A function of the values and targets of ``finish`` that does what ``finish.apply`` does, for
    plain values. ``wrapped`` makes the outputs that are too rare to be written out.
    """
    return _Writer(finish, wrapped).function()


class _Writer:
    """Writes the function."""

    def __init__(self, finish: Finish, wrapped: Callable[..., Any]) -> None:
        self.finish = finish
        self.scope: dict[str, Any] = {
            "ROOT": ROOT,
            "array": np.array,
            "copyto": np.copyto,
            "laid_out": laid_out,
            "make": make,
            "ndarray": np.ndarray,
            "shares": shares,
            "unflatten": tree.unflatten,
            "wrapped": wrapped,
        }
        self.lines: list[str] = []

    def function(self) -> Ending:
        """The compiled function."""
        finish = self.finish
        self._unpack("values", "v", len(finish.atoms))
        self._unpack("targets", "t", len(finish.targets))
        self._copies()
        for number, output in enumerate(finish.outputs):
            self.lines.append(f"r{number} = {self._output(output)}")
        for commit in finish.commits:
            self._commit(commit)
        results = ", ".join(f"r{i}" for i in range(len(finish.outputs)))
        single = finish.treedef is tree.LEAF
        self.lines.append(
            "return r0"
            if single
            else f"return unflatten({self._name(finish.treedef)}, [{results}])"
        )
        body = "\n    ".join(self.lines)
        exec(compile(f"def end(values, targets):\n    {body}", "<ending>", "exec"), self.scope)
        made: Ending = self.scope["end"]
        return made

    def _unpack(self, given: str, letter: str, count: int) -> None:
        names = "".join(f"{letter}{i}, " for i in range(count))
        if count:
            self.lines.append(f"{names}= {given}")

    def _name(self, value: Any) -> str:
        name = f"k{len(self.scope)}"
        self.scope[name] = value
        return name

    def _copies(self) -> None:
        """What must not be handed out as it is."""
        finish = self.finish
        for i in sorted(finish.constants):
            self.lines.append(f"v{i} = array(v{i})")
        written = [f"t{i}" for i in finish.overwrites] + [f"v{i}" for i in sorted(finish.kept)]
        if written:
            self.lines += [
                f"if shares(v{i}, ({', '.join(one for one in written if one != f'v{i}')},)): "
                f"v{i} = array(v{i})"
                for i in finish.shared
                if i not in finish.constants and written != [f"v{i}"]
            ]

    def _output(self, output: Output) -> str:
        """The expression for what the user gets."""
        kind, number, value = output
        if kind == "value":
            return f"array(v{number})" if number in self.finish.kept else f"v{number}"
        if kind == "array":
            return f"make(ROOT, v{number}, None)"
        if kind == "python":
            return f"v{number}.item() if hasattr(v{number}, 'item') else v{number}"
        if kind == "object":
            return f"t{number}"
        if kind == "again":
            return f"r{number}"
        if kind == "fixed":
            return self._name(value)
        return f"wrapped({self._name(output)}, values, targets, ())"

    def _commit(self, commit: Commit) -> None:
        """The statements of an effect."""
        kind, target, output, key, _ = commit
        value, into = self._output(output), f"t{target}"
        if kind == "copy":
            self.lines.append(f"copyto({into}, {value})")
        elif kind == "grad":
            self.lines.append(f"{into}.grad = {value}")
        elif kind == "place":
            self.lines.append(f"{into}[{self._name(key)}] = {value}")
        elif kind == "field":
            self.lines.append(f"{into}.{key} = {value}")
        elif kind == "cell":
            self.lines.append(f"{into}.cell_contents = {value}")
        else:
            number = output.number
            self.lines += [
                f"old = {into}._value",
                f"{into}._value = laid_out(v{number}, old)",
                f"{into}._version = getattr({into}, '_version', 0) + 1",
            ]


def laid_out(value: Any, old: Any) -> Any:
    """``value`` in the memory layout of ``old``, which it takes the place of."""
    if type(old) is not np.ndarray or (type(value) is np.ndarray and value.strides == old.strides):
        return value
    new = np.empty_like(old)
    np.copyto(new, value)
    return new


def shares(value: Any, others: Sequence[Any]) -> bool:
    """Whether ``value`` shares memory with one of ``others``."""
    return type(value) is np.ndarray and any(
        type(one) is np.ndarray and np.may_share_memory(value, one) for one in others
    )
