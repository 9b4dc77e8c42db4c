"""A user's labels, by their digest.

A configuration holds the digest of its labels, and a run's directory holds the labels themselves
(`labels.npy`). `_KEPT` holds those that this process has read. A digest always has the same labels,
whichever run they were read from.
"""

import hashlib
import io

import numpy as np
from numpy.typing import ArrayLike, NDArray

FILE = "labels.npy"
"""The labels' file in a run's directory."""

_KEPT: dict[str, NDArray[np.int32]] = {}


def keep_labels(labels: ArrayLike) -> str:
    """Keep labels for this process; returns their digest.

    Args:
        labels: [p²] or [p², N], whole numbers from 0 to 2³¹ − 1; row n belongs to the number n. A
            row of −1 is a number without an answer.

    Raises:
        ValueError: not whole numbers, another shape, p below 3, fewer than two answered numbers, or
            a number with an answer in some tasks only.
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
    unanswered = array < 0
    partly = np.flatnonzero(unanswered.any(axis=1) & ~unanswered.all(axis=1))
    if len(partly):
        raise ValueError(
            f"labels of the number {partly[0]} are {array[partly[0]].tolist()}: a number without "
            "an answer has −1 in every task, so split the tasks over several runs"
        )
    if (~unanswered).any(axis=1).sum() < 2:
        raise ValueError("labels are −1 nearly everywhere: expected at least two answers")
    array = np.ascontiguousarray(array, np.int32)
    array.setflags(write=False)
    digest = hashlib.sha256(f"{array.shape} ".encode() + array.tobytes()).hexdigest()[:16]
    _KEPT[digest] = array
    return digest


def kept_labels(digest: str) -> NDArray[np.int32]:
    """The labels of a digest: [p², N].

    Raises:
        ValueError: this process has not read them.
    """
    if digest not in _KEPT:
        raise ValueError(
            f"the labels {digest!r} of the task custom are not here: make the configuration with "
            "miiii.with_labels, or give a run's config.toml that has its labels.npy beside it"
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
        ValueError: it is no such file, or its labels have another digest.
    """
    found = keep_labels(np.load(io.BytesIO(content), allow_pickle=False))
    if found != digest:
        raise ValueError(f"holds the labels {found!r}: expected {digest!r}")
