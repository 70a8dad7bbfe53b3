"""``while_loop``: steps for as long as a condition on the carry holds. Layer: ``control``.

``while(*operands; cond, body, …)``: operands are the constants of the condition, those of the body,
and what the carry starts from. Forward mode carries tangents. Reverse mode counts the steps on the
way there; the way back is a ``loop`` of that many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval, aval_of
from ..core.errors import DtypeError
from ..core.execute import executable
from ..core.primitive import Primitive
from ..core.program import Program
from ..differentiate.abstract import abstract_program
from ..ops.comparison import where
from .bodies import Body, body_of, check_leaves, reordered
from .call import Kept, flags_of, structured, types
from .carry import settled
from .derived import Flags, adapted, batched, memoised
from .legs import Leg, Loop, batched_body, closure, optimised, pushed_body
from .loops import loop_back, own, zero_of


def _value(*xs: Any, cond: Program, body: Program, consts: tuple[int, int]) -> tuple[Any, ...]:
    test, step = executable(cond), executable(body)
    of_cond, of_body, carry = _parts(xs, consts)
    while test(*of_cond, *carry)[0]:
        carry = step(*of_body, *carry)
    return tuple(map(own, carry))


def _parts(xs: Sequence[Any], consts: tuple[int, int]) -> tuple[Any, Any, Any]:
    """The operands as constants of the condition, of the body, and carry."""
    first, second = consts[0], consts[0] + consts[1]
    return tuple(xs[:first]), tuple(xs[first:second]), tuple(xs[second:])


def _infer(*avals: Aval, cond: Program, body: Program, consts: Any) -> tuple[Aval, ...]:
    return types(body)


def _leg(params: dict[str, Any]) -> Leg:
    """The body as a leg, whose operands are its constants and the carry."""
    count = params["consts"][1]
    return Leg(tuple(range(count)), tuple(range(count, len(params["body"].inputs))))


# --- forward mode ---------------------------------------------------------------------------------


def _push(xs: Sequence[Any], dxs: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
    body: Program = params["body"]
    of_cond, consts, carry = _parts(xs, params["consts"])
    _, d_consts, d_carry = _parts(dxs, params["consts"])
    inputs, _ = closure(body, _leg(params), flags_of([*d_consts, *d_carry]))
    active = inputs[len(consts) :]
    program, live = pushed_body(body, _leg(params), inputs)
    test = _unaware(params["cond"], len(of_cond), program, len(carry))
    tangents = [
        zero_of(x) if dx is None else dx
        for x, dx, flag in zip(carry, d_carry, active, strict=True)
        if flag
    ]
    d_given = [dx for dx in d_consts if dx is not None]
    results = while_p(
        *of_cond,
        *consts,
        *d_given,
        *carry,
        *tangents,
        cond=test,
        body=program,
        consts=(len(of_cond), len(consts) + len(d_given)),
    )
    rest = iter(results[len(carry) :])
    return results[: len(carry)], [next(rest) if flag else None for flag in live]


def _unaware(cond: Program, consts: int, body: Program, width: int) -> Program:
    """The condition on a carry with more behind it: that of ``body``."""

    def derive() -> Program:
        avals = [*(var.aval for var in cond.inputs), *types(body)[width:]]
        return adapted(cond, avals, range(len(cond.inputs)), (0,))

    return memoised(cond, ("unaware", types(body)), derive)  # type: ignore[no-any-return]


# --- reverse mode ---------------------------------------------------------------------------------


def _forward(
    xs: Sequence[Any], params: dict[str, Any], active: Flags
) -> tuple[Sequence[Any], Sequence[Any]]:
    body: Program = params["body"]
    counting = memoised(body, ("counting", params["consts"]), lambda: _counting(body))
    test = _unaware(params["cond"], params["consts"][0], counting, len(body.outputs))
    results = while_p(*xs, np.intp(0), cond=test, body=counting, consts=params["consts"])
    return results[:-1], results[-1:]


def _counting(body: Program) -> Program:
    """The body with the number of steps as the last of its carry."""
    args = (*(var.aval for var in body.inputs), Aval((), np.dtype(np.intp)))

    def counting(*given: Any) -> Any:
        return (*body.run(*given[:-1]), given[-1] + 1)

    counting.__name__ = body.name
    shared = body.constants.values()
    return abstract_program(counting, args, what="vjp", shared=shared).program


def _backward(
    kept: Kept, gys: dict[int, Any], params: dict[str, Any], masked: bool
) -> Sequence[Any]:
    body, leg, count = params["body"], _leg(params), params["consts"][0]
    plan = memoised(body, ("loop", params["consts"]), lambda: Loop((body,), (leg,), None))
    xs = [kept.residuals[0], *kept.xs[count:]]
    steps = Kept(xs, (), (False, *kept.active[count:]))
    return [*[None] * count, *loop_back(plan, steps, gys, masked)[1:]]


# --- many examples --------------------------------------------------------------------------------


def _batch(
    xs: Sequence[Any], flags: Sequence[bool], size: int, params: dict[str, Any]
) -> tuple[Any, ...]:
    cond, body = params["cond"], params["body"]
    of_cond, consts, carry = _parts(flags, params["consts"])
    key = ("examples", params["consts"], cond, tuple(flags), size)
    test, program, axes, guards = memoised(
        body, key, lambda: _examples(cond, body, (of_cond, consts, carry), size)
    )
    of_cond, consts, carry = _parts(xs, params["consts"])
    init = [
        np.broadcast_to(x, (size, *np.shape(x))) if axis and not flag else x
        for x, axis, flag in zip(carry, axes, flags[-len(carry) :], strict=True)
    ]
    shared = (*of_cond, *consts) if guards else consts
    results = while_p(
        *of_cond,
        *shared,
        *init,
        cond=test,
        body=program,
        consts=(len(of_cond), len(shared)),
    )
    return tuple(
        [
            y if axis else np.broadcast_to(y, (size, *np.shape(y)))
            for y, axis in zip(results, axes, strict=True)
        ]
    )


def _examples(
    cond: Program, body: Program, flags: tuple[Flags, Flags, Flags], size: int
) -> tuple[Program, Program, Flags, bool]:
    """``(condition, body, which of the carry has an example axis, whether the body has the
    condition in it)``.
    """
    of_cond, consts, carry = flags
    leg = Leg(tuple(range(len(consts))), tuple(range(len(consts), len(body.inputs))))
    examples, inputs = batched_body(body, leg, (*consts, *carry), size)
    axes = inputs[len(consts) :]
    test = batched(cond, (*of_cond, *axes), size)
    if not test.flags[0]:
        return test.program, examples.program, axes, False
    every = (True,) * len(carry)
    guarded = _guarded(cond, body, len(of_cond), len(consts))
    step = batched(guarded, (*of_cond, *consts, *every), size, every)
    some = _any(batched(cond, (*of_cond, *every), size, (True,)).program)
    return some, step.program, every, True


def _guarded(cond: Program, body: Program, of_cond: int, consts: int) -> Program:
    """The body that leaves the carry as it is where the condition does not hold: ``(*constants of
    the condition, *of the body, *carry)``.
    """

    def guarded(first: Any, second: Any, carry: Any) -> Any:
        (goes_on,) = cond.run(*first, *carry)
        new = body.run(*second, *carry)
        return [where(goes_on, x, old) for x, old in zip(new, carry, strict=True)]

    avals = [var.aval for var in body.inputs]
    args = ([var.aval for var in cond.inputs[:of_cond]], avals[:consts], avals[consts:])
    guarded.__name__ = body.name
    shared = [*cond.constants.values(), *body.constants.values()]
    return optimised(abstract_program(guarded, args, what="vmap", shared=shared).program)


def _any(cond: Program) -> Program:
    """Whether the condition holds for any example."""
    args = [var.aval for var in cond.inputs]
    shared = cond.constants.values()
    return abstract_program(
        lambda *xs: np.any(cond.run(*xs)[0]), args, what="vmap", shared=shared
    ).program


while_p: Primitive = structured(
    name="while",
    value=_value,
    infer=_infer,
    push=_push,
    forward=_forward,
    backward=_backward,
    batch=_batch,
    summary="A program applied again and again for as long as another one says so.",
)


# --- the function ---------------------------------------------------------------------------------


def while_loop(cond_fn: Callable[[Any], Any], body_fn: Callable[[Any], Any], init: Any) -> Any:
    """``carry = body_fn(carry)`` for as long as ``cond_fn(carry)`` holds, as one equation.

    The body is recorded once, from types alone, however many steps there are. Forward and reverse
    mode, of any order: the way back counts the steps, and goes the way there again to save what it
    needs, ``O(steps)`` in memory. Under ``vmap`` it runs until no example goes on; those that are
    finished keep their carry.

    Args:
        cond_fn: gives a boolean scalar.
        body_fn: gives a carry of the structure, shapes and dtypes of ``init``.
        init: the carry to start from: an array, a number, or a container of them.

    Returns:
        The first carry for which ``cond_fn`` does not hold.

    Raises:
        ShapeError: the carry changes its structure or its shapes; the condition is no scalar.
        DtypeError: the carry changes its dtypes; the condition is no boolean.
        UnsupportedError: a function reads a value (``if x > 0``).

    >>> import wengert as wg
    >>> halve = lambda x: wg.while_loop(lambda c: c > 1, lambda c: c / 2, x)
    >>> halve(10.0), wg.grad(halve)(10.0)
    (0.625, 0.0625)
    """
    leaves, treedef = tree.flatten(init)
    check_leaves("while_loop", leaves, [f"init{path}" for path in tree.names(init)])
    body, leaves = settled(
        "while_loop",
        leaves,
        treedef,
        lambda avals: body_of(body_fn, (tree.unflatten(treedef, avals),), "while_loop, body_fn"),
    )
    avals = [aval_of(leaf) for leaf in leaves]
    test = body_of(cond_fn, (tree.unflatten(treedef, avals),), "while_loop, cond_fn")
    results = types(test.program)
    if len(results) != 1 or results[0].shape or results[0].dtype.kind != "b":
        raise DtypeError(
            f"while_loop: cond_fn gives {', '.join(map(str, results)) or 'nothing'}, expected one "
            "boolean scalar, such as x > 0 or np.any(x > 0)"
        )
    ys = while_p(
        *test.captured,
        *body.captured,
        *leaves,
        cond=_constants_first(test, len(leaves)),
        body=_constants_first(body, len(leaves)),
        consts=(len(test.captured), len(body.captured)),
    )
    return tree.unflatten(treedef, ys)


def _constants_first(body: Body, count: int) -> Program:
    """The program with what the function captured before its ``count`` arguments."""
    total = len(body.program.inputs)
    order = [*range(count, total), *range(count)]
    return reordered(body.program, order, range(len(body.program.outputs)))
