"""Random numbers that transformations understand: ``random.Generator``, with NumPy's methods.

Counter-based: a draw is a pure function of the generator's ``state``, an ``Array`` of four words
that it then advances. So draws are equations as any others: recorded and run again on the same
state they give the same bits, and every example of a ``vmap`` has a stream of its own. What is
drawn differentiates in the parameters of its distribution. Layer: above ``scipy``, below ``nn``.

>>> import numpy as np, wengert as wg
>>> rng = wg.random.Generator(0)
>>> rng.normal(size=2)
array([-2.1954118, -0.6502442])
>>> wg.grad(lambda scale: rng.normal(2.0, scale))(3.0)  # the standard normal number itself
2.036192791080973
"""

from .generator import Generator

__all__ = ["Generator"]
