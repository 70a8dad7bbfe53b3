"""A Python function seen from outside: arguments with leaves to vary, results as one flat vector.

The bridge between the containers of a user's function and the ``Ray``s and ``Plane``s of
``differences``. Layer: ``core`` and ``differences`` only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import DtypeError, GradientError, ShapeError, describe
from .differences import Plane, Ray, Vector, vanished


@dataclass(frozen=True)
class Leaf:
    """One leaf of an argument. ``array`` is its C-ordered copy, or None if it is not to vary."""

    value: Any
    array: Vector | None
    where: str

    def given(self, array: Vector) -> Any:
        """``array`` as the function is to see it: a copy of the leaf's own kind."""
        if isinstance(self.value, np.ndarray):
            return array
        return array[()] if isinstance(self.value, np.generic) else array.item()


@dataclass(frozen=True)
class Coordinate:
    """One real number that can vary: element ``index`` of leaf ``leaf``, along 1 or along 1j."""

    leaf: int
    index: int
    unit: complex


@dataclass(frozen=True)
class Output:
    """The structure of a function's result, and the way from it to one flat vector and back."""

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype[Any], ...]

    @property
    def work(self) -> np.dtype[Any]:
        """The dtype of the flat vector: at least float64."""
        return np.result_type(np.float64, *self.dtypes)

    def slices(self) -> list[slice]:
        """The part of the flat vector that is each leaf's."""
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]


