"""NumPy's functions for handles: the table behind ``__array_function__``, and a namespace with
their names.
"""

from ..core.primitive import REGISTRY
from ..ops import (
    arithmetic,
    comparison,
    convolution,
    exponential,
    indexing,
    products,
    reduction,
    rounding,
    shape,
    trigonometric,
)
from ..ops.array import enter_ufuncs
from . import elementwise, numerics, reductions, shapes, ufuncs

# importing a module enters its primitives in the registry, its functions in the table
ENTERED = (
    *(arithmetic, comparison, convolution, exponential, indexing, products, reduction),
    *(rounding, shape, trigonometric, elementwise, numerics, reductions, shapes, ufuncs),
)

enter_ufuncs({primitive.ufunc: primitive for primitive in REGISTRY.values() if primitive.ufunc})
