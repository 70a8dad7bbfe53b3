"""``Primitive``: one record with every rule of one operation, and the registry of all of them.

The families in ``ops/families.py`` fill the record from the little that an author writes. A rule
that does not exist is not left out: ``NotDifferentiable("why")`` stands in its place, and its text
is the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any, Literal

from .aval import Aval
from .errors import UnsupportedError
from .interpret import bind

# False: no active input has a derivative; None: there is nothing to keep
Saver = Callable[[Sequence[Any]], Sequence[Any]] | Literal[False] | None


@dataclass(frozen=True)
class Interval:
    """The open interval of the reals from which tests draw an argument."""

    low: float = -3.0
    high: float = 3.0


@dataclass(frozen=True)
class Doc:
    """What a reader and the tests know of a primitive.

    ``domain``: an interval for each argument; ``source``: book, section or DOI; ``kinks``: the
    convention where the derivative does not exist, printed in the table of the documentation.
    """

    summary: str
    domain: tuple[Interval, ...] = (Interval(),)
    source: str = ""
    kinks: str = ""


@dataclass(frozen=True)
class NotDifferentiable:
    """Stands where a derivative rule would be; ``why`` is the text of the error."""

    why: str

    def __call__(self, *_: Any) -> Any:
        raise UnsupportedError(self.why)


@dataclass(frozen=True)
class NoLowering:
    """Stands where a scalar description would be; ``why`` says what runs instead."""

    why: str = "its NumPy value runs"


NOT_LOWERED = NoLowering()


class Keep(list[Saver]):
    """What a node keeps, for each set of active inputs (as bits): a function of ``(None, y, *xs)``.

    ``reads[i]``: positions in that tuple which the rule of input i reads (1 is the output, 2 the
    first input), or None for an input that has no derivative. An entry is None where nothing is
    kept, False where no active input has a derivative.
    """

    def __init__(self, reads: Sequence[frozenset[int] | None], arity: int) -> None:
        self.reads = reads
        for mask in range(1 << arity):
            active = [read for i, read in enumerate(reads) if mask >> i & 1 and read is not None]
            kept = frozenset().union(*active)
            saver: Saver = False
            if active:
                places = tuple([p if p in kept else 0 for p in range(arity + 2)])
                saver = saver_of(places) if kept else None
            self.append(saver)


@cache
def saver_of(places: tuple[int, ...]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """The saver of ``places``. One object for each, so that a tape knows the usual ones and can do
    without the call.
    """
    return itemgetter(*places)


class KeepNothing(dict[int, Saver]):
    """For linear primitives with any number of inputs."""

    def __missing__(self, mask: int) -> Saver:
        return None


class KeepAll(dict[int, Saver]):
    """For primitives whose rules read everything."""

    def __missing__(self, mask: int) -> Saver:
        return tuple


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Primitive:
    """One operation: arrays are positional, static parameters are keywords.

    value: ``(*arrays, **params)`` on plain arrays.
    infer: ``(*avals, **params) -> Aval``; the shape rule.
    jvp: ``(y, xs, dxs, params) -> dy``; ``dxs`` holds None for a constant input; None is a zero
    tangent. pull: ``(i, gy, node, masked) -> gx`` for input i; ``node`` has ``saved``, ``parents``,
        ``params``; ``masked`` says that zeros of ``gy`` may come from a selection and absorb what
        they are multiplied with.
    keep: what the node keeps, see ``Keep``; that is taken apart into a plain list, which is read
    faster, and ``reads``, which is None where ``keep`` is not made of it.
    batch: ``(xs, batched, size, params) -> y``, example axes in front.
    residual: ``(xs, params, active) -> (y, saved)``, what a tape runs in place of ``value`` where
    the rule says what to save; ``saved.xs`` are the ``xs``. push: ``(xs, dxs, params) -> (ys,
    dys)``, what forward mode runs in place of ``value`` and ``jvp`` where there are several outputs
    and they share work with their tangents. selects: its adjoint has zeros that stand for "not
    selected"; spreads: it hands that mark on to its inputs. calls_user: its value runs a function
    of the user, whose exceptions are the user's own. ufunc: the NumPy ufunc that it is, where it is
    one. fresh: its result is new memory, never a view of an argument. donates: ``value`` takes
    ``donate=True`` and then writes into its first argument instead of a copy of it. lower: ``(e,
    *xs, **params) -> y`` for one element, written with the emitter ``e`` of machine code; a
    primitive with a ``ufunc`` gets ``xs`` in the dtypes of NumPy's loop, any other as they are; a
    reduction gets what it has so far and the next element. expand: ``(*xs, **params) -> y``, the
    same in simpler operations, of which machine code is made where ``lower`` is not there; its last
    bits may be others.
    samples: ``rng -> [(args, params), …]`` for the generated tests, where the domain in ``doc``
    does not say it all.
    """

    name: str
    family: str
    value: Callable[..., Any]
    infer: Callable[..., Aval | tuple[Aval, ...]]
    jvp: Callable[..., Any]
    pull: Callable[..., Any]
    keep: list[Saver] | dict[int, Saver]
    batch: Callable[..., Any]
    doc: Doc
    residual: Callable[..., Any] | None = None
    push: Callable[..., Any] | None = None
    selects: bool = False
    spreads: bool = True
    tame: bool = False
    calls_user: bool = False
    multiple: bool = False
    complex: bool = True
    ufunc: Any = None
    fresh: bool = False
    donates: bool = False
    lower: Callable[..., Any] | NoLowering = NOT_LOWERED
    expand: Callable[..., Any] | None = None
    samples: Callable[..., Any] | None = None
    notation: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    reads: Sequence[frozenset[int] | None] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.keep, Keep):
            object.__setattr__(self, "reads", self.keep.reads)
            object.__setattr__(self, "keep", list(self.keep))

    def __call__(self, *args: Any, **params: Any) -> Any:
        return bind(self, *args, **params)

    def __repr__(self) -> str:
        return f"<primitive {self.name} ({self.family})>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)


def keeping(primitive: Primitive, keep: dict[int, Saver]) -> Primitive:
    """``primitive``, whose nodes now keep what ``keep`` says; ``reads`` says nothing any more."""
    object.__setattr__(primitive, "keep", keep)
    object.__setattr__(primitive, "reads", None)
    return primitive


REGISTRY: dict[str, Primitive] = {}


def define(primitive: Primitive) -> Primitive:
    """Enter ``primitive`` in the registry. Raises ``ValueError`` where the name is taken."""
    if primitive.name in REGISTRY:
        raise ValueError(f"define: a primitive named {primitive.name!r} exists already")
    REGISTRY[primitive.name] = primitive
    return primitive


def _by_name(name: str) -> Primitive:
    return REGISTRY[name]
