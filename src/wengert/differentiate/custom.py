"""Rules written by hand: ``custom_jvp``, ``custom_vjp``, ``checkpoint``.

All three are one primitive, ``rule_call``, whose parameter is a ``Rules`` record on flat leaves. A
rule runs under the interpreter below the one that it serves, as every rule does, so it is
differentiated in turn; the mode that the user did not write follows by transposing the one that is
there, which must then be linear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from ..core import tree
from ..core.box import Box, is_inexact, shape_of
from ..core.declared import Repeatable
from ..core.errors import DtypeError, ShapeError, UnsupportedError, describe
from ..ops.array import normal
from ..ops.fitting import Like, fit, zeros_like
from ..vectorize import vmap
from .forward import jvp
from .reverse import vjp
from .rules import Rules, rule_call, transposed


def _call(rules: Rules, leaves: Sequence[Any]) -> Any:
    leaves = [leaf if isinstance(leaf, Box) else normal(rule_call, leaf) for leaf in leaves]
    ys = rule_call(*leaves, rules=rules)
    return tree.unflatten(rules.out[-1], ys)


def _flat_function(
    f: Callable[..., Any], in_def: Any, out: list[Any]
) -> Callable[..., tuple[Any, ...]]:
    def flat(*xs: Any) -> tuple[Any, ...]:
        leaves, out_def = tree.flatten(f(*tree.unflatten(in_def, xs)))
        out.append(out_def)
        del out[:-1]
        return tuple(leaves)

    return flat


def _axes(flags: Sequence[bool]) -> tuple[int | None, ...]:
    return tuple(0 if flag else None for flag in flags)


class _Custom:
    """A function with rules; behaves as the function."""

    kind = ""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        update_wrapper(self, f)

    def __call__(self, *args: Any) -> Any:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.kind} {getattr(self.f, '__name__', self.f)!s}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        return lambda *args: self(instance, *args)


class custom_vjp(_Custom):
    """A function whose reverse mode is written by hand, with JAX's signatures.

    ``f.defvjp(forward, backward)``: ``forward(*args) -> (y, residuals)``; ``backward(residuals,
    gy)`` -> a tuple with the adjoint of each argument, None for zero. Forward mode follows by
    transposing ``backward``, which must then be linear in ``gy``; else it raises. What the function
    closes over is a constant: pass everything that is differentiated as argument.

    >>> import numpy as np, wengert as wg
    >>> @wg.custom_vjp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> log1pexp.defvjp(lambda x: (log1pexp(x), x), lambda x, gy: (gy / (1 + np.exp(-x)),))
    >>> wg.grad(log1pexp)(0.0)
    0.5
    """

    kind = "custom_vjp"

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Set the rules."""
        self.forward, self.backward = forward, backward

    def __call__(self, *args: Any) -> Any:
        if not hasattr(self, "forward"):
            raise UnsupportedError(
                f"custom_vjp: {self!r} has no rules yet: call its defvjp(forward, backward)"
            )
        leaves, in_def = tree.flatten(args)
        out: list[Any] = []
        flat = _flat_function(self.f, in_def, out)
        likes = [Like(x) for x in leaves]  # the rules outlive the values

        def forward(*xs: Any) -> tuple[tuple[Any, ...], Any]:
            result = self.forward(*tree.unflatten(in_def, xs))
            if not isinstance(result, tuple) or len(result) != 2:
                raise DtypeError(
                    f"custom_vjp: forward of {self!r} must give (y, residuals), got "
                    f"{describe(result)}"
                )
            ys, out_def = tree.flatten(result[0])
            out[:] = [out_def]
            return tuple(ys), result[1]

        def backward(residuals: Any, gys: Sequence[Any]) -> list[Any]:
            gxs = self.backward(residuals, tree.unflatten(out[-1], gys))
            return _adjoints(gxs, in_def, likes, repr(self))

        return _call(_vjp_rules(repr(self), flat, forward, backward, likes, out), leaves)


