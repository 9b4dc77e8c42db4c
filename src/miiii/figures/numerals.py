"""Numbers in the form of the paper's tables: 1/3 where it is exact, 256, 3e-4, else decimals."""

import math
from collections.abc import Callable
from fractions import Fraction

_LARGEST_DENOMINATOR = 10
_LARGEST_FRACTION = 10
_ROUNDING = 4e-16  # relative difference of a fraction and its float, at most


def numeral(value: float) -> str:
    """A number as plain text.

    Example:
        >>> [numeral(value) for value in (1 / 3, 0.33, 256, 3e-4)]
        ['1/3', '0.33', '256', '3e-4']

    Raises:
        ValueError: it is not finite.
    """
    return _number(
        value,
        lambda fraction: f"{fraction.numerator}/{fraction.denominator}",
        lambda mantissa, exponent: f"{mantissa}e{exponent}",
    )


def latex_numeral(value: float) -> str:
    """A number for LaTeX's mathematics mode.

    Raises:
        ValueError: it is not finite.
    """

    def fraction(found: Fraction) -> str:
        sign = "-" if found < 0 else ""
        return rf"{sign}\frac{{{abs(found.numerator)}}}{{{found.denominator}}}"

    def scientific(mantissa: str, exponent: int) -> str:
        return rf"{mantissa} \times 10^{{{exponent}}}"

    return _number(value, fraction, scientific)


def percent(share: float) -> str:
    """A share of power or variance in per cent, with two digits below 10 % as well."""
    return (f"{share:.0%}" if share >= 0.1 else f"{share:.1%}").replace("%", " %")


def plain(value: float) -> float | int:
    """The number as a Python type, whose repr has no type name."""
    return int(value) if isinstance(value, int) else float(value)


def _number(
    value: float,
    fraction: Callable[[Fraction], str],
    scientific: Callable[[str, int], str],
) -> str:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"value is {found}: expected a finite number")
    if found == int(found) and abs(found) < 1e6:
        return str(int(found))
    near = Fraction(found).limit_denominator(_LARGEST_DENOMINATOR)
    exact = near and abs(float(near) - found) <= _ROUNDING * abs(found)
    if exact and abs(found) < _LARGEST_FRACTION:
        return fraction(near)
    digits, power = f"{found:.5e}".split("e")
    if -3 <= int(power) < 6:
        return f"{found:.6g}"
    return scientific(digits.rstrip("0").rstrip("."), int(power))
