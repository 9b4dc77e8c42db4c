"""Refusals: one line that names the option, what was expected and what was found."""

from __future__ import annotations

import math
from collections.abc import Collection


def one_of(name: str, value: object, options: Collection[str]) -> None:
    """Refuse a value that is not among `options`."""
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name}: expected one of {listed}; found {value!r}")


def positive(name: str, value: object, unit: str) -> None:
    """Refuse anything but a finite number above zero."""
    good = isinstance(value, (int, float)) or hasattr(value, "__float__")
    if not good or not math.isfinite(float(value)) or float(value) <= 0:  # type: ignore[arg-type]
        raise ValueError(f"{name}: expected a finite number of {unit} above 0; found {value!r}")


def whole(name: str, value: object, least: int) -> None:
    """Refuse anything but an integer of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < least:  # type: ignore[call-overload]
        raise ValueError(f"{name}: expected a whole number of at least {least}; found {value!r}")


def count(name: str, found: int, expected: int, axis: str) -> None:
    """Refuse a list of labels whose length is not the axis's."""
    if found != expected:
        raise ValueError(f"{name}: expected {expected} labels, one per {axis}; found {found}")
