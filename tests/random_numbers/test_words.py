"""The words: known answers, NumPy's streams, exact products."""

import numpy as np
import pytest

from wengert.ops import philox
from wengert.ops.random import below

from .laws import Generator

# published with the authors' implementation (Random123): counter, key, block
ANSWERS = [
    (
        [0, 0, 0, 0],
        [0, 0],
        [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
    ),
    (
        [2**64 - 1] * 4,
        [2**64 - 1] * 2,
        [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
    ),
    (
        [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
        [0x452821E638D01377, 0xBE5466CF34E90C6C],
        [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
    ),
]


@pytest.mark.parametrize(("counter", "key", "block"), ANSWERS)
def test_known_answers(counter, key, block):
    counter, key = np.array(counter, np.uint64), np.array(key, np.uint64)
    assert philox.blocks(counter, key).tolist() == block
    assert philox.blocks(np.stack([counter] * 3), key)[2].tolist() == block


@pytest.mark.parametrize("count", [0, 1, 4, 9, 31, 32, 100])
def test_many_streams_are_numpys(count):
    rng = np.random.default_rng(0)
    key = rng.integers(0, 2**63, (2, 3, 2), np.uint64)
    counter = rng.integers(0, 2**63, (2, 3, 4), np.uint64)
    words = philox.streams(key, counter, count)
    for i in np.ndindex(2, 3):
        expected = np.random.Philox(key=key[i], counter=counter[i]).random_raw(count)
        assert (words[i] == expected).all()


@pytest.mark.parametrize("seed", [0, 12345678901234567890, [1, 2, 3], np.random.SeedSequence(5)])
def test_words_are_those_of_numpys_philox(seed):
    rng, theirs = Generator(seed), np.random.Philox(seed)
    assert (rng.bits((8,)) == theirs.random_raw(8)).all()
    assert (rng.bits((2, 2)) == theirs.random_raw(4).reshape(2, 2)).all()


def test_uniform_numbers_are_numpys():
    assert (Generator(3).random(40) == np.random.Generator(np.random.Philox(3)).random(40)).all()


def test_halves_of_words():
    words = Generator(1).bits((3,))
    halves = Generator(1).bits((5,), np.uint32)
    assert halves.dtype == np.uint32
    assert halves.tolist() == [int(words[i // 2]) >> 32 * (i % 2) & 0xFFFFFFFF for i in range(5)]


def test_products_are_exact():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2**64 - 1, (2, 200), np.uint64, endpoint=True)
    a[:3], b[:3] = 2**64 - 1, [2**64 - 1, 0, 1]
    high, low = philox.product(a, b)
    for i in range(200):
        assert int(a[i]) * int(b[i]) == int(high[i]) << 64 | int(low[i])


def test_integers_below_are_the_product_of_128_bits():
    rng = np.random.default_rng(2)
    high, low = rng.integers(0, 2**64 - 1, (2, 300), np.uint64, endpoint=True)
    span = rng.integers(1, 2**64 - 1, 300, np.uint64)
    span[:100], low[:50] = span[:100] >> np.uint64(40), 2**64 - 1
    got = below(high, low, span)
    for i in range(300):
        assert int(got[i]) == (int(high[i]) << 64 | int(low[i])) * int(span[i]) >> 128
    assert (below(high, low, np.uint64(0)) == high).all()
