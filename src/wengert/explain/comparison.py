"""The four ways to differentiate side by side: agreement, and what each costs.

The lecture's two-layer sigmoid network y = σ(w2 · h), h = σ(W1 x): by hand, numerically, in forward
mode, in reverse mode. Then how the cost grows with the number of parameters, beside what the theory
allows, and a function with more outputs than inputs, where forward mode wins.

Layer: ``explain``; above ``nn`` and ``differentiate``. rich is imported when the table is made.

Source of the bounds: A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed. 2008, sections 3.2
and 3.3, doi:10.1137/1.9780898717761: a tangent costs at most 5/2 evaluations of the function, a
gradient in reverse mode at most 4, whatever the number of inputs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..differentiate import numerical
from ..differentiate.forward import jvp
from ..differentiate.reverse import grad, vjp
from ..nn.handcoded import TwoLayer, two_layer_sigmoid
from .counting import Count, counted

if TYPE_CHECKING:
    from rich.table import Table

Arrays = tuple[np.ndarray, ...]
INPUTS, HIDDEN = 3, 4
WIDTHS = (16, 64, 256)  # hidden units of the growing network
OUTPUTS = 64
TANGENT_BOUND, GRADIENT_BOUND = 2.5, 4.0


@dataclass(frozen=True)
class Row:
    """One way to get the derivatives of one function.

    passes: how often the function was run, forwards or backwards. applications, operations: of
    primitives, and of scalars within them; None where the engine has no part in it. bound: on
    ``operations`` over those of the function, None for none. difference: the largest, from the row
    that begins the section; None for that row. seconds: median time.
    """

    section: str
    way: str
    numbers: str
    difference: float | None
    passes: int
    applications: int | None
    ratio: float | None
    bound: float | None
    seconds: float


def network(W1: Any, w2: Any, x: Any) -> Any:
    """The lecture's network: y = σ(w2 · h), h = σ(W1 x). (hidden, inputs), (hidden,), (inputs,)."""
    h = 1 / (1 + np.exp(-(W1 @ x)))
    return 1 / (1 + np.exp(-(w2 @ h)))


def drawn(hidden: int, inputs: int = INPUTS, seed: int = 0) -> Arrays:
    """W1, w2 and x of a network of that size."""
    rng = np.random.default_rng(seed)
    shapes = ((hidden, inputs), (hidden,), (inputs,))
    W1, w2, x = (rng.standard_normal(shape) for shape in shapes)
    return W1, w2 / np.sqrt(hidden), x


def comparison(progress: Callable[[str], None] = lambda text: None) -> list[Row]:
    """All rows of the table. ``progress`` is called with what comes next."""
    progress("the lecture's network")
    rows = list(four_ways(drawn(HIDDEN)))
    for hidden in WIDTHS:
        progress(f"{hidden * (INPUTS + 1)} parameters")
        rows += growth(drawn(hidden))
    progress("more outputs than inputs")
    return [*rows, *many_outputs()]


# --- the gradient of the network, in four ways ---------------------------------------------------


def by_hand(W1: Any, w2: Any, x: Any) -> Arrays:
    """∂y/∂W1 and ∂y/∂w2 as they are worked out on paper."""
    net = two_layer_sigmoid(W1, w2, x)
    return net.dy_dW1, net.dy_dw2


def by_differences(W1: Any, w2: Any, x: Any, f: Callable[..., Any] = network) -> Arrays:
    """The same by central differences, two evaluations a parameter."""
    gradient: Arrays = numerical.grad(f, argnums=(0, 1))(W1, w2, x)
    return gradient


def by_forward_mode(W1: Any, w2: Any, x: Any) -> Arrays:
    """The same by forward mode, one pass a parameter."""
    return (
        directional(lambda W: network(W, w2, x), W1),
        directional(lambda w: network(W1, w, x), w2),
    )


def directional(f: Callable[..., Any], x: Any) -> np.ndarray:
    """The derivative of the number ``f(x)`` by each element of ``x``, one pass an element."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        seed = np.zeros(x.shape)
        seed[index] = 1.0
        gradient[index] = jvp(f, (x,), (seed,))[1].item()
    return gradient


def by_reverse_mode(W1: Any, w2: Any, x: Any) -> Arrays:
    """The same by reverse mode: one pass forwards, one back."""
    gradient: Arrays = grad(network, argnums=(0, 1))(W1, w2, x)
    return gradient


def count_of_differences(arguments: Arrays) -> tuple[int, Count]:
    """How often central differences run the network, and what that costs."""
    total, runs = Count(), 0

    def observed(*args: Any) -> Any:
        nonlocal runs
        y, count = counted(network, *args)
        total.primitives.update(count.primitives)
        total.operations += count.operations
        runs += 1
        return y

    W1, w2, x = arguments
    by_differences(W1, w2, x, observed)
    return runs, total


def four_ways(arguments: Arrays) -> Iterator[Row]:
    """The lecture's network: ∂y/∂w2 = σ′(z2) · h by hand, beside what the others say."""
    section = f"{parameters(arguments)} parameters"
    hand = by_hand(*arguments)
    row = Row(section, "by hand", shown(hand[1]), None, 1, None, None, None, 0.0)
    yield timed(row, by_hand, arguments)
    yield from engine_rows(section, arguments, hand)


def growth(arguments: Arrays) -> Iterator[Row]:
    """The same network, larger."""
    section = f"{parameters(arguments)} parameters"
    yield from engine_rows(section, arguments, by_hand(*arguments), numbers=False)


