"""``Array``'s operators: each binds its primitive under the current interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import interpret
from . import arithmetic as ar
from . import comparison as cm
from .arithmetic import absolute, add, divide, multiply, negative, positive, power, subtract


class Operators:
    """``x + y`` is ``add`` of the two, and so on."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return interpret.running().binary(add, self, other)

    def __radd__(self, other: Any) -> Any:
        return interpret.running().binary(add, other, self)

    def __sub__(self, other: Any) -> Any:
        return interpret.running().binary(subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return interpret.running().binary(subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return interpret.running().binary(multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return interpret.running().binary(multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return interpret.running().binary(divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return interpret.running().binary(divide, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return ar.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return ar.floor_divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return ar.remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return ar.remainder(other, self)

    def __divmod__(self, other: Any) -> Any:
        return ar.floor_divide(self, other), ar.remainder(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return ar.floor_divide(other, self), ar.remainder(other, self)

    def __pow__(self, other: Any) -> Any:
        return interpret.running().binary(power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return interpret.running().binary(power, other, self)

    def __neg__(self) -> Any:
        return interpret.running().unary(negative, self)

    def __pos__(self) -> Any:
        return interpret.running().unary(positive, self)

    def __abs__(self) -> Any:
        return interpret.running().unary(absolute, self)

    def __matmul__(self: Any, other: Any) -> Any:
        return np.matmul(self, other)

    def __rmatmul__(self: Any, other: Any) -> Any:
        return np.matmul(other, self)

    def __invert__(self) -> Any:
        return cm.invert(self)

    def __and__(self, other: Any) -> Any:
        return cm.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Any:
        return cm.bitwise_and(other, self)

    def __or__(self, other: Any) -> Any:
        return cm.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Any:
        return cm.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Any:
        return cm.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Any:
        return cm.bitwise_xor(other, self)

    def __lshift__(self, other: Any) -> Any:
        return cm.left_shift(self, other)

    def __rshift__(self, other: Any) -> Any:
        return cm.right_shift(self, other)

    def __lt__(self, other: Any) -> Any:
        return cm.less(self, other)

    def __le__(self, other: Any) -> Any:
        return cm.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return cm.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return cm.greater_equal(self, other)

    def __eq__(self, other: Any) -> Any:
        return False if other is None or isinstance(other, str) else cm.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return True if other is None or isinstance(other, str) else cm.not_equal(self, other)
