"""A run's own split, where it was not drawn from the seed: `split.npz`.

Three ascending index arrays, train, validation and test, int32, which together are the numbers that
have an answer. Models that were trained elsewhere have one, and runs whose split was given; other
runs draw theirs again from their settings.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from miiii.runs.errors import DamagedFileError

FILE = "split.npz"
PARTS = ("train", "validation", "test")


def encode_split(parts: Mapping[str, NDArray[np.int32]]) -> bytes:
    """The file's bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(parts[name], np.int32) for name in PARTS})  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def read_split(
    directory: Path, numbers: NDArray[np.integer] | None = None
) -> dict[str, NDArray[np.int32]] | None:
    """A run's own split; None where it has none.

    Args:
        directory: the run directory.
        numbers: those that have an answer, ascending; None: not to be compared.

    Raises:
        DamagedFileError: it cannot be read, or is no split of that many numbers.
    """
    path = directory / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror}") from error
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            parts = {name: np.asarray(archive[name]) for name in PARTS}
    except Exception as error:  # whatever the reader makes of arbitrary bytes
        raise DamagedFileError(path, f"is not readable: {error}") from error
    together = np.concatenate(list(parts.values()))
    if together.dtype != np.int32 or (
        numbers is not None and not np.array_equal(np.sort(together), numbers)
    ):
        count = "" if numbers is None else f" the {len(numbers)}"
        raise DamagedFileError(path, f"is no split of{count} numbers")
    return parts
