"""When the complex step can be believed: real functions of real numbers, analytic in between.

The complex step has no error of its own but fails without a sign where a function takes complex
numbers and is not analytic, so each use is checked once against differences along one direction, at
the cost of three evaluations. Layer: ``core``, ``differences`` and ``black_box`` only.

Source: J. R. R. A. Martins, P. Sturdza, J. J. Alonso, ACM TOMS 29 (2003) 245,
doi:10.1145/838250.838251, section 3 (which functions break it).
"""

import numpy as np

from ..core.errors import DtypeError, GradientError
from .black_box import BlackBox
from .differences import Vector, first_derivative


def require_real(box: BlackBox) -> None:
    """Raise where the complex step has no meaning: complex arguments or results."""
    varying = [leaf.array.dtype for leaf in box.leaves if leaf.array is not None]
    for name, dtypes in (("arguments", varying), ("results", box.output.dtypes)):
        if any(dtype.kind == "c" for dtype in dtypes):
            raise DtypeError(
                f'{box.name}, method="complex": the complex step differentiates real functions of '
                f'real numbers, and the {name} are complex; use method="central" or "richardson"'
            )


def check_analytic(box: BlackBox, tangents: dict[int, Vector]) -> None:
    """Raise where the complex step along ``tangents`` disagrees with differences.

    ``abs``, ``conj``, ``real`` and silent casts make a function that takes complex numbers and is
    not analytic: its complex step is wrong without a sign of it.
    """
    ray = box.direction(tangents)
    slope, _ = first_derivative(ray, "complex", None)
    rough, _ = first_derivative(ray, "central", None)
    tolerance = 1e-3 * np.abs(slope) + 1e3 * ray.eps * np.abs(box.base) / ray.scale
    with np.errstate(invalid="ignore"):
        if not np.any(np.abs(rough - slope) > tolerance):
            return
        good, error = first_derivative(ray, "richardson", None)
        wrong = np.abs(good - slope) > 10 * error + tolerance
    if wrong.any():
        n = int(np.argmax(wrong))
        raise GradientError(
            f'{box.name}, method="complex": along one direction the complex step gives '
            f"{slope[n]:.6g} and differences give {good[n]:.6g}: f is not analytic there (abs, "
            'conj, real, a norm, a kink, a cast to float); use method="central" or "richardson"'
        )


def probe(box: BlackBox) -> dict[int, Vector]:
    """A direction in which every number moves, by ±1 or ±1/2: few bits keep x + t dx exact."""
    rng = np.random.default_rng(0)
    arrays = {n: leaf.array for n, leaf in enumerate(box.leaves) if leaf.array is not None}
    return {n: rng.choice([-1.0, -0.5, 0.5, 1.0], array.shape) for n, array in arrays.items()}
