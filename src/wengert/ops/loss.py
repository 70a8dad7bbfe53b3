"""Losses of networks: cross-entropy, squared error, binary cross-entropy. Layer: ``ops``.

The first two give the mean over everything as one line of the Wengert list. A tape of the
cross-entropy saves its derivative, which costs little beside the value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import Box, shape_of
from ..core.errors import BoundsError, DtypeError, ShapeError, describe
from ..core.primitive import Doc, Interval
from .activation import sigmoid, softmax
from .families import align, elementwise, general
from .fitting import Like, fit

SOURCE = "I. Goodfellow et al., Deep Learning, MIT Press 2016, section 6.2"

# --- softmax cross-entropy -----------------------------------------------------------------------


def _refuse(z: Any, labels: Any) -> None:
    """Say what does not fit: ``labels`` must be one class of ``z`` (…, classes) for each row."""
    if z.ndim < 1 or labels.shape != z.shape[:-1]:
        raise ShapeError(
            f"logits {describe(z)} and labels {describe(labels)}; expected (…, classes) and (…): "
            "one integer for each row of logits"
        )
    if labels.dtype.kind not in "iu" or z.dtype.kind != "f":
        raise DtypeError(
            f"labels are {describe(labels)} and logits {describe(z)}, expected integers and "
            "floats: labels.astype(int); for probabilities p in place of labels write "
            "-np.mean(np.sum(p * log_softmax(logits), axis=-1))"
        )
    if not labels.size:
        raise ShapeError(f"logits {describe(z)}: there is no row, and no mean of nothing")
    wrong = np.flatnonzero((labels < 0) | (labels >= z.shape[-1]))
    if wrong.size:
        raise BoundsError(
            f"label {labels.reshape(-1)[wrong[0]]} in row {wrong[0]}; expected 0 to "
            f"{z.shape[-1] - 1}, as there are {z.shape[-1]} classes"
        )


UNSIGNED = {np.dtype(f"i{size}"): np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def _forward(z: Any, labels: Any, mean: bool, residue: bool) -> tuple[Any, Any]:
    """The loss, log Σ exp(z) - z[label] of each row or their mean; and softmax - onehot if asked.

    The largest z of each row is taken off first, so that nothing overflows.
    """
    z, labels = np.asarray(z), np.asarray(labels)
    if z.shape[:-1] != labels.shape or z.dtype.kind != "f" or labels.dtype.kind not in "iu":
        _refuse(z, labels)
    count, classes = labels.size, z.shape[-1]
    flat = labels.reshape(count)
    natural = flat.view(UNSIGNED.get(flat.dtype, flat.dtype))  # a negative label is a large one
    if not count or np.maximum.reduce(natural) >= classes:
        _refuse(z, labels)
    if flat.dtype.kind == "u":  # of which NumPy makes floats beside signed ones
        flat = flat.astype(np.intp)
    places = flat + np.arange(0, count * classes, classes)
    rows = z.reshape(count, classes)
    p = rows - np.maximum.reduce(rows, axis=1, keepdims=True)
    picked = p.reshape(-1)[places]
    np.exp(p, out=p)
    sums = np.add.reduce(p, axis=1)
    losses = np.log(sums)
    losses -= picked
    y = np.add.reduce(losses) / count if mean else losses.reshape(labels.shape)[()]
    if not residue:
        return y, None
    p /= sums[:, None]
    p.reshape(-1)[places] -= 1
    return y, p.reshape(z.shape)


def _expanded(z: Any, labels: Any, mean: bool = True) -> Any:
    """The same in operations of which machine code is made; a label that is no class is no index
    either, and left to ``_forward``.
    """
    count, classes = math.prod(shape_of(labels)), shape_of(z)[-1]
    rows = np.reshape(z, (count, classes))
    p = rows - np.max(rows, axis=1, keepdims=True)
    flat = np.reshape(labels, (count,))
    wrong = np.less(flat, 0) | np.greater_equal(flat, classes)
    picked = p[np.arange(count), np.where(wrong, classes, flat).astype(np.intp)]
    losses = np.log(np.sum(np.exp(p), axis=1)) - picked
    return np.sum(losses) / count if mean else np.reshape(losses, shape_of(labels))


def _residue(z: Any, labels: Any) -> Any:
    """softmax(z) - onehot(labels): the derivative of each row's loss."""
    column = np.reshape(labels, (*shape_of(labels), 1))
    return softmax(z, axis=-1) - np.equal(column, np.arange(shape_of(z)[-1]))


class Saved:
    """What a tape keeps: the arguments, for who tapes the way back as well, and the derivative."""

    __slots__ = ("residue", "xs")

    def __init__(self, xs: Sequence[Any], residue: Any) -> None:
        self.xs, self.residue = xs, residue


def _residual(
    xs: Sequence[Any], params: dict[str, Any], active: Sequence[bool]
) -> tuple[Any, Saved]:
    z, labels = xs
    if not isinstance(z, Box) and not isinstance(labels, Box):
        y, residue = _forward(z, labels, params.get("mean", True), True)
        return y, Saved((z, np.array(labels)), residue)
    return cross_entropy(z, labels, **params), Saved(xs, _residue(z, labels))


