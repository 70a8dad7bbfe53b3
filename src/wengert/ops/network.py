"""The affine map of a network's layer, x Wᵀ + b, as one line of the Wengert list. Layer: ``ops``.

A training step is made of little else, so its rules are its own: each adjoint is one product of
matrices, whatever the number of axes in front. ``project`` is the same without a bias.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import dtype_of, shape_of
from ..core.errors import DtypeError, ShapeError, describe
from ..core.primitive import Doc
from .families import bilinear, general
from .fitting import Like, cast, fit, is_complex
from .products import swap


def rows(x: Any) -> Any:
    """``x`` of shape (…, n) as a matrix (rows, n)."""
    shape = shape_of(x)
    return x if len(shape) == 2 else np.reshape(x, (math.prod(shape[:-1]), shape[-1]))


def _check(x: Any, w: Any) -> None:
    """Say which of the shapes or dtypes of ``x`` (…, in) and ``w`` (out, in) does not fit."""
    if len(shape_of(x)) < 1 or len(shape_of(w)) != 2:
        raise ShapeError(
            f"x is {describe(x)} and the weight {describe(w)}; expected x (…, in), weight (out, in)"
        )
    if shape_of(x)[-1] != shape_of(w)[1]:
        raise ShapeError(
            f"x has {shape_of(x)[-1]} features, the weight {describe(w)} takes {shape_of(w)[1]}: "
            "the last axis of x counts the inputs, the second axis of the weight too"
        )
    if np.dtype(dtype_of(x)).kind not in "fc":
        raise DtypeError(f"x is {describe(x)}, expected floats: x.astype(np.float32)")


def _project_value(x: Any, w: Any) -> Any:
    """x Wᵀ by one product of matrices, whatever the number of axes in front."""
    if type(x) is not np.ndarray:
        x = np.asarray(x)
    if x.ndim == 2 == w.ndim and x.dtype.kind == "f":
        try:
            return x.dot(w.T)
        except ValueError:
            _check(x, w)
            raise
    _check(x, w)
    if x.ndim > 2:
        return rows(x).dot(w.T).reshape(*x.shape[:-1], w.shape[0])
    return x.dot(w.T)


def _project_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    (x, w), (x_batched, w_batched) = xs, batched
    if not w_batched:
        return project(x, w)
    own = shape_of(x)[x_batched:]
    matrix = np.reshape(x, (*shape_of(x)[:x_batched], math.prod(own[:-1]), own[-1]))
    return np.reshape(np.matmul(matrix, swap(w)), (size, *own[:-1], shape_of(w)[1]))


def _project_infer(x: Aval, w: Aval) -> Aval:
    return Aval((*x.shape[:-1], w.shape[0]), np.result_type(x.dtype, w.dtype))


def _input_adjoint(gy: Any, w: Any) -> Any:
    """gx = gy W."""
    return np.reshape(np.matmul(rows(gy), w), (*shape_of(gy)[:-1], shape_of(w)[1]))


def _weight_adjoint(gy: Any, x: Any) -> Any:
    """gW = Σ over rows gyᵀ x."""
    return np.matmul(swap(rows(gy)), rows(x))


def _project_samples(rng: np.random.Generator) -> list[Any]:
    draw = rng.standard_normal
    shapes = [((5, 3), (2, 3)), ((3,), (2, 3)), ((2, 4, 3), (1, 3)), ((0, 3), (2, 3))]
    return [((draw(a), draw(b)), {}) for a, b in shapes]


def _project_expanded(x: Any, w: Any) -> Any:
    y = np.matmul(rows(x), swap(w))
    return np.reshape(y, (*shape_of(x)[:-1], shape_of(w)[0]))


project = bilinear(
    name="project",
    value=_project_value,
    expand=_project_expanded,
    transposes=(
        lambda gy, w, into, params: _input_adjoint(gy, w),
        lambda gy, x, into, params: _weight_adjoint(gy, x),
    ),
    batch=_project_batch,
    infer=_project_infer,
    doc=Doc("x Wᵀ: (…, in) and (out, in) give (…, out)."),
    samples=_project_samples,
    notation="{0} @ {1}ᵀ",
)


def _affine_value(x: Any, w: Any, b: Any) -> Any:
    y = _project_value(x, w)
    if b.ndim != 1 or len(b) != len(w):
        raise ShapeError(
            f"the bias is {describe(b)}, expected a number for each row of {describe(w)}"
        )
    if y.dtype is not b.dtype:
        return y + b
    y += b
    return y


def _affine_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    (x, w, _), (dx, dw, db) = xs, dxs
    terms = [] if dx is None else [project(dx, w)]
    if dw is not None:
        terms.append(project(x, dw))
    total = db if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]
    return fit(total if db is None or not terms else total + db, Like(y))


def _affine_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    into = node.parents[i]
    if type(gy) is not np.ndarray or gy.ndim != 2 or gy.dtype.kind != "f":
        return _affine_adjoint(i, gy, None if i == 2 else node.saved[3 - i], into)
    if i == 2:
        g = gy.reshape(-1).copy() if len(gy) == 1 else np.add.reduce(gy, axis=0)
    else:
        other = node.saved[3 - i]
        if type(other) is not np.ndarray or other.ndim != 2:
            return _affine_adjoint(i, gy, other, into)
        g = gy.dot(other) if i == 0 else gy.T.dot(other)
    return g if g.dtype is into.dtype else cast(g, into.dtype)


def _affine_adjoint(i: int, gy: Any, other: Any, into: Any) -> Any:
    """The adjoint of argument i in public operations, for any number of axes."""
    if i == 2:
        return fit(np.sum(rows(gy), axis=0), into)
    other = np.conj(other) if is_complex(other) else other
    g = _input_adjoint(gy, other) if i == 0 else _weight_adjoint(gy, other)
    return cast(g, into.dtype)


def _affine_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    x, w, b = xs
    if batched == (True, False, False):
        return affine(x, w, b)
    y = _project_batch((x, w), batched[:2], size, {}) if any(batched[:2]) else project(x, w)
    if batched[2]:
        between = len(shape_of(x)) - batched[0] - 1
        b = np.reshape(b, (size, *(1,) * between, shape_of(b)[1]))
    return y + b


def _affine_samples(rng: np.random.Generator) -> list[Any]:
    return [((x, w, rng.standard_normal(len(w))), {}) for (x, w), _ in _project_samples(rng)]


affine = general(
    name="affine",
    value=_affine_value,
    expand=lambda x, w, b: _project_expanded(x, w) + b,
    jvp=_affine_jvp,
    pull=_affine_pull,
    reads=(frozenset({3}), frozenset({2}), frozenset()),
    batch=_affine_batch,
    infer=lambda x, w, b: Aval(
        (*x.shape[:-1], w.shape[0]), np.result_type(x.dtype, w.dtype, b.dtype)
    ),
    spreads=False,
    fresh=True,
    doc=Doc(
        "x Wᵀ + b: (…, in), (out, in) and (out,) give (…, out).",
        source="I. Goodfellow et al., Deep Learning, MIT Press 2016, section 6.5.6",
    ),
    samples=_affine_samples,
    notation="{0} @ {1}ᵀ + {2}",
)
