"""A function to be called with changing arrays, as each library is best asked to run it.

wengert and PyTorch run it eagerly and compiled, JAX jitted; NumPy runs derivatives written by hand.
Every contender gets the same numbers, in arrays of its own kind that exist before the call.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.harness import Benchmark, Contender, Runner, Start, runner
from benchmarks.work.settle import settle

SUITE = "native"
COMPILED, EAGER = "wengert compiled", "wengert eager"
TORCH, TORCH_COMPILED, JAX = "PyTorch eager", "torch.compile", "JAX jit"
BY_HAND = "NumPy by hand"
FUNCTION = "the function alone, compiled"

Call = Callable[..., Any]
Make = Callable[[], Call]  # imports its library only when it is called
Inputs = Callable[[], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Task:
    """One piece of work: its data, and for each library what makes the function to be called.

    `wengert`, `numpy` and `eager` take NumPy's arrays, `torch` and `compiled_torch` tensors, of
    which `requires_grad` names those (by place) that ask for gradients, `jax` JAX's arrays. What is
    None is not measured. `compiled_torch` is called as it is: it compiles what it wants itself.
    `function` is what is differentiated, where the cost of the gradient over it is of interest.
    """

    piece: str
    name: str
    title: str
    inputs: Inputs
    wengert: Make
    eager: Make | None = None
    torch: Make | None = None
    compiled_torch: Make | None = None
    jax: Make | None = None
    numpy: Make | None = None
    function: Call | None = None
    requires_grad: tuple[int, ...] = ()
    tolerance: float = 1e-10
    parallel: bool = False
    rounds: int | None = None

    def benchmark(self) -> Benchmark:
        """Return the benchmark, wengert's compiled function in front."""
        name = f"{self.piece} {self.name}"
        rows = tuple(self._contenders())
        return Benchmark(SUITE, name, self.title, rows, self.tolerance, self.parallel, self.rounds)

    def _contenders(self) -> Iterator[Contender]:
        inputs = self.inputs
        yield contender("wengert", COMPILED, self._compiled, native_runner)
        yield contender(
            "wengert", EAGER, lambda: ((self.eager or self.wengert)(), inputs()), runner
        )
        if (torch := self.torch) is not None:
            leaves = self.requires_grad
            yield contender("torch", TORCH, lambda: (torch(), tensors(inputs(), leaves)), runner)
        if (torch_too := self.compiled_torch) is not None:
            yield contender(
                "torch", TORCH_COMPILED, lambda: (torch_too(), tensors(inputs())), runner
            )
        if (jax := self.jax) is not None:
            yield contender("jax", JAX, lambda: jitted(jax, inputs()), runner)
        if (by_hand := self.numpy) is not None:
            yield contender("numpy", BY_HAND, lambda: (by_hand(), inputs()), runner)
        if (function := self.function) is not None:
            yield Contender("wengert", FUNCTION, lambda: for_scale(function, inputs()))

    def _compiled(self) -> tuple[Call, list[tuple[Any, ...]]]:
        import wengert as wg

        return wg.compile(self.wengert()), self.inputs()


def contender(
    library: str, label: str, start: Start, finish: Callable[[Call, Sequence[Any]], Runner]
) -> Contender:
    """Return the row of what `start` gives, run by what `finish` makes of it."""
    return Contender(library, label, lambda: finish(*start()), start)


def native_runner(call: Call, inputs: Sequence[tuple[Any, ...]]) -> Runner:
    """Return the runner of a function that wengert compiled, called until machine code runs."""
    note = settle(call, call, inputs)
    return replace(runner(call, inputs), note=note)


def for_scale(function: Call, inputs: Sequence[tuple[Any, ...]]) -> Runner:
    """Return the runner of another function, compiled, whose results are not compared."""
    import wengert as wg

    return replace(native_runner(wg.compile(function), inputs), results=None)


def jitted(make: Make, inputs: Sequence[tuple[Any, ...]]) -> tuple[Call, list[tuple[Any, ...]]]:
    """Return the function made, jitted, and the inputs as arrays of JAX."""
    jax = with_jax()
    return jax.jit(make()), [jax.device_put(arguments) for arguments in inputs]


def tensors(
    inputs: Sequence[tuple[Any, ...]], requires_grad: tuple[int, ...] = ()
) -> list[tuple[Any, ...]]:
    """Return the arrays as PyTorch's, those at the places `requires_grad` as leaves."""
    import torch

    def convert(value: Any, wanted: bool) -> Any:
        dtype = torch.float64 if isinstance(value, float) else None
        return torch.tensor(value, dtype=dtype).requires_grad_(wanted)

    return [
        tuple(convert(value, place in requires_grad) for place, value in enumerate(arguments))
        for arguments in inputs
    ]


@cache
def with_jax() -> Any:
    """Return JAX, on the CPU, with float64 allowed, and so that a call is done when it returns.

    Dispatch to another thread, JAX's default, makes calls that are waited for up to five times
    slower.
    """
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    return jax


def gradient_task(
    objective: Call,
    torch_objective: Make | None = None,
    jax_objective: Make | None = None,
    active: int | tuple[int, ...] = 0,
    **rest: Any,
) -> Task:
    """Return the task of the gradient of `objective` in the arguments `active`.

    Each library differentiates with its own `grad`: PyTorch eagerly by `autograd.grad`, compiled by
    `func.grad`, which makes one graph of both directions.
    """
    places = (active,) if isinstance(active, int) else active

    def wengert() -> Call:
        import wengert as wg

        gradient: Call = wg.grad(objective, argnums=active)
        return gradient

    def torch() -> Call:
        from torch import autograd

        assert torch_objective is not None
        function = torch_objective()

        def gradient(*arguments: Any) -> Any:
            return autograd.grad(function(*arguments), [arguments[place] for place in places])

        return gradient

    def compiled_torch() -> Call:
        import torch
        from torch import func

        assert torch_objective is not None
        gradient: Call = torch.compile(func.grad(torch_objective(), argnums=active))
        return gradient

    def jax() -> Call:
        assert jax_objective is not None
        gradient: Call = with_jax().grad(jax_objective(), argnums=active)
        return gradient

    given = {
        "wengert": wengert,
        "torch": torch if torch_objective else None,
        "compiled_torch": compiled_torch if torch_objective else None,
        "jax": jax if jax_objective else None,
        "requires_grad": places,
    }
    return Task(**{**given, **rest})