class BlackBox:
    """``f(*args, **kwargs)`` as a function of the leaves of some of its arguments.

    ``name`` is the caller's, for messages. ``constants`` lets an argument be an integer alone. Each
    call of f gets fresh copies of what varies, so that f may change its differentiated arguments in
    place; it must not change the others.
    """

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: int | tuple[int, ...],
        constants: bool = False,
    ) -> None:
        self.name, self.f, self.args, self.kwargs = name, f, tuple(args), kwargs
        self.single = not isinstance(argnums, tuple | list)
        self.numbers = _positions(name, argnums, len(args))
        self.leaves: list[Leaf] = []
        self.treedefs: list[Any] = []
        for number in self.numbers:
            leaves, treedef = _leaves(name, number, self.args[number])
            lone = len(leaves) == 1 and leaves[0].value is self.args[number]
            if lone and leaves[0].array is None and not constants:
                raise DtypeError(
                    f"{name}: argument {number} is {describe(self.args[number])}, which has no "
                    "derivative; give a float: 3.0 instead of 3, or x.astype(float)"
                )
            self.leaves += leaves
            self.treedefs.append(treedef)
        y = self.call({})
        self.output = self._structure(y)
        self.base = _flat(y, self.output)

    def call(self, changed: dict[int, Vector]) -> Any:
        """The result of f with the leaves ``changed``, by their number."""
        values = [
            leaf.value if leaf.array is None else leaf.given(changed.get(n, leaf.array).copy())
            for n, leaf in enumerate(self.leaves)
        ]
        args, varied = list(self.args), self.restored(values)
        for number, arg in zip(self.numbers, (varied,) if self.single else varied, strict=True):
            args[number] = arg
        return self.f(*args, **self.kwargs)

    def value(self, changed: dict[int, Vector]) -> Vector:
        """The flat result of f with the leaves ``changed``; its structure must not have changed."""
        y = self.call(changed)
        got = self._structure(y)
        if (got.treedef, got.shapes) != (self.output.treedef, self.output.shapes):
            raise ShapeError(
                f"{self.name}: the result of f changed its structure under a small step, from "
                f"{self.output.treedef} with shapes {self.output.shapes} to {got.treedef} with "
                f"{got.shapes}; numerical differentiation needs the same structure every time"
            )
        return _flat(y, got)

    def coordinates(self) -> list[Coordinate]:
        """Every real number that can vary, in the order of the leaves; a complex one is two."""
        return [
            Coordinate(n, index, unit)
            for n, leaf in enumerate(self.leaves)
            if leaf.array is not None
            for index in range(leaf.array.size)
            for unit in ((1.0, 1j) if leaf.array.dtype.kind == "c" else (1.0,))
        ]

    def ray(self, coordinate: Coordinate) -> Ray:
        """f along one coordinate."""
        leaf, index, unit = self.leaves[coordinate.leaf], coordinate.index, coordinate.unit
        whole = self.array(coordinate.leaf)
        x = whole.reshape(-1)[index]
        exact = np.result_type(whole.dtype, np.float64).type

        def at(t: float) -> tuple[Vector, float]:
            array = whole.copy()
            with np.errstate(over="ignore", invalid="ignore"):
                array.reshape(-1)[index] = x + t * unit
                moved = (exact(array.reshape(-1)[index]) - exact(x)) / unit
            return self._quietly({coordinate.leaf: array}), moved.real

        def imaginary(t: float) -> Vector:
            return self.continued({coordinate.leaf: (index, 1j * t)})

        size, where = float(np.abs(x)), self._where(coordinate.leaf, index)
        scale, eps = max(1.0, size), self.eps(leaf)
        return Ray(at, imaginary, self.base, scale, size, size, 1.0, eps, where)

    def plane(self, first: Coordinate, second: Coordinate) -> Plane:
        """f along two coordinates, which may be the same one."""

        def shifts(s: complex, t: complex) -> dict[int, list[tuple[int, complex]]]:
            moves: dict[int, list[tuple[int, complex]]] = {}
            for coordinate, step in ((first, s), (second, t)):
                moves.setdefault(coordinate.leaf, []).append((coordinate.index, step))
            return moves

        def at(s: float, t: float) -> Vector:
            changed = {}
            for n, moves in shifts(s, t).items():
                changed[n] = self.array(n).copy()
                flat = changed[n].reshape(-1)
                for index, step in moves:
                    before = flat[index]
                    flat[index] += step
                    if step != 0 and flat[index] == before:
                        raise vanished(step.real, self._where(n, index))
            return self._quietly(changed)

        def imaginary(s: float, t: float) -> Vector:
            moves = shifts(1j * s, t).items()
            return self.continued(*({n: move} for n, both in moves for move in both))

        return Plane(at, imaginary, self.ray(first), self.ray(second))

    def direction(self, tangents: dict[int, Vector]) -> Ray:
        """f along ``tangents``, one for each leaf that varies, by its number."""
        scale, size, reach = np.inf, np.inf, 0.0
        for n, v in tangents.items():
            x, moves = np.abs(self.array(n)), v != 0
            reach = max(reach, float(np.max(x[moves], initial=0.0)))
            scales = np.maximum(1.0, x)[moves] / np.abs(v[moves])
            scale = min(scale, float(np.min(scales, initial=np.inf)))
            moves &= x > 0
            size = min(size, float(np.min(x[moves] / np.abs(v[moves]), initial=np.inf)))
        scale = scale if np.isfinite(scale) else 1.0

        def at(t: float) -> tuple[Vector, float]:
            arrays = {n: self.array(n) for n in tangents}
            moved = {n: np.asarray(x + t * tangents[n], x.dtype) for n, x in arrays.items()}
            return self._quietly(moved), t

        def imaginary(t: float) -> Vector:
            return self.continued({n: (slice(None), 1j * t * v) for n, v in tangents.items()})

        eps = max((self.eps(self.leaves[n]) for n in tangents), default=float(np.finfo(float).eps))
        lengths = [float(np.max(np.abs(v), initial=0.0)) for v in tangents.values()]
        unit = 1.0 / (max(lengths, default=0.0) or 1.0)
        where = "x along the tangents"
        size = min(size, scale)
        return Ray(at, imaginary, self.base, scale, size, reach * unit, unit, eps, where)

    def continued(self, *shifts: dict[int, tuple[Any, Any]]) -> Vector:
        """f at complex arguments: each shift adds a number to elements of a leaf.

        Every leaf that varies becomes complex. Raises ``GradientError`` where f does not take that.
        """
        changed: dict[int, Vector] = {}
        for n, leaf in enumerate(self.leaves):
            if leaf.array is not None:
                changed[n] = leaf.array.astype(np.result_type(leaf.array.dtype, np.complex64))
        for shift in shifts:
            for n, (index, step) in shift.items():
                flat = changed[n].reshape(-1)
                flat[index] += np.reshape(step, -1) if isinstance(index, slice) else step
        try:
            result = self._quietly(changed)
        except (TypeError, np.exceptions.ComplexWarning) as error:
            raise GradientError(
                f'{self.name}, method="complex": f does not take complex numbers ({error}); '
                'write it with analytic NumPy functions, or use method="central"'
            ) from error
        if result.dtype.kind != "c":
            raise GradientError(
                f'{self.name}, method="complex": f returned real numbers for a complex argument: '
                "it does not depend on it, or drops the imaginary part (abs, real, comparisons); "
                'use method="central" or "richardson"'
            )
        return result

    def require_scalar(self) -> None:
        """Raise unless f's result is one real number."""
        shapes = self.output.shapes
        if shapes != ((),) or self.output.treedef != tree.flatten(0.0)[1]:
            shown = f"an array of shape {shapes[0]}" if len(shapes) == 1 else "a container"
            raise ShapeError(
                f"{self.name}: f returned {shown}, expected a scalar; return np.sum(y) or one "
                "element, or use jacobian"
            )
        if self.output.dtypes[0].kind == "c":
            raise DtypeError(
                f"{self.name}: f returned a complex number, expected a real scalar; return y.real, "
                "y.imag or abs(y), or use jacobian"
            )

    def array(self, n: int) -> Vector:
        """The array of leaf ``n``, one of those that vary."""
        array = self.leaves[n].array
        assert array is not None
        return array

    def restored(self, leaves: list[Any]) -> Any:
        """``leaves``, one for each of the box's, in the structure of the arguments."""
        values = iter(leaves)
        results = [
            tree.unflatten(treedef, [next(values) for _ in range(treedef.num_leaves)])
            for treedef in self.treedefs
        ]
        return results[0] if self.single else tuple(results)

    def eps(self, leaf: Leaf) -> float:
        """The rounding unit of the coarser of ``leaf`` and the result."""
        assert leaf.array is not None
        dtypes = [d for d in (leaf.array.dtype, *self.output.dtypes) if d.kind in "fc"]
        return max(float(np.finfo(dtype).eps) for dtype in dtypes)

    def _where(self, n: int, index: int) -> str:
        """Element ``index`` of leaf ``n`` in words."""
        array = self.array(n)
        place = f"{self.leaves[n].where}{_at(array.shape, index)}"
        return f"x = {array.reshape(-1)[index]} ({place}, {array.dtype})"

    def _quietly(self, changed: dict[int, Vector]) -> Vector:
        """``value`` without NumPy's warnings: the call at x itself has given those that matter."""
        with np.errstate(all="ignore"):
            return self.value(changed)

    def _structure(self, y: Any) -> Output:
        """The structure of the result ``y``; ``DtypeError`` for what is not numbers."""
        leaves, treedef = tree.flatten(y)
        arrays = [np.asarray(leaf) for leaf in leaves]
        if not arrays:
            raise DtypeError(f"{self.name}: f returned {y!r}, which holds no number; return one")
        for leaf, array in zip(leaves, arrays, strict=True):
            if array.dtype.kind not in "iufc":
                raise DtypeError(
                    f"{self.name}: f returned {describe(leaf)}, expected numbers: float or complex"
                )
        return Output(treedef, tuple(a.shape for a in arrays), tuple(a.dtype for a in arrays))


