"""π and log 2 to 1,300 bits, and numbers cut into parts. Layer: ``static``.

A reduction that takes multiples of such a constant off needs more of it than one floating-point
number holds: Cody & Waite, Software Manual for the Elementary Functions (1980), chapters 6 and 8.
"""

from fractions import Fraction

Parts = tuple[float, ...]

PRECISION = 1300  # bits: what π/2 needs for float64's largest number, and some to spare


def _arctan_reciprocal(n: int, sign: int) -> int:
    """arctan(1/n), or artanh(1/n) where ``sign`` is 1, times 2^(PRECISION + 32)."""
    power = total = (1 << (PRECISION + 32)) // n
    divisor, square = 1, n * n
    while power:
        power //= square * sign
        divisor += 2
        total += power // divisor
    return total


def _fraction(scaled: int) -> Fraction:
    return Fraction(scaled >> 32, 1 << PRECISION)


PI = _fraction(16 * _arctan_reciprocal(5, -1) - 4 * _arctan_reciprocal(239, -1))  # Machin, 1706
LN2 = _fraction(2 * _arctan_reciprocal(3, 1))


def split(value: Fraction, *widths: int) -> Parts:
    """``value`` > 0 as numbers of so many bits each, and one more that rounds the rest."""
    parts = []
    for width in widths:
        digits = value.numerator.bit_length() - value.denominator.bit_length()
        scale = Fraction(2) ** (width - 1 - digits)
        parts.append(Fraction(int(value * scale)) / scale)
        value -= parts[-1]
    return (*map(float, parts), float(value))
