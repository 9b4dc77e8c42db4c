"""Refusals that several measures share."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def finite(name: str, values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """The values as an array of that type, refused where one is not a finite number.

    Args:
        name: how the message calls them.
        values: any shape, at least one value.
        dtype: of the result; None keeps their own.

    Raises:
        ValueError: there are none, or one of them is NaN or infinite.
    """
    array = np.asarray(values, dtype)
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected at least one value")
    usable = np.isfinite(array)
    if not usable.all():
        where = tuple(int(index) for index in np.argwhere(~usable)[0])
        bad = array.size - int(usable.sum())
        raise ValueError(
            f"{name} must be finite: found {bad} of {array.size} values that are not, "
            f"the first {array[where]} at {where}"
        )
    return array


def share_of_one(name: str, value: float) -> float:
    """The value, refused unless 0 < value ≤ 1.

    Raises:
        ValueError: it is outside.
    """
    if not 0 < value <= 1:
        raise ValueError(f"{name} is {value}: expected a share above 0 and at most 1")
    return float(value)


def at_least(name: str, value: int, least: int) -> int:
    """The value, refused below its least.

    Raises:
        ValueError: it is below.
    """
    if value < least:
        raise ValueError(f"{name} is {value}: expected at least {least}")
    return int(value)