def _flat(y: Any, structure: Output) -> Vector:
    """The numbers of ``y``, which has ``structure``, as one vector of its working dtype."""
    leaves = [np.asarray(leaf, structure.work).ravel() for leaf in tree.flatten(y)[0]]
    return np.concatenate(leaves)


def _at(shape: tuple[int, ...], index: int) -> str:
    """``[1, 2]`` for element ``index`` of an array of ``shape``; nothing for a scalar."""
    return f"[{', '.join(map(str, np.unravel_index(index, shape)))}]" if shape else ""


def _positions(name: str, argnums: Any, count: int) -> tuple[int, ...]:
    """``argnums`` as a tuple of positions from 0 to ``count`` - 1, without repetition."""
    numbers = argnums if isinstance(argnums, tuple | list) else (argnums,)
    for n in numbers:
        if isinstance(n, bool) or not isinstance(n, int | np.integer):
            raise DtypeError(f"{name}: argnums is {argnums!r}, expected an int or a tuple of ints")
        if not -count <= n < count:
            raise ShapeError(
                f"{name}: argnums names argument {n}, but f was called with {count} positional "
                "arguments; only positional ones are differentiated"
            )
    positions = tuple(int(n) % count for n in numbers)
    if len(set(positions)) < len(positions) or not positions:
        raise ShapeError(f"{name}: argnums is {argnums!r}, expected one or more, all different")
    return positions


def _leaves(name: str, number: int, arg: Any) -> tuple[list[Leaf], Any]:
    """The leaves of argument ``number`` and its structure; ``DtypeError`` for a lone integer."""
    values, treedef = tree.flatten(arg)
    if isinstance(arg, list) and arg and all(type(x) in (int, float, complex) for x in arg):
        raise DtypeError(
            f"{name}: argument {number} is a list of numbers, expected an array; write "
            "np.array(x, float)"
        )
    paths = tree.names(arg)
    places = [f"argument {number}{path}" for path in paths]
    return [_leaf(name, *pair) for pair in zip(values, places, strict=True)], treedef


def _leaf(name: str, value: Any, where: str) -> Leaf:
    """``value`` as a leaf; ``DtypeError`` for arrays that are not plain NumPy's."""
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufc":
        raise DtypeError(f"{name}: {where} is {describe(value)}, expected float or complex numbers")
    if isinstance(value, np.ndarray | np.generic | float | complex):
        array = np.array(value, order="C")
        return Leaf(value, array if array.dtype.kind in "fc" else None, where)
    if isinstance(value, int):
        return Leaf(value, None, where)
    remedy = (
        "x.numpy(), a constant for every transformation around it"
        if hasattr(value, "numpy")
        else "np.array(x, float)"
    )
    raise DtypeError(
        f"{name}: {where} is {type(value).__name__}; numerical differentiation takes plain NumPy "
        f"arrays and Python numbers: give {remedy}"
    )
