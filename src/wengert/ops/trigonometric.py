"""Trigonometric and hyperbolic functions, their inverses, angles.

Layer: ``ops``, NumPy only; a derivative of ``sinc`` loads SciPy. The sources name the section of
the Digital Library of Mathematical Functions (https://dlmf.nist.gov) that has the derivative. The
differences of squares are written as products, which keep their digits near ±1, and so are complex
square roots, whose branch cuts then lie where those of the function lie.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.primitive import Doc, Interval
from .exponential import inverse
from .families import elementwise
from .fitting import is_complex

DEGREE = math.pi / 180
ANY, UNIT, AWAY = Interval(), Interval(-0.9, 0.9), Interval(0.3, 3.0)


# --- trigonometric --------------------------------------------------------------------------------

sin = elementwise(
    name="sin",
    value=np.sin,
    ufunc=np.sin,
    lower=lambda e, x: e.function("sin", x),
    partials=(lambda x: np.cos(x),),
    doc=Doc("Sine, elementwise, of radians.", source="DLMF 4.20.1"),
    notation="sin {0}",
)
cos = elementwise(
    name="cos",
    value=np.cos,
    ufunc=np.cos,
    lower=lambda e, x: e.function("cos", x),
    partials=(lambda x: -np.sin(x),),
    doc=Doc("Cosine, elementwise, of radians.", source="DLMF 4.20.2"),
    notation="cos {0}",
)
tan = elementwise(
    name="tan",
    value=np.tan,
    ufunc=np.tan,
    partials=(lambda y: 1 + y * y,),
    doc=Doc("Tangent, elementwise, of radians.", (Interval(-1.2, 1.2),), source="DLMF 4.20.3"),
    notation="tan {0}",
)


def _arcsin_partial(x: Any) -> Any:
    return 1 / np.sqrt((1 - x) * (1 + x))


arcsin = elementwise(
    name="arcsin",
    value=np.arcsin,
    ufunc=np.arcsin,
    partials=(_arcsin_partial,),
    doc=Doc("Inverse sine, elementwise, in radians.", (UNIT,), source="DLMF 4.24.7"),
)
arccos = elementwise(
    name="arccos",
    value=np.arccos,
    ufunc=np.arccos,
    partials=(lambda x: -_arcsin_partial(x),),
    doc=Doc("Inverse cosine, elementwise, in radians.", (UNIT,), source="DLMF 4.24.8"),
)
arctan = elementwise(
    name="arctan",
    value=np.arctan,
    ufunc=np.arctan,
    partials=(lambda x: inverse(1 + x * x),),
    doc=Doc("Inverse tangent, elementwise, in radians.", source="DLMF 4.24.9"),
)


def _unit(a: Any, r: Any) -> Any:
    """a / r for r = |(a, b)|; 0 at the origin, in every order."""
    origin = np.equal(r, 0)
    return np.where(origin, 0.0, np.divide(a, np.where(origin, 1.0, r)))


def _turn(a: Any, b: Any) -> Any:
    """a / (a² + b²), without overflow of the squares; 0 at the origin."""
    r = np.hypot(a, b)
    return _unit(_unit(a, r), r)


arctan2 = elementwise(
    name="arctan2",
    value=np.arctan2,
    ufunc=np.arctan2,
    partials=(lambda a, b: _turn(b, a), lambda a, b: -_turn(a, b)),
    complex=False,
    doc=Doc(
        "Angle of the point (b, a), in radians.",
        (AWAY, Interval(-3.0, -0.3)),
        source="DLMF 4.24.9",
        kinks="0 at the origin",
    ),
)
hypot = elementwise(
    name="hypot",
    value=np.hypot,
    ufunc=np.hypot,
    partials=(lambda y, a: _unit(a, y), lambda y, b: _unit(b, y)),
    complex=False,
    doc=Doc("√(a² + b²) without overflow, elementwise.", (AWAY, AWAY), kinks="0 at the origin"),
)


def _sinc_partial(x: Any) -> Any:
    """-π j₁(πx): the spherical Bessel functions have no cancellation at 0, in any order."""
    from .bessel import spherical_jn

    return -math.pi * spherical_jn(1, math.pi * x)


sinc = elementwise(
    name="sinc",
    value=np.sinc,
    partials=(_sinc_partial,),
    doc=Doc("sin(πx) / (πx), 1 at 0, elementwise.", source="DLMF 10.49.3, 10.51.2"),
)

# --- hyperbolic -----------------------------------------------------------------------------------

sinh = elementwise(
    name="sinh",
    value=np.sinh,
    ufunc=np.sinh,
    partials=(lambda x: np.cosh(x),),
    doc=Doc("Hyperbolic sine, elementwise.", source="DLMF 4.34.1"),
)
cosh = elementwise(
    name="cosh",
    value=np.cosh,
    ufunc=np.cosh,
    partials=(lambda x: np.sinh(x),),
    doc=Doc("Hyperbolic cosine, elementwise.", source="DLMF 4.34.2"),
)
tanh = elementwise(
    name="tanh",
    value=np.tanh,
    ufunc=np.tanh,
    lower=lambda e, x: e.function("tanh", x),
    partials=(lambda y: 1 - y * y,),
    doc=Doc("Hyperbolic tangent, elementwise.", source="DLMF 4.34.3"),
    notation="tanh {0}",
)


def _arcsinh_partial(x: Any) -> Any:
    if is_complex(x):
        return 1 / (np.sqrt(1 - 1j * x) * np.sqrt(1 + 1j * x))
    return 1 / np.hypot(x, 1.0)


arcsinh = elementwise(
    name="arcsinh",
    value=np.arcsinh,
    ufunc=np.arcsinh,
    partials=(_arcsinh_partial,),
    doc=Doc("Inverse hyperbolic sine, elementwise.", source="DLMF 4.38.9"),
)
arccosh = elementwise(
    name="arccosh",
    value=np.arccosh,
    ufunc=np.arccosh,
    partials=(lambda x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)),),
    doc=Doc(
        "Inverse hyperbolic cosine, elementwise.", (Interval(1.2, 4.0),), source="DLMF 4.38.10"
    ),
)
arctanh = elementwise(
    name="arctanh",
    value=np.arctanh,
    ufunc=np.arctanh,
    partials=(lambda x: inverse((1 - x) * (1 + x)),),
    doc=Doc("Inverse hyperbolic tangent, elementwise.", (UNIT,), source="DLMF 4.38.11"),
)

# --- angles ---------------------------------------------------------------------------------------


def _scaled(ufunc: Any, factor: float, summary: str) -> Any:
    return elementwise(
        name=ufunc.__name__,
        value=ufunc,
        ufunc=ufunc,
        partials=(lambda: factor,),
        complex=False,
        doc=Doc(summary),
    )


deg2rad = _scaled(np.deg2rad, DEGREE, "Degrees in radians, elementwise.")
radians = _scaled(np.radians, DEGREE, "Degrees in radians, elementwise.")
rad2deg = _scaled(np.rad2deg, 1 / DEGREE, "Radians in degrees, elementwise.")
degrees = _scaled(np.degrees, 1 / DEGREE, "Radians in degrees, elementwise.")
