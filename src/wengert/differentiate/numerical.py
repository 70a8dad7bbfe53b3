"""Numerical differentiation: derivatives of any function on NumPy arrays, by evaluating it.

The second of the four ways to differentiate, and the check of the others: nothing here knows how
the engine differentiates. It costs one or more evaluations per input number, so use it for small
functions and for tests. Layer: above ``core``, beside the modes of the engine, none of which it
imports.

========== =========================== ================================== ======================
method     quotient                    error in float64, f and x about 1  evaluations per number
========== =========================== ================================== ======================
forward    (f(x+h) - f(x)) / h         1e-8                               1
central    (f(x+h) - f(x-h)) / 2h      1e-11                              2
complex    Im f(x+ih) / h              1e-16, analytic f only             1
richardson central, extrapolated h->0  1e-14, with an estimate of it      12 to 80
========== =========================== ================================== ======================

``step`` is h itself, ε of the lectures, the same for every number; for ``richardson`` it is the
largest step of the table. With ``step=None`` it is chosen per number from its dtype and from
s = max(1, |x|): see ``differences.automatic_step``. Where x is small and f varies on the scale of x
(the logarithm at 1e-5), give a step, or use ``richardson``, which looks at steps of either scale.

Sources: W. H. Press et al., Numerical Recipes, 3rd ed., section 5.7; C. J. F. Ridders, Adv. Eng.
Software 4 (1982) 75; W. Squire and G. Trapp, SIAM Review 40 (1998) 110.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import tree
from ..core.errors import DtypeError, GradientError, ShapeError, describe
from .black_box import BlackBox
from .complex_step import check_analytic, probe, require_real
from .differences import StepError, Vector, check_method, first_derivative, second_derivative
from .error_curve import ErrorCurve, error_curve

__all__ = [
    "ErrorCurve",
    "Estimate",
    "StepError",
    "directional",
    "error_curve",
    "grad",
    "hessian",
    "jacobian",
]


def grad(
    f: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    method: str = "central",
    step: float | None = None,
) -> Callable[..., Any]:
    """The gradient of the scalar function ``f``, by differences.

    Args:
        f: function of NumPy arrays, Python numbers or containers of them; its result is one real
            number. It may change its differentiated arguments in place, not the others.
        argnums: position of the argument to differentiate, or a tuple of positions.
        method: ``"forward"``, ``"central"``, ``"complex"`` or ``"richardson"``.
        step: the step h > 0, or None for an automatic one.

    Returns:
        A function of the same arguments. Its result has the structure of the argument (a tuple of
        them for a tuple of ``argnums``), each leaf with the shape and dtype of the argument's; None
        in place of a leaf that is not a float or complex number. For a complex leaf the gradient is
        ∂f/∂Re + i ∂f/∂Im, so that ``x -= lr * gradient`` descends.

    Raises:
        ShapeError: the result of ``f`` is not a scalar.
        DtypeError: nothing to differentiate, or a result that is not a real number.
        GradientError: ``f`` is not analytic, with ``method="complex"``.
        StepError: an unknown method, or a step that x does not feel.

    Numerics: see the module's header.

    Example:
        >>> import numpy as np
        >>> from wengert.differentiate import numerical
        >>> def f(x1, x2):
        ...     return np.log(x1) + x1 * x2 - np.sin(x2)
        >>> g1, g2 = numerical.grad(f, argnums=(0, 1))(2.0, 5.0)
        >>> print(f"{g1:.6f} {g2:.6f}")
        5.500000 1.716338
    """
    check_method(method, step)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        box = BlackBox("numerical.grad", f, args, kwargs, argnums)
        box.require_scalar()
        row = _columns(box, method, step)[0]
        leaves: list[Any] = [None] * len(box.leaves)
        for n, part in _parts(box).items():
            array = box.array(n)
            slopes = row[part]
            if array.dtype.kind == "c":
                slopes = slopes[0::2] + 1j * slopes[1::2]
            leaves[n] = _like(box, n, slopes.reshape(array.shape).astype(array.dtype))
        return box.restored(leaves)

    return gradient


def jacobian(
    f: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    method: str = "central",
    step: float | None = None,
) -> Callable[..., Any]:
    """The Jacobian of ``f``, by differences; arguments as for ``grad``.

    Returns:
        A function of the same arguments. Its result has the structure of f's result, and in place
        of each leaf ``y`` that of the argument, with arrays of shape ``y.shape + x.shape``.
        For a complex ``x``: where ``y`` is real, ∂y/∂Re x + i ∂y/∂Im x, so that the row of a scalar
        is its gradient; where ``y`` is complex, the holomorphic derivative dy/dx.

    Raises:
        GradientError: a complex ``y`` of a complex ``x`` that is not holomorphic.
        DtypeError, ShapeError, StepError: as for ``grad``.

    Example:
        >>> import numpy as np
        >>> from wengert.differentiate import numerical
        >>> numerical.jacobian(lambda x: x**2, method="richardson")(np.array([1.0, 3.0])).round(9)
        array([[2., 0.],
               [0., 6.]])
    """
    check_method(method, step)

    @functools.wraps(f)
    def jacobi(*args: Any, **kwargs: Any) -> Any:
        box = BlackBox("numerical.jacobian", f, args, kwargs, argnums)
        matrix = _columns(box, method, step)
        rows = []
        for part, shape, dtype in zip(
            box.output.slices(), box.output.shapes, box.output.dtypes, strict=True
        ):
            leaves: list[Any] = [None] * len(box.leaves)
            for n, columns in _parts(box).items():
                leaves[n] = _block(box, n, matrix[part, columns], shape, dtype)
            rows.append(box.restored(leaves))
        return tree.unflatten(box.output.treedef, rows)

    return jacobi


def hessian(
    f: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    method: str = "central",
    step: float | None = None,
) -> Callable[..., Any]:
    """The second derivatives of the scalar function ``f`` of real numbers, by differences.

    ``forward`` and ``central`` are second differences (errors about 1e-5 and 1e-8 in float64),
    ``complex`` is a central difference, with ``step``, of complex-step derivatives (1e-11),
    ``richardson`` extrapolates (1e-12). Other arguments as for ``grad``.

    Returns:
        A function of the same arguments. Its result has the structure of the argument, and in place
        of each leaf ``a`` that structure again, with arrays of shape ``a.shape + b.shape``. The
        matrix of all of it is exactly symmetric.

    Raises:
        DtypeError: complex arguments; else as for ``grad``.

    Example:
        >>> import numpy as np
        >>> from wengert.differentiate import numerical
        >>> H = numerical.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
        >>> H.round(6)
        array([[6., 2.],
               [2., 0.]])
    """
    check_method(method, step)

    @functools.wraps(f)
    def hesse(*args: Any, **kwargs: Any) -> Any:
        box = BlackBox("numerical.hessian", f, args, kwargs, argnums)
        box.require_scalar()
        matrix = _second(box, method, step)
        parts = _parts(box)
        rows: list[Any] = [None] * len(box.leaves)
        for n, rows_of in parts.items():
            leaves: list[Any] = [None] * len(box.leaves)
            for m, columns in parts.items():
                a, b = box.array(n), box.array(m)
                block = matrix[rows_of, columns].reshape(a.shape + b.shape)
                leaves[m] = _like(box, m, block.astype(np.result_type(a.dtype, b.dtype)))
            rows[n] = box.restored(leaves)
        return box.restored(rows)

    return hesse


class Estimate(NamedTuple):
    """What ``directional`` returns: three containers of the structure of f's result."""

    value: Any
    derivative: Any
    error: Any


