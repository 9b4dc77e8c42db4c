"""Refusals that several measures share."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def finite(name: str, values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """The values as an array, refused where one is not finite.

    Args:
        name: of the values in the message.
        values: any shape, at least one value.
        dtype: of the result; None keeps the values' own.

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
    """The value, refused below its least value.

    Raises:
        ValueError: it is below.
    """
    if value < least:
        raise ValueError(f"{name} is {value}: expected at least {least}")
    return int(value)


def chosen_numbers(numbers: ArrayLike | None, domain: int) -> NDArray[np.int64]:
    """Some numbers of the domain, all of them by default.

    Raises:
        ValueError: there are none, or one is outside 0 … domain − 1.
    """
    if numbers is None:
        return np.arange(domain)
    chosen = np.asarray(numbers)
    if chosen.ndim != 1 or chosen.size == 0 or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError("numbers must be a list of whole numbers, at least one")
    if chosen.min() < 0 or chosen.max() >= domain:
        raise ValueError(
            f"numbers has {chosen.min() if chosen.min() < 0 else chosen.max()}: "
            f"each must be from 0 to p² − 1 = {domain - 1}"
        )
    return chosen.astype(np.int64)
