"""Arguments for the generated tests, drawn from the record of a primitive.

An elementwise primitive says where its arguments come from (``doc.domain``), and they are drawn
here over shapes, layouts and dtypes; any other one gives its own (``samples``). All arrays are
read-only, so that a primitive that writes into its arguments fails at once.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any

import numpy as np

from wengert.core.box import is_inexact
from wengert.core.primitive import Interval, Primitive

F8, F4 = np.dtype(np.float64), np.dtype(np.float32)
C16, C8 = np.dtype(np.complex128), np.dtype(np.complex64)
I8, I4, U1, B1 = (np.dtype(k) for k in (np.int64, np.int32, np.uint8, np.bool_))
INEXACT = (F8, F4, C16, C8)
DISCRETE = (I8, I4, U1, B1)

Layout = Callable[[np.ndarray], np.ndarray]
LAYOUTS: dict[str, Layout] = {
    "plain": lambda x: x,
    "reversed": lambda x: x[(slice(None, None, -1),) * x.ndim] if x.ndim else x,
    "transposed": lambda x: np.asfortranarray(x),
    "spread": lambda x: np.repeat(x, 3, axis=-1)[..., ::3] if x.ndim else x,
}
# the shapes and layouts of the arguments; "weak" is a Python scalar
SHAPES: dict[int, list[tuple[Any, ...]]] = {
    1: [((),), ((4,),), ((0,),), ((2, 3), "transposed"), ((5,), "spread"), ("weak",)],
    2: [
        ((3,), (3,)),
        ((), ()),
        ((2, 1), (3,), "reversed"),
        ((2, 3), ()),
        ((0,), (1,)),
        ((3,), "weak"),
        ("weak", (3,)),
        ("weak", "weak"),
        ((1, 2), (2, 2), "spread"),
    ],
    3: [
        ((3,), (3,), (3,)),
        ((2, 1), (1, 3), (), "transposed"),
        ((), (2,), (2, 2), "reversed"),
        ((0,), (1,), ()),
        ((3,), "weak", (3,)),
        ((3,), (3,), "weak"),
    ],
}


@dataclass(frozen=True)
class Case:
    """One application: ``primitive(*args, **params)``. ``active``: which args have derivatives."""

    args: tuple[Any, ...]
    params: dict[str, Any]
    label: str

    @property
    def active(self) -> tuple[int, ...]:
        return tuple(i for i, arg in enumerate(self.args) if is_inexact(arg))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The coarsest floating dtype among the arguments."""
        active = [self.args[i] for i in self.active]
        strong = [x.dtype for x in active if type(x) not in (float, complex)]
        return min(strong or [F8], key=lambda dtype: np.finfo(dtype).precision)

    def with_args(self, positions: Sequence[int], values: Sequence[Any]) -> Case:
        """The same application to other arguments at ``positions``."""
        args = list(self.args)
        for i, value in zip(positions, values, strict=True):
            args[i] = value
        return replace(self, args=tuple(args))

    def __str__(self) -> str:
        args = ", ".join(np.array2string(np.asarray(a), precision=6) for a in self.args)
        return f"{self.label}: ({args}) {self.params or ''}"


def rng_for(primitive: Primitive, seed: int = 0) -> np.random.Generator:
    """Numbers that depend on the primitive only, not on how many there are."""
    return np.random.default_rng([zlib.crc32(primitive.name.encode()), seed])


def locked(x: Any) -> Any:
    """``x``, read-only if it is an array."""
    if isinstance(x, np.ndarray):
        x.flags.writeable = False
    return x


def is_broadcasting(primitive: Primitive) -> bool:
    """Whether its arguments are drawn here: it broadcasts as NumPy's ufuncs do."""
    return primitive.family == "elementwise" or "broadcast_infer" in primitive.infer.__qualname__


def has_sampler(primitive: Primitive) -> bool:
    return primitive.samples is not None or is_broadcasting(primitive)


def works_on_integers(primitive: Primitive) -> bool:
    """Whether it is one of bits, which takes nothing else."""
    return bool(primitive.extra.get("integers"))


def arity(primitive: Primitive) -> int:
    return len(primitive.doc.domain)


def draw(rng: np.random.Generator, interval: Interval, shape: Any, dtype: np.dtype[Any]) -> Any:
    """Numbers from ``interval``, away from its ends; complex ones with an imaginary part."""
    low, high = max(interval.low, -3.0), min(interval.high, 3.0)
    margin = 0.08 * (high - low)
    if dtype.kind in "iub":
        bottom = max(int(np.ceil(low)), 0 if dtype.kind in "ub" else -3)
        top = max(int(np.floor(high)), bottom)
        return rng.integers(bottom, top, shape, endpoint=True).astype(dtype)
    x = rng.uniform(low + margin, high - margin, shape)
    if dtype.kind == "c":
        x = x + 1j * rng.uniform(0.1, 0.6, shape) * rng.choice([-1, 1], shape)
    return np.asarray(x).astype(dtype)


def drawn_argument(
    rng: np.random.Generator,
    interval: Interval,
    shape: Any,
    dtype: np.dtype[Any],
    layout: str,
    zeros: bool = False,
) -> Any:
    """One argument; with ``zeros`` some of its elements are 0, if the interval has 0 in it."""
    if shape == "weak":
        return draw(rng, interval, (), dtype).item()
    x = draw(rng, interval, shape, dtype)
    if zeros and x.ndim and interval.low < 0 < interval.high:
        x[..., ::2] = 0
    return locked(LAYOUTS[layout](x))


def constant_inputs(primitive: Primitive) -> set[int]:
    """The inputs without a derivative, where others have one: a condition, an order."""
    reads = primitive.reads or ()
    constants = {i for i, read in enumerate(reads) if read is None}
    return constants if len(constants) < len(reads) else set()


