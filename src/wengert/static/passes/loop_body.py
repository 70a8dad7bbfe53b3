"""What of the body of a loop can be done outside, for all steps at once: see ``loops.py``.

Layer: ``static``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any, Protocol

from ...core.aval import Aval
from ...core.program import Atom, Equation, Literal, Var
from ...ops import arithmetic as ar
from ...ops.accumulate import accumulate
from ...ops.families import normal_axes
from ...ops.network import project
from ...ops.products import matmul
from ...ops.reduction import sum as sum_p
from ...ops.shape import reshape, transpose
from .rewrite import Notes, Rewrite
from .taken_apart import TakenApart

ROWS = 128  # of a product; BLAS does as well with more of them in each step
BYTES = 1 << 26  # of a stack that is written for a product behind the loop


class Outer(Protocol):
    """The program around the loop, under reconstruction; ``invariant``: stacks of one value."""

    rewrite: Rewrite
    notes: Notes
    invariant: dict[Atom, Atom]

    def add(self, primitive: Any, inputs: Any, params: Any, like: Aval, source: str) -> Var:
        """The output of an equation before the loop."""


class Body:
    """The body of a loop: where its values come from, and what of it can be done outside."""

    def __init__(self, outer: Outer, loop: TakenApart) -> None:
        self.outer, self.loop = outer, loop
        self.outside: dict[Atom, Atom] = {
            var: atom for var, atom in loop.consts if var.aval == atom.aval
        }
        self.stacks: dict[Atom, Atom] = dict(loop.reads)
        self.maker = {var: eqn for eqn in loop.equations for var in eqn.outputs}
        self.fixed: set[Atom] = {*self.outside, *loop.body.constants}
        for eqn in loop.equations:
            single = len(eqn.outputs) == 1 and not eqn.primitive.calls_user
            if single and all(self._is_fixed(atom) for atom in eqn.inputs):
                self.fixed.update(eqn.outputs)
        self.uses = Counter(atom for eqn in loop.equations for atom in eqn.inputs)
        self.uses.update(one[1] for one in loop.carry)
        self.uses.update(atom for atom, _ in loop.writes)

    def _is_fixed(self, atom: Atom) -> bool:
        return isinstance(atom, Literal) or atom in self.fixed

    # --- before the loop -------------------------------------------------------------------------

    def hoisted(self, atom: Atom) -> Atom:
        """A value that depends on no step, computed before the loop."""
        if isinstance(atom, Literal):
            return atom
        if atom in self.outside:
            return self.outside[atom]
        if atom in self.loop.body.constants:
            made = Var(atom.aval)
            self.outer.rewrite.constants[made] = self.loop.body.constants[atom]
        else:
            eqn = self.maker[atom]
            inputs = [self.hoisted(one) for one in eqn.inputs]
            made = self.outer.add(eqn.primitive, inputs, eqn.params, atom.aval, eqn.source)
        self.outside[atom] = made
        return made

    def hoist_stacks(self) -> None:
        """Stacks of one value; who else but loops reads them still finds them written."""
        for atom, stack in self.loop.writes:
            if self._is_fixed(atom):
                self.outer.invariant[stack] = self.hoisted(atom)
                self.outer.notes["stack of one value"] += 1

    def hoist_values(self) -> None:
        """What is computed, not only looked at, and depends on no step."""
        kept, moved = [], []
        for eqn in self.loop.equations:
            (*outputs,) = eqn.outputs
            fresh = eqn.primitive.fresh and len(outputs) == 1
            if fresh and outputs[0] in self.fixed:
                moved.append(outputs[0])
            else:
                kept.append(eqn)
        for var in moved:
            self.loop.consts.append((var, self.hoisted(var)))
            self.outer.notes["computed before the loop"] += 1
        self.loop.equations = kept

    def batch_products(self) -> None:
        """Products of an element that is read and what depends on no step."""
        kept = []
        for eqn in self.loop.equations:
            made = self._batched(eqn) if eqn.primitive in (matmul, project) else None
            if made is None:
                kept.append(eqn)
            else:
                self.loop.reads.append((eqn.outputs[0], made))
                self.stacks[eqn.outputs[0]] = made
                self.outer.notes["products before the loop"] += 1
        self.loop.equations = kept

    def _batched(self, eqn: Equation) -> Var | None:
        """The stack of the results of a product."""
        a, b = eqn.inputs
        (var,) = eqn.outputs
        if not (a in self.stacks and self._is_fixed(b) and not isinstance(b, Literal)):
            return None
        shape, dtype = a.aval.shape, var.aval.dtype
        fits = len(shape) in (1, 2) and len(b.aval.shape) == 2 and dtype.kind == "f"
        if not fits or prod(shape[:-1]) > ROWS:
            return None
        n = self.loop.length
        rows = self._rows(self.stacks[a], n * prod(shape[:-1]), shape[-1])
        like = Aval((rows.aval.shape[0], var.aval.shape[-1]), dtype)
        weights = self.hoisted(b)
        product = self.outer.add(eqn.primitive, (rows, weights), {}, like, eqn.source)
        whole = Aval((n, *var.aval.shape), dtype)
        return self.outer.add(reshape, (product,), {"shape": whole.shape}, whole, eqn.source)

    def _rows(self, stack: Atom, count: int, width: int) -> Atom:
        """A stack as a matrix."""
        like = replace(stack.aval, shape=(count, width))
        if stack.aval.shape == like.shape:
            return stack
        return self.outer.add(reshape, (stack,), {"shape": like.shape}, like, self.loop.source)

    # --- behind the loop -------------------------------------------------------------------------

    def sum_behind(self) -> list[Equation]:
        """Carries that only add up, as products and sums of stacks; what is to be done for them
        behind the loop.
        """
        after: list[Equation] = []
        for pattern in (self._product, self._sum):  # what is stacked for one may be summed too
            for one in list(self.loop.carry):
                found = pattern(*one)
                if found is None:
                    continue
                after += found
                self.loop.carry.remove(one)
                made = self.maker[one[1]]  # type: ignore[index]
                self.loop.equations = [eqn for eqn in self.loop.equations if eqn is not made]
                self.outer.notes["sums behind the loop"] += 1
        return after

    def _added(self, old: Var, new: Atom) -> Equation | None:
        """The equation that adds to a carry, if nothing else is done with it."""
        eqn = self.maker.get(new) if isinstance(new, Var) else None
        if eqn is None or self.uses[old] != 1 or self.uses[new] != 1 or old.aval != new.aval:
            return None
        return eqn if eqn.primitive in (ar.add, accumulate) and old in eqn.inputs else None

    def _product(self, old: Var, new: Atom, start: Atom, last: Var) -> list[Equation] | None:
        """What gives start + Σ s aᵀ b, if the carry is that."""
        eqn = self._added(old, new)
        if eqn is None or (eqn.primitive is accumulate and eqn.inputs[0] is not old):
            return None
        factors: tuple[Atom, ...] = eqn.inputs[1:3]
        scale: Atom = Literal(1.0)
        if eqn.primitive is accumulate:
            scale = eqn.inputs[3]
        else:
            term = eqn.inputs[1] if eqn.inputs[0] is old else eqn.inputs[0]
            product = self.maker.get(term) if isinstance(term, Var) else None
            if product is None or product.primitive is not matmul or self.uses[term] != 1:
                return None
            factors = product.inputs
        turned = self.maker.get(factors[0]) if isinstance(factors[0], Var) else None
        if turned is None or turned.primitive is not transpose or not self._is_fixed(scale):
            return None
        a, b = turned.inputs[0], factors[1]
        if not self._stackable(a, b, last.aval):
            return None
        return list(self._behind(self._stack(a), self._stack(b), self.hoisted(scale), start, last))

    def _stackable(self, a: Atom, b: Atom, like: Aval) -> bool:
        """Whether stacks of two matrices are not too large, and their product is worth them."""
        for atom in (a, b):
            size = self.loop.length * prod(atom.aval.shape) * atom.aval.dtype.itemsize
            if len(atom.aval.shape) != 2 or self._is_fixed(atom) or size > BYTES:
                return False
        return a.aval.shape[0] <= ROWS and a.aval.dtype == b.aval.dtype == like.dtype

    def _stack(self, atom: Atom) -> Atom:
        """The stack of a value of each step: read, or written."""
        if atom in self.stacks:
            return self.stacks[atom]
        made = Var(Aval((self.loop.length, *atom.aval.shape), atom.aval.dtype))
        self.loop.writes.append((atom, made))
        self.stacks[atom] = made
        return made

    def _behind(self, a: Atom, b: Atom, scale: Atom, start: Atom, last: Var) -> Iterator[Equation]:
        source, rows = self.loop.source, []
        for stack in (a, b):
            n, m, width = stack.aval.shape
            made = Var(replace(stack.aval, shape=(n * m, width)))
            rows.append(made)
            yield Equation(reshape, (stack,), (made,), {"shape": made.aval.shape}, source)
        turned = Var(replace(rows[0].aval, shape=rows[0].aval.shape[::-1]))
        yield Equation(transpose, (rows[0],), (turned,), {"axes": (1, 0)}, source)
        product = Var(replace(last.aval, weak=False))
        yield Equation(matmul, (turned, rows[1]), (product,), {}, source)
        if not (isinstance(scale, Literal) and scale.value == 1):
            scaled = Var(product.aval)
            yield Equation(ar.multiply, (product, scale), (scaled,), {}, source)
            product = scaled
        yield Equation(ar.add, (start, product), (last,), {}, source)

    def _sum(self, old: Var, new: Atom, start: Atom, last: Var) -> list[Equation] | None:
        """What gives start + Σ sum(x), if x is stacked anyway."""
        eqn = self._added(old, new)
        if eqn is None or eqn.primitive is not ar.add:
            return None
        term = eqn.inputs[1] if eqn.inputs[0] is old else eqn.inputs[0]
        inner = self.maker.get(term) if isinstance(term, Var) else None
        if inner is None or inner.primitive is not sum_p or self.uses[term] != 1:
            return None
        (x,) = inner.inputs
        if x not in self.stacks or term.aval != last.aval:
            return None
        axes = normal_axes(inner.params.get("axis"), len(x.aval.shape))
        params = {"axis": (0, *(k + 1 for k in axes)), "keepdims": False}
        if inner.params.get("keepdims"):
            return None
        total = Var(replace(last.aval, weak=False))
        return [
            Equation(sum_p, (self.stacks[x],), (total,), params, self.loop.source),
            Equation(ar.add, (start, total), (last,), {}, self.loop.source),
        ]
