"""The parts of runs in an export: thinned histories and measurements."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from miiii.results.store import depth_for, stored_measurements
from miiii.runs.thinning import thin_history

if TYPE_CHECKING:
    from miiii.experiment.run import Run

HISTORY_BYTES = 400_000
"""Most bytes of all runs' thinned histories together, before compression."""


def histories_npz(runs: "Mapping[str, Sequence[Run]]", most: int = HISTORY_BYTES) -> bytes:
    """All runs' thinned histories in one compressed .npz file with keys `<run>/<array>`.

    Accuracies and losses are rounded to four decimals, to make the file small.

    Args:
        runs: by experiment.
        most: bytes of all runs together, before compression.
    """
    several = [run for group in runs.values() for run in group if len(run.history.epoch)]
    found: dict[str, np.ndarray] = {}
    for run in several:
        rows = run.directory.history()
        width = sum(array[0].nbytes for array in rows.values() if len(array))
        thinned = thin_history(rows, max(2, most // (len(several) * max(width, 1))))
        for key, array in thinned.items():
            rounded = array if array.dtype.kind == "i" else np.round(array.astype(np.float32), 4)
            found[f"{run.name}/{key}"] = rounded
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **found)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def kept_measurements(runs: "Mapping[str, Sequence[Run]]") -> dict[str, Any]:
    """The stored measurements by run; runs without any are left out."""
    pairs = [
        (run.name, stored_measurements(run, depth_for(experiment)))
        for experiment, group in runs.items()
        for run in group
        if len(run.history.epoch)
    ]
    return {name: json.loads(kept.to_json()) for name, kept in pairs if kept is not None}
