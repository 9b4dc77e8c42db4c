"""The hidden neurons' spectrum at every snapshot, computed once and stored beside the run.

The measurements, Figure 8 and the slider of a study's page use it; at p = 113 it takes more than a
second per snapshot. A stored spectrum is valid while the digest of its snapshot's weights is the
same. An unreadable file is replaced. A disk that cannot be written is no error: then nothing is
stored.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.snapshots import measure_each
from miiii.analysis.parts.calibration import DRAWS, CalibratedSpectrum, model_calibrated_spectrum
from miiii.analysis.parts.neurons import MeanSpectrum
from miiii.analysis.parts.significance import MULTIPLE
from miiii.experiment.run import Run
from miiii.runs.atomic import make_directory, write_atomically
from miiii.runs.checkpoints import epoch_path
from miiii.runs.errors import StorageError
from miiii.runs.tensors import stored_digest

NAME = "analysis/spectra.npz"
"""File of the spectra in the run directory."""

VERSION = 1
"""Version of the computation and of the file; files of another version are replaced."""

Spectra = dict[int, CalibratedSpectrum]


def snapshot_spectra(
    run: Run, epochs: Iterable[int] | None = None
) -> Iterator[tuple[int, CalibratedSpectrum]]:
    """The calibrated spectrum of each snapshot, in order of epoch: read, or computed and stored.

    Args:
        run: the run.
        epochs: which snapshots; default: all.

    Returns:
        An iterator of (epoch, spectrum), as `measure_each` gives it, for `stack_spectra`.

    Raises:
        ValueError: at the call, there are no snapshots or none of an epoch in `epochs`.
    """
    path = run.path / NAME
    digests = {
        epoch: stored_digest(epoch_path(run.path / "snapshots", epoch)) for epoch in run.snapshots
    }
    kept = _read(path, digests)
    chosen = sorted(run.snapshots if epochs is None else set(epochs))
    missing = [epoch for epoch in chosen if epoch not in kept]
    # Called even if nothing is missing, because it refuses a run without snapshots.
    found = measure_each(run.snapshots, model_calibrated_spectrum, missing)

    def each() -> Iterator[tuple[int, CalibratedSpectrum]]:
        try:
            for epoch in chosen:
                if epoch not in kept:
                    _, kept[epoch] = next(found)
                yield epoch, kept[epoch]
        finally:
            if set(missing) & set(kept):
                _write(path, digests, kept)

    return each()


def _write(path: Path, digests: Mapping[int, str | None], kept: Spectra) -> None:
    epochs = sorted(epoch for epoch in kept if digests[epoch] is not None)
    if not epochs:
        return
    spectra = [kept[epoch] for epoch in epochs]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        version=np.array([VERSION, DRAWS], np.int64),
        multiple=np.array([one.multiple for one in spectra]),
        epochs=np.array(epochs, np.int64),
        digests=np.array([digests[epoch] for epoch in epochs]),
        base=np.array([one.spectrum.base for one in spectra], np.int64),
        neurons=np.array([one.spectrum.neurons for one in spectra], np.int64),
        power=np.stack([one.spectrum.power for one in spectra]),
        frequencies=np.stack([one.frequencies for one in spectra]),
        null_counts=np.stack([one.null_counts for one in spectra]),
    )
    with suppress(StorageError):
        make_directory(path.parent)
        write_atomically(path, buffer.getvalue())


def _read(path: Path, digests: Mapping[int, str | None]) -> Spectra:
    """The stored spectra of snapshots with unchanged weights."""
    try:
        with np.load(path, allow_pickle=False) as file:
            rows: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
        if rows["version"].tolist() != [VERSION, DRAWS]:
            return {}
        found: Spectra = {}
        for row, epoch in enumerate(rows["epochs"].tolist()):
            digest, multiple = str(rows["digests"][row]), float(rows["multiple"][row])
            if digests.get(epoch) != digest or multiple != MULTIPLE:
                continue
            spectrum = MeanSpectrum(
                int(rows["base"][row]), int(rows["neurons"][row]), rows["power"][row]
            )
            found[epoch] = CalibratedSpectrum(
                spectrum, multiple, rows["frequencies"][row], rows["null_counts"][row]
            )
    # The spectra can be computed again, whatever is wrong with the file.
    except Exception:
        return {}
    return found