def _adjoints(gxs: Any, in_def: Any, leaves: Sequence[Any], name: str) -> list[Any]:
    """What a backward rule gave, one entry a leaf."""
    arguments = tree.unflatten(in_def, range(len(leaves)))
    if not isinstance(gxs, tuple) or len(gxs) != len(arguments):
        raise ShapeError(
            f"custom_vjp: backward of {name} must give a tuple of {len(arguments)}, an adjoint "
            "for each argument, "
            f"got {describe(gxs)}" + (f" of {len(gxs)}" if isinstance(gxs, tuple) else "")
        )
    result: list[Any] = []
    for gx, argument in zip(gxs, arguments, strict=True):
        positions, treedef = tree.flatten(argument)
        result += (
            [None] * len(positions)
            if gx is None
            else tree.leaves_like(treedef, gx, f"backward of {name}")
        )
    for k, (g, leaf) in enumerate(zip(result, leaves, strict=True)):
        if g is not None and is_inexact(leaf) and shape_of(g) not in (shape_of(leaf), ()):
            raise ShapeError(
                f"custom_vjp: backward of {name} gives an adjoint of shape {shape_of(g)} for "
                f"input {k} of shape {shape_of(leaf)}"
            )
        if not is_inexact(leaf):
            result[k] = None
    return result


def _vjp_rules(
    name: str, flat: Any, forward: Any, backward: Any, likes: Sequence[Like], out: list[Any]
) -> Rules:
    def push(xs: Sequence[Any], dxs: Sequence[Any]) -> Sequence[Any]:
        ys, residuals = forward(*xs)

        def of_adjoint(gys: Sequence[Any]) -> list[Any]:
            gxs = backward(
                residuals,
                [np.zeros(shape_of(y)) if g is None else g for g, y in zip(gys, ys, strict=True)],
            )
            return [fit(g, Like(x)) for g, x in zip(gxs, xs, strict=True) if g is not None]

        given = [
            k
            for k, g in enumerate(backward(residuals, [zeros_like(y) for y in ys]))
            if g is not None
        ]
        _, _, transpose = transposed(
            of_adjoint, [Like(y) for y in ys], f"forward mode through {name}"
        )
        return list(transpose([dxs[k] for k in given]))

    def batch(flags: Sequence[bool], size: int) -> Rules:
        def backward_of_examples(residuals: Any, gys: Sequence[Any]) -> list[Any]:
            gxs = vmap(backward)(residuals, list(gys))
            return [
                g if flag or g is None else np.sum(g, axis=0)
                for g, flag in zip(gxs, flags, strict=True)
            ]

        return _vjp_rules(
            name,
            vmap(flat, _axes(flags)),
            vmap(forward, _axes(flags)),
            backward_of_examples,
            likes,
            out,
        )

    return Rules(name, lambda xs: flat(*xs), lambda xs: forward(*xs), backward, push, batch, out)


