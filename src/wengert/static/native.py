"""What runs a planned program: NumPy at first, machine code as soon as that pays.

To compile takes LLVM some milliseconds, as long as thousands of small operations take in NumPy. So
a program runs in NumPy until what machine code would have saved comes to a share of the price of
making it: however often it is called, the loss against the better choice is bounded. It is made in
the call that reaches that, for values that lie as those of this call do. What is kept on disk from
before costs little, and is taken in the first call.
Layer: ``static``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any

from ..core.aval import Aval
from ..core.execute import Executable, executable
from ..core.program import Program, programs_in
from .building import Machine, Made, built, kept_on_disk
from .paths import Node
from .views import is_view

CALL = 1e-6  # seconds that an operation costs in NumPy beside its loop
BYTE = 0.2e-9  # seconds to write and read again a byte of a result
COMPILING = (10e-3, 4e-3)  # seconds to compile kernels, and more for each of their equations
TRIPS = 10  # of a loop that says no number
SHARE = 0.25  # of the price that is spent in NumPy before
AT_ONCE = "at once"  # what a user says who does not want to wait


@cache
def unsupported() -> str:
    """Why there is no machine code in this process; empty if there is."""
    from .llvm.objects import unsupported

    return unsupported()


def in_numpy(node: Node) -> None:
    """Let NumPy run the program of ``node``."""
    assert node.program is not None
    node.run, node.native, node.compiled = executable(node.program), None, None


def prepare(
    node: Node, strict: bool, threads: int | None = None, native: bool | str = True
) -> None:
    """Let NumPy run the program of ``node`` until machine code pays, or is wanted at once."""
    in_numpy(node)
    node.native = Native(node, strict, threads, 0.0 if native == AT_ONCE else SHARE)


def runner(program: Program) -> Executable:
    """What runs a program that is called by itself: NumPy, until machine code pays."""
    node: Node | None = program.memo.get(Native)
    if node is None:
        node = program.memo.setdefault(Native, Node())
        node.program = program
        prepare(node, strict=False)
    run: Any = node.run  # which gives tuples
    made: Executable = run
    return made


class Native:
    """Runs the program of ``node`` in NumPy, then makes machine code of it.

    Attributes:
        machine: what became of it.
        into: results, by number, that may be written into the memory of an argument.
        fallback: runs what a native program was not made for.
    """

    def __init__(self, node: Node, strict: bool, threads: int | None, share: float) -> None:
        assert node.program is not None
        self.program, self.strict, self.threads = node.program, strict, threads
        self.captured = node.original or node.program
        self.into = dict(node.into)
        self.fallback: Executable | None = None
        self.spent, self.share = 0.0, share
        self.looked = False  # on disk
        self._in_numpy = node.run
        self._node = weakref.ref(node)
        self._lock = threading.Lock()
        why = unsupported()
        self.saves, self.price = (0.0, 1.0) if why else worth(node.program)
        if why:
            self.machine = Machine(waits=f"NumPy runs all of it: {why}")
        elif not self.saves:
            self.machine = Machine()  # there is nothing to fuse
        else:
            self.machine = Machine(waits="NumPy runs all of it until machine code pays")
            node.run = self.run

    def run(self, *values: Any) -> Sequence[Any]:
        """A call before there is machine code."""
        if self.looked and self._waits():
            return self._run_in_numpy(values)
        if not self._lock.acquire(blocking=False):  # another thread is at it
            return self._in_numpy(*values)
        try:
            options = self.strict, self.into, self.threads
            if not self.looked:
                self.looked = True
                made = kept_on_disk(self.captured, self.program, values, *options)
                if made is not None:
                    self._take(made)
                    return made.run(*values)
                if self._waits():
                    return self._run_in_numpy(values)
            made = built(self.program, self.captured, values, *options)
            self._take(made)
            return made.results
        finally:
            self._lock.release()

    def _waits(self) -> bool:
        """Whether NumPy has not yet taken its share of what machine code costs."""
        return self.spent < self.share * self.price

    def _run_in_numpy(self, values: Sequence[Any]) -> Sequence[Any]:
        self.spent += self.saves
        return self._in_numpy(*values)

    def _take(self, made: Made) -> None:
        self.machine, self.fallback = made.machine, made.fallback
        node = self._node()
        if node is not None and node.native is self:  # else it has another program by now
            node.run, node.compiled = made.run, made.whole
        self.spent = 0.0


def worth(program: Program) -> tuple[float, float]:
    """Seconds that machine code would save in a call, about, and those that it takes to make it;
    nothing where there is nothing to compute.
    """
    saves, count = _worth(program)
    return (saves + CALL, COMPILING[0] + COMPILING[1] * count) if count else (0.0, 1.0)


def _worth(program: Program) -> tuple[float, int]:
    """What the equations save, and how many there are."""
    saves, count = 0.0, 0
    for eqn in program.equations:
        inner = [_worth(one) for _, one in programs_in(eqn.params)]
        count += sum(number for _, number in inner)
        trips = getattr(eqn.params.get("plan"), "length", None) or TRIPS
        saves += trips * sum(each for each, _ in inner)
        if not is_view(eqn):
            count += 1
            saves += CALL + BYTE * sum(_bytes(var.aval) for var in eqn.outputs)
    return saves, count


def _bytes(aval: Aval) -> int:
    return aval.dtype.itemsize * prod(aval.shape)
