"""``Variant``: what was recorded for one signature, and what runs it. Layer: ``static``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..control import derived
from ..control.call import call
from ..core.errors import WengertError
from ..core.interpret import bind
from ..core.program import Program
from .cause import marks
from .checker import Checker, Watched
from .finish import Finish
from .looks import NotNative
from .native import in_numpy, prepare, runner
from .passes import optimise
from .paths import Node, Paths
from .reach import Reach
from .recording import Recording

RAISED = (ValueError, TypeError, IndexError, ArithmeticError, WengertError)


class Variant:
    """What was recorded for one signature.

    Attributes:
        reach: the signature.
        records: whether it was recorded outside of ``no_grad``.
        paths: the recordings.
        cause: why it was recorded, in words.
        straight: the one node, where a call is one confirmed segment.
        entry: the native one of such a call, once there is one; ``in_python``: why there is none.
    """

    def __init__(self, reach: Reach, records: bool, name: str) -> None:
        self.records, self.cause = records, ""
        self.key, self.numbers = reach.key(), {p: v for p, (_, v) in reach.numbers.items()}
        self.paths = Paths(name)
        self.marks = marks(reach)
        self.attached = False
        self.writes = False
        self.written: set[str] = set()  # arrays of NumPy's, as the checker calls them
        self.pure = True
        self.straight: Any = None
        self.watched: Watched | None = None
        self.entry: Any = None
        self.in_python = ""
        self.check: Checker = lambda args, kwargs: None
        self.get: Checker = self.check

    def enter(
        self,
        recording: Recording,
        reach: Reach,
        strict: bool,
        native: bool | str,
        threads: int | None = None,
    ) -> str:
        """Add a recording; what it contradicts, in words."""
        finish = recording.finish
        told = self.paths.enter(recording)
        if told:
            return told
        self.attached = self.attached or finish.attached
        self.pure = self.pure and not finish.commits and not recording.backward
        self.writes = self.writes or bool(finish.commits)
        first = self.paths.first
        if not first.confirmed:
            return ""  # there is nothing to replay yet
        self.written |= {finish.targets[c.target] for c in finish.commits if c.kind == "copy"}
        single = first.finish is not None and not self.attached
        if first.finish is not None and single:
            first.into = first.finish.into([one.name for one in reach.inputs])
        self.paths.plan(
            lambda program: self._optimised(program, strict),
            lambda node: prepare(node, strict, threads, native) if native else in_numpy(node),
        )
        self.check = reach.checker(self.paths.targets, self.attached, self.writes, self.written)
        self.get = reach.getter(self.paths.targets)
        self.straight = first if single else None
        if single and native:
            self.watched = reach.watched(self.writes, self.written)
        return ""

    @property
    def waits(self) -> bool:
        """Whether the program is machine code, and its calls are not yet."""
        return self.watched is not None and self.straight.compiled is not None

    def make_entry(self, fallback: Callable[..., Any]) -> None:
        """Make a native entry, or note why there can be none."""
        from .llvm.whole import whole_call

        watched, self.watched = self.watched, None
        if watched is None:  # another thread is at it
            return
        node = self.straight
        try:
            self.entry = whole_call(watched, node.finish, node.compiled, self.records, fallback)
        except NotNative as reason:
            self.in_python = str(reason)

    def _optimised(self, program: Program, strict: bool) -> Program:
        return optimise(program, strict=strict)[0]

    def follow(self, values: Sequence[Any]) -> tuple[Finish, Sequence[Any]] | None:
        """What a call with these values of the inputs ends with, and the values there; None where
        nothing fitting has been recorded.
        """
        try:
            found: tuple[Finish, Sequence[Any]] | None
            found = self.paths.follow(values, call_node if self.attached else run_node)
        except RAISED:
            return None  # the recording of the call raises it where the user sees its line
        return found


derived.optimise = lambda program: optimise(program)[0]
derived.runner = runner


def run_node(node: Node, values: Sequence[Any]) -> Sequence[Any]:
    """A segment on plain values."""
    return node.run(*values)


def call_node(node: Node, values: Sequence[Any]) -> Sequence[Any]:
    """A segment on handles: one equation to whoever owns them. Where shapes follow from values no
    derivative can be had before the run: then equation by equation.
    """
    if node.masked:
        return node.differentiable.run(*values)
    result: Sequence[Any] = bind(call, *values, program=node.differentiable)
    return result
