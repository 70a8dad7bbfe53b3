"""NumPy's functions for handles: the table behind ``__array_function__``, and a namespace with
their names.
"""

from ..core.primitive import REGISTRY
from ..ops import (
    arithmetic,
    comparison,
    convolution,
    exponential,
    reduction,
    rounding,
    shape,
    trigonometric,
)
from ..ops import indexing as ops_indexing
from ..ops import products as ops_products
from ..ops import sorting as ops_sorting
from ..ops.array import enter_ufuncs
from . import (
    covariance,
    creation,
    diagonals,
    einsum,
    elementwise,
    indexing,
    joining,
    linalg,
    nans,
    numerics,
    products,
    reductions,
    sets,
    shapes,
    sorting,
    statistics,
    text,
    ufuncs,
)

# importing a module enters its primitives in the registry, its functions in the table
ENTERED = (
    *(arithmetic, comparison, convolution, exponential, ops_indexing, ops_products, ops_sorting),
    *(reduction, rounding, shape, trigonometric),
    *(
        covariance,
        creation,
        diagonals,
        einsum,
        elementwise,
        indexing,
        joining,
        linalg,
        nans,
        numerics,
    ),
    *(products, reductions, sets, shapes, sorting, statistics, text, ufuncs),
)

enter_ufuncs({primitive.ufunc: primitive for primitive in REGISTRY.values() if primitive.ufunc})
