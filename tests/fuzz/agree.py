"""The ways to run a drawn program, and that they agree: functions that raise with the program.

The oracle of values is NumPy; that of derivatives, differences of runs on NumPy with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import wengert as wg
from primitives.differences import richardson

from .draw import Program

STEP = 2e-4  # the draft kept clear of kinks by a hundred times as much
CLOSE = 1e-9


def fail(program: Program, problem: str) -> None:
    raise AssertionError(program.report(problem))


def same(program: Program, got: Any, want: Any, what: str, tolerance: float = CLOSE) -> None:
    """``got`` is ``want``, relative to the largest number in it."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        fail(program, f"{what}: shape {got.shape}, expected {want.shape}")
    scale = 1 + np.max(np.abs(want), initial=0)
    if not np.all(np.abs(got - want) <= tolerance * scale):
        fail(program, f"{what}: {got}, expected {want}")


def guarded(program: Program, what: str, call: Callable[[], Any]) -> Any:
    """``call()``, an exception reported with the program."""
    try:
        return call()
    except Exception as error:
        raise AssertionError(
            program.report(f"{what} raises {type(error).__name__}: {error}")
        ) from error


def direction(program: Program, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([program.seed, seed])
    return rng.uniform(-1, 1, program.x.shape), rng.uniform(-1, 1, program.z.shape)


def dot(a: Any, b: Any) -> Any:
    return np.sum(a[0] * b[0]) + np.sum(a[1] * b[1])


def slope(program: Program, function: Callable[..., Any], v: Any) -> tuple[float, float]:
    """Differences of ``function`` along v, nearer where they are rough, and their error."""
    for step in (STEP * 8, STEP):
        value, error = richardson(
            lambda t: np.atleast_1d(function(program.x + t * v[0], program.z + t * v[1])), step
        )
        if error[0] <= 1e-4 * (1 + abs(value[0])):
            break
    return value[0], error[0]


def check_values(program: Program) -> None:
    """Handles without derivatives, and every transformation, give the number that NumPy gives."""
    f, x, z = program.function, program.x, program.z
    want = f(x.copy(), z.copy())
    v = direction(program, 1)
    runs = {
        "untracked": lambda: f(wg.array(x), wg.array(z)),
        "grad": lambda: wg.value_and_grad(f, argnums=(0, 1))(x, z)[0],
        "jvp": lambda: wg.jvp(f, (x, z), v)[0],
        "vmap": lambda: wg.vmap(f)(x[None], z[None])[0],
    }
    for name, run in runs.items():
        if name != "vmap" or program.batchable:
            result = guarded(program, name, run)
            same(
                program,
                result.item() if isinstance(result, wg.Array) else result,
                want,
                name,
                1e-12,
            )


def check_first_order(program: Program) -> None:
    """Both modes and the dynamic graph agree with each other and with differences."""
    f, x, z = program.function, program.x, program.z
    before = x.copy(), z.copy()
    g = guarded(program, "grad", lambda: wg.grad(f, argnums=(0, 1))(x, z))
    v = direction(program, 2)
    dy = guarded(program, "jvp", lambda: wg.jvp(f, (x, z), v))[1]
    same(program, dy, dot(g, v), "jvp beside grad")
    want, error = slope(program, f, v)
    if not abs(dy - want) <= error + CLOSE * (1 + abs(want)):
        fail(program, f"derivative along {v}: {dy}, differences {want} ± {error}")
    leaves = wg.array(x, requires_grad=True), wg.array(z, requires_grad=True)
    guarded(program, "backward", lambda: f(*leaves).backward())
    for leaf, part in zip(leaves, g, strict=True):
        same(program, leaf.grad.numpy(), part, "backward beside grad")
    if not (np.array_equal(before[0], x) and np.array_equal(before[1], z)):
        fail(program, "an argument was changed")


def check_second_order(program: Program) -> None:
    """wᵀHv in all four compositions, and by differences of the gradient."""
    f, x, z = program.function, program.x, program.z
    v, w = direction(program, 3), direction(program, 4)
    gradient = wg.grad(f, argnums=(0, 1))

    def along(a: Any, b: Any) -> Any:
        return wg.jvp(f, (a, b), v)[1]

    runs = {
        "forward over reverse": lambda: dot(w, wg.jvp(gradient, (x, z), v)[1]),
        "reverse over reverse": lambda: dot(
            w, wg.grad(lambda a, b: dot(v, gradient(a, b)), argnums=(0, 1))(x, z)
        ),
        "reverse over forward": lambda: dot(w, wg.grad(along, argnums=(0, 1))(x, z)),
        "forward over forward": lambda: wg.jvp(along, (x, z), w)[1],
    }
    answers = {name: guarded(program, name, run) for name, run in runs.items()}
    first = answers["forward over reverse"]
    for name, answer in answers.items():
        same(program, answer, first, f"{name} beside forward over reverse")
    want, error = slope(program, lambda a, b: dot(w, gradient(a, b)), v)
    if not abs(first - want) <= error + CLOSE * (1 + abs(want)):
        fail(program, f"second derivative: {first}, differences {want} ± {error}")


def check_batched(program: Program) -> None:
    """``vmap`` of value and gradient, with both or one of the arguments stacked, equals a loop."""
    if not program.batchable:
        return
    f = program.function
    rng = np.random.default_rng(program.seed)
    xs = np.stack(
        [program.x, program.x * 0.9, program.x + 0.01 * rng.uniform(size=program.x.shape)]
    )
    zs = np.stack([program.z, program.z * 1.05, program.z])
    both = wg.value_and_grad(f, argnums=(0, 1))
    for axes in ((0, 0), (0, None), (None, 0)):
        stacks = (xs if axes[0] == 0 else program.x, zs if axes[1] == 0 else program.z)
        got_y, got = guarded(
            program, f"vmap {axes}", lambda a=axes, s=stacks: wg.vmap(both, in_axes=a)(*s)
        )
        for k in range(3):
            row = [s[k] if axis == 0 else s for s, axis in zip(stacks, axes, strict=True)]
            want_y, want = both(*row)
            same(program, got_y[k], want_y, f"vmap {axes} beside a loop")
            for ours, theirs in zip(got, want, strict=True):
                same(program, ours[k], theirs, f"vmap {axes} of grad beside a loop")


def check_single_precision(program: Program) -> None:
    """In float32 dtypes and values are NumPy's, and the gradient is that of float64, nearly."""
    f, x, z = program.function, program.x.astype(np.float32), program.z.astype(np.float32)
    want = np.asarray(f(x.copy(), z.copy()))
    y, g = guarded(program, "float32", lambda: wg.value_and_grad(f, argnums=(0, 1))(x, z))
    if np.asarray(y).dtype != want.dtype:
        fail(program, f"float32: the value has dtype {np.asarray(y).dtype}, NumPy's {want.dtype}")
    same(program, y, want, "float32", 1e-5)
    exact = wg.grad(f, argnums=(0, 1))(program.x, program.z)
    for part, wide, argument in zip(g, exact, (x, z), strict=True):
        if part.dtype != np.float32 or part.shape != argument.shape:
            fail(program, f"float32: a gradient of {part.dtype}{part.shape}")
        same(program, part, wide, "gradient in float32 beside float64", 1e-3)


CHECKS = {
    "values": check_values,
    "first order": check_first_order,
    "second order": check_second_order,
    "batched": check_batched,
    "single precision": check_single_precision,
}
