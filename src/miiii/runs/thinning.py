"""Fewer epochs: of a history, small enough to keep in a repository; of snapshots, to look at."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from miiii.runs.segments import index_key


def thin_history(history: Mapping[str, np.ndarray], most: int) -> dict[str, np.ndarray]:
    """Keep at most `most` rows of every array: half evenly spaced in log epoch, half in epoch.

    Args:
        history: as `runs.history.read_history` gives it.
        most: at least 2; the first and the last row are always kept.

    Returns:
        The same keys, each with the rows of the epochs that its index array still names.

    Raises:
        ValueError: fewer than two rows are asked for.
    """
    if most < 2:
        raise ValueError(f"most is {most}: it must be at least 2")
    kept = {name: _places(history[name], most) for name in {index_key(key) for key in history}}
    return {key: np.asarray(array)[kept[index_key(key)]] for key, array in history.items()}


def log_spaced(epochs: Sequence[int], most: int) -> list[int]:
    """At most so many of ascending epochs, about evenly spaced in log epoch (0 counts as 1).

    The first and the last are among them; a single one is the last.
    """
    if len(epochs) <= most:
        return list(epochs)
    logs = np.log(np.maximum(epochs, 1))
    wanted = np.linspace(logs[-1 if most == 1 else 0], logs[-1], most)
    nearest = np.abs(logs - wanted[:, None]).argmin(axis=1)
    return [epochs[place] for place in np.unique(nearest)]


def _places(epochs: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Rows to keep, ascending."""
    if len(epochs) <= most:
        return np.arange(len(epochs))
    first, last = max(int(epochs[0]), 1), int(epochs[-1])
    wanted = np.concatenate(
        [np.geomspace(first, last, (most + 1) // 2), np.linspace(last, first, most // 2)]
    )
    # The nearest row at or after each; several may meet in one.
    places = np.minimum(np.searchsorted(epochs, wanted - 1e-6), len(epochs) - 1)
    return np.unique(places)
