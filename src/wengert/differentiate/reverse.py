"""Reverse mode for functions: ``vjp``, ``grad``, ``value_and_grad``: run under a tape of its own,
then sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import interpret, tree
from ..core.box import (
    PLAIN,
    PYTHON_SCALARS,
    SCALARS,
    Box,
    dtype_of,
    innermost,
    is_inexact,
    shape_of,
)
from ..core.errors import DtypeError, ShapeError, describe
from ..core.protect import own
from ..core.quiet import quiet
from ..ops.arithmetic import weaken
from ..ops.families import F8
from ..ops.fitting import fit
from .sweep import sweep
from .tape import Leaf, Node, Tape


def differentiable(leaf: Any, what: str) -> Any:
    """``leaf``, if it is an array or a number; lists and other objects raise with the remedy."""
    if isinstance(leaf, Box | np.ndarray | np.generic | int | float | complex):
        return leaf
    raise DtypeError(
        f"{what}: got {describe(leaf)}, expected an array; write np.array(...) around it"
    )


def lists_meant_as_arrays(argument: Any, what: str) -> None:
    """Refuse a list of plain numbers: as a container its gradient would be a list of scalars, which
    nobody means.
    """
    if (
        isinstance(argument, list)
        and argument
        and all(type(item) in (int, float) for item in argument)
    ):
        raise DtypeError(
            f"{what}: got a list of numbers, expected an array; write np.array({argument!r:.60})"
        )


class Input:
    """One argument to differentiate: its structure, and for each leaf its node (None: a constant)
    and what the user gave.

    ``locks`` hold large arrays of the user's read-only for as long as the pullback may read them.
    """

    __slots__ = ("kinds", "leaves", "locks", "treedef")

    def __init__(
        self, treedef: Any, leaves: list[Leaf | None], kinds: list[Any], locks: list[Any]
    ) -> None:
        self.treedef, self.leaves, self.kinds, self.locks = treedef, leaves, kinds, locks

    def gradient(self, adjoints: dict[Leaf, Any], seen: set[int]) -> Any:
        """The adjoints in the structure of the argument; None for constants."""
        parts = [
            None if leaf is None else finished(adjoints.get(leaf), leaf, kind, seen)
            for leaf, kind in zip(self.leaves, self.kinds, strict=True)
        ]
        return parts[0] if self.treedef is tree.LEAF else tree.unflatten(self.treedef, parts)


def lift(tape: Tape, argument: Any, what: str) -> tuple[Any, Input]:
    """``argument`` with its leaves on the tape, and what is needed to hand out its gradient."""
    locks: list[Any] = []
    if type(argument) in PLAIN:
        handle = tape.input(own(argument, locks))
        return handle, Input(tree.LEAF, [handle._node], [type(argument)], locks)
    lists_meant_as_arrays(argument, what)
    leaves, treedef = tree.flatten(argument)
    handles = [tape.input(own(differentiable(leaf, what), locks)) for leaf in leaves]
    kinds = [leaf._owner.kind_of(leaf) if isinstance(leaf, Box) else type(leaf) for leaf in leaves]
    return tree.unflatten(treedef, handles), Input(
        treedef, [handle._node for handle in handles], kinds, locks
    )


class Output:
    """One leaf of the result: its shape, and its node (None where it depends on no input)."""

    __slots__ = ("node", "shape", "value")

    def __init__(self, leaf: Any, tape: Tape) -> None:
        self.node, self.value = None, leaf
        if isinstance(leaf, Box) and leaf._owner is tape:
            leaf.refresh()
            self.node, self.value = leaf._node, leaf._value
        self.shape = shape_of(self.value) if hasattr(self.value, "shape") else ()


class Pullback:
    """The linear map from the adjoint of the output to the adjoints of the arguments:
    ``pullback(gy)`` -> a tuple.
    """

    __slots__ = ("inputs", "outputs", "retain", "tape", "treedef")

    def __init__(
        self, tape: Tape, inputs: list[Input], outputs: list[Output], treedef: Any, retain: bool
    ) -> None:
        self.tape, self.inputs, self.outputs, self.treedef, self.retain = (
            tape,
            inputs,
            outputs,
            treedef,
            retain,
        )

    def __call__(self, gy: Any) -> tuple[Any, ...]:
        seeds = []
        for output, g in zip(
            self.outputs, tree.leaves_like(self.treedef, gy, "pullback"), strict=True
        ):
            if shape_of(differentiable(g, "pullback")) != output.shape:
                raise ShapeError(
                    f"pullback: got an adjoint of shape {shape_of(g)}, expected that of the "
                    f"output, {output.shape}"
                )
            if output.node is not None:
                seeds.append((output.node, fit(g, output.node)))
        return self.pull(seeds)

    def pull(self, seeds: Sequence[tuple[Node, Any]]) -> tuple[Any, ...]:
        """The gradients for adjoints that are known to fit."""
        adjoints: dict[Leaf, Any] = {}
        with quiet():
            sweep(seeds, not self.retain, adjoints.__setitem__)
        seen = {id(g) for _, g in seeds}  # an adjoint that was given is not handed back
        return tuple([one.gradient(adjoints, seen) for one in self.inputs])

    def __repr__(self) -> str:
        return f"<pullback, {self.tape.origin}>"


def finished(g: Any, leaf: Leaf, kind: Any, seen: set[int]) -> Any:
    """An adjoint as the user gets it: of the dtype and shape of its input, and an array of its
    own.
    """
    if kind in PYTHON_SCALARS and type(g) in SCALARS:
        return kind(g) if kind is complex or g.imag == 0 else kind(g.real)
    g = np.zeros(leaf.shape, leaf.dtype)[()] if g is None else fit(g, leaf)
    if isinstance(g, Box):
        strong = leaf.dtype in PYTHON_SCALARS and type(innermost(g)) not in PYTHON_SCALARS
        return weaken(g) if strong and not g.shape else g
    if kind in PYTHON_SCALARS:
        return kind(g)
    if type(g) is np.ndarray and (g.base is not None or not g.flags.writeable or id(g) in seen):
        g = np.array(g)
    seen.add(id(g))
    return g if kind is not Box else interpret.current.get().fresh(g)


def record(
    function: Callable[..., Any],
    args: Sequence[Any],
    what: str,
    kwargs: dict[str, Any] | None = None,
    active: Sequence[int] | None = None,
    retain: bool = True,
    tape_type: type[Tape] = Tape,
) -> tuple[list[Any], Any, Pullback]:
    """Run ``function(*args)`` under a tape of its own: ``(leaves of the result, its structure,
    pullback)``.

    ``active``: the positions of the arguments to differentiate, all if None. ``retain``: the
    pullback may be called twice.
    """
    tape = tape_type(interpret.current.get(), what, function)
    given, inputs = list(args), []
    for i in range(len(args)) if active is None else active:
        given[i], one = lift(tape, args[i], what)
        inputs.append(one)
    with interpret.under(tape):
        result = function(*given, **kwargs) if kwargs else function(*given)
    leaves, treedef = tree.flatten(result)
    outputs = [Output(leaf, tape) for leaf in leaves]
    return (
        [output.value for output in outputs],
        treedef,
        Pullback(tape, inputs, outputs, treedef, retain),
    )


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Reverse mode: ``(f(*primals), pullback)``, where ``pullback(gy)`` gives a tuple with the
    adjoint of each primal.

    Args:
        f: a function of arrays or containers of arrays.
        primals: its arguments. Integers and booleans in them are constants; their adjoint is None.
        has_aux: ``f`` gives ``(y, aux)``; ``aux`` is handed on as a third result.

    Returns:
        ``(y, pullback)``: ``gy`` has the structure and shapes of ``y``. The pullback may be called
        many times, and under other transformations.

    Raises:
        DtypeError: an argument that is neither an array nor a number.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2,
        doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> y, pullback = wg.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.ones(2))
    (array([2., 4.]),)
    """
    aux: list[Any] = []

    def main(*args: Any) -> Any:
        result = f(*args)
        if has_aux:
            result, extra = result
            aux.append(extra)
        return result

    values, out_def, pullback = record(main if has_aux else f, primals, "vjp")
    y = tree.unflatten(out_def, values)
    return (y, pullback, lowered(aux[0])) if has_aux else (y, pullback)


