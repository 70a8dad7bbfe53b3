"""``cond``: one of two functions, chosen by a value. Layer: ``control``.

The primitive holds a program for each branch, of the same inputs and outputs; only the chosen one
runs. Where examples choose differently, both run and ``where`` selects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval, aval_of
from ..core.box import shape_of
from ..core.errors import DtypeError, ShapeError, describe
from ..core.execute import executable
from ..core.primitive import Primitive
from ..core.program import Program
from ..differentiate.abstract import strong
from ..ops.comparison import where
from .bodies import Body, body_of, check_leaves, with_outputs
from .call import (
    Kept,
    call,
    check_operands,
    flags_of,
    present,
    spread,
    structured,
    types,
)
from .derived import Backward, Flags, Split, adapted, batched, memoised, pushed, split


def _value(pred: Any, *xs: Any, true: Program, false: Program) -> tuple[Any, ...]:
    return executable(true if pred else false)(*xs)


def _infer(pred: Aval, *avals: Aval, true: Program, false: Program) -> tuple[Aval, ...]:
    for program in (true, false):
        check_operands("cond", program, avals)
    return types(true)


# --- forward mode ---------------------------------------------------------------------------------


def _push(xs: Sequence[Any], dxs: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
    active = flags_of(dxs[1:])
    tangents = [pushed(program, active) for program in params.values()]
    live = _either(*[tangent.live for tangent in tangents])
    true, false = [pushed(program, active, live).program for program in params.values()]
    both = cond_p(*xs, *present(dxs[1:]), true=true, false=false)
    return both[: len(live)], spread(both[len(live) :], live)


def _either(first: Flags, second: Flags) -> Flags:
    return tuple([a or b for a, b in zip(first, second, strict=True)])


# --- reverse mode ---------------------------------------------------------------------------------


def _splits(params: dict[str, Any], active: Flags) -> list[Split]:
    return [split(program, active[1:]) for program in params.values()]


def _ways_there(true: Split, false: Split) -> tuple[Program, Program]:
    """The branches with the residuals of both as outputs; those of the other one are zeros."""
    count = len(true.program.outputs)
    every = [var.aval for var in true.program.inputs]
    own = [list(range(count, len(s.forward.outputs))) for s in (true, false)]
    outputs = (
        [*range(count), *own[0], *false.residuals],
        [*range(count), *true.residuals, *own[1]],
    )
    first, second = [
        adapted(s.forward, every, range(len(every)), entries)
        for s, entries in zip((true, false), outputs, strict=True)
    ]
    return first, second


def _forward(
    xs: Sequence[Any], params: dict[str, Any], active: Flags
) -> tuple[Sequence[Any], Sequence[Any]]:
    both = _splits(params, active)
    true, false = memoised(
        params["true"], ("cond there", params["false"], active), lambda: _ways_there(*both)
    )
    ys = cond_p(*xs, true=true, false=false)
    count = len(params["true"].outputs)
    return ys[:count], ys[count:]


def _ways_back(
    parts: Sequence[Split], backs: Sequence[Backward], gys: Sequence[Aval]
) -> tuple[list[int], Program, Program, Flags]:
    """``(inputs kept, programs, which inputs have an adjoint)``; the operands are the inputs kept,
    the residuals of both branches, the adjoints.
    """
    inputs = [var.aval for var in parts[0].program.inputs]
    kept = sorted({k for part in parts for k in part.kept})
    live = _either(backs[0].live, backs[1].live)
    avals = [*(inputs[k] for k in kept), *parts[0].residuals, *parts[1].residuals, *gys]
    starts = (len(kept), len(kept) + len(parts[0].residuals))
    end = starts[1] + len(parts[1].residuals)
    programs = []
    for part, back, start in zip(parts, backs, starts, strict=True):
        places = [
            *(kept.index(k) for k in part.kept),
            *range(start, start + len(part.residuals)),
            *range(end, len(avals)),
        ]
        count = iter(range(len(back.program.outputs)))
        outputs = [
            next(count) if own else strong(aval)
            for own, wanted, aval in zip(back.live, live, inputs, strict=True)
            if wanted
        ]
        programs.append(adapted(back.program, avals, places, outputs))
    return kept, *programs, live  # type: ignore[return-value]


def _backward(
    kept: Kept, gys: dict[int, Any], params: dict[str, Any], masked: bool
) -> Sequence[Any]:
    parts = _splits(params, kept.active)
    given = tuple(sorted(gys))
    outputs = types(params["true"])

    def derive() -> Any:
        backs = [part.backward(given, masked) for part in parts]
        return _ways_back(parts, backs, [strong(outputs[k]) for k in given])

    key = ("cond back", params["false"], kept.active, given, masked)
    places, true, false, live = memoised(params["true"], key, derive)
    pred, *xs = kept.xs
    operands = [*(xs[k] for k in places), *kept.residuals, *(gys[k] for k in given)]
    return [None, *spread(cond_p(pred, *operands, true=true, false=false), live)]


# --- many examples --------------------------------------------------------------------------------


def _batch(
    xs: Sequence[Any], flags: Sequence[bool], size: int, params: dict[str, Any]
) -> tuple[Any, ...]:
    every = (True,) * len(params["true"].outputs)
    programs = {
        key: batched(program, tuple(flags[1:]), size, every).program
        for key, program in params.items()
    }
    if not flags[0]:
        return cond_p(*xs, **programs)  # type: ignore[no-any-return]
    pred, *operands = xs
    chosen = [call(*operands, program=program) for program in programs.values()]
    return tuple([selection(pred, a, b) for a, b in zip(*chosen, strict=True)])


def selection(pred: Any, a: Any, b: Any) -> Any:
    """``a`` or ``b``, example by example."""
    return where(np.reshape(pred, (-1,) + (1,) * (len(shape_of(a)) - 1)), a, b)


cond_p: Primitive = structured(
    name="cond",
    value=_value,
    infer=_infer,
    push=_push,
    forward=_forward,
    backward=_backward,
    batch=_batch,
    summary="The outputs of one of two programs, chosen by the first input.",
)


# --- the function ---------------------------------------------------------------------------------


def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any
) -> Any:
    """``true_fn(*operands)`` if ``pred`` else ``false_fn(*operands)``, as one equation.

    Unlike Python's ``if`` it may depend on a value that is not known while a graph is built, or
    that differs between the examples of ``vmap`` (then both branches run, and the result is
    selected). Only the chosen branch runs otherwise; derivatives go through that one alone.

    Args:
        pred: a boolean or a number ``()``; a number is true unless it is 0.
        true_fn, false_fn: functions of the operands. Both are recorded once, from types alone.
            They may close over other values, differentiated ones too; what they write into their
            arguments stays inside.
        operands: arrays, numbers, or containers of them.

    Returns:
        What the chosen function gives.

    Raises:
        ShapeError: ``pred`` is not a scalar; the results differ in structure or shape.
        DtypeError: the results differ in dtype.
        UnsupportedError: a branch reads a value (``if x > 0``).

    >>> import numpy as np, wengert as wg
    >>> f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: 0 * x, x)
    >>> f(4.0), wg.grad(f)(4.0), wg.grad(f)(-4.0)
    (np.float64(2.0), 0.25, 0.0)
    """
    (pred,) = check_leaves("cond", [pred], ["pred"])
    if shape_of(pred) != ():
        raise ShapeError(
            f"cond: pred is {describe(pred)}, expected a scalar; reduce it with np.all or np.any, "
            "or select with np.where"
        )
    leaves, treedef = tree.flatten(operands)
    names = [f"operands{path}" for path in tree.names(operands)]
    leaves = check_leaves("cond", leaves, names)
    args = tree.unflatten(treedef, [aval_of(leaf) for leaf in leaves])
    branches = [
        body_of(true_fn, args, "cond, true_fn"),
        body_of(false_fn, args, "cond, false_fn"),
    ]
    true, false = _alike(branches)
    captured = [value for branch in branches for value in branch.captured]
    first, second = _joined(true, false, len(leaves), branches)
    ys = cond_p(pred, *leaves, *captured, true=first, false=second)
    return tree.unflatten(branches[0].out_def, ys)


def _alike(branches: Sequence[Body]) -> tuple[Program, Program]:
    """The programs of the branches with outputs of the same types."""
    true, false = branches
    if true.out_def != false.out_def:
        raise ShapeError(
            f"cond: true_fn gives a result of structure {true.out_def}, false_fn "
            f"{false.out_def}; both must give the same containers"
        )
    common = []
    for k, (a, b) in enumerate(zip(types(true.program), types(false.program), strict=True)):
        aval = b if a.weak else a
        if (a.weak and b.weak and a.dtype != b.dtype) or not _fits(a, aval) or not _fits(b, aval):
            kind = ShapeError if a.shape != b.shape else DtypeError
            raise kind(
                f"cond: result{true.names[k]} is {a} in true_fn and {b} in false_fn; make both "
                "of one shape and dtype, with np.broadcast_to or .astype"
            )
        common.append(Aval(aval.shape, aval.dtype, a.weak and b.weak))
    return with_outputs(true.program, common), with_outputs(false.program, common)


def _fits(aval: Aval, target: Aval) -> bool:
    """Whether a value may stand where ``target`` is expected: of a Python scalar its dtype
    gives way.
    """
    if aval.weak and not target.weak:
        return aval.shape == target.shape and np.can_cast(aval.dtype, target.dtype, "same_kind")
    return aval.shape == target.shape and aval.dtype == target.dtype


def _joined(
    true: Program, false: Program, count: int, branches: Sequence[Body]
) -> tuple[Program, Program]:
    """Both programs on the same inputs: the operands, and what either captured."""
    first, second = [[aval_of(value) for value in branch.captured] for branch in branches]
    avals = [*(var.aval for var in true.inputs[:count]), *first, *second]
    middle = count + len(first)
    outputs = range(len(true.outputs))
    return (
        adapted(true, avals, range(middle), outputs),
        adapted(false, avals, [*range(count), *range(middle, len(avals))], outputs),
    )
