"""NumPy's functions for handles: the table behind ``__array_function__``, and a namespace with their names."""

from ..core.primitive import REGISTRY
from ..ops import arithmetic, comparison, indexing, products, reduction, shape
from ..ops.array import UFUNCS
from . import reductions, shapes, ufuncs

UFUNCS.update({primitive.ufunc: primitive for primitive in REGISTRY.values() if primitive.ufunc is not None})