def lowered(aux: Any) -> Any:
    """Auxiliary results without the level that made them."""
    outer = interpret.current.get()

    def lower(leaf: Any) -> Any:
        while isinstance(leaf, Box) and leaf._owner.parent is outer and leaf._owner is not outer:
            leaf.refresh()
            leaf = leaf._value
        return leaf

    return tree.map(lower, aux)


def check_scalar(values: list[Any], what: str) -> Any:
    """The one real scalar in ``values``."""
    if len(values) != 1:
        raise ShapeError(
            f"{what}: the function gives {len(values)} values, expected one scalar; use "
            "has_aux=True for more"
        )
    (y,) = values
    if shape_of(differentiable(y, what)) != ():
        raise ShapeError(
            f"{what}: the function gives {describe(y)}, expected a scalar: reduce it with np.sum "
            "or np.mean, or use wengert.jacobian for the derivative of an array"
        )
    dtype = np.dtype(dtype_of(y))
    if dtype.kind == "c":
        raise DtypeError(
            f"{what}: the function gives a complex number, expected a real one: return its "
            "np.real or np.abs"
        )
    if dtype.kind != "f":
        raise DtypeError(f"{what}: the function gives {describe(y)}, expected a float scalar")
    return y


def value_and_grad(
    f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that gives ``(f(*args), gradient)``; see ``grad``."""
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        aux: list[Any] = []

        def main(*args: Any, **kwargs: Any) -> Any:
            result, extra = f(*args, **kwargs)
            aux.append(extra)
            return result

        check_arguments(args, positions)
        function = f if not has_aux else main
        values, _, pullback = record(function, args, "grad", kwargs, positions, retain=False)
        y = check_scalar(values, "grad")
        kind = dtype_of(y)
        node = pullback.outputs[0].node
        one = 1.0 if kind is float or kind is F8 else kind.type(1)
        gradients = pullback.pull([(node, one)] if node is not None else [])
        gradient = gradients[0] if isinstance(argnums, int) else gradients
        return ((y, lowered(aux[0])) if has_aux else y), gradient

    value_and_gradient.__wrapped__ = f  # type: ignore[attr-defined]
    return value_and_gradient


def check_arguments(args: Sequence[Any], positions: Sequence[int]) -> None:
    """Refuse positions that are not there, and numbers without derivative."""
    for i in positions:
        if not -len(args) <= i < len(args):
            raise ShapeError(
                f"grad: argnums={i}, but the function was called with {len(args)} positional "
                "arguments"
            )
        if isinstance(args[i], ATOMIC) and not is_inexact(args[i]):
            raise DtypeError(
                f"grad: argument {i} is {describe(args[i])}, which has no derivative; give a "
                "float: 3.0 instead of 3, or x.astype(float)"
            )
    if len({i % len(args) for i in positions}) < len(positions):
        raise ShapeError(f"grad: argnums={positions} names an argument twice")


ATOMIC = (Box, np.ndarray, np.generic, int, float, complex)


def grad(f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar function, by reverse mode, as a function of the same arguments.

    Args:
        f: gives a real scalar; its arguments are arrays, numbers, or containers of them.
        argnums: which argument to differentiate: an int, or a tuple of ints for a tuple of
        gradients. has_aux: ``f`` gives ``(y, aux)``; then so does the gradient function:
        ``(gradient, aux)``.

    Returns:
        A function whose result has the structure, shapes and dtypes of the argument; integer and
        boolean leaves get None. The gradient of a complex leaf is ∂L/∂Re + i ∂L/∂Im: ``x -= lr *
        grad`` descends.

    Raises:
        ShapeError: ``f`` does not give a scalar.
        DtypeError: an integer, a list, or another object to differentiate; a complex result.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2,
        doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> wg.grad(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), argnums=(0, 1))(2.0, 5.0)
    (5.5, 1.7163378145367738)
    """
    both = value_and_grad(f, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    gradient.__wrapped__ = f  # type: ignore[attr-defined]
    return gradient


__all__ = ["grad", "value_and_grad", "vjp"]
