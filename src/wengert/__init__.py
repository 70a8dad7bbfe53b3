"""wengert: automatic differentiation of plain NumPy programs."""

from .core import errors, tree
from .core.aval import Aval
from .core.interpret import in_context
from .differentiate.dynamic import array, no_grad
from .differentiate.forward import jvp
from .differentiate.reverse import grad, value_and_grad, vjp
from .ops.arithmetic import stop_gradient
from .ops.array import Array
from .vectorize import vmap
from . import numpy
