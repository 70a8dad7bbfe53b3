"""What a call costs beside its work: few small arrays, one operation or three.

Four arguments in and one array out; ten arrays in nested containers; ten in a module. NumPy's
bare `a + b` stands beside them for the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Contender, Runner
from benchmarks.work.settle import settle
from benchmarks.work.task import COMPILED, JAX, SUITE, Call, with_jax

ARRAYS, LENGTH = 10, 8
INPUTS = 16
BARE = "NumPy a + b"
FOUR, TREE, MODULE = "fixed four arrays", "fixed ten in containers", "fixed ten in a module"

Row = list[Any]


def benchmarks() -> list[Benchmark]:
    """Return one benchmark a kind of argument."""
    kinds = (
        (FOUR, "four arrays in, one out", _four, _jitted_four),
        (
            TREE,
            "ten arrays in nested containers",
            partial(_one, in_containers),
            partial(_jitted, in_containers),
        ),
        (
            MODULE,
            "ten arrays in a module",
            partial(_one, in_module),
            partial(_jitted, in_dataclass),
        ),
    )
    return [_benchmark(*kind) for kind in kinds]


def _benchmark(
    name: str, title: str, compiled: Callable[[], Runner], jitted: Callable[[], Runner]
) -> Benchmark:
    contenders = (
        Contender("wengert", COMPILED, compiled),
        Contender("jax", JAX, jitted),
        Contender("numpy", BARE, _bare),
    )
    return Benchmark(SUITE, name, f"fixed cost of a call: {title}", contenders)


@cache
def rows() -> list[Row]:
    """Return lists of ten arrays of eight float64 numbers."""
    rng = np.random.default_rng(20)
    return [list(rng.standard_normal((ARRAYS, LENGTH))) for _ in range(INPUTS)]


def combined(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return a b + c d."""
    return a * b + c * d


def _bare() -> Runner:
    def loop(drawn: Iterable[Row]) -> None:
        for row in drawn:
            row[0] + row[9]

    return Runner(loop, rows(), None)


def _four() -> Runner:
    import wengert as wg

    call = wg.compile(combined)
    inputs = [tuple(row[:4]) for row in rows()]

    def loop(drawn: Iterable[Any]) -> None:
        for a, b, c, d in drawn:
            call(a, b, c, d)

    note = settle(call, call, inputs)
    return Runner(loop, inputs, [call(*given) for given in inputs], note)


def _jitted_four() -> Runner:
    jax = with_jax()
    call = jax.jit(combined)
    inputs = [jax.device_put(tuple(row[:4])) for row in rows()]

    def loop(drawn: Iterable[Any]) -> None:
        for a, b, c, d in drawn:
            call(a, b, c, d)

    return Runner(loop, inputs, [np.asarray(call(*given)) for given in inputs])


def in_containers(row: Row) -> Any:
    """Return the arrays in lists, tuples and dicts."""
    a, b, c, d, e, f, g, h, i, j = row
    return {"layers": [(a, b), (c, d), {"weight": e, "bias": f}], "state": (g, [h, i]), "rate": j}


def first_and_last(leaves: Any) -> Any:
    """Return the sum of two of the arrays, from wherever they are."""
    if isinstance(leaves, dict):
        return leaves["layers"][0][0] + leaves["rate"]
    return leaves.a + leaves.j


def in_module(row: Row) -> Any:
    """Return a module with the arrays as attributes."""
    from wengert import nn

    class Ten(nn.Module):
        def __init__(self, row: Row) -> None:
            self.a, self.b, self.c, self.d, self.e = row[:5]
            self.f, self.g, self.h, self.i, self.j = row[5:]

    return Ten(row)


def in_dataclass(row: Row) -> Any:
    """Return what a user of JAX has in place of a module: a registered dataclass."""
    return _dataclass()(*row)


@cache
def _dataclass() -> Any:
    jax = with_jax()

    @jax.tree_util.register_dataclass
    @dataclass
    class Ten:
        a: Any
        b: Any
        c: Any
        d: Any
        e: Any
        f: Any
        g: Any
        h: Any
        i: Any
        j: Any

    return Ten


def _one(wrap: Callable[[Row], Any]) -> Runner:
    import wengert as wg

    call = wg.compile(first_and_last)
    inputs = [wrap(row) for row in rows()]

    def loop(drawn: Iterable[Any]) -> None:
        for leaves in drawn:
            call(leaves)

    note = settle(call, call, [(leaves,) for leaves in inputs])
    return Runner(loop, inputs, [np.asarray(call(leaves)) for leaves in inputs], note)


def _jitted(wrap: Callable[[Row], Any]) -> Runner:
    jax = with_jax()
    call: Call = jax.jit(first_and_last)
    inputs = [jax.device_put(wrap(row)) for row in rows()]

    def loop(drawn: Iterable[Any]) -> None:
        for leaves in drawn:
            call(leaves)

    return Runner(loop, inputs, [np.asarray(call(leaves)) for leaves in inputs])
