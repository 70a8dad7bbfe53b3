"""Jacobians, Hessians and their products: the two modes in blocks of directions, by ``vmap``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.box import Box, dtype_of, is_inexact, shape_of
from ..core.declared import Repeatable
from ..core.errors import DtypeError, ShapeError, UnsupportedError, describe
from ..ops.fitting import cast, is_complex
from ..vectorize import vmap
from .forward import jvp
from .reverse import check_arguments, differentiable, grad, lists_meant_as_arrays, vjp

BLOCK = 2**28  # bytes of results at once, where the user names no chunk size


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=int))


def directions(
    leaves: Sequence[Any], chunk_size: int | None, bytes_each: int
) -> Iterator[list[Any]]:
    """The unit directions of the space of all ``leaves`` together, in blocks: each a list of
    ``(block, *shape)``.
    """
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ShapeError(f"jacobian: chunk_size must be a positive int, got {chunk_size!r}")
    ends = np.cumsum([0] + [_size(shape_of(leaf)) for leaf in leaves])
    step = chunk_size or max(1, BLOCK // max(bytes_each, 1))
    for first in range(0, int(ends[-1]), step):
        rows = np.arange(first, min(first + step, ends[-1]))
        block = []
        for leaf, start, end in zip(leaves, ends[:-1], ends[1:], strict=True):
            unit = np.zeros((len(rows), int(end - start)), np.dtype(dtype_of(leaf)))
            inside = np.flatnonzero((rows >= start) & (rows < end))
            unit[inside, rows[inside] - start] = 1
            block.append(unit.reshape(len(rows), *shape_of(leaf)))
        yield block


def _joined(blocks: list[list[Any]], leaves: Sequence[Any]) -> list[Any]:
    """Blocks of rows, one list a block, as one array a leaf."""
    if not blocks:
        return [np.zeros((0, *shape_of(leaf)), np.dtype(dtype_of(leaf))) for leaf in leaves]
    return [
        column[0] if len(column) == 1 else np.concatenate(column)
        for column in zip(*blocks, strict=True)
    ]


class _Problem:
    """``f`` as a function of the leaves to differentiate."""

    def __init__(
        self, f: Callable[..., Any], args: Sequence[Any], argnums: Any, kwargs: dict[str, Any]
    ) -> None:
        self.positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        check_arguments(args, self.positions)
        chosen = [args[i] for i in self.positions]
        for argument in chosen:
            lists_meant_as_arrays(argument, "jacobian")
        flat, self.treedef = tree.flatten(chosen[0] if isinstance(argnums, int) else tuple(chosen))
        self.active = [
            i for i, leaf in enumerate(flat) if is_inexact(differentiable(leaf, "jacobian"))
        ]
        self.flat, self.leaves = flat, [flat[i] for i in self.active]
        self.single, self.f, self.args, self.kwargs = (
            isinstance(argnums, int),
            f,
            list(args),
            kwargs,
        )

    def __call__(self, *leaves: Any) -> Any:
        flat = list(self.flat)
        for i, leaf in zip(self.active, leaves, strict=True):
            flat[i] = leaf
        chosen = tree.unflatten(self.treedef, flat)
        args = list(self.args)
        for i, argument in zip(self.positions, (chosen,) if self.single else chosen, strict=True):
            args[i] = argument
        return self.f(*args, **self.kwargs)

    def structured(self, parts: Sequence[Any]) -> Any:
        """``parts``, one for each active leaf, in the structure of the arguments; None for
        integers.
        """
        flat: list[Any] = [None] * len(self.flat)
        for i, part in zip(self.active, parts, strict=True):
            flat[i] = part
        return tree.unflatten(self.treedef, flat)


def _forward(
    f: Callable[..., Any],
    xs: Sequence[Any],
    chunk_size: int | None,
    bytes_each: int,
    imaginary: bool = False,
) -> list[list[Any]]:
    """Columns: for each output leaf and input leaf the block ``(*output, *input)``."""
    blocks = []
    factor = 1j if imaginary else 1
    for block in directions(xs, chunk_size, bytes_each):
        tangents = [b * factor if is_complex(b) else b for b in block]
        columns = vmap(lambda *dxs: tree.flatten(jvp(f, xs, dxs)[1])[0])(*tangents)
        blocks.append(columns)
    return blocks


def _from_columns(blocks: list[list[Any]], ys: Sequence[Any], xs: Sequence[Any]) -> list[list[Any]]:
    sizes = np.cumsum([0] + [_size(shape_of(x)) for x in xs])
    result = []
    for y, columns in zip(ys, _joined(blocks, ys), strict=True):
        row = []
        for x, start, end in zip(xs, sizes[:-1], sizes[1:], strict=True):
            part = np.moveaxis(columns[int(start) : int(end)], 0, -1)
            if not is_complex(part):
                part = cast(part, dtype_of(x))  # as reverse mode has it, and grad
            row.append(np.reshape(part, (*shape_of(y), *shape_of(x))))
        result.append(row)
    return result


def _from_rows(blocks: list[list[Any]], ys: Sequence[Any], xs: Sequence[Any]) -> list[list[Any]]:
    sizes = np.cumsum([0] + [_size(shape_of(y)) for y in ys])
    rows = _joined(blocks, xs)
    return [
        [
            np.reshape(r[int(start) : int(end)], (*shape_of(y), *shape_of(x)))
            for r, x in zip(rows, xs, strict=True)
        ]
        for y, start, end in zip(ys, sizes[:-1], sizes[1:], strict=True)
    ]


def jacobian(
    f: Callable[..., Any], argnums: Any = 0, mode: str = "auto", chunk_size: int | None = None
) -> Callable[..., Any]:
    """The Jacobian of ``f`` as a function of the same arguments.

    Args:
        f: a function of arrays or containers of arrays.
        argnums: which argument to differentiate; a tuple gives a tuple for each output.
        mode: ``"forward"`` (one direction per input element), ``"reverse"`` (one per output
            element), or ``"auto"``, which takes the mode with fewer directions. Complex functions
            take forward mode.
        chunk_size: how many directions at once; left out, as many as keep the results of a block
            below 256 MiB.

    Returns:
        A function with results in the structure of ``f``'s result; in the place of each array the
        structure of the argument, with arrays of shape ``(*output.shape, *input.shape)`` and the
        input's dtype; None for
        integer inputs. For a complex input: of a real output the gradient, as ``grad`` has it; of a
        complex one, which must be holomorphic, the derivative, dy = J dx.

    Raises:
        DtypeError: a complex result that is not holomorphic; integers or lists to differentiate.
        ShapeError: an unknown mode or chunk size.

    >>> import numpy as np, wengert as wg
    >>> wg.jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ShapeError(f"jacobian: mode must be 'auto', 'forward' or 'reverse', got {mode!r}")

    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem(f, args, argnums, kwargs)
        xs = problem.leaves
        total_in = sum(_size(shape_of(x)) for x in xs)
        once = Repeatable(problem)
        value, pullback = vjp(once, *xs)
        ys, out_def = tree.flatten(value)
        for y in ys:
            differentiable(y, "jacobian")
        total_out = sum(_size(shape_of(y)) for y in ys)
        complex_ = any(map(is_complex, [*xs, *ys]))
        forward = complex_ or mode == "forward" or (mode == "auto" and total_in <= total_out)
        if complex_ and mode == "reverse":
            raise UnsupportedError("jacobian: complex functions take mode='forward' or 'auto'")
        if forward:
            blocks = _forward(once.again, xs, chunk_size, 16 * total_out)
            table = _from_columns(blocks, ys, xs)
            if any(map(is_complex, xs)):
                turned = _forward(once.again, xs, chunk_size, 16 * total_out, True)
                table = _with_imaginary(table, _from_columns(turned, ys, xs), ys, xs)
        else:
            rows = []
            for block in directions(ys, chunk_size, 16 * total_in):
                rows.append(list(vmap(lambda *gys: pullback(tree.unflatten(out_def, gys)))(*block)))
            table = _from_rows(rows, ys, xs)
        return tree.unflatten(out_def, [problem.structured(row) for row in table])

    jacobian_of.__wrapped__ = f  # type: ignore[attr-defined]
    return jacobian_of


