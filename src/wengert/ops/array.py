"""``Array``: the value a user holds. Operators, NumPy's protocols, conversions that must not lose a
derivative.

NumPy's own functions reach it by ``__array_ufunc__`` and ``__array_function__``; ``FUNCTIONS`` has
what the second one knows, entered by ``implements`` next to each function. What the protocols can't
reach raises here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core import interpret
from ..core.box import BATCHED, PYTHON_SCALARS, Box
from ..core.errors import (
    ConversionError,
    DtypeError,
    UnsupportedError,
    WengertError,
    operation_error,
)
from ..core.primitive import Primitive
from . import arithmetic as ar
from . import indexing, inplace
from .methods import Methods
from .operators import Operators
from .reading import Reading, lost

UFUNCS: dict[Any, Callable[..., Any]] = {}
UNARY: dict[
    Any, Primitive
] = {}  # of UFUNCS: those whose value is the ufunc itself, of one argument
unary_of = UNARY.get  # bound once: every call of np.sin comes by here
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
CALLS_USER = {np.apply_along_axis, np.piecewise}  # whose exceptions are the user's own


def enter_ufuncs(table: dict[Any, Callable[..., Any]]) -> None:
    """Say what handles do in these ufuncs: a primitive, or a function of the same arguments."""
    UFUNCS.update(table)
    for ufunc, target in table.items():
        if isinstance(target, Primitive) and ufunc.nin == 1 and target.value is ufunc:
            UNARY[ufunc] = target


def strong(result: Any) -> Any:
    """``result`` of a ufunc: of Python scalars it gives a NumPy scalar, which is not weak."""
    box = result
    while isinstance(box, Box):
        if type(box._value) in PYTHON_SCALARS:
            box._value = np.asarray(box._value)[()]
        box = box._value
    return result


def implements(
    *functions: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: what the NumPy ``functions`` do with handles."""

    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return register


def normal(primitive: Primitive, arg: Any) -> Any:
    """A plain argument as an array: lists of numbers become arrays; lists with handles in them, and
    objects, raise.
    """
    if isinstance(arg, np.ndarray | np.generic | int | float | complex):
        kind = getattr(arg, "dtype", None)
        if kind is None or kind.kind in "biufc":
            return arg
        raise DtypeError(
            f"{primitive.name}: got an array of dtype {kind}; wengert computes with numbers and "
            "booleans"
        )
    if isinstance(arg, list | tuple):
        if any(isinstance(leaf, Box) for leaf in _walk(arg)):
            raise ConversionError(
                f"{primitive.name}: got a {type(arg).__name__} with differentiated values in it, "
                "expected an array; put them together with np.stack([...]) or np.concatenate([...])"
            )
        return normal(primitive, np.asarray(arg))
    raise DtypeError(f"{primitive.name}: got {type(arg).__name__}, expected an array or a number")


def _walk(nested: Any) -> Iterator[Any]:
    for item in nested:
        if isinstance(item, list | tuple):
            yield from _walk(item)
        else:
            yield item