def engine_rows(
    section: str, arguments: Arrays, hand: Arrays, numbers: bool = True
) -> Iterator[Row]:
    """Numerical, forward and reverse: differences from ``hand``, and costs."""
    n, cost = parameters(arguments), counted(network, *arguments)[1].operations
    runs, count = count_of_differences(arguments)
    ways: list[tuple[str, Callable[..., Arrays], int, Count, float]] = [
        ("numerical", by_differences, runs, count, 2 * n + 1),
        (
            "forward mode",
            by_forward_mode,
            n,
            counted(by_forward_mode, *arguments)[1],
            TANGENT_BOUND * n,
        ),
        (
            "reverse mode",
            by_reverse_mode,
            2,
            counted(by_reverse_mode, *arguments)[1],
            GRADIENT_BOUND,
        ),
    ]
    for name, way, passes, count, bound in ways:
        got = way(*arguments)
        yield timed(
            Row(
                section,
                name,
                shown(got[1]) if numbers else "",
                largest_difference(got, hand),
                passes,
                count.applications,
                count.operations / cost,
                bound,
                0.0,
            ),
            way,
            arguments,
        )


def parameters(arguments: Arrays) -> int:
    """How many numbers W1 and w2 hold."""
    return arguments[0].size + arguments[1].size


def shown(values: Any, count: int = 4) -> str:
    """The first few numbers of a vector."""
    return " ".join(f"{value:+.4f}" for value in np.ravel(values)[:count])


def largest_difference(a: Sequence[Any], b: Sequence[Any]) -> float:
    """The largest |a - b| over all elements."""
    return max(float(np.max(np.abs(p - q), initial=0.0)) for p, q in zip(a, b, strict=True))


def timed(row: Row, way: Callable[..., Any], arguments: Arrays, budget: float = 0.1) -> Row:
    """``row`` with the median time of ``way(*arguments)``, three runs or as many as fit."""
    samples: list[float] = []
    while len(samples) < 3 or (sum(samples) < budget and len(samples) < 1000):
        start = time.perf_counter()
        way(*arguments)
        samples.append(time.perf_counter() - start)
    return Row(**{**vars(row), "seconds": float(np.median(samples))})


# --- more outputs than inputs --------------------------------------------------------------------


def curve(x: Any) -> Any:
    """A function of 2 numbers with ``OUTPUTS`` results: a layer of sigmoids."""
    W, b = np.linspace(-2, 2, 2 * OUTPUTS).reshape(OUTPUTS, 2), np.linspace(-1, 1, OUTPUTS)
    return 1 / (1 + np.exp(-(W @ x + b)))


def by_columns(x: Any) -> Arrays:
    """The Jacobian (outputs, inputs) by forward mode, one pass a column."""
    columns = [jvp(curve, (x,), (seed,))[1] for seed in np.eye(x.shape[0])]
    return (np.stack(columns, axis=1),)


def by_rows(x: Any) -> Arrays:
    """The Jacobian by reverse mode, one pass back a row."""
    _, pullback = vjp(curve, x)
    return (np.stack([pullback(seed)[0] for seed in np.eye(OUTPUTS)]),)


def many_outputs() -> Iterator[Row]:
    """Forward mode needs a pass an input, reverse mode one an output: here forward mode wins."""
    x = np.array([0.3, -0.8])
    section = f"2 inputs, {OUTPUTS} outputs"
    cost = counted(curve, x)[1].operations
    first = by_columns(x)
    bounds = 2 * TANGENT_BOUND, OUTPUTS * GRADIENT_BOUND
    ways = (("forward mode", by_columns, 2), ("reverse mode", by_rows, 1 + OUTPUTS))
    for (name, way, passes), bound in zip(ways, bounds, strict=True):
        count = counted(way, x)[1]
        difference = None if way is by_columns else largest_difference(way(x), first)
        ratio = count.operations / cost
        row = Row(section, name, "", difference, passes, count.applications, ratio, bound, 0.0)
        yield timed(row, way, (x,))


# --- the table -----------------------------------------------------------------------------------


def comparison_table(rows: Sequence[Row], net: TwoLayer | None = None) -> Table:
    """The rows as one table; above it σ′(z2) and h, whose product is ∂y/∂w2."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    net = two_layer_sigmoid(*drawn(HIDDEN)) if net is None else net
    slope = net.y * (1 - net.y)
    title = (
        "The lecture's network, y = σ(w2 · h) with h = σ(W1 x), differentiated in four ways\n"
        f"∂y/∂w2 = σ′(z2) · h with σ′(z2) = {slope:.4f} and h = ({shown(net.h)})"
    )
    table = Table(
        title=Text(title, "bold"),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption=Text(
            "difference: the largest, from the hand-coded one, or from the row above\n"
            "passes: runs of the function, forwards or back; primitives: applied in all of them\n"
            "operations: of scalars, as a multiple of the function's; bound: what theory allows"
        ),
    )
    table.add_column("", no_wrap=True)
    table.add_column("∂y/∂w2", no_wrap=True)
    for name in ("difference", "passes", "primitives", "operations", "bound", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    section = ""
    for row in rows:
        if row.section != section:
            table.add_section()
            table.add_row(Text(row.section, "bold"))
            section = row.section
        table.add_row(*cells(row))
    return table


def cells(row: Row) -> tuple[str, ...]:
    """A row in words."""
    return (
        f"  {row.way}",
        row.numbers,
        "" if row.difference is None else f"{row.difference:.0e}",
        str(row.passes),
        "" if row.applications is None else f"{row.applications:,}",
        "" if row.ratio is None else f"{row.ratio:,.{0 if row.ratio > 99 else 1}f} x",
        "" if row.bound is None else f"{row.bound:,.0f} x",
        duration(row.seconds),
    )


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
