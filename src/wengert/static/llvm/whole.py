"""A whole call of a compiled function as a builtin: the checks, the program, results and effects.

What ``Source.checker`` and ``Finish.end`` say in Python becomes the table of an entry, in their
order: nothing is committed before the program has run to its end and all results are made. What has
no native form raises ``NotNative``, and calls stay in Python. Layer: ``static``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import interpret, tree
from ...core.box import Box, dtype_of, shape_of
from ...differentiate.dynamic import ROOT, Cut
from ...differentiate.sweep import RELEASED
from ...differentiate.tape import NO_PARAMS, Leaf, Node, next_number
from ...ops.array import Array
from ..checker import Watched
from ..finish import Commit, Finish, Output
from ..looks import NotNative
from . import objects
from .blueprint import NativeProgram
from .builtin import box_output, check_input, copy_array, make_array, make_output, run
from .checker import Checks
from .runtime.entry import MISS
from .table import Builtin, Entry

ONCE = 2  # references to the content of an Array that nobody else has: its own, and the call's
PYTHON = (float, int, bool, complex)
PLAIN = (None, type(None), tuple, list, dict)  # types in a structure: leaves and what is made here


def whole_call(
    watched: Watched, finish: Finish, program: NativeProgram, records: bool, fallback: Builtin
) -> Entry:
    """The entry that does what a replay of ``program`` does; ``records``: outside of ``no_grad``.

    Raises ``NotNative``.
    """
    return _Whole(watched, finish, program, records).entry("call", fallback)


class _Whole(Checks):
    """Writes the table."""

    def __init__(
        self, watched: Watched, finish: Finish, program: NativeProgram, records: bool
    ) -> None:
        super().__init__(program, watched)
        self.finish = finish
        self._context(records)
        self.write()
        self.targets = [self.place(one) for one in finish.targets]
        self._inputs()
        self._hold()
        self.values = [self._value(number) for number in range(len(program.outputs))]
        run(self, MISS)  # Python's way runs it again, and raises where the user sees the line
        for register, one in zip(self.values, program.outputs, strict=True):
            box_output(self, register, one)
        self.results: list[int] = []
        for output in finish.outputs:
            self.results.append(self._result(output))
        result = self._tree(finish.treedef)
        given = [self._kept(commit) for commit in finish.commits]
        for commit, register in zip(finish.commits, given, strict=True):
            self._commit(commit, register)
        self.operation("give", result)

    def _context(self, records: bool) -> None:
        parent = objects.slot_offset(Cut, "parent")
        if parent is None:
            raise NotNative("the interpreter's parent can't be found")
        variable, root, cut = map(self.object, (interpret.current, ROOT, Cut))
        self.operation("check_context", variable, root, int(records), cut, parent)

    # --- before the run --------------------------------------------------------------------------

    def _inputs(self) -> None:
        inputs = self.watched.inputs
        if len(inputs) != len(self.program.inputs):
            raise NotNative("the program has other inputs")
        self.held = [self.place(held) for _, _, held in inputs]
        for place, one in zip(self.held, self.program.inputs, strict=True):
            check_input(self, place, one)

    def _hold(self) -> None:
        """Own what the run reads and what is written to: the containers may let go of it."""
        given = {self.argument(i) for i in range(self.count + len(self.names))}
        found = [*self.held, *self.targets]
        places = [place for place in dict.fromkeys(found) if place not in given]
        pairs = [word for place in places for word in (self.owner(), place)]
        if places:
            self.operation("hold", len(places), *pairs)

    def _value(self, number: int) -> int:
        """The register of a value; where it may be written into an input, that is asked first."""
        one = self.program.outputs[number]
        if one.into is None:
            return make_output(self, one, self.held)
        register = self.owner()
        kind, array = self.watched.inputs[one.into][0], self.held[one.into]
        others = [
            place
            for i, place in enumerate(self.held)
            if i != one.into and isinstance(self.program.inputs[i].known, np.ndarray)
        ]
        once = ONCE if kind == "array" else 0
        slot = self.slot(one.slot)
        self.operation("take_over", register, slot, array, once, len(others), *others)
        return make_output(self, one, self.held, register)

    # --- results ---------------------------------------------------------------------------------

    def _result(self, output: Output) -> int:
        """The register of what the user gets."""
        kind, number, value = output
        if kind == "value":
            register = self.values[number]
            return self._called(np.array, register) if number in self.finish.kept else register
        if kind == "object":
            return self.targets[number]
        if kind == "again":
            return self.results[number]
        if kind == "fixed":
            return self.constant(value)
        if kind == "python":
            return self._python(number)
        if kind == "array":
            return self._handle(self.values[number], self.constant(None))
        if kind == "released":
            return self._handle(self.values[number], self._released(number, value))
        if kind == "view":
            place = self.targets[number]
            for look in value:
                place = self._called(look, place)
            return place
        raise NotNative(f"a result that is {kind}")

    def _called(self, function: Any, place: int) -> int:
        register = self.owner()
        self.operation("call_function", register, self.object(function), place)
        return register

    def _python(self, number: int) -> int:
        """A number of Python's."""
        kind, register = type(self.program.outputs[number].known), self.values[number]
        return register if kind in PYTHON else self._called(kind.item, register)

    def _handle(self, value: int, node: int) -> int:
        """An ``Array`` of the dynamic graph."""
        slots = {"_owner": self.constant(ROOT), "_value": value, "_node": node}
        return self._object(Array, slots)

    def _object(self, kind: type, slots: dict[str, int]) -> int:
        register = self.owner()
        pairs = [w for name, place in slots.items() for w in (_offset(kind, name), place)]
        self.operation("make_object", register, self.object(kind), len(slots), *pairs)
        return register

    def _released(self, number: int, primitive: Any) -> int:
        """The node of a value whose graph a ``backward`` has used up."""
        known, count = self.program.outputs[number].known, self.owner()
        self.operation("call_nothing", count, self.object(next_number))
        fixed = {
            "dtype": dtype_of(known),
            "params": NO_PARAMS,
            "parents": (),
            "primitive": primitive,
            "saved": RELEASED,
            "shape": shape_of(known),
        }
        slots = {name: self.constant(value) for name, value in fixed.items()}
        return self._object(Node, {"number": count, **slots})

    def _tree(self, treedef: Any) -> int:
        """The register of the result; of containers of other kinds optree makes it."""
        if _is_plain(treedef):
            return self._container(tree.unflatten(treedef, map(_Place, self.results)))
        leaves = self.owner()
        self.operation("make_tuple", leaves, len(self.results), *self.results)
        return self._called(treedef.unflatten, leaves)

    def _container(self, content: Any) -> int:
        """The register of a container, of which ``content`` is a sample."""
        kind = type(content)
        if kind is _Place:
            return content.register  # type: ignore[no-any-return]
        if content is None:
            return self.constant(None)
        if kind in (tuple, list):
            inside, register = [self._container(one) for one in content], self.owner()
            self.operation(f"make_{kind.__name__}", register, len(inside), *inside)
            return register
        held = [(self.object(key), self._container(one)) for key, one in content.items()]
        pairs, register = [word for pair in held for word in pair], self.owner()
        self.operation("make_dict", register, len(held), *pairs)
        return register

    # --- effects ---------------------------------------------------------------------------------

    def _kept(self, commit: Commit) -> int:
        """The register of what an effect leaves behind."""
        if commit.kind == "copy":
            return self._array(commit.output.number)
        if commit.kind == "content":
            return self._laid_out(commit.output.number, self.finish.targets[commit.target])
        return self._result(commit.output)

    def _commit(self, commit: Commit, value: int) -> None:
        kind, place = commit.kind, self.targets[commit.target]
        if kind == "copy":
            copy_array(self, place, value)
        elif kind == "content":
            self.operation("commit_slot", place, _offset(Box, "_value"), value)
            self.operation("commit_version", place, _offset(Box, "_version"))
        elif kind == "grad":
            self.operation("commit_slot", place, _offset(Leaf, "grad"), value)
        elif kind == "cell":
            self.operation("commit_cell", place, value)
        else:
            name = {"place": "commit_item", "field": "commit_attribute"}[kind]
            self.operation(name, place, self.object(commit.key), value)

    def _array(self, number: int) -> int:
        """The register of a value, as an array."""
        known, register = self.program.outputs[number].known, self.values[number]
        return register if isinstance(known, np.ndarray) else self._called(np.asarray, register)

    def _laid_out(self, number: int, target: str) -> int:
        """The register of a value, in the memory layout of what it takes the place of."""
        names = [name for _, name, _ in self.watched.inputs]
        old = self.program.inputs[names.index(target)].known
        if not isinstance(old, np.ndarray):
            return self.values[number]
        value, known = self._array(number), self.program.outputs[number].known
        if not isinstance(known, np.ndarray) or known.strides == old.strides:
            return value
        register = self.owner()
        make_array(self, old, register, self.register())
        copy_array(self, register, value)
        return register


class _Place:
    """Where a leaf stands, in a sample of the result."""

    def __init__(self, register: int) -> None:
        self.register = register


def _is_plain(treedef: Any) -> bool:
    return treedef.type in PLAIN and all(map(_is_plain, treedef.children()))


def _offset(kind: type, name: str) -> int:
    offset = objects.slot_offset(kind, name)
    if offset is None:
        raise NotNative(f"{kind.__name__}.{name} can't be found")
    return offset