class Array(Reading, Operators, Methods, Box):
    """An array of wengert: NumPy's operators, methods and functions work on it, and it may carry a
    derivative.

    Made by ``wengert.array(data, requires_grad=True)``, and by ``grad``, ``jvp``, ``vmap`` for the
    arguments of a function. ``float32``, ``float64``, ``complex64``, ``complex128`` are
    differentiated; integers and booleans are constants.
    """

    __slots__ = ()
    __array_priority__ = 1000.0
    __hash__ = object.__hash__

    # --- NumPy's protocols ------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            if (one := unary_of(ufunc)) is not None:
                return interpret.running().unary(one, self)
            primitive = UFUNCS.get(ufunc)
            if type(primitive) is Primitive:
                interpreter = interpret.current.get()
                if len(inputs) == 2:
                    result = interpreter.binary(primitive, *inputs)
                    value = result._value
                    return result if type(value) is np.ndarray else strong(result)
                return strong(interpreter.process(primitive, inputs, {}))
        return UFUNC_METHODS[method](ufunc, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        implementation = FUNCTIONS.get(function)
        if implementation is None:
            name = f"{getattr(function, '__module__', 'numpy')}.{function.__name__}"
            raise UnsupportedError(
                f"{name}: wengert has no derivative of it yet. Write it with the functions that "
                "wengert.numpy lists, or, if it needs no derivative, call it on x.numpy()"
            )
        try:
            return implementation(*args, **kwargs)
        except (ValueError, TypeError, IndexError) as error:
            if isinstance(error, WengertError) or function in CALLS_USER:
                raise
            raise operation_error(function.__name__, args, error) from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._holds_derivative():
            raise lost(self, "np.asarray or np.array, or an assignment into a plain array,")
        return np.array(self.numpy(), dtype=dtype)

    # --- parts, and changes in place --------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        template, arrays = indexing.split_index(index)
        result = interpret.bind(indexing.getitem, self, *arrays, index=template)
        if arrays and indexing.picks(arrays) and result.shape:
            return view(
                self,
                result,
                indexing.getitem,
                {"index": template},
                operator.itemgetter(indexing.at_zero(template)),
                lambda base, new: inplace.store(base, new, template, arrays),
                operands=arrays,
            )
        if arrays or inplace.is_scalar(self) or (not result.shape and Ellipsis not in template):
            return result
        return view(
            self,
            result,
            indexing.getitem,
            {"index": template},
            operator.itemgetter(template),
            None,
            template,
        )

    def __setitem__(self, index: Any, value: Any) -> None:
        inplace.write(self, index, value)

    def __iadd__(self, other: Any) -> Any:
        return inplace.update(self, self + other)

    def __isub__(self, other: Any) -> Any:
        return inplace.update(self, self - other)

    def __imul__(self, other: Any) -> Any:
        return inplace.update(self, self * other)

    def __itruediv__(self, other: Any) -> Any:
        return inplace.update(self, self / other)

    def __ifloordiv__(self, other: Any) -> Any:
        return inplace.update(self, self // other)

    def __imod__(self, other: Any) -> Any:
        return inplace.update(self, self % other)

    def __ipow__(self, other: Any) -> Any:
        return inplace.update(self, self**other)

    def __imatmul__(self, other: Any) -> Any:
        return inplace.update(self, self @ other)

    def __iand__(self, other: Any) -> Any:
        return inplace.update(self, self & other)

    def __ior__(self, other: Any) -> Any:
        return inplace.update(self, self | other)

    def __ixor__(self, other: Any) -> Any:
        return inplace.update(self, self ^ other)

    def copy(self, order: str = "C") -> Any:
        """A copy; writing into it leaves this array as it is."""
        return ar.copy(self, order=order)

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", copy: bool = True
    ) -> Any:
        """A copy in another dtype. Integers and booleans are constants to derivatives; so are casts
        to them.
        """
        dtype = np.dtype(dtype)
        if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
            raise DtypeError(f"astype: can't cast {self.dtype} to {dtype} with casting={casting!r}")
        if dtype == self.dtype and not copy:
            return self
        cast = ar.astype if dtype.kind in "fc" else ar.to_discrete
        return cast(self, dtype=dtype, order=order)

    def fill(self, value: Any) -> None:
        """Write ``value`` everywhere."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort in place along ``axis``."""
        self[...] = np.sort(self, axis=axis, kind=kind)

    def __len__(self) -> int:
        if not self.shape:
            raise DtypeError("len() of a 0-dimensional array")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise DtypeError(
                "iteration over a 0-dimensional array; for a list of arguments write f(*args)"
            )
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __round__(self, digits: int = 0) -> Any:
        return np.round(self, digits)

    # --- dynamic graphs: the owner says what they mean --------------------------------------------

    def refresh(self) -> None:
        """A view looks whether its base has changed; see ``ops/views.py``."""

    @property
    def requires_grad(self) -> bool:
        """Whether derivatives with respect to this value, or through it, are recorded."""
        return self._node is not None and self._node is not BATCHED

    @property
    def grad(self) -> Any:
        """The gradient that ``backward`` accumulated in this leaf: None, or an ``Array``."""
        return self._owner.gradient(self)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._owner.set_gradient(self, value)

    def backward(
        self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Accumulate the gradient of this scalar in every leaf's ``grad``, and destroy the graph.

        Args:
            gradient: the adjoint to start from, of this array's shape; may be left out for a
            scalar. retain_graph: keep what the graph has saved, for another ``backward``.
            create_graph: record the backward pass as well, so that the gradients can be
                differentiated.

        Raises:
            GraphReleased: the graph was used before, without ``retain_graph=True``.
            ShapeError: not a scalar, and no ``gradient``; or one of another shape.
            UnsupportedError: inside ``grad``, ``jvp`` or ``vmap``: call ``grad`` of the inner
                function there.
        """
        self._owner.backward(self, gradient, retain_graph or create_graph, create_graph)

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """Call ``hook(gradient)`` when the gradient of this value is known; what it returns, unless
        None, replaces it.

        Returns a function that removes the hook.
        """
        return self._owner.register_hook(self, hook)

    def detach(self) -> Any:
        """The same value as a constant, cut in every level and mode."""
        return ar.stop_gradient(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._owner.reduce(self)

    def __copy__(self) -> Any:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: Any) -> Any:
        function, args = self.__reduce__()
        return function(*args)


def make(owner: Any, value: Any, node: Any) -> Array:
    """A handle of interpreter ``owner``."""
    array: Array = object.__new__(Array)
    array._owner, array._value, array._node = owner, value, node
    return array


class View(Array):
    """A handle on a part of, or another look at, the array of another handle.

    It refreshes when its base was written into, and a write into it is a write into its base.
    ``_forward``: the primitive and parameters that make it of its base and ``_operands``;
    ``_undo(base, new)`` writes new content back; ``_index``: where it is an index; ``_look``: the
    same on a plain array, for the strides, which are asked for when a view of the view is made.
    """

    __slots__ = ("_base", "_forward", "_index", "_look", "_operands", "_seen", "_undo")
    _base: Any
    _forward: tuple[Primitive, dict[str, Any]]
    _index: Any
    _look: Callable[[Any], Any]
    _operands: tuple[Any, ...]
    _seen: int
    _strides: tuple[int, ...]
    _undo: Callable[[Any, Any], None]

    def refresh(self) -> None:
        base = self._base
        base.refresh()
        version = getattr(base, "_version", 0)
        if version != self._seen:
            primitive, params = self._forward
            with interpret.under(self._owner):
                fresh = self._owner.process(primitive, (base, *self._operands), params)
            self._value, self._node, self._seen = fresh._value, fresh._node, version
            self._version = getattr(self, "_version", 0) + 1


def view(
    base: Any,
    result: Any,
    primitive: Primitive,
    params: dict[str, Any],
    function: Any,
    undo: Any,
    index: Any = None,
    certain: bool = True,
    operands: tuple[Any, ...] = (),
) -> Any:
    """``result``, which is ``primitive`` of ``base`` (and ``operands``), as a view of it where
    NumPy makes one, else as it is.

    ``function`` does the same to a plain array; where that may have to copy, and then raises
    ``ValueError``, it is not ``certain``.
    """
    if not isinstance(result, Array) or result._owner is not base._owner:
        return result
    if inplace.is_scalar(base):
        return result
    strides = None if certain else inplace.view_strides(base, function)
    if strides is None and not certain:
        return result
    if index is not None and isinstance(base, View) and base._index is not None:
        composed = inplace.compose(base._index, index, base._base.shape)
        if composed is not None:
            base, params, index = base._base, {"index": composed}, composed
            function = operator.itemgetter((*composed, Ellipsis))  # a view without axes too
    handle: View = object.__new__(View)
    handle._owner, handle._value, handle._node = result._owner, result._value, result._node
    handle._base, handle._forward, handle._index = base, (primitive, params), index
    handle._operands = operands
    handle._look, handle._seen = function, getattr(base, "_version", 0)
    if strides is not None:
        handle._strides = strides
    handle._undo = undo or (lambda base, new: inplace.store(base, new, index, ()))
    return handle
