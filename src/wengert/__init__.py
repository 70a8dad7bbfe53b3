"""wengert: automatic differentiation of plain NumPy programs.

Plain NumPy in, exact derivatives out: ``grad``, ``jvp``, ``vjp``, ``vmap`` and their kin take a
function written with ``import numpy as np``; ``array(..., requires_grad=True)`` and ``backward``
build dynamic graphs; ``trace`` shows every step.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import numpy
from .core import errors, tree
from .core.aval import Aval
from .core.interpret import in_context
from .core.late import LATE
from .differentiate.custom import checkpoint, custom_jvp, custom_vjp
from .differentiate.dynamic import array, no_grad
from .differentiate.forward import jvp, linearize
from .differentiate.jacobian import hessian, hvp, jacobian
from .differentiate.reverse import grad, value_and_grad, vjp
from .ops.arithmetic import stop_gradient
from .ops.array import Array
from .vectorize import vmap

__version__ = "0.1.0"
__all__ = [
    "Array",
    "Aval",
    "array",
    "capture",
    "check_grads",
    "checkpoint",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "errors",
    "fori_loop",
    "grad",
    "hessian",
    "hvp",
    "in_context",
    "jacobian",
    "jvp",
    "linearize",
    "no_grad",
    "numerical",
    "numpy",
    "scan",
    "stop_gradient",
    "trace",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]

_MODULES = {"nn", "optim", "data", "explain", "random", "scipy", "training"}
_ON_FIRST_USE = {  # what a plain gradient does not need
    **{name: name for name in _MODULES},
    "numerical": "differentiate.numerical",
    "check_grads": "differentiate.check",
    "trace": "explain.trace",
    "cond": "control.branch",
    "fori_loop": "control.scans",
    "scan": "control.scans",
    "while_loop": "control.whiles",
    "compile": "static.capture",
    "capture": "static.graph",
    "name": "static.naming",
    "get_num_threads": "static.threads",
    "set_num_threads": "static.threads",
}
_STATIC = {"capture", "compile", "get_num_threads", "name", "set_num_threads"}
_CONTROL = {"cond", "fori_loop", "scan", "while_loop"}
_FUNCTIONS = {"check_grads", "trace", *_CONTROL, *_STATIC}  # of these, what is no module
_OTHER_NAMES = {
    "jit": "wengert.compile",
    "tensor": "wengert.array",
    "Tensor": "wengert.Array; make one with wengert.array",
    "jacrev": "wengert.jacobian(f, mode='reverse')",
    "jacfwd": "wengert.jacobian(f, mode='forward')",
    "remat": "wengert.checkpoint",
}


def _draw(what: Any, *args: Any, **options: Any) -> Any:
    """``explain.draw``, which the graphs of earlier layers hand on to."""
    from .explain.draw import draw

    return draw(what, *args, **options)


LATE["draw"] = _draw


def __getattr__(name: str) -> Any:
    if name in _ON_FIRST_USE:
        module = importlib.import_module(f".{_ON_FIRST_USE[name]}", __name__)
        return getattr(module, name) if name in _FUNCTIONS else module
    if name in _OTHER_NAMES:
        raise AttributeError(f"wengert has no {name!r}: here it is {_OTHER_NAMES[name]}")
    raise AttributeError(f"module 'wengert' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_ON_FIRST_USE, "__version__"})
