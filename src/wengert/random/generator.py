"""``Generator``: all of it together. Layer: ``random``."""

from __future__ import annotations

from .continuous import Continuous
from .discrete import Discrete
from .gammas import Gammas
from .ordering import Ordering


class Generator(Ordering, Discrete, Gammas, Continuous):
    """Random numbers by NumPy's method names, counter-based (Philox4x64-10).

    Args:
        seed: an int, a sequence of ints, None (entropy of the operating system) or a
            ``np.random.SeedSequence``. Its words are those of ``np.random.Philox(seed)``.

    Attributes:
        state: ``Array`` of uint64, ``(4,)``: key (two words), blocks used, children spawned. It is
            read and written by every draw; a copy of it set again, or a copy of the generator,
            draws the same once more.

    Numbers are float64, or float32 by ``dtype``; plain parameters give plain arrays. Draws
    differentiate in their parameters, which may be values of any transformation; what is discrete
    is a constant. Inside ``vmap`` every example has a stream of its own, and the state advances
    once. ``jacobian`` and ``checkpoint``, which run a function more than once, draw the same each
    time; differences (``numerical``, ``check_grads``) don't: make the generator inside the function
    there.

    Source:
        J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as
        1, 2, 3, SC11 (2011), doi:10.1145/2063384.2063405.

    >>> import copy, wengert as wg
    >>> rng = wg.random.Generator(7)
    >>> again = copy.copy(rng)
    >>> (rng.random(3) == again.random(3)).all()
    np.True_
    >>> rng
    Generator(Philox4x64, key=0x0879c4f0f97e037aead0f7017c326e58, 1 blocks used, 0 children)
    """
