"""Random bits as primitives: pure functions of the state of a generator.

The state is four words: two of a key, the blocks that draws have used, the children that were
spawned. ``random_bits`` reads it, ordinary operations make numbers of the bits, and the state is
advanced by an addition: so a recorded draw is a straight line of equations from the state to the
numbers and to the next state. All here are constants to derivatives. Layer: ``ops``; NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.box import shape_of
from ..core.interpret import bind
from ..core.primitive import Doc, Interval, NotDifferentiable, Primitive
from .families import elementwise, general
from .philox import BLOCK, product, stream, streams

STATE_WORDS = 4
DRAW, SPAWN = 0, 1  # domains; the state counts the blocks of each
SOURCE = "J. K. Salmon et al., SC11 (2011), doi:10.1145/2063384.2063405"


def words_for(shape: Sequence[int], dtype: Any) -> int:
    """How many 64-bit words the elements take."""
    return -(-math.prod(shape) * int(dtype.itemsize) // 8)


def blocks_for(shape: Sequence[int], dtype: Any) -> int:
    """By how many blocks a draw advances the state."""
    return -(-words_for(shape, dtype) // BLOCK)


def _words(state: Any, lane: Any, domain: int, count: int) -> Any:
    """Words of the blocks after those that ``domain`` has used, ``count`` of each stream."""
    position = state[..., 2 + domain]
    if state.ndim == 1 and not np.ndim(lane):
        return stream(state[:2], np.array([position, lane, 0, domain], np.uint64), count)
    many = np.broadcast_shapes(position.shape, np.shape(lane))
    counter = np.zeros((*many, BLOCK), np.uint64)
    counter[..., 0], counter[..., 1], counter[..., 3] = position, lane, domain
    return streams(np.broadcast_to(state[..., :2], (*many, 2)), counter, count)


def _bits_value(state: Any, lane: Any, shape: tuple[int, ...], dtype: Any, domain: int) -> Any:
    if state.dtype != np.uint64 or state.shape[-1:] != (STATE_WORDS,):
        raise ValueError(
            f"the state of a generator is {STATE_WORDS} words of uint64, got {state.dtype}"
            f"{list(state.shape)}; take the `state` of another wengert.random.Generator"
        )
    words = _words(state, lane, domain, words_for(shape, dtype))
    if dtype.itemsize != 8:  # the low half of a word first
        words = np.ascontiguousarray(words).astype("<u8", copy=False).view("<u4").astype(dtype)
    return words[..., : math.prod(shape)].reshape((*words.shape[:-1], *shape))[()]


def _bits_batch(
    xs: Sequence[Any], batched: Sequence[bool], size: int, params: dict[str, Any]
) -> Any:
    (state, lane), (of_state, of_lane) = xs, batched
    inner_state, inner_lane = shape_of(state)[of_state:-1], shape_of(lane)[of_lane:]
    rank = max(len(inner_state), len(inner_lane))
    if of_state:
        ones = (1,) * (rank - len(inner_state))
        state = np.reshape(state, (size, *ones, *inner_state, STATE_WORDS))
    if of_lane:
        lane = np.reshape(lane, (size, *(1,) * (rank - len(inner_lane)), *inner_lane))
    return bind(random_bits, state, lane, **params)


def _bits_samples(rng: np.random.Generator) -> list[Any]:
    def state(*streams: int) -> Any:
        return rng.integers(0, 2**63, (*streams, STATE_WORDS), np.uint64)

    bits: dict[str, Any] = {"dtype": np.dtype(np.uint64), "domain": DRAW}
    halves = {"dtype": np.dtype(np.uint32), "domain": SPAWN}
    lanes = np.arange(3, dtype=np.uint64)
    return [
        ((state(), np.uint64(0)), {"shape": (), **bits}),
        ((state(), np.uint64(5)), {"shape": (2, 3), **halves}),
        ((state(), lanes), {"shape": (3,), **bits}),
        ((state(2, 1), lanes), {"shape": (40,), **bits}),
        ((state(2), np.uint64(1)), {"shape": (0,), **halves}),
    ]


random_bits: Primitive = general(
    name="random_bits",
    value=_bits_value,
    jvp=lambda y, xs, dxs, params: None,
    pull=NotDifferentiable("random_bits gives integers, which have no derivative"),
    reads=(None, None),
    batch=_bits_batch,
    fresh=True,
    infer=lambda state, lane, shape, dtype, domain: Aval(
        (*np.broadcast_shapes(state.shape[:-1], lane.shape), *shape), dtype
    ),
    doc=Doc(
        "Random bits of a generator's state (key, blocks used, children spawned), in stream "
        "`lane`: Philox4x64-10.",
        (Interval(), Interval()),
        source=SOURCE,
    ),
    samples=_bits_samples,
)


def below(high: Any, low: Any, span: Any) -> Any:
    """⌊w span / 2¹²⁸⌋ of the 128-bit number w with these halves; span 0 stands for 2⁶⁴.

    No value is more likely than another by more than a part in 2⁶⁴.
    """
    top, rest = product(high, span)
    carried, _ = product(low, span)
    overflow = np.less(rest + carried, carried).astype(np.uint64)
    return np.where(np.equal(span, 0), high, top + overflow)


def _integers_value(a: Any, b: Any, c: Any, d: Any, dtype: Any) -> Any:
    low, last = np.asarray(c), np.asarray(d)
    if np.any(low > last):
        raise ValueError(f"no integer lies from low = {low} up to {last}; low must be smaller")
    with np.errstate(over="ignore"):
        start, end = low.astype(np.uint64), last.astype(np.uint64)
        return (start + below(a, b, end - start + np.uint64(1))).astype(dtype)[()]


def _integers_samples(rng: np.random.Generator) -> list[Any]:
    def word(*shape: int) -> Any:
        return rng.integers(0, 2**64 - 1, shape, np.uint64)

    low, last = np.array([-3, 0, 5]), np.array([-3, 2**62, 6])
    ends = np.array(np.iinfo(np.int64).min), np.array(np.iinfo(np.int64).max)
    int64, int8 = np.dtype(np.int64), np.dtype(np.int8)
    return [
        ((word(3), word(3), low, last), {"dtype": int64}),
        ((word(2, 3), word(2, 3), np.array(0), np.array([1, 2, 100])), {"dtype": int8}),
        ((word(4), word(4), *ends), {"dtype": int64}),
    ]


random_integers = elementwise(
    name="random_integers",
    value=_integers_value,
    partials=(None,) * 4,
    complex=False,
    doc=Doc(
        "Integers from c to d, both included, of two words of random bits a and b each.",
        (Interval(),) * 4,
        source="the product method; D. Lemire, ACM Trans. Model. Comput. Simul. 29 (2019) 3, "
        "doi:10.1145/3230636",
    ),
    samples=_integers_samples,
)
