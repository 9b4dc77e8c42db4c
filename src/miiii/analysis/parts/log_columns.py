"""Epochs gathered into log-spaced columns, so that a curve of any length fits a heat strip.

Early log-spaced columns would be narrower than an epoch, or than the distance of two measurements.
Such a column is widened until it holds a measurement of every curve, and the remaining columns
divide the rest of the log axis evenly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least

MOST = 64
"""Columns at most: with 29 rows of 64 square cells, labels on a page remain readable."""


@dataclass(frozen=True)
class LogColumns:
    """C columns that follow each other without a gap."""

    first: NDArray[np.int64]
    """[C]: the first epoch of each column."""
    last: NDArray[np.int64]
    """[C]: the last one, included; the next column's first is one more."""

    def __len__(self) -> int:
        return len(self.first)

    @property
    def ticks(self) -> dict[int, str]:
        """Column to label, for the columns that hold the epochs 0, 1, 2, 5, 10, 20 and so on.

        Powers of ten are labelled and the others have an empty label; with fewer than three powers
        all are labelled. Of several values in one column the last counts.
        """
        start, end = int(self.first[0]), int(self.last[-1])
        decades = [10**k for k in range(len(str(end)))]
        rounds = [m * decade for decade in decades for m in (1, 2, 5)]
        values = range(end + 1) if end < 10 else [0, *rounds]
        column = {
            value: int(np.searchsorted(self.last, value))
            for value in values
            if start <= value <= end
        }
        tens = {column[value]: f"{value:,}" for value in decades if value in column}
        if len(tens) < 3:
            return {place: f"{value:,}" for value, place in column.items()}
        return dict.fromkeys(column.values(), "") | tens


@dataclass(frozen=True)
class Strip:
    """N curves over log-spaced columns, as a heat strip shows them."""

    labels: tuple[str, ...]
    """[N]: a name per curve."""
    columns: LogColumns
    """C of them."""
    values: NDArray[np.float64]
    """[C, N]: mean over the column's measurements, in the curves' own unit; NaN where a column has
    none."""


def log_columns(*epochs: ArrayLike, most: int = MOST) -> LogColumns:
    """Choose columns for one or several curves.

    Every column holds a measurement of every curve that still lasts. A curve lasts until one of its
    steps after its last measurement.

    Args:
        epochs: of each curve's measurements, ascending; curves without any are left out.
        most: columns at most; there are fewer where there are fewer measurements.

    Raises:
        ValueError: there is no epoch at all, epochs do not ascend or are negative, or most is
            below 1.
    """
    at_least("most", most, 1)
    curves = [ascending(one) for one in epochs if np.size(one)]
    if not curves:
        raise ValueError("epochs: expected at least one measurement, found 0")
    end = max(int(curve[-1]) for curve in curves)
    lasting = [
        min(end, int(2 * curve[-1] - curve[-2 if len(curve) > 1 else -1])) for curve in curves
    ]
    starts, stops = [], []
    at = min(int(curve[0]) for curve in curves)
    while at <= end:
        left = most - len(starts)
        stop = end if left == 1 else max(at, round(at * ((end + 1) / max(at, 1)) ** (1 / left)) - 1)
        stop = _enough(curves, lasting, at, stop)
        starts.append(at)
        stops.append(stop)
        at = stop + 1
    return LogColumns(np.array(starts, np.int64), np.array(stops, np.int64))


def strip(
    epochs: ArrayLike,
    values: ArrayLike,
    labels: Sequence[str],
    columns: LogColumns | None = None,
    *,
    most: int = MOST,
) -> Strip:
    """Gather curves into columns.

    Args:
        epochs: [E], ascending.
        values: [E, N]; one that is not finite makes its column NaN.
        labels: [N].
        columns: default: `log_columns` of these epochs.
        most: columns at most, where `columns` is not given.

    Raises:
        ValueError: shapes do not match, or as in `log_columns`.
    """
    array, at = np.asarray(values, np.float64), ascending(epochs)
    if array.shape != (len(at), len(labels)):
        raise ValueError(
            f"values have shape {array.shape}: expected [epochs, labels] = "
            f"({len(at)}, {len(labels)})"
        )
    columns = log_columns(at, most=most) if columns is None else columns
    gathered = np.full((len(columns), len(labels)), np.nan)
    begins = np.searchsorted(at, columns.first)
    ends = np.searchsorted(at, columns.last, side="right")
    for column, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if end > begin:
            gathered[column] = array[begin:end].mean(axis=0)
    gathered[~np.isfinite(gathered)] = np.nan
    return Strip(tuple(labels), columns, gathered)


def ascending(epochs: ArrayLike) -> NDArray[np.int64]:
    """Epochs as an array [E].

    Raises:
        ValueError: they are not a list of ascending whole numbers from 0.
    """
    array = np.asarray(epochs)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(
            f"epochs have shape {array.shape} and type {array.dtype}: expected [E] whole numbers"
        )
    array = array.astype(np.int64)
    if (np.diff(array) <= 0).any():
        raise ValueError("epochs must ascend: found one that is not above the one before it")
    if array.size and array[0] < 0:
        raise ValueError(f"epochs must be at least 0: found {array[0]}")
    return array


def _enough(curves: list[NDArray[np.int64]], lasting: list[int], at: int, stop: int) -> int:
    """The nearest end, from `stop` on, of a column from `at` that every lasting curve is in."""
    while True:
        needed = stop
        for curve, until in zip(curves, lasting, strict=True):
            if at > until:
                continue
            following = curve[np.searchsorted(curve, at) :]
            if len(following):
                needed = max(needed, int(following[0]))
            if needed < until and curve[-1] <= needed:
                needed = until
        if needed == stop:
            return stop
        stop = needed
