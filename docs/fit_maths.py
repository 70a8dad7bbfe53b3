"""Writes src/wengert/static/llvm/maths/coefficients.py: ``python docs/fit_maths.py``.

Every polynomial of the compiled elementary functions is the minimax one: among those of its degree
the one whose largest weighted error is the smallest, found by Remez' exchange algorithm in 50
digits on a fine grid (E. Ya. Remez, 1934; J.-M. Muller, Elementary Functions, 2016, chapter 3).
The weight turns an error of the polynomial into a relative error of the function. The error that is
left stands beside each polynomial; the tests hold the functions to it and to their rounding.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mpmath import mp, mpf

TARGET = Path(__file__).parent.parent / "src/wengert/static/llvm/maths/coefficients.py"
GRID = 40  # points of the grid for one coefficient
mp.dps = 50

HEAD = '''"""The coefficients of the minimax polynomials, lowest power first.

Written by docs/fit_maths.py. Each field says what the polynomial stands for and in which variable.
Layer: ``static``.
"""

from typing import NamedTuple

Polynomial = tuple[float, ...]


class Coefficients(NamedTuple):
    """The polynomials of one format.

    Attributes:
'''


def horner(coefficients: Sequence[mpf], x: mpf) -> mpf:
    """The polynomial at ``x``; lowest power first."""
    total = mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


class Fit(NamedTuple):
    """A function to be approximated.

    Attributes:
        says: what the polynomial stands for.
        function: of the polynomial's variable.
        weight: what an error of the polynomial is multiplied with.
        double, single: for each format the interval of the variable and the number of coefficients.
    """

    says: str
    function: Callable[[mpf], mpf]
    weight: Callable[[mpf], mpf]
    double: tuple[float, float, int]
    single: tuple[float, float, int]


def alternation(errors: Sequence[mpf], count: int) -> list[int]:
    """``count`` places where the error is extremal, with signs that alternate."""
    peaks = [0]
    for i in range(1, len(errors)):
        if errors[i] * errors[peaks[-1]] < 0:
            peaks.append(i)
        elif abs(errors[i]) > abs(errors[peaks[-1]]):
            peaks[-1] = i
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks


def minimax(fit: Fit, low: float, high: float, count: int) -> tuple[list[mpf], mpf]:
    """The coefficients, and the largest weighted error."""
    size = GRID * count
    middle, radius = (mpf(high) + mpf(low)) / 2, (mpf(high) - mpf(low)) / 2
    grid = [middle - radius * mp.cos(mp.pi * (i + mpf(1) / 2) / size) for i in range(size)]
    values, weights = [fit.function(x) for x in grid], [fit.weight(x) for x in grid]
    at = [round(i * (size - 1) / count) for i in range(count + 1)]
    for _ in range(30):
        rows = [
            [grid[i] ** j for j in range(count)] + [(-1) ** k / weights[i]]
            for k, i in enumerate(at)
        ]
        *found, level = mp.lu_solve(mp.matrix(rows), mp.matrix([values[i] for i in at]))
        errors = [w * (v - horner(found, x)) for x, v, w in zip(grid, values, weights, strict=True)]
        largest = max(abs(error) for error in errors)
        if largest < abs(level) * mpf("1.001"):
            return found, largest
        at = alternation(errors, count + 1)
    raise ArithmeticError(f"{fit.says}: the exchange did not settle")


def odd(function: Callable[[mpf], mpf]) -> Callable[[mpf], mpf]:
    """``function`` of the root of its variable."""
    return lambda z: function(mp.sqrt(z))


HALF_LN2 = 0.34658
QUARTER_PI2 = 0.6169
ROOT2 = 0.029438  # the largest s² where s = (m - 1) / (m + 1) and m is between √½ and √2

FITS = {
    "expm1": Fit(
        "(exp(r) - 1 - r) / r² in r",
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / abs(mp.expm1(r)),
        (-HALF_LN2, HALF_LN2, 10),
        (-HALF_LN2, HALF_LN2, 5),
    ),
    "log": Fit(
        "(log((1 + s) / (1 - s)) - 2 s) / s³ in s²",
        odd(lambda s: 2 * (mp.atanh(s) - s) / s**3),
        lambda z: z / 2,
        (0, ROOT2, 7),
        (0, ROOT2, 3),
    ),
    "atanh": Fit(
        "3 (atanh(s) / s - 1 - s²/3) / s⁴ in s²",
        odd(lambda s: 3 * (mp.atanh(s) / s - 1 - s**2 / 3) / s**4),
        lambda z: z**2 / 3,
        (0, ROOT2, 7),
        (0, ROOT2, 3),
    ),
    "sin": Fit(
        "(sin(r) - r) / r³ in r²",
        odd(lambda r: (mp.sin(r) - r) / r**3),
        odd(lambda r: r**3 / mp.sin(r)),
        (0, QUARTER_PI2, 6),
        (0, QUARTER_PI2, 3),
    ),
    "cos": Fit(
        "(cos(r) - 1 + r²/2) / r⁴ in r²",
        odd(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4),
        odd(lambda r: r**4 / mp.cos(r)),
        (0, QUARTER_PI2, 6),
        (0, QUARTER_PI2, 3),
    ),
    "erf": Fit(
        "erf(x) / x - 1 in x², up to x = 1",
        odd(lambda x: mp.erf(x) / x - 1),
        odd(lambda x: x / mp.erf(x)),
        (0, 1, 12),
        (0, 1, 7),
    ),
    "erfc": Fit(
        "-log(1 - erf(x)) in x - 1, from x = 1 to where erf(x) rounds to 1",
        lambda t: -mp.log(mp.erfc(1 + t)),
        lambda t: mp.erfc(1 + t) / mp.erf(1 + t),
        (0, 4.95, 18),
        (0, 2.95, 6),
    ),
}


def number(value: mpf, single: bool) -> str:
    """The nearest number of the format, in as few digits as tell it from its neighbours."""
    return str(np.float32(float(value))) if single else repr(float(value))


def polynomial(name: str, single: bool) -> str:
    fit = FITS[name]
    found, error = minimax(fit, *(fit.single if single else fit.double))
    lines = "".join(f"        {number(c, single)},\n" for c in found)
    return f"    {name}=(  # error 2^{float(mp.log(error, 2)):.1f}\n{lines}    ),\n"


def page() -> str:
    """The text of coefficients.py."""
    says = "".join(f"        {name}: {fit.says}.\n" for name, fit in FITS.items())
    fields = "".join(f"    {name}: Polynomial\n" for name in FITS)
    formats = "".join(
        f"\n{name} = Coefficients(\n{''.join(polynomial(fit, single) for fit in FITS)})\n"
        for name, single in (("DOUBLE", False), ("SINGLE", True))
    )
    return f'{HEAD}{says}    """\n\n{fields}\n{formats}'


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
