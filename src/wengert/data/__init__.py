"""Data to train on: real digits that packages carry, a user's own files, splits and mini-batches.

Everything here is plain NumPy, before any derivative. ``digits`` reads data sets that come with
Python packages (nothing is downloaded), ``load_csv`` and ``load_npz`` read files, ``split`` keeps
rows aside for the test, ``batches`` hands out the rest. ``load`` is the first three in one.

Layer: beside ``nn``, ``optim`` and ``io``; uses ``core`` for its errors only.

>>> from wengert.data import batches, digits
>>> import numpy as np
>>> data = digits("sklearn")
>>> data
Split('sklearn': 1438 train + 359 test, x float32 (64,) in [0, 1], 10 classes, images 8x8)
>>> x, y = next(batches(data.train_x, data.train_y, 32, np.random.default_rng(0)))
>>> x.shape, y.shape
((32, 64), (32,))
"""

from .files import load_csv, load_npz
from .sources import digits, load
from .splits import Split, batches, split

__all__ = ["Split", "batches", "digits", "load", "load_csv", "load_npz", "split"]