def broadcasting_cases(
    primitive: Primitive, dtypes: Sequence[np.dtype[Any]], label: str, seed: int
) -> Iterator[Case]:
    """One case for each row of ``SHAPES``; argument i has ``dtypes[i]``."""
    rng, count = rng_for(primitive, seed), arity(primitive)
    constants = constant_inputs(primitive)
    for row in SHAPES[count]:
        layout = row[count] if len(row) > count else "plain"
        args = tuple(
            drawn_argument(rng, interval, shape, dtype, layout, zeros=i in constants)
            for i, (interval, shape, dtype) in enumerate(
                zip(primitive.doc.domain, row, dtypes, strict=False)
            )
        )
        yield Case(args, {}, f"{primitive.name} {label} {row}")


def special_case(primitive: Primitive, dtype: np.dtype[Any]) -> Iterator[Case]:
    """0, 1, −1 and 2 in all combinations, as far as they lie inside the domain: where formulas that
    are right everywhere else divide zero by zero. Not of selections, which have ties there.
    """
    inside = [
        [v for v in (0.0, 1.0, -1.0, 2.0) if interval.low + 0.1 < v < interval.high - 0.1]
        for interval in primitive.doc.domain
    ]
    reads = primitive.reads
    if all(inside) and not primitive.selects and reads is not None and None not in reads:
        points = np.array(list(product(*inside)), dtype).T
        args = tuple(locked(np.ascontiguousarray(row)) for row in points)
        yield Case(args, {}, f"{primitive.name} {dtype.name} special points")


def cast(x: Any, dtype: np.dtype[Any], rng: np.random.Generator) -> Any:
    """A sample in another floating dtype; index arrays and Python numbers stay as they are."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        return locked(np.array(x)) if isinstance(x, np.ndarray) else x
    if dtype.kind == "c":
        x = x + 0.5j * rng.standard_normal(x.shape)
    return locked(np.array(x, dtype))


def sampled_cases(
    primitive: Primitive, dtype: np.dtype[Any], label: str, seed: int
) -> Iterator[Case]:
    rng = rng_for(primitive, seed)
    for number, (args, params) in enumerate(primitive.samples(rng)):
        cast_args = tuple(cast(x, dtype, rng) for x in args)
        yield Case(cast_args, params, f"{primitive.name} {label} sample {number}")


def computes(primitive: Primitive, case: Case) -> bool:
    """Whether it takes these arguments: Python's own numbers, and casts, are choosy."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            primitive.value(*case.args, **case.params)
    except np.exceptions.ComplexWarning:
        return False
    except (TypeError, ZeroDivisionError, ValueError):
        return not all(type(arg) in (bool, int, float, complex) for arg in case.args)
    return True


def takes(primitive: Primitive, dtype: np.dtype[Any]) -> bool:
    """Whether the record says that the primitive computes with ``dtype``."""
    if works_on_integers(primitive):
        return dtype.kind in "iub"
    return dtype.kind != "c" or primitive.complex


def cases(primitive: Primitive, dtype: np.dtype[Any], seed: int = 0) -> list[Case]:
    """The applications to test ``primitive`` with, all arguments of ``dtype``."""
    if not takes(primitive, dtype):
        return []
    if primitive.samples is None:
        dtypes = (dtype,) * arity(primitive)
        every = broadcasting_cases(primitive, dtypes, dtype.name, seed)
        if dtype in (F8, F4):
            every = chain(special_case(primitive, dtype), every)
        if dtype.kind in "iub":  # Python's integers and booleans have arithmetic of their own
            every = (c for c in every if any(isinstance(arg, np.ndarray) for arg in c.args))
    else:
        every = (
            sampled_cases(primitive, dtype, dtype.name, seed) if dtype.kind in "fc" else iter(())
        )
    return [case for case in every if computes(primitive, case)]


def drawn(primitive: Primitive, *dtypes: np.dtype[Any]) -> list[Case]:
    """The cases of all ``dtypes``."""
    return [case for dtype in dtypes for case in cases(primitive, dtype)]


def smooth(primitive: Primitive, *dtypes: np.dtype[Any]) -> list[Case]:
    """Cases with something to differentiate, empty arrays left out."""
    chosen = [case for case in drawn(primitive, *dtypes) if case.active]
    return [case for case in chosen if all(np.size(arg) for arg in case.args)]


MIXED = [(F4, F8), (F8, F4), (F4, C16), (C8, F4), (C16, F8), (I8, F4), (F8, B1)]


def mixed_cases(primitive: Primitive, seed: int = 0) -> list[Case]:
    """Two dtypes that are promoted."""
    if arity(primitive) != 2 or primitive.samples is not None or works_on_integers(primitive):
        return []
    return [
        case
        for pair in MIXED
        if all(takes(primitive, dtype) for dtype in pair)
        for case in broadcasting_cases(primitive, pair, "+".join(d.name for d in pair), seed)
        if computes(primitive, case) and not any(type(arg) in (bool, int) for arg in case.args)
    ]


def directions(case: Case, positions: Sequence[int], seed: int = 0) -> list[Any]:
    """A tangent for each argument at ``positions``: its shape and dtype, lengths about 1."""
    rng = np.random.default_rng([7, seed])
    return [like(rng, case.args[i]) for i in positions]


def like(rng: np.random.Generator, x: Any) -> Any:
    """Random numbers of the shape and dtype of ``x``."""
    shape, dtype = np.shape(x), np.asarray(x).dtype
    d = rng.uniform(0.25, 1.0, shape) * rng.choice([-1, 1], shape)
    if dtype.kind == "c":
        d = d + 1j * rng.uniform(-1, 1, shape)
    d = np.asarray(d).astype(dtype)
    return d.item() if type(x) in (float, complex) else d
