"""The same programs through JAX and PyTorch, where they are installed: value and gradient.

Only what they share with NumPy: JAX writes into nothing, PyTorch knows no negative strides. What a
library refuses is not compared; what it answers must be our answer.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

import wengert as wg

from .program import HOLDS_SCALARS, WRITES_ARGUMENTS, Program, leaves, weights
from .trial import LOSS, Trial, mode

WRITES = ("+=", "-=", "*=", "/=", "out=", "copyto", "add.at", "] = ")
REFUSALS = (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError, IndexError)


def real_doubles(program: Program) -> bool:
    """Whether all is computed in float64: the libraries promote other dtypes in their own way."""
    kinds = {np.asarray(leaf).dtype for leaf in leaves(program.inputs[0])}
    text = program.source
    return kinds <= {np.dtype(float)} and not any(word in text for word in ("float32", "complex"))


def writes(program: Program) -> bool:
    return any(text in program.source for text in WRITES)


def ours(trial: Trial) -> dict[str, Any]:
    """Our gradient by argument."""
    return wg.grad(trial.loss)(trial.program.arguments(0))


def compare(trial: Trial, name: str, value: Any, gradient: Any) -> None:
    trial.same(name, value, trial.loss(trial.program.arguments(0)), "the value")
    trial.same(name, gradient, ours(trial), "the gradient")


# --- JAX ------------------------------------------------------------------------------------------


@cache
def jax_with_doubles() -> Any:
    jax = importlib.import_module("jax")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    return jax


def jax_(trial: Trial) -> None:
    """``jax.value_and_grad`` of the program with ``jax.numpy`` for ``np``."""
    program = trial.program
    if not real_doubles(program) or writes(program):
        return
    jax = jax_with_doubles()
    scope: dict[str, Any] = {"np": jax.numpy}
    exec(compile(program.source, f"<program {program.seed}>", "exec"), scope)

    def loss(arguments: Any) -> Any:
        parts = jax.tree.leaves(scope["f"](**arguments))
        terms = [
            jax.numpy.sum(part * weights(np.shape(part), number))
            for number, part in enumerate(parts)
            if np.asarray(jax.numpy.zeros(0, getattr(part, "dtype", float))).dtype.kind == "f"
        ]
        return sum(terms, start=jax.numpy.zeros(()))

    try:
        value, gradient = jax.value_and_grad(loss)(program.arguments(0))
    except REFUSALS:
        return
    compare(trial, "jax", np.asarray(value), wg.tree.map(np.asarray, gradient))


# --- PyTorch --------------------------------------------------------------------------------------


def along(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction with NumPy's names for its arguments."""

    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return function(x) if axis is None else function(x, dim=axis, keepdim=keepdims)

    return reduced


@cache
def torch_as_numpy() -> SimpleNamespace:
    """What the two libraries share, under NumPy's names."""
    torch = importlib.import_module("torch")

    def tensor(value: Any) -> Any:
        return (
            value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
        )

    def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: function(*map(tensor, args), **more)

    names = ["sin", "cos", "tanh", "exp", "sqrt", "log", "square", "abs", "sign", "hypot"]
    names += ["logaddexp", "maximum", "minimum", "outer", "ravel", "add", "multiply", "subtract"]
    shared: dict[str, Any] = {name: lifted(getattr(torch, name)) for name in names}
    shared |= {name: along(getattr(torch, name)) for name in ("sum", "mean")}
    shared["arctan2"] = lifted(torch.arctan2)
    shared["where"] = lambda test, a, b: torch.where(test, tensor(a), tensor(b))
    shared["clip"] = lambda x, low, high: torch.clip(tensor(x), low, high)
    shared["concatenate"] = lambda parts: torch.cat(parts)
    shared["stack"] = lambda parts: torch.stack(parts)
    shared["zeros_like"] = lambda x, shape=None: (
        torch.zeros_like(x) if shape is None else x.new_zeros(shape)
    )
    shared["swapaxes"], shared["moveaxis"] = torch.swapaxes, torch.moveaxis
    shared["squeeze"], shared["atleast_2d"] = torch.squeeze, torch.atleast_2d
    shared["var"] = lambda x, axis=None: torch.var(x, dim=axis, correction=0)
    shared["max"] = lambda x, axis=None: torch.amax(x) if axis is None else torch.amax(x, dim=axis)
    shared["min"] = lambda x, axis=None: torch.amin(x) if axis is None else torch.amin(x, dim=axis)
    return SimpleNamespace(**shared)


def pytorch(trial: Trial) -> None:
    """``backward`` of the program with PyTorch's functions under NumPy's names."""
    program = trial.program
    if not real_doubles(program) or WRITES_ARGUMENTS in program.traits:
        return
    if writes(program) and HOLDS_SCALARS in program.traits:
        return  # NumPy's scalars are values, PyTorch's are views
    if any(text in program.source for text in ("[[", "argmax", "> 0.3")):
        return  # repeated positions, and integers: there PyTorch goes its own way
    torch = importlib.import_module("torch")
    scope: dict[str, Any] = {"np": torch_as_numpy()}
    exec(compile(program.source, f"<program {program.seed}>", "exec"), scope)
    given = wg.tree.map(
        lambda a: torch.tensor(a, dtype=torch.float64, requires_grad=True), program.arguments(0)
    )
    try:
        parts = leaves(scope["f"](**given))
        terms = [
            (part * torch.tensor(weights(tuple(part.shape), number))).sum()
            for number, part in enumerate(parts)
            if part.dtype == torch.float64
        ]
        value = sum(terms)
        value.backward()
    except REFUSALS:
        return
    gradient = wg.tree.map(
        lambda a: np.zeros(tuple(a.shape)) if a.grad is None else a.grad.numpy(), given
    )
    compare(trial, "pytorch", value.detach().numpy(), gradient)


if find_spec("jax") is not None:
    jax_.__name__ = "jax"
    mode(LOSS + "print(g(inputs[0]), wg.grad(g)(inputs[0]))")(jax_)
if find_spec("torch") is not None:
    mode(LOSS + "print(g(inputs[0]), wg.grad(g)(inputs[0]))")(pytorch)
