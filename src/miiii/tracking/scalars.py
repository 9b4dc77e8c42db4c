"""Which epochs are tracked, and a history's rows as named numbers."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

EVERY_UNTIL = 100
"""Every epoch up to this one is tracked. Later ones lie 0.5 to 2 percent apart: tools draw
no more points than that, and so few do not slow down training."""


def grid_index(epoch: ArrayLike) -> NDArray[np.int64]:
    """Number of grid points up to each epoch.

    The grid is 1, 2, 3, … 100, then every 1, 2, 5, 10, 20, 50, … epochs from 100, 200, 500, 1000,
    2000, 5000, … on. It does not depend on a run's length, so that a run is tracked at the same
    epochs when it is interrupted or made longer.

    Args:
        epoch: 0 or more.
    """
    epochs = np.asarray(epoch, np.int64)
    count, start, scale = np.minimum(epochs, EVERY_UNTIL), EVERY_UNTIL, 1
    while epochs.size and start < epochs.max():
        for step, end in ((1, 2), (2, 5), (5, 10)):
            stop = EVERY_UNTIL * scale * end
            count = count + np.clip(epochs - start, 0, stop - start) // (step * scale)
            start = stop
        scale *= 10
    return count


def is_tracked(epochs: ArrayLike, every: int) -> NDArray[np.bool_]:
    """Whether each epoch of a series is its first one at or after a grid point.

    Args:
        epochs: [E], multiples of `every`.
        every: epochs between neighbours of the series.
    """
    series = np.asarray(epochs, np.int64)
    return grid_index(series) > grid_index(np.maximum(series - every, 0))


def epoch_scalars(
    rows: Mapping[str, NDArray],
    tasks: Sequence[str],
    weights: Sequence[str],
    every: int,
    *,
    regression: bool = False,
) -> Iterator[tuple[int, dict[str, float]]]:
    """The tracked epochs of a history, ascending, each with its numbers by name.

    The names are train_loss/Q, train_accuracy/Q, validation_loss/Q and validation_accuracy/Q for
    each task Q, in the history's units; mean/… for the mean of each over tasks; gradient_norm/W for
    each weight W. In a run that averages its weights, validation_… belongs to the average, and
    validation_raw_loss/Q and validation_raw_accuracy/Q to the raw weights. Numbers that are not
    finite are left out.

    Args:
        rows: a history's arrays by name, from `RunDirectory.history` or from a chunk.
        tasks: [N], names.
        weights: [W], names.
        every: epochs between two validations.
        regression: whether the run has no accuracies.
    """
    found: dict[int, dict[str, float]] = {}
    measures = ("loss",) if regression else ("loss", "accuracy")
    for split, index, step in (("train", "epoch", 1), ("validation", "validation_epoch", every)):
        epochs = rows.get(index)
        if epochs is None or not len(epochs):
            continue
        kept = np.flatnonzero(is_tracked(epochs, step))
        kinds = [kind for kind in (split, f"{split}_raw") if f"{kind}_loss" in rows]
        tables = [(f"{kind}_{name}", tasks, True) for kind in kinds for name in measures]
        tables += [("gradient_norm", weights, False)] if split == "train" else []
        for key, names, averaged in tables:
            for row in kept:
                values = np.asarray(rows[key][row], np.float64)
                scalars = found.setdefault(int(epochs[row]), {})
                named = zip(names, values, strict=True)
                scalars |= {f"{key}/{name}": float(value) for name, value in named}
                if averaged:
                    scalars[f"mean/{key}"] = float(values.mean())
    for epoch in sorted(found):
        finite = {name: value for name, value in found[epoch].items() if np.isfinite(value)}
        yield epoch, finite