def _with_imaginary(table: Any, turned: Any, ys: Sequence[Any], xs: Sequence[Any]) -> Any:
    """The columns for complex inputs: gradients ∂y/∂Re x + i ∂y/∂Im x of real outputs; of complex
    outputs the derivative, if ``turned``, that of i times the directions, says that there is one.
    """
    result = []
    for y, row, other in zip(ys, table, turned, strict=True):
        parts = []
        for J, K, x in zip(row, other, xs, strict=True):
            if is_complex(x) and not is_complex(y):
                J = J + 1j * K
            elif is_complex(x) and not isinstance(J, Box):
                scale = np.max(np.abs(J), initial=0.0) + np.max(np.abs(K), initial=0.0)
                if np.max(np.abs(1j * J - K), initial=0.0) > 1e-5 * scale:
                    raise DtypeError(
                        "jacobian: a complex argument of a complex function that is not "
                        "holomorphic: its derivative is not one complex matrix. Take the real and "
                        "imaginary parts of the result one by one"
                    )
            parts.append(J)
        result.append(parts)
    return result


def hessian(
    f: Callable[..., Any], argnums: Any = 0, flat: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """The Hessian of a real scalar function, forward over reverse, as a function of the same
    arguments.

    Args:
        f: gives a real scalar.
        argnums: which argument to differentiate.
        flat: give one matrix ``(n, n)`` over all elements of the argument (``tree.ravel``'s order).
        chunk_size: how many columns at once.

    Returns:
        A function: for an array of shape ``s`` an array ``(*s, *s)``; for containers, containers of
            containers.

    >>> import numpy as np, wengert as wg
    >>> wg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    if not flat:
        return jacobian(grad(f, argnums), argnums, "forward", chunk_size)
    if not isinstance(argnums, int):
        raise UnsupportedError(
            "hessian: flat=True takes one argnum; put the arguments in one container"
        )

    def flat_hessian(*args: Any, **kwargs: Any) -> Any:
        vector, unravel = tree.ravel(args[argnums])
        if not is_inexact(vector):
            raise DtypeError(
                f"hessian: flat=True of {describe(vector)}: integers have no derivative"
            )

        def of_vector(v: Any) -> Any:
            return f(*args[:argnums], unravel(v), *args[argnums + 1 :], **kwargs)

        return jacobian(grad(of_vector), 0, "forward", chunk_size)(vector)

    return flat_hessian


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of a real scalar function times a direction, without the Hessian: forward over
    reverse.

    Args:
        f: gives a real scalar.
        primals, tangents: tuples of the arguments and of the direction, of the same structure and
            shapes.

    Returns:
        The product, in the structure of the argument (for several arguments a tuple).

    Source:
        Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6 (1994),
        doi:10.1162/neco.1994.6.1.147.

    >>> import numpy as np, wengert as wg
    >>> wg.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    gradient = grad(f, tuple(range(len(primals))))
    product = jvp(gradient, primals, tangents)[1]
    return product[0] if len(primals) == 1 else product
