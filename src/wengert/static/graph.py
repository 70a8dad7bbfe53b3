"""``capture``: a static graph built before any data exists.

A ``Graph`` is a program with the arguments and results of a function: called as it, and asked for
any value inside. ``run`` fetches values by name, feeds others in their place, and computes only
what is needed, as TensorFlow 1's sessions did. Layer: ``static``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.aval import Aval
from ..core.box import Box
from ..core.errors import UnsupportedError
from ..core.interpret import origin_of
from ..core.names import leaf_names
from ..core.program import Program, Var
from ..differentiate.abstract import abstract_program
from .arguments import Arguments
from .naming import naming
from .program_graph import ProgramGraph, evaluated

NUMBERS = (Box, np.ndarray, np.generic)


class Graph(ProgramGraph):
    """A static graph with the arguments and results of a function; made by ``capture``.

    Call it as the function, with values; ``grad``, ``jvp``, ``vmap`` and ``compile`` take it as any
    function. ``run`` computes values inside.

    Attributes:
        arguments: names, structure and types of the arguments.
        captured: arrays of the dynamic graph that the function reads from outside, its variables;
            each call reads them as they are then.
    """

    def __init__(
        self,
        original: Program,
        arguments: Arguments,
        result: Any,
        captured: Sequence[Any],
        given: Mapping[str, Var],
        strict: bool,
    ) -> None:
        self.arguments, self.captured = arguments, tuple(captured)
        self._leaves, self._out_def = tree.flatten(result)
        places = [i for i, leaf in enumerate(self._leaves) if leaf is VALUE]
        names = leaf_names(arguments.result_name, result)
        super().__init__(original, [names[i] for i in places], given, strict)
        self._places = places
        self.__name__ = self.name
        self.check()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives. Raises ``ShapeError``, ``DtypeError`` for other types,
        structures or constants than those that the graph was built for.
        """
        values = self._with_captured(self.arguments.bind(self.name, args, kwargs))
        given = [values[self._called(var)] for var in self.original.inputs]
        return self._result(evaluated(self.program, given))

    def __wengert_reach__(self) -> Any:
        """For a compiled function that reaches this graph: what in it may change."""
        return self.captured

    def _with_captured(self, values: dict[str, Any]) -> dict[str, Any]:
        start = len(self.original.inputs) - len(self.captured)
        names = map(self._called, self.original.inputs[start:])
        return {**values, **dict(zip(names, self.captured, strict=True))}

    def _result(self, values: Sequence[Any]) -> Any:
        leaves = list(self._leaves)
        for place, value in zip(self._places, values, strict=True):
            leaves[place] = value
        return tree.unflatten(self._out_def, leaves)

    def run(
        self,
        *args: Any,
        fetch: Any = None,
        feed: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Values inside the graph, by name; only what they need is computed.

        Args:
            args, kwargs: arguments of the function; those that are not needed may be left out.
            fetch: a name, or names in a list, a tuple or a dict: of inputs (``x``, ``p['w']``),
                results (``y``, ``y['loss']``, or ``result`` where an argument is called ``y``),
                values named by ``wengert.name``, or those that ``print(graph.original)`` shows
                (``v7``). None: the result of the function.
            feed: values to put in place of others, by such names.

        Returns:
            The values, in the containers of ``fetch``.

        Raises:
            ProgramError: a name that there is not, or an argument that is needed and missing.
            ShapeError, DtypeError: a value of another type.

        >>> import numpy as np, wengert as wg
        >>> def f(x):
        ...     hidden = wg.name(np.exp(x), "hidden")
        ...     return np.sum(hidden**2)
        >>> graph = wg.capture(f)(wg.Aval((2,)))
        >>> graph.run(np.zeros(2), fetch=["hidden", "y"])
        [array([1., 1.]), np.float64(2.0)]
        >>> graph.run(fetch="y", feed={"hidden": np.array([3.0, 4.0])})
        np.float64(25.0)
        """
        values = self.arguments.bind(f"{self.name}: run", args, kwargs, partial=True)
        values, feed = self._with_captured(values), feed or {}
        if fetch is None:
            return self._result(self.fetch(list(self._ends), feed, values))
        return self.fetch(fetch, feed, values)


class _Value:
    """Stands in a result for what the graph computes."""

    def __repr__(self) -> str:
        return "VALUE"


VALUE = _Value()


def capture(f: Callable[..., Any], *, strict: bool = False) -> Callable[..., Graph]:
    """A static graph of ``f``, built and optimised before any data exists.

    ``f`` runs once, on types: shapes and dtypes are known, values are not. What it does besides
    (printing, counting) happens once, while the graph is built.

    Args:
        f: a function of arrays or containers of them that changes none of them in place.
        strict: only passes that leave every bit as it is eagerly.

    Returns:
        A function of ``f``'s arguments that gives a ``Graph``: ``Aval((3,), float)`` stands for an
        array, and so does an array, which gives its type only; everything else (Python's numbers,
        texts, functions) becomes part of the graph. ``Aval((), float, weak=True)`` stands for a
        Python number that changes.

    Raises:
        UnsupportedError: ``f`` reads a value (``if x > 0``; the message names ``cond``), or changes
        an argument in place.

    >>> import numpy as np, wengert as wg
    >>> def loss(w, x):
    ...     return {"loss": np.sum((x @ w) ** 2 * 1)}
    >>> graph = wg.capture(loss)(wg.Aval((3,)), wg.Aval((5, 3)))
    >>> print(graph)
    graph loss: 3 equations, 4 recorded
      inputs     v1: float64[3] (w), v2: float64[5, 3] (x)
      v3: float64[5] = v2 @ v1
      v4: float64[5] = v3 ** 2  in the buffer of v3
      v6: float64[] = sum(v4; axis=None, keepdims=False)
      outputs    v6 = y['loss']
    >>> graph(np.ones(3), np.ones((5, 3)))
    {'loss': np.float64(45.0)}
    """

    def build(*args: Any, **kwargs: Any) -> Graph:
        return _build(f, Arguments(f, args, kwargs), strict)

    return build


def _build(f: Callable[..., Any], arguments: Arguments, strict: bool) -> Graph:
    found: list[Any] = []

    def flat(*leaves: Any) -> list[Any]:
        """Only the values, so that a result may hold anything; the structure goes to ``found``."""
        before = [(x, x._node) for x in leaves if isinstance(x, Box)]
        result = arguments.call(leaves)
        _unchanged(f, arguments, before)
        parts, treedef = tree.flatten(result)
        values = [part for part in parts if isinstance(part, NUMBERS)]
        held = [VALUE if isinstance(part, NUMBERS) else part for part in parts]
        found.append(tree.unflatten(treedef, held))
        return values

    flat.__name__ = getattr(f, "__name__", type(f).__name__)
    flat.__wrapped__ = f  # type: ignore[attr-defined]
    taken = (*arguments.names, arguments.result_name)
    with naming(taken) as given:
        sketch = abstract_program(flat, arguments.leaves, arguments.names, shared=())
    names = captured_names(f, sketch.captured)
    start = len(sketch.program.inputs) - len(names)
    for var, label in zip(sketch.program.inputs[start:], names, strict=True):
        var.name = label
    return Graph(sketch.program, arguments, found[0], sketch.captured, given, strict)


def _unchanged(f: Any, arguments: Arguments, before: Sequence[tuple[Box, Any]]) -> None:
    """Raise ``UnsupportedError`` if an argument was changed in place."""
    names = [n for n, x in zip(arguments.names, arguments.leaves, strict=True) if type(x) is Aval]
    for label, (handle, node) in zip(names, before, strict=True):
        handle.refresh()
        if handle._node is not node:
            raise UnsupportedError(
                f"{origin_of(f, 'capture')} changes its argument {label} in place: return the new "
                "value instead, or use wengert.compile, which writes into the caller's array"
            )


def captured_names(f: Callable[..., Any], captured: Sequence[Any]) -> list[str]:
    """What the program calls the arrays that ``f`` reads from outside."""
    target = getattr(f, "__func__", f)
    reached = {"self": getattr(f, "__self__", None if target is not f else f)}
    if inspect.isfunction(target):
        seen = inspect.getclosurevars(target)
        reached |= {**seen.globals, **seen.nonlocals}
    found: dict[int, str] = {}
    for label, value in reached.items():
        leaves = tree.flatten(value)[0]
        if any(leaf is one for leaf in leaves for one in captured):
            for leaf, path in zip(leaves, leaf_names(label, value), strict=True):
                found.setdefault(id(leaf), path)
    return [found.get(id(value), f"captured[{i}]") for i, value in enumerate(captured)]