def _cross_entropy_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    residue = node.saved.residue
    if node.params.get("mean", True):
        gy = gy / math.prod(shape_of(residue)[:-1])
    else:
        gy = np.reshape(gy, (*shape_of(gy), 1))
    return fit(residue * gy, node.parents[0])


def _cross_entropy_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    terms = np.sum(_residue(*xs) * dxs[0], axis=-1)
    return fit(
        np.sum(terms) / math.prod(shape_of(xs[1])) if params.get("mean", True) else terms, Like(y)
    )


def _cross_entropy_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    z, labels = (
        x if b else np.broadcast_to(x, (size, *shape_of(x)))
        for x, b in zip(xs, batched, strict=True)
    )
    losses = cross_entropy(z, labels, mean=False)
    return _mean_of_examples(losses) if params.get("mean", True) else losses


def _mean_of_examples(x: Any) -> Any:
    """The mean over all axes but the first."""
    shape = shape_of(x)[1:]
    return np.sum(x, axis=tuple(range(1, len(shape) + 1))) / math.prod(shape) if shape else x


def _cross_entropy_samples(rng: np.random.Generator) -> list[Any]:
    draw, labels = rng.standard_normal, rng.integers
    return [
        ((draw((4, 3)), labels(3, size=4)), {"mean": True}),
        ((draw((4, 3)), labels(3, size=4)), {"mean": False}),
        ((draw((2, 2, 3)), labels(3, size=(2, 2))), {"mean": True}),
        ((draw((2, 2, 3)), labels(3, size=(2, 2))), {"mean": False}),
        ((draw(3), np.array(1)), {"mean": True}),
    ]


cross_entropy = general(
    name="cross_entropy",
    value=lambda z, labels, mean=True: _forward(z, labels, mean, False)[0],
    expand=_expanded,
    residual=_residual,
    jvp=_cross_entropy_jvp,
    pull=_cross_entropy_pull,
    reads=(frozenset({2, 3}), None),
    batch=_cross_entropy_batch,
    infer=lambda z, labels, mean=True: Aval(() if mean else labels.shape, z.dtype),
    complex=False,
    spreads=False,
    doc=Doc("-log softmax(z)[label], the mean over all rows, or of each row.", source=SOURCE),
    samples=_cross_entropy_samples,
)

# --- squared error -------------------------------------------------------------------------------


def _same_shape(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if a != b:
        raise ShapeError(
            f"the prediction has shape {a}, the target {b}; expected the same: with "
            "NumPy's broadcasting every one would be compared with every other; use np.reshape"
        )
    if not math.prod(a):
        raise ShapeError(f"arrays of shape {a} have no element, and no mean of nothing")


def _squared_error_value(a: Any, b: Any) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not a.size:
        _same_shape(a.shape, b.shape)
    d = a - b
    return np.vdot(d, d) / d.size


def _squared_error_pull(i: int, gy: Any, node: Any, masked: bool) -> Any:
    _, _, a, b = node.saved[:4]
    factor = 2 / math.prod(node.parents[i].shape)
    return fit((a - b) * (gy * (factor if i == 0 else -factor)), node.parents[i])


def _squared_error_jvp(y: Any, xs: Any, dxs: Any, params: dict[str, Any]) -> Any:
    (a, b), (da, db) = xs, dxs
    d = da if db is None else -db if da is None else da - db
    return fit(np.sum((a - b) * d) * (2 / math.prod(shape_of(a))), Like(y))


def _squared_error_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    shapes = [shape_of(x)[flag:] for x, flag in zip(xs, batched, strict=True)]
    _same_shape(*shapes)
    a, b = align(xs, batched)
    return _mean_of_examples(np.square(a - b))


def _squared_error_expanded(a: Any, b: Any) -> Any:
    d = a - b
    return np.sum(d * d) / math.prod(shape_of(d))


squared_error = general(
    name="squared_error",
    value=_squared_error_value,
    expand=_squared_error_expanded,
    jvp=_squared_error_jvp,
    pull=_squared_error_pull,
    reads=(frozenset({2, 3}), frozenset({2, 3})),
    batch=_squared_error_batch,
    infer=lambda a, b: Aval((), np.result_type(a.dtype, b.dtype)),
    complex=False,
    spreads=False,
    doc=Doc("Mean of (a - b)² over all elements.", source=SOURCE),
    samples=lambda rng: [
        ((rng.standard_normal(shape), rng.standard_normal(shape)), {})
        for shape in ((3, 2), (4,), ())
    ],
)

# --- binary cross-entropy ------------------------------------------------------------------------


def _binary_value(a: Any, b: Any) -> Any:
    return np.maximum(a, 0) - a * b + np.log1p(np.exp(-np.abs(a)))


binary_cross_entropy = elementwise(
    name="binary_cross_entropy",
    value=_binary_value,
    expand=_binary_value,
    partials=(lambda a, b: sigmoid(a) - b, lambda a: -a),
    complex=False,
    doc=Doc(
        "-b log σ(a) - (1 - b) log(1 - σ(a)) of logits a and targets b, elementwise.",
        (Interval(), Interval(0.0, 1.0)),
        source=SOURCE,
    ),
)
