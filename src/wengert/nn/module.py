"""``Module``: a network or a part of one, with its parameters in place. Names are PyTorch's.

A module is an object whose attributes are arrays, modules, or lists, tuples and dicts of them.
It is also a tree: ``wengert.grad(loss)(model)`` gives the gradients in the structure of ``model``,
``wengert.tree.map`` and ``vmap`` take it as a container.

Layer: ``nn``; above ``differentiate`` and ``numpy``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from ..core import tree
from ..core.box import Box
from ..core.errors import DataError, DtypeError, ShapeError, UnsupportedError, describe
from ..differentiate.dynamic import no_grad
from ..ops.array import Array

ARRAYS = (Box, np.ndarray, np.generic)


class Module:
    """A function with parameters: ``forward`` says what it computes, the attributes what it owns.

    A *parameter* is an attribute made by ``wengert.array(..., requires_grad=True)``; any other
    array is a *buffer*: state that is saved and not trained. Attributes that begin with an
    underscore are neither. ``training`` is for layers that behave differently while they learn.

    As a tree, the arrays are its leaves, everything else is part of its structure. A parameter that
    stands in two places is two leaves there, and one in ``parameters()``.

    >>> import numpy as np, wengert as wg
    >>> from wengert import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = wg.array([1.0, 2.0], requires_grad=True)
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale()
    >>> [name for name, _ in model.named_parameters()]
    ['factor']
    >>> with wg.no_grad():
    ...     gradients = wg.grad(lambda model: np.sum(model(np.array([3.0, 4.0]))))(model)
    >>> gradients.factor
    Array([3., 4.])
    """

    training: bool = True
    _unnamed: frozenset[str] = frozenset()  # attributes that the names of parameters leave out

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        tree.register(cls, _flatten, _unflatten)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each class writes its own."""
        raise UnsupportedError(f"{type(self).__name__} has no forward: write def forward(self, x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # --- what it owns ----------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, called ``""``, and all inside it, each once: ``("0", Linear(…))``."""
        seen: set[int] = set()
        for prefix, module in _modules(self):
            if id(module) not in seen:
                seen.add(id(module))
                yield prefix.removesuffix("."), module

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """The parameters with their names, ``("0.weight", Array(…))``, each array once."""
        seen: set[int] = set()
        for name, value, trained in _arrays(self):
            if trained and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self) -> Iterator[Any]:
        """The parameters, each once, in the order of the attributes."""
        return (value for _, value in self.named_parameters())

    def zero_grad(self) -> None:
        """Set every parameter's ``grad`` to None."""
        for parameter in self.parameters():
            parameter.grad = None

    # --- mode ------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set ``training`` here and in all modules inside; returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """``train(False)``."""
        return self.train(False)

    # --- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers as plain arrays, by name."""
        return {
            name: np.array(value.numpy() if isinstance(value, Array) else value)
            for name, value, _ in _arrays(self)
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Write the values of ``state`` into the parameters and buffers, in place.

        Args:
            state: for each name of ``state_dict()`` an array of the same shape; its dtype is cast.

        Raises:
            DataError: names that are missing or that this module does not have. Nothing is changed.
            ShapeError: a value of another shape. DtypeError: values that are not numbers.
        """
        if not isinstance(state, Mapping):
            raise DataError(
                f"load_state_dict: got {describe(state)}, expected a dict from names to arrays"
            )
        own = {name: value for name, value, _ in _arrays(self)}
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise DataError(
                f"load_state_dict of {type(self).__name__}: missing {_few(missing)}, unknown "
                f"{_few(unknown)}; the state must come from a module of the same architecture"
            )
        values = {name: _loadable(name, value, state[name]) for name, value in own.items()}
        with no_grad():
            for name, value in own.items():
                value[...] = values[name]

    # --- text ------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses of a module without modules inside."""
        return ", ".join(
            f"{key}={describe(value) if isinstance(value, ARRAYS) else repr(value)}"
            for key, value in vars(self).items()
            if key != "training" and not key.startswith("_") and not _holds(value, (Module,))
        )

    def __repr__(self) -> str:
        count = sum(parameter.size for parameter in self.parameters())
        note = f"  # {count:,} parameters" if any(True for _ in _children(self)) else ""
        return _text(self) + note


# --- reading a module ----------------------------------------------------------------------------


def _holds(value: Any, kinds: tuple[type, ...]) -> bool:
    """Whether ``value`` is one of ``kinds``, or a list, tuple or dict with one somewhere inside."""
    if isinstance(value, list | tuple):
        return any(_holds(item, kinds) for item in value)
    if isinstance(value, dict):
        return any(_holds(item, kinds) for item in value.values())
    return isinstance(value, kinds)


def _is_leaf(value: Any) -> bool:
    """Whether ``value`` asks for gradients and was not computed from something that does."""
    return isinstance(value, Box) and getattr(value._node, "primitive", 0) is None


def _modules(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """``module`` and all inside it, each with what its names begin with."""
    yield prefix, module
    for name, child in _children(module):
        yield from _modules(child, f"{prefix}{name}.")


def _arrays(module: Module) -> Iterator[tuple[str, Any, bool]]:
    """Name, value and whether it is a parameter, of every array in ``module``."""
    for prefix, owner in _modules(module):
        roles = vars(owner).get("_roles")
        for key, value in vars(owner).items():
            for name, item in () if key.startswith("_") else _items(value, f"{key}."):
                if isinstance(item, Box | np.ndarray):
                    trained = _is_leaf(item) if roles is None else name in roles
                    yield (prefix + name).removesuffix("."), item, trained


def _items(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """The entries of nested lists, tuples and dicts, each with its path: ``"0.scale."``."""
    if isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _items(item, f"{prefix}{number}.")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _items(item, f"{prefix}{key}.")
    else:
        yield prefix, value


def _children(module: Module) -> Iterator[tuple[str, Module]]:
    """The modules directly inside ``module``, with their names there."""
    for key, value in vars(module).items():
        if key.startswith("_"):
            continue
        for name, item in _items(value, "" if key in module._unnamed else f"{key}."):
            if isinstance(item, Module):
                yield name.removesuffix("."), item


def _text(module: Module) -> str:
    lines = [f"({name}): {_text(child)}" for name, child in _children(module)]
    if not lines:
        return f"{type(module).__name__}({module.extra_repr()})"
    body = "\n".join(lines).replace("\n", "\n  ")
    return f"{type(module).__name__}(\n  {body}\n)"


def _few(names: list[str]) -> str:
    return ", ".join(map(repr, names[:4])) + (", …" if len(names) > 4 else "") if names else "none"


def _loadable(name: str, own: Any, given: Any) -> np.ndarray:
    """``given`` as an array that fits ``own``, or the error that says why not."""
    value = given.numpy() if isinstance(given, Array) else np.asarray(given)
    if value.shape != own.shape:
        raise ShapeError(
            f"load_state_dict: {name!r} has shape {value.shape}, this module's {own.shape}: the "
            "state is that of a module of another architecture"
        )
    if value.dtype.kind not in "biufc" or not np.can_cast(value.dtype, own.dtype, "same_kind"):
        raise DtypeError(
            f"load_state_dict: {name!r} is {describe(value)}, which can't become {own.dtype}"
        )
    return value.astype(own.dtype)


# --- a module as a tree --------------------------------------------------------------------------


class _Structure:
    """Everything of a module but its arrays: equal for modules that differ in their arrays only."""

    __slots__ = ("keys", "kind", "roles", "static")

    def __init__(self, module: Module) -> None:
        attributes = vars(module)
        known = attributes.get("_keys", ())
        self.kind = type(module)
        self.keys = tuple(
            key
            for key, value in attributes.items()
            if key in known or (not key.startswith("_") and _holds(value, (*ARRAYS, Module)))
        )
        self.roles = attributes.get("_roles")
        if self.roles is None:
            self.roles = frozenset(
                name
                for key in self.keys
                for name, item in _items(attributes[key], f"{key}.")
                if _is_leaf(item)
            )
        own = {"_keys", "_roles", *self.keys}
        self.static = {
            key: value
            for key, value in attributes.items()
            if key not in own and not key.startswith("__wengert_")  # compiled methods
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Structure) or self.kind is not other.kind:
            return False
        return (
            (self.keys, self.roles) == (other.keys, other.roles)
            and self.static.keys() == other.static.keys()
            and all(_same(value, other.static[key]) for key, value in self.static.items())
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.keys))

    def __repr__(self) -> str:
        return f"{self.kind.__name__}({', '.join(self.keys)})"


def _same(a: Any, b: Any) -> bool:
    """Whether two attributes that hold no arrays are equal, or the same object."""
    try:
        return a is b or bool(a == b)
    except (ValueError, TypeError):
        return False


def _flatten(module: Module) -> tuple[list[Any], _Structure, tuple[str, ...]]:
    structure = _Structure(module)
    return [vars(module)[key] for key in structure.keys], structure, structure.keys


def _unflatten(structure: _Structure, children: Any) -> Module:
    module: Module = object.__new__(structure.kind)
    vars(module).update(structure.static)
    vars(module).update(zip(structure.keys, children, strict=True))
    vars(module).update(_keys=structure.keys, _roles=structure.roles)
    return module


tree.register(Module, _flatten, _unflatten)
