"""Training curves as SVG paths of charts that are stretched to the page's width.

A chart is a square of `SIDE` units. Its text is outside of the SVG, so that it is not stretched.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.parts.curves import Curves, curve_strips

SIDE = 1000
"""Units of a chart along each axis, the origin at its top left."""
POINTS = 240
"""Most log-spaced columns of epochs of a curve."""
LOWEST_LOSS = 1e-8
"""Losses below it are drawn at it, since the axis is logarithmic."""


@dataclass(frozen=True)
class EpochAxis:
    """A logarithmic axis of epochs; epoch 0 is one doubling before epoch 1."""

    last: int
    """The epoch at the right end."""

    def place(self, epoch: float) -> float:
        """The place of an epoch, from 0 (left) to 1 (right)."""
        return (math.log2(max(epoch, 0.5)) + 1) / (math.log2(max(self.last, 1)) + 1)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(place, text): 0 and the powers of ten."""
        decades = [10**k for k in range(len(str(self.last)))]
        return tuple((self.place(epoch), f"{epoch:,}") for epoch in (0, *decades))


@dataclass(frozen=True)
class Chart:
    """The curves of one measure for all tasks."""

    title: str
    lines: tuple[str, ...]
    """[N]: SVG path data per task; empty without values."""
    mean: str
    """Path data of the mean over tasks."""
    ticks: tuple[tuple[float, str], ...]
    """(place, text) along the value's axis: 0 at the bottom, 1 at the top."""


def charts(curves: Curves) -> tuple[EpochAxis, tuple[Chart, ...]]:
    """Accuracy and loss, on validation and on training numbers, on one axis of epochs.

    Args:
        curves: of a run of a task with classes.

    Returns:
        The axis and the charts; those of validation are left out without a validation.
    """
    (strip,) = curve_strips(curves, most=POINTS)
    axis = EpochAxis(int(curves.epoch[-1]))
    middle = np.sqrt(np.maximum(strip.columns.first, 0.5) * np.maximum(strip.columns.last, 0.5))
    places = [axis.place(float(epoch)) for epoch in middle]
    dropout = ", dropout on" if curves.dropout else ""
    losses = [table for table in (strip.validation_loss, strip.train_loss) if table is not None]
    levels = _decades(np.concatenate([table.mean(axis=1) for table in losses]))
    found = []
    for name, accuracy, loss in (
        ("Validation", strip.validation_accuracy, strip.validation_loss),
        (f"Training{dropout}", strip.train_accuracy, strip.train_loss),
    ):
        if accuracy is not None:
            ticks = tuple((tick, f"{tick:g}") for tick in (0.0, 0.5, 1.0))
            found.append(_chart(f"{name}: accuracy", places, accuracy, ticks))
        if loss is not None:
            found.append(_loss_chart(f"{name}: loss, guessing = 1", places, loss, levels))
    return axis, tuple(found)


def _loss_chart(
    title: str, places: Sequence[float], loss: NDArray[np.float64], levels: tuple[int, int]
) -> Chart:
    low, high = levels
    heights = (np.log10(np.maximum(loss, LOWEST_LOSS)) - low) / (high - low)
    mean = (np.log10(np.maximum(loss.mean(axis=1), LOWEST_LOSS)) - low) / (high - low)
    step = math.ceil((high - low) / 4)
    ticks = tuple(
        ((power - low) / (high - low), _power_of_ten(power)) for power in range(low, high + 1, step)
    )
    return _chart(title, places, heights, ticks, mean)


def _chart(
    title: str,
    places: Sequence[float],
    heights: NDArray[np.float64],
    ticks: tuple[tuple[float, str], ...],
    mean: NDArray[np.float64] | None = None,
) -> Chart:
    middle = heights.mean(axis=1) if mean is None else mean
    return Chart(
        title=title,
        lines=tuple(path(places, column) for column in heights.T),
        mean=path(places, middle),
        ticks=ticks,
    )


def path(places: Sequence[float], heights: NDArray[np.float64]) -> str:
    """SVG path data through points, with a gap where a height is not finite.

    Args:
        places: [C], 0 at the left to 1 at the right.
        heights: [C], 0 at the bottom to 1 at the top; others are clipped.
    """
    words, drawing = [], False
    for place, height in zip(places, heights, strict=True):
        if not np.isfinite(height):
            drawing = False
            continue
        x, y = round(SIDE * place), round(SIDE * (1 - min(max(height, 0.0), 1.0)))
        words.append(f"{'L' if drawing else 'M'}{x} {y}")
        drawing = True
    return "".join(words)


def _decades(values: NDArray[np.float64]) -> tuple[int, int]:
    """Powers of ten around the means over tasks, with one more below for single tasks."""
    usable = np.maximum(values[np.isfinite(values)], LOWEST_LOSS)
    if not usable.size:
        return -1, 0
    return math.floor(np.log10(usable.min())) - 1, math.ceil(np.log10(usable.max()))


def _power_of_ten(power: int) -> str:
    """A power of ten such as 10⁻³; a plain number from 0.01 to 1000."""
    if -2 <= power <= 3:
        return f"{10.0**power:g}"
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
