"""Nested containers: tuples, lists, dicts, named tuples, None (no leaf) and registered classes, by
optree.

``flatten`` gives ``(leaves, treedef)``; ``unflatten(treedef, leaves)`` puts them back. A dict's
leaves come in the order of its sorted keys. A class becomes a container with ``register``.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import optree

from .box import Box
from .errors import ShapeError

NAMESPACE = "wengert"
ATOMS = (Box, np.ndarray, np.generic, float, int, complex)
LEAF: Any = optree.tree_structure(0.0, namespace=NAMESPACE)  # type: ignore[arg-type]


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """``(leaves, treedef)``; ``unflatten(treedef, leaves)`` is ``tree`` again."""
    if isinstance(tree, ATOMS):
        return [tree], LEAF
    return optree.tree_flatten(tree, namespace=NAMESPACE)


def unflatten(treedef: Any, leaves: Iterable[Any]) -> Any:
    """The container of structure ``treedef`` with ``leaves``. Raises ``ShapeError`` if their number
    does not fit.
    """
    if treedef is LEAF:
        (leaf,) = leaves
        return leaf
    leaves = list(leaves)
    if len(leaves) != treedef.num_leaves:
        raise ShapeError(
            f"tree.unflatten: {len(leaves)} leaves for a structure of {treedef.num_leaves}: "
            f"{treedef}"
        )
    return optree.tree_unflatten(treedef, leaves)


def map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """``function`` on every leaf of ``tree`` (and the leaves of ``rest`` in the same places), in
    ``tree``'s structure.
    """
    leaves, treedef = flatten(tree)
    others = [leaves_like(treedef, other, "tree.map") for other in rest]
    return unflatten(treedef, [function(*row) for row in zip(leaves, *others, strict=True)])


def leaves_like(treedef: Any, tree: Any, operation: str) -> list[Any]:
    """The leaves of ``tree``, which must have the structure ``treedef``; else ``ShapeError`` names
    ``operation``.
    """
    leaves, got = flatten(tree)
    if got != treedef:
        raise ShapeError(
            f"{operation}: got a container of structure {got}, expected {treedef}; give the same "
            "containers"
        )
    return leaves


def spread(prefix: Any, tree: Any) -> list[Any]:
    """For each leaf of ``tree`` what ``prefix`` says of it or of a container it is in; None counts
    as said. Raises ``ValueError`` or ``TypeError`` if ``prefix`` does not fit.
    """
    said = optree.broadcast_prefix(prefix, tree, none_is_leaf=True, namespace=NAMESPACE)
    leaves = optree.tree_leaves(tree, none_is_leaf=True, namespace=NAMESPACE)
    return [one for one, leaf in zip(said, leaves, strict=True) if leaf is not None]


def names(tree: Any) -> list[str]:
    """A path for each leaf, as Python would reach it: ``['w'][0]``."""
    paths, _, _ = optree.tree_flatten_with_path(tree, namespace=NAMESPACE)
    return ["".join(f"[{step!r}]" for step in path) for path in paths]


def register(
    kind: type, flatten: Callable[[Any], Any], unflatten: Callable[[Any, Any], Any]
) -> None:
    """Make ``kind`` a container. ``flatten(obj) -> (children, data, names)``; ``unflatten(data,
    children) -> obj``.
    """
    optree.register_pytree_node(kind, flatten, unflatten, namespace=NAMESPACE)


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All leaves in one vector ``(n,)``, and the function that makes the containers of such a
    vector again.

    The vector has the promoted dtype of the leaves; the way back casts each leaf to its own.
    """
    leaves, treedef = flatten(tree)
    shapes = [np.shape(leaf) for leaf in leaves]
    dtypes = [leaf.dtype if hasattr(leaf, "dtype") else np.result_type(leaf) for leaf in leaves]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes], dtype=int)
    vector = np.concatenate([np.reshape(leaf, (-1,)) for leaf in leaves]) if leaves else np.zeros(0)

    def unravel(vector: Any) -> Any:
        if np.shape(vector) != (total := (int(ends[-1]) if len(ends) else 0),):
            raise ShapeError(
                f"tree.ravel: got a vector of shape {np.shape(vector)}, expected ({total},)"
            )
        pieces = [
            vector[end - int(np.prod(shape)) : end] for end, shape in zip(ends, shapes, strict=True)
        ]
        return unflatten(
            treedef,
            [
                np.reshape(piece, shape)
                if piece.dtype == dtype
                else np.reshape(piece, shape).astype(dtype)
                for piece, shape, dtype in zip(pieces, shapes, dtypes, strict=True)
            ],
        )

    return vector, unravel
