"""Labels that a user gives, by their digest, so that a configuration can name them.

A configuration holds the digest of its labels, and a run's directory holds the labels themselves
(`labels.npy`). This table holds those that the process has read, by digest. A digest always has the
same labels, so that it does not matter which run they were read from.
"""

import hashlib
import io

import numpy as np
from numpy.typing import ArrayLike, NDArray

FILE = "labels.npy"
"""Where a run keeps them."""

_KEPT: dict[str, NDArray[np.int32]] = {}


def keep_labels(labels: ArrayLike) -> str:
    """Keep labels for this process; returns their digest.

    Args:
        labels: [p²] or [p², N], whole numbers from 0 to 2³¹ − 1; row n belongs to the number n. A
            row of −1 is a number without an answer.

    Raises:
        ValueError: not whole numbers, of another shape, or p is below 3.
    """
    array = np.asarray(labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"labels are {array.dtype}: expected whole numbers, the classes")
    if array.ndim == 1:
        array = array[:, None]
    base = round(len(array) ** 0.5) if array.ndim == 2 else 0
    if base < 3 or base**2 != len(array) or not array.shape[1]:
        raise ValueError(
            f"labels have shape {np.shape(labels)}: expected [p², tasks], a row for every number "
            "of two base-p digits, p at least 3"
        )
    low, high = int(array.min()), int(array.max())
    if low < -1 or high >= 2**31:
        raise ValueError(
            f"labels are from {low} to {high}: expected classes, 0 to 2³¹ − 1, or −1 for no answer"
        )
    none = array < 0
    partly = np.flatnonzero(none.any(axis=1) & ~none.all(axis=1))
    if len(partly):
        raise ValueError(
            f"labels of the number {partly[0]} are {array[partly[0]].tolist()}: a number without "
            "an answer has −1 in every task, so split the tasks over several runs"
        )
    if (~none).any(axis=1).sum() < 2:
        raise ValueError("labels are −1 nearly everywhere: expected at least two answers")
    array = np.ascontiguousarray(array, np.int32)
    array.setflags(write=False)
    digest = hashlib.sha256(f"{array.shape} ".encode() + array.tobytes()).hexdigest()[:16]
    _KEPT[digest] = array
    return digest


def kept_labels(digest: str) -> NDArray[np.int32]:
    """The labels of a digest: [p², N].

    Raises:
        ValueError: nobody has brought them into this process.
    """
    if digest not in _KEPT:
        raise ValueError(
            f"the labels {digest!r} of the task custom are not here: make the configuration with "
            "miiii.with_labels, or give the config.toml of a run that has them beside it"
        )
    return _KEPT[digest]


def encode_labels(digest: str) -> bytes:
    """Kept labels as the content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, kept_labels(digest), allow_pickle=False)
    return buffer.getvalue()


def decode_labels(content: bytes, digest: str) -> None:
    """Keep the labels of a .npy file.

    Raises:
        ValueError: it is no such file, or holds other labels than the digest says.
    """
    found = keep_labels(np.load(io.BytesIO(content), allow_pickle=False))
    if found != digest:
        raise ValueError(f"holds the labels {found!r}: expected {digest!r}")
