"""``compile``: static graphs from functions as they are.

A call is recorded while it runs, twice; when the two recordings agree, later calls replay them.
What is new (other types, other objects, a branch not seen yet) is recorded when it comes; where
recording can't follow, the function runs eagerly and says so once. Layer: ``static``; ``reach.py``
finds what a call depends on, ``recording.py`` records it, ``paths.py`` keeps what was recorded.
"""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Callable
from typing import Any

from ..core import interpret
from ..core.errors import CaptureWarning, DtypeError, UnsupportedError, describe
from ..core.source import user_depth
from ..differentiate.dynamic import ROOT, Cut
from .cause import called_at, cause, marks, raised_at
from .explain import Explanation, explain
from .native import AT_ONCE
from .natively import Natively
from .places import OWN
from .reach import Reach
from .recorded import PathGraph, graphs_of
from .recorder import Capture
from .recording import LOCK, Recording, record
from .refusal import Escaped, Refused, Transformed
from .threads import checked
from .variant import RAISED, Variant

LIMIT = 32  # paths: a function with more runs eagerly
PATIENCE = 3  # calls with effects that may have been the first call's only


class Compiled(Natively):
    """A function with static graphs; call it as the function.

    ``graphs``: one for each path that was recorded; ``explain()``: what became of them.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        strict: bool = False,
        strict_capture: bool = False,
        check: int = 0,
        limit: int = LIMIT,
        native: bool | str = True,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.function, self.strict, self.strict_capture = function, strict, strict_capture
        self.every, self.limit, self.native, self.threads = check, limit, native, threads
        self.variants: list[Variant] = []
        self.reason = ""  # why it runs eagerly
        self.history: list[str] = []  # the causes of all recordings
        self.dynamic: set[str] = set()
        self.fixed: set[str] = set()
        self.impure = False  # whether it has effects, and runs as it is under transformations
        self._unsettled = 0
        self.__name__ = self.__qualname__ = type(function).__name__
        functools.update_wrapper(self, function, updated=())

    def __wengert_reach__(self) -> Any:
        """For another function that reaches this one: what is in it."""
        return self.function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        attributes = getattr(instance, "__dict__", None)
        if not isinstance(attributes, dict):
            return types.MethodType(self, instance)
        key = f"{OWN}{self.__name__}"
        known = attributes.get(key)
        bound = getattr(known, "function", None)
        if not isinstance(known, Bound) or getattr(bound, "__self__", None) is not instance:
            method = types.MethodType(self.function, instance)
            known = Bound(method, *self._options)
            known.unbound = self
            attributes[key] = known
        return known

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has its own graphs, recorded anew."""
        return Compiled, (self.function, *self._options)

    @property
    def _options(self) -> tuple[Any, ...]:
        return (
            *(self.strict, self.strict_capture, self.every, self.limit, self.native),
            self.threads,
        )

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        if self.reason:
            return f"<compiled {name}: runs eagerly, {self.reason}>"
        return f"<compiled {name}: {len(self.variants)} variants>"

    # --- to see ----------------------------------------------------------------------------------

    @property
    def graphs(self) -> list[PathGraph]:
        """The graphs that were recorded, one for each path through the function: to print, check,
        draw, and ``.passes``.
        """
        return [graph for variant in self.variants for graph in graphs_of(self, variant)]

    def explain(self) -> Explanation:
        """What was recorded and why, what the passes did, what fell back and why; print it."""
        return explain(self)

    # --- calls -----------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        interpreter, counts = interpret.current.get(), self._counts
        if self.reason:
            counts["eager"] += 1
            return self.function(*args, **kwargs)
        if interpreter is not ROOT and not (
            type(interpreter) is Cut and interpreter.parent is ROOT
        ):
            return self._transformed(args, kwargs)
        records = interpreter.records
        for variant in self.variants:
            if variant.records is records:
                found = variant.check(args, kwargs)
                if found is not None:
                    if variant.straight is None or self.every:
                        return self._replay(variant, found, args, kwargs, records)
                    try:  # the common case: one segment, which has been confirmed
                        given = variant.straight.run(*found[0])
                    except RAISED:
                        return self._record(args, kwargs, records)
                    counts["replayed"] += 1
                    if variant.waits:
                        self._enter_natively(variant)
                    return variant.straight.finish.end(given, found[1])
        return self._record(args, kwargs, records)

    def _replay(self, variant: Variant, found: Any, args: Any, kwargs: Any, records: bool) -> Any:
        counts = self._counts
        ended = variant.follow(found[0])
        if ended is None:
            return self._record(args, kwargs, records)
        finish, given = ended
        targets = [found[1][i] for i in finish.places]
        counts["replayed"] += 1
        if self.every and counts["replayed"] % self.every == 0:
            return finish.checked(
                given, targets, lambda: self.function(*args, **kwargs), repr(self)
            )
        result = finish.apply(given, targets)
        if variant is not self.variants[0]:
            self.variants.remove(variant)
            self.variants.insert(0, variant)
        return result

    # --- recording -------------------------------------------------------------------------------

    def _record(self, args: Any, kwargs: Any, records: bool) -> Any:
        """A call that nothing recorded fits. While one thread records, arrays are swapped: others
        wait, and look again.
        """
        with LOCK:
            if self.reason:
                self._counts["eager"] += 1
                return self.function(*args, **kwargs)
            for variant in self.variants:
                if variant.records is records:
                    found = variant.check(args, kwargs)
                    ended = None if found is None else variant.follow(found[0])
                    if ended is not None:
                        finish, given = ended
                        self._counts["replayed"] += 1
                        return finish.apply(given, [found[1][i] for i in finish.places])
            return self._record_alone(args, kwargs, records)

    def _record_alone(self, args: Any, kwargs: Any, records: bool) -> Any:
        try:
            variant, reach = self._variant(args, kwargs, records)
        except Transformed:
            return self.function(*args, **kwargs)
        except Refused as refusal:
            self._give_up(str(refusal))
            self._counts["eager"] += 1
            return self.function(*args, **kwargs)
        try:
            recording = record(self.function, reach, records)
        except Escaped as escape:
            self._wait(str(escape))
            self._counts["eager"] += 1
            return self.function(*args, **kwargs)
        except Exception as error:
            return self._failed(error, reach, args, kwargs)
        self._counts["recorded"] += 1
        result = self._result(recording, reach)
        if recording.unsettled:
            self._wait(recording.unsettled)
        else:
            self._enter(variant, recording, reach)
        return result

    def _wait(self, reason: str) -> None:
        """What a first call does (fill a cache, make state) is no reason to give up yet."""
        self._unsettled += 1
        if self._unsettled >= PATIENCE:
            self._give_up(reason)

    def _enter(self, variant: Variant, recording: Recording, reach: Reach) -> None:
        self._unsettled = 0
        told = variant.enter(recording, reach, self.strict, self.native, self.threads)
        if told:
            self._give_up(f"two calls that look the same differ: {told}")
            return
        if variant not in self.variants:
            self.variants.insert(0, variant)
            self.history.append(variant.cause)
        self._install()
        paths = sum(one.paths.count for one in self.variants)
        if paths > self.limit:
            self._give_up(
                f"more than {self.limit} different paths were recorded ({variant.cause}); "
                "wengert.cond, while_loop and np.where keep branches on values in one graph"
            )

    def _result(self, recording: Recording, reach: Reach) -> Any:
        """Commit what was recorded, and give its result."""
        values = recording.values
        if recording.finish.attached:  # on the graph around the call, equation by equation
            given = [one.object if one.active else one.value for one in reach.inputs]
            values = recording.program.run(*given)
        return recording.finish.apply(values, recording.targets)

    def _variant(
        self, args: Any, kwargs: Any, records: bool, why: str = ""
    ) -> tuple[Variant, Reach]:
        """The variant that a call belongs to, a new one (because of ``why``) if need be; numbers
        that change become variables.
        """
        reach = Reach(self.function, args, kwargs, self.dynamic, self.fixed)
        key, numbers = reach.key(), {path: value for path, (_, value) in reach.numbers.items()}
        alike = [v for v in self.variants if v.key == key and v.records is records]
        for variant in alike:
            if variant.numbers == numbers and str(variant.numbers) == str(numbers):
                return variant, reach
        changing = {
            path for v in alike for path, value in v.numbers.items() if value != numbers[path]
        } - self.fixed
        if changing - self.dynamic:
            self.dynamic |= changing
            known = [v.marks for v in alike]
            self.variants = [v for v in self.variants if v not in alike]
            self._install()
            why = f"{cause(known, marks(reach), self.function)}: a variable from now on"
            return self._variant(args, kwargs, records, why)
        variant = Variant(reach, records, self.__name__)
        why = why or cause([v.marks for v in self.variants], variant.marks, self.function)
        variant.cause = called_at(why)
        return variant, reach

    def _failed(self, error: Exception, reach: Reach, args: Any, kwargs: Any) -> Any:
        """Recording raised: if the function raises eagerly as well it is the user's own; else there
        is something that recording can't follow.
        """
        result = self.function(*args, **kwargs)
        self._counts["eager"] += 1
        promoted = {one.path for one in reach.inputs if one.path in self.dynamic} - self.fixed
        if promoted and not isinstance(error, Refused):
            self.fixed |= promoted
        else:
            told = " ".join(str(error).split()) or type(error).__name__
            place = raised_at(error.__traceback__)
            self._give_up(f"{told} ({place})" if place and place not in told else told)
        return result

    def _give_up(self, reason: str) -> None:
        """Run eagerly from now on, and say so once."""
        self.reason = reason
        self.variants.clear()
        self._install()
        text = f"{getattr(self, '__qualname__', 'the function')} runs eagerly: {reason}"
        if self.strict_capture:
            raise UnsupportedError(f"compile(strict_capture=True): {text}")
        warnings.warn(text, CaptureWarning, stacklevel=user_depth())

    # --- under transformations -------------------------------------------------------------------

    def _transformed(self, args: Any, kwargs: Any) -> Any:
        """A call under ``grad``, ``jvp``, ``vmap``: one ``call`` equation for each segment; inside
        another recording, the function itself.
        """
        interpreter: Any = interpret.current.get()
        while interpreter is not None:
            if isinstance(interpreter, Capture):
                return self.function(*args, **kwargs)
            interpreter = interpreter.parent
        from .transformed import call_under

        return call_under(self, args, kwargs)

    def prepared(self, args: Any, kwargs: Any, again: bool = False) -> Variant | None:
        """The variant for plain arguments, recorded (once more) if need be; None where there is no
        pure one: with effects, or refused.
        """
        with LOCK, interpret.under(ROOT):
            for variant in self.variants:
                if variant.records and variant.check(args, kwargs) is not None and not again:
                    return variant if variant.pure else None
            if self.impure:
                return None
            try:
                variant, reach = self._variant(args, kwargs, True)
                recording = record(self.function, reach, True, keep=False)
            except Refused as refusal:
                self._give_up(str(refusal))
                return None
            except Exception:  # the function itself, which runs next, raises what is the user's
                self._unsettled += 1
                self.impure = self._unsettled >= PATIENCE
                return None
        if recording.finish.commits or recording.unsettled:
            self.impure = True
            return None
        self._counts["recorded"] += 1
        self._enter(variant, recording, reach)
        return variant if variant.pure and not self.reason else None


