"""Tensor files by epoch: checkpoints to resume from, snapshots to analyse.

A file is named after its epoch, `{epoch:09d}.safetensors`, and repeats the epoch in its metadata,
so that a file under a wrong name is noticed. Of checkpoints the newest two are kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from miiii.runs.atomic import make_directory, remove_file, storage_errors
from miiii.runs.errors import CheckpointNotFoundError, DamagedFileError
from miiii.runs.tensors import Expected, check_expected, load_tensors, save_tensors

EPOCH_KEY = "epoch"
IDENTITY_KEY = "identity"
CHECKPOINTS_KEPT = 2

_NAME = re.compile(r"(\d{9,})\.safetensors")


class LoadedCheckpoint(NamedTuple):
    """A checkpoint that passed every check.

    Attributes:
        epoch: the epoch after which it was taken.
        arrays: the tensors by name.
        metadata: the text stored with them.
        warnings: one line for every newer checkpoint that was refused.
    """

    epoch: int
    arrays: dict[str, np.ndarray]
    metadata: dict[str, str]
    warnings: list[str]


def epoch_path(directory: Path, epoch: int) -> Path:
    """Where the file of an epoch is kept."""
    return directory / f"{epoch:09d}.safetensors"


def list_epochs(directory: Path) -> list[int]:
    """The epochs that have a file, in rising order; none if the directory is missing."""
    matches = [_NAME.fullmatch(path.name) for path in directory.glob("*.safetensors")]
    return sorted(int(match[1]) for match in matches if match is not None)


def save_epoch(
    directory: Path, epoch: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write the file of an epoch, atomically.

    Args:
        directory: where; created where missing.
        epoch: the epoch after which the arrays were taken, from 0.
        arrays: the tensors by name.
        metadata: text stored with them; `epoch` is added.

    Raises:
        ValueError: a negative epoch, or arrays or metadata that cannot be stored.
        StorageError: the disk refused; what was there is intact.
    """
    if epoch < 0:
        raise ValueError(f"epoch must be at least 0, found {epoch}")
    make_directory(directory)
    save_tensors(epoch_path(directory, epoch), arrays, {**metadata, EPOCH_KEY: str(epoch)})


def load_epoch(
    directory: Path, epoch: int, expected: Expected | None = None, identity: str | None = None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read the file of an epoch and check all of it.

    Args:
        directory: where.
        epoch: the epoch.
        expected: name, shape and dtype of every tensor; None skips this check.
        identity: what the metadata's `identity` must be; None skips this check.

    Returns:
        The arrays by name, and the metadata.

    Raises:
        DamagedFileError: it is missing, truncated, altered, foreign, or of another epoch or run.
    """
    path = epoch_path(directory, epoch)
    arrays, metadata = load_tensors(path)
    # Whose file it is comes before what is in it: it says more than a shape that differs.
    if identity is not None and metadata.get(IDENTITY_KEY) != identity:
        found = metadata.get(IDENTITY_KEY)
        raise DamagedFileError(
            path, f"belongs to another run: its identity is {found!r}, expected {identity!r}"
        )
    if metadata.get(EPOCH_KEY) != str(epoch):
        raise DamagedFileError(path, f"is of epoch {metadata.get(EPOCH_KEY)}, not {epoch}")
    if expected is not None:
        check_expected(path, arrays, expected)
    return arrays, metadata


def save_checkpoint(
    directory: Path, epoch: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write a checkpoint, then remove all but the newest two up to its epoch.

    Checkpoints of later epochs are not touched and do not count: a run that went back behind them
    found them unusable.

    Raises:
        ValueError: arrays or metadata that cannot be stored.
        StorageError: the disk refused; the checkpoints that were there are intact.
    """
    save_epoch(directory, epoch, arrays, metadata)
    kept = [earlier for earlier in list_epochs(directory) if earlier <= epoch]
    for outdated in kept[:-CHECKPOINTS_KEPT]:
        remove_file(epoch_path(directory, outdated))


def load_checkpoint(
    directory: Path,
    epoch: int | None = None,
    expected: Expected | None = None,
    identity: str | None = None,
) -> LoadedCheckpoint:
    """Read the newest checkpoint that passes every check, or the one of an epoch.

    Args:
        directory: the directory of checkpoints.
        epoch: the only epoch to try; None tries all, newest first.
        expected: name, shape and dtype of every tensor; None skips this check.
        identity: what the metadata's `identity` must be; None skips this check.

    Raises:
        CheckpointNotFoundError: there is none, or none of that epoch.
        DamagedFileError: None can be used; the message names every file and what is wrong with it.
    """
    existing = list_epochs(directory)
    candidates = existing[::-1] if epoch is None else [e for e in existing if e == epoch]
    if not candidates:
        raise CheckpointNotFoundError(directory, epoch, existing)
    refused: list[DamagedFileError] = []
    for candidate in candidates:
        try:
            arrays, metadata = load_epoch(directory, candidate, expected, identity)
        except DamagedFileError as error:
            refused.append(error)
            continue
        warnings = [f"{error}; using the checkpoint of epoch {candidate}" for error in refused]
        return LoadedCheckpoint(candidate, arrays, metadata, warnings)
    if len(refused) == 1:
        raise refused[0]
    problems = "; ".join(f"{error.path.name} {error.problem}" for error in refused)
    raise DamagedFileError(directory, f"holds no usable checkpoint: {problems}")


def set_aside(path: Path) -> Path:
    """Rename a file to `*.damaged`, where nothing reads it; returns its new path.

    Raises:
        StorageError: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.damaged")
    number = 2
    while os.path.lexists(aside):
        aside = path.with_name(f"{path.name}.{number}.damaged")
        number += 1
    with storage_errors(path):
        os.rename(path, aside)
    return aside
