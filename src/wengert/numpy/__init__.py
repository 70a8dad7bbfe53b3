"""NumPy's functions for handles: the table behind ``__array_function__``, and a namespace with
their names.

``wengert.numpy.sum`` is ``np.sum``: NumPy's own functions know handles. What is wengert's here is
what NumPy's protocols can't reach: ``array``, ``asarray``, and arrays made from nothing.
"""

from typing import Any

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
    contraction,
    covariance,
    creation,
    diagonals,
    elementwise,
    indexing,
    joining,
    linear_algebra,
    namespace,
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
from . import (
    linalg as linalg,
)

# importing a module enters its primitives in the registry, its functions in the table
ENTERED = (
    *(arithmetic, comparison, convolution, exponential, ops_indexing, ops_products, ops_sorting),
    *(reduction, rounding, shape, trigonometric),
    *(
        covariance,
        contraction,
        creation,
        diagonals,
        elementwise,
        indexing,
        joining,
        linear_algebra,
        nans,
        numerics,
    ),
    *(products, reductions, sets, shapes, sorting, statistics, text, ufuncs),
)

enter_ufuncs({primitive.ufunc: primitive for primitive in REGISTRY.values() if primitive.ufunc})


def __getattr__(name: str) -> Any:
    return namespace.attribute(name)


def __dir__() -> list[str]:
    return namespace.names()