class custom_jvp(_Custom):
    """A function whose forward mode is written by hand, with JAX's signatures.

    ``f.defjvp(rule)``: ``rule(primals, tangents) -> (y, dy)``, both arguments tuples. Reverse mode
    follows by transposing the rule, which must be linear in the tangents. What the function closes
    over is a constant.

    >>> import numpy as np, wengert as wg
    >>> @wg.custom_jvp
    ... def twice(x):
    ...     return 2 * x
    >>> _ = twice.defjvp(lambda primals, tangents: (twice(*primals), 2 * tangents[0]))
    >>> wg.grad(twice)(1.0)
    2.0
    """

    kind = "custom_jvp"

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule; gives it back, so that it may stand above it as a decorator."""
        self.rule = rule
        return rule

    def __call__(self, *args: Any) -> Any:
        if not hasattr(self, "rule"):
            raise UnsupportedError(f"custom_jvp: {self!r} has no rule yet: call its defjvp(rule)")
        leaves, in_def = tree.flatten(args)
        out: list[Any] = []

        def rule(xs: Sequence[Any], dxs: Sequence[Any]) -> tuple[tuple[Any, ...], list[Any]]:
            result = self.rule(tree.unflatten(in_def, xs), tree.unflatten(in_def, dxs))
            if not isinstance(result, tuple) or len(result) != 2:
                raise DtypeError(
                    f"custom_jvp: the rule of {self!r} must give (y, dy), got {describe(result)}"
                )
            ys, out_def = tree.flatten(result[0])
            out[:] = [out_def]
            return tuple(ys), tree.leaves_like(out_def, result[1], f"the rule of {self!r}")

        return _call(_jvp_rules(repr(self), _flat_function(self.f, in_def, out), rule, out), leaves)


def _jvp_rules(name: str, flat: Any, rule: Any, out: list[Any]) -> Rules:
    def residual(xs: Sequence[Any]) -> tuple[tuple[Any, ...], Any]:
        values: list[Any] = []

        def of_tangents(dxs: Sequence[Any]) -> list[Any]:
            full = [0 * x if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]
            ys, dys = rule(xs, full)
            values[:] = ys
            return [fit(dy, Like(y)) for y, dy in zip(ys, dys, strict=True) if is_inexact(y)]

        _, _, transpose = transposed(
            of_tangents, [Like(x) for x in xs], f"reverse mode through {name}"
        )
        return tuple(values), (transpose, [is_inexact(y) for y in values])

    def pull(saved: Any, gys: Sequence[Any]) -> Sequence[Any]:
        transpose, inexact = saved
        return list(transpose([g for g, flag in zip(gys, inexact, strict=True) if flag]))

    def batch(flags: Sequence[bool], size: int) -> Rules:
        def rule_of_examples(xs: Sequence[Any], dxs: Sequence[Any]) -> Any:
            # a tangent has the example axis where its primal has it
            return vmap(lambda *both: rule(both[: len(xs)], both[len(xs) :]), _axes(flags) * 2)(
                *xs, *dxs
            )

        return _jvp_rules(name, vmap(flat, _axes(flags)), rule_of_examples, out)

    return Rules(
        name, lambda xs: flat(*xs), residual, pull, lambda xs, dxs: rule(xs, dxs)[1], batch, out
    )


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f`` that saves only its arguments for the way back, and runs again there.

    What ``f`` closes over is a constant: pass what is differentiated as an argument.

    Source:
        Griewank and Walther, Evaluating Derivatives, 2nd ed., chapter 12,
        doi:10.1137/1.9780898717761.

    >>> import numpy as np, wengert as wg
    >>> f = lambda x: np.sin(x) ** 2
    >>> wg.grad(wg.checkpoint(f))(0.5) == wg.grad(f)(0.5)
    True
    """

    def checkpointed(*args: Any) -> Any:
        leaves, in_def = tree.flatten(args)
        out: list[Any] = []
        name = f"checkpoint of {getattr(f, '__name__', f)}"
        return _call(_again(name, Repeatable(_flat_function(f, in_def, out)), out), leaves)

    update_wrapper(checkpointed, f)
    return checkpointed


def _again(name: str, flat: Repeatable, out: list[Any]) -> Rules:
    def push(xs: Sequence[Any], dxs: Sequence[Any]) -> Any:
        active = [k for k, x in enumerate(xs) if is_inexact(x)]

        def of_active(*parts: Any) -> Any:
            full = list(xs)
            for k, part in zip(active, parts, strict=True):
                full[k] = part
            return flat.again(*full)

        return jvp(of_active, tuple(xs[k] for k in active), tuple(dxs[k] for k in active))[1]

    return Rules(
        name,
        lambda xs: flat(*xs),
        lambda xs: (flat(*xs), (tuple(xs), flat.found)),
        lambda saved, gys: vjp(partial(flat.again, found=saved[1]), *saved[0])[1](tuple(gys)),
        push,
        lambda flags, size: _again(
            name, Repeatable(vmap(flat.function, _axes(flags)), like=flat), out
        ),
        out,
    )
