"""Axes of epochs and of values: their scale, limits and ticks."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLAIN = 100  # last epoch below which more than the powers of ten are labelled
_DECADES = 1e3  # ratio of limits from which on powers of ten are enough ticks


def value_limits(
    values: Sequence[NDArray[np.float64]], *, logarithmic: bool = False
) -> tuple[float, float]:
    """Limits of an axis with all finite values (on a logarithmic one, those above 0)."""
    every = np.concatenate([one[np.isfinite(one)] for one in values] or [np.empty(0)])
    every = every[every > 0] if logarithmic else every
    if not every.size:
        return (0.1, 1.0) if logarithmic else (0.0, 1.0)
    low, high = float(every.min()), float(every.max())
    if logarithmic:
        margin = max((high / low) ** 0.04, 1.1)
        return low / margin, high * margin
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def epoch_range(epochs: Sequence[NDArray[np.int64]]) -> tuple[int, int]:
    """The first and the last of several curves' epochs."""
    measured = [one for one in epochs if len(one)]
    first = min((int(one[0]) for one in measured), default=1)
    return first, max([first + 1, *(int(one[-1]) for one in measured)])


def epoch_axis(axes: "Axes", first: int, last: int) -> None:
    """Set a log axis of epochs; epoch 0, if `first` is 0, has a place before it."""
    from matplotlib.ticker import FixedLocator, NullFormatter, StrMethodFormatter

    if first == 0:
        axes.set_xscale("symlog", linthresh=1, linscale=0.3, subs=range(2, 10))
    else:
        axes.set_xscale("log")
    axes.set_xlim(first, last)
    if last < _PLAIN:
        values = range(first, last + 1) if last < 10 else [0, *_one_two_five(1, last)]
        axes.xaxis.set_major_locator(FixedLocator([v for v in values if first <= v <= last]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _one_two_five(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, … and their fractions, from low to high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [m * 10.0**k for k in powers for m in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def log_values(axes: "Axes", low: float, high: float) -> None:
    """Set a log axis of values; over less than three decades its ticks are plain numbers."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_minor_formatter(NullFormatter())
    if high / low >= _DECADES:
        return
    inside = _one_two_five(low, high)
    if len(inside) < 3:
        inside = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(inside))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def log_spaced_rows(epochs: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """Indices of at most `most` rows, about evenly spaced in log epoch, first and last included."""
    if len(epochs) <= most:
        return np.arange(len(epochs))
    wanted = np.geomspace(max(epochs[0], 1), epochs[-1], most)
    return np.unique(np.clip(np.searchsorted(epochs, wanted), 0, len(epochs) - 1))
