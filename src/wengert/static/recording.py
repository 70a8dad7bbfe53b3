"""One recording of a call: run the function among handles, and read off what it did.

``record`` gives a ``Recording``: segments with their guards, and a ``Finish``. The run is a real
one: its values and effects are those of an eager call, and are committed by the same ``Finish``
that later calls use. Layer: ``static``.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import interpret, tree
from ..core.box import Box, innermost
from ..core.program import Atom, Program, Var
from ..differentiate.dynamic import ROOT, no_grad
from ..differentiate.sweep import RELEASED
from ..ops.arithmetic import stop_gradient
from ..ops.array import View
from .finish import Commit, Finish, Output
from .places import Cell, Field, Place
from .reach import Reach
from .recorder import Capture, CaptureRoot, Segment, line_of
from .refusal import Escaped, Refused, Unsettled
from .swap import Swap, change

LOCK = threading.RLock()  # while one thread records, no other may: arrays are swapped
SETTING = (type(None), bool, str)


@dataclass
class Recording:
    """What a call did.

    Attributes:
        inputs: the variables of ``reach.inputs``.
        segments: the equations, cut at the guards.
        constants: arrays that the equations read.
        finish: what becomes of the values.
        values: those of this call, for ``finish``.
        unsettled: an effect that no static graph can have; empty if there is none.
        spoke: whether values were printed.
    """

    inputs: list[Var]
    segments: list[Segment]
    constants: dict[Var, Any]
    finish: Finish
    values: list[Any]
    unsettled: str = ""
    backward: bool = False
    targets: list[Any] = field(default_factory=list)

    @property
    def program(self) -> Program:
        """All of it as one program."""
        equations = tuple([eqn for segment in self.segments for eqn in segment.equations])
        return Program(tuple(self.inputs), equations, tuple(self.finish.atoms), self.constants)


def record(
    function: Callable[..., Any], reach: Reach, recording_graph: bool, keep: bool = True
) -> Recording:
    """Run ``function`` on what ``reach`` found, and write down what it does.

    ``keep``: leave the effects on Python's objects as they are, else undo them all.

    ``recording_graph``: whether the dynamic graph around the call records (no ``no_grad``). Nothing
    has been changed when this returns: ``Recording.finish`` commits. Raises what the function
    raises, and ``Refused``, with everything put back.
    """
    with LOCK:
        capture = Capture(function)
        root = CaptureRoot(capture)
        swap = Swap(reach, root)
        alone = sys.getrefcount(root), sys.getrefcount(capture)
        try:
            args, kwargs = swap.enter()
            with interpret.under(root), nullcontext() if recording_graph else no_grad():
                result = function(*args, **kwargs)
            swap.drawn()
            recording = Reading(swap, result).recording
        except BaseException:
            swap.undo()
            raise
        del args, kwargs, result
        if keep:
            swap.leave()
        else:
            swap.undo()
        recording.targets = [*reach.targets(recording.finish.targets)]
        swap.forget()
        if (sys.getrefcount(root), sys.getrefcount(capture)) != alone:
            gc.collect()  # handles in cycles
        if (sys.getrefcount(root), sys.getrefcount(capture)) != alone:
            told = release(root, capture)
            swap.undo()
            raise Escaped(f"a value made at {told} is still alive after the call and is no result")
        return recording


class Reading:
    """Reads the ``Finish`` off what a function returned and left behind."""

    def __init__(self, swap: Swap, result: Any) -> None:
        self.swap, self.capture = swap, swap.capture
        self.finish = Finish()
        self.values: list[Any] = []
        self.known: dict[int, int] = {}  # leaves of the result: their number
        self.originals = self._originals()
        self.plain = {id(handle) for handle in swap.handles.values()}
        leaves, self.finish.treedef = tree.flatten(result)
        for number, leaf in enumerate(leaves):
            self.finish.outputs.append(self._result(leaf, number))
        unsettled = self._effects()
        made = new_memory(self.capture.segments)
        self.finish.shared = [i for i, atom in enumerate(self.finish.atoms) if atom not in made]
        self.finish.settle(self.capture.constants)
        self.recording = Recording(
            list(swap.variables),
            self.capture.segments,
            self.capture.constants,
            self.finish,
            self.values,
            unsettled,
            backward=self.capture.swept,
        )

    def _originals(self) -> dict[int, str]:
        """For each handle that stands for an array, the name of the array in the checker."""
        names = {id(view): name for view, name in self.swap.reach.views}
        for one in self.swap.reach.inputs:
            if one.kind != "number":
                handle = one.object if one.kind == "array" else self.swap.handles[id(one.object)]
                names[id(handle)] = one.name
        return names

    def _result(self, leaf: Any, number: int) -> Output:
        """How a leaf of the result is made of the path's values."""
        first = self.known.setdefault(id(leaf), number)
        if first != number and isinstance(leaf, Box | np.ndarray):
            return Output("again", first)
        name = self.originals.get(id(leaf))
        if name is not None:
            return Output("object", self.finish.target(name))
        return self._output(leaf)

    def _output(self, leaf: Any) -> Output:
        """How a value that is handed out, or kept in an attribute, is made."""
        if isinstance(leaf, Box):
            return self._handle(leaf)
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biufc":
            return Output("value", self._number(self.capture.constant(leaf), leaf))
        if isinstance(leaf, str) and self.capture.spoke:
            raise Refused(f"it gives text that may hold values of the call ({leaf!r:.40})")
        return Output("fixed", value=leaf)

    def _number(self, atom: Any, value: Any) -> int:
        index = self.finish.number(atom)
        if index == len(self.values):
            self.values.append(innermost(value))
        return index

    def _handle(self, leaf: Any) -> Output:
        leaf.refresh()
        if (seen := self._look(leaf)) is not None:
            return seen
        if leaf._owner is self.capture:
            atom = self.capture.atom(leaf)
            kind = "python" if isinstance(atom, Var) and atom.aval.weak else "value"
            return Output(kind, self._number(atom, leaf))
        if leaf._owner is not self.swap.root:
            raise Refused(f"it gives a value of {leaf._owner.origin}, which has ended")
        node, inner = leaf._node, leaf._value
        index = self._number(self.capture.atom(inner), inner)
        if node is None:
            return Output("array", index)
        if node.saved is RELEASED:
            return Output("released", index, node.primitive)
        return Output("attached", index)

    def _look(self, leaf: Any) -> Output | None:
        """How a view of one of NumPy's arrays is made, which stays a view of it."""
        looks = []
        while isinstance(leaf, View):
            looks.append(leaf._look)
            leaf = leaf._base
        name = self.originals.get(id(leaf))
        if not looks or name is None or id(leaf) not in self.plain:
            return None
        return Output("view", self.finish.target(name), tuple(reversed(looks)))

    # --- effects ---------------------------------------------------------------------------------

    def _effects(self) -> str:
        """Enter the effects as commits; those that can't be are told."""
        finish = self.finish
        overlapping = self._overlapping()
        for one, content in self.swap.written():
            if one.kind == "plain":
                if not one.object.flags.writeable:
                    raise Refused(f"it writes into {one.path}, which is read-only")
                if one.name in overlapping:
                    raise Refused(f"it writes into {one.path}, which shares memory with another")
            index = self._number(self.capture.atom(content), content)
            kind = "copy" if one.kind == "plain" else "content"
            target = finish.target(one.name)
            finish.commits.append(Commit(kind, target, Output("value", index), None, one.path))
        for one, gradient in self.swap.gradients():
            output = Output("fixed") if gradient is None else self._output(gradient)
            target = finish.target(f"{one.name}._node")
            finish.commits.append(Commit("grad", target, output, None, f"{one.path}.grad"))
        try:
            unsettled = ""
            for place, before, now in self.swap.changed():
                if not isinstance(now, (Box, np.ndarray, *SETTING)):
                    unsettled = change(place, before, now)
                elif not place.code:  # a new entry, whose container no line of the checker names
                    unsettled = change(place, before, now)
                    self._place(place, now)
                else:
                    self._place(place, now)
        except Unsettled as error:
            unsettled = str(error)
        return unsettled

    def _overlapping(self) -> set[str]:
        """The names of the arrays that share memory with others."""
        plain = [one.name for one in self.swap.reach.inputs if one.kind == "plain"]
        return {plain[i] for pair in self.swap.reach.overlaps for i in pair}

    def _place(self, place: Place, now: Any) -> None:
        output = self._result(now, -1) if id(now) in self.originals else self._output(now)
        if isinstance(now, Box):
            self.swap.rebound.append(place)
        kind = (
            "cell" if isinstance(place, Cell) else "field" if isinstance(place, Field) else "place"
        )
        target = self.finish.target(place.code or self.swap.reach.constant(place.container))
        self.finish.commits.append(Commit(kind, target, output, place.key, place.path))


def new_memory(segments: Sequence[Segment]) -> set[Atom]:
    """The variables that are no views of others."""
    made: set[Atom] = set()
    for segment in segments:
        for eqn in segment.equations:
            if eqn.primitive.fresh or (eqn.primitive is stop_gradient and eqn.inputs[0] in made):
                made.update(eqn.outputs)
    return made


def release(root: CaptureRoot, capture: Capture) -> str:
    """Make plain constants of the handles that are alive still; where the first was made."""
    lines = []
    for handle in [*gc.get_referrers(root), *gc.get_referrers(capture)]:
        if isinstance(handle, Box) and handle._owner in (root, capture):
            inner = handle if handle._owner is capture else handle._value
            lines.append(line_of(capture, getattr(inner, "_node", None)))
            if isinstance(handle, View):
                handle._seen = getattr(handle._base, "_version", 0)
            handle._owner, handle._value, handle._node = ROOT, innermost(handle), None
    return next(filter(None, lines), "an unknown line")
