"""The arguments of a graph: their names, structure and types, bound as Python binds them.

A graph is called as its function is, with containers, keywords and ``*args``. Arrays are its
inputs; everything else is part of the graph, and must be the same in every call. Layer: ``static``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval, aval_of
from ..core.box import PYTHON_SCALARS, SCALARS, Box
from ..core.errors import DtypeError, ShapeError, describe
from ..core.names import leaf_names
from ..core.program import agree

ANY = inspect.Signature(
    [
        inspect.Parameter("x", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD),
    ]
)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature; of a builtin that has none ``(*x, **options)``."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return ANY


class Arguments:
    """The arguments that a graph was built for.

    Attributes:
        function: what the graph is of.
        leaves: an ``Aval`` for each array, in the order of the parameters; other leaves themselves.
        names: of all leaves: ``x``, ``p['w']``.
    """

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self.function, self.signature = function, signature_of(function)
        self.leaves: list[Any] = []
        self.names: list[str] = []
        self.structure: dict[str, Any] = {}
        bound = self.signature.bind(*args, **kwargs)
        for parameter, argument in bound.arguments.items():
            leaves, self.structure[parameter] = tree.flatten(argument)
            self.leaves += map(type_of, leaves)
            self.names += leaf_names(parameter, argument)

    def call(self, leaves: Sequence[Any]) -> Any:
        """What the function gives for other leaves."""
        bound, rest = inspect.BoundArguments(self.signature, {}), iter(leaves)
        for parameter, treedef in self.structure.items():
            mine = [next(rest) for _ in range(treedef.num_leaves)]
            bound.arguments[parameter] = tree.unflatten(treedef, mine)
        return self.function(*bound.args, **bound.kwargs)

    def bind(
        self, what: str, args: Sequence[Any], kwargs: Mapping[str, Any], partial: bool = False
    ) -> dict[str, Any]:
        """The leaves of a call by name, checked; with ``partial``, arguments may be missing.

        Raises:
            TypeError: not the arguments that the function takes. ShapeError, DtypeError: other
            containers, types or constants than those that the graph was built for.
        """
        try:
            bind = self.signature.bind_partial if partial else self.signature.bind
            given = bind(*args, **kwargs).arguments
        except TypeError as error:
            raise DtypeError(f"{what}: {error}; the graph takes {self.described}") from None
        for parameter in given.keys() - self.structure.keys():
            raise DtypeError(
                f"{what}: got argument {parameter}, which was not given when the graph was built: "
                f"it takes {self.described}"
            )
        if not partial and (missing := self.structure.keys() - given.keys()):
            raise DtypeError(f"{what}: argument {min(missing)} is missing: {self.described}")
        return self._checked(what, given)

    def _checked(self, what: str, given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        place = 0
        for parameter, treedef in self.structure.items():
            names = self.names[place : place + treedef.num_leaves]
            expected = self.leaves[place : place + treedef.num_leaves]
            place += treedef.num_leaves
            if parameter in given:
                got = leaves_like(what, parameter, treedef, given[parameter])
                for name, leaf, value in zip(names, expected, got, strict=True):
                    found[name] = fitted(what, name, leaf, value)
        return found

    @property
    def result_name(self) -> str:
        """What the result is called: ``y``, unless an argument is."""
        return "result" if "y" in self.structure else "y"

    @property
    def described(self) -> str:
        """The leaves with their types."""
        told = [
            f"{name}: {leaf}" if isinstance(leaf, Aval) else f"{name} = {leaf!r:.40}"
            for name, leaf in zip(self.names, self.leaves, strict=True)
        ]
        return ", ".join(told) or "no arguments"


def leaves_like(what: str, parameter: str, treedef: Any, given: Any) -> list[Any]:
    """The leaves of an argument, which must have the containers that it had."""
    leaves, got = tree.flatten(given)
    if got != treedef:
        expected = "an array" if treedef.num_nodes == 1 else str(treedef)
        raise ShapeError(
            f"{what}: argument {parameter} is {describe(given)} of structure {got!s:.80}, expected "
            f"{expected:.80}; give the containers that the graph was built for"
        )
    return leaves


def type_of(leaf: Any) -> Any:
    """The ``Aval`` of an array, of NumPy's scalar or a handle; anything else as it is."""
    if isinstance(leaf, Box | np.generic):
        return aval_of(leaf)
    if isinstance(leaf, np.ndarray):
        if leaf.dtype.kind not in "biufc":
            raise DtypeError(
                f"capture: got an array of dtype {leaf.dtype}, expected booleans, integers, floats "
                "or complex numbers"
            )
        return aval_of(leaf)
    return leaf


def fitted(what: str, name: str, expected: Any, value: Any) -> Any:
    """``value`` as the graph takes it. Raises ``ShapeError`` or ``DtypeError`` if it can't."""
    if not isinstance(expected, Aval):
        if value is expected or (type(value) is type(expected) and _equal(value, expected)):
            return value
        raise DtypeError(
            f"{what}: {name} is {_told(value)}, and {_told(expected)} is part of the graph; build "
            "another graph for another value, or one with an Aval in its place"
        )
    if type(value) in SCALARS or isinstance(value, Box | np.ndarray):
        got = aval_of(value)
        if agree(expected, got) and got.weak == expected.weak:
            return value
        if got.shape != expected.shape:
            raise ShapeError(f"{what}: {name} is {got}, expected {expected}")
        if got.weak and not expected.weak and np.can_cast(got.dtype, expected.dtype, "same_kind"):
            boxed = isinstance(value, Box)
            return value.astype(expected.dtype) if boxed else expected.dtype.type(value)
    raise DtypeError(
        f"{what}: {name} is {describe(value)}, expected {_wanted(expected)}"
        + (f"; write {name}.astype({expected.dtype})" if hasattr(value, "astype") else "")
    )


def _wanted(aval: Aval) -> str:
    return f"a Python {aval.dtype.name.rstrip('0123456789')}" if aval.weak else str(aval)


def _told(value: Any) -> str:
    return f"{value!r:.60}" if type(value) is str or value is None else describe(value)


def _equal(a: Any, b: Any) -> bool:
    """Whether two constants of one type are one: NaN is NaN, and 0.0 is not -0.0."""
    if type(a) in PYTHON_SCALARS:
        return repr(a) == repr(b)
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False
