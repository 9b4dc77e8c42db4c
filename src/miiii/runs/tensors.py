"""Named arrays in one safetensors file, with a digest that notices every change.

The digest is the SHA-256 of the metadata and of every tensor's name, dtype, shape and bytes. It is
part of the file's own metadata, under `digest`; any safetensors reader can open these files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from miiii.runs.atomic import write_atomically
from miiii.runs.errors import DamagedFileError

DIGEST_KEY = "digest"

Expected = Mapping[str, tuple[tuple[int, ...], str]]
"""What a file should hold: for every tensor's name its shape and dtype, as `((3, 4), "float32")`.
"""

_INTEGERS = {"bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"}
_DTYPES = _INTEGERS | {"float16", "float32", "float64"}
_HEADER_LENGTH_BYTES = 8
_ALIGNMENT = 8
"""Tensors begin at a multiple of so many bytes, as safetensors lays them out."""


def save_tensors(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write named arrays and text to one safetensors file, atomically.

    Args:
        path: the file; what is there is replaced.
        arrays: arrays of any shape (0-d and empty ones too) and any memory layout.
        metadata: text to text; `digest` is reserved.

    Raises:
        ValueError: a dtype that the format cannot hold, a reserved name, or metadata that is not
            text.
        StorageError: the file cannot be written; what was there is intact.
    """
    if DIGEST_KEY in metadata:
        raise ValueError(f"metadata key {DIGEST_KEY!r} is reserved")
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ValueError(f"metadata must be text, found {key!r}: {value!r}")
    contiguous = {name: _contiguous(name, array) for name, array in arrays.items()}
    stamped = {**metadata, DIGEST_KEY: compute_digest(contiguous, metadata)}
    write_atomically(path, _in_order(safetensors.numpy.save(contiguous, metadata=stamped)))


def _in_order(data: bytes) -> bytes:
    """The same file with its metadata sorted: safetensors writes them in a random order.

    Equal content makes equal bytes, so that `cmp` and `sha256sum` tell equal runs.
    """
    end = _HEADER_LENGTH_BYTES + int.from_bytes(data[:_HEADER_LENGTH_BYTES], "little")
    header = json.loads(data[_HEADER_LENGTH_BYTES:end])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_HEADER_LENGTH_BYTES, "little") + text + data[end:]


def _contiguous(name: str, array: np.ndarray) -> np.ndarray:
    if name == "__metadata__":
        raise ValueError("tensor name '__metadata__' is reserved by the file format")
    array = np.asarray(array)
    if array.dtype.name not in _DTYPES:
        raise ValueError(f"tensor {name!r} has dtype {array.dtype}, which cannot be stored")
    # The safetensors writer reads memory as it lies: anything but C order would be stored wrongly
    # without a word. (np.ascontiguousarray would turn a 0-d array into a 1-d one.)
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=True)


def stored_digest(path: Path) -> str | None:
    """The digest that a file carries, unchecked; None if it has none or cannot be read."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get(DIGEST_KEY)
    except (OSError, safetensors.SafetensorError):
        return None


def compute_digest(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """The SHA-256, in hexadecimal, of metadata and arrays, whatever order they come in."""
    digest = hashlib.sha256()

    def add(record: object) -> None:
        # JSON escapes line breaks, so one line per record keeps neighbours from running together.
        digest.update(json.dumps(record, sort_keys=True).encode("ascii") + b"\n")

    add(dict(metadata))
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        add([name, array.dtype.name, list(array.shape)])
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def load_tensors(
    path: Path, expected: Expected | None = None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read a file that `save_tensors` wrote, and check all of it.

    Args:
        path: the file.
        expected: name, shape and dtype of every tensor that must be there; None skips this check.

    Returns:
        The arrays by name, and the metadata without its digest.

    Raises:
        DamagedFileError: the file is missing, truncated, altered, foreign, or holds other tensors
            than expected; the message names the file and the first difference.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DamagedFileError(path, "is missing") from None
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror}") from error
    metadata = _read_metadata(path, data)
    try:
        arrays = safetensors.numpy.load(data)
    except Exception as error:  # whatever the reader makes of arbitrary bytes
        raise DamagedFileError(path, f"is truncated or altered: {error}") from error
    stored = metadata.pop(DIGEST_KEY, None)
    if stored is None:
        raise DamagedFileError(path, "has no digest: it was not written by miiii")
    if stored != compute_digest(arrays, metadata):
        raise DamagedFileError(path, "was altered: its content does not match its digest")
    if expected is not None:
        check_expected(path, arrays, expected)
    return arrays, metadata


def _read_metadata(path: Path, data: bytes) -> dict[str, str]:
    if len(data) < _HEADER_LENGTH_BYTES:
        raise DamagedFileError(
            path, f"is truncated or not a safetensors file: it has {len(data)} bytes"
        )
    length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "little")
    if length > len(data) - _HEADER_LENGTH_BYTES:
        raise DamagedFileError(
            path,
            "is truncated or not a safetensors file: "
            f"it has {len(data)} bytes, fewer than its header announces",
        )
    try:
        header = json.loads(data[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + length])
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(
            path, "is altered or not a safetensors file: its header is unreadable"
        ) from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DamagedFileError(path, "is altered or not a safetensors file: its header is foreign")
    return metadata


def check_expected(path: Path, arrays: Mapping[str, np.ndarray], expected: Expected) -> None:
    """Check every tensor's name, shape and dtype.

    Raises:
        DamagedFileError: something differs; the message says which tensor, what was expected and
            what was found.
    """
    missing = sorted(set(expected) - set(arrays))
    if missing:
        raise DamagedFileError(path, f"lacks tensor {missing[0]!r}{_and_more(missing)}")
    foreign = sorted(set(arrays) - set(expected))
    if foreign:
        raise DamagedFileError(
            path, f"holds tensor {foreign[0]!r}{_and_more(foreign)}, which was not expected"
        )
    for name, (shape, dtype) in expected.items():
        found = arrays[name]
        if found.shape != tuple(shape):
            raise DamagedFileError(
                path,
                f"holds tensor {name!r} of shape {found.shape}, expected {tuple(shape)}",
            )
        if found.dtype.name != np.dtype(dtype).name:
            raise DamagedFileError(
                path, f"holds tensor {name!r} of dtype {found.dtype}, expected {dtype}"
            )


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