class Bound(Compiled):
    """A compiled method of one object, which holds it; copies of the object make their own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()


def compile(
    f: Callable[..., Any] | None = None,
    *,
    strict: bool = False,
    strict_capture: bool = False,
    check: int = 0,
    limit: int = LIMIT,
    native: bool | str = True,
    threads: int | None = None,
) -> Any:
    """``f`` as a static graph: recorded while it runs, optimised, then replayed.

    Any function that runs eagerly may be compiled: with ``if`` and ``while`` on values, ``grad``,
    ``backward()``, changes in place, modules and optimisers. What ``f`` reaches (arguments,
    closure, globals, ``self``) is looked at in every call; what is new is recorded when it comes.

    Args:
        f: the function; left out, ``compile`` is a decorator with options.
        strict: only passes that leave every bit as it is eagerly.
        strict_capture: raise where recording can't follow, in place of running eagerly.
        check: compare every nth call with eager execution.
        limit: how many different paths are recorded before the function runs eagerly.
        native: make machine code of it as soon as that pays, or ``"at once"``, in the first call
            that is replayed, the third; False: NumPy runs all of it.
        threads: how many may run it, 1 to 64; left out, as many as ``set_num_threads`` says.

    Returns:
        A ``Compiled``, called as ``f``. ``.graphs`` lists what was recorded, ``.explain()`` says
        why, and what became of it.

    Raises:
        DtypeError: ``f`` is no function, ``threads`` no int, ``native`` none of the three.
        DataError: ``threads`` is not from 1 to 64.

    Warns:
        CaptureWarning: once, if the function can't be a static graph, with the reason.

    >>> import numpy as np, wengert as wg
    >>> @wg.compile
    ... def f(x):
    ...     return np.sum(x * x) if x[0] > 0 else np.sum(x)
    >>> [float(f(np.array([a, 2.0]))) for a in (1.0, -1.0, 1.0, -1.0, 3.0)]
    [5.0, 1.0, 5.0, 1.0, 13.0]
    """
    if threads is not None:
        checked("compile", "threads", threads)
    if native not in (True, False, AT_ONCE):
        raise DtypeError(f"compile: native is {native!r}, expected True, False or {AT_ONCE!r}")
    if f is None:
        return functools.partial(
            compile,
            strict=strict,
            strict_capture=strict_capture,
            check=check,
            limit=limit,
            native=native,
            threads=threads,
        )
    if not callable(f):
        raise DtypeError(f"compile: got {describe(f)}, expected a function")
    return Compiled(f, strict, strict_capture, check, limit, native, threads)
