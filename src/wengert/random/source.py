"""Where random numbers come from: the state, random words of it, uniform numbers of these.

Layer: ``random``; the base of ``Generator``.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np

from ..core import interpret
from ..core.box import BATCHED, PLAIN, innermost
from ..core.declared import enclosing, is_of_a_rerun, note_write
from ..core.errors import DataError, DtypeError, InPlaceError, describe
from ..differentiate.dynamic import array
from ..ops import inplace
from ..ops.array import Array, make
from ..ops.philox import BLOCK
from ..ops.random import DRAW, SPAWN, STATE_WORDS, blocks_for, random_bits
from ..vectorize import Batch
from .arguments import float_dtype

FIRST_LANE = np.uint64(0)
WORD = np.dtype(np.uint64)


class Source:
    """Random words of a state, and uniform numbers of the words.

    Attributes:
        state: ``Array`` of uint64, ``(4,)``: the two words of the key, the number of blocks of 256
            bits that draws have used, the number of children. Drawing writes into it.
    """

    state: Any

    def __init__(self, seed: Any = None) -> None:
        self.state = array(np.concatenate([key_of(seed), np.zeros(2, WORD)]))

    def bits(self, shape: Sequence[int], dtype: Any = WORD, domain: int = DRAW) -> Any:
        """Random words of ``dtype`` (uint64 or uint32), and the state advanced."""
        state, shape, dtype = self.state, tuple(shape), np.dtype(dtype)
        if not isinstance(state, Array):
            raise DtypeError(
                f"Generator.state is {describe(state)}, expected an Array: set it to a copy of "
                "another generator's state, other.state.copy()"
            )
        words = random_bits(state, lane(state._owner), shape=shape, dtype=dtype, domain=domain)
        self._become(state + increment(blocks_for(shape, dtype), domain))
        return unwrapped(words)

    def _become(self, state: Any) -> None:
        """Write the next ``state`` into the one there is."""
        note_write(self.state)
        try:
            inplace.replace(self.state, state)
        except InPlaceError as error:
            raise InPlaceError(
                f"a generator made outside of {interpret.current.get().origin} is drawn from "
                "inside, and its next state can't leave it. Draw before, and pass the numbers; or "
                "carry the state: take it as an argument, set rng.state = state on a generator "
                "made inside, and return rng.state"
            ) from error

    def unit(self, shape: Sequence[int], dtype: Any) -> Any:
        """Multiples of 2⁻⁵³ (float32: 2⁻²⁴) from 0 up to 1, which is not among them."""
        if float_dtype(dtype) == np.float32:
            return np.right_shift(self.bits(shape, np.uint32), 8).astype(dtype) * 2.0**-24
        return np.right_shift(self.bits(shape), 11).astype(dtype) * 2.0**-53

    def inside(self, shape: Sequence[int], dtype: Any) -> Any:
        """Odd multiples of 2⁻⁵³ (float32: 2⁻²⁴) between 0 and 1, neither of which is among them:
        the probabilities at which quantiles are taken.
        """
        if float_dtype(dtype) == np.float32:
            words = np.right_shift(self.bits(shape, np.uint32), 9)
            return (words.astype(dtype) + 0.5) * 2.0**-23
        return (np.right_shift(self.bits(shape), 12).astype(dtype) + 0.5) * 2.0**-52

    def spawn(self, n_children: int) -> list[Self]:
        """``n_children`` generators whose streams are independent of this one's and of each
        other's. What this one draws is the same as without.

        >>> import wengert as wg
        >>> first, second = wg.random.Generator(0).spawn(2)
        """
        count = operator.index(n_children)
        if count < 0:
            raise DataError(f"spawn: n_children must not be negative, got {count}")
        words = self.bits((count, BLOCK), domain=SPAWN)
        states = [np.concatenate([words[i, :2], np.zeros(2, WORD)]) for i in range(count)]
        return [self._with_state(state) for state in states]

    def _with_state(self, state: Any) -> Self:
        child = object.__new__(type(self))
        child.__dict__.update(self.__dict__)
        child.state = state if isinstance(state, Array) else array(state)
        return child

    def __copy__(self) -> Self:
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        words = innermost(self.state)
        if words.shape != (STATE_WORDS,):
            return f"{type(self).__name__}(Philox4x64, a state for each of {words.shape[:-1]})"
        key, position, children = int(words[1]) << 64 | int(words[0]), words[2], words[3]
        return (
            f"{type(self).__name__}(Philox4x64, key={key:#034x}, {position} blocks used, "
            f"{children} children)"
        )


def key_of(seed: Any) -> np.ndarray[Any, Any]:
    """The two words of the key that a seed stands for: those of ``np.random.Philox(seed)``."""
    if isinstance(seed, np.random.SeedSequence):
        return seed.generate_state(2, np.uint64)
    if isinstance(seed, Array | float | str):
        raise DtypeError(
            f"Generator(seed): got {describe(seed)}, expected an int, a sequence of ints, None, or "
            "a np.random.SeedSequence; for a generator of each example take children, rng.spawn(n)"
        )
    try:
        return np.random.SeedSequence(seed).generate_state(2, np.uint64)
    except (ValueError, TypeError) as error:
        raise DataError(f"Generator(seed): {error}; got {seed!r}") from error


@lru_cache(maxsize=256)
def increment(blocks: int, domain: int) -> np.ndarray[Any, Any]:
    """What a draw adds to the state."""
    step = np.zeros(STATE_WORDS, WORD)
    step[2 + domain] = blocks
    step.flags.writeable = False
    return step


def lane(owner: Any) -> Any:
    """The number of this example among those of all ``vmap``s that the state, which ``owner`` has,
    was made outside of.
    """
    number: Any = FIRST_LANE
    for interpreter in reversed(list(enclosing(interpret.current.get()))):
        if interpreter is owner:
            number = FIRST_LANE
        elif isinstance(interpreter, Batch) and not is_of_a_rerun(interpreter):
            here = make(interpreter, np.arange(interpreter.size, dtype=WORD), BATCHED)
            number = here if number is FIRST_LANE else number * interpreter.size + here
    return number


def unwrapped(words: Any) -> Any:
    """Fresh ``words`` as plain ones on every level where no interpreter watches over them: NumPy
    out.
    """
    if not isinstance(words, Array):
        return words
    words._value = value = unwrapped(words._value)
    watched = words._node is not None or not words._owner.dynamic or type(value) not in PLAIN
    return words if watched else value
