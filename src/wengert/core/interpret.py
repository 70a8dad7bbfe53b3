"""Interpreters: what an application of a primitive means.

``bind(primitive, *args)`` hands the application to the current interpreter. The root one is the
dynamic tape; ``grad``, ``jvp``, ``vmap`` push one of their own. Each keeps its parent and runs its
rules under it, so nesting needs no levels: the context picks the interpreter, data only says who
owns a value.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from .box import Box
from .errors import ConversionError, EscapedValue, UnsupportedError, operation_error

if TYPE_CHECKING:
    from .primitive import Primitive


class Interpreter:
    """Gives a meaning to ``primitive(*args, **params)``.

    ``parent`` is the interpreter below, under which its rules run; ``function``, what it
    transforms, ``what`` the name of the transformation: for messages.
    """

    __slots__ = ("function", "parent", "what")

    def __init__(
        self, parent: Interpreter | None, what: str = "", function: Callable[..., Any] | None = None
    ) -> None:
        self.parent = parent
        self.what = what
        self.function = function

    @property
    def origin(self) -> str:
        """Where its values are made, in words."""
        return "the dynamic graph" if self.function is None else origin_of(self.function, self.what)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result of an application. Arguments that this interpreter does not own are constants
        to it.
        """
        raise NotImplementedError

    def unary(self, primitive: Primitive, x: Any) -> Any:
        """``process`` for one argument and no parameters; an interpreter may have a faster way."""
        return self.process(primitive, (x,), {})

    def binary(self, primitive: Primitive, a: Any, b: Any) -> Any:
        """``process`` for two arguments and no parameters; an interpreter may have a faster way."""
        return self.process(primitive, (a, b), {})

    def ternary(self, primitive: Primitive, a: Any, b: Any, c: Any) -> Any:
        """As ``binary``, for three arguments."""
        return self.process(primitive, (a, b, c), {})

    records = True  # whether changes in place would be seen by a derivative; not under no_grad
    dynamic = False  # whether it is a dynamic graph, which has leaves and ``backward``
    observes = False  # whether it wants to know when Python reads a value: see ``observe``

    def observe(self, box: Box, convert: Callable[[Any], Any] | None, result: Any) -> None:
        """Python has read ``result``, which is ``convert`` of the plain value of ``box``; of None,
        printed it.
        """

    def notes(self, box: Box) -> list[str]:
        """What ``repr`` says of a value besides its elements."""
        return []

    def gradient(self, box: Box) -> Any:
        """The accumulated gradient of a leaf."""
        return None

    def set_gradient(self, box: Box, value: Any) -> None:
        """Replace the accumulated gradient of a leaf."""
        raise self._only_dynamic("x.grad = ...")

    def backward(self, box: Box, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
        """``Array.backward``."""
        raise self._only_dynamic("x.backward()")

    def register_hook(self, box: Box, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """``Array.register_hook``."""
        raise self._only_dynamic("x.register_hook(...)")

    def reduce(self, box: Box) -> tuple[Any, ...]:
        """How a value is pickled and copied."""
        raise self._only_dynamic("copying or pickling a value")

    def _only_dynamic(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{what} inside {self.origin}: that belongs to the dynamic graph. Inside a "
            "transformation use wengert.grad or wengert.vjp of the inner function, which nest"
        )

    def owned(self, value: Any) -> Box:
        """A handle of this interpreter on ``value``, a constant to it."""
        raise NotImplementedError

    def home(self, parts: Sequence[Any]) -> Interpreter:
        """Which interpreter shall own an array that is made for, or from, ``parts``: this one, if
        it has no finer idea.
        """
        return self

    def kind_of(self, box: Box) -> type:
        """What a handle is to the user: a value with a derivative, or what the owner knows."""
        return Box

    def fresh(self, value: Any) -> Box:
        """A handle on an array that the user asks for as an ``Array``: ``wengert.array(data)``."""
        return self.owned(value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.origin}>"


current: ContextVar[Interpreter]
running: Callable[[], Interpreter]  # ``current.get``, bound once


def set_root(root: Interpreter) -> None:
    """Name the interpreter that stands at the bottom of every context; called once, by the dynamic
    tape's module.
    """
    global current, running
    current = ContextVar("wengert interpreter", default=root)
    running = current.get


class under:
    """``with under(interpreter):`` makes it the current one."""

    __slots__ = ("interpreter", "token")

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter

    def __enter__(self) -> None:
        self.token: Token[Interpreter] = current.set(self.interpreter)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        current.reset(self.token)
        # plain[i] = x: NumPy hides our error behind "setting an array element with a sequence"
        if isinstance(error, ValueError) and isinstance(error.__cause__, ConversionError):
            raise error.__cause__


def bind(primitive: Primitive, *args: Any, **params: Any) -> Any:
    """Apply ``primitive`` under the current interpreter; plain arguments give a plain result."""
    for arg in args:
        if isinstance(arg, Box):
            return current.get().process(primitive, args, params)
    return apply(primitive, args, params)


def apply(primitive: Primitive, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """The primitive's value on plain arrays, NumPy's complaints named after the operation."""
    try:
        return primitive.value(*values, **params)
    except (ValueError, TypeError, IndexError) as error:
        if primitive.calls_user:
            raise
        raise operation_error(primitive.name, values, error) from error


def evaluate(
    interpreter: Interpreter | None,
    primitive: Primitive,
    values: Sequence[Any],
    params: dict[str, Any],
) -> Any:
    """The application one level down: NumPy itself where no value is owned, else ``interpreter``,
    made the current one.
    """
    for value in values:
        if isinstance(value, Box):
            if interpreter is None:
                raise escaped(value, primitive)
            token = current.set(interpreter)  # ``with under(interpreter)``, at half its cost
            try:
                return interpreter.process(primitive, values, params)
            except ValueError as error:
                if isinstance(error.__cause__, ConversionError):
                    raise error.__cause__ from None
                raise
            finally:
                current.reset(token)
    return apply(primitive, values, params)


def escaped(value: Box, primitive: Primitive) -> EscapedValue:
    """The error for a value that no enclosing interpreter owns."""
    return EscapedValue(
        f"{primitive.name}: an argument was made inside {value._owner.origin}, which is not "
        "running here: its derivative would be lost. Return the value from that function instead "
        "of storing it; in a thread, start the function with wengert.in_context(function); in a "
        "rule of custom_jvp or custom_vjp, pass it as an argument instead of closing over it; or "
        "store wengert.stop_gradient(x).item() or .numpy()"
    )


def origin_of(function: Callable[..., Any], transformation: str) -> str:
    """Where ``function`` is written, for messages."""
    target = getattr(function, "__wrapped__", function)
    target = getattr(target, "__func__", getattr(target, "func", target))
    code = getattr(target, "__code__", None)
    name = getattr(target, "__qualname__", type(target).__qualname__)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"{transformation} of {name}{place}"


def in_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` that runs in the context of this call: ``grad``, ``no_grad``, … around it hold
    in another thread too.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import wengert as wg
    >>> w = wg.array(1.0, requires_grad=True)
    >>> with wg.no_grad(), ThreadPoolExecutor() as pool:
    ...     y = pool.submit(wg.in_context(lambda: w * 2))
    >>> y.result().requires_grad
    False
    """
    context = contextvars.copy_context()
    return lambda *args, **kwargs: context.copy().run(function, *args, **kwargs)
