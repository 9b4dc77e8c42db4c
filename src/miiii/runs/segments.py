"""One segment of history: a span of epochs in one uncompressed `.npz` file.

Its name says which epochs, `{first:09d}-{last:09d}.npz`; its rows are found through two index
arrays: keys that start with `validation_` belong to the epochs in `validation_epoch`, all
others to those in `epoch`.

The checksums of the format cover each array but not the list of arrays: a single altered byte can
make some of them disappear. The archive's comment, which is the end of the file, therefore holds
the SHA-256 of its name's span and of all bytes before.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from miiii.runs.atomic import write_atomically
from miiii.runs.errors import DamagedFileError

EPOCH_KEY = "epoch"
VALIDATION_PREFIX = "validation_"
VALIDATION_EPOCH_KEY = "validation_epoch"

_DIGEST_LENGTH = 64
_NAME = re.compile(r"(\d{9,})-(\d{9,})\.npz")


@dataclass(frozen=True)
class Segment:
    """A segment's file and the span of epochs it covers, both ends included."""

    path: Path
    first: int
    last: int


def segment_path(directory: Path, first: int, last: int) -> Path:
    """Where the segment of epochs `first` to `last` is kept."""
    return directory / f"{first:09d}-{last:09d}.npz"


def list_segments(directory: Path) -> list[Segment]:
    """The segments in a directory by first, then last epoch; none if it is missing."""
    matches = [(path, _NAME.fullmatch(path.name)) for path in directory.glob("*.npz")]
    segments = [Segment(path, int(m[1]), int(m[2])) for path, m in matches if m is not None]
    return sorted(segments, key=lambda segment: (segment.first, segment.last))


def index_key(key: str) -> str:
    """The name of the array that says which epochs the rows of `key` belong to."""
    return VALIDATION_EPOCH_KEY if key.startswith(VALIDATION_PREFIX) else EPOCH_KEY


def write_segment(directory: Path, first: int, last: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write one segment, atomically.

    Args:
        directory: the history directory; it must exist.
        first: its first epoch, from 1.
        last: its last epoch.
        arrays: arrays whose leading axis is rows, with their index arrays (see the module).

    Raises:
        ValueError: the arrays do not fit together or do not fit the span.
        StorageError: the file cannot be written.
    """
    if not 1 <= first <= last:
        raise ValueError(f"a segment spans epochs from 1 upwards, found {first} to {last}")
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    problem = find_inconsistency(first, last, arrays)
    if problem is not None:
        raise ValueError(f"history of epochs {first} to {last}: {problem}")
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = bytes(_DIGEST_LENGTH)
    content = buffer.getvalue()[:-_DIGEST_LENGTH]
    write_atomically(
        segment_path(directory, first, last), content + _compute_digest(first, last, content)
    )


def read_segment(segment: Segment) -> dict[str, np.ndarray]:
    """Read one segment and check all of it.

    Raises:
        DamagedFileError: it is missing, truncated, altered or foreign.
    """
    try:
        data = segment.path.read_bytes()
    except OSError as error:
        raise DamagedFileError(segment.path, f"cannot be read: {error.strerror}") from error
    content, digest = data[:-_DIGEST_LENGTH], data[-_DIGEST_LENGTH:]
    if digest != _compute_digest(segment.first, segment.last, content):
        raise DamagedFileError(
            segment.path, "is truncated, altered or foreign: it does not match its digest"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception as error:  # whatever the reader makes of bytes that somebody signed
        raise DamagedFileError(segment.path, f"is not readable: {error}") from error
    problem = find_inconsistency(segment.first, segment.last, arrays)
    if problem is not None:
        raise DamagedFileError(segment.path, f"is foreign: {problem}")
    return arrays


def _compute_digest(first: int, last: int, content: bytes) -> bytes:
    digest = hashlib.sha256(f"{first}-{last}\n".encode("ascii"))
    digest.update(content)
    return digest.hexdigest().encode("ascii")


def find_inconsistency(first: int, last: int, arrays: Mapping[str, np.ndarray]) -> str | None:
    """Why arrays cannot be the history of epochs `first` to `last`; None if they can.

    Index arrays grow strictly and stay within the span; the one that starts at epoch 1 may also
    hold epoch 0, the state before training.
    """
    if EPOCH_KEY not in arrays:
        return f"array {EPOCH_KEY!r} is missing"
    for key, array in arrays.items():
        if array.dtype.kind not in "biuf":
            return f"array {key!r} has dtype {array.dtype}, expected numbers"
        if array.ndim == 0:
            return f"array {key!r} has no axis of rows"
        if index_key(key) not in arrays:
            return f"array {index_key(key)!r} is missing, which array {key!r} needs"
    lowest = 0 if first == 1 else first
    for key in {index_key(key) for key in arrays}:
        index = arrays[key]
        if index.dtype != np.int64 or index.ndim != 1:
            return f"array {key!r} is {index.dtype} {index.shape}, expected one axis of int64"
        if index.size and (index[0] < lowest or index[-1] > last or np.any(np.diff(index) <= 0)):
            return f"array {key!r} does not grow from within {lowest} to {last}"
    for key, array in arrays.items():
        rows = arrays[index_key(key)].shape[0]
        if array.shape[0] != rows:
            return f"array {key!r} has {array.shape[0]} rows, {index_key(key)!r} has {rows}"
    return None


def select_rows(
    arrays: Mapping[str, np.ndarray], after: int | None, last: int | None
) -> dict[str, np.ndarray]:
    """The rows of epochs above `after` and up to `last`; None leaves an end open."""
    kept = {}
    for key, array in arrays.items():
        index = arrays[index_key(key)]
        start = 0 if after is None else int(np.searchsorted(index, after, side="right"))
        stop = index.size if last is None else int(np.searchsorted(index, last, side="right"))
        kept[key] = array[start:stop]
    return kept
