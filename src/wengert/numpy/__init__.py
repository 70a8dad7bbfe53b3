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
    sorting,
    trigonometric,
)
from ..ops.array import enter_ufuncs
from . import (
    creation,
    diagonals,
    einsum,
    elementwise,
    joining,
    linalg,
    nans,
    numerics,
    reductions,
    shapes,
    statistics,
    text,
    ufuncs,
)
from . import indexing as elements
from . import products as product_functions
from . import sorting as orders

# importing a module enters its primitives in the registry, its functions in the table
ENTERED = (
    *(arithmetic, comparison, convolution, exponential, indexing, products, reduction),
    *(rounding, shape, sorting, trigonometric, creation, diagonals, einsum, elementwise, elements),
    *(joining, linalg, nans, numerics, orders, product_functions, reductions, shapes, statistics),
    *(text, ufuncs),
)

enter_ufuncs({primitive.ufunc: primitive for primitive in REGISTRY.values() if primitive.ufunc})