def directional(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    method: str = "richardson",
    step: float | None = None,
) -> Estimate:
    """The derivative of ``f`` at ``primals`` along ``tangents``, as ``jvp``, by differences.

    The cost does not depend on the number of inputs. ``step`` multiplies the tangents.

    Args:
        f: function of NumPy arrays, Python numbers or containers of them.
        primals: its arguments.
        tangents: for each a container of the same structure and shapes; None, or anything, for
            leaves that are not float or complex numbers.
        method, step: as for ``grad``.

    Returns:
        ``(value, derivative, error)``. ``error`` estimates the absolute error of ``derivative``
        with ``method="richardson"``, and is NaN with the others.

    Numerics: x + t·dx is rounded; tangents of few bits (1, -0.5) keep it exact.

    Example:
        >>> import numpy as np
        >>> from wengert.differentiate import numerical
        >>> y, dy, error = numerical.directional(np.sin, (0.5,), (2.0,))
        >>> abs(dy - 2 * np.cos(0.5)) < error < 1e-12
        np.True_
    """
    check_method(method, step)
    box = BlackBox("numerical.directional", f, primals, {}, tuple(range(len(primals))), True)
    along = _tangents(box, tangents)
    if method == "complex":
        require_real(box)
        check_analytic(box, along)
    slope, error = first_derivative(box.direction(along), method, step)
    return Estimate(*(_results(box, vector) for vector in (box.base, slope, error)))


def _columns(box: BlackBox, method: str, step: float | None) -> Vector:
    """The matrix of all derivatives: a row per number of the result, a column per coordinate."""
    coordinates = box.coordinates()
    if not coordinates:
        return np.zeros((box.base.size, 0))
    if method == "complex":
        require_real(box)
        check_analytic(box, probe(box))
    slopes = [first_derivative(box.ray(c), method, step)[0] for c in coordinates]
    return np.stack(slopes, axis=1)


