"""Append-only history of a run: what was measured at every epoch.

`history/` holds segments, each an uncompressed `.npz` of a span of epochs. NumPy reads
them; each key is an array whose leading axis is rows::

    import glob, numpy as np
    segments = [np.load(path) for path in sorted(glob.glob("runs/NAME/history/*.npz"))]
    train_loss = np.concatenate([segment["train_loss"] for segment in segments])

Shapes: E epochs, M validations, N tasks, W weights. `epoch` [E] indexes `train_loss` [E, N] and
every other key, except that `validation_epoch` [M] indexes the keys starting with
`validation_`. Accuracies are stored as counts, `train_correct / train_examples[:, None]`; runs
from before that hold `train_accuracy`, rounded to float32 (`miiii.runs.counts`). (Right after a
crash two segments may cover the same epochs, with the same rows; `read_history` takes each epoch
once, and the next resume tidies up.)

A process may be killed between any two steps here. The order of the steps is what makes that
harmless: rows are always written to their new place before their old place is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from miiii.runs.atomic import make_directory, remove_file, storage_errors, sync_directory
from miiii.runs.errors import DamagedFileError
from miiii.runs.segments import (
    Segment,
    list_segments,
    read_segment,
    segment_path,
    select_rows,
    write_segment,
)

MERGE_ABOVE = 64
"""More segments than this are merged into one by the next append."""


def append_segment(
    directory: Path, first: int, last: int, arrays: Mapping[str, np.ndarray]
) -> None:
    """Add the history of epochs `first` to `last`, which must follow what is there.

    Args:
        directory: the history directory; created where missing.
        first: the first epoch of the segment; 1 in an empty history.
        last: the last epoch of the segment, included.
        arrays: `epoch` [E] int64 with any arrays of E rows, and optionally `validation_epoch`
            [M] int64 with any `validation_*` arrays of M rows. Every segment of a run must have
            the same keys, row shapes and dtypes; a segment without a validation has zero rows.

    Raises:
        ValueError: the arrays do not fit together, the span, or the segments before.
        DamagedFileError: the history does not end at epoch `first - 1`, or could not be merged.
        StorageError: the disk refused; what was there is intact.
    """
    make_directory(directory)
    chain = _chain(directory, list_segments(directory))
    end = _chain_end(chain)
    if first != end + 1:
        raise DamagedFileError(
            directory,
            f"ends at epoch {end}, so epochs {first} to {last} cannot follow: truncate it first",
        )
    if chain:
        # Now, while the caller can still be told; later, the whole history would not read.
        difference = _find_difference(arrays, read_segment(chain[-1]))
        if difference is not None:
            raise ValueError(f"epochs {first} to {last} do not fit the history: {difference}")
    write_segment(directory, first, last, arrays)
    if len(list_segments(directory)) > MERGE_ABOVE:
        merge_history(directory)


def read_history(directory: Path, last: int | None = None) -> dict[str, np.ndarray]:
    """The history from the first epoch on, in the order of epochs.

    Needs no lock: a segment that another process merges away meanwhile is read where it went.

    Args:
        directory: the history directory; a missing or empty one has no keys.
        last: the last epoch wanted; None for all.

    Returns:
        One array per key: the rows of all segments, [E, ...] or [M, ...] for `validation_*`.

    Raises:
        DamagedFileError: a segment is damaged, or epochs are missing; the message says which.
    """
    while True:
        segments = list_segments(directory)
        try:
            return _read(_chain(directory, segments, last), last)
        except DamagedFileError:
            if list_segments(directory) == segments:
                raise


def _read(chain: list[Segment], last: int | None) -> dict[str, np.ndarray]:
    pieces: list[dict[str, np.ndarray]] = []
    end: int | None = None
    for segment in chain:
        piece = select_rows(read_segment(segment), end, last)
        difference = _find_difference(piece, pieces[0]) if pieces else None
        if difference is not None:
            raise DamagedFileError(
                segment.path, f"does not fit the segments before it: {difference}"
            )
        pieces.append(piece)
        end = segment.last
    if not pieces:
        return {}
    return {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}


def truncate_history(directory: Path, last: int) -> None:
    """Drop everything after epoch `last`.

    Raises:
        DamagedFileError: the segment to be shortened is damaged, or earlier epochs are missing.
        StorageError: the disk refused; the history still reads, perhaps with more rows.
    """
    segments = list_segments(directory)
    chain = _chain(directory, segments, last)
    if chain and chain[-1].last > last:
        straddling = chain[-1]
        kept = select_rows(read_segment(straddling), None, last)
        write_segment(directory, straddling.first, last, kept)
    # From the end, so that what is left at any moment has no gap.
    for segment in reversed(segments):
        if segment.last > last:
            remove_file(segment.path)
    _sync(directory)


def merge_history(directory: Path) -> None:
    """Rewrite the history as a single segment.

    Raises:
        DamagedFileError: a segment is damaged, or epochs are missing; nothing is removed.
        StorageError: the disk refused; what was there is intact.
    """
    segments = list_segments(directory)
    chain = _chain(directory, segments)
    if not chain:
        return
    if len(chain) > 1:
        replace_history(directory, _read(chain, None))
        return
    for segment in segments:
        if segment.path != chain[0].path:
            remove_file(segment.path)
    _sync(directory)


def replace_history(directory: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the same epochs in another form, as a single segment.

    Args:
        directory: a history that is not empty.
        arrays: of all its epochs, as `append_segment` takes them.

    Raises:
        DamagedFileError: epochs are missing; nothing is removed.
        StorageError: the disk refused; what was there is intact.
    """
    segments = list_segments(directory)
    chain = _chain(directory, segments)
    whole = segment_path(directory, chain[0].first, chain[-1].last)
    write_segment(directory, chain[0].first, chain[-1].last, arrays)
    for segment in segments:
        if segment.path != whole:
            remove_file(segment.path)
    _sync(directory)


def _chain(directory: Path, segments: list[Segment], last: int | None = None) -> list[Segment]:
    """The fewest segments that cover epochs 1 to `last` (or to the end) without a gap.

    Where segments overlap, the one that reaches furthest is taken: a shorter one is the remains of
    a merge or a truncation that was cut off, and holds the same rows.
    """
    remaining = segments
    chain: list[Segment] = []
    while last is None or _chain_end(chain) < last:
        end = _chain_end(chain)
        remaining = [segment for segment in remaining if segment.last > end]
        if not remaining:
            break
        following = [segment for segment in remaining if segment.first <= end + 1]
        if not following:
            raise DamagedFileError(
                directory,
                f"lacks epochs {end + 1} to {min(segment.first for segment in remaining) - 1}: "
                "restore the missing file",
            )
        chain.append(max(following, key=lambda segment: (segment.last, -segment.first)))
    return chain


def _chain_end(chain: list[Segment]) -> int:
    return chain[-1].last if chain else 0


def _find_difference(
    piece: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> str | None:
    """How keys, row shapes or dtypes differ; None if rows of both can be concatenated."""
    for key in sorted(set(piece) ^ set(reference)):
        return f"key {key!r} is {'new' if key in piece else 'missing'}"
    for key, expected in reference.items():
        found = np.asarray(piece[key])
        if (found.dtype, found.shape[1:]) != (expected.dtype, expected.shape[1:]):
            return (
                f"rows of {key!r} are {found.dtype} {found.shape[1:]}, "
                f"expected {expected.dtype} {expected.shape[1:]}"
            )
    return None


def _sync(directory: Path) -> None:
    if directory.is_dir():
        with storage_errors(directory):
            sync_directory(directory)
