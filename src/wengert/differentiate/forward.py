"""Forward mode: every value carries its tangent, nothing is taped.

``linearize`` runs it once with the tangents recorded as a program, which is then run for any
tangent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import interpret, tree
from ..core.box import PLAIN, Box, dtype_of, is_inexact, shape_of
from ..core.errors import DtypeError, ShapeError, describe
from ..core.interpret import Interpreter, apply, evaluate
from ..core.primitive import Primitive
from ..core.program import Program
from ..core.quiet import quiet
from ..ops.array import Array, make, normal
from ..ops.fitting import Like, fit, zeros_like
from .record import Recorder
from .reverse import differentiable, lists_meant_as_arrays


class Forward(Interpreter):
    """Carries tangents: the ``_node`` of a handle is its tangent at the level below, None for
    zero.
    """

    __slots__ = ()

    def owned(self, value: Any) -> Array:
        return make(self, value, None)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values, tangents, mine, active, plain = [], [], False, False, True
        for arg in args:
            tangent = None
            if isinstance(arg, Box):
                if type(arg) is not Array:
                    arg.refresh()
                if arg._owner is self:
                    mine, tangent, arg = True, arg._node, arg._value
                    if tangent is not None:
                        active = True
                        plain = plain and type(tangent) in PLAIN
            elif type(arg) not in PLAIN:
                arg = normal(primitive, arg)
            plain = plain and type(arg) in PLAIN
            values.append(arg)
            tangents.append(tangent)
        if active and primitive.push is not None:
            return self._pushed(primitive.push, values, tangents, params)
        if plain:
            y = apply(primitive, values, params)
        else:
            y = evaluate(self.parent, primitive, values, params)
        if not mine:
            return y
        dy = self._tangent(primitive, y, values, tangents, params, plain) if active else None
        if type(y) is not tuple:
            return make(self, y, dy)
        return tuple(make(self, part, None if dy is None else dy[k]) for k, part in enumerate(y))

    def _pushed(self, push: Any, values: Any, tangents: Any, params: dict[str, Any]) -> Any:
        """An application whose rule gives values and tangents in one; it runs under the parent."""
        assert self.parent is not None
        with interpret.under(self.parent):
            ys, dys = push(values, tangents, params)
        return tuple([make(self, y, dy) for y, dy in zip(ys, dys, strict=True)])

    def _tangent(
        self,
        primitive: Primitive,
        y: Any,
        values: Any,
        tangents: Any,
        params: dict[str, Any],
        plain: bool,
    ) -> Any:
        """The rule's tangent, computed under the parent; the rule's own warnings are no news."""
        if type(y) is not tuple and not is_inexact(y):
            return None
        if plain:
            if primitive.tame:
                return primitive.jvp(y, values, tangents, params)
            with quiet():
                return primitive.jvp(y, values, tangents, params)
        assert self.parent is not None
        with interpret.under(self.parent), quiet():
            return primitive.jvp(y, values, tangents, params)


def check_tangents(
    primals: Sequence[Any], tangents: Sequence[Any], what: str
) -> list[tuple[list[Any], list[Any], Any]]:
    """For each argument its leaves, their tangents and its structure; raises where they do not
    fit.
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise DtypeError(
            f"{what}: primals and tangents must be tuples, got {describe(primals)} and "
            f"{describe(tangents)}; "
            f"write {what}(f, (x,), (dx,))"
        )
    if len(primals) != len(tangents):
        raise ShapeError(f"{what}: {len(primals)} primals, but {len(tangents)} tangents")
    rows = []
    for primal, tangent in zip(primals, tangents, strict=True):
        lists_meant_as_arrays(primal, what)
        lists_meant_as_arrays(tangent, what)
        leaves, treedef = tree.flatten(primal)
        others = tree.leaves_like(treedef, tangent, what)
        for leaf, other in zip(leaves, others, strict=True):
            differentiable(leaf, what)
            differentiable(other, what)
            if shape_of(leaf) != shape_of(other):
                raise ShapeError(
                    f"{what}: a tangent of shape {shape_of(other)} for a primal of shape "
                    f"{shape_of(leaf)}"
                )
        rows.append((leaves, others, treedef))
    return rows


def tangent_for(leaf: Any, tangent: Any, what: str) -> Any:
    """``tangent`` in the dtype of its primal; None for an integer, whose tangent must be zero."""
    if is_inexact(leaf):
        if np.dtype(dtype_of(tangent)).kind == "c" and np.dtype(dtype_of(leaf)).kind != "c":
            raise DtypeError(
                f"{what}: a complex tangent {describe(tangent)} for a real primal {describe(leaf)}"
            )
        return fit(tangent, Like(leaf))
    if not isinstance(tangent, Box) and not np.any(tangent):
        return None
    raise DtypeError(
        f"{what}: a tangent for {describe(leaf)}, which has no derivative; give floats: 3.0 "
        "instead of 3, x.astype(float)"
    )


