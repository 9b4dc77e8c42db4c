"""A run directory: the one way in which the rest of the laboratory meets the disk.

::

    runs/<name>/
      config.toml      the configuration, resolved
      provenance.json  where the run comes from
      status.json      state, epoch, heartbeat
      lock, lock.pid   one process at a time
      history/         segments of history (`miiii.runs.history`)
      checkpoints/     full states to resume from: the newest two
      snapshots/       weights through training
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from miiii.runs import checkpoints, history
from miiii.runs.atomic import remove_file, remove_leftovers, write_atomically
from miiii.runs.counts import counted, is_counted, with_accuracies, without_accuracies
from miiii.runs.creation import SUBDIRECTORIES, create_directory
from miiii.runs.errors import RunNotFoundError
from miiii.runs.jsonfiles import encode_json, read_json, read_text
from miiii.runs.listing import (
    CONFIG_NAME,
    PROVENANCE_NAME,
    STATUS_NAME,
    RunSummary,
    is_run,
    list_runs,
)
from miiii.runs.locking import lock_directory
from miiii.runs.tensors import Expected

__all__ = ["RunDirectory", "RunSummary", "list_runs"]


@dataclass(frozen=True)
class RunDirectory:
    """A run on disk; holds nothing but its path.

    Reading needs no lock. A process that writes holds `lock()`.
    """

    path: Path

    @classmethod
    def create(
        cls,
        runs_dir: Path,
        name: str,
        force: bool = False,
        files: Mapping[str, bytes] | None = None,
    ) -> RunDirectory:
        """Create a run, complete with its first files or not at all.

        Args:
            runs_dir: the directory of all runs; created where missing.
            name: letters, digits, `.`, `_` and `-`.
            force: whether a run of that name is moved aside instead of being refused.
            files: content by file name, as `config.toml`, `provenance.json`, `status.json`.

        Raises:
            RunNameError: the name is not allowed.
            RunExistsError: the name is taken and `force` is not set.
            RunLockedError: the run to be moved aside is in use.
            StorageError: the disk refused; nothing of the new run is left.
        """
        return cls(create_directory(Path(runs_dir), name, files or {}, force))

    @classmethod
    def open(cls, runs_dir: Path, name_or_path: str | Path) -> RunDirectory:
        """Find a run by its name in `runs_dir`, else by its path.

        Raises:
            RunNotFoundError: there is none; the message names the nearest run.
        """
        runs_dir = Path(runs_dir)
        if str(name_or_path):
            for path in (runs_dir / name_or_path, Path(name_or_path)):
                if is_run(path):
                    return cls(path)
        existing = [summary.name for summary in list_runs(runs_dir)]
        raise RunNotFoundError(str(name_or_path), runs_dir, existing)

    @property
    def name(self) -> str:
        """The run's name: that of its directory."""
        return Path(os.path.abspath(self.path)).name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process only, and clear away what a killed one left.

        Raises:
            RunLockedError: another process has it; raised at once.
            StorageError: the lock file cannot be opened.
        """
        with lock_directory(self.path):
            # Not in the whole tree: figures and reports are written without this lock.
            remove_leftovers(self.path, recursive=False)
            for subdirectory in SUBDIRECTORIES:
                remove_leftovers(self.path / subdirectory)
            yield

    # The three records. Each reader raises DamagedFileError, each writer StorageError.

    @property
    def config_text(self) -> str:
        """The text of `config.toml`."""
        return read_text(self.path / CONFIG_NAME)

    @property
    def provenance(self) -> dict[str, Any]:
        """The record in `provenance.json`."""
        return read_json(self.path / PROVENANCE_NAME)

    @property
    def status(self) -> dict[str, Any]:
        """The record in `status.json`."""
        return read_json(self.path / STATUS_NAME)

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Replace `status.json`."""
        self.write_json(STATUS_NAME, status)

    def write_json(self, name: str, record: Mapping[str, Any]) -> None:
        """Replace a JSON file of the run; numbers that are not finite become `null`."""
        write_atomically(self.path / name, encode_json(record))

    # Checkpoints: full states to resume from.

    def save_checkpoint(
        self, epoch: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
    ) -> None:
        """Write a checkpoint, then drop all but the newest two up to its epoch.

        Raises:
            ValueError: arrays or metadata that cannot be stored.
            StorageError: the disk refused; the checkpoints that were there are intact.
        """
        checkpoints.save_checkpoint(self.path / "checkpoints", epoch, arrays, metadata)

    def checkpoint_epochs(self) -> list[int]:
        """The epochs that have a checkpoint, usable or not, in rising order."""
        return checkpoints.list_epochs(self.path / "checkpoints")

    def checkpoint_path(self, epoch: int) -> Path:
        """The file of a checkpoint, whether or not it exists."""
        return checkpoints.epoch_path(self.path / "checkpoints", epoch)

    def load_checkpoint(
        self,
        epoch: int | None = None,
        expected: Expected | None = None,
        identity: str | None = None,
    ) -> checkpoints.LoadedCheckpoint:
        """`(epoch, arrays, metadata, warnings)` of the newest usable checkpoint.

        Args:
            epoch: the only epoch to try; None tries all, newest first.
            expected: name, shape and dtype of every tensor; None skips this check.
            identity: what the metadata's `identity` must be; None skips this check.

        Raises:
            CheckpointNotFoundError: there is none, or none of that epoch.
            DamagedFileError: None can be used; the message names them all.
        """
        return checkpoints.load_checkpoint(self.path / "checkpoints", epoch, expected, identity)

    def remove_checkpoints(self) -> bool:
        """Remove what only going on needs, of a finished run whose last weights are a snapshot.

        Returns:
            Whether they were removed; otherwise something would be lost, and all of it stays.
        """
        epochs, snapshots = self.checkpoint_epochs(), self.snapshot_epochs()
        kept = bool(epochs and snapshots) and snapshots[-1] >= epochs[-1]
        if not kept or self.status.get("state") != "finished":
            return False
        for epoch in epochs:
            self.checkpoint_path(epoch).unlink(missing_ok=True)
        return True

    def set_aside(self, path: Path) -> Path:
        """Rename a damaged file of the run to `*.damaged` and return its new path."""
        return checkpoints.set_aside(path)

    # Snapshots: weights through training.

    def save_snapshot(
        self, epoch: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
    ) -> None:
        """Write the snapshot of an epoch; raises like `save_checkpoint`."""
        checkpoints.save_epoch(self.path / "snapshots", epoch, arrays, metadata)

    def snapshot_epochs(self) -> list[int]:
        """The epochs that have a snapshot, in rising order."""
        return checkpoints.list_epochs(self.path / "snapshots")

    def load_snapshot(
        self, epoch: int, expected: Expected | None = None, identity: str | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The arrays and the metadata of a snapshot.

        Raises:
            DamagedFileError: it is missing, damaged or foreign.
        """
        return checkpoints.load_epoch(self.path / "snapshots", epoch, expected, identity)

    def remove_snapshots_after(self, epoch: int) -> None:
        """Remove the snapshots of epochs later than `epoch`."""
        for later in self.snapshot_epochs():
            if later > epoch:
                remove_file(checkpoints.epoch_path(self.path / "snapshots", later))

    # History: what was measured at every epoch. Errors as in miiii.runs.history.

    def history(self, last: int | None = None) -> dict[str, np.ndarray]:
        """The history, up to epoch `last` where given: one array of rows per key.

        Accuracies are among them, whatever form they are stored in (`miiii.runs.counts`).
        """
        return with_accuracies(history.read_history(self.path / "history", last))

    def append_history(self, first: int, last: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Add the history of epochs `first` to `last`, which must follow what is there."""
        history.append_segment(self.path / "history", first, last, without_accuracies(arrays))

    def count_history(self, sizes: Mapping[str, int]) -> None:
        """Make an older run's history one of counts, so that it can go on as one.

        Args:
            sizes: of train and validation, how many numbers an epoch asks.
        """
        rows = history.read_history(self.path / "history")
        if not is_counted(rows):
            history.replace_history(self.path / "history", counted(rows, sizes))

    def truncate_history(self, last: int) -> None:
        """Drop the history after epoch `last`."""
        history.truncate_history(self.path / "history", last)
