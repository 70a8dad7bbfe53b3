"""What the optimisers share: the parameters, their state, ``step``, ``zero_grad``, save and load.

Layer: ``optim``; above ``differentiate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import Box
from ..core.errors import DataError, DtypeError, ShapeError, UnsupportedError, describe
from ..ops.inplace import held_once

State = dict[str, np.ndarray]


class Optimizer:
    """Changes parameters in place, after ``backward``, by a rule that subclasses write.

    A subclass names its settings in ``SETTINGS`` and the arrays it keeps for each parameter in
    ``SLOTS``, and writes ``update``. The buffer of a parameter is overwritten where nothing else
    refers to it, and replaced by a new one where a graph or a view still does.
    """

    SETTINGS: tuple[str, ...] = ()
    SLOTS: tuple[str, ...] = ()
    __wengert_scratch__ = frozenset({"_room", "_rates"})  # no state: static graphs look past it

    def __init__(self, params: Iterable[Any], lr: float) -> None:
        self.parameters = _checked(params, type(self).__name__)
        self.lr = lr
        self.steps = np.zeros(len(self.parameters), np.int64)
        self.states: list[State | None] = [None] * len(self.parameters)
        self._room: list[np.ndarray] = _scratch(self.parameters)

    @property
    def lr(self) -> float:
        """The learning rate; it may be changed between steps."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = at_least(type(self).__name__, "lr", value)
        if not isinstance(self._lr, Box):
            dtypes = {parameter.dtype for parameter in self.parameters}
            self._rates = {dtype: np.array(self._lr, dtype) for dtype in dtypes}

    def zero_grad(self) -> None:
        """Set every parameter's ``grad`` to None, so that ``backward`` starts afresh."""
        for parameter in self.parameters:
            parameter._node.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient, in place.

        Raises:
            UnsupportedError: no parameter has a gradient.
        """
        self._count([parameter._node.grad is not None for parameter in self.parameters])
        for k, parameter in enumerate(self.parameters):
            gradient = parameter._node.grad
            if gradient is not None:
                if type(parameter._value) is not np.ndarray:
                    self._record(k, parameter._value, gradient)
                    continue
                if not held_once(parameter):
                    parameter._value = parameter._value.copy()
                self.update(k, parameter._value, gradient._value, self._room[k])
                parameter._version = getattr(parameter, "_version", 0) + 1

    def _record(self, k: int, value: Any, gradient: Any) -> None:
        """``update`` for a static graph, whose recorder owns ``value``."""
        given = gradient if gradient._owner is value._owner else gradient._value
        with interpret.under(value._owner):
            self.update(k, value, given, np.empty_like(value))

    def _count(self, active: list[bool]) -> None:
        """Enter in ``steps`` the step that the ``active`` parameters are about to take."""
        if all(active):
            self.steps += 1
        elif any(active):
            self.steps += np.array(active)
        else:
            raise UnsupportedError(
                f"{type(self).__name__}.step: no parameter has a gradient; call loss.backward() "
                "before it, with a loss that was computed from these parameters"
            )

    def update(self, k: int, value: Any, gradient: Any, room: Any) -> None:
        """Change ``value`` of parameter ``k`` in place; ``room`` is an array to calculate in.

        A static graph records this: all of it, and what ``state`` and ``steps`` hold, may be
        handles. So write it in ufuncs with ``out`` and operators in place, without a branch on a
        value.
        """
        raise NotImplementedError

    def state(self, k: int, value: Any) -> State:
        """The arrays that are kept for parameter ``k``, zeros at first."""
        kept = self.states[k]
        if kept is None:
            kept = self.states[k] = {name: np.zeros_like(value) for name in self.SLOTS}
        return kept

    def rate(self, dtype: Any) -> Any:
        """The learning rate as an array of ``dtype`` without axes: NumPy's ufuncs take it faster
        than a Python float, and round it as they do that. A handle stays as it is.
        """
        return self._rates[dtype] if type(self._lr) is float else self._lr

    # --- save and load ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Settings, and for each parameter the steps it took and what is kept for it, as copies.

        Arrays are named by slot and number of the parameter: ``m.0``; ``steps`` is a list.
        """
        result: dict[str, Any] = {"kind": type(self).__name__, "steps": self.steps.tolist()}
        result |= {name: getattr(self, name) for name in ("lr", *self.SETTINGS)}
        for k, kept in enumerate(self.states):
            result |= {f"{name}.{k}": array.copy() for name, array in (kept or {}).items()}
        return result

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the optimiser stood that ``state`` comes from.

        Raises:
            DataError: of another kind of optimiser, or incomplete. ShapeError: for other
            parameters. Nothing is changed then.
        """
        own, kind = type(self).__name__, state.get("kind")
        if kind != own:
            raise DataError(f"{own}.load_state_dict: the state is that of {kind!r}")
        needed = {"kind", "steps", "lr", *self.SETTINGS}
        if missing := sorted(needed - state.keys()):
            raise DataError(f"{own}.load_state_dict: {', '.join(missing)} are missing")
        states = [self._kept(state, k) for k in range(len(self.parameters))]
        known = needed | {f"{name}.{k}" for k, kept in enumerate(states) for name in kept or ()}
        if unknown := sorted(state.keys() - known):
            raise DataError(f"{own}.load_state_dict: unknown {', '.join(unknown[:4])}")
        if len(steps := [int(n) for n in state["steps"]]) != len(self.parameters):
            raise DataError(
                f"{own}.load_state_dict: the state is of {len(steps)} parameters, there are "
                f"{len(self.parameters)}"
            )
        for name in ("lr", *self.SETTINGS):
            setattr(self, name, state[name])
        self.steps, self.states = np.array(steps, np.int64), states

    def _kept(self, state: Mapping[str, Any], k: int) -> State | None:
        """What ``state`` holds for parameter ``k``."""
        parameter = self.parameters[k]
        names = [name for name in self.SLOTS if f"{name}.{k}" in state]
        if not names:
            return None
        kept = {name: np.array(state[f"{name}.{k}"], parameter.dtype) for name in names}
        for name, array in kept.items():
            if array.shape != parameter.shape:
                raise ShapeError(
                    f"{type(self).__name__}.load_state_dict: {name}.{k} has shape {array.shape}, "
                    f"parameter {k} has {parameter.shape}"
                )
        if len(names) != len(self.SLOTS):
            raise DataError(
                f"{type(self).__name__}.load_state_dict: parameter {k} has only {names}"
            )
        return kept

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("lr", *self.SETTINGS))
        return f"{type(self).__name__}({len(self.parameters)} parameters, {settings})"


def _checked(params: Iterable[Any], name: str) -> list[Any]:
    """The parameters as a list, each once; raises for what can't be trained."""
    if isinstance(params, Box | np.ndarray):
        raise DtypeError(f"{name}: got one array, expected a list of parameters: [x]")
    if not isinstance(params, Iterable):
        hint = "; write model.parameters()" if callable(getattr(params, "parameters", None)) else ""
        raise DtypeError(f"{name}: got {describe(params)}, expected the parameters{hint}")
    unique = {id(parameter): parameter for parameter in params}
    for number, parameter in enumerate(unique.values()):
        if not isinstance(parameter, Box):
            raise DtypeError(
                f"{name}: parameter {number} is {describe(parameter)}, expected "
                "wengert.array(..., requires_grad=True)"
            )
        if getattr(parameter._node, "primitive", 0) is not None or parameter._owner.parent:
            raise UnsupportedError(
                f"{name}: parameter {number} ({describe(parameter)}) is not a leaf of the dynamic "
                "graph; give arrays made by wengert.array(..., requires_grad=True), not values "
                "computed from them"
            )
    if not unique:
        raise DataError(f"{name}: no parameters; has the model any? write model.parameters()")
    return list(unique.values())


def _scratch(parameters: list[Any]) -> list[np.ndarray]:
    """For each parameter an array of its shape and dtype to calculate in; they share memory."""
    sizes: dict[Any, int] = {}
    for parameter in parameters:
        sizes[parameter.dtype] = max(sizes.get(parameter.dtype, 0), parameter.size)
    memory = {dtype: np.empty(size, dtype) for dtype, size in sizes.items()}
    return [memory[p.dtype][: p.size].reshape(p.shape) for p in parameters]


def at_least(
    owner: str, name: str, value: float, low: float = 0.0, high: float = math.inf
) -> float:
    """``value`` as a float in [low, high), or ``DataError``; a handle, whose value is not known
    before the graph runs, as it is.
    """
    if isinstance(value, Box):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{owner}: {name} is {value!r}, expected a number") from error
    if not low <= number < high:
        bound = f"at least {low:g}" + (f" and less than {high:g}" if high < math.inf else "")
        raise DataError(f"{owner}: {name} is {value!r}, expected {bound}, finite")
    return number