def push(f: Callable[..., Any], rows: Any, what: str) -> tuple[list[Any], list[Any], Any]:
    """Run ``f`` on handles that carry tangents: leaves of the result, their tangents (None for
    zero), structure.
    """
    forward = Forward(interpret.current.get(), what, f)
    args = [
        tree.unflatten(
            treedef, [make(forward, leaf, dx) for leaf, dx in zip(leaves, tangents, strict=True)]
        )
        for leaves, tangents, treedef in rows
    ]
    with interpret.under(forward):
        result = f(*args)
    leaves, out_def = tree.flatten(result)
    ys, dys = [], []
    for leaf in leaves:
        mine = isinstance(leaf, Box) and leaf._owner is forward
        if mine:
            leaf.refresh()
        ys.append(leaf._value if mine else leaf)
        dys.append(leaf._node if mine else None)
    return ys, dys, out_def


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Forward mode: ``(f(*primals), derivative of f in direction tangents)``, in one pass, nothing
    saved.

    Args:
        f: a function of arrays or containers of arrays.
        primals: a tuple of its arguments.
        tangents: a tuple of the same structure and shapes; the tangent of an integer must be zero.

    Returns:
        ``(y, dy)``, both of the structure of ``f``'s result.

    Raises:
        ShapeError: structures or shapes that differ.
        DtypeError: a tangent for an integer, lists in place of arrays.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.1,
        doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> wg.jvp(lambda x: x * x, (3.0,), (1.0,))
    (9.0, 6.0)
    """
    rows = [
        (
            leaves,
            [tangent_for(leaf, dx, "jvp") for leaf, dx in zip(leaves, others, strict=True)],
            treedef,
        )
        for leaves, others, treedef in check_tangents(primals, tangents, "jvp")
    ]
    ys, dys, out_def = push(f, rows, "jvp")
    known = [dx for _, tangents, _ in rows for dx in tangents]
    for k, (y, dy) in enumerate(zip(ys, dys, strict=True)):
        dys[k] = zero_tangent(y) if dy is None else own(dy, known)
        known.append(dys[k])
    return tree.unflatten(out_def, ys), tree.unflatten(out_def, dys)


def zero_tangent(y: Any) -> Any:
    """Zeros for an output that does not depend on the inputs; integers have none, and get float
    zeros.
    """
    if isinstance(y, Box):
        zero = zeros_like(y) if is_inexact(y) else np.zeros(y.shape)
        return zero[()] if isinstance(zero, np.ndarray) else zero
    if not isinstance(y, np.ndarray | np.generic | int | float | complex):
        return None
    return zeros_like(y) if is_inexact(y) else np.zeros(np.shape(y))[()]


def own(dy: Any, given: Sequence[Any] = ()) -> Any:
    """A tangent as the user gets it: an array of its own, and none of those ``given``."""
    if type(dy) is np.ndarray and (
        dy.base is not None or not dy.flags.writeable or any(dy is dx for dx in given)
    ):
        return np.array(dy)
    return dy


class Linearized:
    """The derivative of a function at a point: ``jvp_fn(*tangents) -> dy``, a linear program.

    ``program`` is its Wengert list: only operations linear in the tangents are left in it.
    """

    def __init__(
        self,
        primals: Sequence[Any],
        constant: list[Any],
        out_def: Any,
        program: Program,
        recorder: Recorder,
    ) -> None:
        self.primals, self.constant = primals, constant
        self.out_def, self.program = out_def, program
        self._recorder = recorder  # holds the arrays that the program reads against writing

    def __call__(self, *tangents: Any) -> Any:
        values = [
            dx
            for leaves, others, _ in check_tangents(self.primals, tangents, "linearize")
            for leaf, other in zip(leaves, others, strict=True)
            if (dx := tangent_for(leaf, other, "linearize")) is not None
        ]
        dys = iter(self.program.run(*values))
        leaves: list[Any] = []
        for constant in self.constant:
            known = [*values, *leaves]
            leaves.append(own(next(dys), known) if constant is None else zero_tangent(constant[0]))
        return tree.unflatten(self.out_def, leaves)

    def __repr__(self) -> str:
        return f"<derivative, {self._recorder.origin}: {len(self.program.equations)} equations>"


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Linearized]:
    """Forward mode recorded once: ``(f(*primals), jvp_fn)``, where ``jvp_fn(*tangents)`` gives the
    derivative.

    ``f`` runs once; ``jvp_fn`` replays what is linear in the tangents, for as many as are wanted.

    Args:
        f: a function of arrays or containers of arrays.
        primals: its arguments.

    Returns:
        ``(y, jvp_fn)``; ``jvp_fn`` takes a tangent of the structure and shapes of each primal, zero
        for an integer, and gives one of the structure of ``y``. It may be called under other
        transformations.

    Raises:
        DtypeError: an argument that is neither an array nor a number; a tangent for an integer.
        ShapeError: a tangent of another structure or shape than its primal.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.1,
        doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> y, jvp_fn = wg.linearize(lambda x: x * x, np.array([1.0, 2.0]))
    >>> jvp_fn(np.array([1.0, 0.0])), jvp_fn(np.array([0.0, 1.0]))
    (array([2., 0.]), array([0., 4.]))
    """
    outer = interpret.current.get()
    recorder = Recorder(outer, "linearize", f, lock=True)
    rows = []
    for primal in primals:
        lists_meant_as_arrays(primal, "linearize")
        leaves, treedef = tree.flatten(primal)
        tangents = [
            recorder.input(zeros_like(leaf)) if is_inexact(leaf) else None
            for leaf in [differentiable(leaf, "linearize") for leaf in leaves]
        ]
        rows.append((leaves, tangents, treedef))
    with interpret.under(recorder):
        ys, dys, out_def = push(f, rows, "linearize")
    outputs = [recorder.atom(dy) for dy in dys if dy is not None]
    program = recorder.program(outputs, getattr(f, "__name__", type(f).__name__))
    frozen = tuple(
        tree.unflatten(treedef, [_type_of(leaf) for leaf in leaves]) for leaves, _, treedef in rows
    )
    constant = [(y,) if dy is None else None for y, dy in zip(ys, dys, strict=True)]
    return tree.unflatten(out_def, ys), Linearized(frozen, constant, out_def, program, recorder)


def _type_of(leaf: Any) -> Any:
    """A value with the type of ``leaf``, to check tangents against; it takes no memory."""
    zero = zeros_like(leaf) if shape_of(leaf) == () else np.zeros((), dtype_of(leaf))
    return zero if shape_of(leaf) == () else np.broadcast_to(zero, shape_of(leaf))
