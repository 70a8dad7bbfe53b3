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
from typing import Any

from ..core.execute import Executable, executable
from ..core.primitive import NoLowering
from ..core.program import Program
from .building import Machine, Made, built, kept_on_disk
from .paths import Node

CALL = 1e-6  # seconds that an operation costs in NumPy beside its loop
BYTE = 0.2e-9  # seconds to write and read again a byte of a result
COMPILING = (10e-3, 4e-3)  # seconds to compile kernels, and more for each of their equations
SHARE = 0.25  # of the price that is spent in NumPy before


@cache
def unsupported() -> str:
    """Why there is no machine code in this process; empty if there is."""
    from .llvm.objects import unsupported

    return unsupported()


def in_numpy(node: Node) -> None:
    """Let NumPy run the program of ``node``."""
    assert node.program is not None
    node.run, node.native, node.compiled = executable(node.program), None, None


def prepare(node: Node, strict: bool) -> None:
    """Let NumPy run the program of ``node`` until kernels pay."""
    in_numpy(node)
    node.native = Native(node, strict)


class Native:
    """Runs the program of ``node`` in NumPy, then makes machine code of it.

    Attributes:
        machine: what became of it.
        into: results, by number, that may be written into the memory of an argument.
        fallback: runs what a native program was not made for.
    """

    def __init__(self, node: Node, strict: bool) -> None:
        assert node.program is not None
        self.program, self.strict = node.program, strict
        self.captured = node.original or node.program
        self.into = dict(node.into)
        self.fallback: Executable | None = None
        self.spent = 0.0
        self.looked = False  # on disk
        self._in_numpy = node.run
        self._node = weakref.ref(node)
        self._lock = threading.Lock()
        self.saves, self.price = worth(node.program)
        if why := unsupported():
            self.machine = Machine(waits=f"NumPy runs all of it: {why}")
        elif not self.saves:
            self.machine = Machine()  # there is nothing to fuse
        else:
            self.machine = Machine(waits="NumPy runs all of it until machine code pays")
            node.run = self.run

    def run(self, *values: Any) -> Sequence[Any]:
        """A call before there is machine code."""
        if self.looked and self.spent < SHARE * self.price:
            return self.run_in_numpy(*values)
        if not self._lock.acquire(blocking=False):  # another thread is at it
            return self._in_numpy(*values)
        try:
            if not self.looked:
                return self._look(values)
            made = built(self.program, self.captured, values, self.strict, self.into)
            self._take(made)
            return made.results
        finally:
            self._lock.release()

    def _look(self, values: Sequence[Any]) -> Sequence[Any]:
        """The first call: take what is kept, or leave it to NumPy."""
        self.looked = True
        made = kept_on_disk(self.captured, self.program, values, self.strict, self.into)
        if made is None:
            return self.run_in_numpy(*values)
        self._take(made)
        return made.run(*values)

    def run_in_numpy(self, *values: Any) -> Sequence[Any]:
        """A call that NumPy runs."""
        self.spent += self.saves
        return self._in_numpy(*values)

    def _take(self, made: Made) -> None:
        self.machine, self.fallback = made.machine, made.fallback
        node = self._node()
        if node is not None and node.native is self:  # else it has another program by now
            node.run, node.compiled = made.run, made.whole
        self.spent = 0.0


def worth(program: Program) -> tuple[float, float]:
    """Seconds that kernels would save in a call, about, and those that it takes to make them."""
    saves, count = 0.0, 0
    for eqn in program.equations:
        if not isinstance(eqn.primitive.lower, NoLowering):
            count += 1
            made = eqn.outputs[0].aval
            size = made.dtype.itemsize
            for length in made.shape:
                size *= length
            saves += CALL + BYTE * size
    if count < 2:
        return 0.0, 1.0
    return saves, COMPILING[0] + COMPILING[1] * count