def _second(box: BlackBox, method: str, step: float | None) -> Vector:
    """The symmetric matrix of second derivatives by all coordinates."""
    coordinates = box.coordinates()
    if any(c.unit != 1.0 for c in coordinates):
        raise DtypeError(
            f"{box.name}: the argument is complex; give its real and imaginary parts as arguments"
        )
    if method == "complex" and coordinates:
        require_real(box)
        check_analytic(box, probe(box))
    matrix = np.zeros((len(coordinates),) * 2, box.output.work)
    for i, first in enumerate(coordinates):
        for j, second in enumerate(coordinates[: i + 1]):
            (entry,) = second_derivative(box.plane(first, second), method, step)
            matrix[i, j] = matrix[j, i] = entry
    return matrix


def _parts(box: BlackBox) -> dict[int, slice]:
    """For each leaf that varies, its coordinates."""
    parts: dict[int, slice] = {}
    for position, coordinate in enumerate(box.coordinates()):
        start = parts[coordinate.leaf].start if coordinate.leaf in parts else position
        parts[coordinate.leaf] = slice(start, position + 1)
    empty = [n for n, leaf in enumerate(box.leaves) if leaf.array is not None and n not in parts]
    return parts | {n: slice(0, 0) for n in empty}


def _like(box: BlackBox, n: int, array: Vector) -> Any:
    """``array``, or the number in it where leaf ``n`` was one, NumPy's or Python's."""
    return box.leaves[n].given(array) if array.ndim == 0 else array


def _block(
    box: BlackBox, n: int, slopes: Vector, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Any:
    """The Jacobian of a result of ``shape`` and ``dtype`` by leaf ``n``, from its columns."""
    array = box.array(n)
    if array.dtype.kind == "c":
        re, im = slopes[:, 0::2], slopes[:, 1::2]
        if dtype.kind != "c":
            slopes = re.real + 1j * im.real
        else:
            slopes = (re - 1j * im) / 2
            excess = np.max(np.abs(re + 1j * im), initial=0.0)
            largest = np.max(np.abs(re), initial=0.0) + np.max(np.abs(box.base), initial=0.0)
            if excess > box.eps(box.leaves[n]) ** 0.25 * largest:
                raise GradientError(
                    f"{box.name}: the result is a complex function of the complex "
                    f"{box.leaves[n].where} and not holomorphic (conj, abs, real); differentiate "
                    "its real and imaginary parts: one real result each"
                )
    elif dtype.kind != "c":
        slopes = slopes.real
    kind = np.result_type(array.dtype, dtype) if dtype.kind in "fc" else array.dtype
    return _like(box, n, slopes.reshape(shape + array.shape).astype(kind))


def _tangents(box: BlackBox, tangents: Sequence[Any]) -> dict[int, Vector]:
    """The tangent of each leaf that varies, checked; what stands at the others is not read."""
    if len(tangents) != len(box.args):
        raise ShapeError(
            f"{box.name}: {len(box.args)} primals and {len(tangents)} tangents; give one for each"
        )
    result: dict[int, Vector] = {}
    start = 0
    for number, treedef in enumerate(box.treedefs):
        own = range(start, start := start + treedef.num_leaves)
        varies = [box.leaves[n].array is not None for n in own]
        leaves, got = tree.flatten(tangents[number])
        without = tree.unflatten(treedef, [0.0 if moves else None for moves in varies])
        if got == treedef:
            leaves = [leaf for leaf, moves in zip(leaves, varies, strict=True) if moves]
        elif got != tree.flatten(without)[1]:
            raise ShapeError(
                f"{box.name}: tangent {number} has the structure {got}, expected that of its "
                f"primal, {treedef}"
            )
        moving = [n for n, moves in zip(own, varies, strict=True) if moves]
        for n, leaf in zip(moving, leaves, strict=True):
            result[n] = _tangent(box, n, leaf)
    return result


def _tangent(box: BlackBox, n: int, tangent: Any) -> Vector:
    """``tangent`` as an array fit for leaf ``n``."""
    x, where, dx = box.array(n), box.leaves[n].where, np.asarray(tangent)
    if dx.shape != x.shape:
        raise ShapeError(
            f"{box.name}: the tangent of {where} has shape {dx.shape}, expected {x.shape}"
        )
    if dx.dtype.kind not in ("iufc" if x.dtype.kind == "c" else "iuf"):
        raise DtypeError(
            f"{box.name}: the tangent of {where} is {describe(dx)}, expected numbers like {x.dtype}"
        )
    return dx


def _results(box: BlackBox, vector: Vector) -> Any:
    """``vector`` in the structure of f's result, in working precision."""
    pairs = zip(box.output.slices(), box.output.shapes, strict=True)
    return tree.unflatten(
        box.output.treedef, [vector[part].reshape(shape)[()] for part, shape in pairs]
    )
