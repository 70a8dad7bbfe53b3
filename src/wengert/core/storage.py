"""Which values of a program may lie in the same memory, and who owns it.

A primitive whose record says ``fresh`` gives new memory; the result of any other may be a view of
its arguments. Values that may be views of each other form a group; a group is *owned* where all of
its memory is made inside the program and no function of the user's has seen it, and it *escapes*
where an output of the program may lie in it. What passes ask before one value stands for another,
or is written into another's buffer. Layer: ``core``.
"""

from __future__ import annotations

from .errors import ProgramError
from .primitive import Primitive
from .program import Equation, Program, Var


class Storage:
    """The groups of the variables of a program, found in one walk."""

    def __init__(self, program: Program) -> None:
        self._above: dict[Var, Var] = {}
        self._size: dict[Var, int] = {}  # of the groups of more than one, by root
        self._foreign: set[Var] = set()  # roots
        self._escaping: set[Var] = set()
        for var in (*program.inputs, *program.constants):
            self._foreign.add(var)
        for eqn in program.equations:
            self._follow(eqn)
        for atom in program.outputs:
            if isinstance(atom, Var):
                self._escaping.add(self.group(atom))

    def _follow(self, eqn: Equation) -> None:
        if eqn.primitive.fresh:
            return
        read = [atom for atom in eqn.inputs if isinstance(atom, Var)]
        for var in eqn.outputs:
            if not read or eqn.primitive.calls_user:  # made somewhere else, or kept there
                self._foreign.add(self.group(var))
            for other in read:
                self.join(var, other)

    def group(self, var: Var) -> Var:
        """The variable that stands for the group of ``var``."""
        above = self._above
        while (up := above.get(var, var)) is not var:
            above[var] = above.get(up, up)  # halves the path for the next time
            var = up
        return var

    def join(self, a: Var, b: Var) -> None:
        """Note that ``a`` and ``b`` may share memory."""
        a, b = self.group(a), self.group(b)
        if a is b:
            return
        self._above[a] = b
        self._size[b] = self._size.get(a, 1) + self._size.get(b, 1)
        for roots in (self._foreign, self._escaping):
            if a in roots:
                roots.discard(a)
                roots.add(b)

    def escapes(self, var: Var) -> bool:
        """Whether an output of the program may share memory with ``var``."""
        return self.group(var) in self._escaping

    def seen(self, var: Var, known: int = 1) -> bool:
        """Whether how ``var`` lies in memory may decide what the outputs share memory with, for a
        reshape of it is a view or a copy: there are outputs and more than ``known`` variables in
        its group.
        """
        group = self.group(var)
        return group in self._escaping and self._size.get(group, 1) > known

    def owned(self, var: Var) -> bool:
        """Whether ``var`` lies in memory that the program made and nobody outside it sees."""
        group = self.group(var)
        return group not in self._foreign and group not in self._escaping


class Reusable:
    """Which buffers may be written into again: asked equation by equation, in their order."""

    def __init__(self, program: Program) -> None:
        self.storage = Storage(program)
        self.fresh = {
            var for eqn in program.equations if eqn.primitive.fresh for var in eqn.outputs
        }
        self.readers = _last_two(program, self.storage)

    def dies(self, eqn: Equation, number: int, i: int) -> bool:
        """Whether the buffer of input ``i`` of ``eqn``, equation ``number``, is the program's own
        and nothing else in it is read there or later.
        """
        var = eqn.inputs[i]
        if not isinstance(var, Var) or var not in self.fresh or not self.storage.owned(var):
            return False
        last, second = self.readers[self.storage.group(var)]
        return last == (number, var) and (second is None or second[0] < number)


Reader = tuple[int, Var]


def _last_two(program: Program, storage: Storage) -> dict[Var, tuple[Reader, Reader | None]]:
    """For each group the last equation that touches one of its members, and the last that touches
    another.
    """
    last: dict[Var, int] = {}
    for number, eqn in enumerate(program.equations):
        for atom in (*eqn.inputs, *eqn.outputs):
            if isinstance(atom, Var):
                last[atom] = number
    found: dict[Var, tuple[Reader, Reader | None]] = {}
    for var, number in last.items():
        group, reader = storage.group(var), (number, var)
        if group not in found:
            found[group] = (reader, None)
            continue
        first, second = found[group]
        if number > first[0]:
            found[group] = (reader, first)
        elif second is None or number > second[0]:
            found[group] = (first, reader)
    return found


def writes_in_place(primitive: Primitive, i: int) -> bool:
    """Whether ``executable`` can have ``primitive`` write its result over its input ``i``: a ufunc
    that works element by element, or a write into a copy that need not be one.
    """
    if primitive.donates:
        return i == 0
    ufunc = primitive.ufunc
    if ufunc is None or ufunc.signature is not None or ufunc.nout != 1:
        return False
    # operator.pow has short cuts for some exponents that the ufunc has not
    return primitive.value is ufunc or (
        primitive.value.__module__ == "_operator" and primitive.name != "power"
    )


def check_reuse(program: Program) -> None:
    """Raise ``ProgramError`` unless every buffer that ``reuse`` names may be written into."""
    reusable = Reusable(program)
    for number, eqn in enumerate(program.equations):
        if eqn.reuse is None:
            continue
        where = f"equation {number + 1}, {eqn!r}"
        if not 0 <= eqn.reuse < len(eqn.inputs):
            raise ProgramError(f"{where}: it has no input {eqn.reuse} to write into")
        if not writes_in_place(eqn.primitive, eqn.reuse):
            raise ProgramError(f"{where}: {eqn.primitive.name} can't write into input {eqn.reuse}")
        given, made = eqn.inputs[eqn.reuse].aval, eqn.outputs[0].aval
        if (given.shape, given.dtype) != (made.shape, made.dtype) or not made.shape:
            raise ProgramError(f"{where}: the buffer holds {given}, the result is {made}")
        if not reusable.dies(eqn, number, eqn.reuse) or _read_twice(eqn):
            raise ProgramError(f"{where}: the buffer is not the program's own, or read later")


def _read_twice(eqn: Equation) -> bool:
    """Whether an array that is written into is read as another argument as well; elementwise that
    does no harm.
    """
    return eqn.primitive.donates and any(atom is eqn.inputs[0] for atom in eqn.inputs[1:])
